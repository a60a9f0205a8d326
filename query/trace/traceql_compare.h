/* compare(): how often each value of each attribute is found among the spans of a selection, and among all others.
 *
 * Attributes are those of spans and of their resources, and name, kind, status and statusMessage. Of each the most
 * frequent values are told, and how many spans have it at all. An attribute that has more values than are told says so in
 * a series of its own; values beyond the first TRACEQL_COMPARE_VALUES_MAX that come count in its total only.
 */
#ifndef SONDE_QUERY_TRACEQL_COMPARE_H
#define SONDE_QUERY_TRACEQL_COMPARE_H

#include "trace/traceql_series.h"
#include "trace/traceql_span.h"

/* Attributes of one answer, and values of one attribute that are counted. */
enum { TRACEQL_COMPARE_ATTRIBUTES_MAX = 1024, TRACEQL_COMPARE_VALUES_MAX = 512 };

struct traceql_compare {
    const struct traceql_metrics *metrics;
    const struct traceql_steps *steps;
    struct arena *arena;
    struct compared_attribute *attributes;
    size_t attribute_count;
    struct compared_value **slots; /* by hash; NULL: free */
    size_t slot_count, value_count;
    uint64_t spans; /* that were added */
};

int traceql_compare_init(struct traceql_compare *compare, const struct traceql_metrics *metrics,
    const struct traceql_steps *steps, struct arena *arena);
/* Outside of the steps nothing is counted. ERR_LIMIT beyond TRACEQL_COMPARE_ATTRIBUTES_MAX; the arena's error. */
int traceql_compare_add(struct traceql_compare *compare, struct traceql_subject *subject);
int traceql_compare_finish(struct traceql_compare *compare, struct traceql_result *result_out);

#endif
