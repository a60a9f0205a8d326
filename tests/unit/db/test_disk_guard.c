/* A disk that fills up: levels by table, and the whole way down and up again on a simulated disk. */
#include "db/disk_guard.h"

#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/store_model.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define DAY INT64_C(86400000)
#define KIB ((uint64_t)1024)

static const struct {
    enum disk_level before;
    uint64_t free_bytes, low, refuse;
    enum disk_level after;
} levels[] = {
    {DISK_GOOD, 1000, 800, 400, DISK_GOOD},
    {DISK_GOOD, 800, 800, 400, DISK_GOOD},
    {DISK_GOOD, 799, 800, 400, DISK_LOW},
    {DISK_GOOD, 399, 800, 400, DISK_FULL},
    {DISK_LOW, 800, 800, 400, DISK_LOW}, /* an eighth more is asked */
    {DISK_LOW, 900, 800, 400, DISK_GOOD},
    {DISK_FULL, 449, 800, 400, DISK_FULL},
    {DISK_FULL, 450, 800, 400, DISK_LOW},
    {DISK_FULL, 900, 800, 400, DISK_GOOD},
    {DISK_GOOD, 0, 0, 0, DISK_GOOD}, /* not watched */
    {DISK_GOOD, 0, 0, 1, DISK_FULL},
};

static void test_levels(void **state)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        enum disk_level level =
            disk_level_at(levels[i].before, levels[i].free_bytes, levels[i].low, levels[i].refuse);
        if (level != levels[i].after) {
            fail_msg("row %zu: %d, expected %d", i, level, levels[i].after);
        }
    }
    assert_true(disk_has_room(0, 0, 0, 100)); /* not watched */
    assert_true(disk_has_room(300, 200, 100, 100));
    assert_false(disk_has_room(299, 200, 100, 100));
    assert_true(disk_has_room(180, 200, 100, 10)); /* small ones go on at low water */
    assert_false(disk_has_room(180, 200, 100, 11));
    assert_false(disk_has_room(100, 200, 100, 0));
}

/* ---- A store on it ---- */

enum { SERIES = 40 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
    struct store_model model;
};

static void open_store(struct fixture *f)
{
    struct err e = ERR_INIT;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("open: %s", e.message);
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    sim_vfs_set_capacity(f->sim, 1024 * KIB);
    fake_clock_init(&f->clock, START_MS);
    store_model_init(&f->model, SERIES);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .sync_policy = WAL_SYNC_ALWAYS,
        .seal_interval_ms = 30 * 60000,
        .disk_low_bytes = 300 * KIB,
        .disk_refuse_bytes = 150 * KIB,
        .ballast_bytes = 100 * KIB};
    open_store(f);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    store_model_release(&f->model);
    sim_vfs_free(f->sim);
}

static int write_round(struct fixture *f, struct err *e)
{
    struct model_txn t;
    int status = model_begin(&t, &f->model, tsdb_appender_source(f->db), e);
    if (status != 0) {
        return status;
    }
    uint64_t random = (uint64_t)clock_now_ms(&f->clock.clock);
    for (uint32_t s = 0; s < SERIES; s++) {
        /* Values that do not compress: the disk is to fill. */
        model_append(
            &t, s, clock_now_ms(&f->clock.clock), 1.0 / (double)(test_random(&random) | 1));
    }
    return model_commit(&t, COMMIT_SYNCED, e);
}

static void maintain(struct fixture *f)
{
    bool more = true;
    struct err e = ERR_INIT;
    while (more) {
        if (tsdb_maintain(f->db, &more, &e) != 0) {
            fail_msg("maintain: %s", e.message);
        }
    }
}

static struct tsdb_statistics statistics(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

static bool has_ballast(struct fixture *f)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(f->options.vfs, "data/BALLAST", VFS_READ, &file);
    vfs_close(f->options.vfs, file);
    return status == 0;
}

