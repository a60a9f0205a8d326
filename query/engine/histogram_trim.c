/* Cutting histograms at a value, and their buckets in order. What is left of a cut bucket is estimated
 * by interpolation: straight in custom buckets and the zero bucket, on a logarithmic scale in
 * exponential ones. The sum is estimated from the middles of what is left. */
#include <float.h>
#include <math.h>

#include "histogram_math.h"

double histogram_upper_bound(const struct histogram *h, int32_t index)
{
    if (!histogram_is_custom(h)) {
        return histogram_bound(index, h->schema);
    }
    if (index < 0) {
        return -INFINITY;
    }
    return (size_t)index < h->custom_count ? h->custom_values[index] : INFINITY;
}

static double finite_bound(double bound)
{
    return isinf(bound) ? copysign(DBL_MAX, bound) : bound;
}

int histogram_buckets_of(const struct histogram *h, struct arena *arena,
    struct histogram_bucket **buckets_out, size_t *count_out)
{
    size_t most = h->positive.count + h->negative.count + 1, count = 0;
    struct histogram_bucket *buckets = arena_alloc(arena, most * sizeof(*buckets));
    if (buckets == NULL) {
        return arena_error(arena);
    }
    struct histogram_walk walk;
    histogram_walk_begin(&walk, h);
    while (count < most && histogram_walk_next(&walk, &buckets[count])) {
        struct histogram_bucket *b = &buckets[count++];
        if (histogram_is_custom(h)) {
            continue;
        }
        b->lower = finite_bound(b->lower);
        b->upper = finite_bound(b->upper);
    }
    *buckets_out = buckets;
    *count_out = count;
    return 0;
}

/* ---- Trimming ---- */

struct trim {
    double at;
    bool upper; /* drop what is above */
    bool custom;
    double count, sum; /* of what is left */
    bool changed;
};

static double middle(double lower, double upper, bool positive, bool straight)
{
    if (isinf(lower)) {
        return isinf(upper) ? 0 : upper > 0 ? upper / 2 : upper;
    }
    if (isinf(upper)) {
        return lower;
    }
    if (straight) {
        return (lower + upper) / 2;
    }
    double geometric = sqrt(fabs(lower * upper));
    return positive ? geometric : -geometric;
}

static double zero_if_infinite(double x)
{
    return isinf(x) ? 0 : x;
}

/* What is kept of a bucket that has no lower end. */
static double keep_from_minus_infinity(
    const struct trim *t, double upper, double count, double *mid)
{
    double at = t->at;
    if (t->upper) {
        if (at >= upper) {
            return *mid = 0, count;
        }
        if (at > 0 && upper > 0 && !isinf(upper)) {
            return *mid = at / 2, count * at / upper;
        }
        if (upper <= 0) {
            return *mid = at, count;
        }
        return *mid = zero_if_infinite(upper), 0;
    }
    if (at <= -INFINITY) {
        return *mid = 0, count;
    }
    if (at >= 0 && upper > at && !isinf(upper)) {
        return *mid = (at + upper) / 2, count * (1 - at / upper);
    }
    return *mid = zero_if_infinite(upper), 0;
}

static double keep_to_infinity(const struct trim *t, double lower, double count, double *mid)
{
    if (!t->upper && t->at >= lower) {
        return *mid = t->at, count;
    }
    return *mid = zero_if_infinite(lower), 0;
}

static double fraction_below(double lower, double upper, double v, bool straight)
{
    if (straight) {
        return (v - lower) / (upper - lower);
    }
    double log_lower = log2(fabs(lower)), log_upper = log2(fabs(upper)), log_v = log2(fabs(v));
    if (v > 0) {
        return (log_v - log_lower) / (log_upper - log_lower);
    }
    return 1 - ((log_v - log_upper) / (log_lower - log_upper));
}

/* What is kept of a bucket that the value cuts. */
static double keep_of_cut(
    const struct trim *t, double lower, double upper, double count, bool positive, double *mid)
{
    if (isinf(lower) && lower < 0) {
        return keep_from_minus_infinity(t, upper, count, mid);
    }
    if (isinf(upper) && upper > 0) {
        return keep_to_infinity(t, lower, count, mid);
    }
    double below = t->at <= lower   ? 0
                   : t->at >= upper ? count
                                    : count * fraction_below(lower, upper, t->at, t->custom);
    *mid = t->upper ? middle(lower, t->at, positive, t->custom)
                    : middle(t->at, upper, positive, t->custom);
    return t->upper ? below : count - below;
}

/* Trims one side and says whether it had anything. */
static bool trim_side(
    struct trim *t, struct bucket_list *list, const struct histogram *h, bool positive)
{
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        double count = list->counts[i], kept = 0, mid = 0;
        if (count == 0) {
            continue;
        }
        any = true;
        double outer = histogram_upper_bound(h, list->indexes[i]);
        double inner = histogram_upper_bound(h, list->indexes[i] - 1);
        double lower = positive ? inner : -outer, upper = positive ? outer : -inner;
        if (t->upper ? upper <= t->at : lower >= t->at) {
            kept = count;
            mid = middle(lower, upper, positive, t->custom);
        } else if (t->upper ? lower < t->at : upper > t->at) {
            kept = keep_of_cut(t, lower, upper, count, positive, &mid);
        }
        t->count += kept;
        t->sum += kept != 0 ? mid * kept : 0;
        t->changed = t->changed || kept != count;
        list->counts[i] = kept;
    }
    return any;
}

/* A zero bucket beside one side only reaches from zero to that side. */
static void trim_zero(struct trim *t, struct histogram_sum *s, bool positive, bool negative)
{
    double lower = positive && !negative ? 0 : -s->zero_threshold;
    double upper = negative && !positive ? 0 : s->zero_threshold;
    double fraction, mid;
    if (t->at <= lower) {
        fraction = t->upper ? 0 : 1;
        mid = t->upper ? 0 : (lower + upper) / 2;
    } else if (t->at >= upper) {
        fraction = t->upper ? 1 : 0;
        mid = t->upper ? (lower + upper) / 2 : 0;
    } else {
        fraction = (t->upper ? t->at - lower : upper - t->at) / (upper - lower);
        mid = (t->upper ? lower + t->at : t->at + upper) / 2;
    }
    double kept = s->zero_count * fraction;
    t->changed = t->changed || kept != s->zero_count;
    t->count += kept;
    t->sum += mid * kept;
    s->zero_count = kept;
}

int histogram_trim(const struct histogram *h, double at, bool upper, struct arena *arena,
    struct histogram **result_out)
{
    struct histogram_sum s;
    int status = histogram_sum_init(&s, h, arena);
    if (status != 0) {
        return status;
    }
    struct trim t = {.at = at, .upper = upper, .custom = histogram_is_custom(h)};
    bool positive = trim_side(&t, &s.positive, h, true);
    bool negative = trim_side(&t, &s.negative, h, false);
    if (s.zero_count > 0) {
        trim_zero(&t, &s, positive, negative);
    }
    if (t.changed) {
        s.count = t.count;
        s.sum = t.sum;
    }
    *result_out = histogram_sum_take(&s, arena);
    return *result_out != NULL ? 0 : arena_error(arena);
}
