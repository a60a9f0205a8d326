/* The store with tiers: what is read back, from samples, buckets or both, is what was written.
 *
 * A few series of every kind over some days, on a clock that is moved. What a bucket must hold is
 * reckoned from the samples that were written; rollup itself is tested beside its room.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "db/db.h"
#include "model/sample.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tier/rollup.h"

enum { SERIES = 7, SAMPLES_MAX = 200000 };

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START (INT64_C(19700) * DAY)

static const char *const NAMES[SERIES] = {
    "requests_total", "temperature", "limit", "errors_total", "queue", "rare", "requests_bucket"};

struct written {
    int64_t *times;
    double *values;
    size_t count;
};

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
    struct written series[SERIES];
    uint64_t random;
};

static void setup(struct fixture *f, int64_t retention_ms)
{
    *f = (struct fixture){.sim = sim_vfs_new(1), .random = test_seed()};
    fake_clock_init(&f->clock, START);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .retention_ms = retention_ms,
        .sync_policy = WAL_SYNC_ALWAYS,
        .tiers = {{.enabled = true}, {.enabled = true, .sketches = true}}};
    for (int i = 0; i < SERIES; i++) {
        f->series[i].times = mem_calloc(SAMPLES_MAX, sizeof(int64_t));
        f->series[i].values = mem_calloc(SAMPLES_MAX, sizeof(double));
    }
    assert_int_equal(tsdb_open(&f->options, &f->db, NULL), 0);
}

static void reopen(struct fixture *f)
{
    struct err e = ERR_INIT;
    tsdb_abandon(f->db);
    f->db = NULL;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("reopen: %s", e.message);
    }
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&f->options, &report, &problems, NULL), 0);
    if (problems > 0) {
        fail_msg("verify: %.*s", (int)report.size, report.data);
    }
    strbuf_release(&report);
    for (int i = 0; i < SERIES; i++) {
        mem_free(f->series[i].times);
        mem_free(f->series[i].values);
    }
    sim_vfs_free(f->sim);
}

/* ---- Writing ---- */

static void append(struct fixture *f, struct appender *a, int series, int64_t t_ms, double value)
{
    struct label labels[3] = {{STR("__name__"), str_of(NAMES[series])},
        {STR("instance"), series < 4 ? STR("a") : STR("b")}, {STR("job"), STR("j")}};
    struct series_ref ref;
    assert_int_equal(appender_series(a, labels, 3, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, t_ms, value), 0);
    struct written *w = &f->series[series];
    size_t at = w->count;
    while (at > 0 && w->times[at - 1] >= t_ms) {
        at--;
    }
    bool again = at < w->count && w->times[at] == t_ms;
    if (!again) {
        assert_true(w->count < SAMPLES_MAX);
        memmove(w->times + at + 1, w->times + at, (w->count - at) * sizeof(*w->times));
        memmove(w->values + at + 1, w->values + at, (w->count - at) * sizeof(*w->values));
        w->count++;
    }
    w->times[at] = t_ms;
    w->values[at] = value;
}

static double value_of(struct fixture *f, int series, double before)
{
    uint64_t dice = test_random(&f->random);
    switch (series) {
    case 0:
    case 6:
        return before + (double)(dice % 20);
    case 1:
        return 20 + (double)(dice % 1000) / 64;
    case 2:
        return 65536;
    case 3:
        return dice % 300 == 0 ? 0 : before + (double)(dice % 3);
    case 4:
        return dice % 7 == 0 ? value_stale_marker() : (double)(dice % 5) - 2;
    default:
        return (double)(dice % 100);
    }
}

