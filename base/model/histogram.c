/* Native histograms as values: copying, checking, comparing, walking. Arithmetic for queries is the
 * engine's. */
#include "model/histogram.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fpconv.h"
#include "model/sample.h"

static bool dup_side(struct histogram_buckets *side, struct arena *arena)
{
    side->spans = arena_dup(arena, side->spans, side->span_count * sizeof(*side->spans));
    side->counts = arena_dup(arena, side->counts, side->count * sizeof(*side->counts));
    return side->spans != NULL && side->counts != NULL;
}

struct histogram *histogram_dup(const struct histogram *h, struct arena *arena)
{
    struct histogram *copy = arena_dup(arena, h, sizeof(*h));
    if (copy == NULL) {
        return NULL;
    }
    copy->custom_values =
        arena_dup(arena, h->custom_values, h->custom_count * sizeof(*h->custom_values));
    if (copy->custom_values == NULL || !dup_side(&copy->positive, arena) ||
        !dup_side(&copy->negative, arena)) {
        return NULL;
    }
    return copy;
}

/* Indexes of buckets, and one before and behind, are int32: the walk counts in them. */
static bool side_fits(const struct histogram_buckets *side)
{
    int64_t index = 0;
    for (size_t i = 0; i < side->span_count; i++) {
        index += side->spans[i].offset;
        if (index <= INT32_MIN || index + side->spans[i].length >= INT32_MAX) {
            return false;
        }
        index += side->spans[i].length;
    }
    return true;
}

static int validate_side(
    const struct histogram_buckets *side, const char *name, bool gauge, struct err *e)
{
    uint64_t spanned = 0;
    for (size_t i = 0; i < side->span_count; i++) {
        if (i > 0 && side->spans[i].offset < 0) {
            return err_set(e, ERR_INVALID, -1,
                "%s side: span number %zu with offset %d: histogram has a span whose offset is "
                "negative",
                name, i + 1, (int)side->spans[i].offset);
        }
        spanned += side->spans[i].length;
    }
    if (spanned != side->count) {
        return err_set(e, ERR_INVALID, -1,
            "%s side: spans need %llu buckets, have %zu buckets: histogram spans specify different "
            "number of buckets than provided",
            name, (unsigned long long)spanned, side->count);
    }
    for (size_t i = 0; i < side->count && !gauge; i++) {
        if (!(side->counts[i] >= 0)) {
            return err_set(e, ERR_INVALID, -1,
                "%s side: bucket number %zu has observation count of %g: histogram has a bucket "
                "whose observation count is negative",
                name, i + 1, side->counts[i]);
        }
    }
    return 0;
}

static int validate_custom(const struct histogram *h, struct err *e)
{
    if (h->negative.span_count > 0 || h->negative.count > 0) {
        return err_set(
            e, ERR_INVALID, -1, "custom buckets: must not have negative spans or buckets");
    }
    if (h->zero_count != 0 || h->zero_threshold != 0) {
        return err_set(e, ERR_INVALID, -1, "custom buckets: must not have a zero bucket");
    }
    for (size_t i = 0; i < h->custom_count; i++) {
        double bound = h->custom_values[i];
        if (isnan(bound) || (i > 0 && !(h->custom_values[i - 1] < bound)) ||
            (isinf(bound) && bound > 0)) {
            return err_set(e, ERR_INVALID, -1,
                "custom buckets: bound %zu is not greater than the one before it, or not finite",
                i + 1);
        }
    }
    int64_t index = 0;
    for (size_t i = 0; i < h->positive.span_count; i++) {
        index += (int64_t)h->positive.spans[i].offset + h->positive.spans[i].length;
        if ((i == 0 && h->positive.spans[i].offset < 0) || index > (int64_t)h->custom_count + 1) {
            return err_set(e, ERR_INVALID, -1,
                "custom buckets: only %zu custom bounds defined which is insufficient to cover "
                "total span length of %lld: histogram custom bounds are too few",
                h->custom_count, (long long)index);
        }
    }
    return 0;
}

