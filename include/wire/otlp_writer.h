/* OTLP metrics, writing: Prometheus' series to an ExportMetricsServiceRequest
 * (opentelemetry/proto/metrics/v1/metrics.proto, and the OpenTelemetry specification's "Prometheus and
 * OpenMetrics compatibility").
 *
 * job and instance become the resource (service.name, service.instance.id), the other labels
 * attributes. Counters become cumulative monotonic sums; the series of a classic histogram or a
 * summary become one point; native histograms exponential ones, and those of custom bounds plain
 * ones; everything else a gauge. A stale marker is a point without a value. Names stay as they are.
 *
 * Collects one message; kept and reused by its owner, one thread at a time.
 */
#ifndef SONDE_WIRE_OTLP_WRITER_H
#define SONDE_WIRE_OTLP_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "wire/remote_write.h"

/* Points of one message. */
#define OTLP_WRITER_POINTS_MAX ((size_t)1 << 20)

struct otlp_writer_series {
    const struct label *labels; /* sorted by name, __name__ among them */
    size_t label_count;
    const struct sample *samples;
    size_t sample_count;
    const struct remote_write_histogram *histograms;
    size_t histogram_count;
    struct str metric; /* that the series belongs to; empty: not known, the series stands alone */
    enum metric_type type;
    struct str help, unit;
};

struct otlp_writer;

int otlp_writer_new(struct otlp_writer **writer_out);
/* Accepts NULL. */
void otlp_writer_free(struct otlp_writer *w);
/* Begins a new message and keeps the memory. */
void otlp_writer_reset(struct otlp_writer *w);
/* Texts are copied. Errors stick. */
void otlp_writer_add(struct otlp_writer *w, const struct otlp_writer_series *series);
/* Appends the message. 0, ERR_LIMIT, ERR_NOMEM. */
int otlp_writer_finish(struct otlp_writer *w, struct strbuf *out);

/* Data points that an ExportMetricsServiceResponse says were rejected; 0 for what cannot be read. */
void otlp_read_response(struct str body, uint64_t *rejected_out);

#endif
