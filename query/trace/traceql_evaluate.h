/* A pipeline over the spans of one trace. */
#ifndef SONDE_QUERY_TRACEQL_EVALUATE_H
#define SONDE_QUERY_TRACEQL_EVALUATE_H

#include "trace/traceql_span.h"

/* What a stage found of a set: avg(duration) and what it is. */
struct traceql_mark {
    struct str text; /* of the query */
    struct traceql_value value;
    const struct traceql_mark *before;
};

/* Spans of the trace that belong together: all that match, or one group of by(). */
struct traceql_set {
    const uint32_t *spans; /* indices into the tree, ascending; at least one */
    uint32_t count;
    const struct traceql_mark *marks; /* the latest first */
};

struct traceql_sets {
    const struct traceql_set *items;
    uint32_t count;
};

/* The sets that are left at the end of the pipeline, in `arena`, texts borrowed from the trace; none when the
 * trace does not match. Groups are in the order of their values. 0 or the arena's error. */
int traceql_evaluate(const struct traceql_query *query, const struct trace_tree *tree,
    struct arena *arena, struct traceql_sets *sets_out);

/* What is known of filters beforehand: `verdicts` of one of the query has a byte a span of the tree, of which bit 0
 * is set when the span passes it. */
struct traceql_known {
    const uint8_t *(*verdicts)(const void *context, const struct traceql_spanset *filter);
    const void *context;
};
/* The same, without asking spans what filters say of them. */
int traceql_evaluate_known(const struct traceql_query *query, const struct trace_tree *tree,
    const struct traceql_known *known, struct arena *arena, struct traceql_sets *sets_out);

/* Spans of `to` that stand to spans of `from` as a structural operator says, put into `out`. A byte a span
 * each. 0 or the arena's error. */
int traceql_relate(enum traceql_operator op, const struct trace_tree *tree, const uint8_t *from,
    const uint8_t *to, struct arena *arena, uint8_t *out);

#endif