int histogram_validate(const struct histogram *h, struct err *e)
{
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (!custom && (h->schema < HISTOGRAM_SCHEMA_MIN || h->schema > HISTOGRAM_SCHEMA_MAX)) {
        return err_set(e, ERR_INVALID, -1,
            "schema %d is unknown (accepted: %d to %d, and %d for custom buckets)", (int)h->schema,
            HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_SCHEMA_CUSTOM);
    }
    if (h->positive.count > HISTOGRAM_BUCKETS_MAX || h->negative.count > HISTOGRAM_BUCKETS_MAX) {
        return err_set(
            e, ERR_INVALID, -1, "a histogram has more than %d buckets", HISTOGRAM_BUCKETS_MAX);
    }
    if (!custom && h->custom_count > 0) {
        return err_set(e, ERR_INVALID, -1, "custom bounds in a histogram of an exponential schema");
    }
    bool gauge = h->reset_hint == HISTOGRAM_GAUGE;
    int status = custom ? validate_custom(h, e) : 0;
    if (status == 0) {
        status = validate_side(&h->negative, "negative", gauge, e);
    }
    if (status == 0) {
        status = validate_side(&h->positive, "positive", gauge, e);
    }
    if (status == 0 && !histogram_can_be_walked(h)) {
        return err_set(e, ERR_INVALID, -1, "an index of a bucket does not fit 32 bits");
    }
    return status;
}

static bool bits_eq(const double *a, const double *b, size_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof(*a)) == 0;
}

static bool side_eq(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    if (a->span_count != b->span_count || a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->span_count; i++) {
        if (a->spans[i].offset != b->spans[i].offset || a->spans[i].length != b->spans[i].length) {
            return false;
        }
    }
    return bits_eq(a->counts, b->counts, a->count);
}

bool histogram_eq(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->reset_hint == b->reset_hint && a->integer == b->integer &&
           double_bits(a->zero_threshold) == double_bits(b->zero_threshold) &&
           double_bits(a->zero_count) == double_bits(b->zero_count) &&
           double_bits(a->count) == double_bits(b->count) &&
           double_bits(a->sum) == double_bits(b->sum) && side_eq(&a->positive, &b->positive) &&
           side_eq(&a->negative, &b->negative) && a->custom_count == b->custom_count &&
           bits_eq(a->custom_values, b->custom_values, a->custom_count);
}

bool histogram_can_be_walked(const struct histogram *h)
{
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    bool known = custom || (h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX);
    return known && (!custom || h->negative.span_count == 0) && side_fits(&h->positive) &&
           side_fits(&h->negative);
}

/* ---- Walking ---- */

enum walk_stage { WALK_NEGATIVE, WALK_ZERO, WALK_POSITIVE, WALK_DONE };

static double custom_bound(const struct histogram *h, int32_t index)
{
    if (index < 0) {
        return -INFINITY;
    }
    return (size_t)index < h->custom_count ? h->custom_values[index] : INFINITY;
}

/* Positions the walk on the first bucket of the positive side, or on the last of the negative one,
 * since ascending values mean descending indexes there. */
static void enter_stage(struct histogram_walk *w, int stage)
{
    const struct histogram *h = w->histogram;
    w->stage = stage;
    w->span = 0;
    w->in_span = 0;
    w->position = 0;
    w->index = 0;
    if (stage == WALK_POSITIVE && h->positive.span_count > 0) {
        w->index = h->positive.spans[0].offset;
    }
    if (stage == WALK_NEGATIVE) {
        for (size_t i = 0; i < h->negative.span_count; i++) {
            w->index += h->negative.spans[i].offset + (int32_t)h->negative.spans[i].length;
        }
        w->span = h->negative.span_count;
        w->position = h->negative.count;
        w->in_span = w->span > 0 ? h->negative.spans[w->span - 1].length : 0;
    }
}

void histogram_walk_begin(struct histogram_walk *w, const struct histogram *h)
{
    *w = (struct histogram_walk){.histogram = h};
    enter_stage(w, WALK_NEGATIVE);
}

