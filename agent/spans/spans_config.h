/* Settings of traces: the part `traces` of the agent's file. */
#ifndef SONDE_SPANS_SPANS_CONFIG_H
#define SONDE_SPANS_SPANS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "spans/sampling_config.h"

struct spans_queue_config {
    int64_t size_max, age_max_ms;
};

#define SPANS_BUCKETS_MAX 64

struct spans_metrics_config {
    bool enabled;
    int64_t interval_ms, idle_ms;
    const char *naming;     /* "tempo" or "otel" */
    const char *histograms; /* "native", "classic" or "both" */
    struct config_strings buckets;
    struct config_strings dimensions;
    int64_t series_max, service_series_max, service_names_max;
};

struct spans_graph_config {
    bool enabled;
};

struct spans_config {
    struct spans_queue_config queue;
    struct spans_metrics_config metrics;
    struct spans_graph_config service_graph;
    struct sampling_config sampling;
};

extern const struct config_field spans_fields[];

#endif
