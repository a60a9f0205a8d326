/* Series that functions of metrics make, and the steps of time they have samples for. */
#ifndef SONDE_QUERY_TRACEQL_SERIES_H
#define SONDE_QUERY_TRACEQL_SERIES_H

#include "model/span.h"
#include "trace/traceql.h"

/* Of one answer: steps, series before quantiles and buckets multiply them, bytes. */
enum { TRACEQL_POINTS_MAX = 11000, TRACEQL_SERIES_MAX = 2000 };
#define TRACEQL_METRICS_BYTES_MAX ((size_t)256 << 20)

/* Steps (start, start + step], …; one step from `start_ns` to `end_ns`, both included, when `step_ns` is 0. */
struct traceql_steps {
    uint64_t start_ns, end_ns, step_ns;
    uint32_t count;
};
/* Puts start and end on multiples of the step, one step more in front, so that asking again a little later
 * gives the same points. ERR_LIMIT beyond TRACEQL_POINTS_MAX; ERR_INVALID when there is no time between them. */
int traceql_steps_align(
    uint64_t start_ns, uint64_t end_ns, uint64_t step_ns, struct traceql_steps *steps_out);
/* The time of a sample. */
uint64_t traceql_steps_time(const struct traceql_steps *steps, uint32_t point);
/* The step of a time; false outside of all. */
bool traceql_steps_find(const struct traceql_steps *steps, uint64_t time_ns, uint32_t *point_out);

struct traceql_exemplar {
    struct trace_id trace; /* zero: none */
    uint64_t time_ns;
    double value;
};

/* What a series of compare() counts. */
enum traceql_meta {
    TRACEQL_META_NONE,            /* it is not one */
    TRACEQL_META_BASELINE,        /* spans outside of the selection with this value */
    TRACEQL_META_SELECTION,       /* spans of the selection with it */
    TRACEQL_META_BASELINE_TOTAL,  /* spans outside that have the attribute at all */
    TRACEQL_META_SELECTION_TOTAL, /* spans of the selection that have it */
    TRACEQL_META_TOO_MANY,        /* nothing: the attribute has more values than are told */
};

struct traceql_series {
    const struct traceql_value *by; /* a value each field of by(), perhaps NIL */
    struct traceql_value extra;     /* the quantile, or the upper bound of the bucket; else NIL */
    enum traceql_meta meta;
    const struct traceql_field *field;        /* of compare(), whose value is `extra` */
    double *samples;                          /* NaN: none */
    const struct traceql_exemplar *exemplars; /* one a step, or NULL */
};

struct traceql_result {
    const struct traceql_series *items; /* in the order of their values */
    size_t count;
    uint64_t damaged_pages;
};

/* What stands behind the function is done with `items`; series without a sample are left out then. */
int traceql_seconds_apply(const struct traceql_metrics *metrics, uint32_t points,
    struct traceql_series *items, size_t count, struct arena *arena,
    struct traceql_result *result_out);

#endif
