/* The parser: entry points, precedence climbing, operators and their modifiers.
 *
 * Precedence, low to high: or · and unless · comparisons and trims · + - · * / % atan2 and unary
 * signs · ^ (the only right-associative one) · offset, @, [..] and other suffixes, which belong to
 * the operand they stand behind. A unary sign before a number literal is part of the literal.
 */
#include "parser.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "literals.h"
#include "model/duration.h"

enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_COMPARISON,
    PRECEDENCE_SUM,
    PRECEDENCE_PRODUCT,
    PRECEDENCE_POWER,
};

static int precedence_of(enum binary_op op)
{
    switch (op) {
    case BINARY_OR:
        return PRECEDENCE_OR;
    case BINARY_AND:
    case BINARY_UNLESS:
        return PRECEDENCE_AND;
    case BINARY_ADD:
    case BINARY_SUB:
        return PRECEDENCE_SUM;
    case BINARY_MUL:
    case BINARY_DIV:
    case BINARY_MOD:
    case BINARY_ATAN2:
        return PRECEDENCE_PRODUCT;
    case BINARY_POW:
        return PRECEDENCE_POWER;
    default:
        return PRECEDENCE_COMPARISON;
    }
}

/* ---- State and errors ---- */

void parser_advance(struct parser *p)
{
    if (p->token.kind != TOKEN_EOF && p->token.kind != TOKEN_ERROR) {
        p->last_end = token_end(&p->token);
    }
    lexer_next(&p->lexer, &p->token);
    if (p->token.kind == TOKEN_ERROR) {
        (void)parser_fail(p, p->token.position, "%.*s", STR_ARG(p->token.text));
    }
}

void *parser_fail_code(struct parser *p, int code)
{
    if (p->code == 0) {
        p->code = err_set(p->e, code, -1, "%s", err_text(code));
    }
    return NULL;
}

void *parser_fail(struct parser *p, uint32_t position, const char *format, ...)
{
    if (p->code != 0) {
        return NULL;
    }
    struct strbuf where;
    strbuf_init(&where, 64);
    promql_write_position(p->query, position, &where);
    va_list arguments;
    va_start(arguments, format);
    p->code = err_vset(p->e, ERR_INVALID, position, format, arguments);
    va_end(arguments);
    (void)err_prefix(p->e, "%s: parse error", where.data != NULL ? where.data : "?");
    strbuf_release(&where);
    return NULL;
}

void *parser_fail_quoted(
    struct parser *p, uint32_t position, const char *before, struct str text, const char *after)
{
    struct strbuf quoted;
    strbuf_init(&quoted, 8 * text.len + 16);
    promql_write_quoted(text, &quoted);
    (void)parser_fail(p, position, "%s%s%s", before, quoted.data != NULL ? quoted.data : "", after);
    strbuf_release(&quoted);
    return NULL;
}

void *parser_unexpected_in(struct parser *p, const char *context, const char *expected)
{
    struct strbuf b;
    strbuf_init(&b, 4 * ERR_MESSAGE_MAX + 8 * p->token.text.len);
    strbuf_add_c(&b, "unexpected ");
    token_describe(&p->token, &b);
    if (context != NULL) {
        strbuf_addf(&b, " in %s", context);
    }
    if (expected != NULL) {
        strbuf_addf(&b, ", expected %s", expected);
    }
    (void)parser_fail(p, p->token.position, "%s", b.data != NULL ? b.data : "unexpected input");
    strbuf_release(&b);
    return NULL;
}

void *parser_unexpected(struct parser *p)
{
    return parser_unexpected_in(p, p->context, p->expected);
}

bool parser_separator(
    struct parser *p, enum token_kind closer, const char *context, const char *expected)
{
    if (parser_at(p, TOKEN_COMMA)) {
        parser_advance(p);
    } else if (!parser_at(p, closer)) {
        (void)parser_unexpected_in(p, context, expected);
        return false;
    }
    return true;
}

bool parser_expect(struct parser *p, enum token_kind kind)
{
    if (!parser_at(p, kind)) {
        (void)parser_unexpected(p);
        return false;
    }
    parser_advance(p);
    return p->code == 0;
}

