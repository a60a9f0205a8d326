/* Calls of functions and aggregations: name, modifier, arguments. */
#include "base/mem.h"
#include "parser.h"

/* May an expression begin here? Decides whether a comma before it was a trailing one. */
static bool starts_expression(const struct token *t)
{
    switch (t->kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STRING:
    case TOKEN_LEFT_PAREN:
    case TOKEN_LEFT_BRACE:
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_AGGREGATE:
    case TOKEN_KEYWORD:
        return true;
    case TOKEN_BINARY:
        return t->binary == BINARY_ADD || t->binary == BINARY_SUB || binary_op_is_set(t->binary);
    default:
        return false;
    }
}

static bool parse_argument_list(struct parser *p, struct parser_list *list)
{
    while (!parser_at(p, TOKEN_RIGHT_PAREN)) {
        struct expr *argument = parse_expression(p, 1);
        if (argument == NULL || !parser_list_add(p, list, &argument, sizeof(argument))) {
            return false;
        }
        if (parser_at(p, TOKEN_COMMA)) {
            uint32_t comma = p->token.position;
            parser_advance(p);
            bool trailing = p->features.metricsql && parser_at(p, TOKEN_RIGHT_PAREN);
            if (p->code == 0 && !trailing && !starts_expression(&p->token)) {
                (void)parser_fail(p, comma, "trailing commas not allowed in function call args");
                return false;
            }
        } else if (!parser_at(p, TOKEN_RIGHT_PAREN)) {
            (void)parser_unexpected(p);
            return false;
        }
    }
    parser_advance(p);
    return p->code == 0;
}

/* ( argument, … ) with the parenthesis at hand. */
static bool parse_arguments(struct parser *p, struct expr ***arguments_out, size_t *count_out)
{
    parser_advance(p);
    struct parser_list list = {0};
    if (p->code != 0 || !parse_argument_list(p, &list)) {
        mem_free(list.items);
        return false;
    }
    *count_out = list.count;
    *arguments_out = (struct expr **)parser_list_take(p, &list, sizeof(struct expr *));
    return *arguments_out != NULL;
}

struct expr *parse_call(struct parser *p)
{
    struct token name = p->token;
    struct expr *expr = parser_node(p, EXPR_CALL, PROMQL_VECTOR, name.position, token_end(&name));
    parser_advance(p);
    if (p->features.metricsql && str_eq_c(name.text, "aggr_over_time")) {
        return p->code == 0 ? metricsql_aggr_over_time(p, expr) : NULL;
    }
    if (p->code != 0 || !parse_arguments(p, &expr->call.arguments, &expr->call.argument_count)) {
        return NULL;
    }
    const struct promql_function *function = promql_function_find(name.text);
    if (function == NULL && p->features.metricsql) {
        bool known;
        struct expr *other = metricsql_call(p, expr, name.text, &known);
        if (known) {
            return other;
        }
        function = metricsql_function_find(name.text);
    }
    if (function == NULL) {
        return parser_fail_quoted(p, name.position, "unknown function with name ", name.text, "");
    }
    if (function->experimental && !p->features.experimental_functions) {
        return parser_fail(p, name.position, "function \"%s\" is not enabled", function->name);
    }
    expr->call.function = function;
    expr->type = function->result;
    expr->position.end = p->last_end;
    for (size_t i = 0; i < expr->call.argument_count; i++) {
        if (!parser_set_depth(p, expr, expr->call.arguments[i], NULL)) {
            return NULL;
        }
    }
    return expr;
}

bool parser_at_grouping(const struct parser *p)
{
    return parser_at_keyword(p, KEYWORD_BY) || parser_at_keyword(p, KEYWORD_WITHOUT);
}

bool parse_aggregate_modifier(struct parser *p, struct expr_aggregate *aggregate)
{
    aggregate->without = p->token.keyword == KEYWORD_WITHOUT;
    parser_advance(p);
    return p->code == 0 && parse_grouping(p, &aggregate->grouping, &aggregate->grouping_count);
}

/* op [by|without (…)] ( … ) [by|without (…)], with one modifier at most. */
static bool parse_aggregate_body(
    struct parser *p, struct expr *expr, struct expr ***arguments_out, size_t *count_out)
{
    const char *context = p->context, *expected = p->expected;
    p->context = "aggregation";
    p->expected = NULL;
    parser_advance(p);
    bool before = parser_at_grouping(p);
    if (p->code != 0 || (before && !parse_aggregate_modifier(p, &expr->aggregate))) {
        return false;
    }
    if (!parser_at(p, TOKEN_LEFT_PAREN)) {
        (void)parser_unexpected(p);
        return false;
    }
    if (!parse_arguments(p, arguments_out, count_out)) {
        return false;
    }
    p->context = context;
    p->expected = expected;
    return before || !parser_at_grouping(p) || parse_aggregate_modifier(p, &expr->aggregate);
}

struct expr *parse_aggregate(struct parser *p)
{
    enum aggregate_op op = p->token.aggregate;
    struct expr *expr =
        parser_node(p, EXPR_AGGREGATE, PROMQL_VECTOR, p->token.position, token_end(&p->token));
    if (expr == NULL) {
        return NULL;
    }
    struct expr **arguments;
    size_t count;
    if (!parse_aggregate_body(p, expr, &arguments, &count)) {
        return NULL;
    }
    uint32_t position = expr->position.start;
    expr->position.end = p->last_end;
    expr->aggregate.op = op;
    if (count == 0) {
        return parser_fail(p, position, "no arguments for aggregate expression provided");
    }
    if (aggregate_op_is_experimental(op) && !p->features.experimental_functions) {
        return parser_fail(p, position,
            "%s() is experimental and must be enabled with "
            "--enable-feature=promql-experimental-functions",
            aggregate_op_text(op));
    }
    size_t wanted = aggregate_op_parameter(op) != 0 ? 2 : 1;
    if (count != wanted) {
        return parser_fail(p, position,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            wanted, count);
    }
    expr->aggregate.parameter = wanted == 2 ? arguments[0] : NULL;
    expr->aggregate.expr = arguments[wanted - 1];
    if (!parser_set_depth(p, expr, expr->aggregate.expr, expr->aggregate.parameter)) {
        return NULL;
    }
    return p->features.metricsql ? metricsql_limit(p, expr) : expr;
}
