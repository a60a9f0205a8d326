/* Queries of indicators -> expressions that count the events of one step.
 *
 * People write what they would look at: sum(rate(requests{code=~"5.."}[{{.window}}])). What is wanted is how
 * many events there were in exactly one step, so that steps add up. The tree is changed:
 *
 *   rate(x[w]), increase(x[w])   -> increase(x[step] anchored)
 *   x                            -> increase(x[step] anchored), or sum_over_time(x[step]) of a gauge
 *   f_over_time(x[w])            -> f_over_time(x[step])
 *
 * and the whole summed up to one value. `anchored` counts from the last sample before the step to the last one
 * in it: no extrapolation, no event counted twice or never. Division of counts is refused: it makes a ratio,
 * which cannot be added up.
 */
#include "slo_expression.h"

#include <string.h>

#include "query/promql.h"

#define WINDOW_DEFAULT "5m"
#define QUERY_BYTES_MAX ((size_t)64 << 10)

struct change {
    struct arena *arena;
    enum slo_expression kind;
    int64_t step_ms;
    struct err *e;
    int status;
};

/* `{{.window}}`, with any spaces inside the braces, becomes a range that parses. */
static int put_window(struct arena *arena, struct str query, struct str *text_out)
{
    struct strbuf out = STRBUF_INIT;
    while (query.len > 0) {
        const char *open = memmem(query.ptr, query.len, "{{", 2);
        struct str rest = open != NULL ? str_skip(query, (size_t)(open - query.ptr)) : STR("");
        const char *close = rest.len > 0 ? memmem(rest.ptr, rest.len, "}}", 2) : NULL;
        bool window = false;
        if (close != NULL) {
            struct str inside = str_trim(str_make(rest.ptr + 2, (size_t)(close - rest.ptr) - 2));
            window = str_eq_c(inside, ".window");
        }
        size_t plain = open != NULL ? (size_t)(open - query.ptr) : query.len;
        strbuf_add(&out, query.ptr, plain);
        query = str_skip(query, plain);
        if (window) {
            strbuf_add_c(&out, WINDOW_DEFAULT);
            query = str_skip(query, (size_t)(close - rest.ptr) + 2);
        } else if (query.len > 0) {
            strbuf_add(&out, query.ptr, 2 < query.len ? 2 : query.len);
            query = str_skip(query, 2);
        }
    }
    char *kept = arena_strndup(arena, out.data != NULL ? out.data : "", out.size);
    *text_out = str_make(kept, out.size);
    int status = strbuf_error(&out) != 0 ? strbuf_error(&out)
                 : kept == NULL          ? arena_error(arena)
                                         : 0;
    strbuf_release(&out);
    return status;
}

static int refuse(struct change *c, const char *sentence)
{
    if (c->status == 0) {
        c->status = err_set(c->e, ERR_INVALID, -1, "%s", sentence);
    }
    return c->status;
}

static struct expr *new_expr(struct change *c, enum expr_kind kind, enum promql_type type)
{
    struct expr *e = arena_calloc(c->arena, 1, sizeof(*e));
    if (e == NULL) {
        c->status = arena_error(c->arena);
        return NULL;
    }
    e->kind = kind;
    e->type = type;
    return e;
}

/* f(selector[step]) */
static struct expr *over_step(struct change *c, struct expr *selector, const char *name)
{
    struct expr *matrix = new_expr(c, EXPR_MATRIX, PROMQL_MATRIX);
    struct expr *call = new_expr(c, EXPR_CALL, PROMQL_VECTOR);
    struct expr **arguments = arena_calloc(c->arena, 1, sizeof(*arguments));
    if (matrix == NULL || call == NULL || arguments == NULL) {
        c->status = c->status != 0 ? c->status : arena_error(c->arena);
        return selector;
    }
    matrix->matrix = (struct expr_matrix){.selector = selector, .range_ms = c->step_ms};
    selector->selector.anchored = strcmp(name, "increase") == 0;
    selector->selector.smoothed = false;
    arguments[0] = matrix;
    call->call = (struct expr_call){promql_function_find(str_of(name)), arguments, 1};
    return call;
}

static struct expr *change_selector(struct change *c, struct expr *selector)
{
    return c->kind == SLO_VALUE
               ? selector
               : over_step(c, selector, c->kind == SLO_COUNTER ? "increase" : "sum_over_time");
}

