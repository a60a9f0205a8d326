/* The spans of one trace as a forest: who is whose parent, and numbers that tell it without walking.
 *
 * A span whose parent is not there (lost, or still on its way) stands at the top beside the roots. Parents in a circle
 * are cut at the earliest span of it, which then stands at the top, too. Of several spans with one id (Zipkin's two
 * halves of a call) the earliest is the parent of those that name it.
 */
#ifndef SONDE_QUERY_TRACE_TREE_H
#define SONDE_QUERY_TRACE_TREE_H

#include <stdint.h>

#include "base/arena.h"
#include "tsdb/span_store.h"

#define TRACE_TREE_NONE UINT32_MAX

struct trace_tree {
    const struct otlp_span *spans; /* by start, then id */
    uint32_t count;
    uint32_t root;             /* the earliest span that names no parent, or TRACE_TREE_NONE */
    uint64_t start_ns, end_ns; /* earliest start, latest end */
    /* Of each span: */
    const uint32_t *parents;  /* index, or TRACE_TREE_NONE */
    const uint32_t *children; /* how many */
    /* Nested sets: a span's descendants are those whose numbers lie between its two. From 1. */
    const uint32_t *left, *right;
    /* Spans of one number name the same parent, there or not; those without a parent are alike, too. */
    const uint32_t *families;
    /* All spans, parents before children. */
    const uint32_t *order;
};

/* Borrows the spans; the rest is in `arena`. 0 or the arena's error. */
int trace_tree_build(
    const struct span_trace *trace, struct arena *arena, struct trace_tree *tree_out);

/* Texts for a root that has not come. */
#define TRACE_ROOT_UNKNOWN "<root span not yet received>"

#endif
