/* /proc/loadavg. */
#include "procfs/loadavg.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_loadavg loadavg;
    return procfs_loadavg_parse(text, &loadavg);
}

static void all_fields(void **state)
{
    (void)state;
    struct procfs_loadavg loadavg;
    assert_int_equal(procfs_loadavg_parse(STR("0.21 10.37 0.39 3/719 19737\n"), &loadavg), 0);
    assert_float_equal(loadavg.load1, 0.21, 0);
    assert_float_equal(loadavg.load5, 10.37, 0);
    assert_float_equal(loadavg.load15, 0.39, 0);
    assert_int_equal(loadavg.runnable, 3);
    assert_int_equal(loadavg.entities, 719);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "0.1 0.2\n",
        "a b c 1/2 3\n",
        "0.1 0.2 0.3\n",
        "0.1 0.2 0.3 1 3\n",
        "0.1 0.2 0.3 1/x 3\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(STR("0.21 10.37 0.39 3/719 19737\n"), walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
