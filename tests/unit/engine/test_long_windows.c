/* Increases over windows of days, from what the store knows of runs without decoding them: equal to
 * arithmetic on all samples, and few of them read. */
#include <math.h>

#include "base/err.h"
#include "query/engine.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define INTERVAL_MS 15000
#define SAMPLES 28800 /* five days */
#define DAY_MS ((int64_t)86400000)

enum kind { STEADY, RESETS, GAUGE, CONSTANT, GAPS, KINDS };

static const char *const names[KINDS] = {
    "steady_total", "resets_total", "gauge_total", "constant_total", "gaps_total"};

/* The sample of a series at a step; false where there is none. */
static bool sample_at(enum kind kind, int step, double *value)
{
    switch (kind) {
    case STEADY:
        *value = 1000 + step * 3 + step % 7 * 0.25;
        return true;
    case RESETS:
        *value = (step % 3001) * 2.5 + 1;
        return true;
    case GAUGE:
        *value = (step * 7919 % 1000) / 8.0;
        return true;
    case CONSTANT:
        *value = 42;
        return true;
    default: /* a gap of ten minutes a day */
        *value = step * 2.0;
        return step % 5760 > 40;
    }
}

struct store {
    struct fake_clock clock;
    struct sim_vfs *disk;
    struct tsdb *db;
    struct engine *engine;
};

static void append_all(struct tsdb *db)
{
    struct series_ref refs[KINDS];
    struct err e = ERR_INIT;
    for (int step = 0; step < SAMPLES; step++) {
        struct appender *a;
        assert_int_equal(appender_open(tsdb_appender_source(db), &a, &e), 0);
        for (int kind = 0; kind < KINDS; kind++) {
            const struct label pairs[] = {{STR("__name__"), str_of(names[kind])},
                {STR("instance"), STR("host:9100")}, {STR("job"), STR("node")}};
            double value;
            if (step == 0) {
                assert_int_equal(appender_series(a, pairs, 3, NULL, &refs[kind], &e), 0);
            }
            if (sample_at((enum kind)kind, step, &value)) {
                assert_int_equal(
                    appender_append(a, refs[kind], (int64_t)step * INTERVAL_MS, value), 0);
            }
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), 0);
    }
}

static void store_open(struct store *s)
{
    struct err e = ERR_INIT;
    fake_clock_init(&s->clock, (int64_t)SAMPLES * INTERVAL_MS);
    s->disk = sim_vfs_new(1);
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(s->disk), .clock = &s->clock.clock};
    const struct engine_options engine = {.clock = &s->clock.clock};
    assert_int_equal(tsdb_open(&options, &s->db, &e), 0);
    append_all(s->db);
    assert_int_equal(tsdb_compact(s->db, &e), 0);
    assert_int_equal(engine_new(&engine, &s->engine), 0);
}

static void store_close(struct store *s)
{
    engine_free(s->engine);
    tsdb_abandon(s->db);
    sim_vfs_free(s->disk);
}

/* Prometheus' definition, one sample after the other in extended precision. False: fewer than two. */
static bool expect(
    enum kind kind, const char *function, int64_t start, int64_t end, double *expected)
{
    bool counter = strcmp(function, "delta") != 0;
    int64_t first_t = 0, last_t = 0;
    double first = 0, last = 0, value;
    long double increase = 0;
    size_t count = 0;
    for (int step = 0; step < SAMPLES; step++) {
        int64_t t = (int64_t)step * INTERVAL_MS;
        if (t <= start || t > end || !sample_at(kind, step, &value)) {
            continue;
        }
        if (count == 0) {
            first = value;
            first_t = t;
        } else {
            increase += counter && value < last ? value : (long double)value - last;
        }
        last = value;
        last_t = t;
        count++;
    }
    if (count < 2) {
        return false;
    }
    double sampled = (double)(last_t - first_t) / 1000, spacing = sampled / (double)(count - 1);
    double to_start = (double)(first_t - start) / 1000, to_end = (double)(end - last_t) / 1000;
    to_start = to_start >= spacing * 1.1 ? spacing / 2 : to_start;
    if (counter && increase > 0 && first >= 0) {
        double to_zero = sampled * (double)(first / increase);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    to_end = to_end >= spacing * 1.1 ? spacing / 2 : to_end;
    double seconds = strcmp(function, "rate") == 0 ? (double)(end - start) / 1000 : 1;
    *expected = (double)(increase * (sampled + to_start + to_end) / sampled) / seconds;
    return true;
}

static void compare(struct store *s, const char *function, enum kind kind, int64_t range_s,
    int64_t end, uint64_t *read_out)
{
    char query[96];
    struct engine_result result;
    struct err e = ERR_INIT;
    double expected = 0;
    bool any = expect(kind, function, end - range_s * 1000, end, &expected);
    (void)snprintf(
        query, sizeof(query), "%s(%s[%llds])", function, names[kind], (long long)range_s);
    if (engine_instant(
            s->engine, tsdb_querier_source(s->db), str_of(query), end, NULL, &result, &e) != 0) {
        fail_msg("%s: %s", query, e.message);
    }
    assert_int_equal(result.series_count, any ? 1 : 0);
    if (any) {
        double got = result.series[0].floats[0];
        if (!(fabs(got - expected) <= 1e-12 * fabs(expected))) {
            fail_msg("%s at %lld: %.17g, expected %.17g", query, (long long)end, got, expected);
        }
    }
    *read_out = result.statistics.samples;
    engine_result_release(&result);
}

static void test_long_windows_equal_a_scan(void **state)
{
    (void)state;
    struct store s;
    uint64_t read;
    static const char *const functions[] = {"increase", "rate", "delta"};
    static const int64_t ranges_s[] = {3600, 86400, 200000, 345600, 432000, 864000};
    store_open(&s);
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t f = 0; f < 3; f++) {
            for (size_t r = 0; r < sizeof(ranges_s) / sizeof(ranges_s[0]); r++) {
                int64_t last = (int64_t)(SAMPLES - 1) * INTERVAL_MS;
                int64_t ends[] = {last, last - 7001, 4 * DAY_MS, 3 * DAY_MS + 12345, DAY_MS / 2};
                for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                    compare(&s, functions[f], (enum kind)kind, ranges_s[r], ends[i], &read);
                }
            }
        }
    }
    store_close(&s);
}

/* Only the runs that the window cuts are decoded. */
static void test_long_windows_read_the_ends(void **state)
{
    (void)state;
    struct store s;
    uint64_t read = 0;
    store_open(&s);
    compare(&s, "increase", STEADY, 345600, (int64_t)(SAMPLES - 1) * INTERVAL_MS - 60000, &read);
    assert_true(read < 2 * 4096);
    compare(&s, "increase", RESETS, 345600, (int64_t)(SAMPLES - 1) * INTERVAL_MS - 60000, &read);
    assert_true(read < 2 * 4096);
    store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_windows_equal_a_scan),
        cmocka_unit_test(test_long_windows_read_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
