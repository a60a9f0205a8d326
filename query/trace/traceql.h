/* TraceQL: the language in which Grafana asks for traces
 * (https://grafana.com/docs/tempo/latest/traceql/), and the tree that its text becomes.
 *
 *   { resource.service.name = "shop" && duration > 100ms } >> { status = error } | count() > 2
 *   { span.http.status_code >= 500 } | rate() by (resource.service.name)
 *
 * A query is a pipeline. Its stages take the sets of spans of one trace and leave fewer or other ones: filters
 * in braces and their combinations, aggregates that are compared, by(), coalesce(), select(). A function
 * of metrics may end it.
 *
 * In a comparison a field that a span does not have is neither equal nor unequal to anything, neither less
 * nor more: the comparison is false. `= nil` and `!= nil` ask whether it is there. Fields of events and links have one
 * value for each event: a comparison is true when it is for one of them; an array likewise, but != and !~ have to be
 * true for all of its elements. && and || bind alike, from the left, as in Tempo: mix them with parentheses.
 *
 * Not taken, with a sentence that says so: arithmetic of series.
 *
 * A tree is immutable, lives in the arena it was parsed into and borrows nothing else; any thread may read it.
 */
#ifndef SONDE_QUERY_TRACEQL_H
#define SONDE_QUERY_TRACEQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"

/* Of one query: bytes, nodes of its tree (conditions and what joins them), parentheses in one another, fields of one
 * list, quantiles, stages behind a function of series. */
enum {
    TRACEQL_BYTES_MAX = 64 << 10,
    TRACEQL_NODES_MAX = 1024,
    TRACEQL_DEPTH_MAX = 64,
    TRACEQL_FIELDS_MAX = 32,
    TRACEQL_QUANTILES_MAX = 16,
    TRACEQL_SECONDS_MAX = 8,
};

/* ---- Values ---- */

enum traceql_type {
    TRACEQL_NIL, /* not there */
    TRACEQL_INT,
    TRACEQL_FLOAT,
    TRACEQL_STRING,
    TRACEQL_BOOL,
    TRACEQL_DURATION, /* nanoseconds */
    TRACEQL_STATUS,   /* enum span_status */
    TRACEQL_KIND,     /* enum span_kind */
    TRACEQL_ARRAY,    /* an attribute's, encoded (see model/span.h) */
    TRACEQL_ANY,      /* in a tree: the span's attribute decides */
};

struct traceql_value {
    enum traceql_type type;
    union {
        int64_t integer; /* INT, DURATION, STATUS, KIND */
        double number;
        bool boolean;
        struct str text; /* STRING, ARRAY */
    };
};

/* ---- Fields ---- */

enum traceql_scope {
    TRACEQL_SCOPE_ANY, /* .key: the span's, else its resource's */
    TRACEQL_SCOPE_SPAN,
    TRACEQL_SCOPE_RESOURCE,
    TRACEQL_SCOPE_EVENT,
    TRACEQL_SCOPE_LINK,
    TRACEQL_SCOPE_INSTRUMENTATION,
    TRACEQL_SCOPE_PARENT, /* parent.key, parent.span.key, parent.resource.key: of the span's parent */
    TRACEQL_SCOPE_INTRINSIC,
};

/* name, text, second text or NULL, type */
#define TRACEQL_INTRINSIC_LIST(X)                                                                  \
    X(NAME, "name", "span:name", STRING)                                                           \
    X(STATUS, "status", "span:status", STATUS)                                                     \
    X(STATUS_MESSAGE, "statusMessage", "span:statusMessage", STRING)                               \
    X(KIND, "kind", "span:kind", KIND)                                                             \
    X(DURATION, "duration", "span:duration", DURATION)                                             \
    X(CHILD_COUNT, "span:childCount", "childCount", INT)                                           \
    X(SPAN_ID, "span:id", NULL, STRING)                                                            \
    X(PARENT_ID, "span:parentID", NULL, STRING)                                                    \
    X(TRACE_ID, "trace:id", NULL, STRING)                                                          \
    X(TRACE_DURATION, "traceDuration", "trace:duration", DURATION)                                 \
    X(ROOT_NAME, "rootName", "trace:rootName", STRING)                                             \
    X(ROOT_SERVICE, "rootServiceName", "trace:rootService", STRING)                                \
    X(NESTED_SET_LEFT, "nestedSetLeft", NULL, INT)                                                 \
    X(NESTED_SET_RIGHT, "nestedSetRight", NULL, INT)                                               \
    X(NESTED_SET_PARENT, "nestedSetParent", NULL, INT)                                             \
    X(EVENT_NAME, "event:name", NULL, STRING)                                                      \
    X(EVENT_TIME, "event:timeSinceStart", NULL, DURATION)                                          \
    X(LINK_TRACE_ID, "link:traceID", NULL, STRING)                                                 \
    X(LINK_SPAN_ID, "link:spanID", NULL, STRING)                                                   \
    X(SCOPE_NAME, "instrumentation:name", NULL, STRING)                                            \
    X(SCOPE_VERSION, "instrumentation:version", NULL, STRING)

