/* Rate, errors and duration of spans, as series: of every span, before sampling.
 *
 *   naming tempo: traces_spanmetrics_calls_total, traces_spanmetrics_latency
 *                 {service, span_name, span_kind, status_code}
 *   naming otel:  traces_span_metrics_calls_total, traces_span_metrics_duration_seconds
 *                 {service_name, span_name, span_kind, status_code}
 *
 * and a label for each dimension, `job` and `instance` of the agent, and external labels. A span counts as
 * many times as its adjusted count says: what was left out at the head is estimated back. Durations are
 * native histograms, classic ones on request. Each series begins with a zero at the time of its first span,
 * so that an increase over it is whole; one without a span for `idle_ms` ends with a stale marker.
 *
 * Two steps, so that a message that is not taken counts nothing:
 *   span_metrics_find     which series
 *   span_metrics_count    once the span is taken
 *   span_metrics_exemplar once its trace is kept: an exemplar never leads to a trace that was dropped
 *
 * Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_SPAN_METRICS_H
#define SONDE_SPANS_SPAN_METRICS_H

#include "base/clock.h"
#include "intake/intake.h"
#include "spans/span_series.h"
#include "spans/spans_config.h"

struct span_metrics_options {
    const struct spans_metrics_config *config; /* borrowed */
    const char *job, *instance;                /* labels of all series; borrowed */
    struct clock *clock;
    struct intake *intake; /* borrowed */
};

/* The series of a span. */
struct span_metrics_place {
    uint32_t number, generation; /* generation 0: none */
};

struct span_metrics_statistics {
    struct span_series_statistics table;
    uint64_t lost_spans; /* not counted: no memory for their series */
    uint64_t expired_series;
};

struct span_metrics;

/* ERR_INVALID with a sentence: a dimension or a bucket that cannot be. */
int span_metrics_new(
    const struct span_metrics_options *options, struct span_metrics **metrics_out, struct err *e);
/* Accepts NULL. */
void span_metrics_free(struct span_metrics *m);

/* To be asked once for each resource; a failure is told by what follows. */
uint32_t span_metrics_service(struct span_metrics *m, const struct span_resource *resource);
/* Without memory there is no place, and the span is counted as lost. */
struct span_metrics_place span_metrics_find(
    struct span_metrics *m, uint32_t service, const struct otlp_span *span);
void span_metrics_count(
    struct span_metrics *m, struct span_metrics_place place, double seconds, double weight);
/* The trace was kept. Nothing when the series is gone. */
void span_metrics_exemplar(struct span_metrics *m, struct span_metrics_place place,
    struct trace_id trace_id, uint64_t span_id, double seconds);
/* Writes when an interval has passed. Returns milliseconds until the next call is due. */
int64_t span_metrics_step(struct span_metrics *m);
/* Writes now: before the agent ends. */
void span_metrics_flush(struct span_metrics *m);
void span_metrics_statistics(
    const struct span_metrics *m, struct span_metrics_statistics *statistics_out);

#endif
