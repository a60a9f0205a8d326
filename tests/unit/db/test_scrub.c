/* The background look at the files: a damaged run is found before anybody asks for it, set aside, and
 * answers say which metric lacks samples and when. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define PART "data/raw/19700/p-00000001"

enum { METRICS = 60, ROWS = 400, RATE = 10000 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
};

static void write_rows(struct fixture *f)
{
    struct appender *a = NULL;
    uint64_t random = 7;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (int m = 0; m < METRICS; m++) {
        char name[16];
        int n = snprintf(name, sizeof(name), "m%d", m);
        struct label labels[] = {
            {STR("__name__"), str_make(name, (size_t)n)}, {STR("job"), STR("j")}};
        struct series_ref ref;
        assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
        for (int row = 0; row < ROWS; row++) {
            double value = 1.0 / (double)(test_random(&random) | 1);
            assert_int_equal(appender_append(a, ref, START_MS + row * 15000, value), 0);
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS + ROWS * 15000);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .scrub_bytes_per_second = RATE};
    assert_int_equal(tsdb_open(&f->options, &f->db, NULL), 0);
    write_rows(f);
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
}

static struct tsdb_statistics statistics(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

struct answer {
    size_t series_errors, samples, warnings;
    char first_warning[512];
};

/* All of a metric, or of all metrics. */
static struct answer ask(struct fixture *f, const char *metric)
{
    struct answer answer = {0};
    struct querier *q = NULL;
    struct arena arena;
    struct matcher *m = NULL;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("__name__"), str_of(metric), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .matchers = matchers, .matcher_count = 1};
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    answer.warnings = set->warning_count;
    if (set->warning_count > 0) {
        (void)snprintf(answer.first_warning, sizeof(answer.first_warning), "%s", set->warnings[0]);
    }
    for (size_t i = 0; i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        int status = series_open(set->series[i], &arena, &it, NULL);
        while (status == 0 && (status = column_iter_next(it, &run, NULL)) == 1) {
            answer.samples += run.count;
            status = 0;
        }
        answer.series_errors += status < 0;
        column_iter_close(it);
    }
    series_set_free(set);
    querier_close(q);
    matcher_free(m);
    arena_release(&arena);
    return answer;
}

static void pass_seconds(struct fixture *f, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        bool more = false;
        fake_clock_advance_ms(&f->clock, 1000);
        assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
    }
}

static void test_rate(void **state)
{
    struct fixture f;
    setup(&f);
    pass_seconds(&f, 1); /* from here on time counts */
    uint64_t before = statistics(&f).scrubbed_bytes;
    pass_seconds(&f, 10);
    uint64_t read = statistics(&f).scrubbed_bytes - before;
    /* Pages are read whole: a page more at most, of some 4 KiB. */
    assert_true(read >= 10 * RATE - 8192 && read <= 10 * RATE + 16384);
    /* Round after round. */
    pass_seconds(&f, 60);
    assert_true(statistics(&f).scrubbed_bytes > statistics(&f).part_bytes);
    assert_int_equal(statistics(&f).parts_quarantined, 0);
    teardown(&f);
}

static void test_damage_is_found(void **state)
{
    struct fixture f;
    setup(&f);
    /* In the middle of the values. */
    uint64_t bit = statistics(&f).part_bytes / 2 * 8;
    assert_int_equal(sim_vfs_flip_bit(f.sim, PART, bit), 0);
    pass_seconds(&f, (int)(2 * statistics(&f).part_bytes / RATE) + 5);
    assert_int_equal(statistics(&f).parts_quarantined, 1);
    struct answer all = ask(&f, "m.+");
    assert_int_equal(all.series_errors, 0);
    assert_true(
        all.warnings > 0 && all.samples < METRICS * ROWS && all.samples > METRICS * ROWS / 2);
    /* Each metric either is whole or says what is missing. */
    size_t lacking = 0;
    for (int m = 0; m < METRICS; m++) {
        char name[16], expected[64];
        (void)snprintf(name, sizeof(name), "m%d", m);
        (void)snprintf(
            expected, sizeof(expected), "samples of m%d between 2023-12-09T00:00:00Z and ", m);
        struct answer one = ask(&f, name);
        assert_int_equal(one.series_errors, 0);
        assert_int_equal(one.samples, one.warnings == 0 ? ROWS : 0);
        if (one.warnings > 0) {
            lacking++;
            assert_non_null(strstr(one.first_warning, expected));
            assert_non_null(strstr(one.first_warning, PART));
        }
    }
    assert_int_equal(all.samples, (METRICS - lacking) * ROWS);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
