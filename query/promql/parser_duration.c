/* Arithmetic on durations, inside [..] and after offset: + - * / % ^, step(), range(), min_of(),
 * max_of(). Operands are numbers of seconds or literals such as 5m.
 *
 * After `offset` a bare (or signed) operand ends the duration: `foo offset 5m + 2` adds 2 to the
 * selected value. What begins with a parenthesis goes on as an expression. This follows Prometheus'
 * grammar, surprises included.
 */
#include <math.h>

#include "parser.h"

/* 2^63 nanoseconds. */
#define DURATION_SECONDS_MAX 9223372036.854775807

enum precedence { PRECEDENCE_SUM = 1, PRECEDENCE_PRODUCT, PRECEDENCE_POWER };

static int precedence_of(enum binary_op op)
{
    switch (op) {
    case BINARY_ADD:
    case BINARY_SUB:
        return PRECEDENCE_SUM;
    case BINARY_MUL:
    case BINARY_DIV:
    case BINARY_MOD:
        return PRECEDENCE_PRODUCT;
    case BINARY_POW:
        return PRECEDENCE_POWER;
    default:
        return 0;
    }
}

static enum duration_op duration_op_of(enum binary_op op)
{
    switch (op) {
    case BINARY_ADD:
        return DURATION_ADD;
    case BINARY_SUB:
        return DURATION_SUB;
    case BINARY_MUL:
        return DURATION_MUL;
    case BINARY_DIV:
        return DURATION_DIV;
    case BINARY_MOD:
        return DURATION_MOD;
    default:
        return DURATION_POW;
    }
}

static struct expr *parse_climbing(struct parser *p, int precedence);

static struct expr *parse_guarded(struct parser *p, int precedence)
{
    if (p->code != 0 || !parser_enter(p)) {
        return NULL;
    }
    struct expr *expr = parse_climbing(p, precedence);
    parser_leave(p);
    return expr;
}

static struct expr *duration_node(struct parser *p, enum duration_op op, struct expr *left,
    struct expr *right, uint32_t start, uint32_t end)
{
    struct expr *expr = parser_node(p, EXPR_DURATION, PROMQL_SCALAR, start, end);
    if (expr == NULL) {
        return NULL;
    }
    expr->duration.op = op;
    expr->duration.left = left;
    expr->duration.right = right;
    if (!p->features.duration_expressions) {
        return parser_fail(p, start, "experimental duration expression is not enabled");
    }
    return parser_set_depth(p, expr, left, right) ? expr : NULL;
}

static struct expr *check_literal(struct parser *p, struct expr *number, uint32_t position)
{
    if (fabs(number->number.value) > DURATION_SECONDS_MAX) {
        return parser_fail(p, position, "duration out of range");
    }
    return number;
}

/* A number stands in parentheses: kept as a node, so that the text can be printed as it was. */
static struct expr *wrap(struct parser *p, struct expr *inner, uint32_t start, uint32_t end)
{
    if (inner->kind != EXPR_DURATION) {
        inner = duration_node(p, DURATION_ADD, NULL, inner, start, end);
    }
    if (inner != NULL) {
        inner->duration.wrapped = true;
    }
    return inner;
}

static struct expr *negate(struct parser *p, bool negative, struct expr *operand, uint32_t start)
{
    if (operand->kind == EXPR_NUMBER) {
        operand->number.value = negative ? -operand->number.value : operand->number.value;
        operand->position.start = start;
        return check_literal(p, operand, start);
    }
    if (!negative) {
        return operand;
    }
    return duration_node(p, DURATION_SUB, NULL, operand, start, operand->position.end);
}

static struct expr *parse_literal(struct parser *p)
{
    struct expr *number = parse_number(p);
    return number != NULL ? check_literal(p, number, number->position.start) : NULL;
}

/* step() and range() */
static struct expr *parse_query_duration(struct parser *p)
{
    uint32_t start = p->token.position;
    enum duration_op op = p->token.keyword == KEYWORD_STEP ? DURATION_STEP : DURATION_RANGE;
    parser_advance(p);
    if (p->code != 0 || !parser_expect(p, TOKEN_LEFT_PAREN) ||
        !parser_expect(p, TOKEN_RIGHT_PAREN)) {
        return NULL;
    }
    return duration_node(p, op, NULL, NULL, start, p->last_end);
}

