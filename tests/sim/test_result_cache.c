/* The cache of range answers over the real store: whatever is written, late or in time, deleted, merged,
 * rolled up or expired in between, an answer through the cache is the answer without it.
 *
 * It is played at two paces: some hours with scrapes of seconds; and, forty times slower, some weeks of
 * minutes, in which samples become buckets of tiers and go, by general retention and by a rule. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "api/result_cache.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

#define HOUR_MS INT64_C(3600000)
#define BEGIN_MS (INT64_C(20000) * 86400000)

enum { SERIES = 8, ROUNDS = 3000, SLOWER = 40 };

struct fixture {
    uint64_t random;
    struct fake_clock clock;
    struct sim_vfs *disk;
    struct tsdb *db;
    struct engine *engine;
    struct result_cache *cache;
    int64_t now_ms;
    int64_t pace; /* all durations times this: 1, or SLOWER */
    struct matcher *odd;
    int64_t values[SERIES];
};

static uint64_t dice(struct fixture *f, uint64_t sides)
{
    return test_random(&f->random) % sides;
}

static void start(struct fixture *f, size_t cache_bytes, int64_t pace)
{
    struct err e = ERR_INIT;
    *f = (struct fixture){.random = test_seed(), .now_ms = BEGIN_MS, .pace = pace};
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("job"), STR("odd"), &f->odd, &e), 0);
    const struct matcher *const odd[] = {f->odd};
    const struct tsdb_retention_rule rule = {odd, 1, 24 * HOUR_MS};
    fake_clock_init(&f->clock, BEGIN_MS);
    f->disk = sim_vfs_new(1);
    const struct tsdb_options options = {.path = "data",
        .vfs = sim_vfs_get(f->disk),
        .clock = &f->clock.clock,
        .retention_ms = pace == 1 ? 6 * HOUR_MS : 48 * HOUR_MS,
        .retention_rules = &rule,
        .retention_rule_count = pace == SLOWER,
        .tiers = {{.enabled = pace == SLOWER, .retention_ms = 96 * HOUR_MS},
            {.enabled = pace == SLOWER, .sketches = true}}};
    if (tsdb_open(&options, &f->db, &e) != 0) {
        fail_msg("%s", e.message);
    }
    assert_int_equal(
        engine_new(&(struct engine_options){.features = PROMQL_FEATURES_ALL}, &f->engine), 0);
    assert_int_equal(result_cache_new(cache_bytes, &f->cache), 0);
}

static void stop(struct fixture *f)
{
    result_cache_free(f->cache);
    engine_free(f->engine);
    tsdb_abandon(f->db);
    sim_vfs_free(f->disk);
    matcher_free(f->odd);
}

/* ---- What happens to the store ---- */

/* What is too old is refused. */
static void write_some(struct fixture *f, const unsigned *which, size_t count, int64_t t_ms)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct err e = ERR_INIT;
    struct appender *a;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, &e), 0);
    for (size_t i = 0; i < count; i++) {
        const struct label labels[] = {{STR("__name__"), STR("a_total")},
            {STR("i"), str_of(names[which[i]])},
            {STR("job"), which[i] % 2 == 0 ? STR("even") : STR("odd")}};
        struct series_ref ref;
        f->values[which[i]] += (int64_t)dice(f, 50);
        assert_int_equal(appender_series(a, labels, 3, NULL, &ref, &e), 0);
        /* No two are equal: which of equals topk takes depends on where the query begins. */
        int64_t value = f->values[which[i]] * SERIES + which[i];
        int status = appender_append(a, ref, t_ms, (double)value);
        assert_true(status == 0 || (status == ERR_RANGE && t_ms < f->now_ms - 6 * HOUR_MS));
    }
    if (appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void scrape(struct fixture *f)
{
    unsigned which[SERIES];
    size_t count = 0;
    int64_t step_ms = f->pace * (1000 + (int64_t)dice(f, 30000));
    f->now_ms += step_ms;
    fake_clock_advance_ms(&f->clock, step_ms);
    for (unsigned i = 0; i < SERIES; i++) {
        if (dice(f, 10) != 0) {
            which[count++] = i;
        }
    }
    write_some(f, which, count, f->now_ms);
}

static void write_late(struct fixture *f)
{
    unsigned which = (unsigned)dice(f, SERIES);
    write_some(f, &which, 1, f->now_ms - f->pace * (int64_t)dice(f, 2 * HOUR_MS));
}

static void delete_some(struct fixture *f)
{
    char value[2] = {(char)('0' + dice(f, SERIES)), '\0'};
    struct matcher *matcher;
    struct err e = ERR_INIT;
    int64_t min_t = f->now_ms - f->pace * (int64_t)dice(f, 2 * HOUR_MS);
    int64_t max_t = min_t + f->pace * (int64_t)dice(f, HOUR_MS / 4);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("i"), str_of(value), &matcher, &e), 0);
    const struct matcher *matchers[] = {matcher};
    if (tsdb_delete_series(f->db, matchers, 1, min_t, max_t, &e) != 0) {
        fail_msg("%s", e.message);
    }
    matcher_free(matcher);
}

