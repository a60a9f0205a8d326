/* A field is looked up where its scope says; a comparison with a field of events tries one event after the other. */
#include "trace/traceql_span.h"

#include <string.h>

static const struct traceql_value nil = {.type = TRACEQL_NIL};

static struct traceql_value of_text(struct str text)
{
    return (struct traceql_value){.type = TRACEQL_STRING, .text = text};
}

static struct traceql_value of_integer(enum traceql_type type, int64_t integer)
{
    return (struct traceql_value){.type = type, .integer = integer};
}

static struct traceql_value of_list(struct attributes list, struct str key)
{
    const struct attribute *found = attributes_get(list, key);
    return found != NULL ? traceql_value_of(found) : nil;
}

/* ---- Ids ---- */

static struct str keep_id(struct traceql_subject *s, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *text = s->ids[s->next_id++ % (sizeof(s->ids) / sizeof(s->ids[0]))];
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * size] = '\0';
    return str_make(text, 2 * size);
}

static struct traceql_value of_span_id(struct traceql_subject *s, uint64_t id)
{
    uint8_t bytes[SPAN_ID_BYTES];
    span_id_to_bytes(id, bytes);
    return id != 0 ? of_text(keep_id(s, bytes, sizeof(bytes))) : nil;
}

static struct traceql_value of_trace_id(struct traceql_subject *s, struct trace_id id)
{
    uint8_t bytes[TRACE_ID_BYTES];
    trace_id_to_bytes(id, bytes);
    return of_text(keep_id(s, bytes, sizeof(bytes)));
}

/* ---- Fields ---- */

struct traceql_value traceql_resource_value(const struct span_resource *resource, struct str key)
{
    struct traceql_value value = of_list(resource->attributes, key);
    return value.type == TRACEQL_NIL && str_eq_c(key, "service.name")
               ? of_text(span_resource_service(resource))
               : value;
}

struct traceql_value traceql_scope_value(
    const struct span_scope *scope, const struct traceql_field *field)
{
    if (field->scope == TRACEQL_SCOPE_INSTRUMENTATION) {
        return of_list(scope->attributes, field->key);
    }
    return of_text(field->intrinsic == TRACEQL_INTRINSIC_SCOPE_NAME ? scope->name : scope->version);
}

struct traceql_value traceql_event_value(
    const struct span_event *event, uint64_t start_ns, const struct traceql_field *field)
{
    if (field->scope == TRACEQL_SCOPE_EVENT) {
        return of_list(event->attributes, field->key);
    }
    return field->intrinsic == TRACEQL_INTRINSIC_EVENT_NAME
               ? of_text(event->name)
               : of_integer(TRACEQL_DURATION, (int64_t)(event->time_ns - start_ns));
}

static struct traceql_value link_value(
    struct traceql_subject *s, const struct span_link *link, const struct traceql_field *field)
{
    if (field->scope == TRACEQL_SCOPE_LINK) {
        return of_list(link->attributes, field->key);
    }
    return field->intrinsic == TRACEQL_INTRINSIC_LINK_TRACE_ID ? of_trace_id(s, link->trace_id)
                                                               : of_span_id(s, link->span_id);
}

/* Numbers of nested sets as Tempo has them: a root's parent is -1, one that is not there is 0. */
static int64_t nested_set_parent(const struct traceql_subject *s)
{
    const struct trace_tree *t = s->tree;
    if (t->parents[s->index] != TRACE_TREE_NONE) {
        return t->left[t->parents[s->index]];
    }
    return s->span->span.parent_id == 0 ? -1 : 0;
}

