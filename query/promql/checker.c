/* Types, and the rules that need them. Runs after the whole text was read, so that a syntax error is
 * always reported before a type error; children before parents, as Prometheus orders its complaints.
 */
#include <assert.h>

#include "parser.h"

static bool check(struct parser *p, struct expr *expr);

static bool failed(void *null_pointer)
{
    (void)null_pointer;
    return false;
}

static bool expect_type(
    struct parser *p, struct expr *expr, enum promql_type wanted, const char *context)
{
    if (!check(p, expr)) {
        return false;
    }
    if (expr->type != wanted) {
        return failed(parser_fail(p, expr->position.start, "expected type %s in %s, got %s",
            promql_type_phrase(wanted), context, promql_type_phrase(expr->type)));
    }
    return true;
}

static bool check_aggregate(struct parser *p, struct expr *expr)
{
    struct expr_aggregate *a = &expr->aggregate;
    if (!expect_type(p, a->expr, PROMQL_VECTOR, "aggregation expression")) {
        return false;
    }
    char parameter = aggregate_op_parameter(a->op);
    return parameter == 0 ||
           expect_type(p, a->parameter, parameter == 's' ? PROMQL_SCALAR : PROMQL_STRING,
               "aggregation parameter");
}

/* Where the operator of a binary expression begins. */
static uint32_t operator_position(const struct parser *p, const struct expr *expr)
{
    uint32_t at = expr->binary.left->position.end;
    while (at < p->query.len && strchr(" \t\r\n", p->query.ptr[at]) != NULL) {
        at++;
    }
    return at;
}

static bool check_binary_labels(struct parser *p, struct expr *expr)
{
    const struct vector_matching *m = &expr->binary.matching;
    if (!m->on) {
        return true;
    }
    for (size_t i = 0; i < m->label_count; i++) {
        for (size_t k = 0; k < m->include_count; k++) {
            if (str_eq(m->labels[i], m->include[k])) {
                return failed(parser_fail_quoted(p, operator_position(p, expr), "label ",
                    m->labels[i], " must not occur in ON and GROUP clause at once"));
            }
        }
    }
    return true;
}

static bool is_operand_type(enum promql_type type)
{
    return type == PROMQL_SCALAR || type == PROMQL_VECTOR;
}

static bool check_matching(struct parser *p, struct expr *expr)
{
    struct expr_binary *b = &expr->binary;
    struct vector_matching *m = &b->matching;
    uint32_t start = expr->position.start;
    bool set = binary_op_is_set(b->op), fill = m->has_fill_left || m->has_fill_right;
    b->vector_matching = b->left->type == PROMQL_VECTOR && b->right->type == PROMQL_VECTOR;
    const char *op = binary_op_text(b->op);
    if (!b->vector_matching && m->label_count > 0) {
        return failed(
            parser_fail(p, start, "vector matching only allowed between instant vectors"));
    }
    if (!b->vector_matching && fill) {
        return failed(parser_fail(
            p, start, "filling in missing series only allowed between instant vectors"));
    }
    if (!b->vector_matching && set) {
        return failed(parser_fail(
            p, start, "set operator \"%s\" not allowed in binary scalar expression", op));
    }
    if (set && m->cardinality != MATCH_MANY_TO_MANY) {
        return failed(parser_fail(p, start, "no grouping allowed for \"%s\" operation", op));
    }
    if (set && fill) {
        return failed(
            parser_fail(p, start, "filling in missing series not allowed for set operators"));
    }
    return true;
}

static bool check_binary(struct parser *p, struct expr *expr)
{
    struct expr_binary *b = &expr->binary;
    if (!check(p, b->left) || !check(p, b->right)) {
        return false;
    }
    bool comparison = binary_op_is_comparison(b->op);
    if (b->return_bool && !comparison) {
        return failed(parser_fail(p, operator_position(p, expr),
            "bool modifier can only be used on comparison operators"));
    }
    if (comparison && !b->return_bool && b->left->type == PROMQL_SCALAR &&
        b->right->type == PROMQL_SCALAR) {
        return failed(parser_fail(
            p, operator_position(p, expr), "comparisons between scalars must use BOOL modifier"));
    }
    if (binary_op_is_set(b->op) && b->matching.cardinality == MATCH_ONE_TO_ONE) {
        b->matching.cardinality = MATCH_MANY_TO_MANY;
    }
    if (!check_binary_labels(p, expr)) {
        return false;
    }
    const struct expr *wrong = !is_operand_type(b->left->type)    ? b->left
                               : !is_operand_type(b->right->type) ? b->right
                                                                  : NULL;
    if (wrong != NULL) {
        return failed(parser_fail(p, wrong->position.start,
            "binary expression must contain only scalar and instant vector types"));
    }
    return check_matching(p, expr);
}

