/* Functions over windows of buckets: series, or parts of them, that a downsampled tier answers for.
 *
 * A bucket belongs to the window that its last sample lies in. Windows that begin and end on bucket borders
 * are whole buckets, and most functions have the answer of the samples: counts, extremes, ends and
 * increases with the steps between buckets are all there. Other windows are up to a bucket early, and the
 * answer says so in an info, as it does where something is an estimate. True samples among the buckets
 * are buckets of one.
 */
#include "range.h"

#include <math.h>
#include <stdio.h>

#include "kahan.h"
#include "model/sketch.h"

/* Buckets [begin, end) of a series, and the window they stand for. */
struct bucket_window {
    const struct sample_bucket *buckets;
    size_t count;
    struct window
        window;  /* start and end on bucket borders where there are buckets, and step; no more */
    int *status; /* where a step leaves its error */
    int32_t *schema; /* where a step leaves that of its sketch, if it is lower */
};

/* What an answer needs to say besides. */
enum tier_note {
    TIER_NOTE_EARLY = 1,     /* windows do not end on bucket borders */
    TIER_NOTE_ESTIMATED = 2, /* a sum or an increase is a guess */
    TIER_NOTE_SKETCH = 4,    /* quantiles have the sketch's error */
    TIER_NOTE_LOWER = 8,     /* at least so many */
    TIER_NOTE_TIMES = 16,    /* the time of a bucket's last sample for the time of an extreme */
    TIER_NOTE_LAST = 32,     /* only the last sample of each bucket was looked at */
};

/* The value of a window, which has at least one bucket; NAN with *absent when there is none. */
typedef double (*tier_step)(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent);

/* ---- Rates ---- */

/* Increase over all samples: of each bucket, and of the steps between them. Summed as over samples: the
 * difference of the ends, and what resets hid. */
static double total_increase(const struct bucket_window *w, unsigned *notes)
{
    const struct run_summary *first = &w->buckets[0].summary;
    const struct run_summary *last = &w->buckets[w->count - 1].summary;
    double increase = last->last - first->first;
    for (size_t i = 0; i < w->count; i++) {
        const struct run_summary *b = &w->buckets[i].summary;
        double plain = b->last - b->first;
        if (b->increase != plain) {
            increase += b->increase - plain;
        }
        if (i > 0 && b->first < w->buckets[i - 1].summary.last) {
            increase += w->buckets[i - 1].summary.last;
        }
        *notes |= w->buckets[i].estimates & RUN_INCREASE_ESTIMATED ? TIER_NOTE_ESTIMATED : 0;
    }
    return increase;
}

static uint64_t total_count(const struct bucket_window *w)
{
    uint64_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        count += w->buckets[i].summary.count;
    }
    return count;
}

static double extrapolated(struct range_operator *op, const struct bucket_window *w, bool counter,
    bool per_second, unsigned *notes, bool *absent)
{
    const struct run_summary *first = &w->buckets[0].summary;
    const struct run_summary *last = &w->buckets[w->count - 1].summary;
    const struct range_extent x = {.first_t = first->first_t,
        .last_t = last->last_t,
        .count = total_count(w),
        .first = first->first,
        .increase = counter ? total_increase(w, notes) : last->last - first->first};
    *absent = x.count < 2;
    if (*absent) {
        return NAN;
    }
    /* A window that cuts buckets is moved to their borders: its increase is scaled back to its length. */
    int64_t length = w->window.end - w->window.start;
    double value = range_extrapolate(op, &x, &w->window, counter, per_second);
    return length == op->range_ms ? value : value * ((double)op->range_ms / (double)length);
}

static double tier_rate(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return extrapolated(op, w, true, true, notes, absent);
}

static double tier_increase(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return extrapolated(op, w, true, false, notes, absent);
}

static double tier_delta(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return extrapolated(op, w, false, false, notes, absent);
}

/* Inside a bucket only that something changed is known, not how often. */
static double tier_changes(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    double changes = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct run_summary *b = &w->buckets[i].summary;
        bool inside = b->min != b->max;
        changes += inside;
        *notes |= inside ? TIER_NOTE_LOWER : 0;
        changes += i > 0 && b->first != w->buckets[i - 1].summary.last;
    }
    return changes;
}

static double tier_resets(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    double resets = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct run_summary *b = &w->buckets[i].summary;
        bool inside = b->increase != b->last - b->first ||
                      (w->buckets[i].estimates & RUN_INCREASE_ESTIMATED) != 0;
        resets += inside;
        *notes |= inside ? TIER_NOTE_LOWER : 0;
        resets += i > 0 && b->first < w->buckets[i - 1].summary.last;
    }
    return resets;
}

/* ---- Sums, extremes, ends ---- */

