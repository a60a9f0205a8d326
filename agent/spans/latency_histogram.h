/* Durations counted in exponential buckets: what a native histogram of a series holds.
 *
 * Buckets are those of schema 3, each 9 % wider than the one before; where values spread over more than
 * LATENCY_BINS_MAX of them (six decades), neighbours are joined and the schema goes down by one. Counts are
 * weights: a span that was sampled at its head stands for several. Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_LATENCY_HISTOGRAM_H
#define SONDE_SPANS_LATENCY_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/histogram.h"

#define LATENCY_SCHEMA 3
#define LATENCY_BINS_MAX 160

struct latency_histogram {
    int32_t schema;
    int32_t low;  /* bucket of bins[0] */
    double *bins; /* all from the lowest to the highest in use */
    uint32_t used, cap;
    double zero_count, count, sum;
    bool fractional; /* a weight was not whole */
};

void latency_histogram_init(struct latency_histogram *h);
void latency_histogram_release(struct latency_histogram *h);
/* `seconds` is finite and not negative. ERR_NOMEM: nothing was counted. */
int latency_histogram_add(struct latency_histogram *h, double seconds, double weight);
/* As the wire wants it; what it points to is borrowed from `h` and `span`. */
void latency_histogram_view(
    const struct latency_histogram *h, struct histogram_span *span, struct histogram *view_out);

#endif
