/* OTLP metrics: ExportMetricsServiceRequest in protobuf and in JSON, decoded into a tree in an arena
 * (https://opentelemetry.io/docs/specs/otlp/, opentelemetry/proto/metrics/v1/metrics.proto).
 *
 * Values of attributes become text as they are decoded: that is all that labels can hold. Texts of a
 * protobuf message are slices of it; everything else lives in the arena. What becomes of the tree is
 * said in wire/otlp_translate.h.
 */
#ifndef SONDE_WIRE_OTLP_METRICS_H
#define SONDE_WIRE_OTLP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"

/* One message, decompressed. As JSON it is first a tree of its own, several times its size. */
#define OTLP_MESSAGE_MAX ((size_t)64 << 20)
#define OTLP_JSON_MAX ((size_t)16 << 20)

enum otlp_kind { OTLP_EMPTY, OTLP_GAUGE, OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXPONENTIAL, OTLP_SUMMARY };
enum otlp_temporality { OTLP_UNSPECIFIED = 0, OTLP_DELTA = 1, OTLP_CUMULATIVE = 2 };

struct otlp_attributes {
    const struct label *items; /* in the order of the message; names may come twice */
    size_t count;
};

struct otlp_exemplar {
    struct otlp_attributes attributes;
    int64_t t_ms;
    double value;
    struct str trace_id, span_id; /* lower-case hex digits; empty when there is none */
};

struct otlp_buckets {
    int32_t offset;
    const uint64_t *counts;
    size_t count;
};

struct otlp_quantile {
    double quantile, value;
};

/* A data point of any kind; only the members of its metric's kind are set. */
struct otlp_point {
    struct otlp_attributes attributes;
    int64_t start_ms, t_ms;
    bool no_value; /* flag NO_RECORDED_VALUE: the series ends here */
    const struct otlp_exemplar *exemplars;
    size_t exemplar_count;

    double value; /* gauge, sum */

    bool has_sum; /* histograms; always for summaries */
    double sum;
    uint64_t count;

    const double *bounds; /* histogram: upper bounds without the last, +Inf */
    size_t bound_count;
    const uint64_t *bucket_counts;
    size_t bucket_count;

    int32_t scale; /* exponential */
    uint64_t zero_count;
    double zero_threshold;
    struct otlp_buckets positive, negative;

    const struct otlp_quantile *quantiles; /* summary */
    size_t quantile_count;
};

struct otlp_metric {
    struct str name, description, unit;
    enum otlp_kind kind;
    enum otlp_temporality temporality;
    bool monotonic;
    const struct otlp_point *points;
    size_t point_count;
};

struct otlp_scope {
    struct str name, version, schema_url;
    struct otlp_attributes attributes;
    const struct otlp_metric *metrics;
    size_t metric_count;
};

struct otlp_resource {
    struct otlp_attributes attributes;
    const struct otlp_scope *scopes;
    size_t scope_count;
};

struct otlp_metrics {
    const struct otlp_resource *resources;
    size_t resource_count;
};

/* 0, ERR_CORRUPT (nothing of the message is to be used), ERR_LIMIT, ERR_NOMEM, with a sentence. The
 * message is borrowed as long as the tree lives. */
int otlp_metrics_decode(
    struct str message, struct arena *arena, struct otlp_metrics *metrics_out, struct err *e);
/* The same from JSON: lowerCamelCase keys, unknown ones ignored; 64-bit integers as text or number;
 * ids in hex; enums as integers. The text need not outlive the call. */
int otlp_metrics_decode_json(
    struct str text, struct arena *arena, struct otlp_metrics *metrics_out, struct err *e);

/* ---- Answers ---- */

/* ExportMetricsServiceResponse: empty when nothing was rejected and nothing is said. */
void otlp_write_response(bool json, uint64_t rejected, struct str message, struct strbuf *out);
/* google.rpc.Status of a request that failed; `code` is one of gRPC's (3 = invalid argument, 8 =
 * resource exhausted, 13 = internal, 14 = unavailable). */
void otlp_write_status(bool json, int code, struct str message, struct strbuf *out);

#endif