static double total_sum(const struct bucket_window *w, unsigned *notes)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < w->count; i++) {
        kahan_add(w->buckets[i].summary.sum, &sum, &lost);
        *notes |= w->buckets[i].estimates & RUN_SUM_ESTIMATED ? TIER_NOTE_ESTIMATED : 0;
    }
    return isinf(sum) ? sum : sum + lost;
}

static double tier_sum(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return total_sum(w, notes);
}

static double tier_avg(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return total_sum(w, notes) / (double)total_count(w);
}

/* The bucket with the least (greatest) sample, the first or the last of equals; NaN gives way. */
static const struct run_summary *extreme_bucket(
    const struct bucket_window *w, bool greatest, bool last_of_equals)
{
    const struct run_summary *found = &w->buckets[0].summary;
    for (size_t i = 1; i < w->count; i++) {
        const struct run_summary *b = &w->buckets[i].summary;
        double now = greatest ? b->max : b->min, best = greatest ? found->max : found->min;
        bool better = greatest ? now > best : now < best;
        found = better || isnan(best) || (last_of_equals && now == best) ? b : found;
    }
    return found;
}

static double tier_min(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return extreme_bucket(w, false, false)->min;
}

static double tier_max(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return extreme_bucket(w, true, false)->max;
}

static double tier_ts_of_min(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    *notes |= TIER_NOTE_TIMES;
    return (double)extreme_bucket(w, false, true)->last_t / 1000;
}

static double tier_ts_of_max(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    *notes |= TIER_NOTE_TIMES;
    return (double)extreme_bucket(w, true, true)->last_t / 1000;
}

static double tier_count(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return (double)total_count(w);
}

static double tier_present(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return 1;
}

static double tier_first(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return w->buckets[0].summary.first;
}

static double tier_last(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return w->buckets[w->count - 1].summary.last;
}

static double tier_ts_of_first(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return (double)w->buckets[0].summary.first_t / 1000;
}

static double tier_ts_of_last(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    return (double)w->buckets[w->count - 1].summary.last_t / 1000;
}

/* ---- Quantiles ---- */

/* Adds the values of a bucket; one without a sketch counts as its last sample, unless all are equal. */
static int add_to_sketch(struct sketch *s, const struct sample_bucket *b, unsigned *notes)
{
    const struct run_summary *x = &b->summary;
    if (b->sketch != NULL) {
        *notes |= TIER_NOTE_SKETCH;
        return sketch_merge(s, b->sketch);
    }
    uint64_t times = x->min == x->max ? x->count : 1;
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < times; i++) {
        status = sketch_add(s, x->last);
    }
    *notes |= x->count > times ? TIER_NOTE_LAST : TIER_NOTE_SKETCH;
    return status;
}

static double tier_quantile(
    struct range_operator *op, const struct bucket_window *w, unsigned *notes, bool *absent)
{
    struct sketch s;
    double q = op->scalars[0][w->window.step];
    int status = range_judge_quantile(op, q);
    sketch_init(&s);
    for (size_t i = 0; status == 0 && i < w->count; i++) {
        status = add_to_sketch(&s, &w->buckets[i], notes);
    }
    double value = status == 0 ? sketch_quantile(&s, q) : NAN;
    *w->status = status;
    *w->schema = s.schema < *w->schema ? s.schema : *w->schema;
    if (isfinite(value)) {
        double least = extreme_bucket(w, false, false)->min;
        double most = extreme_bucket(w, true, false)->max;
        value = value < least ? least : value > most ? most : value;
    }
    sketch_release(&s);
    return value;
}

/* ---- The table ---- */

static const struct {
    enum function_id id;
    tier_step step;
} rows[] = {
    {FUNCTION_RATE, tier_rate},
    {FUNCTION_INCREASE, tier_increase},
    {FUNCTION_DELTA, tier_delta},
    {FUNCTION_CHANGES, tier_changes},
    {FUNCTION_RESETS, tier_resets},
    {FUNCTION_SUM_OVER_TIME, tier_sum},
    {FUNCTION_AVG_OVER_TIME, tier_avg},
    {FUNCTION_MIN_OVER_TIME, tier_min},
    {FUNCTION_MAX_OVER_TIME, tier_max},
    {FUNCTION_TS_OF_MIN_OVER_TIME, tier_ts_of_min},
    {FUNCTION_TS_OF_MAX_OVER_TIME, tier_ts_of_max},
    {FUNCTION_COUNT_OVER_TIME, tier_count},
    {FUNCTION_PRESENT_OVER_TIME, tier_present},
    {FUNCTION_ABSENT_OVER_TIME, tier_present},
    {FUNCTION_FIRST_OVER_TIME, tier_first},
    {FUNCTION_LAST_OVER_TIME, tier_last},
    {FUNCTION_TS_OF_FIRST_OVER_TIME, tier_ts_of_first},
    {FUNCTION_TS_OF_LAST_OVER_TIME, tier_ts_of_last},
    {FUNCTION_QUANTILE_OVER_TIME, tier_quantile},
};

