/* Counters of the API.
 *
 * Requests are counted in a small matrix of atomics, route by status, and written by a collector: as
 * objects of the registry they would be a thousand, nearly all of them zero for ever.
 */
#include "api/api_metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/metrics.h"

/* What the API answers; anything else is counted under the last. */
static const unsigned statuses[] = {200, 204, 304, 400, 404, 405, 413, 415, 422, 429, 500, 503, 0};
enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]), LABELS_TEXT_MAX = 128 };

static const double seconds_bounds[] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
enum { BOUND_COUNT = sizeof(seconds_bounds) / sizeof(seconds_bounds[0]) };

struct route_metrics {
    const char *path;
    enum api_timing timing;
    char labels[LABELS_TEXT_MAX];
    struct metric duration;
    _Atomic uint64_t answers[STATUS_COUNT];
};

static struct route_metrics routes[API_ROUTES_MAX];

static struct metric ingested_samples = {.name = "sonde_ingested_samples_total",
    .help = "Float samples taken in, repeats included.",
    .kind = METRIC_COUNTER};
static struct metric ingested_histograms = {.name = "sonde_ingested_histograms_total",
    .help = "Native histogram samples taken in.",
    .kind = METRIC_COUNTER};
static struct metric ingested_exemplars = {.name = "sonde_ingested_exemplars_total",
    .help = "Exemplars taken in.",
    .kind = METRIC_COUNTER};
static struct metric ingested_bytes = {.name = "sonde_ingested_bytes_total",
    .help = "Compressed bytes of accepted writes.",
    .kind = METRIC_COUNTER};
static struct metric repeated_samples = {.name = "sonde_repeated_samples_total",
    .help = "Samples that came again with the same time and value and changed nothing.",
    .kind = METRIC_COUNTER};
static struct metric refused_old = {.name = "sonde_refused_samples_total",
    .labels = "reason=\"too_old\"",
    .help = "Samples that were refused.",
    .kind = METRIC_COUNTER};
static struct metric refused_ahead = {.name = "sonde_refused_samples_total",
    .labels = "reason=\"too_far_ahead\"",
    .help = "Samples that were refused.",
    .kind = METRIC_COUNTER};
static struct metric refused_limit = {.name = "sonde_refused_samples_total",
    .labels = "reason=\"limit\"",
    .help = "Samples that were refused.",
    .kind = METRIC_COUNTER};
static struct metric refused_series = {.name = "sonde_refused_series_total",
    .help = "Series of writes that were refused: bad labels or a limit.",
    .kind = METRIC_COUNTER};

#define REFUSED_SPANS(why)                                                                         \
    {                                                                                              \
        .name = "sonde_spans_refused_total", .labels = "reason=\"" why "\"",                       \
        .help = "Spans left out of messages that were taken.", .kind = METRIC_COUNTER              \
    }

/* By fault, those that no page holds, and those of another time. */
enum { SPANS_TOO_LARGE = OTLP_SPAN_FAULT_COUNT, SPANS_TOO_NEW, SPANS_TOO_OLD, SPAN_REFUSALS };
static struct metric refused_spans[SPAN_REFUSALS] = {
    [OTLP_SPAN_TRACE_ID] = REFUSED_SPANS("trace_id"),
    [OTLP_SPAN_ID] = REFUSED_SPANS("span_id"),
    [OTLP_SPAN_TOO_LONG] = REFUSED_SPANS("long_text"),
    [SPANS_TOO_LARGE] = REFUSED_SPANS("too_large"),
    [SPANS_TOO_NEW] = REFUSED_SPANS("too_far_ahead"),
    [SPANS_TOO_OLD] = REFUSED_SPANS("too_old"),
};

void api_metrics_add_route(size_t route, const char *path, enum api_timing timing)
{
    assert(route < API_ROUTES_MAX);
    struct route_metrics *m = &routes[route];
    m->path = path;
    m->timing = timing;
    if (timing == API_TIMING_NONE) {
        return;
    }
    snprintf(m->labels, sizeof(m->labels), "handler=\"%s\"", path);
    bool query = timing == API_TIMING_QUERY;
    m->duration.name = query ? "sonde_query_duration_seconds" : "sonde_ingest_duration_seconds";
    m->duration.help = query ? "Time from the begin of a query to its answer."
                             : "Time from the begin of a write to its acknowledgement.";
    m->duration.labels = m->labels;
    m->duration.kind = METRIC_HISTOGRAM;
    m->duration.scale = 1e-9;
    m->duration.bounds = seconds_bounds;
    m->duration.bound_count = BOUND_COUNT;
}

