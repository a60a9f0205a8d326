/* Spans on their way into series: a group for each combination of by(), with what was seen in each step. */
#ifndef SONDE_QUERY_TRACEQL_GROUPS_H
#define SONDE_QUERY_TRACEQL_GROUPS_H

#include "trace/traceql_series.h"
#include "trace/traceql_value.h"

/* Bucket k holds what is more than 2^(k-1) and at most 2^k nanoseconds, or ones. */
enum { TRACEQL_BUCKETS = 65 };

struct traceql_group {
    const struct traceql_value *by;
    double *counts;     /* a step each */
    double *values;     /* sum, least or greatest; NaN: nothing yet. NULL in counting functions */
    uint32_t **buckets; /* a step each, NULL: nothing; NULL when there is no histogram */
    struct traceql_exemplar *exemplars; /* or NULL */
};

struct traceql_groups {
    const struct traceql_metrics *metrics;
    const struct traceql_steps *steps;
    struct arena *arena;
    bool exemplars;
    struct traceql_group *items; /* TRACEQL_SERIES_MAX */
    size_t count;
    uint32_t *slots; /* index + 1 by hash */
};

/* A span that was seen. */
struct traceql_sighting {
    struct trace_id trace;
    uint64_t start_ns;
    double value;   /* of the function's field, or the duration in seconds */
    uint64_t whole; /* the same for buckets: nanoseconds, or the number cut to an integer */
};

int traceql_groups_init(struct traceql_groups *groups, const struct traceql_metrics *metrics,
    const struct traceql_steps *steps, bool exemplars, struct arena *arena);
/* The group of these values; texts are copied. ERR_LIMIT beyond TRACEQL_SERIES_MAX; the arena's. */
int traceql_groups_find(struct traceql_groups *groups, const struct traceql_value *by,
    struct traceql_group **group_out);
/* Outside of the steps nothing is counted. 0 or the arena's error. */
int traceql_group_add(struct traceql_groups *groups, struct traceql_group *group,
    const struct traceql_sighting *seen);
/* What comes of them. */
int traceql_groups_finish(struct traceql_groups *groups, struct traceql_result *result_out);

#endif