static tier_step step_of(enum function_id id)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].id == id) {
            return rows[i].step;
        }
    }
    return NULL;
}

/* ---- What is said ---- */

static const char *resolution_text(int64_t resolution_ms)
{
    return resolution_ms >= 60 * 60 * 1000 ? "1h" : "5m";
}

/* What a sketch's resolution makes of a quantile, in percent, rounded up: a bound. A sketch of values that
 * spread over many decades is a coarser one. */
static void describe_sketch(int32_t schema, char *out, size_t size)
{
    double percent = ceil(sketch_error(schema) * 1000) / 10;
    (void)snprintf(out, size, "quantiles%s are within %.1f %% of the value",
        schema < SKETCH_SCHEMA ? " of widely spread values" : "", percent);
}

/* `schema` is the lowest of the sketches that were asked. */
static int annotate(
    struct range_operator *op, unsigned notes, int32_t schema, int64_t resolution_ms)
{
    char sketch_text[96] = "";
    if (notes & TIER_NOTE_SKETCH) {
        describe_sketch(schema, sketch_text, sizeof(sketch_text));
    }
    const struct {
        enum tier_note note;
        const char *text;
    } sentences[] = {
        {TIER_NOTE_EARLY, "windows begin and end at buckets, up to one bucket early"},
        {TIER_NOTE_ESTIMATED, "sums of counters and increases of gauges are estimates from the "
                              "first and last sample of each bucket"},
        {TIER_NOTE_SKETCH, sketch_text},
        {TIER_NOTE_LOWER, "there are at least as many as counted"},
        {TIER_NOTE_TIMES, "times are those of the last sample of the bucket"},
        {TIER_NOTE_LAST, "only the last sample of each bucket is kept"},
    };
    const char *function = op->node.expr->call.function->name;
    const char *resolution = resolution_text(resolution_ms);
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        if (notes & sentences[i].note) {
            status = query_annotate(op->node.query, ANNOTATION_INFO, op->annotated,
                "%s() reads samples downsampled to %s: %s", function, resolution,
                sentences[i].text);
        }
    }
    return status;
}

/* The border before (at or before) a time. */
static int64_t border_before(int64_t t_ms, int64_t resolution_ms)
{
    int64_t rest = t_ms % resolution_ms;
    return t_ms - rest - (rest < 0 ? resolution_ms : 0);
}

/* Moves the ends of a window that cuts buckets to their borders: true when it does. The buckets of a window
 * are those whose last sample is in it; the next one is the first beyond. */
static bool move_to_borders(
    const struct range_operator *op, const struct span *span, struct window *w)
{
    const struct sample_bucket *all = op->samples.buckets;
    const struct sample_bucket *first = &all[span->begin], *next = &all[span->end];
    bool cut_first = first->resolution_ms > 0 && first->summary.first_t <= w->start;
    bool cut_last = span->end < op->samples.bucket_count && next->resolution_ms > 0 &&
                    next->summary.first_t <= w->end;
    if (cut_first) {
        w->start = border_before(first->summary.first_t - 1, first->resolution_ms);
    }
    if (cut_last) {
        w->end = border_before(next->summary.first_t - 1, next->resolution_ms);
    }
    return cut_first || cut_last;
}

int range_tier(struct range_operator *op)
{
    const struct samples *s = &op->samples;
    tier_step step_function = step_of(op->row->id);
    bool extended = op->selector != NULL && (op->selector->anchored || op->selector->smoothed);
    if (step_function == NULL || extended || s->histogram_count > 0 ||
        s->bucket_count != s->float_count) {
        return annotate(op, TIER_NOTE_LAST, SKETCH_SCHEMA, s->tier_ms);
    }
    struct span span = {0};
    unsigned notes = 0;
    int32_t schema = SKETCH_SCHEMA;
    int status = 0;
    for (size_t step = 0; status == 0 && step < op->node.grid->steps; step++) {
        int64_t end = when_at(op->when, grid_at(op->node.grid, step));
        struct bucket_window w = {.window = {.start = end - op->range_ms, .end = end, .step = step},
            .status = &status,
            .schema = &schema};
        span_move(&span, s->float_times, s->float_count, w.window.start, w.window.end);
        w.buckets = s->buckets + span.begin;
        w.count = span.end - span.begin;
        if (w.count == 0) {
            continue;
        }
        bool absent = false;
        notes |= move_to_borders(op, &span, &w.window) ? TIER_NOTE_EARLY : 0;
        double value = step_function(op, &w, &notes, &absent);
        if (!absent) {
            op->out->kinds[step] = SAMPLE_FLOAT;
            op->out->values[step] = value;
        }
    }
    if (status != 0) {
        return query_fail(op->node.query, status, "%s", err_text(status));
    }
    status = annotate(op, notes, schema, s->tier_ms);
    return status == 0 ? 1 : status;
}
