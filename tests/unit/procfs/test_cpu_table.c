/* Tables by CPU: offline CPUs, rows for the whole machine, names without a blank behind. */
#include "procfs/cpu_table.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    int status = procfs_cpu_table_begin(text, &table);
    while (status == 0 && (status = procfs_cpu_table_next(&table, &row)) > 0) {
        status = 0;
    }
    return status;
}

static const struct str interrupts =
    STR("            CPU0       CPU3\n"
        "   0:         17          1   IR-IO-APIC    2-edge      timer\n"
        "IPI0:200 300       Rescheduling interrupts\n"
        " ERR:          5\n"
        " HI:          7          8\n");

static void rows_and_cpus(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int count;
        const char *description;
    } rows[] = {
        {"0", 2, "IR-IO-APIC    2-edge      timer"},
        {"IPI0", 2, "Rescheduling interrupts"},
        {"ERR", 1, ""},
        {"HI", 2, ""},
    };
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    assert_int_equal(procfs_cpu_table_begin(interrupts, &table), 0);
    assert_int_equal(table.cpus, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_cpu_table_next(&table, &row), 1);
        assert_str(row.name, rows[i].name);
        assert_int_equal(row.count, rows[i].count);
        assert_str(row.description, rows[i].description);
    }
    assert_int_equal(procfs_cpu_table_next(&table, &row), 0);
}

static void counters_go_with_the_cpus_of_the_title(void **state)
{
    (void)state;
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    assert_int_equal(procfs_cpu_table_begin(interrupts, &table), 0);
    assert_int_equal(procfs_cpu_table_next(&table, &row), 1);
    struct str title = table.title, cpu;
    uint64_t value;
    assert_int_equal(procfs_cpu_table_next_cpu(&title, &row.counters, &cpu, &value), 1);
    assert_str(cpu, "0");
    assert_int_equal(value, 17);
    assert_int_equal(procfs_cpu_table_next_cpu(&title, &row.counters, &cpu, &value), 1);
    assert_str(cpu, "3");
    assert_int_equal(value, 1);
    assert_int_equal(procfs_cpu_table_next_cpu(&title, &row.counters, &cpu, &value), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "\n", "CPU0 x\n", "CPU\n", "CPU0\nno colon\n", "CPU0\n: 1\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(interrupts, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_cpus),
        cmocka_unit_test(counters_go_with_the_cpus_of_the_title),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
