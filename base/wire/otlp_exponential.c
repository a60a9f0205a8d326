/* Exponential histograms.
 *
 * OTLP's bucket i of scale s covers (base^i, base^(i+1)], base = 2^(2^-s); a native histogram's bucket of
 * schema s and index i covers (base^(i-1), base^i]. So schema = scale and index = i + 1. A step of scale
 * down joins two buckets: i becomes i >> 1. Native histograms know the scales -4 to 8; finer ones are
 * made coarser, coarser ones cannot be told.
 *
 * The zero buckets of two points may have different widths. The sum has the wider one, and what lies in
 * it counts as zero; where its edge is inside of a bucket, it grows by that bucket.
 */
#include "otlp_exponential.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"

/* What Prometheus takes when a point names no threshold. */
static const double default_zero_threshold = 1e-128;

/* Where the buckets of a side lie at a scale; empty when last < first. */
struct extent {
    int64_t first, last;
};

static void widen(struct extent *x, int64_t first, int64_t last)
{
    x->first = first < x->first ? first : x->first;
    x->last = last > x->last ? last : x->last;
}

/* The first and last bucket that count something. */
static struct extent extent_of_point(const struct otlp_buckets *buckets)
{
    struct extent x = {INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < buckets->count; i++) {
        if (buckets->counts[i] != 0) {
            int64_t index = (int64_t)buckets->offset + (int64_t)i;
            widen(&x, index, index);
        }
    }
    return x;
}

/* Buckets both have, `down` steps coarser for each. */
static struct extent joined_extent(const struct otlp_exponential_side *before, int32_t before_down,
    struct extent point, int32_t point_down)
{
    struct extent x = {INT64_MAX, INT64_MIN};
    if (before != NULL && before->count > 0) {
        int64_t last = before->first + (int64_t)before->count - 1;
        widen(&x, before->first >> before_down, last >> before_down);
    }
    if (point.last >= point.first) {
        widen(&x, point.first >> point_down, point.last >> point_down);
    }
    return x;
}

/* Steps by which a scale is left; 63 and more leave nothing of an index but its sign. */
static int32_t steps_down(int32_t from, int32_t to)
{
    return from - to < 63 ? from - to : 63;
}

static size_t extent_size(struct extent x)
{
    return x.last >= x.first ? (size_t)(x.last - x.first) + 1 : 0;
}

static void add_counts(const struct otlp_exponential *before, const struct otlp_point *point,
    struct otlp_exponential *sum)
{
    const struct otlp_buckets *buckets[2] = {&point->positive, &point->negative};
    int32_t point_down = steps_down(point->scale, sum->scale);
    for (size_t s = 0; s < 2; s++) {
        struct otlp_exponential_side *side = &sum->sides[s];
        for (size_t i = 0; before != NULL && i < before->sides[s].count; i++) {
            int64_t index = before->sides[s].first + (int64_t)i;
            side->counts[(index >> (before->scale - sum->scale)) - side->first] +=
                before->sides[s].counts[i];
        }
        for (size_t i = 0; i < buckets[s]->count; i++) {
            if (buckets[s]->counts[i] != 0) {
                int64_t index = (int64_t)buckets[s]->offset + (int64_t)i;
                side->counts[(index >> point_down) - side->first] += (double)buckets[s]->counts[i];
            }
        }
    }
}

/* The finest scale at which both sides fit; ERR_INVALID when there is none. */
static int choose_scale(const struct otlp_exponential *before, const struct otlp_point *point,
    size_t buckets_max, int32_t *scale_out, struct extent extents_out[2])
{
    const struct extent own[2] = {
        extent_of_point(&point->positive), extent_of_point(&point->negative)};
    int32_t scale = point->scale < HISTOGRAM_SCHEMA_MAX ? point->scale : HISTOGRAM_SCHEMA_MAX;
    scale = before != NULL && before->scale < scale ? before->scale : scale;
    for (; scale >= HISTOGRAM_SCHEMA_MIN; scale--) {
        int32_t down = steps_down(point->scale, scale);
        bool fits = true;
        for (size_t s = 0; s < 2; s++) {
            extents_out[s] = joined_extent(before != NULL ? &before->sides[s] : NULL,
                before != NULL ? before->scale - scale : 0, own[s], down);
            fits = fits && extent_size(extents_out[s]) <= buckets_max;
        }
        if (fits) {
            *scale_out = scale;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* Moves what a side has in the zero bucket into it. */
static void join_zero_bucket(struct otlp_exponential *sum, struct otlp_exponential_side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        int64_t index = side->first + (int64_t)i;
        if (side->counts[i] == 0) {
            continue;
        }
        if (histogram_bound(index, sum->scale) >= sum->zero_threshold) {
            return;
        }
        double upper = histogram_bound(index + 1, sum->scale);
        sum->zero_threshold = upper > sum->zero_threshold ? upper : sum->zero_threshold;
        sum->zero_count += side->counts[i];
        side->counts[i] = 0;
    }
}

/* The wider zero bucket of both. */
static void set_zero_bucket(
    const struct otlp_exponential *before, double threshold, struct otlp_exponential *sum)
{
    sum->zero_threshold = threshold;
    if (before == NULL || before->zero_threshold == threshold) {
        return;
    }
    if (before->zero_threshold > threshold) {
        sum->zero_threshold = before->zero_threshold;
    }
    join_zero_bucket(sum, &sum->sides[0]);
    join_zero_bucket(sum, &sum->sides[1]);
    join_zero_bucket(sum, &sum->sides[0]); /* the other may have made it wider */
}

bool otlp_exponential_counts_fit(const struct otlp_point *point)
{
    const struct otlp_buckets *sides[2] = {&point->positive, &point->negative};
    uint64_t total = point->zero_count;
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sides[s]->count; i++) {
            if (__builtin_add_overflow(total, sides[s]->counts[i], &total)) {
                return false;
            }
        }
    }
    return isnan(point->sum) ? total <= point->count : total == point->count;
}