/* A scrape of everything; the rare series comes now and then. */
static void scrape(struct fixture *f, int64_t t_ms)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (int i = 0; i < SERIES; i++) {
        const struct written *w = &f->series[i];
        if (i != 5 || test_random(&f->random) % 100 == 0) {
            append(f, a, i, t_ms, value_of(f, i, w->count > 0 ? w->values[w->count - 1] : 0));
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void maintain(struct fixture *f)
{
    bool more = true;
    for (int i = 0; more && i < 1000; i++) {
        struct err e = ERR_INIT;
        if (tsdb_maintain(f->db, &more, &e) != 0) {
            fail_msg("maintain: %s", e.message);
        }
    }
    assert_false(more);
}

/* Time passes, with a scrape each `interval`. */
static void run(struct fixture *f, int64_t span_ms, int64_t interval)
{
    for (int64_t t = 0; t < span_ms; t += interval) {
        fake_clock_advance_ms(&f->clock, interval);
        int64_t now = clock_now_ms(&f->clock.clock);
        scrape(f, now);
        if (now % HOUR < interval) {
            maintain(f);
        }
    }
}

/* ---- Checking ---- */

struct seen {
    uint64_t samples, buckets[STORE_TIERS], sketches;
    int64_t first_raw_t;
};

static bool same(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

/* A bucket against the samples that it must be made of. */
static void check_bucket(const struct written *w, const struct column_run *run, size_t i)
{
    const struct run_summary *b = &run->buckets[i];
    int64_t end = rollup_bucket_end(b->last_t, run->resolution_ms);
    struct rollup r;
    size_t first = 0, last;
    while (first < w->count && w->times[first] <= end - run->resolution_ms) {
        first++;
    }
    for (last = first; last < w->count && w->times[last] <= end; last++) {
    }
    rollup_init(&r, run->resolution_ms, false);
    assert_int_equal(rollup_add(&r, w->times + first, w->values + first, last - first), 0);
    assert_int_equal(rollup_finish(&r), 0);
    assert_int_equal(r.count, 1);
    const struct run_summary *x = &r.buckets[0];
    bool good = b->count == x->count && b->first_t == x->first_t && b->last_t == x->last_t &&
                same(b->first, x->first) && same(b->last, x->last) && same(b->min, x->min) &&
                same(b->max, x->max);
    good = good && ((run->estimates[i] & RUN_SUM_ESTIMATED) != 0 || same(b->sum, x->sum));
    good = good &&
           ((run->estimates[i] & RUN_INCREASE_ESTIMATED) != 0 || same(b->increase, x->increase));
    if (!good) {
        fail_msg("bucket %lld of %lld ms: %llu samples of %g .. %g, expected %llu of %g .. %g",
            (long long)end, (long long)run->resolution_ms, (unsigned long long)b->count, b->min,
            b->max, (unsigned long long)x->count, x->min, x->max);
    }
    if (run->sketches != NULL && run->sketches[i] != NULL) {
        assert_true(run->sketches[i]->count == (double)x->count);
    }
    rollup_release(&r);
}

static void check_run(
    const struct written *w, const struct column_run *run, int64_t *before, struct seen *seen)
{
    for (size_t i = 0; i < run->count; i++) {
        assert_true(run->times[i] > *before);
        *before = run->times[i];
        size_t at = 0, high = w->count;
        while (at < high) {
            size_t middle = at + (high - at) / 2;
            if (w->times[middle] < run->times[i]) {
                at = middle + 1;
            } else {
                high = middle;
            }
        }
        assert_true(at < w->count && w->times[at] == run->times[i]);
        assert_true(same(w->values[at], run->values[i]));
        if (run->resolution_ms == 0) {
            seen->samples += !value_is_stale(run->values[i]);
            seen->first_raw_t =
                run->times[i] < seen->first_raw_t ? run->times[i] : seen->first_raw_t;
            continue;
        }
        check_bucket(w, run, i);
        seen->samples += run->buckets[i].count;
        seen->buckets[run->resolution_ms == HOUR ? STORE_1H : STORE_5M]++;
        seen->sketches += run->sketches != NULL && run->sketches[i] != NULL;
    }
}

/* Reads everything in [min_t, max_t]; every sample must be in exactly one place. */
static struct seen check(
    struct fixture *f, int64_t min_t, int64_t max_t, int64_t resolution, bool exact)
{
    struct seen seen = {.first_raw_t = INT64_MAX};
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    const struct select_request request = {.min_t = min_t,
        .max_t = max_t,
        .resolution_max_ms = resolution,
        .bucket_needs = resolution >= HOUR ? BUCKET_NEEDS_SKETCH : 0};
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(f->db), min_t, max_t, &q, NULL), 0);
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    uint64_t expected = 0;
    for (int i = 0; i < SERIES; i++) {
        for (size_t k = 0; k < f->series[i].count; k++) {
            int64_t t = f->series[i].times[k];
            expected += t >= min_t && t <= max_t && !value_is_stale(f->series[i].values[k]);
        }
    }
    for (size_t s = 0; s < set->count; s++) {
        struct str name = labels_get(series_labels(set->series[s]), STR("__name__"));
        struct column_iter *iter = NULL;
        struct column_run run;
        int series = 0;
        int64_t before = INT64_MIN;
        while (!str_eq_c(name, NAMES[series])) {
            series++;
        }
        assert_int_equal(series_open(set->series[s], &arena, &iter, NULL), 0);
        int more;
        while ((more = column_iter_next(iter, &run, NULL)) == 1) {
            check_run(&f->series[series], &run, &before, &seen);
            assert_true(run.times[0] >= min_t && run.times[run.count - 1] <= max_t);
        }
        assert_int_equal(more, 0);
        column_iter_close(iter);
    }
    if (exact && seen.samples != expected) {
        fail_msg("[%lld, %lld] by %lld ms: %llu samples, expected %llu", (long long)(min_t - START),
            (long long)(max_t - START), (long long)resolution, (unsigned long long)seen.samples,
            (unsigned long long)expected);
    }
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
    return seen;
}

/* All that can be asked, whole buckets or not. */
static void check_all(struct fixture *f)
{
    int64_t now = clock_now_ms(&f->clock.clock);
    static const int64_t resolutions[] = {0, 5 * MINUTE, HOUR, 20 * MINUTE, 6 * HOUR};
    for (int i = 0; i < 5; i++) {
        (void)check(f, INT64_MIN, INT64_MAX, resolutions[i], true);
        (void)check(f, START + 1, now - now % DAY, resolutions[i], true);
    }
}

/* ---- Tests ---- */

static void test_life(void **state)
{
    struct fixture f;
    setup(&f, 2 * DAY);
    run(&f, DAY, MINUTE);
    struct tsdb_statistics stats;
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tier_parts, 0);
    run(&f, 3 * HOUR, MINUTE);
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tier_parts, 2);
    check_all(&f);
    /* Raw samples answer while they are there, unless buckets will do. */
    struct seen seen = check(&f, INT64_MIN, INT64_MAX, 0, true);
    assert_int_equal(seen.buckets[STORE_5M] + seen.buckets[STORE_1H], 0);
    seen = check(&f, START + 1, START + DAY, HOUR, true);
    assert_int_equal(seen.first_raw_t, INT64_MAX);
    assert_int_equal(seen.buckets[STORE_5M], 0);
    assert_true(seen.buckets[STORE_1H] >= 6 * 24 && seen.sketches > 0);
    seen = check(&f, START + 1, START + DAY, 15 * MINUTE, true);
    assert_true(seen.buckets[STORE_5M] >= 6 * 24 * 12 && seen.buckets[STORE_1H] == 0);
    assert_int_equal(seen.sketches, 0);

    run(&f, 2 * DAY + 2 * HOUR, MINUTE);
    tsdb_statistics(f.db, &stats);
    assert_true(stats.expired_parts > 0);
    seen = check(&f, INT64_MIN, INT64_MAX, 0, true);
    assert_true(seen.first_raw_t > START + DAY && seen.buckets[STORE_5M] > 0);
    assert_int_equal(seen.buckets[STORE_1H], 0);
    check_all(&f);
    reopen(&f);
    check_all(&f);
    /* A part of a bucket counts where its last sample is. */
    (void)check(&f, START + 7 * HOUR + 123456, START + 9 * HOUR + 77, 0, false);
    teardown(&f);
}