enum traceql_intrinsic {
#define X(name, text, other, type) TRACEQL_INTRINSIC_##name,
    TRACEQL_INTRINSIC_LIST(X)
#undef X
        TRACEQL_INTRINSIC_COUNT,
};

struct traceql_field {
    enum traceql_scope scope;
    enum traceql_scope of;            /* of TRACEQL_SCOPE_PARENT: ANY, SPAN or RESOURCE */
    enum traceql_intrinsic intrinsic; /* of TRACEQL_SCOPE_INTRINSIC */
    struct str key;                   /* of the others */
    struct str text;                  /* as it is written: "resource.service.name", "name" */
};

/* ---- Conditions ---- */

/* name, text */
#define TRACEQL_OPERATOR_LIST(X)                                                                   \
    X(AND, "&&")                                                                                   \
    X(OR, "||")                                                                                    \
    X(EQ, "=")                                                                                     \
    X(NE, "!=")                                                                                    \
    X(LT, "<")                                                                                     \
    X(LE, "<=")                                                                                    \
    X(GT, ">")                                                                                     \
    X(GE, ">=")                                                                                    \
    X(RE, "=~")                                                                                    \
    X(NRE, "!~")                                                                                   \
    X(ADD, "+")                                                                                    \
    X(SUB, "-")                                                                                    \
    X(MUL, "*")                                                                                    \
    X(DIV, "/")                                                                                    \
    X(MOD, "%")                                                                                    \
    X(POW, "^")                                                                                    \
    X(DESCENDANT, ">>")                                                                            \
    X(ANCESTOR, "<<")                                                                              \
    X(SIBLING, "~")                                                                                \
    X(NOT_CHILD, "!>")                                                                             \
    X(NOT_PARENT, "!<")                                                                            \
    X(NOT_DESCENDANT, "!>>")                                                                       \
    X(NOT_ANCESTOR, "!<<")                                                                         \
    X(UNION_CHILD, "&>")                                                                           \
    X(UNION_PARENT, "&<")                                                                          \
    X(UNION_DESCENDANT, "&>>")                                                                     \
    X(UNION_ANCESTOR, "&<<")                                                                       \
    X(UNION_SIBLING, "&~")

/* Between sets of spans GT is "child of", LT "parent of", NRE "no sibling of". */
enum traceql_operator {
#define X(name, text) TRACEQL_##name,
    TRACEQL_OPERATOR_LIST(X)
#undef X
        TRACEQL_OPERATOR_COUNT,
};
const char *traceql_operator_text(enum traceql_operator op);

enum traceql_node {
    TRACEQL_LITERAL, /* `literal` */
    TRACEQL_FIELD,   /* `field` */
    TRACEQL_BINARY,  /* `left` op `right`; `regex` of RE and NRE */
    TRACEQL_NOT,     /* `left` */
    TRACEQL_NEGATE,  /* `left` */
    TRACEQL_EXISTS,  /* `left` != nil */
    TRACEQL_ABSENT,  /* `left` = nil */
};

/* What has to be known of a span to decide. */
enum traceql_need {
    TRACEQL_NEEDS_SPAN,  /* the span by itself, with its resource and scope */
    TRACEQL_NEEDS_TRACE, /* the other spans of its trace */
};

enum traceql_need traceql_field_need(const struct traceql_field *field);

struct traceql_expr {
    enum traceql_node node;
    enum traceql_operator op;
    enum traceql_type type; /* of its value; ANY when the span decides */
    enum traceql_need need;
    struct traceql_value literal;
    const struct traceql_field *field;
    const struct traceql_expr *left, *right;
    const struct regex *regex; /* anchored */
};

/* ---- Pipelines ---- */

enum traceql_spanset_kind {
    TRACEQL_SPANSET_FILTER,    /* { expr } */
    TRACEQL_SPANSET_OPERATION, /* left op right */
    TRACEQL_SPANSET_PIPELINE,  /* ( stages ): what is left of the spans that go in */
};

