/* Levels of memory use: where they begin, where they end, and what the budget is by default. */
#include "intake/memory_watch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

static void write_file(struct vfs *fs, const char *path, const char *text)
{
    assert_int_equal(vfs_write_file_atomic(fs, path, text, strlen(text)), 0);
}

/* A disk that looks like /proc. */
static struct sim_vfs *make_host(const char *meminfo, const char *group)
{
    struct sim_vfs *disk = sim_vfs_new(test_seed());
    struct vfs *fs = sim_vfs_get(disk);
    assert_int_equal(vfs_mkdir_all(fs, "/proc/self"), 0);
    assert_int_equal(vfs_mkdir_all(fs, "/sys/fs/cgroup"), 0);
    write_file(fs, "/proc/meminfo", meminfo);
    if (group != NULL) {
        write_file(fs, "/sys/fs/cgroup/memory.max", group);
    }
    return disk;
}

static void test_the_budget_by_default(void **state)
{
    static const struct {
        const char *meminfo, *group;
        uint64_t expected;
    } rows[] = {
        {"MemTotal:  1024000 kB\nMemFree: 1 kB\n", NULL, 1024000ull * 1024 / 10},
        {"MemTotal:  1024000 kB\n", "max\n", 1024000ull * 1024 / 10},
        {"MemTotal:  1024000 kB\n", "104857600\n", 10485760},
        {"MemTotal:  1024000 kB\n", "9999999999999\n", 1024000ull * 1024 / 10},
        {"MemTotal:  99999999 kB\n", NULL, MEMORY_WATCH_BYTES_MAX_DEFAULT},
        {"nothing known\n", NULL, MEMORY_WATCH_BYTES_MAX_DEFAULT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_vfs *disk = make_host(rows[i].meminfo, rows[i].group);
        struct fake_clock clock;
        struct memory_watch w;
        fake_clock_init(&clock, 1);
        memory_watch_init(&w, sim_vfs_get(disk), &clock.clock, 0);
        if (w.bytes_max != rows[i].expected) {
            fail_msg("row %zu: %llu, expected %llu", i, (unsigned long long)w.bytes_max,
                (unsigned long long)rows[i].expected);
        }
        sim_vfs_free(disk);
    }
}

static void test_levels_begin_and_end(void **state)
{
    static const struct {
        unsigned percent;
        enum intake_pressure level;
    } rows[] = {{69, INTAKE_EASY}, {70, INTAKE_TIGHT}, {66, INTAKE_TIGHT}, {64, INTAKE_EASY},
        {96, INTAKE_FULL}, {91, INTAKE_FULL}, {89, INTAKE_HIGH}, {81, INTAKE_HIGH},
        {79, INTAKE_TIGHT}, {10, INTAKE_EASY}};
    struct sim_vfs *disk = make_host("MemTotal: 1 kB\n", NULL);
    struct fake_clock clock;
    struct memory_watch w;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    fake_clock_init(&clock, 1);
    memory_watch_init(&w, sim_vfs_get(disk), &clock.clock, 100 * page);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char statm[64];
        snprintf(statm, sizeof(statm), "4000 %u 12 1 0 7 0\n", rows[i].percent);
        write_file(sim_vfs_get(disk), "/proc/self/statm", statm);
        memory_watch_step(&w);
        if (w.level != rows[i].level) {
            fail_msg("row %zu: %u %% is level %d, expected %d", i, rows[i].percent, (int)w.level,
                (int)rows[i].level);
        }
        assert_int_equal(w.bytes, rows[i].percent * page);
        memory_watch_step(&w); /* not read again before its time */
        fake_clock_advance_ms(&clock, MEMORY_WATCH_INTERVAL_MS);
    }
    assert_int_equal(w.entered[INTAKE_TIGHT], 2);
    assert_int_equal(w.entered[INTAKE_HIGH], 1);
    assert_int_equal(w.entered[INTAKE_FULL], 1);
    sim_vfs_free(disk);
}

/* Who asks often has it read again before its time. */
static void test_asked_often_it_reads_again(void **state)
{
    struct sim_vfs *disk = make_host("MemTotal: 1 kB\n", NULL);
    struct fake_clock clock;
    struct memory_watch w;
    (void)state;
    fake_clock_init(&clock, 1);
    memory_watch_init(&w, sim_vfs_get(disk), &clock.clock, 100 * (uint64_t)sysconf(_SC_PAGESIZE));
    write_file(sim_vfs_get(disk), "/proc/self/statm", "4000 50 12 1 0 7 0\n");
    memory_watch_step(&w);
    write_file(sim_vfs_get(disk), "/proc/self/statm", "4000 99 12 1 0 7 0\n");
    for (int i = 1; i < MEMORY_WATCH_ASKED_MAX; i++) {
        assert_int_equal(memory_watch_ask(&w), INTAKE_EASY);
    }
    assert_int_equal(memory_watch_ask(&w), INTAKE_FULL);
    assert_int_equal(w.entered[INTAKE_FULL], 1);
    sim_vfs_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_budget_by_default),
        cmocka_unit_test(test_levels_begin_and_end),
        cmocka_unit_test(test_asked_often_it_reads_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