/* Writes until the store refuses; how many rounds were taken. */
static int fill(struct fixture *f, int rounds_max)
{
    for (int round = 0; round < rounds_max; round++) {
        struct err e = ERR_INIT;
        fake_clock_advance_ms(&f->clock, 60000);
        if (write_round(f, &e) != 0) {
            assert_int_equal(e.code, ERR_NO_SPACE);
            assert_non_null(strstr(e.message, "the disk of the store is full"));
            return round;
        }
        maintain(f);
        /* Nothing may wait for the disk itself to say so. */
        assert_true(sim_vfs_used_bytes(f->sim) < 1024 * KIB);
    }
    return rounds_max;
}

static void test_down_and_up(void **state)
{
    struct fixture f;
    setup(&f);
    assert_true(has_ballast(&f));
    assert_int_equal(statistics(&f).disk_level, DISK_GOOD);
    int rounds = fill(&f, 100000);
    assert_true(rounds > 100 && rounds < 100000);
    assert_int_equal(statistics(&f).disk_level, DISK_FULL);
    assert_false(has_ballast(&f));
    /* Queries go on; nothing acknowledged is lost, whatever happens now. */
    store_model_check_now(&f.model, f.db);
    maintain(&f);
    assert_int_equal(write_round(&f, NULL), ERR_NO_SPACE);
    tsdb_abandon(f.db);
    open_store(&f);
    assert_int_equal(write_round(&f, NULL), ERR_NO_SPACE);
    store_model_check_now(&f.model, f.db);
    /* Somebody frees space. */
    sim_vfs_set_capacity(f.sim, 3000 * KIB);
    maintain(&f);
    assert_int_equal(statistics(&f).disk_level, DISK_GOOD);
    assert_int_equal(write_round(&f, NULL), 0);
    assert_true(has_ballast(&f));
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

static int64_t oldest_sample(struct fixture *f)
{
    bool more = true;
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
    assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
    return statistics(f).min_t;
}

/* With a limit of bytes that is not reached yet the oldest days give way instead of new samples. */
static void test_oldest_days_give_way(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.retention_bytes = 100 * 1024 * KIB;
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    for (int round = 0; round < 60 * 48; round++) {
        struct err e = ERR_INIT;
        fake_clock_advance_ms(&f.clock, 30 * 60000);
        if (write_round(&f, &e) != 0) {
            struct tsdb_statistics s = statistics(&f);
            fail_msg("round %d: %s; %llu parts of %llu bytes, log %llu bytes", round, e.message,
                (unsigned long long)s.part_count, (unsigned long long)s.part_bytes,
                (unsigned long long)s.wal_bytes);
        }
        maintain(&f);
    }
    assert_true(statistics(&f).expired_parts > 0);
    int64_t oldest = oldest_sample(&f);
    assert_true(oldest > START_MS + 5 * DAY);
    assert_int_equal(oldest / DAY, (oldest - 30 * 60000) / DAY + (oldest % DAY < 30 * 60000));
    teardown(&f);
}

/* A merge that would cross the low water waits. */
static void test_merges_wait(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    setup(&f);
    f.options.ballast_bytes = 0;
    f.options.wal_segment_bytes = 16 * KIB;
    sim_vfs_set_capacity(f.sim, 30000 * KIB);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    while (statistics(&f).part_bytes < 250 * KIB) {
        fake_clock_advance_ms(&f.clock, 60000);
        assert_int_equal(write_round(&f, NULL), 0);
        maintain(&f);
    }
    sim_vfs_set_capacity(f.sim, sim_vfs_used_bytes(f.sim) + 400 * KIB);
    uint64_t merges = statistics(&f).merges;
    assert_int_equal(tsdb_compact(f.db, &e), ERR_NO_SPACE);
    assert_int_equal(statistics(&f).merges, merges);
    sim_vfs_set_capacity(f.sim, 3000 * KIB);
    assert_int_equal(tsdb_compact(f.db, &e), 0);
    assert_true(statistics(&f).merges > merges);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_down_and_up),
        cmocka_unit_test(test_oldest_days_give_way),
        cmocka_unit_test(test_merges_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