static void write_answers(struct strbuf *out, const struct route_metrics *m)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&m->answers[i], memory_order_relaxed);
        if (count == 0) {
            continue;
        }
        strbuf_addf(out, "sonde_http_requests_total{handler=\"%s\",code=\"", m->path);
        if (statuses[i] != 0) {
            strbuf_add_u64(out, statuses[i]);
        } else {
            strbuf_add_c(out, "other");
        }
        strbuf_addf(out, "\"} %" PRIu64 "\n", count);
    }
}

static void collect_answers(void *context, struct strbuf *out)
{
    (void)context;
    strbuf_add_c(out, "# HELP sonde_http_requests_total Requests answered, by route and status.\n"
                      "# TYPE sonde_http_requests_total counter\n");
    for (size_t i = 0; i < API_ROUTES_MAX && routes[i].path != NULL; i++) {
        write_answers(out, &routes[i]);
    }
}

void api_metrics_register(void)
{
    struct metric *all[] = {&ingested_samples, &ingested_histograms, &ingested_exemplars,
        &ingested_bytes, &repeated_samples, &refused_old, &refused_ahead, &refused_limit,
        &refused_series};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        (void)metrics_register(all[i]); /* a full registry shows less and breaks nothing */
    }
    for (size_t i = 0; i < SPAN_REFUSALS; i++) {
        (void)metrics_register(&refused_spans[i]);
    }
    /* Metrics of one name stand together. */
    for (enum api_timing timing = API_TIMING_QUERY; timing <= API_TIMING_INGEST; timing++) {
        for (size_t i = 0; i < API_ROUTES_MAX; i++) {
            if (routes[i].timing == timing) {
                (void)metrics_register(&routes[i].duration);
            }
        }
    }
    metrics_unregister_collector(collect_answers, NULL);
    (void)metrics_register_collector(collect_answers, NULL);
}

static size_t status_index(unsigned status)
{
    size_t i = 0;
    while (i + 1 < STATUS_COUNT && statuses[i] != status) {
        i++;
    }
    return i;
}

void api_metrics_count(size_t route, unsigned status, int64_t took_ns)
{
    assert(route < API_ROUTES_MAX);
    struct route_metrics *m = &routes[route];
    atomic_fetch_add_explicit(&m->answers[status_index(status)], 1, memory_order_relaxed);
    if (m->timing != API_TIMING_NONE) {
        metric_observe(&m->duration, took_ns);
    }
}

void api_metrics_ingested(const struct append_counts *counts, uint64_t bytes)
{
    metric_add(&ingested_samples, (int64_t)counts->samples);
    metric_add(&ingested_histograms, (int64_t)counts->histograms);
    metric_add(&ingested_exemplars, (int64_t)counts->exemplars);
    metric_add(&ingested_bytes, (int64_t)bytes);
    metric_add(&repeated_samples, (int64_t)counts->repeated);
    metric_add(&refused_old, (int64_t)counts->too_old);
    metric_add(&refused_ahead, (int64_t)counts->too_far_ahead);
    metric_add(&refused_limit, (int64_t)counts->limited);
}

void api_metrics_refused_series(uint64_t count)
{
    metric_add(&refused_series, (int64_t)count);
}

void api_metrics_refused_spans(const struct span_append_counts *counts)
{
    for (size_t i = 0; i < OTLP_SPAN_FAULT_COUNT; i++) {
        metric_add(&refused_spans[i], (int64_t)counts->faults[i]);
    }
    metric_add(&refused_spans[SPANS_TOO_LARGE], (int64_t)counts->too_large);
    metric_add(&refused_spans[SPANS_TOO_NEW], (int64_t)counts->too_new);
    metric_add(&refused_spans[SPANS_TOO_OLD], (int64_t)counts->too_old);
}
