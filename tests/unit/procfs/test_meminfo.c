/* /proc/meminfo, with the odd lines of several kernels. */
#include "procfs/meminfo.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_meminfo_line line;
    int status;
    while ((status = procfs_meminfo_next(&text, &line)) > 0) {
    }
    return status;
}

static const struct str meminfo = STR("MemTotal:       16303564 kB\n"
                                      "Active(anon):    2076644 kB\n"
                                      "VmallocTotal:   34359738367 kB\n"
                                      "HugePages_Total:       4\n"
                                      "DirectMap4k:      185020 kB\n");

static void names_values_units(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t value;
        bool is_kib;
    } rows[] = {
        {"MemTotal", 16303564, true},
        {"Active(anon)", 2076644, true},
        {"VmallocTotal", 34359738367, true},
        {"HugePages_Total", 4, false},
        {"DirectMap4k", 185020, true},
    };
    struct str rest = meminfo;
    struct procfs_meminfo_line line;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_meminfo_next(&rest, &line), 1);
        assert_str(line.name, rows[i].name);
        assert_int_equal(line.value, rows[i].value);
        assert_int_equal(line.is_kib, rows[i].is_kib);
    }
    assert_int_equal(procfs_meminfo_next(&rest, &line), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        ":\n",
        "MemTotal 1 kB\n",
        "MemTotal:\n",
        "MemTotal: x kB\n",
        "MemTotal: 1 MB\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(meminfo, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_values_units),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