bool parser_enter(struct parser *p)
{
    if (p->depth >= PROMQL_DEPTH_MAX) {
        if (p->code == 0) {
            p->code = err_set(p->e, ERR_LIMIT, p->token.position,
                "query is nested deeper than %d levels", PROMQL_DEPTH_MAX);
        }
        return false;
    }
    p->depth++;
    return true;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

struct expr *parser_node(
    struct parser *p, enum expr_kind kind, enum promql_type type, uint32_t start, uint32_t end)
{
    struct expr *expr = arena_calloc(p->arena, 1, sizeof(*expr));
    if (expr == NULL) {
        return parser_fail_code(p, arena_error(p->arena));
    }
    expr->kind = kind;
    expr->type = type;
    expr->position = (struct expr_position){start, end};
    expr->depth = 1;
    return expr;
}

bool parser_set_depth(
    struct parser *p, struct expr *expr, const struct expr *a, const struct expr *b)
{
    uint32_t depth_a = a != NULL ? a->depth : 0;
    uint32_t depth_b = b != NULL ? b->depth : 0;
    uint32_t below = depth_a > depth_b ? depth_a : depth_b;
    if (below + 1 > expr->depth) {
        expr->depth = below + 1;
    }
    if (expr->depth > PROMQL_DEPTH_MAX) {
        if (p->code == 0) {
            p->code = err_set(p->e, ERR_LIMIT, expr->position.start,
                "query is nested deeper than %d levels", PROMQL_DEPTH_MAX);
        }
        return false;
    }
    return true;
}

bool parser_list_add(struct parser *p, struct parser_list *list, const void *item, size_t size)
{
    int status = mem_array_grow(&list->items, &list->cap, list->count + 1, size, PROMQL_LIST_MAX);
    if (status != 0) {
        (void)parser_fail_code(p, status);
        return false;
    }
    memcpy((char *)list->items + list->count * size, item, size);
    list->count++;
    return true;
}

const void *parser_list_take(struct parser *p, struct parser_list *list, size_t size)
{
    const void *items = arena_dup(p->arena, list->items, list->count * size);
    if (items == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
    }
    mem_free(list->items);
    list->items = NULL;
    return items;
}

/* ---- Literals ---- */

struct expr *parse_number(struct parser *p)
{
    struct token t = p->token;
    struct expr *expr = parser_node(p, EXPR_NUMBER, PROMQL_SCALAR, t.position, token_end(&t));
    if (expr == NULL) {
        return NULL;
    }
    struct err e = ERR_INIT;
    if (t.kind == TOKEN_NUMBER) {
        if (number_parse(t.text, &expr->number.value, &e) != 0) {
            return parser_fail(p, t.position, "%s", e.message);
        }
    } else {
        int64_t milliseconds;
        int status = duration_parse(t.text, &milliseconds, &e);
        if (status == ERR_RANGE) {
            return parser_fail(p, t.position, "duration out of range");
        }
        if (status != 0) {
            return parser_fail_quoted(p, t.position, "not a valid duration string: ", t.text, "");
        }
        expr->number.value = (double)milliseconds / 1000.0;
        expr->number.is_duration = true;
    }
    parser_advance(p);
    return p->code == 0 ? expr : NULL;
}

bool parse_string_value(struct parser *p, struct str *value_out)
{
    int status = string_unquote(p->token.text, p->arena, value_out);
    if (status == ERR_INVALID) {
        (void)parser_fail_quoted(
            p, p->token.position, "error unquoting string ", p->token.text, ": invalid syntax");
    } else if (status != 0) {
        (void)parser_fail_code(p, status);
    } else {
        parser_advance(p);
    }
    return p->code == 0;
}

static struct expr *parse_string(struct parser *p)
{
    struct expr *expr =
        parser_node(p, EXPR_STRING, PROMQL_STRING, p->token.position, token_end(&p->token));
    return expr != NULL && parse_string_value(p, &expr->string) ? expr : NULL;
}

/* ---- Labels in parentheses ---- */

/* Label names may be words that are keywords elsewhere. */
static bool is_label_token(const struct token *t)
{
    switch (t->kind) {
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_AGGREGATE:
        return true;
    case TOKEN_KEYWORD:
        return t->keyword != KEYWORD_WITHOUT;
    case TOKEN_BINARY:
        return binary_op_is_set(t->binary) || t->binary == BINARY_ATAN2;
    default:
        return false;
    }
}

static bool parse_grouping_label(struct parser *p, struct str *label_out)
{
    if (parser_at(p, TOKEN_STRING)) {
        uint32_t position = p->token.position;
        if (!parse_string_value(p, label_out)) {
            return false;
        }
        if (label_out->len == 0 || !str_is_utf8(*label_out)) {
            (void)parser_fail_quoted(
                p, position, "invalid label name for grouping: ", *label_out, "");
            return false;
        }
        return true;
    }
    if (!is_label_token(&p->token)) {
        (void)parser_unexpected_in(p, "grouping opts", "label");
        return false;
    }
    char *copy = arena_strndup(p->arena, p->token.text.ptr, p->token.text.len);
    if (copy == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
        return false;
    }
    *label_out = str_make(copy, p->token.text.len);
    parser_advance(p);
    return p->code == 0;
}

bool parse_grouping_item(struct parser *p, struct parser_list *labels)
{
    const struct template *template = template_at(p, false);
    struct str label;
    return template != NULL ? template_expand_grouping(p, template, labels)
                            : parse_grouping_label(p, &label) &&
                                  parser_list_add(p, labels, &label, sizeof(label));
}

bool parse_grouping_labels(struct parser *p, struct parser_list *labels)
{
    while (!parser_at(p, TOKEN_RIGHT_PAREN)) {
        if (!parse_grouping_item(p, labels)) {
            return false;
        }
        if (!parser_separator(p, TOKEN_RIGHT_PAREN, "grouping opts", "\",\" or \")\"")) {
            return false;
        }
    }
    parser_advance(p);
    return p->code == 0;
}

bool parse_grouping(struct parser *p, const struct str **labels_out, size_t *count_out)
{
    if (!parser_at(p, TOKEN_LEFT_PAREN)) {
        (void)parser_unexpected_in(p, "grouping opts", "\"(\"");
        return false;
    }
    parser_advance(p);
    struct parser_list labels = {0};
    if (p->code != 0 || !parse_grouping_labels(p, &labels)) {
        mem_free(labels.items);
        return false;
    }
    *count_out = labels.count;
    *labels_out = parser_list_take(p, &labels, sizeof(struct str));
    return *labels_out != NULL;
}

/* ---- Binary operators ---- */

/* fill(1), fill_left(-1): a number in parentheses. */
static bool parse_fill_value(struct parser *p, double *value_out)
{
    parser_advance(p);
    if (!parser_expect(p, TOKEN_LEFT_PAREN)) {
        return false;
    }
    bool negative = token_is_binary(&p->token, BINARY_SUB);
    if (negative || token_is_binary(&p->token, BINARY_ADD)) {
        parser_advance(p);
    }
    if (!parser_at(p, TOKEN_NUMBER) && !parser_at(p, TOKEN_DURATION)) {
        (void)parser_unexpected(p);
        return false;
    }
    struct expr *number = parse_number(p);
    if (number == NULL) {
        return false;
    }
    *value_out = negative ? -number->number.value : number->number.value;
    return parser_expect(p, TOKEN_RIGHT_PAREN);
}

static bool parse_fill(struct parser *p, struct vector_matching *m)
{
    if (parser_at_keyword(p, KEYWORD_FILL)) {
        m->has_fill_left = m->has_fill_right = true;
        if (!parse_fill_value(p, &m->fill_left)) {
            return false;
        }
        m->fill_right = m->fill_left;
        return true;
    }
    for (;;) {
        if (parser_at_keyword(p, KEYWORD_FILL_LEFT) && !m->has_fill_left) {
            m->has_fill_left = true;
            if (!parse_fill_value(p, &m->fill_left)) {
                return false;
            }
        } else if (parser_at_keyword(p, KEYWORD_FILL_RIGHT) && !m->has_fill_right) {
            m->has_fill_right = true;
            if (!parse_fill_value(p, &m->fill_right)) {
                return false;
            }
        } else {
            return true;
        }
    }
}

bool parse_binary_modifiers(struct parser *p, struct expr_binary *binary)
{
    struct vector_matching *m = &binary->matching;
    if (parser_at_keyword(p, KEYWORD_BOOL)) {
        binary->return_bool = true;
        parser_advance(p);
    }
    if (parser_at_keyword(p, KEYWORD_ON) || parser_at_keyword(p, KEYWORD_IGNORING)) {
        m->on = p->token.keyword == KEYWORD_ON;
        parser_advance(p);
        if (p->code != 0 || !parse_grouping(p, &m->labels, &m->label_count)) {
            return false;
        }
        if (parser_at_keyword(p, KEYWORD_GROUP_LEFT) || parser_at_keyword(p, KEYWORD_GROUP_RIGHT)) {
            m->cardinality =
                p->token.keyword == KEYWORD_GROUP_LEFT ? MATCH_MANY_TO_ONE : MATCH_ONE_TO_MANY;
            parser_advance(p);
            if (parser_at(p, TOKEN_LEFT_PAREN) &&
                !parse_grouping(p, &m->include, &m->include_count)) {
                return false;
            }
        }
    }
    return p->code == 0 && parse_fill(p, m);
}

static struct expr *parse_binary(struct parser *p, struct expr *left)
{
    struct expr *expr =
        parser_node(p, EXPR_BINARY, PROMQL_VECTOR, left->position.start, left->position.end);
    if (expr == NULL) {
        return NULL;
    }
    enum binary_op op = p->token.binary;
    int precedence = precedence_of(op);
    parser_advance(p);
    expr->binary.op = op;
    expr->binary.left = left;
    if (p->code != 0 || !parse_binary_modifiers(p, &expr->binary)) {
        return NULL;
    }
    struct expr *right = parse_expression(p, op == BINARY_POW ? precedence : precedence + 1);
    if (right == NULL) {
        return NULL;
    }
    expr->binary.right = right;
    expr->position.end = right->position.end;
    if (left->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR) {
        expr->type = PROMQL_SCALAR;
    }
    if (!p->features.fill_modifiers &&
        (expr->binary.matching.has_fill_left || expr->binary.matching.has_fill_right)) {
        return parser_fail(
            p, expr->position.start, "binop fill modifiers are experimental and not enabled");
    }
    return parser_set_depth(p, expr, left, right) ? expr : NULL;
}

/* ---- Operands ---- */

static struct expr *parse_unary(struct parser *p)
{
    uint32_t start = p->token.position;
    bool negative = p->token.binary == BINARY_SUB;
    parser_advance(p);
    struct expr *operand = p->code == 0 ? parse_expression(p, PRECEDENCE_POWER) : NULL;
    if (operand == NULL) {
        return NULL;
    }
    if (operand->kind == EXPR_NUMBER) {
        operand->number.value = negative ? -operand->number.value : operand->number.value;
        operand->position.start = start;
        return operand;
    }
    struct expr *expr = parser_node(p, EXPR_UNARY, operand->type, start, operand->position.end);
    if (expr == NULL) {
        return NULL;
    }
    expr->unary.negative = negative;
    expr->unary.expr = operand;
    return parser_set_depth(p, expr, operand, NULL) ? expr : NULL;
}

static struct expr *parse_paren(struct parser *p)
{
    uint32_t start = p->token.position;
    parser_advance(p);
    struct expr *inner = p->code == 0 ? parse_expression(p, PRECEDENCE_OR) : NULL;
    if (inner != NULL && p->features.metricsql) {
        inner = metricsql_paren_list(p, inner);
    }
    if (inner == NULL || !parser_expect(p, TOKEN_RIGHT_PAREN)) {
        return NULL;
    }
    struct expr *expr = parser_node(p, EXPR_PAREN, inner->type, start, p->last_end);
    if (expr == NULL) {
        return NULL;
    }
    expr->paren = inner;
    return parser_set_depth(p, expr, inner, NULL) ? expr : NULL;
}

/* The token after the one at hand, without consuming. */
static struct token peek_token(const struct parser *p)
{
    struct lexer copy = p->lexer;
    struct token t;
    lexer_next(&copy, &t);
    return t;
}

/* May this token be the name of a metric? Most keywords may. */
static bool is_metric_token(const struct token *t)
{
    switch (t->kind) {
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_AGGREGATE:
        return true;
    case TOKEN_KEYWORD:
        return t->keyword != KEYWORD_ON && t->keyword != KEYWORD_IGNORING &&
               t->keyword != KEYWORD_GROUP_LEFT && t->keyword != KEYWORD_GROUP_RIGHT &&
               t->keyword != KEYWORD_BOOL;
    case TOKEN_BINARY:
        return binary_op_is_set(t->binary);
    default:
        return false;
    }
}

/* A word: a call, an aggregation, or the name of a metric, by what follows. */
static struct expr *parse_word(struct parser *p)
{
    struct token after = peek_token(p);
    bool called = after.kind == TOKEN_LEFT_PAREN;
    const struct template *template = template_at(p, called);
    if (template != NULL) {
        return template_expand(p, template);
    }
    if (p->features.metricsql && template_at_with(p, &after)) {
        return template_read_with(p);
    }
    bool grouped =
        called || token_is_keyword(&after, KEYWORD_BY) || token_is_keyword(&after, KEYWORD_WITHOUT);
    if (grouped && p->features.metricsql) {
        metricsql_read_aggregate(p);
    }
    if (grouped && parser_at(p, TOKEN_AGGREGATE)) {
        return parse_aggregate(p);
    }
    bool callable = parser_at(p, TOKEN_IDENTIFIER) ||
                    (parser_at(p, TOKEN_KEYWORD) && p->token.keyword >= KEYWORD_START);
    if (called && callable) {
        return parse_call(p);
    }
    return parse_selector(p);
}

static struct expr *parse_operand(struct parser *p)
{
    switch (p->token.kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        return parse_number(p);
    case TOKEN_STRING:
        return parse_string(p);
    case TOKEN_LEFT_PAREN:
        return parse_paren(p);
    case TOKEN_LEFT_BRACE:
        return parse_selector(p);
    default:
        if (is_metric_token(&p->token)) {
            return parse_word(p);
        }
        return parser_unexpected(p);
    }
}

static struct expr *parse_suffixed(struct parser *p)
{
    struct expr *expr = parse_operand(p);
    if (expr != NULL && p->features.metricsql && metricsql_take_keep_names(p)) {
        struct expr *named = expr;
        while (named->kind == EXPR_PAREN) {
            named = named->paren;
        }
        named->keep_name = true;
    }
    while (expr != NULL && p->code == 0 && parser_at_modifier(p)) {
        expr = parse_modifier(p, expr);
    }
    return expr;
}

static struct expr *parse_climbing(struct parser *p, int precedence)
{
    bool sign = token_is_binary(&p->token, BINARY_ADD) || token_is_binary(&p->token, BINARY_SUB);
    struct expr *expr = sign ? parse_unary(p) : parse_suffixed(p);
    while (expr != NULL && p->code == 0 && parser_at(p, TOKEN_BINARY) &&
           precedence_of(p->token.binary) >= precedence) {
        expr = parse_binary(p, expr);
    }
    return p->code == 0 ? expr : NULL;
}

struct expr *parse_promql(struct parser *p)
{
    return parse_climbing(p, PRECEDENCE_OR);
}

struct expr *parse_expression(struct parser *p, int precedence)
{
    if (!parser_enter(p)) {
        return NULL;
    }
    struct expr *expr = parse_climbing(p, precedence);
    if (expr != NULL && precedence == PRECEDENCE_OR && p->features.metricsql) {
        expr = metricsql_operators(p, expr);
    }
    parser_leave(p);
    return expr;
}

/* ---- Entry points ---- */

static int parser_begin(struct parser *p, struct str text, struct promql_features features,
    struct arena *arena, struct err *e)
{
    if (text.len > PROMQL_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "query is longer than %zu bytes", PROMQL_BYTES_MAX);
    }
    *p = (struct parser){.query = text, .features = features, .arena = arena, .e = e};
    p->features.experimental_functions |=
        features.metricsql; // it has some of them, or they stand for its own
    lexer_init(&p->lexer, text);
    parser_advance(p);
    return p->code;
}

