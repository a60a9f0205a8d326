/* Buckets; see the header. */
#include "tier/rollup.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "model/sample.h"

void rollup_init(struct rollup *r, int64_t resolution_ms, bool with_sketches)
{
    *r = (struct rollup){.resolution_ms = resolution_ms, .with_sketches = with_sketches};
    sketch_init(&r->sketch);
    arena_init(&r->arena, 0);
}

void rollup_release(struct rollup *r)
{
    mem_free(r->ends);
    mem_free(r->buckets);
    mem_free(r->sketches);
    sketch_release(&r->sketch);
    arena_release(&r->arena);
    rollup_init(r, r->resolution_ms, r->with_sketches);
}

void rollup_reset(struct rollup *r)
{
    r->count = 0;
    r->samples = r->falls = 0;
    arena_release(&r->arena);
    sketch_reset(&r->sketch);
}

int64_t rollup_bucket_end(int64_t t_ms, int64_t resolution_ms)
{
    int64_t rest = t_ms % resolution_ms;
    if (rest == 0) {
        return t_ms;
    }
    return t_ms - rest + (rest > 0 ? resolution_ms : 0);
}

/* As the engine's: a sum that overflows keeps no loss, so that it stays infinite and not NaN. */
static void add_compensated(double term, double *value, double *lost)
{
    double sum = *value + term;
    if (isinf(sum)) {
        *lost = 0;
    } else if (fabs(*value) >= fabs(term)) {
        *lost += (*value - sum) + term;
    } else {
        *lost += (term - sum) + *value;
    }
    *value = sum;
}

static int close_bucket(struct rollup *r)
{
    if (r->count == 0) {
        return 0;
    }
    struct run_summary *b = &r->buckets[r->count - 1];
    b->increase += b->last - b->first;
    if (r->constant) {
        b->sum = (double)b->count * b->last;
        b->increase = isfinite(b->last) ? 0 : b->last - b->first;
    } else if (!isinf(b->sum)) {
        b->sum += r->lost;
    }
    if (!r->with_sketches) {
        return 0;
    }
    struct histogram *h = NULL;
    int status = sketch_histogram(&r->sketch, &r->arena, &h);
    r->sketches[r->count - 1] = h;
    sketch_reset(&r->sketch);
    return status;
}

static int open_bucket(struct rollup *r, int64_t end, int64_t t_ms, double value)
{
    int status = close_bucket(r);
    size_t needed = r->count + 1;
    if (status == 0) {
        status = mem_array_grow(
            (void **)&r->ends, &r->ends_cap, needed, sizeof(*r->ends), ROLLUP_BUCKETS_MAX);
    }
    if (status == 0) {
        status = mem_array_grow(
            (void **)&r->buckets, &r->buckets_cap, needed, sizeof(*r->buckets), ROLLUP_BUCKETS_MAX);
    }
    if (status == 0 && r->with_sketches) {
        status = mem_array_grow((void **)&r->sketches, &r->sketches_cap, needed,
            sizeof(*r->sketches), ROLLUP_BUCKETS_MAX);
    }
    if (status == 0) {
        r->ends[r->count] = end;
        r->buckets[r->count++] = (struct run_summary){
            .min = value, .max = value, .first = value, .last = value, .first_t = t_ms};
        r->lost = 0;
        r->constant = true;
    }
    return status;
}

/* NaN gives way to everything. */
static double lesser(double a, double b)
{
    return b < a || isnan(a) ? b : a;
}

static double greater(double a, double b)
{
    return b > a || isnan(a) ? b : a;
}

static int add_one(struct rollup *r, int64_t t_ms, double value)
{
    int64_t end = rollup_bucket_end(t_ms, r->resolution_ms);
    int status = 0;
    if (r->count == 0 || r->ends[r->count - 1] != end) {
        status = open_bucket(r, end, t_ms, value);
    }
    if (status == 0 && r->with_sketches) {
        status = sketch_add(&r->sketch, value);
    }
    if (status != 0) {
        return status;
    }
    struct run_summary *b = &r->buckets[r->count - 1];
    if (value < b->last) {
        b->increase += b->last; // only what resets hid, until the bucket is closed
        r->falls++;
    }
    r->constant = r->constant && double_bits(value) == double_bits(b->last);
    b->min = lesser(b->min, value);
    b->max = greater(b->max, value);
    b->last = value;
    b->last_t = t_ms;
    b->count++;
    add_compensated(value, &b->sum, &r->lost);
    r->samples++;
    return 0;
}

int rollup_add(struct rollup *r, const int64_t *times, const double *values, size_t count)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (!value_is_stale(values[i])) {
            status = add_one(r, times[i], values[i]);
        }
    }
    return status;
}

int rollup_finish(struct rollup *r)
{
    return close_bucket(r);
}

/* ---- Native histograms ---- */

static bool same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema &&
           double_bits(a->zero_threshold) == double_bits(b->zero_threshold) &&
           a->custom_count == b->custom_count &&
           (a->custom_count == 0 || memcmp(a->custom_values, b->custom_values,
                                        a->custom_count * sizeof(*a->custom_values)) == 0);
}

/* A side as a list of (index, count), one at a time. */
struct side_walk {
    const struct histogram_buckets *side;
    size_t span, at;
    uint32_t in_span;
    int64_t index;
};

static bool side_next(struct side_walk *w, int64_t *index_out, double *count_out)
{
    while (w->span < w->side->span_count && w->in_span == w->side->spans[w->span].length) {
        w->span++;
        w->in_span = 0;
    }
    if (w->span == w->side->span_count) {
        return false;
    }
    w->index += w->in_span == 0 ? w->side->spans[w->span].offset : 0;
    *index_out = w->index++;
    *count_out = w->side->counts[w->at++];
    w->in_span++;
    return true;
}

/* Is any bucket of `now` below what it was? */
static bool side_fell(const struct histogram_buckets *before, const struct histogram_buckets *now)
{
    struct side_walk a = {.side = before}, b = {.side = now};
    int64_t was_at = 0, is_at = 0;
    double was = 0, is = 0;
    bool more = side_next(&b, &is_at, &is);
    while (side_next(&a, &was_at, &was)) {
        while (more && is_at < was_at) {
            more = side_next(&b, &is_at, &is);
        }
        if (was > 0 && !(more && is_at == was_at && is >= was)) {
            return true;
        }
    }
    return false;
}

static bool may_be_reset(const struct histogram *before, const struct histogram *now)
{
    return now->reset_hint == HISTOGRAM_RESET_YES || !same_layout(before, now) ||
           !(now->count >= before->count) || !(now->zero_count >= before->zero_count) ||
           side_fell(&before->positive, &now->positive) ||
           side_fell(&before->negative, &now->negative);
}

void rollup_thin_histograms(const int64_t *times, const struct histogram *const *histograms,
    size_t count, int64_t resolution_ms, bool *keep)
{
    size_t before = SIZE_MAX; // the sample before that is not stale
    int64_t bucket = 0;
    for (size_t i = 0; i < count; i++) {
        keep[i] = false;
        if (value_is_stale(histograms[i]->sum)) {
            continue;
        }
        int64_t end = rollup_bucket_end(times[i], resolution_ms);
        bool first = before == SIZE_MAX || end != bucket;
        if (first || may_be_reset(histograms[before], histograms[i])) {
            keep[i] = true;
            if (before != SIZE_MAX) {
                keep[before] = true; // the last of its bucket, or what stood before a reset
            }
        }
        before = i;
        bucket = end;
    }
    if (before != SIZE_MAX) {
        keep[before] = true;
    }
}
