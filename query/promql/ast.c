/* Walking the tree, and places in the text. */
#include "query/promql.h"

static int walk(struct expr *expr, struct expr *parent, promql_visit visit, void *context);

static int walk_call(struct expr *expr, promql_visit visit, void *context)
{
    for (size_t i = 0; i < expr->call.argument_count; i++) {
        int status = walk(expr->call.arguments[i], expr, visit, context);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int walk_two(
    struct expr *parent, struct expr *first, struct expr *second, promql_visit visit, void *context)
{
    int status = first != NULL ? walk(first, parent, visit, context) : 0;
    return status == 0 && second != NULL ? walk(second, parent, visit, context) : status;
}

/* Duration expressions are not part of a value and are not visited. */
static int walk(struct expr *expr, struct expr *parent, promql_visit visit, void *context)
{
    int status = visit(expr, parent, context);
    if (status != 0) {
        return status;
    }
    switch (expr->kind) {
    case EXPR_MATRIX:
        return walk(expr->matrix.selector, expr, visit, context);
    case EXPR_SUBQUERY:
        return walk(expr->subquery.expr, expr, visit, context);
    case EXPR_CALL:
        return walk_call(expr, visit, context);
    case EXPR_AGGREGATE:
        return walk_two(expr, expr->aggregate.expr, expr->aggregate.parameter, visit, context);
    case EXPR_BINARY:
        return walk_two(expr, expr->binary.left, expr->binary.right, visit, context);
    case EXPR_UNARY:
        return walk(expr->unary.expr, expr, visit, context);
    case EXPR_PAREN:
        return walk(expr->paren, expr, visit, context);
    default:
        return 0;
    }
}

int promql_walk(struct expr *expr, promql_visit visit, void *context)
{
    return walk(expr, NULL, visit, context);
}

void promql_write_position(struct str query, uint32_t offset, struct strbuf *out)
{
    if (query.len == 0 || offset > query.len) {
        strbuf_add_c(out, query.len == 0 ? "unknown position" : "invalid position");
        return;
    }
    unsigned line = 1;
    uint32_t line_start = 0;
    for (uint32_t i = 0; i < offset; i++) {
        if (query.ptr[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    strbuf_addf(out, "%u:%u", line, offset - line_start + 1);
}
