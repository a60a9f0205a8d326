/* Lists of CPU ranges. */
#include "procfs/cpulist.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_cpu_range range;
    int status;
    while ((status = procfs_cpulist_next(&text, &range)) > 0) {
    }
    return status;
}

static void ranges(void **state)
{
    (void)state;
    static const struct procfs_cpu_range expected[] = {{0, 3}, {8, 8}, {10, 11}};
    struct str rest = STR("0-3,8,10-11\n");
    struct procfs_cpu_range range;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(procfs_cpulist_next(&rest, &range), 1);
        assert_int_equal(range.first, expected[i].first);
        assert_int_equal(range.last, expected[i].last);
    }
    assert_int_equal(procfs_cpulist_next(&rest, &range), 0);
    rest = STR("\n");
    assert_int_equal(procfs_cpulist_next(&rest, &range), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"x", "1-", "-1", "3-1", "1,,2", "0-65536", NULL};
    assert_all_corrupt(texts, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
