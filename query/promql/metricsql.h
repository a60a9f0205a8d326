/* Building trees for what MetricsQL says in other words than PromQL. Everything gives NULL after an error, and
 * takes NULL where an operand failed. `place` is the node whose place in the text the new one has. */
#ifndef SONDE_QUERY_PROMQL_METRICSQL_H
#define SONDE_QUERY_PROMQL_METRICSQL_H

#include "parser.h"

/* A call with room for its arguments. */
struct expr *metricsql_make_call(
    struct parser *p, const struct expr *place, enum function_id id, size_t argument_count);
struct expr *metricsql_make_number(struct parser *p, const struct expr *place, double value);
struct expr *metricsql_make_string(struct parser *p, const struct expr *place, struct str text);
struct expr *metricsql_make_binary(
    struct parser *p, enum binary_op op, struct expr *left, struct expr *right);
struct expr *metricsql_make_paren(struct parser *p, struct expr *inner);
/* `parameter` is NULL where the aggregation takes none. */
struct expr *metricsql_make_aggregate(struct parser *p, struct expr *place,
    const struct expr_aggregate *grouping, enum aggregate_op op, struct expr *parameter,
    struct expr *operand);

/* by (…) or without (…) behind the call, if it stands there. */
bool metricsql_read_grouping(struct parser *p, struct expr_aggregate *grouping_out);
/* An expression that stands several times in the tree where it was written once: as many nodes as a text may
 * have bytes, else a few nested calls would be evaluated for ever. */
bool metricsql_charge_copies(struct parser *p, struct expr *expr, size_t copies);
/* Are the arguments from `first` on strings? */
bool metricsql_are_strings(const struct expr_call *c, size_t first);
struct expr *metricsql_fail_arguments(
    struct parser *p, const struct expr *call, const char *wanted);

/* The label gets the value whatever it was; "" removes it. */
struct expr *metricsql_set_label(
    struct parser *p, struct expr *operand, struct str label, struct str value);

/* metricsql_unions.c: as metricsql_call. */
struct expr *metricsql_union_call(
    struct parser *p, struct expr *call, struct str name, bool *known_out);

/* metricsql_aggregates.c: as metricsql_call. */
struct expr *metricsql_aggregate_call(
    struct parser *p, struct expr *call, struct str name, bool *known_out);

#endif
