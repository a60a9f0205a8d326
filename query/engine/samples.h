/* Reading the store: all samples of one series in arrays. */
#ifndef SONDE_QUERY_ENGINE_SAMPLES_H
#define SONDE_QUERY_ENGINE_SAMPLES_H

#include "prepare.h"
#include "query.h"

/* What stands for a float that comes from a tier: all samples of its bucket. A true sample is a bucket
 * of one, of resolution 0. */
struct sample_bucket {
    struct run_summary summary;
    const struct histogram *sketch; /* or NULL */
    int64_t resolution_ms;
    unsigned estimates; /* enum run_estimate */
};

/* Samples of one series, in time order, floats and histograms apart. The arrays are reused from
 * series to series; histograms live until the next load. */
struct samples {
    struct query *query;
    struct arena *scratch;
    struct arena_mark mark;
    int64_t *float_times;
    double *floats;
    size_t float_count, float_times_cap, floats_cap;
    /* One for each float, when any float of the series comes from a tier, else none. `tier_ms` is the
     * coarsest resolution of what was loaded, 0 for true samples. */
    struct sample_bucket *buckets;
    size_t bucket_count, buckets_cap;
    int64_t tier_ms;
    int64_t *histogram_times;
    const struct histogram **histograms;
    size_t histogram_count, histogram_times_cap, histograms_cap;
    uint64_t held;    /* counted against the query's limit */
    bool counts_only; /* histograms lose their buckets, once resets between them are known */
};

int samples_init(struct samples *s, struct query *q);
/* Empties; what was loaded is gone. */
void samples_reset(struct samples *s);
/* Reads all samples of a series. Stale markers are kept for instant selectors, dropped for ranges. */
int samples_load(struct samples *s, struct series *series, bool keep_stale);
/* Appends one, later than all before. */
int samples_add_float(struct samples *s, int64_t t, double value);
/* `h` is copied. */
int samples_add_histogram(struct samples *s, int64_t t, const struct histogram *h);

/* What a histogram counts as, in samples. */
uint64_t histogram_sample_size(const struct histogram *h);

/* How many of `times` are <= t, going on from `at`. Samples and steps are mostly regular: the stride of
 * the step before is tried first. */
static inline size_t times_advance(
    const int64_t *times, size_t count, size_t at, size_t stride, int64_t t)
{
    size_t guess = at + stride;
    if (guess <= count && (guess == 0 || times[guess - 1] <= t) &&
        (guess == count || times[guess] > t)) {
        return guess;
    }
    while (at < count && times[at] <= t) {
        at++;
    }
    return at;
}

#endif
