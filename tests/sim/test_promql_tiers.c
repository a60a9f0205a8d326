/* Queries over downsampled tiers against the same queries over all samples.
 *
 * Two stores get the same samples; one keeps them, the other has tiers and forgets samples after two
 * days. Where windows are whole buckets the answers must be equal but for the order of additions;
 * elsewhere within the bound that an info of the answer names.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "query/engine.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START (INT64_C(19700) * DAY)

struct twin {
    struct sim_vfs *sim;
    struct tsdb *db;
};

struct fixture {
    struct fake_clock clock;
    struct twin all, tiers;
    struct engine *engine;
    uint64_t random;
    double counters[4];
};

static void open_twin(struct fixture *f, struct twin *twin, bool tiers)
{
    twin->sim = sim_vfs_new(1);
    struct tsdb_options options = {.path = "data",
        .vfs = sim_vfs_get(twin->sim),
        .clock = &f->clock.clock,
        .retention_ms = tiers ? 2 * DAY : 0,
        .sync_policy = WAL_SYNC_NEVER};
    if (tiers) {
        options.tiers[TSDB_TIER_5M] = (struct tsdb_tier_options){true, false, 4 * DAY};
        options.tiers[TSDB_TIER_1H] = (struct tsdb_tier_options){true, true, 0};
    }
    assert_int_equal(tsdb_open(&options, &twin->db, NULL), 0);
}

static void append(struct appender *a, const char *name, const char *le, int64_t t, double value)
{
    struct label labels[4] = {{STR("__name__"), str_of(name)}, {STR("instance"), STR("a")},
        {STR("job"), STR("j")}, {STR("le"), le != NULL ? str_of(le) : STR("")}};
    struct series_ref ref;
    assert_int_equal(appender_series(a, labels, le != NULL ? 4 : 3, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, t, value), 0);
}

/* A scrape with some jitter; every value follows from the random stream, which both stores share. */
static void scrape(struct fixture *f, struct tsdb *db, int64_t t, uint64_t random)
{
    static const char *const bounds[] = {"0.1", "0.5", "1", "+Inf"};
    struct appender *a = NULL;
    double *c = f->counters;
    assert_int_equal(appender_open(tsdb_appender_source(db), &a, NULL), 0);
    uint64_t dice = test_random(&random);
    append(a, "requests_total", NULL, t, c[3]);
    append(a, "temperature", NULL, t, 300 + (double)(dice % 4096) / 16);
    append(a, "spread", NULL, t, exp2((double)(dice >> 20 & 0xffff) / 65536 * 120 - 60));
    append(a, "limit", NULL, t, 65536);
    append(a, "stepped", NULL, t, (double)(t / (7 * MINUTE) % 5));
    for (int i = 0; i < 4; i++) {
        append(a, "latency_bucket", bounds[i], t, c[i]);
    }
    append(a, "resets_total", NULL, t, (double)(t % (HOUR + 7 * MINUTE)) / 1000);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void maintain(struct tsdb *db)
{
    bool more = true;
    while (more) {
        assert_int_equal(tsdb_maintain(db, &more, NULL), 0);
    }
}

static void setup(struct fixture *f)
{
    const struct engine_options options = {.features.experimental_functions = true};
    *f = (struct fixture){.random = test_seed()};
    fake_clock_init(&f->clock, START);
    open_twin(f, &f->all, false);
    open_twin(f, &f->tiers, true);
    assert_int_equal(engine_new(&options, &f->engine), 0);
    for (int64_t t = 0; t < 8 * DAY; t += MINUTE) {
        uint64_t random = test_random(&f->random);
        fake_clock_advance_ms(&f->clock, MINUTE);
        for (int i = 0; i < 4; i++) {
            f->counters[i] += (double)(random >> (8 * i) & 7) * 10 * (i + 1);
        }
        for (int i = 1; i < 4; i++) { // cumulative
            f->counters[i] =
                f->counters[i] < f->counters[i - 1] ? f->counters[i - 1] : f->counters[i];
        }
        int64_t at = START + t + 1 + (int64_t)(random % 300);
        scrape(f, f->all.db, at, random);
        scrape(f, f->tiers.db, at, random);
        if (t % HOUR == 0) {
            maintain(f->all.db);
            maintain(f->tiers.db);
        }
    }
    struct tsdb_statistics stats;
    tsdb_statistics(f->tiers.db, &stats);
    assert_true(stats.expired_parts > 0 && stats.tier_parts > 0);
}

static void teardown(struct fixture *f)
{
    engine_free(f->engine);
    assert_int_equal(tsdb_close(f->all.db, NULL), 0);
    assert_int_equal(tsdb_close(f->tiers.db, NULL), 0);
    sim_vfs_free(f->all.sim);
    sim_vfs_free(f->tiers.sim);
}

/* ---- Comparing ---- */

struct question {
    const char *query;
    double relative;  /* error that is allowed */
    const char *info; /* part of a sentence that must be there; NULL: none may be */
};

static void ask(struct fixture *f, const struct twin *twin, const struct question *q, int64_t start,
    int64_t end, int64_t step, struct engine_result *result)
{
    struct err e = ERR_INIT;
    if (engine_range(f->engine, tsdb_querier_source(twin->db), str_of(q->query), start, end, step,
            NULL, result, &e) != 0) {
        fail_msg("%s: %s", q->query, e.message);
    }
}

static const struct engine_series *find(const struct engine_result *r, const struct labels *labels)
{
    for (size_t i = 0; i < r->series_count; i++) {
        if (labels_eq(r->series[i].labels, labels)) {
            return &r->series[i];
        }
    }
    return NULL;
}

static void compare_series(
    const struct question *q, const struct engine_series *all, const struct engine_series *tiers)
{
    if (tiers == NULL || tiers->float_count != all->float_count) {
        fail_msg("%s: %zu values, expected %zu", q->query, tiers == NULL ? 0 : tiers->float_count,
            all->float_count);
    }
    for (size_t i = 0; i < all->float_count; i++) {
        double got = tiers->floats[i], expected = all->floats[i];
        assert_true(tiers->float_times[i] == all->float_times[i]);
        bool equal = got == expected || (isnan(got) && isnan(expected));
        if (!equal && !(fabs(got - expected) <= q->relative * fabs(expected) + 1e-9)) {
            fail_msg("%s at %lld: %.17g, expected %.17g within %g", q->query,
                (long long)(all->float_times[i] - START), got, expected, q->relative);
        }
    }
}

static void compare_infos(const struct question *q, const struct engine_result *tiers)
{
    bool found = false;
    for (size_t i = 0; i < tiers->info_count; i++) {
        if (strstr(tiers->infos[i], "downsampled") == NULL) {
            continue;
        }
        if (q->info == NULL) {
            fail_msg("%s: unexpected: %s", q->query, tiers->infos[i]);
        }
        found = found || strstr(tiers->infos[i], q->info) != NULL;
    }
    if (q->info != NULL && !found) {
        fail_msg("%s: no info with \"%s\"", q->query, q->info);
    }
}

static void compare(
    struct fixture *f, const struct question *q, int64_t start, int64_t end, int64_t step)
{
    struct engine_result all, tiers;
    ask(f, &f->all, q, start, end, step, &all);
    ask(f, &f->tiers, q, start, end, step, &tiers);
    assert_true(all.series_count > 0);
    for (size_t i = 0; i < all.series_count; i++) {
        compare_series(q, &all.series[i], find(&tiers, all.series[i].labels));
    }
    assert_int_equal(tiers.series_count, all.series_count);
    compare_infos(q, &tiers);
    engine_result_release(&all);
    engine_result_release(&tiers);
}

/* ---- Questions ---- */

/* Over all eight days: an hour's buckets, five minutes', samples. */
static void test_aligned(void **state)
{
    static const struct question questions[] = {
        {"rate(requests_total[2h])", 1e-12, NULL},
        {"increase(requests_total[6h])", 1e-12, NULL},
        {"increase(resets_total[6h])", 1e-12, NULL},
        {"rate(resets_total[1h])", 1e-12, NULL},
        {"delta(temperature[3h])", 1e-12, NULL},
        {"sum_over_time(temperature[4h])", 1e-12, NULL},
        {"avg_over_time(temperature[1d])", 1e-12, NULL},
        {"min_over_time(temperature[2h])", 0, NULL},
        {"max_over_time(temperature[2h] offset 3h)", 0, NULL},
        {"count_over_time(temperature[5h])", 0, NULL},
        {"first_over_time(stepped[1h])", 0, NULL},
        {"last_over_time(stepped[1h])", 0, NULL},
        {"ts_of_last_over_time(stepped[1h])", 0, NULL},
        {"present_over_time(limit[1h])", 0, NULL},
        {"sum_over_time(limit[1h])", 0, NULL},
        {"changes(limit[3h])", 0, NULL},
        {"quantile_over_time(0.9, temperature[6h])", 0.0109, "within 1.1 %"},
        {"histogram_quantile(0.9, rate(latency_bucket[2h]))", 1e-12, NULL},
        {"sum by (job) (rate(latency_bucket[2h]))", 1e-12, NULL},
        {"sum_over_time(requests_total[2h])", 0.5, "estimates"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        compare(f, &questions[i], START + 2 * DAY, START + 8 * DAY, HOUR);
    }
}

/* Windows that cut buckets: a bucket early at most, so of five minutes in six hours at the ends, or of an
 * hour in a day. */
static void test_unaligned(void **state)
{
    static const struct question questions[] = {
        {"rate(requests_total[1d])", 0.05, "up to one bucket early"},
        {"avg_over_time(temperature[1d])", 0.05, "up to one bucket early"},
        {"count_over_time(temperature[1d])", 0.05, "up to one bucket early"},
        {"quantile_over_time(0.5, temperature[1d])", 0.05, "up to one bucket early"},
        {"avg_over_time(limit[1d])", 0, "up to one bucket early"},
        {"stddev_over_time(temperature[1d])", 1.0, "only the last sample"},
        {"temperature", 1.0, "last of each bucket"},
        {"limit", 0, "last of each bucket"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        compare(f, &questions[i], START + 2 * DAY + 7 * MINUTE + 123, START + 8 * DAY, 37 * MINUTE);
    }
}

/* Values over 120 octaves, evenly: the sketch of three days has more than half of its 3840 buckets in use, more
 * than a sketch may have, and so half the resolution. Of six hours it has room. */
static void test_wide_spread(void **state)
{
    static const struct question questions[] = {
        {"quantile_over_time(0.3, spread[3d])", 0.0217, "widely spread values are within 2.2 %"},
        {"quantile_over_time(0.99, spread[3d])", 0.0217, "widely spread values are within 2.2 %"},
        {"quantile_over_time(0.3, spread[6h])", 0.0109, "quantiles are within 1.1 %"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        compare(f, &questions[i], START + 4 * DAY, START + 8 * DAY, 6 * HOUR);
    }
}

/* One window, cut anywhere, where samples are left for its edges: exact. */
static void test_single_window(void **state)
{
    static const struct question questions[] = {
        {"increase(requests_total[30h])", 1e-12, NULL},
        {"avg_over_time(temperature[30h])", 1e-12, NULL},
        {"count_over_time(temperature[40m])", 0, NULL},
        {"quantile_over_time(0.5, temperature[30h])", 0, NULL},
        {"max_over_time(stepped[7h] @ end())", 0, NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        int64_t t = START + 7 * DAY + 13 * HOUR + 17 * MINUTE + 41 * 1000 + 7;
        compare(f, &questions[i], t, t, MINUTE);
    }
}

static int begin(void **state)
{
    static struct fixture f;
    setup(&f);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    teardown(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_wide_spread),
        cmocka_unit_test(test_single_window),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
