/* The tables of settings. */
#include "spans/spans_config.h"

#include <stddef.h>

enum { MINUTE_MS = 60000, DAY_MS = 24 * 3600 * 1000 };

static const struct config_field queue_fields[] = {
    {.key = "max_size",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct spans_queue_config, size_max),
        .default_text = "1GiB",
        .min = (int64_t)1 << 20,
        .max = (int64_t)1 << 42,
        .help = "Bytes on disk; the oldest go first"},
    {.key = "max_age",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct spans_queue_config, age_max_ms),
        .default_text = "1d",
        .min = MINUTE_MS,
        .max = (int64_t)366 * DAY_MS,
        .help = "Spans that wait longer are not worth sending"},
    {.key = NULL},
};

#define METRICS(member) offsetof(struct spans_metrics_config, member)

static const struct config_field metrics_fields[] = {
    {.key = "enabled",
        .kind = CONFIG_BOOL,
        .offset = METRICS(enabled),
        .default_text = "true",
        .help = "Count calls and durations of spans, all of them, before sampling"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = METRICS(interval_ms),
        .default_text = "15s",
        .min = 100,
        .max = 10 * MINUTE_MS,
        .help = "How often series are written"},
    {.key = "idle",
        .kind = CONFIG_DURATION,
        .offset = METRICS(idle_ms),
        .default_text = "15m",
        .min = 1000,
        .max = 30 * (int64_t)DAY_MS,
        .help = "A series ends when no span came for so long"},
    {.key = "naming",
        .kind = CONFIG_STRING,
        .offset = METRICS(naming),
        .default_text = "tempo",
        .help = "tempo: traces_spanmetrics_calls_total and _latency, which Grafana asks for; otel: "
                "traces_span_metrics_calls_total and _duration_seconds"},
    {.key = "histograms",
        .kind = CONFIG_STRING,
        .offset = METRICS(histograms),
        .default_text = "native",
        .help = "native, classic or both"},
    {.key = "buckets",
        .kind = CONFIG_STRING_LIST,
        .offset = METRICS(buckets),
        .help = "Bounds of classic histograms in seconds, ascending; 0.002, 0.004 to 16.384 when "
                "empty"},
    {.key = "dimensions",
        .kind = CONFIG_STRING_LIST,
        .offset = METRICS(dimensions),
        .help = "Attributes of spans or resources that become labels, e.g. http.route; at most 16"},
    {.key = "max_series",
        .kind = CONFIG_INTEGER,
        .offset = METRICS(series_max),
        .default_text = "50000",
        .min = 1,
        .max = 1000000,
        .help = "Series that are kept; spans of others count in those with span_name "
                "__cardinality_overflow__"},
    {.key = "max_series_per_service",
        .kind = CONFIG_INTEGER,
        .offset = METRICS(service_series_max),
        .default_text = "2000",
        .min = 1,
        .max = 1000000,
        .help = "The same for each service"},
    {.key = "max_names_per_service",
        .kind = CONFIG_INTEGER,
        .offset = METRICS(service_names_max),
        .default_text = "200",
        .max = 100000,
        .help = "Names of spans that stand as they are; in those that come later identifiers "
                "become {id}"},
    {.key = NULL},
};

static const struct config_field graph_fields[] = {
    {.key = "enabled",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct spans_graph_config, enabled),
        .default_text = "true",
        .help = "Tell the server of all calls between services, sampled or not; other receivers "
                "skip it"},
    {.key = NULL},
};

const struct config_field spans_fields[] = {
    {.key = "queue",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct spans_config, queue),
        .fields = queue_fields,
        .help = "Spans waiting on disk; `queue.min_free` holds for them, too"},
    {.key = "metrics",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct spans_config, metrics),
        .fields = metrics_fields,
        .help = "Series made of spans: rate, errors, duration"},
    {.key = "service_graph",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct spans_config, service_graph),
        .fields = graph_fields,
        .help = "Who calls whom"},
    {.key = "sampling",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct spans_config, sampling),
        .fields = sampling_fields,
        .help = "Which traces are kept, once they are whole"},
    {.key = NULL},
};
