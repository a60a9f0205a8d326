/* Quantiles and fractions by interpolation inside the bucket that holds the rank: on a logarithmic
 * scale in exponential buckets, straight in custom and classic ones and in the zero bucket. */
#include "histogram_quantile.h"

#include <math.h>
#include <stdlib.h>

/* Counts of classic buckets closer than this, relatively, are taken as equal. */
#define COUNT_TOLERANCE 1e-12

/* ---- Native ---- */

/* A zero bucket beside buckets of one sign only reaches to zero from the other side. */
static void cut_zero_bucket(const struct histogram *h, struct histogram_bucket *b)
{
    if (h->negative.count == 0 && h->positive.count > 0) {
        b->lower = 0;
    } else if (h->positive.count == 0 && h->negative.count > 0) {
        b->upper = 0;
    }
}

static double interpolate_rank(
    const struct histogram *h, const struct histogram_bucket *b, double fraction)
{
    if (histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0)) {
        return b->lower + (b->upper - b->lower) * fraction;
    }
    double log_lower = log2(fabs(b->lower)), log_upper = log2(fabs(b->upper));
    if (b->lower > 0) {
        return exp2(log_lower + (log_upper - log_lower) * fraction);
    }
    return -exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

/* The walk from whichever end is nearer; from below when NaN observations spoil the upper end. */
struct rank_walk {
    const struct histogram_bucket *buckets;
    size_t count, visited;
    bool upwards;
};

static bool rank_next(struct rank_walk *w, struct histogram_bucket *bucket_out)
{
    if (w->visited == w->count) {
        return false;
    }
    size_t i = w->visited++;
    *bucket_out = w->buckets[w->upwards ? i : w->count - 1 - i];
    return true;
}

static double quantile_of_buckets(const struct histogram *h, double q,
    const struct histogram_bucket *buckets, size_t bucket_count, unsigned *notes)
{
    bool has_nan = isnan(h->sum);
    struct rank_walk walk = {buckets, bucket_count, 0, has_nan || q < 0.5};
    double rank = walk.upwards ? q * h->count : (1 - q) * h->count;
    double count = 0;
    struct histogram_bucket b = {0};
    while (rank_next(&walk, &b)) {
        count += b.count;
        if (b.count != 0 && count >= rank) {
            break;
        }
    }
    if (histogram_is_custom(h)) {
        if (isinf(b.lower) && b.lower < 0) {
            if (b.upper <= 0) {
                return b.upper;
            }
            b.lower = 0;
        } else if (isinf(b.upper) && b.upper > 0) {
            return b.lower;
        }
    } else if (b.lower < 0 && b.upper > 0) {
        cut_zero_bucket(h, &b);
    }
    count = count > h->count ? h->count : count;
    if (count < rank) {
        *notes |= has_nan ? QUANTILE_NOTE_NAN_RESULT : 0;
        return has_nan ? NAN : b.upper;
    }
    rank = walk.upwards ? rank - (count - b.count) : count - rank;
    if (has_nan) {
        struct histogram_bucket rest;
        while (rank_next(&walk, &rest)) {
            count += rest.count;
        }
        *notes |= count < h->count ? QUANTILE_NOTE_NAN_SKEW : 0;
    }
    return interpolate_rank(h, &b, rank / b.count);
}

int native_quantile(
    const struct histogram *h, double q, struct arena *scratch, double *value_out, unsigned *notes)
{
    if (q < 0 || q > 1) {
        *value_out = q < 0 ? -INFINITY : INFINITY;
        return 0;
    }
    if (h->count == 0 || isnan(q)) {
        *value_out = NAN;
        return 0;
    }
    struct arena_mark mark = arena_mark(scratch);
    struct histogram_bucket *buckets;
    size_t count;
    int status = histogram_buckets_of(h, scratch, &buckets, &count);
    if (status == 0) {
        *value_out = quantile_of_buckets(h, q, buckets, count, notes);
        arena_rewind(scratch, mark);
    }
    return status;
}

/* The rank of a value inside a bucket, given the count below the bucket. */
static double rank_inside(
    const struct histogram *h, const struct histogram_bucket *b, double below, double v)
{
    bool straight = histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0);
    if (straight) {
        return isinf(b->lower) ? b->count
                               : below + b->count * (v - b->lower) / (b->upper - b->lower);
    }
    double log_lower = log2(fabs(b->lower)), log_upper = log2(fabs(b->upper));
    double log_v = log2(fabs(v));
    double fraction = v > 0 ? (log_v - log_lower) / (log_upper - log_lower)
                            : 1 - ((log_v - log_upper) / (log_lower - log_upper));
    return below + b->count * fraction;
}

/* The count of observations below a value; `all` when it is above every bucket. */
static double rank_of(const struct histogram *h, const struct histogram_bucket *buckets,
    size_t count, double v, double all)
{
    double below = 0;
    for (size_t i = 0; i < count; i++) {
        struct histogram_bucket b = buckets[i];
        if (b.lower <= 0 && b.upper >= 0) {
            cut_zero_bucket(h, &b);
        }
        if (b.lower >= v) {
            return below > all ? all : below;
        }
        if (b.upper > v) {
            double rank = rank_inside(h, &b, below, v);
            return rank > all ? all : rank;
        }
        below += b.count;
    }
    return all;
}