int promql_parse(struct str text, struct promql_features features, struct arena *arena,
    struct expr **expr_out, struct err *e)
{
    struct parser p;
    int status = parser_begin(&p, text, features, arena, e);
    if (status != 0) {
        return status;
    }
    if (parser_at(&p, TOKEN_EOF)) {
        (void)parser_fail(&p, 0, "no expression found in input");
        return p.code;
    }
    struct expr *expr = parse_expression(&p, PRECEDENCE_OR);
    if (expr != NULL && !parser_at(&p, TOKEN_EOF)) {
        (void)parser_unexpected(&p);
    }
    if (p.code != 0 || !check_expression(&p, expr)) {
        return p.code;
    }
    *expr_out = expr;
    return 0;
}

int promql_parse_selector(
    struct str text, struct arena *arena, struct expr **expr_out, struct err *e)
{
    struct parser p;
    int status = parser_begin(&p, text, PROMQL_FEATURES_DEFAULT, arena, e);
    if (status != 0) {
        return status;
    }
    if (!is_metric_token(&p.token) && !parser_at(&p, TOKEN_LEFT_BRACE)) {
        (void)parser_unexpected(&p);
        return p.code;
    }
    struct expr *expr = parse_selector(&p);
    if (expr != NULL && !parser_at(&p, TOKEN_EOF)) {
        (void)parser_unexpected(&p);
    }
    if (p.code != 0 || !check_expression(&p, expr)) {
        return p.code;
    }
    *expr_out = expr;
    return 0;
}
