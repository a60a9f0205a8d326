/* Functions of metrics: spans that match, counted and measured in steps of time, by what they have in common.
 *
 *   rate()                  spans a second                min, max, sum, avg_over_time(field)
 *   count_over_time()       spans                         quantile_over_time(field, q…), histogram_over_time(field)
 *   compare({…}, n)         values of attributes, among a selection and all others (traceql_compare.h)
 *
 * A span belongs to the step (t - step, t] that it starts in. Durations are seconds. Quantiles are read from buckets
 * of powers of two, as Tempo's are: the exact value lies in the same bucket. Where no span is, counts are 0, the others
 * have no sample. A span that was sent twice and not merged yet counts twice when one span decides
 * (traceql_scan.h).
 */
#ifndef SONDE_QUERY_TRACEQL_METRICS_H
#define SONDE_QUERY_TRACEQL_METRICS_H

#include "trace/traceql_scan.h"
#include "trace/traceql_series.h"

/* `query` has a function. In `arena`. 0, or an error with a sentence. */
int traceql_measure(struct span_view *view, const struct traceql_query *query,
    const struct traceql_steps *steps, bool exemplars, struct trace_budget *budget,
    struct arena *arena, struct traceql_result *result_out, struct err *e);

#endif
