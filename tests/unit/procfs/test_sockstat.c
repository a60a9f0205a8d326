/* sockstat and sockstat6. */
#include "procfs/sockstat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_sockstat_iter iter = procfs_sockstat_iter_of(text);
    struct procfs_sockstat_value value;
    int status;
    while ((status = procfs_sockstat_next(&iter, &value)) > 0) {
    }
    return status;
}

static const struct str sockstat = STR("sockets: used 229\n"
                                       "TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1\n"
                                       "FRAG: inuse 0 memory 3\n");

static void pairs(void **state)
{
    (void)state;
    static const struct {
        const char *protocol;
        const char *field;
        double value;
    } rows[] = {
        {"sockets", "used", 229},
        {"TCP", "inuse", 4},
        {"TCP", "orphan", 0},
        {"TCP", "tw", 4},
        {"TCP", "alloc", 17},
        {"TCP", "mem", 1},
        {"FRAG", "inuse", 0},
        {"FRAG", "memory", 3},
    };
    struct procfs_sockstat_iter iter = procfs_sockstat_iter_of(sockstat);
    struct procfs_sockstat_value value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_sockstat_next(&iter, &value), 1);
        assert_str(value.protocol, rows[i].protocol);
        assert_str(value.field, rows[i].field);
        assert_float_equal(value.value, rows[i].value, 0);
    }
    assert_int_equal(procfs_sockstat_next(&iter, &value), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n", ": used 1\n", "TCP inuse 1\n", "TCP: inuse\n", "TCP: inuse x\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(sockstat, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