static struct expr *change_expr(struct change *c, struct expr *e);

static struct expr *change_call(struct change *c, struct expr *e)
{
    struct expr *first = e->call.argument_count > 0 ? e->call.arguments[0] : NULL;
    const char *name = e->call.function->name;
    bool ranged = first != NULL && first->kind == EXPR_MATRIX;
    bool counts = strcmp(name, "rate") == 0 || strcmp(name, "increase") == 0;
    if (c->kind == SLO_VALUE) {
        return e;
    }
    if (ranged && counts) {
        return over_step(c, first->matrix.selector, "increase");
    }
    if (ranged && (strcmp(name, "sum_over_time") == 0 || strcmp(name, "count_over_time") == 0)) {
        return over_step(c, first->matrix.selector, name);
    }
    if (ranged) {
        refuse(c,
            "counts of events are wanted: of functions of ranges rate, increase, sum_over_time and "
            "count_over_time give some");
        return e;
    }
    for (size_t i = 0; i < e->call.argument_count && c->status == 0; i++) {
        e->call.arguments[i] = change_expr(c, e->call.arguments[i]);
    }
    return e;
}

static struct expr *change_expr(struct change *c, struct expr *e)
{
    if (c->status != 0) {
        return e;
    }
    switch (e->kind) {
    case EXPR_SELECTOR:
        return change_selector(c, e);
    case EXPR_CALL:
        return change_call(c, e);
    case EXPR_AGGREGATE:
        e->aggregate.expr = change_expr(c, e->aggregate.expr);
        return e;
    case EXPR_PAREN:
        e->paren = change_expr(c, e->paren);
        return e;
    case EXPR_UNARY:
        e->unary.expr = change_expr(c, e->unary.expr);
        return e;
    case EXPR_BINARY:
        if (c->kind != SLO_VALUE && e->binary.op == BINARY_DIV &&
            e->binary.right->type != PROMQL_SCALAR) {
            refuse(c, "counts of events are wanted, not their ratio: give part and total each");
        }
        e->binary.left = change_expr(c, e->binary.left);
        e->binary.right = change_expr(c, e->binary.right);
        return e;
    case EXPR_SUBQUERY:
    case EXPR_MATRIX:
        if (c->kind != SLO_VALUE) {
            refuse(c, "subqueries and bare ranges give no counts of events");
        }
        return e;
    default:
        return e;
    }
}

static int make(struct arena *arena, struct str query, struct change *c, struct str *text_out)
{
    struct str text;
    struct expr *expr;
    int status = put_window(arena, query, &text);
    if (status != 0) {
        return err_set(c->e, status, -1, "%s", err_text(status));
    }
    status = promql_parse(text, PROMQL_FEATURES_ALL, arena, &expr, c->e);
    if (status != 0) {
        return status;
    }
    if (expr->type != PROMQL_VECTOR && expr->type != PROMQL_SCALAR) {
        return err_set(c->e, ERR_INVALID, -1,
            "a query gives an instant vector or a scalar, this one: %s",
            promql_type_phrase(expr->type));
    }
    expr = change_expr(c, expr);
    if (c->status != 0) {
        return c->status;
    }
    struct strbuf out;
    strbuf_init(&out, 4 * QUERY_BYTES_MAX);
    bool sum = expr->type == PROMQL_VECTOR && c->kind != SLO_VALUE;
    strbuf_add_c(&out, sum ? "sum(" : "");
    promql_write(expr, &out);
    strbuf_add_c(&out, sum ? ")" : "");
    char *kept = arena_strndup(arena, out.data != NULL ? out.data : "", out.size);
    status = strbuf_error(&out) != 0 ? strbuf_error(&out) : kept == NULL ? arena_error(arena) : 0;
    *text_out = str_make(kept, out.size);
    strbuf_release(&out);
    return status == 0 ? 0 : err_set(c->e, status, -1, "%s", err_text(status));
}

int slo_expression(struct arena *arena, struct str query, enum slo_expression kind, int64_t step_ms,
    struct str *text_out, struct err *e)
{
    struct change c = {.arena = arena, .kind = kind, .step_ms = step_ms, .e = e};
    return make(arena, query, &c, text_out);
}
