/* /proc/stat of several kernel ages. */
#include "procfs/stat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_stat stat;
    int status = procfs_stat_parse(text, &stat);
    struct procfs_cpu cpu;
    while (status == 0 && (status = procfs_stat_next_cpu(&stat.cpu_lines, &cpu)) > 0) {
        status = 0;
    }
    return status;
}

static const struct str stat_6x = STR("cpu  5226 200 5213 255964 2622 0 274 2940 7 3\n"
                                      "cpu0 2115 88 2239 130090 255 1 22 1480 4 2\n"
                                      "cpu3 3110 112 2973 125873 2366 2 251 1460 3 1\n"
                                      "intr 235471 0 0 271 67\n"
                                      "ctxt 450662\n"
                                      "btime 1795310951\n"
                                      "processes 8780\n"
                                      "procs_running 2\n"
                                      "procs_blocked 1\n"
                                      "softirq 176614 1 23014 4 4037 63159 6 15 49241 9 37144\n");

static void a_current_kernel(void **state)
{
    (void)state;
    struct procfs_stat stat;
    assert_int_equal(procfs_stat_parse(stat_6x, &stat), 0);
    assert_int_equal(stat.interrupts, 235471);
    assert_int_equal(stat.context_switches, 450662);
    assert_int_equal(stat.boot_time_s, 1795310951);
    assert_int_equal(stat.forks, 8780);
    assert_int_equal(stat.processes_running, 2);
    assert_int_equal(stat.processes_blocked, 1);
    assert_true(stat.has_softirqs);
    assert_int_equal(stat.softirqs_total, 176614);
    assert_int_equal(stat.softirqs[0], 1);
    assert_int_equal(stat.softirqs[9], 37144);
    struct procfs_cpu cpu;
    assert_int_equal(procfs_stat_next_cpu(&stat.cpu_lines, &cpu), 1);
    assert_int_equal(cpu.cpu, 0);
    assert_int_equal(cpu.ticks[PROCFS_CPU_USER], 2115);
    assert_int_equal(cpu.ticks[PROCFS_CPU_GUEST_NICE], 2);
    assert_int_equal(procfs_stat_next_cpu(&stat.cpu_lines, &cpu), 1);
    assert_int_equal(cpu.cpu, 3);
    assert_int_equal(cpu.ticks[PROCFS_CPU_IDLE], 125873);
    assert_int_equal(cpu.ticks[PROCFS_CPU_STEAL], 1460);
    assert_int_equal(procfs_stat_next_cpu(&stat.cpu_lines, &cpu), 0);
}

static void a_kernel_before_steal_and_softirq(void **state)
{
    (void)state;
    struct procfs_stat stat;
    assert_int_equal(procfs_stat_parse(STR("cpu  10 20 30 40 50 60 70\n"
                                           "cpu0 10 20 30 40 50 60 70\n"
                                           "intr 5\n"
                                           "ctxt 6\n"
                                           "btime 7\n"
                                           "processes 8\n"
                                           "procs_running 9\n"
                                           "procs_blocked 0\n"),
                         &stat),
        0);
    assert_false(stat.has_softirqs);
    struct procfs_cpu cpu;
    assert_int_equal(procfs_stat_next_cpu(&stat.cpu_lines, &cpu), 1);
    assert_int_equal(cpu.ticks[PROCFS_CPU_SOFTIRQ], 70);
    assert_int_equal(cpu.ticks[PROCFS_CPU_STEAL], 0);
}

static void unknown_lines_are_skipped(void **state)
{
    (void)state;
    assert_int_equal(walk(STR("cpu  1 1 1 1\ncpu0 1 1 1 1\npage 5741 1808\nswap 1 0\n"
                              "disk_io: (3,0):(4,5)\nintr 1\nctxt 1\nbtime 1\nprocesses 1\n"
                              "procs_running 1\nprocs_blocked 1\n")),
        0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "cpu0 1 2 3\nintr 1\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\n",
        "cpux 1 2 3 4\nintr 1\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\n",
        "cpu0 1 2 3 4\nintr 1\nctxt -1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\n",
        "cpu0 1 2 3 4\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\n",
        "intr 1\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\nsoftirq 1 2 3\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(stat_6x, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_current_kernel),
        cmocka_unit_test(a_kernel_before_steal_and_softirq),
        cmocka_unit_test(unknown_lines_are_skipped),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
