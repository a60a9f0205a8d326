#include "trace/traceql_condition.h"

bool traceql_condition_of(const struct traceql_expr *e, struct traceql_condition *condition_out)
{
    struct traceql_condition c = {.expr = e};
    if (e->node == TRACEQL_FIELD) {
        c.field = e->field;
    } else if (e->node == TRACEQL_EXISTS || e->node == TRACEQL_ABSENT) {
        c.field = e->left->node == TRACEQL_FIELD ? e->left->field : NULL;
    } else if (e->node == TRACEQL_BINARY && traceql_is_comparison(e->op)) {
        if (e->left->node == TRACEQL_FIELD && e->right->node == TRACEQL_LITERAL) {
            c.field = e->left->field;
            c.literal = &e->right->literal;
        } else if (e->left->node == TRACEQL_LITERAL && e->right->node == TRACEQL_FIELD) {
            c.field = e->right->field;
            c.literal = &e->left->literal;
            c.flipped = true;
        }
    }
    *condition_out = c;
    return c.field != NULL;
}

bool traceql_condition_holds(const struct traceql_condition *c, struct traceql_value value)
{
    const struct traceql_expr *e = c->expr;
    switch (e->node) {
    case TRACEQL_EXISTS:
        return value.type != TRACEQL_NIL;
    case TRACEQL_ABSENT:
        return value.type == TRACEQL_NIL;
    case TRACEQL_FIELD:
        return value.type == TRACEQL_BOOL && value.boolean;
    default:
        return c->flipped ? traceql_compare(e->op, *c->literal, value, e->regex)
                          : traceql_compare(e->op, value, *c->literal, e->regex);
    }
}

/* The operator as if the field were on the left. */
static enum traceql_operator operator_of(const struct traceql_condition *c)
{
    enum traceql_operator op = c->expr->op;
    if (!c->flipped) {
        return op;
    }
    return op == TRACEQL_LT   ? TRACEQL_GT
           : op == TRACEQL_LE ? TRACEQL_GE
           : op == TRACEQL_GT ? TRACEQL_LT
           : op == TRACEQL_GE ? TRACEQL_LE
                              : op;
}

bool traceql_condition_range(const struct traceql_condition *c, struct traceql_range *range_out)
{
    static const struct traceql_range none = {.least = 1, .greatest = 0};
    if (c->literal == NULL ||
        (c->literal->type != TRACEQL_INT && c->literal->type != TRACEQL_DURATION)) {
        return false;
    }
    int64_t number = c->literal->integer;
    struct traceql_range r = {.least = INT64_MIN, .greatest = INT64_MAX};
    switch (operator_of(c)) {
    case TRACEQL_EQ:
    case TRACEQL_NE:
        r.least = r.greatest = number;
        r.others = operator_of(c) == TRACEQL_NE;
        break;
    case TRACEQL_LT:
        r.greatest = number - (number != INT64_MIN);
        r = number == INT64_MIN ? none : r;
        break;
    case TRACEQL_LE:
        r.greatest = number;
        break;
    case TRACEQL_GT:
        r.least = number + (number != INT64_MAX);
        r = number == INT64_MAX ? none : r;
        break;
    case TRACEQL_GE:
        r.least = number;
        break;
    default:
        return false;
    }
    *range_out = r;
    return true;
}