static struct traceql_value tree_value(
    const struct traceql_subject *s, enum traceql_intrinsic intrinsic)
{
    const struct trace_tree *t = s->tree;
    if (t == NULL) {
        return nil;
    }
    switch (intrinsic) {
    case TRACEQL_INTRINSIC_CHILD_COUNT:
        return of_integer(TRACEQL_INT, t->children[s->index]);
    case TRACEQL_INTRINSIC_TRACE_DURATION:
        return of_integer(TRACEQL_DURATION, (int64_t)(t->end_ns - t->start_ns));
    case TRACEQL_INTRINSIC_ROOT_NAME:
        return t->root != TRACE_TREE_NONE ? of_text(t->spans[t->root].span.name) : nil;
    case TRACEQL_INTRINSIC_ROOT_SERVICE:
        return t->root != TRACE_TREE_NONE
                   ? of_text(span_resource_service(t->spans[t->root].resource))
                   : nil;
    case TRACEQL_INTRINSIC_NESTED_SET_LEFT:
        return of_integer(TRACEQL_INT, t->left[s->index]);
    case TRACEQL_INTRINSIC_NESTED_SET_RIGHT:
        return of_integer(TRACEQL_INT, t->right[s->index]);
    default:
        return of_integer(TRACEQL_INT, nested_set_parent(s));
    }
}

static struct traceql_value intrinsic_value(
    struct traceql_subject *s, const struct traceql_field *field)
{
    const struct span *span = &s->span->span;
    switch (field->intrinsic) {
    case TRACEQL_INTRINSIC_NAME:
        return of_text(span->name);
    case TRACEQL_INTRINSIC_STATUS:
        return of_integer(TRACEQL_STATUS, span->status);
    case TRACEQL_INTRINSIC_STATUS_MESSAGE:
        return of_text(span->status_message);
    case TRACEQL_INTRINSIC_KIND:
        return of_integer(TRACEQL_KIND, span->kind);
    case TRACEQL_INTRINSIC_DURATION:
        return of_integer(TRACEQL_DURATION, (int64_t)span_duration_ns(span));
    case TRACEQL_INTRINSIC_SPAN_ID:
        return of_span_id(s, span->span_id);
    case TRACEQL_INTRINSIC_PARENT_ID:
        return of_span_id(s, span->parent_id);
    case TRACEQL_INTRINSIC_TRACE_ID:
        return of_trace_id(s, span->trace_id);
    case TRACEQL_INTRINSIC_SCOPE_NAME:
    case TRACEQL_INTRINSIC_SCOPE_VERSION:
        return traceql_scope_value(s->span->scope, field);
    default:
        return tree_value(s, field->intrinsic);
    }
}

bool traceql_field_of_events(const struct traceql_field *f)
{
    return f->scope == TRACEQL_SCOPE_EVENT ||
           (f->scope == TRACEQL_SCOPE_INTRINSIC &&
               (f->intrinsic == TRACEQL_INTRINSIC_EVENT_NAME ||
                   f->intrinsic == TRACEQL_INTRINSIC_EVENT_TIME));
}

bool traceql_field_of_links(const struct traceql_field *f)
{
    return f->scope == TRACEQL_SCOPE_LINK ||
           (f->scope == TRACEQL_SCOPE_INTRINSIC &&
               (f->intrinsic == TRACEQL_INTRINSIC_LINK_TRACE_ID ||
                   f->intrinsic == TRACEQL_INTRINSIC_LINK_SPAN_ID));
}

/* .key: the span's, else its resource's */
static struct traceql_value attribute_value(
    const struct otlp_span *span, enum traceql_scope scope, struct str key)
{
    struct traceql_value value =
        scope != TRACEQL_SCOPE_RESOURCE ? of_list(span->span.attributes, key) : nil;
    return value.type == TRACEQL_NIL && scope != TRACEQL_SCOPE_SPAN
               ? traceql_resource_value(span->resource, key)
               : value;
}

static struct traceql_value parent_value(
    const struct traceql_subject *s, const struct traceql_field *field)
{
    uint32_t parent = s->tree != NULL ? s->tree->parents[s->index] : TRACE_TREE_NONE;
    return parent != TRACE_TREE_NONE
               ? attribute_value(&s->tree->spans[parent], field->of, field->key)
               : nil;
}

