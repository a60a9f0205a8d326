/* The series that span metrics are made of: found by service, span name, kind, status and dimensions, and
 * kept from growing without bounds. Private to agent/spans; one thread.
 *
 * A span's own texts are the key, so that finding a known series costs one hash; what a name becomes as a
 * label is settled once. Guards, in this order:
 *
 *   names of a service beyond `names_max`     become templates: identifiers in them are {id}
 *   series of a service beyond `service_series_max`, or of all beyond `series_max`
 *                                             are one series for each kind and status of the service,
 *                                             with SPAN_SERIES_OVERFLOW for a name and no dimensions
 *   services beyond SPAN_SERVICES_MAX         are one with that name
 */
#ifndef SONDE_SPANS_SPAN_SERIES_H
#define SONDE_SPANS_SPAN_SERIES_H

#include "base/strbuf.h"
#include "model/labels.h"
#include "spans/latency_histogram.h"
#include "wire/otlp_traces.h"

#define SPAN_SERIES_OVERFLOW "__cardinality_overflow__"
#define SPAN_SERVICES_MAX 10000
#define SPAN_DIMENSIONS_MAX 16
#define SPAN_SERIES_MAX 1000000

struct span_exemplar {
    struct trace_id trace_id;
    uint64_t span_id;
    double seconds;
    int64_t t_ms; /* 0: none */
};

struct span_series {
    uint64_t hash;
    struct str key; /* behind the struct */
    uint32_t service, number, generation;
    enum span_kind kind;
    enum span_status status;
    struct str name;     /* as a label; in `texts` */
    struct strbuf texts; /* name, then the values of the dimensions, each ended by a zero */
    double calls;
    struct latency_histogram latency;
    double *buckets;                      /* classic ones, not cumulative; NULL: none are kept */
    struct span_exemplar slowest, latest; /* since the last time they were written */
    int64_t created_ms;                   /* wall time just before its first span */
    int64_t seen_ms, written_ms;          /* wall time; 0: never */
    /* Its labels but for the metric's name, as intake_encode_labels writes them; filled in by whoever
     * writes. `name_at` and `le_at`: where the labels __name__ and le go. */
    struct strbuf labels;
    size_t name_at, le_at;
    uint64_t labels_epoch;
};

struct span_service {
    struct str name; /* as a label */
    char *key;       /* as it came */
    size_t key_size;
    uint64_t hash;
    uint32_t series;
    uint64_t *names; /* hashes of its span names; NULL: none yet */
    uint32_t name_count;
};

struct span_series_options {
    const char *const *dimensions; /* attributes; borrowed */
    size_t dimension_count;
    size_t series_max, service_series_max, names_max;
    size_t bucket_count; /* classic buckets to keep for each, +Inf included; 0 = none */
};

struct span_series_statistics {
    uint64_t series, services;
    uint64_t overflowed_spans; /* counted in an overflow series */
    uint64_t templated_spans;  /* whose name became a template */
};

struct span_series_table;

int span_series_table_new(
    const struct span_series_options *options, struct span_series_table **table_out);
/* Accepts NULL. */
void span_series_table_free(struct span_series_table *t);

/* The number of a service, to be asked once for each resource. ERR_NOMEM. */
int span_series_service(struct span_series_table *t, struct str name, uint32_t *service_out);
const struct span_service *span_series_service_at(
    const struct span_series_table *t, uint32_t service);
/* The series of a span, made when it is new. ERR_NOMEM. */
int span_series_find(struct span_series_table *t, uint32_t service, const struct otlp_span *span,
    int64_t now_ms, struct span_series **series_out);
/* The series with that number if it is still of that generation, else NULL. */
struct span_series *span_series_get(
    const struct span_series_table *t, uint32_t number, uint32_t generation);
/* All series one after the other, by number: NULL where there is none. */
size_t span_series_end(const struct span_series_table *t);
struct span_series *span_series_at(const struct span_series_table *t, size_t number);
void span_series_remove(struct span_series_table *t, struct span_series *series);
/* The value of a dimension; empty when the span had none. */
struct str span_series_dimension(const struct span_series *series, size_t index);
void span_series_statistics(
    const struct span_series_table *t, struct span_series_statistics *statistics_out);

#endif
