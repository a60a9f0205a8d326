/* Deletes through the store's face: what is hidden from whom, what comes back, what is gone from disk. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/store_model.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define HOUR_MS INT64_C(3600000)

enum { SERIES = 30, ROUNDS = 30 };

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

static void reopen(struct fixture *f)
{
    tsdb_abandon(f->db);
    open_store(f);
}

static void write_rounds(struct fixture *f, double value)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct model_txn t;
        assert_int_equal(model_begin(&t, &f->model, tsdb_appender_source(f->db), NULL), 0);
        for (uint32_t s = 0; s < SERIES; s++) {
            model_append(&t, s, START_MS + round * 60000, value + round);
        }
        assert_int_equal(model_commit(&t, COMMIT_SYNCED, NULL), 0);
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS + HOUR_MS);
    store_model_init(&f->model, SERIES);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .sync_policy = WAL_SYNC_ALWAYS};
    open_store(f);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    store_model_release(&f->model);
    sim_vfs_free(f->sim);
}

static void delete (
    struct fixture *f, const char *name, const char *value, int64_t min_t, int64_t max_t)
{
    struct matcher *m = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(matcher_new(MATCHER_REGEX, str_of(name), str_of(value), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    if (model_delete(&f->model, f->db, list, 1, min_t, max_t, &e) != 0) {
        fail_msg("delete: %s", e.message);
    }
    matcher_free(m);
}

static struct tsdb_statistics statistics(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

static size_t count_names(struct fixture *f)
{
    struct querier *q = NULL;
    struct arena arena;
    struct string_list list;
    const struct select_request all = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    assert_int_equal(q->ops->label_values(q, STR("__name__"), &all, 0, &arena, &list, NULL), 0);
    querier_close(q);
    arena_release(&arena);
    return list.count;
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

static void test_hidden_from_the_head_and_parts(void **state)
{
    struct fixture f;
    struct querier *before = NULL;
    setup(&f);
    write_rounds(&f, 1);
    uint32_t commit = f.model.commit;
    assert_int_equal(
        querier_open(tsdb_querier_source(f.db), INT64_MIN, INT64_MAX, &before, NULL), 0);
    delete (&f, "__name__", "metric_(1|2|22)", INT64_MIN, INT64_MAX);
    delete (&f, "instance", "host-1", START_MS + 5 * 60000, START_MS + 9 * 60000);
    store_model_check_now(&f.model, f.db);
    assert_int_equal(count_names(&f), SERIES - 3);
    /* Who looked before still sees it (INV-6). */
    store_model_check(&f.model, before, commit, INT64_MIN, INT64_MAX);
    querier_close(before);
    reopen(&f);
    store_model_check_now(&f.model, f.db);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

