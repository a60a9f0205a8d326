/* What is settled before evaluation: durations become milliseconds, start() and end() become times,
 * parentheses around arguments go away, and the times the query may read are known. */
#ifndef SONDE_QUERY_ENGINE_PREPARE_H
#define SONDE_QUERY_ENGINE_PREPARE_H

#include "query.h"

struct time_extent {
    int64_t min_t, max_t;
};

/* Changes the tree, which is the query's own. ERR_INVALID for durations that make no sense. */
int prepare(struct query *q, struct expr **expr, struct time_extent *extent_out);

/* The way from the root to the node that a walk is at, the node last. */
struct expr_path {
    const struct expr *nodes[PROMQL_DEPTH_MAX];
    size_t count;
};

/* To be called from each visit of promql_walk. */
void expr_path_visit(struct expr_path *path, const struct expr *expr, const struct expr *parent);

/* The time an expression's modifiers say for an evaluation at `t`. */
static inline int64_t when_at(const struct expr_when *when, int64_t t)
{
    return (when->at == AT_TIME ? when->at_ms : t) - when->offset_ms;
}

/* The times a selector of a grid reads: [min_t, max_t]. `range_ms` is 0 for an instant selector. */
struct time_extent selector_extent(const struct query *q, const struct expr_selector *s,
    int64_t range_ms, int64_t start, int64_t end);
/* The grid a subquery is evaluated on; steps may be 0. ERR_LIMIT for too many. */
int subquery_grid(struct query *q, const struct expr_subquery *s, const struct grid *outer,
    struct grid *grid_out);

#endif
