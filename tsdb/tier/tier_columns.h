/* Buckets as columns of a part, and back.
 *
 * A tier file is a part (tsdb/part/part_format.h): a table has the buckets of a target, a row's time is
 * the end of its bucket, and a column is one aggregate of one series. Its shape is the series' shape
 * with one label more, whose name is the byte 0xFF (no text is UTF-8 that has it, so no series does)
 * and whose value names the aggregate:
 *
 *     last        the last sample; a series has a bucket where it has this
 *     first       the first; left out when all are equal to `last`
 *     min, max    left out when all are the lesser (greater) of first and last
 *     sum         left out when all follow from `last` and the count; and for counters that never
 *                 fell (see tier_is_counter): their sum means nothing
 *     increase    left out when all follow from first and last; and where falls are frequent: that is
 *                 a gauge, whose increase means nothing
 *     count       how many samples
 *     last_age    the end of the bucket less the time of the last sample, milliseconds
 *     first_age   likewise of the first
 *     sketch      the distribution of the samples, a histogram (model/sketch.h)
 *     sample      native histograms: samples as they were, at their own times (rollup_thin_histograms),
 *                 in tables of their own
 *
 * count, last_age and first_age are alike for most series of a target, since they are scraped together:
 * a target has them once, as all_count, all_last_age and all_first_age (shapes of that label alone), and
 * a series has its own only where they differ.
 *
 * What is left out is left out for all buckets of a series in a file that is built, so that columns
 * have no holes; files that are merged have some. Reading decides bucket by bucket:
 *
 *     first     = last
 *     min, max  = the lesser, the greater of first and last
 *     sum       = count · last where first = last; else it is unknown, and (first + last) / 2 · count is
 *                 handed out as an estimate
 *     increase  = last - first, or last when that is less than first; an estimate where `min` is there,
 *                 since a series whose increase was left out for its falls always has `min`
 */
#ifndef SONDE_TIER_TIER_COLUMNS_H
#define SONDE_TIER_TIER_COLUMNS_H

#include "model/labels.h"
#include "tier/rollup.h"

/* The numbers are bits of masks in memory; the names go to disk. */
enum tier_aggregate {
    TIER_LAST,
    TIER_FIRST,
    TIER_MIN,
    TIER_MAX,
    TIER_SUM,
    TIER_INCREASE,
    TIER_COUNT,
    TIER_LAST_AGE,
    TIER_FIRST_AGE,
    TIER_SKETCH,
    TIER_SAMPLE,
    TIER_ALL_COUNT,
    TIER_ALL_LAST_AGE,
    TIER_ALL_FIRST_AGE,
    TIER_AGGREGATES,
};

#define TIER_BIT(aggregate) (1u << (aggregate))
/* What a target may have once for all its series. */
#define TIER_TIMING (TIER_BIT(TIER_COUNT) | TIER_BIT(TIER_LAST_AGE) | TIER_BIT(TIER_FIRST_AGE))
/* Falls that a counter may have: two, and one for each so many samples. */
#define TIER_FALLS_FREE 2u
#define TIER_SAMPLES_PER_FALL 64u

/* Does the name end as a counter's: _total, _sum, _count, _bucket? */
bool tier_is_counter(struct str metric_name);

/* The columns a series needs, without those of TIER_TIMING: a mask of TIER_BIT. */
unsigned tier_columns_choose(const struct rollup *r, bool counter);
/* The same without what of the buckets is only guessed (enum run_estimate), so that it is guessed again. */
unsigned tier_columns_without(unsigned mask, unsigned estimates);
/* Equal for series with the same buckets, counts and times. */
uint64_t tier_timing_hash(const struct rollup *r);
/* The cell of a float column, all_... included, for bucket `i`. */
double tier_cell(const struct rollup *r, size_t i, enum tier_aggregate aggregate);

/* What was found of a bucket: cells by aggregate (of TIER_LAST .. TIER_FIRST_AGE), and which. */
struct tier_bucket {
    int64_t end;
    unsigned present;
    double cells[TIER_FIRST_AGE + 1];
};
/* What of a bucket was made up: enum run_estimate, or-ed. */
unsigned tier_restore(const struct tier_bucket *b, struct run_summary *out);

/* The shape of an aggregate of a series of shape `shape`; a reference. ERR_INVALID when that has a label
 * of the reserved name. */
int tier_shape_new(
    const struct labels *shape, enum tier_aggregate aggregate, const struct labels **labels_out);
/* The inverse: finds the label, and writes the other pairs to `pairs_out` (room for `count`). Returns
 * how many, or ERR_CORRUPT when there is no such label or its value is unknown. */
int tier_shape_split(const struct label *pairs, size_t count, struct label *pairs_out,
    enum tier_aggregate *aggregate_out);
const char *tier_aggregate_name(enum tier_aggregate aggregate);

#endif
