/* Traces that lie in the page in hand, decided from its columns: whether a trace can match at all, and what the
 * answer holds of it, without putting its spans together.
 *
 * Verdicts of a filter are found once a page, when they are first asked for. A trace that no filter of the query can
 * do without is left at once. Of the others the tree is built from ids and times alone, and the query is evaluated
 * with the verdicts in the place of conditions, by the same code that evaluates it over whole spans; that needs all
 * verdicts to be certain, and stages that ask for nothing else of a span.
 */
#ifndef SONDE_QUERY_TRACEQL_INPLACE_H
#define SONDE_QUERY_TRACEQL_INPLACE_H

#include "trace/traceql_evaluate.h"
#include "trace/traceql_page.h"

/* Filters of one query whose verdicts are kept; with more, traces are put together. */
enum { TRACEQL_INPLACE_FILTERS_MAX = 32 };

struct traceql_inplace {
    const struct traceql_query *query;
    struct traceql_page *page;
    bool decides; /* no stage asks for more than verdicts */
    struct {
        const struct traceql_spanset *filter;
        const uint8_t *verdicts;
    } filters[TRACEQL_INPLACE_FILTERS_MAX];
    uint32_t count;
};

void traceql_inplace_init(struct traceql_inplace *in, const struct traceql_query *query);
/* Another page; `page` is borrowed until the next. */
void traceql_inplace_begin(struct traceql_inplace *in, struct traceql_page *page);

/* Verdicts of a filter, a byte a row. All functions return an error, or: 0. */
int traceql_inplace_verdicts(
    struct traceql_inplace *in, const struct traceql_spanset *filter, const uint8_t **verdicts_out);
/* 1 or 0: whether a trace of these rows, of which there are no others, may match. */
int traceql_inplace_may_match(struct traceql_inplace *in, const struct span_page_trace *trace);
/* 1: `tree_out`, with spans of which ids and times are known, and `sets_out`; 0: the trace has to be put together. */
int traceql_inplace_decide(struct traceql_inplace *in, const struct span_page_trace *trace,
    struct arena *arena, struct trace_tree *tree_out, struct traceql_sets *sets_out);

#endif