static bool next_negative(struct histogram_walk *w, struct histogram_bucket *bucket_out)
{
    const struct histogram_buckets *side = &w->histogram->negative;
    while (w->span > 0 && w->in_span == 0) {
        w->index -= side->spans[w->span - 1].offset;
        w->span--;
        w->in_span = w->span > 0 ? side->spans[w->span - 1].length : 0;
    }
    if (w->span == 0) {
        return false;
    }
    w->in_span--;
    w->index--;
    w->position--;
    *bucket_out = (struct histogram_bucket){
        .lower = -histogram_bound(w->index, w->histogram->schema),
        .upper = -histogram_bound((int64_t)w->index - 1, w->histogram->schema),
        .lower_inclusive = true,
        .count = side->counts[w->position],
        .index = w->index,
    };
    return true;
}

static bool next_positive(struct histogram_walk *w, struct histogram_bucket *bucket_out)
{
    const struct histogram *h = w->histogram;
    const struct histogram_buckets *side = &h->positive;
    while (w->span < side->span_count && w->in_span == side->spans[w->span].length) {
        w->span++;
        w->in_span = 0;
        w->index += w->span < side->span_count ? side->spans[w->span].offset : 0;
    }
    if (w->span == side->span_count) {
        return false;
    }
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    *bucket_out = (struct histogram_bucket){
        .lower = custom ? custom_bound(h, w->index - 1)
                        : histogram_bound((int64_t)w->index - 1, h->schema),
        .upper = custom ? custom_bound(h, w->index) : histogram_bound(w->index, h->schema),
        .lower_inclusive = custom && w->index == 0,
        .upper_inclusive = true,
        .count = side->counts[w->position],
        .index = w->index,
    };
    w->in_span++;
    w->index++;
    w->position++;
    return true;
}

/* The zero bucket comes first where an exponential bucket reaches into it. */
static bool clipped(const struct histogram *h, struct histogram_bucket *b)
{
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM) {
        if (b->upper < 0 && b->upper > -h->zero_threshold) {
            b->upper = -h->zero_threshold;
        } else if (b->lower > 0 && b->lower < h->zero_threshold) {
            b->lower = h->zero_threshold;
        }
    }
    return true;
}

bool histogram_walk_next(struct histogram_walk *w, struct histogram_bucket *bucket_out)
{
    const struct histogram *h = w->histogram;
    if (w->stage == WALK_NEGATIVE) {
        if (next_negative(w, bucket_out)) {
            return clipped(h, bucket_out);
        }
        w->stage = WALK_ZERO;
    }
    if (w->stage == WALK_ZERO) {
        enter_stage(w, WALK_POSITIVE);
        if (h->zero_count > 0) {
            *bucket_out = (struct histogram_bucket){
                .lower = -h->zero_threshold,
                .upper = h->zero_threshold,
                .lower_inclusive = true,
                .upper_inclusive = true,
                .count = h->zero_count,
            };
            return true;
        }
    }
    if (w->stage == WALK_POSITIVE && next_positive(w, bucket_out)) {
        return clipped(h, bucket_out);
    }
    w->stage = WALK_DONE;
    return false;
}

static void write_number(struct strbuf *out, double value)
{
    char *room = strbuf_reserve(out, FP_TEXT_MAX);
    if (room != NULL) {
        strbuf_commit(out, fp_format_short(value, room));
    }
}

void histogram_write(const struct histogram *h, struct strbuf *out)
{
    strbuf_add_c(out, "{count:");
    write_number(out, h->count);
    strbuf_add_c(out, ", sum:");
    write_number(out, h->sum);
    struct histogram_walk walk;
    struct histogram_bucket bucket;
    histogram_walk_begin(&walk, h);
    while (histogram_walk_next(&walk, &bucket)) {
        if (bucket.count == 0) {
            continue;
        }
        strbuf_add_c(out, bucket.lower_inclusive ? ", [" : ", (");
        write_number(out, bucket.lower);
        strbuf_add_char(out, ',');
        write_number(out, bucket.upper);
        strbuf_add_c(out, bucket.upper_inclusive ? "]:" : "):");
        write_number(out, bucket.count);
    }
    strbuf_add_char(out, '}');
}