/* min_of(a, b) and max_of(a, b) */
static struct expr *parse_of(struct parser *p)
{
    uint32_t start = p->token.position;
    enum duration_op op = p->token.keyword == KEYWORD_MAX_OF ? DURATION_MAX_OF : DURATION_MIN_OF;
    parser_advance(p);
    if (p->code != 0 || !parser_expect(p, TOKEN_LEFT_PAREN)) {
        return NULL;
    }
    struct expr *left = parse_guarded(p, PRECEDENCE_SUM);
    if (left == NULL || !parser_expect(p, TOKEN_COMMA)) {
        return NULL;
    }
    struct expr *right = parse_guarded(p, PRECEDENCE_SUM);
    if (right == NULL || !parser_expect(p, TOKEN_RIGHT_PAREN)) {
        return NULL;
    }
    return duration_node(p, op, left, right, start, p->last_end);
}

static struct expr *parse_parenthesised(struct parser *p)
{
    uint32_t start = p->token.position;
    parser_advance(p);
    struct expr *inner = parse_guarded(p, PRECEDENCE_SUM);
    if (inner == NULL || !parser_expect(p, TOKEN_RIGHT_PAREN)) {
        return NULL;
    }
    return wrap(p, inner, start, p->last_end);
}

static bool at_query_duration(const struct parser *p)
{
    return parser_at_keyword(p, KEYWORD_STEP) || parser_at_keyword(p, KEYWORD_RANGE);
}

static bool at_of(const struct parser *p)
{
    return parser_at_keyword(p, KEYWORD_MAX_OF) || parser_at_keyword(p, KEYWORD_MIN_OF);
}

static bool at_sign(const struct parser *p)
{
    return token_is_binary(&p->token, BINARY_ADD) || token_is_binary(&p->token, BINARY_SUB);
}

static struct expr *parse_operand(struct parser *p)
{
    if (parser_at(p, TOKEN_NUMBER) || parser_at(p, TOKEN_DURATION)) {
        return parse_literal(p);
    }
    if (at_query_duration(p)) {
        return parse_query_duration(p);
    }
    if (at_of(p)) {
        return parse_of(p);
    }
    const struct template *template = template_at(p, false);
    if (template != NULL) {
        return template_expand_duration(p, template);
    }
    if (parser_at(p, TOKEN_LEFT_PAREN)) {
        return parse_parenthesised(p);
    }
    if (at_sign(p)) {
        uint32_t start = p->token.position;
        bool negative = p->token.binary == BINARY_SUB;
        parser_advance(p);
        struct expr *operand = parse_guarded(p, PRECEDENCE_POWER);
        return operand != NULL ? negate(p, negative, operand, start) : NULL;
    }
    return parser_unexpected(p);
}

static struct expr *parse_binary(struct parser *p, struct expr *left)
{
    enum binary_op op = p->token.binary;
    uint32_t position = p->token.position;
    int precedence = precedence_of(op);
    parser_advance(p);
    struct expr *right = parse_guarded(p, op == BINARY_POW ? precedence : precedence + 1);
    if (right == NULL) {
        return NULL;
    }
    bool zero = right->kind == EXPR_NUMBER && right->number.value == 0;
    if (zero && (op == BINARY_DIV || op == BINARY_MOD)) {
        return parser_fail(p, position, op == BINARY_DIV ? "division by zero" : "modulo by zero");
    }
    return duration_node(
        p, duration_op_of(op), left, right, left->position.start, right->position.end);
}

/* Goes on with what follows a complete operand. */
static struct expr *parse_rest(struct parser *p, struct expr *expr, int precedence)
{
    while (expr != NULL && p->code == 0 && parser_at(p, TOKEN_BINARY) &&
           precedence_of(p->token.binary) >= precedence && precedence_of(p->token.binary) != 0) {
        expr = parse_binary(p, expr);
    }
    return p->code == 0 ? expr : NULL;
}

static struct expr *parse_climbing(struct parser *p, int precedence)
{
    return parse_rest(p, parse_operand(p), precedence);
}

struct expr *parse_duration(struct parser *p)
{
    return parse_guarded(p, PRECEDENCE_SUM);
}

struct expr *parse_offset_duration(struct parser *p)
{
    bool sign = at_sign(p), negative = sign && p->token.binary == BINARY_SUB;
    uint32_t start = p->token.position;
    if (sign) {
        parser_advance(p);
    }
    bool bare = parser_at(p, TOKEN_NUMBER) || parser_at(p, TOKEN_DURATION) ||
                at_query_duration(p) || at_of(p) || template_at(p, false) != NULL;
    bool wrapped = sign && parser_at(p, TOKEN_LEFT_PAREN);
    struct expr *operand = bare || wrapped ? parse_operand(p)
                           : sign          ? parse_guarded(p, PRECEDENCE_POWER)
                                           : parse_operand(p);
    if (operand != NULL && sign) {
        operand = negate(p, negative, operand, start);
    }
    return bare || wrapped ? operand : parse_rest(p, operand, PRECEDENCE_SUM);
}
