/* Conditions asked of a page as a whole: may any span of it satisfy them? */
#include "trace/traceql_page.h"

#include <string.h>

static int ask_resources(
    struct traceql_page *p, const struct traceql_condition *c, uint8_t *by_index, uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        const struct span_resource *resource;
        status = span_page_resource(p->page, i, &resource);
        if (status == 0) {
            by_index[i] = traceql_verdict_of(
                traceql_condition_holds(c, traceql_resource_value(resource, c->field->key)));
        }
    }
    return status;
}

int traceql_page_resources(
    struct traceql_page *p, const struct traceql_condition *c, const uint8_t **by_index_out)
{
    uint32_t resources, scopes;
    for (uint32_t i = 0; i < p->asked_count; i++) {
        if (p->asked[i].expr == c->expr) {
            *by_index_out = p->asked[i].by_index;
            return 0;
        }
    }
    int status = span_page_pools(p->page, &resources, &scopes);
    uint8_t *by_index = status == 0 ? arena_alloc(p->arena, resources) : NULL;
    status = status == 0 && by_index == NULL ? arena_error(p->arena) : status;
    status = status == 0 ? ask_resources(p, c, by_index, resources) : status;
    if (status == 0 && p->asked_count < TRACEQL_PAGE_ASKED_MAX) {
        p->asked[p->asked_count].expr = c->expr;
        p->asked[p->asked_count++].by_index = by_index;
    }
    *by_index_out = by_index;
    return status;
}

static int resources_verdict(
    struct traceql_page *p, const struct traceql_condition *c, uint8_t *verdict)
{
    uint32_t resources = 0, scopes = 0;
    const uint8_t *by_index = NULL;
    int status = span_page_pools(p->page, &resources, &scopes);
    status = status == 0 ? traceql_page_resources(p, c, &by_index) : status;
    *verdict = 0;
    for (uint32_t i = 0; status == 0 && i < resources; i++) {
        *verdict |= by_index[i];
    }
    return status;
}

/* No span is longer than the page's longest. */
static uint8_t duration_verdict(const struct traceql_page *p, const struct traceql_condition *c)
{
    enum traceql_operator op = c->expr->op;
    bool from_below =
        c->expr->node == TRACEQL_BINARY &&
        (c->flipped ? op == TRACEQL_LT || op == TRACEQL_LE : op == TRACEQL_GT || op == TRACEQL_GE);
    const struct traceql_value longest = {
        .type = TRACEQL_DURATION, .integer = (int64_t)span_page_info(p->page).duration_max_ns};
    return from_below && !traceql_condition_holds(c, longest) ? TRACEQL_MAY_FAIL : TRACEQL_OPEN;
}

/* Whether values of that kind can be compared with the literal at all. */
static bool kind_fits(enum attribute_kind kind, const struct traceql_value *literal)
{
    switch (kind) {
    case ATTRIBUTE_STRING:
        return literal->type == TRACEQL_STRING;
    case ATTRIBUTE_BOOL:
        return literal->type == TRACEQL_BOOL;
    case ATTRIBUTE_INT:
    case ATTRIBUTE_DOUBLE:
        return traceql_is_numeric(literal->type);
    case ATTRIBUTE_ARRAY:
        return true;
    default:
        return false;
    }
}

/* Whether a column of the page may have a value that satisfies the condition. */
static bool has_column(const struct traceql_page *p, const struct traceql_condition *c)
{
    uint32_t count = span_page_column_count(p->page);
    bool found = count == SPAN_PAGE_COLUMNS_MAX; /* it may be among those beyond */
    for (uint32_t i = 0; i < count && !found; i++) {
        struct str of;
        enum attribute_kind kind;
        span_page_column_key(p->page, i, &of, &kind);
        found = str_eq(of, c->field->key) && (c->literal == NULL || kind_fits(kind, c->literal));
    }
    return found;
}

/* Where the resource speaks for spans that have none, the key alone counts. */
static bool has_key(const struct traceql_page *p, struct str key)
{
    const struct traceql_expr any = {.node = TRACEQL_EXISTS};
    const struct traceql_field field = {.scope = TRACEQL_SCOPE_SPAN, .key = key};
    const struct traceql_condition c = {.expr = &any, .field = &field};
    return has_column(p, &c);
}

int traceql_page_verdict(
    struct traceql_page *p, const struct traceql_condition *c, uint8_t *verdict)
{
    const struct traceql_field *field = c->field;
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    int status = 0;
    *verdict = TRACEQL_OPEN;
    if (field->scope == TRACEQL_SCOPE_RESOURCE) {
        status = resources_verdict(p, c, verdict);
    } else if (field->scope == TRACEQL_SCOPE_SPAN && !has_column(p, c)) {
        *verdict = traceql_verdict_of(traceql_condition_holds(c, nil));
    } else if (field->scope == TRACEQL_SCOPE_ANY && !has_key(p, field->key)) {
        status = resources_verdict(p, c, verdict);
    } else if (field->scope == TRACEQL_SCOPE_INTRINSIC &&
               field->intrinsic == TRACEQL_INTRINSIC_DURATION) {
        *verdict = duration_verdict(p, c);
    }
    return status;
}

static int page_verdict(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdict)
{
    struct traceql_condition c;
    uint8_t left, right;
    int status = 0;
    *verdict = TRACEQL_OPEN;
    if (e->node == TRACEQL_LITERAL) {
        *verdict = traceql_verdict_of(e->literal.type == TRACEQL_BOOL && e->literal.boolean);
    } else if (traceql_condition_of(e, &c)) {
        status = traceql_page_verdict(p, &c, verdict);
    } else if (e->node == TRACEQL_BINARY && (e->op == TRACEQL_AND || e->op == TRACEQL_OR)) {
        status = page_verdict(p, e->left, &left);
        if (status == 0 && e->op == TRACEQL_AND && left == TRACEQL_MAY_FAIL) {
            *verdict = left;
            return 0;
        }
        status = status == 0 ? page_verdict(p, e->right, &right) : status;
        if (status == 0) {
            *verdict = e->op == TRACEQL_AND ? traceql_verdict_and(left, right)
                                            : traceql_verdict_or(left, right);
        }
    } else if (e->node == TRACEQL_NOT && e->left->type == TRACEQL_BOOL) {
        status = page_verdict(p, e->left, &left);
        *verdict = status == 0 ? traceql_verdict_not(left) : TRACEQL_OPEN;
    }
    return status;
}

int traceql_page_may_hold(struct traceql_page *p, const struct traceql_expr *expr, bool *may_out)
{
    uint8_t verdict = TRACEQL_MAY_HOLD;
    int status = expr != NULL ? page_verdict(p, expr, &verdict) : 0;
    *may_out = (verdict & TRACEQL_MAY_HOLD) != 0;
    return status;
}
