/* From samples to buckets: the one function of downsampling.
 *
 * A bucket of resolution r holds the samples with k·r < t <= (k+1)·r and is named by its end,
 * (k+1)·r. Windows of PromQL are open on the left too, so a window whose edges are multiples of r is a
 * whole number of buckets. Buckets without samples do not exist; stale markers are not samples.
 *
 * State at the edges. A bucket's `increase` is that of its own samples alone: last - first, and for
 * each fall from a to b inside the bucket a on top (the counter began anew). The step from the last
 * sample of a bucket to the first of the next is in neither; who adds up buckets adds
 *
 *     first(next) - last, or first(next) when first(next) < last
 *
 * and then has exactly the increase of all samples, whatever the number of buckets.
 *
 * What is fed in is ascending; how it is cut into calls changes nothing. One thread at a time.
 */
#ifndef SONDE_TIER_ROLLUP_H
#define SONDE_TIER_ROLLUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/sketch.h"
#include "tsdb/querier.h"

/* Buckets of one rollup. */
#define ROLLUP_BUCKETS_MAX ((size_t)1 << 24)

struct rollup {
    int64_t resolution_ms;
    bool with_sketches;
    size_t count;
    int64_t *ends; /* ascending */
    struct run_summary *buckets;
    const struct histogram **sketches; /* one for each bucket, when wanted */

    /* Of all samples so far. */
    uint64_t samples;
    uint64_t falls; /* samples below the one before them in their bucket */

    /* The bucket that is open, and what its sum has lost by rounding. */
    double lost;
    bool constant; /* all its samples have the same bits */
    struct sketch sketch;
    struct arena arena; /* sketches */
    size_t ends_cap, buckets_cap, sketches_cap;
};

void rollup_init(struct rollup *r, int64_t resolution_ms, bool with_sketches);
void rollup_release(struct rollup *r);
/* Empty again, with the same resolution; keeps its memory. */
void rollup_reset(struct rollup *r);
/* Samples later than all before. ERR_NOMEM, ERR_LIMIT. */
int rollup_add(struct rollup *r, const int64_t *times, const double *values, size_t count);
/* Closes the last bucket: to be called once, after everything was added. */
int rollup_finish(struct rollup *r);

/* The end of the bucket of a time. */
int64_t rollup_bucket_end(int64_t t_ms, int64_t resolution_ms);

/* Native histograms are not added up but thinned out: of each bucket the first and the last sample, and
 * both samples of each step that may be a counter reset. Between two kept samples of a bucket nothing
 * was reset, so increases are exact. `keep` has a flag for each sample. */
void rollup_thin_histograms(const int64_t *times, const struct histogram *const *histograms,
    size_t count, int64_t resolution_ms, bool *keep);

#endif
