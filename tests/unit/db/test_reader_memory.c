/* What readers remember is bounded: idle cursors of a querier keep no more than the pool's bytes, and are
 * as good as new when they were freed.
 */
#include <stdio.h>
#include <string.h>

#include "db/store_querier.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)

enum { TARGETS = 120, METRICS = 3, ROWS = 200, AT_ONCE = 40 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
    struct querier *querier;
    struct arena arena;
    struct series_set *set;
};

static void write_scrape(struct fixture *f, int row)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (int t = 0; t < TARGETS; t++) {
        for (int m = 0; m < METRICS; m++) {
            char metric[16], host[16];
            struct series_ref ref;
            snprintf(metric, sizeof(metric), "m%d", m);
            snprintf(host, sizeof(host), "host-%d", t);
            struct label labels[] = {
                {STR("__name__"), str_of(metric)}, {STR("instance"), str_of(host)}};
            /* Each target has times of its own, so that its rows are remembered apart. */
            int64_t t_ms = START_MS + (int64_t)row * 15000 + t * 7;
            assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
            assert_int_equal(appender_append(a, ref, t_ms, (double)(row * (m + 1) + t)), 0);
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS + INT64_C(7200000));
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(f->sim), .clock = &f->clock.clock};
    assert_int_equal(tsdb_open(&options, &f->db, NULL), 0);
    for (int row = 0; row < ROWS; row++) {
        write_scrape(f, row);
    }
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
    const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    arena_init(&f->arena, 0);
    assert_int_equal(
        querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &f->querier, NULL), 0);
    assert_int_equal(querier_select(f->querier, &request, &f->arena, &f->set, NULL), 0);
    assert_int_equal(f->set->count, TARGETS * METRICS);
}

static void teardown(struct fixture *f)
{
    series_set_free(f->set);
    querier_close(f->querier);
    arena_release(&f->arena);
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
}

/* All series, AT_ONCE of them open side by side; the sum of the samples. */
static double read_all(struct fixture *f)
{
    double sum = 0;
    for (size_t first = 0; first < f->set->count; first += AT_ONCE) {
        struct column_iter *open[AT_ONCE];
        struct column_run run;
        for (size_t i = 0; i < AT_ONCE; i++) {
            size_t at = (first + i) % f->set->count;
            assert_int_equal(series_open(f->set->series[at], &f->arena, &open[i], NULL), 0);
            assert_int_equal(column_iter_next(open[i], &run, NULL), 1);
            for (size_t k = 0; k < run.count; k++) {
                sum += run.values[k];
            }
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            column_iter_close(open[i]);
        }
    }
    return sum;
}

static double sum_of_all(void)
{
    double sum = 0;
    for (int row = 0; row < ROWS; row++) {
        for (int i = 0; i < TARGETS * METRICS; i++) {
            sum += row * (i % METRICS + 1) + i / METRICS;
        }
    }
    return sum;
}

static void test_idle_readers_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct cursor_pool *pool = &db_querier_of(f.querier)->pool;
    assert_true(read_all(&f) == sum_of_all());
    assert_int_equal(pool->count, AT_ONCE);
    assert_in_range(pool->bytes, AT_ONCE * 100000, CURSOR_POOL_BYTES_MAX);
    size_t full = pool->bytes;
    pool->bytes_max = full / 4;
    assert_true(read_all(&f) == sum_of_all());
    assert_in_range(pool->count, 1, AT_ONCE / 2);
    assert_in_range(pool->bytes, 1, full / 4);
    pool->bytes_max = 0;
    assert_true(read_all(&f) == sum_of_all());
    assert_int_equal(pool->count, 0);
    assert_int_equal(pool->bytes, 0);
    teardown(&f);
}

/* Opens series side by side until one cannot be read; how many could, and why. */
static size_t open_many(struct fixture *f, struct arena *arena, int *status_out)
{
    struct column_iter *open[TARGETS];
    size_t count = 0;
    int status = 1;
    for (size_t i = 0; i < TARGETS && status == 1; i++) {
        struct column_run run;
        struct err e = ERR_INIT;
        assert_int_equal(series_open(f->set->series[i * METRICS], arena, &open[i], &e), 0);
        status = column_iter_next(open[i], &run, &e);
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        column_iter_close(open[i]);
    }
    *status_out = status;
    return status == 1 ? count : count - 1;
}

/* Open readers count against the budget of who reads, and against that of all. */
static void test_open_readers_are_charged(void **state)
{
    static const struct {
        size_t own, all;
        int status;
    } cases[] = {{0, 0, 1}, {4 << 20, 0, ERR_LIMIT}, {0, 4 << 20, ERR_BUSY}};
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memory_budget all, own;
        struct arena arena;
        int status = 0;
        memory_budget_init(&all, NULL, cases[i].all);
        memory_budget_init(&own, &all, cases[i].own);
        arena_init_charged(&arena, &own);
        size_t count = open_many(&f, &arena, &status);
        assert_int_equal(status, cases[i].status);
        /* A reader takes some 100 KB. */
        assert_in_range(count, status == 1 ? TARGETS : 5, status == 1 ? TARGETS : 60);
        assert_true(memory_budget_peak(&all) >= count * 50000);
        arena_release(&arena);
        assert_int_equal(memory_budget_used(&all), 0);
    }
    assert_true(read_all(&f) == sum_of_all());
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_readers_are_bounded),
        cmocka_unit_test(test_open_readers_are_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
