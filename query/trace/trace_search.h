/* The newest traces that match a question. */
#ifndef SONDE_QUERY_TRACE_SEARCH_H
#define SONDE_QUERY_TRACE_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "trace/trace_filter.h"
#include "tsdb/span_store.h"

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

/* At most `limit` (1 to TRACE_SEARCH_LIMIT_MAX) of them in `arena`, the newest first, by id when they
 * begin at the same time. */
int trace_search(struct span_view *view, const struct trace_query *query, size_t limit,
    struct arena *arena, struct trace_hits *hits_out, struct err *e);

#endif
