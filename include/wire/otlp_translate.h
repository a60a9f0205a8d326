/* OTLP metrics as Prometheus' series, the way Prometheus 3 does it (its guide "Using Prometheus as your
 * OpenTelemetry backend", and the OpenTelemetry specification "Prometheus and OpenMetrics
 * Compatibility"): names and units, job and instance, target_info, classic histograms as _bucket, _sum
 * and _count, exponential ones as native histograms, summaries with quantile, exemplars.
 *
 * What cannot be translated is rejected point by point; the rest goes on. Points of delta temporality
 * are added up (wire/otlp_delta.h).
 */
#ifndef SONDE_WIRE_OTLP_TRANSLATE_H
#define SONDE_WIRE_OTLP_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "wire/otlp_delta.h"
#include "wire/otlp_metrics.h"
#include "wire/otlp_names.h"
#include "wire/remote_write.h"

struct otlp_translate_options {
    enum otlp_naming naming;
    /* Resource attributes that become labels of every series; one "*" stands for all. */
    const char *const *promoted;
    size_t promoted_count;
    bool keep_identifying; /* service.name and so on in target_info too */
    bool promote_scope;    /* otel_scope_name, otel_scope_version … on every series */
};

/* One sample of one series. All borrowed during the call. */
struct otlp_series {
    const struct label *labels; /* sorted, unique, nothing empty */
    size_t label_count;
    int64_t t_ms;
    double value;
    const struct histogram *histogram; /* instead of the value; NULL: a float */
    const struct remote_write_exemplar *exemplars;
    size_t exemplar_count;
};

/* Where series go. A result other than 0 ends the translation. */
struct otlp_sink {
    void *context;
    int (*series)(void *context, const struct otlp_series *series);
    int (*metadata)(
        void *context, struct str metric, enum metric_type type, struct str help, struct str unit);
};

/* What was left out. */
struct otlp_rejected {
    uint64_t points;
    struct err first; /* why, of the first */
};

/* Translates all of it. `delta` may be NULL: points of delta temporality are rejected. Memory from
 * `arena`, all of it given back at the end. 0, what the sink gave, ERR_NOMEM or ERR_LIMIT. */
int otlp_translate(const struct otlp_metrics *metrics, const struct otlp_translate_options *options,
    struct otlp_delta_batch *delta, const struct otlp_sink *sink, struct arena *arena,
    struct otlp_rejected *rejected_out);

#endif
