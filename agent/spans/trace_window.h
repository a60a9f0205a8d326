/* Traces that wait to be decided over, with their spans as they came.
 *
 *   trace_window_add      a span joins its trace; the first one makes it
 *   trace_window_due      the trace whose time has come, or the oldest
 *   trace_window_take     it leaves the window: its spans are a list now
 *   trace_window_release  each of them is done with
 *
 * Spans lie in slabs in the order in which they came, behind a copy of their resource, one for each message and
 * slab, and of their scope. Since every trace leaves the window after the same time at the latest, slabs empty in
 * order, and one is freed with its last span. A span costs its bytes and about 64 more.
 *
 * Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_TRACE_WINDOW_H
#define SONDE_SPANS_TRACE_WINDOW_H

#include <stdbool.h>

#include "spans/span_batch.h"

#define TRACE_WINDOW_SLAB_BYTES ((size_t)256 << 10)

struct window_slab;

/* Resource and scope, as they are encoded, and their hash. */
struct window_group {
    uint64_t hash;
    struct str resource_raw, scope_raw, resource_schema, scope_schema; /* in the same slab */
};

struct window_span {
    struct window_span *next; /* of the same trace */
    struct window_slab *slab;
    const struct window_group *group;
    uint64_t span_id;
    double seconds;
    struct span_metrics_place place;
    uint32_t size;  /* of its bytes, which are behind it */
    bool has_state; /* it has a trace state */
};

struct window_trace {
    struct trace_id id;
    struct window_span *first, *last;
    struct window_trace *before, *after; /* in the order of deadlines */
    uint64_t marks;      /* what its spans have shown; whoever adds says what it means */
    uint64_t randomness; /* 56 bits: rv of its trace state, or of its id */
    uint64_t start_ns, end_ns;
    int64_t deadline_ms; /* monotonic */
    uint32_t spans;
    bool has_root;
    size_t bytes;
};

struct trace_window;

int trace_window_new(struct trace_window **window_out);
/* Accepts NULL. */
void trace_window_free(struct trace_window *w);
/* A copy of the span, in no trace: `batch` tells its resource and scope. NULL without memory. */
struct window_span *trace_window_copy(
    struct trace_window *w, const struct span_batch *batch, const struct span_item *item);
/* The messages of `batch` are done with: what comes next has other resources. */
void trace_window_end_batch(struct trace_window *w);
/* The trace of that id, or NULL. */
struct window_trace *trace_window_find(const struct trace_window *w, struct trace_id id);
/* A new trace without spans. NULL without memory. */
struct window_trace *trace_window_make(
    struct trace_window *w, struct trace_id id, int64_t deadline_ms);
/* The copy joins the trace. */
void trace_window_join(
    struct trace_window *w, struct window_trace *trace, struct window_span *span);
/* Its root came: its deadline is this one if that is earlier. Roots must come in order of deadlines. */
void trace_window_hasten(struct trace_window *w, struct window_trace *trace, int64_t deadline_ms);
/* The trace with the earliest deadline, NULL when there is none. */
struct window_trace *trace_window_oldest(const struct trace_window *w);
/* The trace leaves the window and is freed; its spans stay until they are released. */
struct window_span *trace_window_take(struct trace_window *w, struct window_trace *trace);
/* Frees one span. */
void trace_window_release(struct trace_window *w, struct window_span *span);

size_t trace_window_bytes(const struct trace_window *w); /* all memory it holds */
size_t trace_window_traces(const struct trace_window *w);
size_t trace_window_spans(const struct trace_window *w); /* in traces */

static inline struct str window_span_raw(const struct window_span *span)
{
    return str_make((const char *)(span + 1), span->size);
}

#endif