int native_fraction(const struct histogram *h, double lower, double upper, struct arena *scratch,
    double *value_out, unsigned *notes)
{
    if (h->count == 0 || isnan(lower) || isnan(upper)) {
        *value_out = NAN;
        return 0;
    }
    if (lower >= upper) {
        *value_out = 0;
        return 0;
    }
    struct arena_mark mark = arena_mark(scratch);
    struct histogram_bucket *buckets;
    size_t count;
    int status = histogram_buckets_of(h, scratch, &buckets, &count);
    if (status != 0) {
        return status;
    }
    double all = h->count;
    if (isnan(h->sum)) {
        all = 0;
        for (size_t i = 0; i < count; i++) {
            all += buckets[i].count;
        }
        *notes |= all < h->count ? QUANTILE_NOTE_NAN_SKEW : 0;
    }
    *value_out = (rank_of(h, buckets, count, upper, all) - rank_of(h, buckets, count, lower, all)) /
                 h->count;
    arena_rewind(scratch, mark);
    return 0;
}

/* ---- Classic ---- */

static int compare_buckets(const void *left, const void *right)
{
    const struct classic_bucket *a = left, *b = right;
    return (a->upper > b->upper) - (a->upper < b->upper);
}

/* Sorts, and joins buckets of the same bound. The new count; 0 when the last bound is not +Inf. */
static size_t order_buckets(struct classic_bucket *buckets, size_t count)
{
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++) {
        sorted = buckets[i - 1].upper < buckets[i].upper;
    }
    if (!sorted) {
        qsort(buckets, count, sizeof(*buckets), compare_buckets);
    }
    if (!isinf(buckets[count - 1].upper) || buckets[count - 1].upper < 0) {
        return 0;
    }
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (buckets[i].upper == buckets[kept].upper) {
            buckets[kept].count += buckets[i].count;
        } else {
            buckets[++kept] = buckets[i];
        }
    }
    return kept + 1;
}

static bool almost_equal(double a, double b)
{
    double sum = fabs(a) + fabs(b), difference = fabs(a - b);
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308) {
        return difference < COUNT_TOLERANCE * 2.2250738585072014e-308;
    }
    return difference / (sum < 1.7976931348623157e308 ? sum : 1.7976931348623157e308) <
           COUNT_TOLERANCE;
}

/* Cumulative counts must not fall: what does is lifted to the count before. */
static void repair(struct classic_bucket *buckets, size_t count, struct classic_repair *r)
{
    *r = (struct classic_repair){.min_bucket = INFINITY, .max_bucket = -INFINITY};
    double before = buckets[0].count;
    for (size_t i = 1; i < count; i++) {
        double now = buckets[i].count;
        if (now == before || almost_equal(before, now)) {
            buckets[i].count = before;
        } else if (now < before) {
            buckets[i].count = before;
            r->forced = true;
            r->min_bucket = fmin(r->min_bucket, buckets[i].upper);
            r->max_bucket = fmax(r->max_bucket, buckets[i].upper);
            r->max_difference = fmax(r->max_difference, before - now);
        } else {
            before = now;
        }
    }
}

double classic_quantile(
    struct classic_bucket *buckets, size_t count, double q, struct classic_repair *repair_out)
{
    *repair_out = (struct classic_repair){0};
    if (isnan(q)) {
        return NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    count = order_buckets(buckets, count);
    if (count == 0) {
        return NAN;
    }
    repair(buckets, count, repair_out);
    double observations = buckets[count - 1].count;
    if (count < 2 || observations == 0) {
        return NAN;
    }
    double rank = q * observations;
    size_t b = 0;
    while (b < count - 1 && !(buckets[b].count >= rank)) {
        b++;
    }
    if (b == count - 1) {
        return buckets[count - 2].upper;
    }
    if (b == 0 && buckets[0].upper <= 0) {
        return buckets[0].upper;
    }
    double start = 0, inside = buckets[b].count;
    if (b > 0) {
        start = buckets[b - 1].upper;
        inside -= buckets[b - 1].count;
        rank -= buckets[b - 1].count;
    }
    return start + (buckets[b].upper - start) * (rank / inside);
}

/* The count of observations below a value. */
static double classic_rank(const struct classic_bucket *buckets, size_t count, double v)
{
    double below = 0, all = buckets[count - 1].count;
    double lower = buckets[0].upper <= 0 ? -INFINITY : 0;
    for (size_t i = 0; i < count; i++) {
        double upper = buckets[i].upper;
        lower = i > 0 ? buckets[i - 1].upper : lower;
        if (lower >= v) {
            return below > all ? all : below;
        }
        if (upper > v) {
            double rank = isinf(lower)
                              ? buckets[i].count
                              : below + (buckets[i].count - below) * (v - lower) / (upper - lower);
            return rank > all ? all : rank;
        }
        below = buckets[i].count;
    }
    return all;
}

double classic_fraction(struct classic_bucket *buckets, size_t count, double lower, double upper)
{
    count = order_buckets(buckets, count);
    if (count == 0 || buckets[count - 1].count == 0 || isnan(lower) || isnan(upper)) {
        return NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    return (classic_rank(buckets, count, upper) - classic_rank(buckets, count, lower)) /
           buckets[count - 1].count;
}
