/* Which service calls which, from the spans that are kept: what to show while no agent counts calls. */
#ifndef SONDE_QUERY_TRACE_CALLS_H
#define SONDE_QUERY_TRACE_CALLS_H

#include "trace/trace_budget.h"
#include "tsdb/span_store.h"

/* Of one answer: traces that are put together, the newest ones; pairs of services. */
enum { TRACE_CALLS_TRACES_MAX = 20000, TRACE_CALLS_MAX = 10000 };

struct trace_call {
    struct str parent, child;
    uint64_t count, errors; /* spans of the child whose parent is of the other service */
};

struct trace_calls {
    const struct trace_call *items; /* by parent, then child */
    size_t count;
    bool cut; /* there may be more: older traces were not looked at */
};

/* Of traces with spans that start in the time; in `arena`. 0, or an error with a sentence. */
int trace_calls(struct span_view *view, uint64_t start_ns, uint64_t end_ns,
    struct trace_budget *budget, struct arena *arena, struct trace_calls *calls_out, struct err *e);

#endif
