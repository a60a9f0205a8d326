/* The smallest condition: a field compared with a literal, or asked whether it is there. */
#ifndef SONDE_QUERY_TRACEQL_CONDITION_H
#define SONDE_QUERY_TRACEQL_CONDITION_H

#include "trace/traceql_span.h"

struct traceql_condition {
    const struct traceql_expr *expr;
    const struct traceql_field *field;
    const struct traceql_value *literal; /* NULL: the field alone decides */
    bool flipped;                        /* the literal is on the left */
};

/* False: the expression is something else. */
bool traceql_condition_of(const struct traceql_expr *e, struct traceql_condition *condition_out);
bool traceql_condition_holds(const struct traceql_condition *condition, struct traceql_value value);

/* Integers from `least` to `greatest`, or all others: a number holds when it is one of them. */
struct traceql_range {
    int64_t least, greatest;
    bool others;
};
/* What the condition says of integers (of TRACEQL_DURATION, too); false: it has to be asked of each. */
bool traceql_condition_range(
    const struct traceql_condition *condition, struct traceql_range *range_out);
static inline bool traceql_range_has(const struct traceql_range *r, int64_t value)
{
    return (value >= r->least && value <= r->greatest) != r->others;
}

#endif