static void keep_house(struct fixture *f)
{
    struct err e = ERR_INIT;
    bool more = true;
    if (dice(f, 4) == 0) {
        assert_int_equal(tsdb_compact(f->db, &e), 0);
    }
    if (dice(f, 4) == 0) {
        assert_int_equal(tsdb_clean_tombstones(f->db, &e), 0);
    }
    for (int i = 0; more && i < 20; i++) {
        assert_int_equal(tsdb_maintain(f->db, &more, &e), 0);
    }
}

/* ---- Comparing ---- */

/* Sums may be made of other windows before the range: the last digits. */
static bool same_value(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

static bool same_series(const struct engine_series *a, const struct engine_series *b)
{
    bool same = labels_eq(a->labels, b->labels) && a->float_count == b->float_count;
    for (size_t i = 0; same && i < a->float_count; i++) {
        same = a->float_times[i] == b->float_times[i] && same_value(a->floats[i], b->floats[i]);
    }
    return same && a->histogram_count == b->histogram_count;
}

/* The first sample that is another. */
static void describe(const struct engine_series *a, const struct engine_series *b)
{
    size_t i = 0;
    while (i < a->float_count && i < b->float_count && a->float_times[i] == b->float_times[i] &&
           same_value(a->floats[i], b->floats[i])) {
        i++;
    }
    print_message("sample %zu of %zu and %zu: %lld %.17g, %lld %.17g\n", i, a->float_count,
        b->float_count, i < a->float_count ? (long long)(a->float_times[i] - BEGIN_MS) : -1,
        i < a->float_count ? a->floats[i] : NAN,
        i < b->float_count ? (long long)(b->float_times[i] - BEGIN_MS) : -1,
        i < b->float_count ? b->floats[i] : NAN);
}

static void compare(const char *text, const struct engine_result *a, const struct engine_result *b)
{
    bool same = a->type == b->type && a->series_count == b->series_count &&
                a->warning_count == b->warning_count && a->info_count == b->info_count;
    for (size_t i = 0; same && i < a->series_count; i++) {
        same = same_series(&a->series[i], &b->series[i]);
    }
    for (size_t i = 0; i < a->series_count && i < b->series_count; i++) {
        if (!same_series(&a->series[i], &b->series[i])) {
            describe(&a->series[i], &b->series[i]);
        }
    }
    if (!same) {
        fail_msg("%s: %zu series through the cache, %zu without", text, a->series_count,
            b->series_count);
    }
}

static const char *a_text(struct fixture *f)
{
    static const char *const fast[] = {"a_total", "sum by (job) (a_total)", "rate(a_total[2m])",
        "max_over_time(a_total[5m:1m])", "a_total offset 90s", "count(a_total) or vector(0)",
        "a_total offset -1m", "a_total @ end()", "a_total @ start()", "topk(2, a_total)",
        "increase(a_total[10m])", "sum(rate(a_total[3m:20s]))", "absent(a_total{i=\"3\"})",
        "delta(a_total[4m])", "limitk(2, a_total)", "rate(a_total[1m] smoothed)",
        "a_total / on () group_left () sum(a_total)", "sum(1, a_total)",
        "time() - timestamp(a_total)"};
    static const char *const slow[] = {"a_total", "sum by (job) (a_total)", "rate(a_total[80m])",
        "max_over_time(a_total[3h])", "avg_over_time(a_total[2h])", "increase(a_total[1d])",
        "count_over_time(a_total[6h])", "a_total offset 1h", "quantile_over_time(0.9, a_total[4h])",
        "max_over_time(a_total[3h:40m])", "sum(rate(a_total[2h]))", "absent(a_total{i=\"3\"})",
        "last_over_time(a_total[1d])", "count(a_total) or vector(0)"};
    return f->pace == 1 ? fast[dice(f, sizeof(fast) / sizeof(fast[0]))]
                        : slow[dice(f, sizeof(slow) / sizeof(slow[0]))];
}

static void ask(struct fixture *f)
{
    static const int64_t steps_ms[] = {15000, 60000, 37000};
    const struct engine_query_options options = {
        .lookback_ms = dice(f, 10) == 0 ? 60000 * f->pace : 0};
    int64_t step_ms = f->pace * steps_ms[dice(f, 3)];
    int64_t end_ms = f->now_ms / step_ms * step_ms - (int64_t)dice(f, 20) / 15 * step_ms;
    end_ms -= dice(f, 15) == 0 ? f->pace * (int64_t)dice(f, HOUR_MS) : 0;
    const struct result_cache_query q = {.engine = f->engine,
        .features = PROMQL_FEATURES_ALL,
        .reads = tsdb_querier_source(f->db),
        .db = f->db,
        .text = str_of(a_text(f)),
        .start_ms = end_ms - step_ms * (int64_t)(dice(f, 4) == 0 ? dice(f, 200) : 100),
        .end_ms = end_ms + (int64_t)dice(f, 3),
        .step_ms = step_ms,
        .options = &options};
    struct engine_result with, without;
    struct err e = ERR_INIT, e2 = ERR_INIT;
    int status = result_cache_range(f->cache, &q, &with, &e);
    int plain = engine_range(
        f->engine, q.reads, q.text, q.start_ms, q.end_ms, q.step_ms, &options, &without, &e2);
    assert_int_equal(status, plain);
    assert_string_equal(e.message, e2.message);
    compare(q.text.ptr, &with, &without);
    engine_result_release(&with);
    engine_result_release(&without);
}

static void run(size_t cache_bytes, int64_t pace)
{
    static struct fixture f;
    struct result_cache_statistics s;
    start(&f, cache_bytes, pace);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t event = dice(&f, 1000);
        if (event < 400) {
            scrape(&f);
        } else if (event < 430) {
            write_late(&f);
        } else if (event < 440) {
            delete_some(&f);
        } else if (event < 450) {
            keep_house(&f);
        } else {
            ask(&f);
        }
        result_cache_statistics(f.cache, &s);
        assert_true(s.bytes <= cache_bytes);
    }
    print_message("%llu hits, %llu extended, %llu misses, %llu bytes in %llu entries\n",
        (unsigned long long)s.hits, (unsigned long long)s.extended, (unsigned long long)s.misses,
        (unsigned long long)s.bytes, (unsigned long long)s.entries);
    assert_true(s.hits > 0 && s.extended > 10 && s.misses > 10);
    stop(&f);
}

static void test_random_changes(void **state)
{
    (void)state;
    run((size_t)64 << 20, 1);
}

/* Entries come and go. */
static void test_small_cache(void **state)
{
    (void)state;
    run((size_t)400 << 10, 1);
}

/* Samples become buckets, and go. */
static void test_tiers_and_retention(void **state)
{
    (void)state;
    run((size_t)64 << 20, SLOWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_small_cache),
        cmocka_unit_test(test_tiers_and_retention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