/* Samples that come late, for days that are in the tiers already. */
static void test_late_samples(void **state)
{
    struct fixture f;
    setup(&f, 10 * DAY);
    run(&f, 2 * DAY + 3 * HOUR, 5 * MINUTE);
    struct tsdb_statistics stats;
    tsdb_statistics(f.db, &stats);
    uint64_t builds = stats.tier_builds;
    assert_int_equal(builds, 4);
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f.db), &a, NULL), 0);
    for (int i = 0; i < 50; i++) {
        append(&f, a, 1, START + 6 * HOUR + 7 * MINUTE + i * 1000, 500 + i);
        append(&f, a, 5, START + 20 * HOUR + i * MINUTE, 7);
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    check_all(&f);
    fake_clock_advance_ms(&f.clock, 31 * MINUTE);
    maintain(&f);
    check_all(&f);
    tsdb_statistics(f.db, &stats);
    for (int i = 0; i < 3; i++) {
        fake_clock_advance_ms(&f.clock, 31 * MINUTE);
        maintain(&f);
        check_all(&f);
    }
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tier_builds, builds + 2);
    assert_int_equal(stats.tier_parts, 4);
    struct seen seen = check(&f, START + 1, START + DAY, HOUR, true);
    assert_int_equal(seen.first_raw_t, INT64_MAX);
    teardown(&f);
}