int otlp_exponential_add(const struct otlp_exponential *before, const struct otlp_point *point,
    size_t buckets_max, struct otlp_exponential **sum_out)
{
    struct extent extents[2];
    int32_t scale;
    if (point->scale > INT16_MAX) {
        return ERR_INVALID; /* no scale that anybody has; and steps can be counted */
    }
    int status = choose_scale(before, point, buckets_max, &scale, extents);
    if (status != 0) {
        return status;
    }
    size_t positive = extent_size(extents[0]), negative = extent_size(extents[1]);
    struct otlp_exponential *sum =
        mem_calloc(1, sizeof(*sum) + (positive + negative) * sizeof(double));
    if (sum == NULL) {
        return ERR_NOMEM;
    }
    double *counts = (double *)(sum + 1);
    double threshold = point->zero_threshold > 0 ? point->zero_threshold : default_zero_threshold;
    sum->scale = scale;
    sum->zero_count = (double)point->zero_count + (before != NULL ? before->zero_count : 0);
    sum->count = (double)point->count + (before != NULL ? before->count : 0);
    sum->sum = (point->has_sum ? point->sum : 0) + (before != NULL ? before->sum : 0);
    sum->sides[0] = (struct otlp_exponential_side){extents[0].first, positive, counts};
    sum->sides[1] = (struct otlp_exponential_side){extents[1].first, negative, counts + positive};
    add_counts(before, point, sum);
    set_zero_bucket(before, threshold, sum);
    *sum_out = sum;
    return 0;
}

/* Runs of buckets that count become spans. */
static int make_side(
    const struct otlp_exponential_side *side, struct arena *arena, struct histogram_buckets *out)
{
    struct histogram_span *spans = arena_calloc(arena, side->count, sizeof(*spans));
    double *counts = arena_calloc(arena, side->count, sizeof(*counts));
    if (spans == NULL || counts == NULL) {
        return arena_error(arena);
    }
    if (side->count > 0 &&
        (side->first + 1 < INT32_MIN || side->first + (int64_t)side->count + 1 > INT32_MAX)) {
        return ERR_INVALID;
    }
    int64_t next = 0; /* index behind the last span */
    for (size_t i = 0; i < side->count; i++) {
        int64_t index = side->first + (int64_t)i + 1;
        if (side->counts[i] == 0) {
            continue;
        }
        if (out->span_count == 0 || index != next) {
            spans[out->span_count++] = (struct histogram_span){(int32_t)(index - next), 0};
        }
        spans[out->span_count - 1].length++;
        counts[out->count++] = side->counts[i];
        next = index + 1;
    }
    out->spans = spans;
    out->counts = counts;
    return 0;
}

int otlp_exponential_to_native(
    const struct otlp_exponential *x, struct arena *arena, const struct histogram **histogram_out)
{
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    if (h == NULL) {
        return arena_error(arena);
    }
    h->schema = x->scale;
    h->integer = true;
    h->zero_threshold = x->zero_threshold;
    h->zero_count = x->zero_count;
    h->count = x->count;
    h->sum = x->sum;
    int status = make_side(&x->sides[0], arena, &h->positive);
    if (status == 0) {
        status = make_side(&x->sides[1], arena, &h->negative);
    }
    if (status == 0) {
        status = histogram_validate(h, NULL);
    }
    if (status == 0) {
        *histogram_out = h;
    }
    return status;
}
