/* Values of TraceQL, and what its operators make of two of them. */
#ifndef SONDE_QUERY_TRACEQL_VALUE_H
#define SONDE_QUERY_TRACEQL_VALUE_H

#include "base/strbuf.h"
#include "model/span.h"
#include "trace/traceql.h"

/* INT, FLOAT, DURATION */
static inline bool traceql_is_numeric(enum traceql_type type)
{
    return type == TRACEQL_INT || type == TRACEQL_FLOAT || type == TRACEQL_DURATION;
}

static inline bool traceql_is_comparison(enum traceql_operator op)
{
    return op >= TRACEQL_EQ && op <= TRACEQL_NRE;
}

/* Whether an operator between fields knows what to do with values of these types; what is only known of the
 * span (ANY) and arrays fit everything. */
bool traceql_types_fit(enum traceql_operator op, enum traceql_type left, enum traceql_type right);
/* The type of what an operator between fields makes of them. */
enum traceql_type traceql_result_type(
    enum traceql_operator op, enum traceql_type left, enum traceql_type right);

/* An attribute's value; bytes, maps and empty values are NIL. Texts are borrowed. */
struct traceql_value traceql_value_of(const struct attribute *attribute);
/* Seconds of a duration, numbers as they are; false for what is no number. */
bool traceql_value_number(struct traceql_value value, double *number_out);

/* An operator of fields: comparisons, && and ||, arithmetic. `regex` is the right side of RE and NRE. What the types do
 * not allow is false, or NIL in arithmetic; so is a division of integers by zero. */
struct traceql_value traceql_apply(enum traceql_operator op, struct traceql_value left,
    struct traceql_value right, const struct regex *regex);
/* A comparison; NIL compares with nothing. */
bool traceql_compare(enum traceql_operator op, struct traceql_value left,
    struct traceql_value right, const struct regex *regex);

/* Same type and value: what by() goes by. */
bool traceql_value_same(struct traceql_value a, struct traceql_value b);
uint64_t traceql_value_hash(struct traceql_value value);
/* A fixed order of all values, by type, then value: <0, 0, >0. */
int traceql_value_order(struct traceql_value a, struct traceql_value b);
/* As people read it: durations as Go writes them ("1.5ms"), "error", "server", arrays as JSON. */
void traceql_value_write(struct traceql_value value, struct strbuf *out);
/* {"intValue":"1"} …: OTLP's JSON; durations, statuses and kinds are texts. */
struct json_writer;
void traceql_value_write_json(struct traceql_value value, struct json_writer *json);

#endif
