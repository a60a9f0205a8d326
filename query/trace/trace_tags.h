/* What there is to ask for: keys of attributes by scope, and values of a field. For lists to choose from: the newest
 * pages are looked at, and what is there already is not looked for again. */
#ifndef SONDE_QUERY_TRACE_TAGS_H
#define SONDE_QUERY_TRACE_TAGS_H

#include "trace/trace_names.h"
#include "trace/traceql_scan.h"

struct trace_key {
    enum traceql_scope scope; /* SPAN, RESOURCE, EVENT, LINK or INSTRUMENTATION */
    struct str key;
};

struct trace_keys {
    const struct trace_key *items; /* by scope, then key */
    size_t count;
    bool cut; /* there may be more */
};

/* At most TRACE_NAMES_MAX, of at most TRACE_NAMES_PAGES_MAX pages with spans of that time; in `arena`. */
int trace_keys(struct span_view *view, uint64_t start_ns, uint64_t end_ns, struct arena *arena,
    struct trace_keys *keys_out, struct err *e);

/* The same of spans that may match a query: of their pages columns are read. */
int trace_keys_of(struct span_view *view, const struct traceql_query *query, uint64_t start_ns,
    uint64_t end_ns, struct trace_budget *budget, struct arena *arena, struct trace_keys *keys_out,
    struct err *e);

struct trace_values {
    const struct traceql_value *items; /* in their order */
    size_t count;
    bool cut; /* there may be more */
};

/* At most `limit` (1 to TRACE_NAMES_MAX) values of a field of spans that may match the query; likewise. Of rootName and
 * rootServiceName those of all spans; none of what columns do not have. */
int trace_values(struct span_view *view, const struct traceql_query *query,
    const struct traceql_field *field, uint64_t start_ns, uint64_t end_ns, size_t limit,
    struct trace_budget *budget, struct arena *arena, struct trace_values *values_out,
    struct err *e);

#endif
