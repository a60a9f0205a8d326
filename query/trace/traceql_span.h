/* Conditions on one span. */
#ifndef SONDE_QUERY_TRACEQL_SPAN_H
#define SONDE_QUERY_TRACEQL_SPAN_H

#include "trace/trace_tree.h"
#include "trace/traceql_value.h"

/* A span that is looked at. */
struct traceql_subject {
    const struct otlp_span *span;
    const struct trace_tree
        *tree;      /* NULL: only the span is known, and what needs its trace is NIL */
    uint32_t index; /* in the tree */
    /* Ids are written here; the latest of them stay good. */
    char ids[8][2 * TRACE_ID_BYTES + 1];
    unsigned next_id;
};

/* The value of a field; of fields of events and links the first. NIL when there is none. Texts are borrowed from the
 * span, or, ids, from the subject. */
struct traceql_value traceql_field_value(
    struct traceql_subject *subject, const struct traceql_field *field);
struct traceql_value traceql_expr_value(
    struct traceql_subject *subject, const struct traceql_expr *expr);
/* Whether it is true; NULL is. */
bool traceql_expr_holds(struct traceql_subject *subject, const struct traceql_expr *expr);

/* Of a resource: service.name is never NIL (see span_resource_service). */
struct traceql_value traceql_resource_value(const struct span_resource *resource, struct str key);
struct traceql_value traceql_scope_value(
    const struct span_scope *scope, const struct traceql_field *field);
/* Of an event of a span that began at `start_ns`. */
struct traceql_value traceql_event_value(
    const struct span_event *event, uint64_t start_ns, const struct traceql_field *field);
/* Whether a field has a value for each event, or each link. */
bool traceql_field_of_events(const struct traceql_field *field);
bool traceql_field_of_links(const struct traceql_field *field);

#endif
