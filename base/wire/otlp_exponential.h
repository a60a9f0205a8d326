/* Exponential histograms: adding them up, and making native ones of them; private to base/wire. */
#ifndef SONDE_WIRE_OTLP_EXPONENTIAL_H
#define SONDE_WIRE_OTLP_EXPONENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/histogram.h"
#include "wire/otlp_metrics.h"

/* One block of memory: the counts of both sides stand behind. */
struct otlp_exponential {
    int32_t scale;
    double zero_threshold, zero_count, count, sum;
    struct otlp_exponential_side {
        int64_t first; /* index of the first bucket: (base^i, base^(i+1)] */
        size_t count;
        double *counts;
    } sides[2]; /* positive, negative */
};

/* Are all observations of the point in its buckets? NaN is in none: with one the sum is NaN, and the
 * count may be larger. What Prometheus asks of every native histogram with whole counts. */
bool otlp_exponential_counts_fit(const struct otlp_point *point);
/* `before` (may be NULL) with the point added, coarse enough for `buckets_max` a side. To be freed with
 * mem_free. ERR_INVALID: the scale is below the least of native histograms; ERR_NOMEM. */
int otlp_exponential_add(const struct otlp_exponential *before, const struct otlp_point *point,
    size_t buckets_max, struct otlp_exponential **sum_out);
/* As a native histogram in `arena`. ERR_INVALID: one that histogram_validate refuses; ERR_NOMEM, ERR_LIMIT. */
int otlp_exponential_to_native(
    const struct otlp_exponential *x, struct arena *arena, const struct histogram **histogram_out);

#endif
