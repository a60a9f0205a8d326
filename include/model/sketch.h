/* A sketch: the distribution of many values in little room, as an exponential histogram.
 *
 * Buckets are those of a native histogram of schema 5: bucket i holds the values of
 * (2^((i-1)/32), 2^(i/32)], negative ones by their magnitude on the other side, zeros apart. Counts are
 * exact; a value is known by its bucket, so that
 *
 *   - the value told for a rank is within sketch_error(schema) of the true one, relative: 1.083 % at
 *     schema 5 (the harmonic middle of a bucket is that far from both its ends);
 *   - a quantile lies on the straight line between the values of two ranks, as quantile_over_time
 *     has it, so the same bound holds; between values of different signs it holds for each of them;
 *   - a fraction is off by no more than what the two buckets hold that its bounds cut.
 *
 * Adding and merging give the same buckets in whatever order they are done. Infinities have a bucket of
 * their own beyond the last; a NaN is counted and has no bucket, as in Prometheus' histograms, and comes
 * before all values, as in its quantiles. Below 2^-1022 doubles get coarser and the bound does not hold.
 *
 * A side has at most SKETCH_BINS_MAX buckets in use; when values spread over more (19 decades of
 * everything), the resolution is halved: the schema tells, and the error about doubles, to 2.17 % at schema 4,
 * 4.33 % at 3. Merging a coarser one makes it as coarse. Whoever states a bound takes sketch_error of the schema
 * that answered.
 *
 * Functions return 0 or a negative error. One thread at a time.
 */
#ifndef SONDE_MODEL_SKETCH_H
#define SONDE_MODEL_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/histogram.h"

#define SKETCH_SCHEMA 5
#define SKETCH_BINS_MAX ((size_t)2048)

struct sketch_bin {
    int32_t index;
    double count;
};

/* Bins in use, ascending. */
struct sketch_side {
    struct sketch_bin *bins;
    size_t count, cap;
};

struct sketch {
    int32_t schema;
    double count; /* of everything, NaN included */
    double zero_count;
    struct sketch_side positive, negative;
};

void sketch_init(struct sketch *s);
void sketch_release(struct sketch *s);
/* Empty again, at full resolution; keeps its memory. */
void sketch_reset(struct sketch *s);

/* One value. ERR_NOMEM. */
int sketch_add(struct sketch *s, double value);
/* All values of another, or of a histogram that can be walked; the lower resolution of the two counts.
 * ERR_NOMEM; ERR_UNSUPPORTED for custom buckets. */
int sketch_merge(struct sketch *s, const struct histogram *h);

/* The sketch as a histogram, all of it in `arena`. Its sum is 0: sums are kept beside sketches. */
int sketch_histogram(const struct sketch *s, struct arena *arena, struct histogram **histogram_out);

/* The q-quantile by linear rank q * (count - 1): NaN when empty, -Inf and +Inf outside [0, 1]. */
double sketch_quantile(const struct sketch *s, double q);
/* The share of values in (lower, upper]; inside a bucket values are taken to be spread evenly over its
 * logarithm. NaN when empty. */
double sketch_fraction(const struct sketch *s, double lower, double upper);
/* The greatest relative error of a value at a schema: (g - 1) / (g + 1), g = 2^(2^-schema). */
double sketch_error(int32_t schema);

#endif
