/* The store while the disk or memory fails once, anywhere: what was acknowledged is there after the
 * next open, what was refused is not seen before it, and queries go on (promises 1, 2, 7, 9, 12).
 *
 * Every commit asks for a sync, so the model takes each acknowledged one as durable.
 */
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/store_model.h"
#include "support/support.h"

enum { SERIES = 12 };

/* Thousands of rounds of a whole store's life: every allocation fails in the plain build, a sample of
 * them under a sanitizer, so that the run stays in minutes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ALLOCATION_STRIDE = 16 };
#else
enum { ALLOCATION_STRIDE = 1 };
#endif

#define START_MS (INT64_C(19700) * 86400000 + INT64_C(86300000))

struct scenario_state {
    struct fake_clock clock;
    struct store_model model;
    bool model_there;
};

static int first_error(int a, int b)
{
    return a != 0 ? a : b;
}

static int open_store(struct scenario_state *s, struct vfs *fs, struct tsdb **db)
{
    struct tsdb_options options = {.path = "data",
        .vfs = fs,
        .clock = &s->clock.clock,
        .seal_interval_ms = 60000,
        .sync_policy = WAL_SYNC_ALWAYS,
        .wal_segment_bytes = 2048};
    return tsdb_open(&options, db, NULL);
}

/* One transaction: a scrape, with stray samples of older days in every third. */
static int write_some(struct scenario_state *s, struct tsdb *db, int round)
{
    struct model_txn t;
    int status = model_begin(&t, &s->model, tsdb_appender_source(db), NULL);
    if (status != 0) {
        return status;
    }
    fake_clock_advance_ms(&s->clock, 15000);
    int64_t now = clock_now_ms(&s->clock.clock);
    for (uint32_t i = 0; i < SERIES; i++) {
        model_append(&t, i, now, (double)(round * 100 + (int)i));
    }
    if (round % 3 == 2) {
        model_append(&t, 1, now - 86400000, round);
        model_append(&t, 7, now - 60000, round);
        model_append(&t, 2, now - 15000, -round);
    }
    return model_commit(&t, COMMIT_AS_CONFIGURED, NULL);
}

/* Whatever a query answers without an error must be true. */
static int query_something(struct scenario_state *s, struct tsdb *db)
{
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    int status = querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL);
    if (status == 0) {
        const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
        status = querier_select(q, &request, &arena, &set, NULL);
    }
    for (size_t i = 0; status == 0 && i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        status = series_open(set->series[i], &arena, &it, NULL);
        while (status == 0 && (status = column_iter_next(it, &run, NULL)) == 1) {
            assert_true(run.count > 0);
            status = 0;
        }
        column_iter_close(it);
    }
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
    (void)s;
    return status;
}

/* One series, at some times. */
static int delete_some(struct scenario_state *s, struct tsdb *db, const char *metric)
{
    struct matcher *m = NULL;
    bool exempt = mem_fail_exempt(true);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), str_of(metric), &m, NULL), 0);
    (void)mem_fail_exempt(exempt);
    const struct matcher *const matchers[] = {m};
    int64_t now = clock_now_ms(&s->clock.clock);
    int status = model_delete(&s->model, db, matchers, 1, now - 60000, now, NULL);
    matcher_free(m);
    return status;
}

static int use_store(struct scenario_state *s, struct tsdb *db)
{
    int status = 0;
    bool more = false;
    for (int round = 0; round < 6; round++) {
        status = first_error(status, write_some(s, db, round));
        if (round % 2 == 1) {
            fake_clock_advance_ms(&s->clock, 30000);
            status = first_error(status, tsdb_maintain(db, &more, NULL));
        }
    }
    status = first_error(status, delete_some(s, db, "metric_4"));
    status = first_error(status, query_something(s, db));
    status = first_error(status, tsdb_compact(db, NULL));
    status = first_error(status, write_some(s, db, 7));
    status = first_error(status, delete_some(s, db, "metric_1"));
    return first_error(status, tsdb_clean_tombstones(db, NULL));
}

/* ---- The scenario ---- */

static void forget_model(struct scenario_state *s)
{
    if (s->model_there) {
        store_model_release(&s->model);
    }
    s->model_there = false;
}

static void begin(void *context, struct vfs *fs)
{
    struct scenario_state *s = context;
    (void)fs;
    forget_model(s);
    fake_clock_init(&s->clock, START_MS);
    store_model_init(&s->model, SERIES);
    s->model_there = true;
}

static int run(void *context, struct vfs *fs)
{
    struct scenario_state *s = context;
    struct tsdb *db = NULL;
    int status = open_store(s, fs, &db);
    if (status != 0) {
        return status;
    }
    status = use_store(s, db);
    int closed = tsdb_close(db, NULL);
    db = NULL;
    if (open_store(s, fs, &db) == 0) {
        closed = first_error(closed, write_some(s, db, 8));
        tsdb_abandon(db);
    }
    return first_error(status, closed);
}

static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct scenario_state *s = context;
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    struct tsdb_options options = {.path = "data", .vfs = fs};
    s->model.durable = s->model.commit;
    if (open_store(s, fs, &db) != 0) {
        fail_msg("the store does not open after %d %llu", round->kind,
            (unsigned long long)round->number);
    }
    store_model_recover(&s->model, db, round->power_cut);
    assert_int_equal(write_some(s, db, 9), 0);
    store_model_check_now(&s->model, db);
    assert_int_equal(tsdb_compact(db, &e), 0);
    store_model_check_now(&s->model, db);
    assert_int_equal(tsdb_close(db, &e), 0);
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&options, &report, &problems, &e), 0);
    if (problems != 0) {
        fail_msg("verify: %s", report.data);
    }
    strbuf_release(&report);
}

static void test_every_fault(void **state)
{
    struct scenario_state s = {0};
    struct fault_scenario scenario = {"store", &s, begin, run, verify, 0, ALLOCATION_STRIDE};
    fault_loop(&scenario, FAULT_ALL);
    forget_model(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