static bool check_argument_count(struct parser *p, struct expr *expr)
{
    const struct promql_function *f = expr->call.function;
    size_t listed = strlen(f->arguments), count = expr->call.argument_count;
    uint32_t start = expr->position.start;
    if (f->variadic == 0) {
        if (count != listed) {
            return failed(parser_fail(p, start,
                "expected %zu argument(s) in call to \"%s\", got %zu", listed, f->name, count));
        }
        return true;
    }
    if (count < listed - 1) {
        return failed(
            parser_fail(p, start, "expected at least %zu argument(s) in call to \"%s\", got %zu",
                listed - 1, f->name, count));
    }
    size_t most = listed - 1 + (size_t)(f->variadic > 0 ? f->variadic : 0);
    if (f->variadic > 0 && count > most) {
        return failed(parser_fail(p, start,
            "expected at most %zu argument(s) in call to \"%s\", got %zu", most, f->name, count));
    }
    return true;
}

/* The second argument of info() is a selector of labels that never selects by itself. */
static bool check_info(struct parser *p, struct expr *expr)
{
    if (expr->call.argument_count < 2) {
        return true;
    }
    struct expr *selector = expr->call.arguments[1];
    if (selector->type != PROMQL_VECTOR) {
        return failed(parser_fail(p, expr->position.start,
            "expected type %s in call to function \"info\", got %s",
            promql_type_phrase(PROMQL_VECTOR), promql_type_phrase(selector->type)));
    }
    if (selector->kind != EXPR_SELECTOR) {
        return failed(parser_fail(p, selector->position.start, "expected label selectors only"));
    }
    if (selector->selector.name.len > 0) {
        return failed(parser_fail(p, selector->position.start,
            "expected label selectors only, got vector selector instead"));
    }
    selector->selector.may_match_all = true;
    return true;
}

static bool check_call(struct parser *p, struct expr *expr)
{
    struct expr_call *call = &expr->call;
    if (!check_argument_count(p, expr) ||
        (call->function->id == FUNCTION_INFO && !check_info(p, expr))) {
        return false;
    }
    for (size_t i = 0; i < call->argument_count; i++) {
        struct expr *argument = call->arguments[i];
        enum promql_type wanted = promql_function_argument_type(call->function, i);
        if (!check(p, argument)) {
            return false;
        }
        if (argument->type != wanted) {
            return failed(parser_fail(p, argument->position.start,
                "expected type %s in call to function \"%s\", got %s", promql_type_phrase(wanted),
                call->function->name, promql_type_phrase(argument->type)));
        }
    }
    return true;
}

static bool check_selector(struct parser *p, struct expr *expr)
{
    const struct expr_selector *s = &expr->selector;
    if (s->name.len > 0) {
        for (size_t i = 0; i + 1 < s->matcher_count; i++) {
            if (str_eq_c(s->matchers[i]->name, LABEL_METRIC_NAME)) {
                return failed(parser_fail(p, expr->position.start,
                    "metric name must not be set twice: \"%.*s\" or \"%.*s\"", STR_ARG(s->name),
                    STR_ARG(s->matchers[i]->value)));
            }
        }
        return true;
    }
    if (s->may_match_all) {
        return true;
    }
    for (size_t i = 0; i < s->matcher_count; i++) {
        if (!matcher_matches(s->matchers[i], STR(""))) {
            return true;
        }
    }
    return failed(parser_fail(
        p, expr->position.start, "vector selector must contain at least one non-empty matcher"));
}

static bool check_unary(struct parser *p, struct expr *expr)
{
    struct expr *operand = expr->unary.expr;
    if (!check(p, operand)) {
        return false;
    }
    if (!is_operand_type(operand->type)) {
        return failed(parser_fail(p, expr->position.start,
            "unary expression only allowed on expressions of type scalar or instant vector, got "
            "\"%s\"",
            promql_type_phrase(operand->type)));
    }
    return true;
}

static bool check_subquery(struct parser *p, struct expr *expr)
{
    struct expr *inner = expr->subquery.expr;
    if (!check(p, inner)) {
        return false;
    }
    if (inner->type != PROMQL_VECTOR) {
        return failed(parser_fail(p, expr->position.start,
            "subquery is only allowed on instant vector, got %s instead",
            promql_type_name(inner->type)));
    }
    return true;
}

static bool check(struct parser *p, struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_NUMBER:
    case EXPR_STRING:
    case EXPR_DURATION:
        return true;
    case EXPR_SELECTOR:
        return check_selector(p, expr);
    case EXPR_MATRIX:
        return check(p, expr->matrix.selector);
    case EXPR_SUBQUERY:
        return check_subquery(p, expr);
    case EXPR_CALL:
        return check_call(p, expr);
    case EXPR_AGGREGATE:
        return check_aggregate(p, expr);
    case EXPR_BINARY:
        return check_binary(p, expr);
    case EXPR_UNARY:
        return check_unary(p, expr);
    case EXPR_PAREN:
        return check(p, expr->paren);
    }
    return false;
}

bool check_expression(struct parser *p, struct expr *expr)
{
    return check(p, expr);
}
