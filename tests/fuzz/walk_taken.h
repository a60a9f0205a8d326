/* What is accepted of another format has become a message of OTLP that the walker takes to its end. */
#ifndef SONDE_TESTS_WALK_TAKEN_H
#define SONDE_TESTS_WALK_TAKEN_H

#include <assert.h>

#include "wire/otlp_traces.h"

/* Spans without sound ids that it left out. */
static inline uint64_t walk_taken(struct str message)
{
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    int status = otlp_traces_new(&walker);
    assert(status == 0);
    status = otlp_traces_begin(walker, message, NULL);
    assert(status == 0);
    while ((status = otlp_traces_next(walker, &span)) == 1) {
        assert(span.span.start_ns <= span.span.end_ns);
    }
    assert(status == 0);
    uint64_t faults =
        otlp_traces_faults(walker, OTLP_SPAN_TRACE_ID) + otlp_traces_faults(walker, OTLP_SPAN_ID);
    otlp_traces_free(walker);
    return faults;
}

#endif
