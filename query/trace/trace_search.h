/* The newest traces that match a question of simple form, as Jaeger's and Zipkin's pages ask them. */
#ifndef SONDE_QUERY_TRACE_SEARCH_H
#define SONDE_QUERY_TRACE_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "trace/trace_budget.h"
#include "trace/traceql_search.h"
#include "tsdb/span_store.h"

/* Tags of one question. */
#define TRACE_TAGS_MAX 64

/* As trace_question_tag says; without a value (ptr NULL) the key has to be there. */
struct trace_tag {
    struct str key, value;
};

/* All of it has to be true of one span. */
struct trace_query {
    struct str service, operation; /* empty: any */
    struct str remote; /* the service on the other side, as Zipkin shows it; empty: any */
    const struct trace_tag *tags;
    size_t tag_count;            /* at most TRACE_TAGS_MAX */
    uint64_t start_ns, end_ns;   /* of the span's start, both included */
    uint64_t duration_min_ns;    /* 0: any */
    uint64_t duration_max_ns;    /* 0: any */
    enum span_kind kind;         /* SPAN_KIND_UNSPECIFIED: any */
    struct trace_budget *budget; /* NULL: TRACE_BUDGET_SPANS_MAX, and any time */
};

/* As traceql_search. */
int trace_search(struct span_view *view, const struct trace_query *query, size_t limit,
    struct arena *arena, struct trace_hits *hits_out, struct err *e);

#endif
