/* Retention through the store's face: by age, by rules, by size. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define DAY INT64_C(86400000)
#define FIRST_DAY INT64_C(19700)

enum { DAYS = 20, SAMPLES = 24 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
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
    fake_clock_init(&f->clock, FIRST_DAY * DAY);
    f->options =
        (struct tsdb_options){.path = "data", .vfs = sim_vfs_get(f->sim), .clock = &f->clock.clock};
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
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

/* An hour of one day: a sample of each of the four series. */
static void write_hour(struct fixture *f)
{
    static const char *const names[] = {"debug", "load", "slo", "up"};
    struct appender *a = NULL;
    fake_clock_advance_ms(&f->clock, DAY / SAMPLES);
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        struct label labels[] = {{STR("__name__"), str_of(names[i])}, {STR("job"), STR("j")}};
        struct series_ref ref;
        assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
        assert_int_equal(appender_append(a, ref, clock_now_ms(&f->clock.clock) - 1, (double)i), 0);
    }
    assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
}

static void write_days(struct fixture *f, int days)
{
    for (int i = 0; i < days * SAMPLES; i++) {
        write_hour(f);
        maintain(f);
    }
}

/* Samples of a metric, and the day of the oldest. */
static size_t count_samples(struct fixture *f, const char *metric, int64_t *oldest_out)
{
    struct querier *q = NULL;
    struct arena arena;
    struct matcher *m = NULL;
    struct series_set *set = NULL;
    size_t count = 0;
    arena_init(&arena, 0);
    *oldest_out = INT64_MAX;
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), str_of(metric), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .matchers = matchers, .matcher_count = 1};
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    for (size_t i = 0; i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        assert_int_equal(series_open(set->series[i], &arena, &it, NULL), 0);
        while (column_iter_next(it, &run, NULL) == 1) {
            *oldest_out = run.times[0] / DAY < *oldest_out ? run.times[0] / DAY : *oldest_out;
            count += run.count;
        }
        column_iter_close(it);
    }
    series_set_free(set);
    querier_close(q);
    matcher_free(m);
    arena_release(&arena);
    return count;
}

static void expect(struct fixture *f, const char *metric, int64_t oldest, size_t days)
{
    int64_t day = 0;
    size_t count = count_samples(f, metric, &day);
    if (day != FIRST_DAY + oldest || count != days * SAMPLES) {
        fail_msg("%s: %zu samples from day %lld, expected %zu from day %lld", metric, count,
            (long long)(day - FIRST_DAY), days * SAMPLES, (long long)oldest);
    }
}

/* Half a day beyond twenty, ten kept: a day goes when all of it is older. */
static void test_by_age(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.retention_ms = 10 * DAY;
    open_store(&f);
    write_days(&f, DAYS);
    expect(&f, "up", 10, 10);
    teardown(&f);
}

static struct matcher *metric_matcher(const char *metric)
{
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), str_of(metric), &m, NULL), 0);
    return m;
}

/* Shorter rules are written out of a day, longer ones survive it; the first that matches decides. */
static void test_by_rules(void **state)
{
    struct fixture f;
    struct matcher *debug = metric_matcher("debug"), *slo = metric_matcher("slo"), *any = NULL;
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("__name__"), STR("slo|load"), &any, NULL), 0);
    const struct matcher *const first[] = {debug}, *const second[] = {slo}, *const third[] = {any};
    const struct tsdb_retention_rule rules[] = {
        {first, 1, 2 * DAY}, {second, 1, 0}, {third, 1, 5 * DAY}};
    setup(&f);
    f.options.retention_ms = 10 * DAY;
    f.options.retention_rules = rules;
    f.options.retention_rule_count = 3;
    open_store(&f);
    write_days(&f, DAYS);
    expect(&f, "debug", 18, 2);
    expect(&f, "load", 15, 5);
    expect(&f, "up", 10, 10);
    expect(&f, "slo", 0, DAYS);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    /* Without the rules what is left of old days is due. */
    f.options.retention_rule_count = 0;
    open_store(&f);
    maintain(&f);
    expect(&f, "slo", 10, 10);
    expect(&f, "debug", 18, 2);
    matcher_free(debug);
    matcher_free(slo);
    matcher_free(any);
    teardown(&f);
}

static void test_by_size(void **state)
{
    struct fixture f;
    struct tsdb_statistics s;
    setup(&f);
    open_store(&f);
    write_days(&f, DAYS);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    tsdb_statistics(f.db, &s);
    expect(&f, "up", 0, DAYS);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    f.options.retention_bytes = s.part_bytes / 2;
    open_store(&f);
    maintain(&f);
    tsdb_statistics(f.db, &s);
    int64_t oldest = 0;
    size_t count = count_samples(&f, "up", &oldest);
    assert_true(s.part_bytes + s.wal_bytes <= f.options.retention_bytes);
    assert_true(s.expired_parts > 0);
    /* Whole days, and no more of them than needed: the oldest left is followed by all others. */
    assert_int_equal(count, (size_t)(FIRST_DAY + DAYS - oldest) * SAMPLES);
    assert_true(count >= DAYS / 2 * SAMPLES - SAMPLES);
    f.options.retention_bytes = 1;
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    maintain(&f);
    expect(&f, "up", DAYS - 1, 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_age),
        cmocka_unit_test(test_by_rules),
        cmocka_unit_test(test_by_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
