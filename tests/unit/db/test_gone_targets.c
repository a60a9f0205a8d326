/* Targets that are gone leave the memory, and nothing else does: not their samples, not the series of
 * those who stay, not what an open querier looks at.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000 + INT64_C(3600000))

enum { INTERVAL_MS = 60000, ROUNDS = 8 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS);
    const struct tsdb_options options = {.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .seal_interval_ms = INTERVAL_MS};
    assert_int_equal(tsdb_open(&options, &f->db, NULL), 0);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
}

static struct hash128 key_of(const char *instance)
{
    return hash128(instance, strlen(instance), 1);
}

/* The series up{instance, job="j"}, through its key when that is known. */
static struct series_ref find(struct appender *a, const char *instance, bool *known_out)
{
    struct series_ref ref = {0, 0};
    struct hash128 key = key_of(instance);
    struct label labels[] = {
        {STR("__name__"), STR("up")}, {STR("instance"), str_of(instance)}, {STR("job"), STR("j")}};
    *known_out = appender_lookup(a, key, &ref) == 1;
    if (!*known_out) {
        assert_int_equal(appender_series(a, labels, 3, &key, &ref, NULL), 0);
    }
    return ref;
}

static struct appender *begin(struct fixture *f)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    return a;
}

/* A sample now; was the key known? */
static bool write_now(struct fixture *f, const char *instance, double value)
{
    bool known = false;
    struct appender *a = begin(f);
    struct series_ref ref = find(a, instance, &known);
    assert_int_equal(appender_append(a, ref, clock_now_ms(&f->clock.clock), value), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    return known;
}

/* An interval passes, in which only `instance` writes. */
static void pass(struct fixture *f, const char *instance)
{
    bool more = true;
    fake_clock_advance_ms(&f->clock, INTERVAL_MS + 1000);
    (void)write_now(f, instance, 1);
    while (more) {
        assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
    }
}

static uint64_t series_in_memory(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s.series;
}

/* Samples of one instance, as this querier sees them. */
static size_t count_samples(struct querier *q, const char *instance)
{
    struct arena arena;
    struct series_set *set = NULL;
    struct matcher *m = NULL;
    size_t count = 0;
    arena_init(&arena, 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("instance"), str_of(instance), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .matchers = matchers, .matcher_count = 1};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    assert_int_equal(set->count, 1);
    struct column_iter *it = NULL;
    struct column_run run;
    assert_int_equal(series_open(set->series[0], &arena, &it, NULL), 0);
    while (column_iter_next(it, &run, NULL) == 1) {
        count += run.count;
    }
    column_iter_close(it);
    series_set_free(set);
    matcher_free(m);
    arena_release(&arena);
    return count;
}

static size_t count_now(struct fixture *f, const char *instance)
{
    struct querier *q = NULL;
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    size_t count = count_samples(q, instance);
    querier_close(q);
    return count;
}

static void test_gone_and_back(void **state)
{
    struct fixture f;
    setup(&f);
    (void)write_now(&f, "gone", 1);
    (void)write_now(&f, "stays", 1);
    assert_int_equal(series_in_memory(&f), 2);
    for (int i = 0; i < ROUNDS; i++) {
        pass(&f, "stays");
    }
    assert_int_equal(series_in_memory(&f), 1);
    assert_int_equal(count_now(&f, "gone"), 1);
    assert_int_equal(count_now(&f, "stays"), ROUNDS + 1);
    /* Back again: the key leads nowhere, the labels to a new table; then the key is good again. */
    assert_false(write_now(&f, "gone", 2));
    fake_clock_advance_ms(&f.clock, 1000);
    assert_true(write_now(&f, "gone", 3));
    assert_int_equal(series_in_memory(&f), 2);
    assert_int_equal(count_now(&f, "gone"), 3);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(count_now(&f, "gone"), 3);
    teardown(&f);
}

/* A querier that is open meanwhile sees what it saw. */
static void test_open_querier(void **state)
{
    struct fixture f;
    struct querier *q = NULL;
    setup(&f);
    (void)write_now(&f, "gone", 1);
    assert_int_equal(querier_open(tsdb_querier_source(f.db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pass(&f, "stays");
    }
    assert_int_equal(series_in_memory(&f), 2); // its cells are the querier's
    assert_int_equal(count_samples(q, "gone"), 1);
    querier_close(q);
    assert_int_equal(querier_open(tsdb_querier_source(f.db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pass(&f, "stays");
    }
    assert_int_equal(series_in_memory(&f), 1);
    assert_int_equal(count_samples(q, "gone"), 1);
    querier_close(q);
    pass(&f, "stays");
    assert_int_equal(count_now(&f, "gone"), 1);
    teardown(&f);
}

/* Who writes all the time is never let go, also where every slice is sealed just before the look round. */
static void test_steady_writer_stays(void **state)
{
    struct fixture f;
    setup(&f);
    (void)write_now(&f, "stays", 0);
    for (int i = 0; i < 4 * ROUNDS; i++) {
        bool more = i % 4 == 3;
        fake_clock_advance_ms(&f.clock, INTERVAL_MS / 4);
        if (!write_now(&f, "stays", i)) {
            fail_msg("let go after %d intervals", i / 4);
        }
        while (more) {
            assert_int_equal(tsdb_maintain(f.db, &more, NULL), 0);
        }
    }
    teardown(&f);
}

/* Transactions that found the series before it was let go. */
static void test_open_transaction(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    bool known = false;
    setup(&f);
    (void)write_now(&f, "gone", 1);
    struct appender *floats = begin(&f), *exemplars = begin(&f), *histograms = begin(&f);
    struct series_ref ref = find(floats, "gone", &known);
    assert_true(known);
    int64_t now = clock_now_ms(&f.clock.clock);
    assert_int_equal(appender_append(floats, ref, now + 1, 2), 0);
    assert_int_equal(appender_append_exemplar(exemplars, ref, NULL, 0, 1, now), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pass(&f, "stays");
    }
    assert_int_equal(series_in_memory(&f), 1);
    assert_int_equal(appender_commit(floats, COMMIT_AS_CONFIGURED, NULL, &e), ERR_BUSY);
    assert_non_null(strstr(e.message, "send it again"));
    assert_int_equal(appender_commit(exemplars, COMMIT_AS_CONFIGURED, NULL, &e), ERR_BUSY);
    const struct histogram histogram = {.schema = 0};
    assert_int_equal(appender_append_histogram(histograms, ref, now + 1, &histogram), ERR_BUSY);
    appender_rollback(histograms);
    assert_int_equal(count_now(&f, "gone"), 1);
    assert_false(write_now(&f, "gone", 2));
    assert_int_equal(count_now(&f, "gone"), 2);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_and_back),
        cmocka_unit_test(test_open_querier),
        cmocka_unit_test(test_steady_writer_stays),
        cmocka_unit_test(test_open_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