struct traceql_spanset {
    enum traceql_spanset_kind kind;
    enum traceql_operator op; /* AND, OR, or a structural one */
    const struct traceql_spanset *left, *right;
    const struct traceql_expr *expr; /* NULL: { } */
    const struct traceql_stage *stages;
};

enum traceql_aggregate {
    TRACEQL_COUNT,
    TRACEQL_AVG,
    TRACEQL_MIN,
    TRACEQL_MAX,
    TRACEQL_SUM,
};

enum traceql_scalar_node {
    TRACEQL_SCALAR_LITERAL,   /* `literal`, a number or a duration */
    TRACEQL_SCALAR_AGGREGATE, /* `aggregate`(`expr`) */
    TRACEQL_SCALAR_BINARY,    /* `left` op `right`: + - * / % ^ */
};

struct traceql_scalar {
    enum traceql_scalar_node node;
    struct traceql_value literal;
    enum traceql_aggregate aggregate;
    const struct traceql_expr *expr; /* NULL in count() */
    struct str text;                 /* "avg(duration)": what a set is marked with */
    enum traceql_operator op;
    const struct traceql_scalar *left, *right;
};

enum traceql_stage_kind {
    TRACEQL_STAGE_SPANSET, /* `spanset` */
    TRACEQL_STAGE_SCALAR,  /* `left` `op` `right` */
    TRACEQL_STAGE_BY,      /* by(`expr`) */
    TRACEQL_STAGE_COALESCE,
    TRACEQL_STAGE_SELECT, /* select(`fields`): shown with each span */
};

struct traceql_stage {
    enum traceql_stage_kind kind;
    const struct traceql_spanset *spanset;
    const struct traceql_expr *expr;
    struct str text; /* "by(name)": what a set is marked with */
    enum traceql_operator op;
    const struct traceql_scalar *left, *right;
    const struct traceql_field *const *fields;
    size_t field_count;
    const struct traceql_stage *next;
};

enum traceql_function {
    TRACEQL_RATE,
    TRACEQL_COUNT_OVER_TIME,
    TRACEQL_MIN_OVER_TIME,
    TRACEQL_MAX_OVER_TIME,
    TRACEQL_AVG_OVER_TIME,
    TRACEQL_SUM_OVER_TIME,
    TRACEQL_QUANTILE_OVER_TIME,
    TRACEQL_HISTOGRAM_OVER_TIME,
    TRACEQL_COMPARE,
};

/* What is done with the series of a function, at each step. */
enum traceql_second_kind {
    TRACEQL_SECOND_TOP,     /* | topk(`count`): so many are kept, the greatest */
    TRACEQL_SECOND_BOTTOM,  /* | bottomk(`count`): the least */
    TRACEQL_SECOND_COMPARE, /* `op` `number`: those for which it is true */
};

struct traceql_second {
    enum traceql_second_kind kind;
    int64_t count;
    enum traceql_operator op;
    double number; /* seconds, of a duration */
};

struct traceql_metrics {
    enum traceql_function function;
    const char *name;
    const struct traceql_field *field; /* NULL in rate(), count_over_time() and compare() */
    double quantiles[TRACEQL_QUANTILES_MAX];
    size_t quantile_count;
    const struct traceql_field *by[TRACEQL_FIELDS_MAX];
    size_t by_count;
    struct traceql_second seconds[TRACEQL_SECONDS_MAX];
    size_t second_count;
    /* compare(): the spans of the selection, NULL: all, between two times, 0: any; and values told of an attribute. */
    const struct traceql_expr *selection;
    uint64_t start_ns, end_ns;
    int64_t values;
};

struct traceql_query {
    const struct traceql_stage *stages;        /* at least one */
    const struct traceql_metrics *metrics;     /* NULL: a search */
    const struct traceql_field *const *fields; /* all that conditions name, each once */
    size_t field_count;
};

/* Hints (with (…)) are read and change nothing: answers are the newest and exact without them. ERR_INVALID with a
 * sentence and the offset of the byte it speaks of; ERR_LIMIT with the name of the limit; ERR_NOMEM or the arena's. */
int traceql_parse(
    struct str text, struct arena *arena, const struct traceql_query **query_out, struct err *e);

/* What is known of the spans of a query that is being typed; `{}` when that is nothing. Only without memory an error. */
int traceql_parse_partial(
    struct str text, struct arena *arena, const struct traceql_query **query_out, struct err *e);

/* "resource.service.name", ".foo", "name": one field by itself; as traceql_parse. */
int traceql_parse_field(
    struct str text, struct arena *arena, const struct traceql_field **field_out, struct err *e);

#endif