static void test_what_is_written_later_is_seen(void **state)
{
    struct fixture f;
    setup(&f);
    write_rounds(&f, 1);
    delete (&f, "__name__", "metric_.*", INT64_MIN, INT64_MAX);
    assert_int_equal(count_names(&f), 0);
    write_rounds(&f, 1); /* the same samples again */
    store_model_check_now(&f.model, f.db);
    assert_int_equal(count_names(&f), SERIES);
    delete (&f, "__name__", "metric_3", START_MS, START_MS + 60000);
    write_rounds(&f, 2);
    reopen(&f);
    store_model_check_now(&f.model, f.db);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

/* The deadline: until then nothing is written anew, after it nothing is left. */
static void test_purged_within_the_deadline(void **state)
{
    struct fixture f;
    setup(&f);
    write_rounds(&f, 1);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    uint64_t samples = statistics(&f).part_samples;
    assert_int_equal(samples, SERIES * ROUNDS);
    delete (&f, "instance", "host-2", INT64_MIN, START_MS + 10 * 60000);
    fake_clock_advance_ms(&f.clock, 23 * HOUR_MS);
    maintain(&f);
    assert_int_equal(statistics(&f).part_samples, samples);
    assert_int_equal(statistics(&f).tombstones, 1);
    fake_clock_advance_ms(&f.clock, 2 * HOUR_MS);
    maintain(&f);
    assert_int_equal(statistics(&f).tombstones, 0);
    /* host-2 has 2, 5, 8, ... but for 29, which has no host: nine series, eleven rounds. */
    assert_int_equal(statistics(&f).part_samples, samples - 9 * 11);
    store_model_check_now(&f.model, f.db);
    reopen(&f);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

static void test_clean_tombstones(void **state)
{
    struct fixture f;
    setup(&f);
    write_rounds(&f, 1);
    delete (&f, "__name__", ".+", INT64_MIN, INT64_MAX);
    assert_true(statistics(&f).part_count > 0);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    /* Dead parts are unlinked whole. */
    assert_int_equal(statistics(&f).part_count, 0);
    assert_int_equal(statistics(&f).tombstones, 0);
    write_rounds(&f, 5);
    delete (&f, "__name__", "metric_1.*", START_MS + 60000, START_MS + 120000);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    assert_int_equal(statistics(&f).tombstones, 0);
    assert_int_equal(statistics(&f).part_samples, SERIES * ROUNDS - 11 * 2);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

/* With the manifest lost the whole log is replayed, but not what was deleted. */
static void test_lost_manifest_brings_nothing_back(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        struct fixture f;
        setup(&f);
        write_rounds(&f, 1);
        delete (&f, "__name__", "metric_[12].*", INT64_MIN, INT64_MAX);
        write_rounds(&f, 100);
        delete (&f, "instance", "host-0", START_MS, START_MS + 300000);
        if (clean == 1) {
            assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
        }
        tsdb_abandon(f.db);
        assert_int_equal(vfs_remove(f.options.vfs, "data/MANIFEST"), 0);
        open_store(&f);
        assert_int_equal(statistics(&f).manifest_rebuilds, 1);
        store_model_check_now(&f.model, f.db);
        write_rounds(&f, 200);
        assert_int_equal(tsdb_compact(f.db, NULL), 0);
        store_model_check_now(&f.model, f.db);
        teardown(&f);
    }
}

static void test_lost_list(void **state)
{
    struct fixture f;
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    setup(&f);
    write_rounds(&f, 1);
    delete (&f, "__name__", "metric_1", INT64_MIN, INT64_MAX);
    tsdb_abandon(f.db);
    assert_int_equal(sim_vfs_flip_bit(f.sim, "data/TOMBSTONES", 300), 0);
    assert_int_equal(tsdb_verify(&f.options, &report, &problems, NULL), 0);
    assert_int_equal(problems, 1);
    assert_non_null(strstr(report.data, "TOMBSTONES"));
    open_store(&f);
    assert_int_equal(statistics(&f).tombstones_lost, 1);
    assert_int_equal(count_names(&f), SERIES);
    strbuf_release(&report);
    teardown(&f);
}

/* A snapshot hides what its store hides. */
static void test_snapshot(void **state)
{
    struct fixture f;
    setup(&f);
    write_rounds(&f, 1);
    delete (&f, "__name__", "metric_1.*", INT64_MIN, INT64_MAX);
    assert_int_equal(tsdb_snapshot(f.db, "copy", NULL, NULL), 0);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    tsdb_abandon(f.db);
    f.options.path = "copy";
    open_store(&f);
    assert_int_equal(statistics(&f).tombstones, 1);
    store_model_check_now(&f.model, f.db);
    teardown(&f);
}

static void test_refusals(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    setup(&f);
    assert_int_equal(tsdb_delete_series(f.db, NULL, 0, 5, 4, &e), ERR_INVALID);
    assert_string_equal(e.message, "the range to delete ends before it begins");
    struct tsdb_options read_only = f.options;
    struct tsdb *second = NULL;
    read_only.read_only = true;
    assert_int_equal(tsdb_open(&read_only, &second, &e), 0);
    assert_int_equal(tsdb_delete_series(second, NULL, 0, 0, 1, &e), ERR_CLOSED);
    assert_int_equal(tsdb_clean_tombstones(second, &e), ERR_CLOSED);
    assert_int_equal(tsdb_close(second, NULL), 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_from_the_head_and_parts),
        cmocka_unit_test(test_what_is_written_later_is_seen),
        cmocka_unit_test(test_purged_within_the_deadline),
        cmocka_unit_test(test_clean_tombstones),
        cmocka_unit_test(test_lost_manifest_brings_nothing_back),
        cmocka_unit_test(test_lost_list),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
