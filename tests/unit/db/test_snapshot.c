/* Snapshots: a store of its own that holds what was acknowledged before it, whatever happens to the
 * original, and nothing under its name when making it failed.
 */
#include <string.h>

#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_vfs.h"
#include "support/store_model.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

enum { SERIES = 12, DAY_SECONDS = 86400 };

#define START_MS (INT64_C(19700) * DAY_SECONDS * 1000 + INT64_C(86300000))
#define SNAPSHOT "data/snapshots/first"

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim; /* NULL in the fault loop, which has its own */
    struct vfs *fs;
    struct store_model model;
    struct tsdb *db;
};

static struct tsdb *open_store(struct fixture *f, const char *path)
{
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    struct tsdb_options options = {.path = path,
        .vfs = f->fs,
        .clock = &f->clock.clock,
        .seal_interval_ms = 60000,
        .sync_policy = WAL_SYNC_ALWAYS,
        .wal_segment_bytes = 4096};
    if (tsdb_open(&options, &db, &e) != 0) {
        fail_msg("%s: %s", path, e.message);
    }
    return db;
}

/* A scrape of all series, 15 s on. */
static void write_round(struct fixture *f, int round)
{
    struct model_txn t;
    fake_clock_advance_ms(&f->clock, 15000);
    assert_int_equal(model_begin(&t, &f->model, tsdb_appender_source(f->db), NULL), 0);
    for (uint32_t i = 0; i < SERIES; i++) {
        model_append(&t, i, clock_now_ms(&f->clock.clock), (double)(round * 100 + (int)i));
    }
    assert_int_equal(model_commit(&t, COMMIT_AS_CONFIGURED, NULL), 0);
}

/* Across midnight, with parts, rows in the log, and metadata. */
static void fill(struct fixture *f)
{
    bool more = false;
    for (int round = 0; round < 12; round++) {
        write_round(f, round);
        if (round % 4 == 3) {
            fake_clock_advance_ms(&f->clock, 30000);
            assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
        }
    }
    write_round(f, 12);
    f->model.durable = f->model.commit;
}

static void setup(struct fixture *f, struct vfs *fs)
{
    fake_clock_init(&f->clock, START_MS);
    f->fs = fs;
    store_model_init(&f->model, SERIES);
    f->db = open_store(f, "data");
    fill(f);
}

static void setup_alone(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    setup(f, sim_vfs_get(f->sim));
}

static void teardown_alone(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    store_model_release(&f->model);
    sim_vfs_free(f->sim);
}

static void assert_sound(struct fixture *f, const char *path)
{
    struct strbuf report = STRBUF_INIT;
    struct tsdb_options options = {.path = path, .vfs = f->fs};
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&options, &report, &problems, NULL), 0);
    if (problems != 0) {
        fail_msg("%s: %s", path, report.data);
    }
    strbuf_release(&report);
}

/* All of the model as of `commit`, and nothing later. */
static void check_store(struct fixture *f, const char *path, uint32_t commit)
{
    assert_sound(f, path);
    struct tsdb *db = open_store(f, path);
    struct querier *q = NULL;
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    store_model_check(&f->model, q, commit, INT64_MIN, INT64_MAX);
    querier_close(q);
    assert_int_equal(tsdb_close(db, NULL), 0);
}

static void test_holds_what_was_acknowledged_before(void **state)
{
    struct fixture f;
    setup_alone(&f);
    uint32_t commit = f.model.commit;
    assert_int_equal(tsdb_snapshot(f.db, SNAPSHOT, NULL, NULL), 0);
    for (int round = 13; round < 20; round++) {
        write_round(&f, round);
    }
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    write_round(&f, 20);
    check_store(&f, SNAPSHOT, commit);
    /* Opening, sealing and closing the snapshot has not touched the original. */
    store_model_check_now(&f.model, f.db);
    assert_int_equal(tsdb_snapshot(f.db, "data/snapshots/second", NULL, NULL), 0);
    check_store(&f, "data/snapshots/second", f.model.commit);
    teardown_alone(&f);
}

static void test_survives_a_power_cut(void **state)
{
    struct fixture f;
    setup_alone(&f);
    assert_int_equal(tsdb_snapshot(f.db, SNAPSHOT, NULL, NULL), 0);
    tsdb_abandon(f.db);
    sim_vfs_power_cut(f.sim, 7);
    check_store(&f, SNAPSHOT, f.model.commit);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

static void test_refuses_a_directory_in_use(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    setup_alone(&f);
    assert_int_equal(tsdb_snapshot(f.db, SNAPSHOT, NULL, NULL), 0);
    assert_int_equal(tsdb_snapshot(f.db, SNAPSHOT, NULL, &e), ERR_EXISTS);
    assert_non_null(strstr(e.message, "not empty"));
    check_store(&f, SNAPSHOT, f.model.commit);
    teardown_alone(&f);
}

/* A store that has never sealed anything has no manifest; its snapshot has. */
static void test_of_an_empty_store(void **state)
{
    struct fixture f = {.sim = sim_vfs_new(1)};
    f.fs = sim_vfs_get(f.sim);
    fake_clock_init(&f.clock, START_MS);
    store_model_init(&f.model, SERIES);
    f.db = open_store(&f, "data");
    assert_int_equal(tsdb_snapshot(f.db, SNAPSHOT, NULL, NULL), 0);
    check_store(&f, SNAPSHOT, 0);
    teardown_alone(&f);
}

/* ---- Under fire ---- */

static void begin(void *context, struct vfs *fs)
{
    struct fixture *f = context;
    store_model_release(&f->model);
    setup(f, fs);
}

static int run(void *context, struct vfs *fs)
{
    struct fixture *f = context;
    (void)fs;
    int status = tsdb_snapshot(f->db, SNAPSHOT, NULL, NULL);
    tsdb_abandon(f->db);
    f->db = NULL;
    return status;
}

static int see_name(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(bool *)context |= strcmp(name, "LOCK") != 0;
    return 0;
}

static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct fixture *f = context;
    bool there = false;
    f->fs = fs;
    int listed = vfs_list(fs, SNAPSHOT, see_name, &there);
    if (round->status == 0 && !there) {
        fail_msg("kind %d, round %llu: the snapshot that was reported is not there", round->kind,
            (unsigned long long)round->number);
    }
    if (listed == 0 && there) {
        check_store(f, SNAPSHOT, f->model.commit);
    }
    check_store(f, "data", f->model.commit);
    /* And a second attempt finds nothing in its way. */
    if (!there) {
        f->db = open_store(f, "data");
        assert_int_equal(tsdb_snapshot(f->db, SNAPSHOT, NULL, NULL), 0);
        tsdb_abandon(f->db);
        f->db = NULL;
        check_store(f, SNAPSHOT, f->model.commit);
    }
}

static void test_every_fault(void **state)
{
    struct fixture f = {0};
    struct fault_scenario scenario = {"snapshot", &f, begin, run, verify, 0, 0};
    fault_loop(&scenario, FAULT_ALL);
    store_model_release(&f.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_what_was_acknowledged_before),
        cmocka_unit_test(test_survives_a_power_cut),
        cmocka_unit_test(test_refuses_a_directory_in_use),
        cmocka_unit_test(test_of_an_empty_store),
        cmocka_unit_test(test_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
