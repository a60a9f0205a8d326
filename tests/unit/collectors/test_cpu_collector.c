/* CPUs of a fake host: held counters, hotplug, throttling, sysfs. */
#include "fake_root.h"

#define TAIL "intr 1\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n"

static void seconds_by_mode(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cpu");
    fake_root_write(&f, "proc/stat",
        "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 100 200 300 400 500 600 700 805 900 1001\n" TAIL);
    fake_root_expect(&f, 0,
        "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"} 10.01\n"
        "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"} 9\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 4\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"} 5\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"irq\"} 6\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"nice\"} 2\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"softirq\"} 7\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 8.05\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"system\"} 3\n"
        "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1\n");
    fake_root_release(&f);
}

static void expect_line(struct fake_root *f, const char *line)
{
    if (strstr(f->text.data, line) == NULL) {
        print_error("missing: %s\nin:\n%s\n", line, f->text.data);
    }
    assert_non_null(strstr(f->text.data, line));
}

static void counters_never_fall_but_for_hotplug(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cpu");
    fake_root_write(&f, "proc/stat", "cpu0 100 0 0 5000 900 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    // iowait and idle step back a little: both stay.
    fake_root_write(&f, "proc/stat", "cpu0 110 0 0 4701 800 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 50\n");
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"} 9\n");
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1.1\n");
    // idle falls by three seconds: the CPU was plugged again and all counters are new.
    fake_root_write(&f, "proc/stat", "cpu0 3 0 0 4700 5 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 47\n");
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"} 0.05\n");
    expect_line(&f, "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 0.03\n");
    fake_root_release(&f);
}

static void a_cpu_that_left_is_forgotten(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cpu");
    fake_root_write(&f, "proc/stat", "cpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 700 0 0 1 0 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, "cpu=\"1\",mode=\"user\"} 7\n");
    fake_root_write(&f, "proc/stat", "cpu0 1 0 0 1 0 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    assert_null(strstr(f.text.data, "cpu=\"1\""));
    fake_root_write(&f, "proc/stat", "cpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 300 0 0 1 0 0 0 0 0 0\n" TAIL);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, "cpu=\"1\",mode=\"user\"} 3\n");
    fake_root_release(&f);
}

static void throttles_once_a_core_and_package(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cpu");
    fake_root_write(&f, "proc/stat", TAIL);
    static const struct {
        const char *cpu, *core, *package, *core_count, *package_count;
    } rows[] = {
        {"cpu0", "0\n", "0\n", "5\n", "30\n"}, {"cpu1", "1\n", "0\n", "0\n", "30\n"},
        {"cpu2", "0\n", "1\n", "7\n", "6\n"},
        {"cpu3", "0\n", "0\n", "5\n", "30\n"}, // the second thread of cpu0
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[128];
        static const char *const files[] = {"topology/core_id", "topology/physical_package_id",
            "thermal_throttle/core_throttle_count", "thermal_throttle/package_throttle_count"};
        const char *texts[] = {
            rows[i].core, rows[i].package, rows[i].core_count, rows[i].package_count};
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(
                path, sizeof(path), "sys/devices/system/cpu/%s/%s", rows[i].cpu, files[k]);
            fake_root_write(&f, path, texts[k]);
        }
    }
    fake_root_write(&f, "sys/devices/system/cpu/cpu1/online", "0\n");
    fake_root_write(&f, "sys/devices/system/cpu/isolated", "2-3\n");
    fake_root_write(&f, "sys/devices/system/cpu/cpufreq/boost", "1\n");
    fake_root_expect(&f, 0,
        "node_cpu_core_throttles_total{core=\"0\",package=\"0\"} 5\n"
        "node_cpu_core_throttles_total{core=\"1\",package=\"0\"} 0\n"
        "node_cpu_core_throttles_total{core=\"0\",package=\"1\"} 7\n"
        "node_cpu_package_throttles_total{package=\"0\"} 30\n"
        "node_cpu_package_throttles_total{package=\"1\"} 6\n"
        "node_cpu_online{cpu=\"0\"} 1\n"
        "node_cpu_online{cpu=\"1\"} 0\n"
        "node_cpu_online{cpu=\"2\"} 1\n"
        "node_cpu_online{cpu=\"3\"} 1\n"
        "node_cpu_isolated{cpu=\"2\"} 1\n"
        "node_cpu_isolated{cpu=\"3\"} 1\n");
    fake_root_release(&f);
}

static void a_broken_file_is_told(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cpu");
    assert_int_equal(fake_root_run(&f), ERR_NOT_FOUND);
    fake_root_release(&f);
    fake_root_init(&f, "cpu");
    fake_root_write(&f, "proc/stat", "cpu0 1 2 3\n" TAIL);
    assert_int_equal(fake_root_run(&f), ERR_CORRUPT);
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_by_mode),
        cmocka_unit_test(counters_never_fall_but_for_hotplug),
        cmocka_unit_test(a_cpu_that_left_is_forgotten),
        cmocka_unit_test(throttles_once_a_core_and_package),
        cmocka_unit_test(a_broken_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