/* The index-th value of a field; false when there are not that many. */
static bool value_at(struct traceql_subject *s, const struct traceql_field *field, size_t index,
    struct traceql_value *value_out)
{
    const struct span *span = &s->span->span;
    if (traceql_field_of_events(field)) {
        if (index >= span->event_count) {
            return false;
        }
        *value_out = traceql_event_value(&span->events[index], span->start_ns, field);
        return true;
    }
    if (traceql_field_of_links(field)) {
        if (index >= span->link_count) {
            return false;
        }
        *value_out = link_value(s, &span->links[index], field);
        return true;
    }
    if (index > 0) {
        return false;
    }
    switch (field->scope) {
    case TRACEQL_SCOPE_PARENT:
        *value_out = parent_value(s, field);
        break;
    case TRACEQL_SCOPE_INSTRUMENTATION:
        *value_out = traceql_scope_value(s->span->scope, field);
        break;
    case TRACEQL_SCOPE_INTRINSIC:
        *value_out = intrinsic_value(s, field);
        break;
    default:
        *value_out = attribute_value(s->span, field->scope, field->key);
        break;
    }
    return true;
}

struct traceql_value traceql_field_value(
    struct traceql_subject *s, const struct traceql_field *field)
{
    struct traceql_value value = nil;
    for (size_t i = 0; value.type == TRACEQL_NIL && value_at(s, field, i, &value); i++) {
    }
    return value;
}

/* ---- Expressions ---- */

static bool has_many(const struct traceql_expr *expr)
{
    return expr->node == TRACEQL_FIELD &&
           (traceql_field_of_events(expr->field) || traceql_field_of_links(expr->field));
}

/* True for one of the values of the field on the left, or on the right. */
static bool compare_many(struct traceql_subject *s, const struct traceql_expr *e)
{
    bool on_left = has_many(e->left);
    const struct traceql_expr *many = on_left ? e->left : e->right;
    struct traceql_value value, other = traceql_expr_value(s, on_left ? e->right : e->left);
    for (size_t i = 0; value_at(s, many->field, i, &value); i++) {
        if (on_left ? traceql_compare(e->op, value, other, e->regex)
                    : traceql_compare(e->op, other, value, e->regex)) {
            return true;
        }
    }
    return false;
}

static struct traceql_value binary_value(struct traceql_subject *s, const struct traceql_expr *e)
{
    struct traceql_value result = {.type = TRACEQL_BOOL};
    if (e->op == TRACEQL_AND) {
        result.boolean = traceql_expr_holds(s, e->left) && traceql_expr_holds(s, e->right);
    } else if (e->op == TRACEQL_OR) {
        result.boolean = traceql_expr_holds(s, e->left) || traceql_expr_holds(s, e->right);
    } else if (traceql_is_comparison(e->op) && (has_many(e->left) || has_many(e->right))) {
        result.boolean = compare_many(s, e);
    } else {
        struct traceql_value left = traceql_expr_value(s, e->left);
        result = traceql_apply(e->op, left, traceql_expr_value(s, e->right), e->regex);
    }
    return result;
}

struct traceql_value traceql_expr_value(struct traceql_subject *s, const struct traceql_expr *e)
{
    struct traceql_value value;
    switch (e->node) {
    case TRACEQL_LITERAL:
        return e->literal;
    case TRACEQL_FIELD:
        return traceql_field_value(s, e->field);
    case TRACEQL_BINARY:
        return binary_value(s, e);
    case TRACEQL_NEGATE:
        value = traceql_expr_value(s, e->left);
        return traceql_apply(TRACEQL_SUB, (struct traceql_value){.type = value.type}, value, NULL);
    case TRACEQL_NOT:
        value = traceql_expr_value(s, e->left);
        value.boolean = !value.boolean;
        return value.type == TRACEQL_BOOL ? value : nil;
    default:
        value = traceql_expr_value(s, e->left);
        return (struct traceql_value){.type = TRACEQL_BOOL,
            .boolean = (value.type == TRACEQL_NIL) == (e->node == TRACEQL_ABSENT)};
    }
}

bool traceql_expr_holds(struct traceql_subject *s, const struct traceql_expr *e)
{
    if (e == NULL) {
        return true;
    }
    struct traceql_value value = traceql_expr_value(s, e);
    return value.type == TRACEQL_BOOL && value.boolean;
}
