/* The newest traces that match a query. */
#ifndef SONDE_QUERY_TRACEQL_SEARCH_H
#define SONDE_QUERY_TRACEQL_SEARCH_H

#include "trace/traceql_scan.h"

/* Traces of one answer. */
#define TRACE_SEARCH_LIMIT_MAX 10000

struct trace_hit {
    struct trace_id id;
    uint64_t start_ns; /* of the latest span that matches */
};

struct trace_hits {
    const struct trace_hit *items;
    size_t count;
    uint64_t damaged_pages; /* columns of so many could not be read: what they have is missing */
};

/* A trace matches when a span of its answer starts in [start_ns, end_ns]; its time is the latest such start. At most
 * `limit` (1 to TRACE_SEARCH_LIMIT_MAX) in `arena`, the newest first, by id when their times are equal. What is
 * spent is counted in `budget`. 0, or an error with a sentence. */
int traceql_search(struct span_view *view, const struct traceql_query *query, uint64_t start_ns,
    uint64_t end_ns, size_t limit, struct trace_budget *budget, struct arena *arena,
    struct trace_hits *hits_out, struct err *e);

#endif
