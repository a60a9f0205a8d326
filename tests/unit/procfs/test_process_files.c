/* Files of a process that hold names and numbers. */
#include "procfs/process_files.h"

#include "cuts.h"

#define IO                                                                                         \
    "rchar: 9\nwchar: 8\nsyscr: 7\nsyscw: 6\nread_bytes: 40960\nwrite_bytes: 512\n"                \
    "cancelled_write_bytes: 1\n"
#define STATUS                                                                                     \
    "Name:\tbash\nState:\tS (sleeping)\nVmRSS:\t 5000 kB\nVmSwap:\t      12 kB\nThreads:\t1\n"     \
    "Cpus_allowed:\tff\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"
#define SMAPS                                                                                      \
    "5581a3ac2000-7fff46b3f000 ---p 00000000 00:00 0      [rollup]\nRss:   2000 kB\n"              \
    "Pss:      1000 kB\nPss_Anon:  1 kB\nSwapPss:     3 kB\n"
#define LIMITS                                                                                     \
    "Limit                     Soft Limit           Hard Limit           Units     \n"             \
    "Max cpu time              unlimited            unlimited            seconds   \n"             \
    "Max open files            1024                 524288               files     \n"

static void test_numbers(void **state)
{
    struct procfs_process_io io;
    struct procfs_process_status status;
    struct procfs_process_smaps smaps;
    uint64_t files;
    (void)state;
    assert_int_equal(procfs_process_io_parse(STR(IO), &io), 0);
    assert_int_equal(io.read_bytes, 40960);
    assert_int_equal(io.write_bytes, 512);
    assert_int_equal(procfs_process_status_parse(STR(STATUS), &status), 0);
    assert_int_equal(status.swap_bytes, 12 * 1024);
    assert_int_equal(status.voluntary_switches, 150);
    assert_int_equal(status.involuntary_switches, 545);
    assert_int_equal(procfs_process_smaps_parse(STR(SMAPS), &smaps), 0);
    assert_int_equal(smaps.proportional_bytes, 1000 * 1024);
    assert_int_equal(smaps.proportional_swap_bytes, 3 * 1024);
    assert_int_equal(procfs_process_open_files_parse(STR(LIMITS), &files), 0);
    assert_int_equal(files, 1024);
    assert_int_equal(procfs_process_open_files_parse(
                         STR("Max open files            unlimited  unlimited  files\n"), &files),
        0);
    assert_true(files == UINT64_MAX);
}

/* A kernel thread has no memory and an old kernel no counters: zero. */
static void test_absent_numbers(void **state)
{
    struct procfs_process_status status;
    (void)state;
    assert_int_equal(procfs_process_status_parse(STR("Name:\tkthreadd\n"), &status), 0);
    assert_int_equal(status.swap_bytes, 0);
    assert_int_equal(status.voluntary_switches, 0);
}

static int walk_io(struct str text)
{
    struct procfs_process_io io;
    return procfs_process_io_parse(text, &io);
}

static int walk_status(struct str text)
{
    struct procfs_process_status status;
    return procfs_process_status_parse(text, &status);
}

static int walk_smaps(struct str text)
{
    struct procfs_process_smaps smaps;
    return procfs_process_smaps_parse(text, &smaps);
}

static int walk_limits(struct str text)
{
    uint64_t files;
    return procfs_process_open_files_parse(text, &files);
}

static void test_broken_texts(void **state)
{
    static const char *const io[] = {"read_bytes: x\n", "read_bytes:\n", "write_bytes: -1\n", NULL};
    static const char *const limits[] = {"", "Max open files\n", "Max open files many\n", NULL};
    (void)state;
    assert_all_corrupt(io, walk_io);
    assert_all_corrupt(limits, walk_limits);
    assert_cuts_are_corrupt(STR(IO), walk_io);
    assert_cuts_are_corrupt(STR(STATUS), walk_status);
    assert_cuts_are_corrupt(STR(SMAPS), walk_smaps);
    assert_cuts_are_corrupt(STR(LIMITS), walk_limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_absent_numbers),
        cmocka_unit_test(test_broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
