/* The pages that may hold spans of an answer, the latest first, with what can be said of their spans; and the traces
 * that have to be looked at as a whole.
 *
 * A query is *exact by span* when one filter decides, from the span alone: { … }, perhaps with select(). For all others
 * the verdict says which spans may be in the answer, and the trace decides.
 */
#ifndef SONDE_QUERY_TRACEQL_SCAN_H
#define SONDE_QUERY_TRACEQL_SCAN_H

#include "trace/trace_budget.h"
#include "trace/trace_id_set.h"
#include "trace/trace_reader.h"
#include "trace/traceql_evaluate.h"
#include "trace/traceql_inplace.h"

struct traceql_scan {
    struct span_view *view;
    const struct traceql_query *query;
    uint64_t start_ns, end_ns; /* of spans' starts, both included */
    struct trace_budget *budget;
    bool exact_by_span;
    /* Of the page in hand, until the next one: */
    struct traceql_page page;
    struct traceql_inplace inplace;
    const struct span_page_trace *traces;
    uint32_t trace_count;
    uint8_t *verdicts;  /* a row each; TRACEQL_MAY_FAIL outside the time */
    uint64_t latest_ns; /* no span of this page or of those to come starts later */
    /* Set it after opening: trees have their spans with all that these have. Else they may have ids and times only. */
    bool whole_spans;
    /* Counts for the answer. */
    uint64_t damaged_pages, traces_seen;
    /* The scan's own. */
    struct span_pages *pages;
    struct arena arena;
    struct trace_reader reader; /* of traces that lie in other pages, too */
    struct trace_id_set whole;  /* traces that were looked at as a whole */
};

/* View, query and budget are borrowed. Close it in any case. All return 0 or an error with a sentence. */
int traceql_scan_open(struct traceql_scan *scan, struct span_view *view,
    const struct traceql_query *query, uint64_t start_ns, uint64_t end_ns,
    struct trace_budget *budget, struct err *e);
void traceql_scan_close(struct traceql_scan *scan);
/* 1: a page that has candidates is in hand; 0: there is none any more. Pages whose latest start is before `floor_ns`
 * are not opened. Damaged pages are counted and left out. */
int traceql_scan_next(struct traceql_scan *scan, uint64_t floor_ns, struct err *e);
/* Of a query that is exact by span: decides a row whose verdict may be open. */
int traceql_scan_row(struct traceql_scan *scan, uint32_t row, bool *holds_out, struct err *e);
/* Of all others: evaluates a trace of the page in hand, wherever its spans are. 1: `tree_out` and `sets_out`, which
 * may be empty (then there may be no tree), in `arena`, with texts that live until the next call; 0: it was looked at
 * before. In a search spans of the tree may have nothing but ids and times. */
int traceql_scan_trace(struct traceql_scan *scan, const struct span_page_trace *trace,
    struct arena *arena, struct trace_tree *tree_out, struct traceql_sets *sets_out, struct err *e);

#endif
