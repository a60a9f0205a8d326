/* A condition is asked of the page as a whole first (may any span satisfy it?), then of its rows. Of conditions joined
 * by && the cheap ones come first, and the others are not asked when no row is left. */
#include "trace/traceql_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* field op literal, from either side; `flipped`: the literal is on the left. */
struct leaf {
    const struct traceql_expr *expr;
    const struct traceql_field *field;
    bool flipped;
};

static bool as_leaf(const struct traceql_expr *e, struct leaf *leaf)
{
    *leaf = (struct leaf){.expr = e};
    if (e->node == TRACEQL_FIELD) {
        leaf->field = e->field;
    } else if (e->node == TRACEQL_EXISTS || e->node == TRACEQL_ABSENT) {
        leaf->field = e->left->node == TRACEQL_FIELD ? e->left->field : NULL;
    } else if (e->node == TRACEQL_BINARY && traceql_is_comparison(e->op)) {
        if (e->left->node == TRACEQL_FIELD && e->right->node == TRACEQL_LITERAL) {
            leaf->field = e->left->field;
        } else if (e->left->node == TRACEQL_LITERAL && e->right->node == TRACEQL_FIELD) {
            leaf->field = e->right->field;
            leaf->flipped = true;
        }
    }
    return leaf->field != NULL;
}

static bool leaf_holds(const struct leaf *leaf, struct traceql_value value)
{
    const struct traceql_expr *e = leaf->expr;
    switch (e->node) {
    case TRACEQL_EXISTS:
        return value.type != TRACEQL_NIL;
    case TRACEQL_ABSENT:
        return value.type == TRACEQL_NIL;
    case TRACEQL_FIELD:
        return value.type == TRACEQL_BOOL && value.boolean;
    default:
        return leaf->flipped ? traceql_compare(e->op, e->left->literal, value, e->regex)
                             : traceql_compare(e->op, value, e->right->literal, e->regex);
    }
}

static uint8_t verdict_of(bool holds)
{
    return holds ? TRACEQL_MAY_HOLD : TRACEQL_MAY_FAIL;
}

static uint8_t verdict_and(uint8_t a, uint8_t b)
{
    return (uint8_t)((a & b & TRACEQL_MAY_HOLD) | ((a | b) & TRACEQL_MAY_FAIL));
}

static uint8_t verdict_or(uint8_t a, uint8_t b)
{
    return (uint8_t)(((a | b) & TRACEQL_MAY_HOLD) | (a & b & TRACEQL_MAY_FAIL));
}

static uint8_t verdict_not(uint8_t a)
{
    return (uint8_t)(a >> 1 | (a & 1) << 1);
}

/* ---- The page as a whole ---- */

static int resources_verdict(struct traceql_page *p, const struct leaf *leaf, uint8_t *verdict)
{
    uint32_t resources, scopes;
    int status = span_page_pools(p->page, &resources, &scopes);
    *verdict = 0;
    for (uint32_t i = 0; status == 0 && i < resources && *verdict != TRACEQL_OPEN; i++) {
        const struct span_resource *resource;
        status = span_page_resource(p->page, i, &resource);
        if (status == 0) {
            *verdict |=
                verdict_of(leaf_holds(leaf, traceql_resource_value(resource, leaf->field->key)));
        }
    }
    return status;
}