/* Deletes a range of one series, in the store and in what is expected of it. */
static void delete_range(struct fixture *f, int series, int64_t min_t, int64_t max_t)
{
    struct matcher *m = NULL;
    assert_int_equal(
        matcher_new(MATCHER_EQUAL, STR("__name__"), str_of(NAMES[series]), &m, NULL), 0);
    const struct matcher *list[] = {m};
    assert_int_equal(tsdb_delete_series(f->db, list, 1, min_t, max_t, NULL), 0);
    matcher_free(m);
    struct written *w = &f->series[series];
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->times[i] < min_t || w->times[i] > max_t) {
            w->times[kept] = w->times[i];
            w->values[kept++] = w->values[i];
        }
    }
    w->count = kept;
}

/* What is deleted is in no bucket; where raw samples are, nothing else is lost. */
static void test_deletes(void **state)
{
    struct fixture f;
    setup(&f, 2 * DAY);
    run(&f, DAY + 3 * HOUR, MINUTE);
    delete_range(&f, 1, START + 6 * HOUR + 2 * MINUTE, START + 8 * HOUR + 3 * MINUTE);
    check_all(&f);
    maintain(&f);
    check_all(&f);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    check_all(&f);
    reopen(&f);
    check_all(&f);
    struct seen seen = check(&f, START + 1, START + DAY, HOUR, true);
    assert_int_equal(seen.first_raw_t, INT64_MAX);

    run(&f, 2 * DAY, MINUTE);
    seen = check(&f, INT64_MIN, INT64_MAX, 0, true);
    assert_true(seen.first_raw_t > START + DAY);
    delete_range(&f, 1, START + 10 * HOUR + 2 * MINUTE, START + 11 * HOUR + 3 * MINUTE);
    delete_range(&f, 2, START + 1, START + 20 * HOUR);
    struct seen without = check(&f, INT64_MIN, INT64_MAX, 0, false);
    /* 13 buckets of five minutes and 240 of a constant; the borders of the first take 4 samples along. */
    assert_int_equal(seen.buckets[STORE_5M] - without.buckets[STORE_5M], 13 + 240);
    assert_int_equal(seen.samples - without.samples, 13 * 5 + 240 * 5);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    struct seen after = check(&f, INT64_MIN, INT64_MAX, 0, false);
    assert_int_equal(after.samples, without.samples);
    struct tsdb_statistics stats;
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tombstones, 0);
    teardown(&f);
}

/* A series that a rule takes out of the finer tier, and one that it keeps longer in a file of its own. */
static void test_rules(void **state)
{
    struct fixture f;
    struct matcher *m[2] = {NULL};
    setup(&f, 2 * DAY);
    tsdb_abandon(f.db);
    assert_int_equal(
        matcher_new(MATCHER_EQUAL, STR("__name__"), STR("temperature"), &m[0], NULL), 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("queue"), &m[1], NULL), 0);
    const struct matcher *lists[2][1] = {{m[0]}, {m[1]}};
    const struct tsdb_tier_rule rules[] = {
        {lists[0], 1, {{.enabled = false}, {.enabled = true, .sketches = true}}},
        {lists[1], 1, {{.enabled = true, .retention_ms = 400 * DAY}, {.enabled = true}}}};
    f.options.tier_rules = rules;
    f.options.tier_rule_count = 2;
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    run(&f, DAY + 3 * HOUR, 5 * MINUTE);
    struct tsdb_statistics stats;
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tier_parts, 4); // queue's five minutes; the default's; twice an hour
    run(&f, 2 * DAY + 2 * HOUR, 5 * MINUTE);
    check_all(&f);
    /* Of day 0 all series but one answer by the five minutes. */
    struct seen seen = check(&f, START + 1, START + DAY, 0, true);
    assert_int_equal(seen.first_raw_t, INT64_MAX);
    assert_int_equal(seen.buckets[STORE_1H], 24);
    assert_true(seen.buckets[STORE_5M] > 4 * 288);
    teardown(&f);
    matcher_free(m[0]);
    matcher_free(m[1]);
}

