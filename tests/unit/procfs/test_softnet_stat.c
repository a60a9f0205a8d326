/* softnet_stat with the columns of several kernels. */
#include "procfs/softnet_stat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_softnet softnet;
    int status;
    uint64_t row = 0;
    while ((status = procfs_softnet_next(&text, row++, &softnet)) > 0) {
    }
    return status;
}

static void columns_by_kernel_age(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        struct procfs_softnet expected;
    } rows[] = {
        {"00008e78 00000001 00000011 0 0 0 0 0 00000022\n", {.cpu = 5,
                                                                .processed = 0x8e78,
                                                                .dropped = 1,
                                                                .times_squeezed = 0x11,
                                                                .cpu_collisions = 0x22}},
        {"1 2 3 0 0 0 0 0 4 5 6\n", {.cpu = 5,
                                        .processed = 1,
                                        .dropped = 2,
                                        .times_squeezed = 3,
                                        .cpu_collisions = 4,
                                        .received_rps = 5,
                                        .flow_limit_count = 6}},
        {"1 2 3 0 0 0 0 0 4 5 6 7 0000000a 0 0\n", {.cpu = 10,
                                                       .processed = 1,
                                                       .dropped = 2,
                                                       .times_squeezed = 3,
                                                       .cpu_collisions = 4,
                                                       .received_rps = 5,
                                                       .flow_limit_count = 6,
                                                       .backlog_length = 7}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str rest = str_of(rows[i].line);
        struct procfs_softnet softnet;
        assert_int_equal(procfs_softnet_next(&rest, 5, &softnet), 1);
        assert_memory_equal(&softnet, &rows[i].expected, sizeof(softnet));
    }
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n", "1 2 3 0 0 0 0 0\n", "1 2 3 0 0 0 0 0 g\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(STR("1 2 3 0 0 0 0 0 4 5 6 7 8\n1 2 3 0 0 0 0 0 4 5 6 7 9\n"), walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_by_kernel_age),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
