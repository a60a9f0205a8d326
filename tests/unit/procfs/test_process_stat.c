/* /proc/<pid>/stat with ordinary and hostile commands. */
#include "procfs/process_stat.h"

#include "cuts.h"

#define TAIL " 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 27 0 1029 4096 17 184467\n"

static int walk(struct str text)
{
    struct procfs_process_stat stat;
    return procfs_process_stat_parse(text, &stat);
}

static void commands(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t pid;
        const char *command;
        char state;
    } rows[] = {
        {"26231 (vim) R" TAIL, 26231, "vim", 'R'},
        {"7 (a) S (b) c) D" TAIL, 7, "a) S (b) c", 'D'},
        {"8 () Z" TAIL, 8, "", 'Z'},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct procfs_process_stat stat;
        assert_int_equal(procfs_process_stat_parse(str_of(rows[i].text), &stat), 0);
        assert_int_equal(stat.pid, rows[i].pid);
        assert_str(stat.command, rows[i].command);
        assert_int_equal(stat.state, rows[i].state);
        assert_int_equal(stat.minor_faults, 5);
        assert_int_equal(stat.major_faults, 7);
        assert_int_equal(stat.user_ticks, 9);
        assert_int_equal(stat.system_ticks, 10);
        assert_int_equal(stat.threads, 27);
        assert_int_equal(stat.start_ticks, 1029);
        assert_int_equal(stat.virtual_bytes, 4096);
        assert_int_equal(stat.resident_pages, 17);
    }
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "1 (x\n", "1 x) R\n", ")(\n", "1 (x) R 1 2 3\n", "x (x) R" TAIL, "1 (x) RR" TAIL, NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(STR("26231 (vim) R" TAIL), walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
