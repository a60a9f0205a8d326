/* One value at one time, and the marker of the end of a series.
 *
 * Timestamps are int64 milliseconds since 1970 UTC. Values are doubles, kept bit for bit (promise
 * 4). A *stale marker* is one NaN bit pattern; it is recognised by its bits, never by isnan, since
 * an ordinary NaN is a value like any other.
 */
#ifndef SONDE_MODEL_SAMPLE_H
#define SONDE_MODEL_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct sample {
    int64_t t_ms;
    double value;
};

#define STALE_MARKER_BITS 0x7ff0000000000002ull
#define ORDINARY_NAN_BITS 0x7ff8000000000001ull

static inline bool value_is_stale(double value)
{
    return double_bits(value) == STALE_MARKER_BITS;
}

static inline double value_stale_marker(void)
{
    return double_from_bits(STALE_MARKER_BITS);
}

/* The NaN that Prometheus writes and prints for "not a number". */
static inline double value_nan(void)
{
    return double_from_bits(ORDINARY_NAN_BITS);
}

/* The type of a metric as TYPE lines and remote-write metadata name it. The numbers are those of
 * remote write's MetricMetadata.MetricType. */
enum metric_type {
    METRIC_TYPE_UNKNOWN = 0,
    METRIC_TYPE_COUNTER = 1,
    METRIC_TYPE_GAUGE = 2,
    METRIC_TYPE_HISTOGRAM = 3,
    METRIC_TYPE_GAUGE_HISTOGRAM = 4,
    METRIC_TYPE_SUMMARY = 5,
    METRIC_TYPE_INFO = 6,
    METRIC_TYPE_STATESET = 7,
};

/* "counter", "gauge" … as /api/v1/metadata prints it; "unknown" for values outside the list. */
const char *metric_type_name(enum metric_type type);

#endif
