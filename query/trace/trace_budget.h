/* What one question may cost: spans that are looked at, and time. */
#ifndef SONDE_QUERY_TRACE_BUDGET_H
#define SONDE_QUERY_TRACE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

/* Spans that one question looks at; each time a trace is put together counts again. */
#define TRACE_BUDGET_SPANS_MAX (UINT64_C(1) << 30)
/* Memory of one page's columns, and of one trace that is put together. */
#define TRACE_BUDGET_BYTES_MAX ((size_t)1 << 30)

struct trace_budget {
    struct clock *clock;
    int64_t deadline_ns;              /* monotonic; 0: none */
    uint64_t spans_max;               /* 0: TRACE_BUDGET_SPANS_MAX */
    const atomic_bool *canceled;      /* or NULL */
    bool (*abandoned)(void *context); /* or NULL: whether nobody waits for the answer any more */
    void *context;
    uint64_t spans; /* looked at so far */
};

/* Counts spans before they are looked at. 0; ERR_LIMIT, ERR_TIMEOUT, ERR_CANCELED with a sentence. */
int trace_budget_spend(struct trace_budget *budget, uint64_t spans, struct err *e);

#endif