/* No span is longer than the page's longest. */
static uint8_t duration_verdict(const struct traceql_page *p, const struct leaf *leaf)
{
    enum traceql_operator op = leaf->expr->op;
    bool from_below = leaf->expr->node == TRACEQL_BINARY &&
                      (leaf->flipped ? op == TRACEQL_LT || op == TRACEQL_LE
                                     : op == TRACEQL_GT || op == TRACEQL_GE);
    const struct traceql_value longest = {
        .type = TRACEQL_DURATION, .integer = (int64_t)span_page_info(p->page).duration_max_ns};
    return from_below && !leaf_holds(leaf, longest) ? TRACEQL_MAY_FAIL : TRACEQL_OPEN;
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
static bool has_column(const struct traceql_page *p, const struct leaf *leaf)
{
    uint32_t count = span_page_column_count(p->page);
    bool found = count == SPAN_PAGE_COLUMNS_MAX; /* it may be among those beyond */
    const struct traceql_expr *e = leaf->expr;
    const struct traceql_value *literal = e->node != TRACEQL_BINARY ? NULL
                                          : leaf->flipped           ? &e->left->literal
                                                                    : &e->right->literal;
    for (uint32_t i = 0; i < count && !found; i++) {
        struct str of;
        enum attribute_kind kind;
        span_page_column_key(p->page, i, &of, &kind);
        found = str_eq(of, leaf->field->key) && (literal == NULL || kind_fits(kind, literal));
    }
    return found;
}

/* Where the resource speaks for spans that have none, the key alone counts. */
static bool has_key(const struct traceql_page *p, struct str key)
{
    const struct traceql_expr any = {.node = TRACEQL_EXISTS};
    const struct traceql_field field = {.scope = TRACEQL_SCOPE_SPAN, .key = key};
    const struct leaf leaf = {.expr = &any, .field = &field};
    return has_column(p, &leaf);
}

static int leaf_page_verdict(struct traceql_page *p, const struct leaf *leaf, uint8_t *verdict)
{
    const struct traceql_field *field = leaf->field;
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    int status = 0;
    *verdict = TRACEQL_OPEN;
    if (field->scope == TRACEQL_SCOPE_RESOURCE) {
        status = resources_verdict(p, leaf, verdict);
    } else if (field->scope == TRACEQL_SCOPE_SPAN && !has_column(p, leaf)) {
        *verdict = verdict_of(leaf_holds(leaf, nil));
    } else if (field->scope == TRACEQL_SCOPE_ANY && !has_key(p, field->key)) {
        status = resources_verdict(p, leaf, verdict);
    } else if (field->scope == TRACEQL_SCOPE_INTRINSIC &&
               field->intrinsic == TRACEQL_INTRINSIC_DURATION) {
        *verdict = duration_verdict(p, leaf);
    }
    return status;
}

static int page_verdict(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdict)
{
    struct leaf leaf;
    uint8_t left, right;
    int status = 0;
    *verdict = TRACEQL_OPEN;
    if (e->node == TRACEQL_LITERAL) {
        *verdict = verdict_of(e->literal.type == TRACEQL_BOOL && e->literal.boolean);
    } else if (as_leaf(e, &leaf)) {
        status = leaf_page_verdict(p, &leaf, verdict);
    } else if (e->node == TRACEQL_BINARY && (e->op == TRACEQL_AND || e->op == TRACEQL_OR)) {
        status = page_verdict(p, e->left, &left);
        status = status == 0 ? page_verdict(p, e->right, &right) : status;
        if (status == 0) {
            *verdict = e->op == TRACEQL_AND ? verdict_and(left, right) : verdict_or(left, right);
        }
    } else if (e->node == TRACEQL_NOT && e->left->type == TRACEQL_BOOL) {
        status = page_verdict(p, e->left, &left);
        *verdict = status == 0 ? verdict_not(left) : TRACEQL_OPEN;
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

/* ---- Rows ---- */

static int filter(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdicts);

/* A comparison with a field of events is true when it is for one of them. */
static int filter_events(struct traceql_page *p, const struct leaf *leaf, uint8_t *verdicts)
{
    struct span_page_extras extras;
    int status = span_page_extra(p->page, SPAN_PAGE_EVENTS, &extras);
    status = status == 0 ? traceql_page_read(p, SPAN_PAGE_STARTS) : status;
    memset(verdicts, TRACEQL_MAY_FAIL, p->rows);
    for (uint32_t i = 0; status == 0 && i < extras.count; i++) {
        struct decbuf in = decbuf_of(extras.items[i].ptr, extras.items[i].len);
        uint32_t row = extras.rows[i];
        struct arena_mark mark = arena_mark(p->arena);
        while (status == 0 && decbuf_left(&in) > 0 && verdicts[row] == TRACEQL_MAY_FAIL) {
            struct span_event event;
            status = otlp_event_decode(decbuf_sized(&in), p->arena, &event);
            status = status == 0 && in.failed ? ERR_CORRUPT : status;
            if (status == 0) {
                verdicts[row] = verdict_of(leaf_holds(
                    leaf, traceql_event_value(&event, p->columns.start_ns[row], leaf->field)));
            }
        }
        arena_rewind(p->arena, mark);
    }
    return status;
}

static int filter_leaf(struct traceql_page *p, const struct leaf *leaf, uint8_t *verdicts)
{
    struct traceql_page_values v;
    uint8_t all;
    int status = leaf_page_verdict(p, leaf, &all);
    if (status != 0 || all != TRACEQL_OPEN) {
        memset(verdicts, all, p->rows);
        return status;
    }
    if (traceql_field_of_events(leaf->field) && leaf->expr->node == TRACEQL_BINARY) {
        return filter_events(p, leaf, verdicts);
    }
    int known = traceql_page_values(p, leaf->field, &v);
    if (known != 1) {
        memset(verdicts, TRACEQL_OPEN, p->rows);
        return known;
    }
    uint8_t *by_code = arena_alloc(p->arena, (size_t)v.count + 1);
    if (by_code == NULL) {
        return arena_error(p->arena);
    }
    for (uint32_t i = 0; i < v.count; i++) {
        by_code[i] = verdict_of(leaf_holds(leaf, v.values[i]));
    }
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    uint8_t of_nil = verdict_of(leaf_holds(leaf, nil));
    for (uint32_t row = 0; row < p->rows; row++) {
        uint32_t code = v.codes[row];
        verdicts[row] = code < v.count             ? by_code[code]
                        : code == TRACEQL_CODE_NIL ? of_nil
                                                   : TRACEQL_OPEN;
    }
    return 0;
}

/* What asking costs: dictionaries of resources and scopes, columns that every span has, attributes, others. */
static int cost_of(const struct traceql_expr *e)
{
    enum { POOL, FIXED, ATTRIBUTE, OTHER };
    struct leaf leaf;
    if (!as_leaf(e, &leaf)) {
        return e->node == TRACEQL_LITERAL ? POOL : OTHER;
    }
    switch (leaf.field->scope) {
    case TRACEQL_SCOPE_RESOURCE:
    case TRACEQL_SCOPE_INSTRUMENTATION:
        return POOL;
    case TRACEQL_SCOPE_INTRINSIC:
        return FIXED;
    case TRACEQL_SCOPE_SPAN:
    case TRACEQL_SCOPE_ANY:
        return ATTRIBUTE;
    default:
        return OTHER;
    }
}

struct conjunct {
    const struct traceql_expr *expr;
    int cost;
    size_t place;
};

static int cheap_first(const void *left, const void *right)
{
    const struct conjunct *a = left, *b = right;
    return a->cost != b->cost ? a->cost - b->cost : a->place < b->place ? -1 : a->place > b->place;
}

static void collect(const struct traceql_expr *e, struct conjunct *all, size_t *count)
{
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_AND) {
        collect(e->left, all, count);
        collect(e->right, all, count);
        return;
    }
    all[*count] = (struct conjunct){e, cost_of(e), *count};
    (*count)++;
}

static size_t count_conjuncts(const struct traceql_expr *e)
{
    return e->node == TRACEQL_BINARY && e->op == TRACEQL_AND
               ? count_conjuncts(e->left) + count_conjuncts(e->right)
               : 1;
}

bool traceql_any_holds(const uint8_t *verdicts, uint32_t rows)
{
    uint8_t all = 0;
    for (uint32_t row = 0; row < rows; row++) {
        all |= verdicts[row];
    }
    return (all & TRACEQL_MAY_HOLD) != 0;
}

static int filter_and(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdicts)
{
    size_t count = 0;
    struct conjunct *all = arena_alloc(p->arena, count_conjuncts(e) * sizeof(*all));
    uint8_t *one = arena_alloc(p->arena, (size_t)p->rows + 1);
    if (all == NULL || one == NULL) {
        return arena_error(p->arena);
    }
    collect(e, all, &count);
    qsort(all, count, sizeof(*all), cheap_first);
    memset(verdicts, TRACEQL_MAY_HOLD, p->rows);
    for (size_t i = 0; i < count && traceql_any_holds(verdicts, p->rows); i++) {
        int status = filter(p, all[i].expr, one);
        if (status != 0) {
            return status;
        }
        for (uint32_t row = 0; row < p->rows; row++) {
            verdicts[row] = verdict_and(verdicts[row], one[row]);
        }
    }
    return 0;
}

static int filter_or(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdicts)
{
    uint8_t *right = arena_alloc(p->arena, (size_t)p->rows + 1);
    int status = right == NULL ? arena_error(p->arena) : filter(p, e->left, verdicts);
    status = status == 0 ? filter(p, e->right, right) : status;
    for (uint32_t row = 0; status == 0 && row < p->rows; row++) {
        verdicts[row] = verdict_or(verdicts[row], right[row]);
    }
    return status;
}

static int filter(struct traceql_page *p, const struct traceql_expr *e, uint8_t *verdicts)
{
    struct leaf leaf;
    if (e->node == TRACEQL_LITERAL) {
        memset(
            verdicts, verdict_of(e->literal.type == TRACEQL_BOOL && e->literal.boolean), p->rows);
        return 0;
    }
    if (as_leaf(e, &leaf)) {
        return filter_leaf(p, &leaf, verdicts);
    }
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_AND) {
        return filter_and(p, e, verdicts);
    }
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_OR) {
        return filter_or(p, e, verdicts);
    }
    if (e->node == TRACEQL_NOT && e->left->type == TRACEQL_BOOL) {
        int status = filter(p, e->left, verdicts);
        for (uint32_t row = 0; status == 0 && row < p->rows; row++) {
            verdicts[row] = verdict_not(verdicts[row]);
        }
        return status;
    }
    memset(verdicts, TRACEQL_OPEN, p->rows);
    return 0;
}

int traceql_page_filter(
    struct traceql_page *p, const struct traceql_expr *expr, uint8_t **verdicts_out)
{
    uint8_t *verdicts = arena_alloc(p->arena, (size_t)p->rows + 1);
    if (verdicts == NULL) {
        return arena_error(p->arena);
    }
    memset(verdicts, TRACEQL_MAY_HOLD, p->rows);
    int status = expr != NULL ? filter(p, expr, verdicts) : 0;
    *verdicts_out = verdicts;
    return status;
}