/* A native histogram that counts up and starts anew each 317 minutes. */
static void histogram_at(int64_t t_ms, struct histogram *h, double counts[2])
{
    static const struct histogram_span span = {0, 2};
    double n = (double)((t_ms - START) / MINUTE % 317 + 1);
    counts[0] = n;
    counts[1] = 2 * n;
    *h = (struct histogram){.schema = 0,
        .integer = true,
        .count = 3 * n,
        .sum = 4 * n,
        .positive = {&span, 1, counts, 2}};
}

static void append_histogram(struct fixture *f, int64_t t_ms)
{
    const struct label labels[] = {{STR("__name__"), STR("latency")}, {STR("job"), STR("j")}};
    struct appender *a = NULL;
    struct series_ref ref;
    struct histogram h;
    double counts[2];
    histogram_at(t_ms, &h, counts);
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append_histogram(a, ref, t_ms, &h), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

/* What is kept of histograms are true samples, enough of them that no increase is lost. */
static void test_histograms(void **state)
{
    struct fixture f;
    setup(&f, DAY);
    for (int64_t t = 0; t < 3 * DAY; t += MINUTE) {
        fake_clock_advance_ms(&f.clock, MINUTE);
        append_histogram(&f, clock_now_ms(&f.clock.clock));
        if (t % HOUR == 0) {
            maintain(&f);
        }
    }
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    struct column_iter *iter = NULL;
    struct column_run run;
    const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(f.db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    assert_int_equal(set->count, 1);
    assert_int_equal(series_open(set->series[0], &arena, &iter, NULL), 0);
    double increase = 0, before = 0, expected = 0;
    size_t kept = 0;
    int64_t last_t = START;
    while (column_iter_next(iter, &run, NULL) == 1) {
        for (size_t i = 0; i < run.count; i++) {
            struct histogram h;
            double counts[2];
            histogram_at(run.times[i], &h, counts);
            assert_true(run.times[i] > last_t && histogram_eq(run.histograms[i], &h));
            increase += h.count < before ? h.count : h.count - before;
            before = h.count;
            last_t = run.times[i];
            kept += run.resolution_ms > 0;
        }
    }
    double was = 0;
    for (int64_t t = START + MINUTE; t <= START + 3 * DAY; t += MINUTE) {
        struct histogram h;
        double counts[2];
        histogram_at(t, &h, counts);
        expected += h.count < was ? h.count : h.count - was;
        was = h.count;
    }
    assert_true(increase == expected && last_t == START + 3 * DAY);
    assert_true(kept >= 288 && kept < 2 * 288 * 2 + 20);
    column_iter_close(iter);
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
    teardown(&f);
}

/* The files of the tiers of one store. */
struct tier_files {
    struct vfs *fs;
    char paths[8][128];
    size_t count;
    char directory[64];
};

static int note_file(void *context, const char *name, bool is_directory)
{
    struct tier_files *files = context;
    assert_false(is_directory);
    assert_true(files->count < 8);
    (void)snprintf(
        files->paths[files->count++], sizeof(files->paths[0]), "%s/%s", files->directory, name);
    return 0;
}

static uint64_t verify(struct fixture *f, struct strbuf *report)
{
    uint64_t problems = 0;
    strbuf_reset(report);
    assert_int_equal(tsdb_verify(&f->options, report, &problems, NULL), 0);
    return problems;
}

/* A tier that is damaged is named; so is one that is whole, but not of these samples: it comes from a
 * store in which one of them had another value. */
static void test_verify(void **state)
{
    struct fixture f, other;
    struct strbuf report = STRBUF_INIT;
    setup(&f, 10 * DAY);
    setup(&other, 10 * DAY);
    run(&f, DAY + 3 * HOUR, 10 * MINUTE);
    run(&other, 5 * HOUR, 10 * MINUTE);
    other.random = f.random;
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(other.db), &a, NULL), 0);
    append(&other, a, 2, clock_now_ms(&other.clock.clock), 1);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    run(&other, DAY - 2 * HOUR, 10 * MINUTE);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    assert_int_equal(tsdb_close(other.db, NULL), 0);
    f.db = other.db = NULL;
    assert_int_equal(verify(&f, &report), 0);
    assert_int_equal(verify(&other, &report), 0);

    struct tier_files files = {.fs = f.options.vfs}, theirs = {.fs = other.options.vfs};
    (void)snprintf(files.directory, sizeof(files.directory), "data/t1h/2023");
    (void)snprintf(theirs.directory, sizeof(theirs.directory), "data/t1h/2023");
    assert_int_equal(vfs_list(files.fs, files.directory, note_file, &files), 0);
    assert_int_equal(vfs_list(theirs.fs, theirs.directory, note_file, &theirs), 0);
    assert_int_equal(files.count, 1);
    assert_int_equal(theirs.count, 1);
    char *ours = NULL, *bytes = NULL;
    size_t our_size = 0, size = 0;
    assert_int_equal(vfs_read_file(files.fs, files.paths[0], 1 << 24, &ours, &our_size), 0);
    assert_int_equal(vfs_read_file(theirs.fs, theirs.paths[0], 1 << 24, &bytes, &size), 0);
    assert_int_equal(vfs_write_file_atomic(files.fs, files.paths[0], bytes, size), 0);
    assert_true(verify(&f, &report) > 0);
    assert_non_null(strstr(report.data, "t1h of day 19700, limit{instance=\"a\", job=\"j\"}"));
    assert_non_null(strstr(report.data, "another first or last sample"));

    assert_int_equal(vfs_write_file_atomic(files.fs, files.paths[0], ours, our_size), 0);
    assert_int_equal(verify(&f, &report), 0);
    assert_int_equal(sim_vfs_flip_bit(f.sim, files.paths[0], 8 * (our_size / 3)), 0);
    assert_true(verify(&f, &report) > 0);
    assert_non_null(strstr(report.data, "t1h/2023/p-"));
    /* The samples are there: nothing is lost, and what the tier cannot say is said by them. */
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    (void)check(&f, START + 1, START + DAY, 0, true);
    tsdb_abandon(f.db);
    assert_int_equal(sim_vfs_flip_bit(f.sim, files.paths[0], 8 * (our_size / 3)), 0);
    /* A tier that cannot even be opened is built again. */
    assert_int_equal(sim_vfs_flip_bit(f.sim, files.paths[0], 3), 0);
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    struct tsdb_statistics stats;
    maintain(&f);
    tsdb_statistics(f.db, &stats);
    assert_int_equal(stats.tier_builds, 1);
    check_all(&f);
    struct seen seen = check(&f, START + 1, START + DAY, HOUR, true);
    assert_int_equal(seen.first_raw_t, INT64_MAX);
    assert_int_equal(vfs_write_file_atomic(files.fs, files.paths[0], ours, our_size), 0);
    assert_int_equal(tsdb_open(&other.options, &other.db, NULL), 0);
    mem_free(ours);
    mem_free(bytes);
    strbuf_release(&report);
    teardown(&f);
    teardown(&other);
}

/* Months pass: files are merged, the finer tier goes, the coarser stays. */
static void test_months(void **state)
{
    struct fixture f;
    setup(&f, 3 * DAY);
    tsdb_abandon(f.db);
    f.options.tiers[TSDB_TIER_5M].retention_ms = 20 * DAY;
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    run(&f, 75 * DAY, 20 * MINUTE);
    check_all(&f);
    struct seen seen = check(&f, INT64_MIN, INT64_MAX, 0, true);
    assert_true(seen.buckets[STORE_1H] > 0 && seen.buckets[STORE_5M] > 0);
    assert_true(seen.first_raw_t < INT64_MAX);
    struct tsdb_statistics stats;
    tsdb_statistics(f.db, &stats);
    assert_true(stats.tier_parts < 40); // of some hundred that were built
    reopen(&f);
    check_all(&f);
    /* Without a manifest the files say what they are. */
    tsdb_abandon(f.db);
    assert_int_equal(vfs_remove(f.options.vfs, "data/MANIFEST"), 0);
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    check_all(&f);
    maintain(&f);
    check_all(&f);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_late_samples),
        cmocka_unit_test(test_deletes),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
