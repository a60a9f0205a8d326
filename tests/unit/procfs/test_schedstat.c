/* /proc/schedstat of versions 15 and 17. */
#include "procfs/schedstat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_schedstat_cpu cpu;
    int status;
    while ((status = procfs_schedstat_next(&text, &cpu)) > 0) {
    }
    return status;
}

static const struct str version_15 = STR(
    "version 15\n"
    "timestamp 15819019232\n"
    "cpu0 498494191 0 3533438552 2553969831 3853684107 2465731542 2045936778163039 343796328169361 "
    "4767485306\n"
    "domain0 00000000,00000003 212499247 210112015 1861015\n"
    "cpu1 518377256 0 4155211005 2778589869 10466382 2867629021 1904686152592476 364107263788241 "
    "5145567945\n"
    "domain0 00000000,00000003 217653037 215526982 1577949\n");

static void columns_seven_to_nine(void **state)
{
    (void)state;
    struct str rest = version_15;
    struct procfs_schedstat_cpu cpu;
    assert_int_equal(procfs_schedstat_next(&rest, &cpu), 1);
    assert_int_equal(cpu.cpu, 0);
    assert_int_equal(cpu.running_ns, 2045936778163039);
    assert_int_equal(cpu.waiting_ns, 343796328169361);
    assert_int_equal(cpu.timeslices, 4767485306);
    assert_int_equal(procfs_schedstat_next(&rest, &cpu), 1);
    assert_int_equal(cpu.cpu, 1);
    assert_int_equal(procfs_schedstat_next(&rest, &cpu), 0);
}

static void version_17_names_its_domains(void **state)
{
    (void)state;
    struct str rest = STR("version 17\ntimestamp 4295000000\ncpu0 0 0 0 0 0 0 11 12 13\n"
                          "domain0 SMT 0-1 0 0 0 0\n");
    struct procfs_schedstat_cpu cpu;
    assert_int_equal(procfs_schedstat_next(&rest, &cpu), 1);
    assert_int_equal(cpu.timeslices, 13);
    assert_int_equal(procfs_schedstat_next(&rest, &cpu), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "cpu0 1 2 3 4 5 6 7 8\n",
        "cpu 1 2 3 4 5 6 7 8\n",
        "cpu0 1 2 3 4 5 6 7 x 9\n",
        "version 15",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(version_15, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_seven_to_nine),
        cmocka_unit_test(version_17_names_its_domains),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
