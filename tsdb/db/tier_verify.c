/* Tiers against samples; see the header. The querier is asked twice for each day: for samples alone, and for
 * whole buckets; the first answer is rolled up and must be the second. */
#include "db/tier_verify.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "tier/rollup.h"

struct tier_check {
    struct tsdb *db;
    uint16_t tier;
    int64_t day;
    struct strbuf *report;
    uint64_t problems;
    struct rollup rollup;
};

/* All series of a day, in label order. */
struct day_series {
    struct arena arena;
    struct querier *querier;
    struct series_set *set;
};

static int compare_series(const void *a, const void *b)
{
    return labels_cmp(
        series_labels(*(struct series *const *)a), series_labels(*(struct series *const *)b));
}

static int open_day(struct tier_check *c, int64_t resolution, struct day_series *d)
{
    int64_t min_t = c->day * DAY_MS + 1, max_t = (c->day + 1) * DAY_MS;
    const struct select_request request = {
        .min_t = min_t, .max_t = max_t, .resolution_max_ms = resolution};
    *d = (struct day_series){.querier = NULL};
    arena_init(&d->arena, 0);
    int status = querier_open(tsdb_querier_source(c->db), min_t, max_t, &d->querier, NULL);
    if (status == 0) {
        status = querier_select(d->querier, &request, &d->arena, &d->set, NULL);
    }
    if (status == 0 && d->set->count > 1) {
        qsort(d->set->series, d->set->count, sizeof(struct series *), compare_series);
    }
    return status;
}

static void close_day(struct day_series *d)
{
    series_set_free(d->set);
    querier_close(d->querier);
    arena_release(&d->arena);
}

static void tell(struct tier_check *c, const struct labels *labels, int64_t t_ms, const char *text)
{
    if (c->problems++ < TIER_VERIFY_LINES_MAX) {
        strbuf_addf(c->report, "%s of day %lld, ", store_tier_name(c->tier), (long long)c->day);
        labels_write(labels, c->report);
        strbuf_addf(c->report, ", bucket of %lld: %s\n", (long long)t_ms, text);
    }
}

/* The samples of a series as buckets. Histograms are not rolled up. *whole_out is false when a rule took
 * samples out of the day, so that buckets answer for them. */
static int roll_up(
    struct tier_check *c, struct series *series, struct arena *arena, bool *whole_out)
{
    struct column_iter *iter = NULL;
    struct column_run run;
    rollup_reset(&c->rollup);
    int status = series_open(series, arena, &iter, NULL);
    int more = status == 0;
    *whole_out = true;
    while (status == 0 && (more = column_iter_next(iter, &run, NULL)) == 1) {
        *whole_out = *whole_out && run.resolution_ms == 0;
        if (run.values != NULL) {
            status = rollup_add(&c->rollup, run.times, run.values, run.count);
        }
    }
    column_iter_close(iter);
    status = status == 0 && more < 0 ? more : status;
    return status == 0 ? rollup_finish(&c->rollup) : status;
}

static bool same(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

static const char *difference(
    const struct run_summary *got, unsigned estimates, const struct run_summary *expected)
{
    if (got->count != expected->count) {
        return "another count than its samples";
    }
    if (got->first_t != expected->first_t || !same(got->first, expected->first) ||
        !same(got->last, expected->last)) {
        return "another first or last sample";
    }
    if (!same(got->min, expected->min) || !same(got->max, expected->max)) {
        return "another least or greatest sample";
    }
    if ((estimates & RUN_SUM_ESTIMATED) == 0 && !same(got->sum, expected->sum)) {
        return "another sum";
    }
    if ((estimates & RUN_INCREASE_ESTIMATED) == 0 && !same(got->increase, expected->increase)) {
        return "another increase";
    }
    return NULL;
}

/* A run of the tier against the buckets that the samples give, from *at on. */
static void check_run(
    struct tier_check *c, const struct labels *labels, const struct column_run *run, size_t *at)
{
    const struct rollup *r = &c->rollup;
    for (size_t i = 0; i < run->count; i++) {
        while (*at < r->count && r->buckets[*at].last_t < run->times[i]) {
            tell(c, labels, r->buckets[*at].last_t, "missing");
            (*at)++;
        }
        if (*at == r->count || r->buckets[*at].last_t != run->times[i]) {
            tell(c, labels, run->times[i], "there are no such samples");
            continue;
        }
        const char *text = difference(&run->buckets[i], run->estimates[i], &r->buckets[*at]);
        if (text != NULL) {
            tell(c, labels, run->times[i], text);
        }
        (*at)++;
    }
}

static int check_series(
    struct tier_check *c, struct series *samples, struct series *buckets, struct arena *arena)
{
    struct column_iter *iter = NULL;
    struct column_run run;
    const struct labels *labels = series_labels(samples);
    size_t at = 0;
    bool of_tier = true;
    struct arena_mark mark = arena_mark(arena);
    int status = roll_up(c, samples, arena, &of_tier);
    status = status == 0 ? series_open(buckets, arena, &iter, NULL) : status;
    int more = status == 0;
    while (status == 0 && of_tier && (more = column_iter_next(iter, &run, NULL)) == 1) {
        /* What a tier may not answer for (histograms, deletes that wait) comes as samples. */
        of_tier = run.buckets != NULL;
        if (of_tier) {
            check_run(c, labels, &run, &at);
        }
    }
    for (; status == 0 && of_tier && more == 0 && at > 0 && at < c->rollup.count; at++) {
        tell(c, labels, c->rollup.buckets[at].last_t, "missing");
    }
    column_iter_close(iter);
    arena_rewind(arena, mark);
    return status == 0 && more < 0 ? more : status;
}

static int check_day(struct tier_check *c)
{
    struct day_series samples, buckets;
    struct arena arena;
    arena_init(&arena, 0);
    int status = open_day(c, 0, &samples);
    int opened = open_day(c, store_tier_resolution(c->tier), &buckets);
    status = status == 0 ? opened : status;
    for (size_t i = 0, k = 0; status == 0 && i < samples.set->count; i++) {
        struct series *s = samples.set->series[i];
        while (k < buckets.set->count && compare_series(&buckets.set->series[k], &s) < 0) {
            k++;
        }
        if (k < buckets.set->count && compare_series(&buckets.set->series[k], &s) == 0) {
            status = check_series(c, s, buckets.set->series[k], &arena);
        }
    }
    close_day(&samples);
    close_day(&buckets);
    arena_release(&arena);
    return status;
}

int tiers_verify(const struct tsdb_options *options, const struct manifest *m,
    struct strbuf *report, uint64_t *problem_count_out)
{
    struct tsdb_options reading = *options;
    struct tier_check c = {.report = report};
    *problem_count_out = 0;
    if (m->mark_count == 0) {
        return 0;
    }
    reading.read_only = true;
    int status = tsdb_open(&reading, &c.db, NULL);
    for (uint32_t i = 0; status == 0 && i < m->mark_count; i++) {
        if (m->marks[i].tier == STORE_RAW || m->marks[i].mark == MANIFEST_MARK_CLOSED) {
            continue;
        }
        c.tier = m->marks[i].tier;
        c.day = m->marks[i].day;
        c.problems = 0;
        rollup_init(&c.rollup, store_tier_resolution(c.tier), false);
        status = check_day(&c);
        rollup_release(&c.rollup);
        *problem_count_out += c.problems;
    }
    (void)tsdb_close(c.db, NULL); // nothing was written
    return status;
}
