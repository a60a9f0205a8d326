/* What a pipeline compares: aggregates, numbers, and what arithmetic makes of them.
 *
 *   filter    scalar op scalar            = != < <= > >=, with an aggregate on one side at least
 *   scalar    count() · avg(…) · min(…) · max(…) · sum(…) · number · ( scalar ) · scalar + - * / % ^ scalar
 *
 * Precedences are those of fields (traceql_parser_expr.c).
 */
#include "trace/traceql_parser.h"
#include "trace/traceql_value.h"

static int parse_level(
    struct traceql_parser *p, int level, const struct traceql_scalar **scalar_out);

/* ---- Aggregates ---- */

static const struct {
    const char *word;
    enum traceql_aggregate aggregate;
} aggregates[] = {{"count", TRACEQL_COUNT}, {"avg", TRACEQL_AVG}, {"min", TRACEQL_MIN},
    {"max", TRACEQL_MAX}, {"sum", TRACEQL_SUM}};
enum { AGGREGATES = sizeof(aggregates) / sizeof(aggregates[0]) };

static bool is_aggregate(const struct traceql_token *t, enum traceql_aggregate *aggregate_out)
{
    for (size_t i = 0; i < AGGREGATES && t->kind == TRACEQL_TOKEN_WORD; i++) {
        if (str_eq_c(t->text, aggregates[i].word)) {
            *aggregate_out = aggregates[i].aggregate;
            return true;
        }
    }
    return false;
}

int traceql_parser_at_scalar(struct traceql_parser *p, bool *is_out)
{
    struct traceql_lexer ahead = p->lexer;
    struct traceql_token t = p->token;
    enum traceql_aggregate unused;
    int status = 0;
    while (status == 0 && t.kind == TRACEQL_TOKEN_LEFT_PAREN) {
        status = traceql_lexer_next(&ahead, &t, p->e);
    }
    *is_out = is_aggregate(&t, &unused) || t.kind == TRACEQL_TOKEN_VALUE ||
              (t.kind == TRACEQL_TOKEN_OPERATOR && t.op == TRACEQL_SUB);
    return status;
}

static int parse_aggregate(struct traceql_parser *p, struct traceql_scalar *s)
{
    size_t begun = p->token.position;
    s->node = TRACEQL_SCALAR_AGGREGATE;
    int status = traceql_parser_advance(p);
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_LEFT_PAREN, "\"(\"") : status;
    if (status == 0 && s->aggregate != TRACEQL_COUNT) {
        status = traceql_parser_expr(p, &s->expr);
        if (status == 0 && s->expr->type != TRACEQL_ANY && !traceql_is_numeric(s->expr->type)) {
            return traceql_parser_fail(p, begun, "only numbers and durations can be aggregated");
        }
    }
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"") : status;
    s->text = traceql_parser_text_since(p, begun);
    p->aggregates++;
    return status;
}

/* ---- Operands ---- */

static int parse_parenthesis(struct traceql_parser *p, const struct traceql_scalar **scalar_out)
{
    int status = traceql_parser_enter(p);
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? parse_level(p, 1, scalar_out) : status;
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"") : status;
    if (status == 0) {
        p->depth--;
    }
    return status;
}

static int parse_operand(struct traceql_parser *p, const struct traceql_scalar **scalar_out)
{
    void *node;
    size_t position = p->token.position;
    if (traceql_parser_at(p, TRACEQL_TOKEN_LEFT_PAREN)) {
        return parse_parenthesis(p, scalar_out);
    }
    int status = traceql_parser_node(p, sizeof(struct traceql_scalar), &node);
    if (status != 0) {
        return status;
    }
    struct traceql_scalar *s = node;
    *scalar_out = s;
    if (is_aggregate(&p->token, &s->aggregate)) {
        return parse_aggregate(p, s);
    }
    s->node = TRACEQL_SCALAR_LITERAL;
    status = traceql_parser_literal(p, &s->literal);
    return status == 0 && !traceql_is_numeric(s->literal.type)
               ? traceql_parser_fail(p, position, "an aggregate is compared with a number")
               : status;
}

/* ---- Operators ---- */

/* 1 the loosest; 0: none of them. */
static int level_of(const struct traceql_token *t)
{
    if (t->kind != TRACEQL_TOKEN_OPERATOR) {
        return 0;
    }
    switch (t->op) {
    case TRACEQL_ADD:
    case TRACEQL_SUB:
        return 1;
    case TRACEQL_MUL:
    case TRACEQL_DIV:
    case TRACEQL_MOD:
        return 2;
    default:
        return t->op == TRACEQL_POW ? 3 : 0;
    }
}

static int parse_level(
    struct traceql_parser *p, int level, const struct traceql_scalar **scalar_out)
{
    const struct traceql_scalar *left = NULL, *right = NULL;
    int found, status = parse_operand(p, &left);
    while (status == 0 && (found = level_of(&p->token)) >= level && found > 0) {
        enum traceql_operator op = p->token.op;
        void *node;
        status = traceql_parser_enter(p);
        status = status == 0 ? traceql_parser_advance(p) : status;
        status =
            status == 0 ? parse_level(p, op == TRACEQL_POW ? found : found + 1, &right) : status;
        status = status == 0 ? traceql_parser_node(p, sizeof(*left), &node) : status;
        if (status == 0) {
            *(struct traceql_scalar *)node = (struct traceql_scalar){
                .node = TRACEQL_SCALAR_BINARY, .op = op, .left = left, .right = right};
            left = node;
            p->depth--;
        }
    }
    *scalar_out = left;
    return status;
}

int traceql_parser_scalar_filter(struct traceql_parser *p, struct traceql_stage *s)
{
    size_t position = p->token.position;
    p->aggregates = 0;
    int status = parse_level(p, 1, &s->left);
    if (status == 0 && !traceql_parser_at_order(p)) {
        return traceql_parser_expected(p, "a comparison like > 2 behind the aggregate");
    }
    s->op = p->token.op;
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? parse_level(p, 1, &s->right) : status;
    return status == 0 && p->aggregates == 0
               ? traceql_parser_fail(
                     p, position, "expected count(), avg(…), min(…), max(…) or sum(…)")
               : status;
}
