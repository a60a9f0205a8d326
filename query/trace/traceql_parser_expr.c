/* Field expressions: precedence climbing, with Tempo's precedences, and the check of types at each node.
 *
 *   1  && ||                       left
 *   2  = != < <= > >= =~ !~        left
 *   3  + -  and the sign -         left
 *   4  !
 *   5  * / %                       left
 *   6  ^                           right
 */
#include "trace/traceql_parser.h"
#include "trace/traceql_value.h"

enum {
    LEVEL_JOIN = 1,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_NOT,
    LEVEL_PRODUCT,
    LEVEL_POWER,
    LEVEL_NONE
};

static int parse_level(struct traceql_parser *p, int level, const struct traceql_expr **expr_out);

static int level_of(const struct traceql_token *t)
{
    if (t->kind != TRACEQL_TOKEN_OPERATOR) {
        return 0;
    }
    switch (t->op) {
    case TRACEQL_AND:
    case TRACEQL_OR:
        return LEVEL_JOIN;
    case TRACEQL_ADD:
    case TRACEQL_SUB:
        return LEVEL_SUM;
    case TRACEQL_MUL:
    case TRACEQL_DIV:
    case TRACEQL_MOD:
        return LEVEL_PRODUCT;
    case TRACEQL_POW:
        return LEVEL_POWER;
    default:
        return traceql_is_comparison(t->op) ? LEVEL_COMPARE : 0;
    }
}

/* ---- Fields ---- */

static const struct {
    const char *text, *other;
    enum traceql_type type;
} intrinsics[] = {
#define X(name, text, other, type) [TRACEQL_INTRINSIC_##name] = {text, other, TRACEQL_##type},
    TRACEQL_INTRINSIC_LIST(X)
#undef X
};

static enum traceql_intrinsic find_intrinsic(struct str word)
{
    enum traceql_intrinsic i = 0;
    while (i < TRACEQL_INTRINSIC_COUNT && !str_eq_c(word, intrinsics[i].text) &&
           (intrinsics[i].other == NULL || !str_eq_c(word, intrinsics[i].other))) {
        i++;
    }
    return i;
}

enum traceql_need traceql_field_need(const struct traceql_field *field)
{
    if (field->scope != TRACEQL_SCOPE_INTRINSIC) {
        return field->scope == TRACEQL_SCOPE_PARENT ? TRACEQL_NEEDS_TRACE : TRACEQL_NEEDS_SPAN;
    }
    switch (field->intrinsic) {
    case TRACEQL_INTRINSIC_CHILD_COUNT:
    case TRACEQL_INTRINSIC_TRACE_DURATION:
    case TRACEQL_INTRINSIC_ROOT_NAME:
    case TRACEQL_INTRINSIC_ROOT_SERVICE:
    case TRACEQL_INTRINSIC_NESTED_SET_LEFT:
    case TRACEQL_INTRINSIC_NESTED_SET_RIGHT:
    case TRACEQL_INTRINSIC_NESTED_SET_PARENT:
        return TRACEQL_NEEDS_TRACE;
    default:
        return TRACEQL_NEEDS_SPAN;
    }
}

int traceql_parser_field(struct traceql_parser *p, const struct traceql_field **field_out)
{
    struct traceql_field *field;
    void *node;
    int status = traceql_parser_node(p, sizeof(*field), &node);
    if (status != 0) {
        return status;
    }
    field = node;
    if (traceql_parser_at(p, TRACEQL_TOKEN_ATTRIBUTE)) {
        field->scope = p->token.scope;
        field->of = p->token.of;
        field->key = p->token.text;
    } else {
        field->scope = TRACEQL_SCOPE_INTRINSIC;
        field->intrinsic = traceql_parser_at(p, TRACEQL_TOKEN_WORD) ? find_intrinsic(p->token.text)
                                                                    : TRACEQL_INTRINSIC_COUNT;
        if (field->intrinsic == TRACEQL_INTRINSIC_COUNT) {
            return traceql_parser_expected(p, "a field like .key, span.key, resource.key or name");
        }
    }
    field->text =
        field->scope == TRACEQL_SCOPE_INTRINSIC
            ? str_of(intrinsics[field->intrinsic].text)
            : str_make(p->lexer.text.ptr + p->token.position, p->token.end - p->token.position);
    *field_out = field;
    return traceql_parser_advance(p);
}

/* Those that conditions name are shown with the spans that are found. */
static void note_field(struct traceql_parser *p, const struct traceql_field *field)
{
    for (size_t i = 0; i < p->field_count; i++) {
        if (str_eq(p->fields[i]->text, field->text)) {
            return;
        }
    }
    p->fields[p->field_count++] = field; /* not more than nodes */
}

/* ---- Operands ---- */

static bool word_value(struct str word, struct traceql_value *value_out)
{
    static const struct {
        const char *word;
        enum traceql_type type;
        int64_t number;
    } words[] = {
        {"ok", TRACEQL_STATUS, SPAN_STATUS_OK},
        {"error", TRACEQL_STATUS, SPAN_STATUS_ERROR},
        {"unset", TRACEQL_STATUS, SPAN_STATUS_UNSET},
        {"unspecified", TRACEQL_KIND, SPAN_KIND_UNSPECIFIED},
        {"internal", TRACEQL_KIND, SPAN_KIND_INTERNAL},
        {"server", TRACEQL_KIND, SPAN_KIND_SERVER},
        {"client", TRACEQL_KIND, SPAN_KIND_CLIENT},
        {"producer", TRACEQL_KIND, SPAN_KIND_PRODUCER},
        {"consumer", TRACEQL_KIND, SPAN_KIND_CONSUMER},
        {"minInt", TRACEQL_INT, INT64_MIN},
        {"maxInt", TRACEQL_INT, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_c(word, words[i].word)) {
            *value_out = (struct traceql_value){.type = words[i].type, .integer = words[i].number};
            return true;
        }
    }
    if (str_eq_c(word, "true") || str_eq_c(word, "false")) {
        *value_out =
            (struct traceql_value){.type = TRACEQL_BOOL, .boolean = str_eq_c(word, "true")};
        return true;
    }
    *value_out = (struct traceql_value){.type = TRACEQL_NIL};
    return str_eq_c(word, "nil");
}

static bool negate(struct traceql_value *value)
{
    if (value->type == TRACEQL_FLOAT) {
        value->number = -value->number;
        return true;
    }
    return traceql_is_numeric(value->type) &&
           !__builtin_sub_overflow(INT64_C(0), value->integer, &value->integer);
}

int traceql_parser_literal(struct traceql_parser *p, struct traceql_value *value_out)
{
    bool negative = traceql_parser_at_operator(p, TRACEQL_SUB);
    int status = negative ? traceql_parser_advance(p) : 0;
    if (status != 0) {
        return status;
    }
    if (traceql_parser_at(p, TRACEQL_TOKEN_VALUE)) {
        *value_out = p->token.value;
    } else if (!traceql_parser_at(p, TRACEQL_TOKEN_WORD) || !word_value(p->token.text, value_out) ||
               value_out->type == TRACEQL_NIL) {
        return traceql_parser_expected(p, "a value");
    }
    if (negative && !negate(value_out)) {
        return traceql_parser_expected(p, "a number behind the sign");
    }
    return traceql_parser_advance(p);
}

static int make_expr(
    struct traceql_parser *p, struct traceql_expr from, const struct traceql_expr **expr_out)
{
    void *node;
    int status = traceql_parser_node(p, sizeof(struct traceql_expr), &node);
    if (status == 0) {
        *(struct traceql_expr *)node = from;
        *expr_out = node;
    }
    return status;
}

static int parse_parenthesis(struct traceql_parser *p, const struct traceql_expr **expr_out)
{
    int status = traceql_parser_advance(p);
    status = status == 0 ? traceql_parser_expr(p, expr_out) : status;
    return status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"") : status;
}

/* ! and the sign. */
static int parse_prefix(struct traceql_parser *p, const struct traceql_expr **expr_out)
{
    bool not = traceql_parser_at(p, TRACEQL_TOKEN_NOT);
    size_t position = p->token.position;
    const struct traceql_expr *of;
    int status = traceql_parser_enter(p);
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? parse_level(p, not ? LEVEL_PRODUCT : LEVEL_NOT, &of) : status;
    if (status != 0) {
        return status;
    }
    p->depth--;
    bool fits =
        of->type == TRACEQL_ANY || (not ? of->type == TRACEQL_BOOL : traceql_is_numeric(of->type));
    if (!fits) {
        return traceql_parser_fail(p, position,
            not ? "! wants a condition behind it" : "the sign - wants a number behind it");
    }
    struct traceql_expr made = {.node = not ? TRACEQL_NOT : TRACEQL_NEGATE,
        .type = not ? TRACEQL_BOOL : of->type,
        .need = of->need,
        .left = of};
    if (!not &&of->node == TRACEQL_LITERAL) {
        made = *of;
        if (!negate(&made.literal)) {
            return traceql_parser_fail(p, position, "a number that does not fit into 64 bits");
        }
    }
    return make_expr(p, made, expr_out);
}

static int parse_operand(struct traceql_parser *p, const struct traceql_expr **expr_out)
{
    struct traceql_expr made = {.node = TRACEQL_LITERAL};
    if (traceql_parser_at(p, TRACEQL_TOKEN_LEFT_PAREN)) {
        return parse_parenthesis(p, expr_out);
    }
    if (traceql_parser_at(p, TRACEQL_TOKEN_NOT) || traceql_parser_at_operator(p, TRACEQL_SUB)) {
        return parse_prefix(p, expr_out);
    }
    if (traceql_parser_at(p, TRACEQL_TOKEN_VALUE) ||
        (traceql_parser_at(p, TRACEQL_TOKEN_WORD) && word_value(p->token.text, &made.literal))) {
        if (traceql_parser_at(p, TRACEQL_TOKEN_VALUE)) {
            made.literal = p->token.value;
        }
        made.type = made.literal.type;
        int status = traceql_parser_advance(p);
        return status == 0 ? make_expr(p, made, expr_out) : status;
    }
    if (!traceql_parser_at(p, TRACEQL_TOKEN_ATTRIBUTE) &&
        !traceql_parser_at(p, TRACEQL_TOKEN_WORD)) {
        return traceql_parser_expected(p, "a field or a value");
    }
    int status = traceql_parser_field(p, &made.field);
    if (status != 0) {
        return status;
    }
    note_field(p, made.field);
    made.node = TRACEQL_FIELD;
    made.need = traceql_field_need(made.field);
    made.type = made.field->scope == TRACEQL_SCOPE_INTRINSIC
                    ? intrinsics[made.field->intrinsic].type
                    : TRACEQL_ANY;
    return make_expr(p, made, expr_out);
}

/* ---- Operators ---- */

static bool is_nil(const struct traceql_expr *expr)
{
    return expr->node == TRACEQL_LITERAL && expr->type == TRACEQL_NIL;
}

/* `= nil`, `!= nil`, on either side. */
static int make_nil_check(struct traceql_parser *p, const struct traceql_token *at,
    const struct traceql_expr *left, const struct traceql_expr *right,
    const struct traceql_expr **expr_out)
{
    if (at->op != TRACEQL_EQ && at->op != TRACEQL_NE) {
        return traceql_parser_fail(p, at->position, "nil is compared with = and != only");
    }
    if (is_nil(left) && is_nil(right)) {
        return make_expr(p,
            (struct traceql_expr){.node = TRACEQL_LITERAL,
                .type = TRACEQL_BOOL,
                .literal = {.type = TRACEQL_BOOL, .boolean = false}},
            expr_out);
    }
    const struct traceql_expr *of = is_nil(left) ? right : left;
    return make_expr(p,
        (struct traceql_expr){.node = at->op == TRACEQL_EQ ? TRACEQL_ABSENT : TRACEQL_EXISTS,
            .type = TRACEQL_BOOL,
            .need = of->need,
            .left = of},
        expr_out);
}

static void free_regex(void *regex)
{
    regex_free(regex);
}

static int compile(struct traceql_parser *p, const struct traceql_token *at,
    const struct traceql_expr *pattern, const struct regex **regex_out)
{
    struct regex *regex = NULL;
    struct err why = ERR_INIT;
    if (pattern->node != TRACEQL_LITERAL || pattern->type != TRACEQL_STRING) {
        return traceql_parser_fail(
            p, at->position, "%s wants a text in quotes behind it", traceql_operator_text(at->op));
    }
    int status = regex_new(pattern->literal.text, &regex, &why);
    if (status == ERR_NOMEM) {
        return err_set(p->e, status, -1, "%s", err_text(status));
    }
    if (status != 0) {
        return traceql_parser_fail(
            p, at->position, "not a regular expression: %.200s", why.message);
    }
    status = arena_on_release(p->arena, free_regex, regex);
    if (status != 0) {
        regex_free(regex);
        return err_set(p->e, status, -1, "%s", err_text(status));
    }
    *regex_out = regex;
    return 0;
}

static int make_binary(struct traceql_parser *p, const struct traceql_token *at,
    const struct traceql_expr *left, const struct traceql_expr *right,
    const struct traceql_expr **expr_out)
{
    struct traceql_expr made = {.node = TRACEQL_BINARY, .op = at->op, .left = left, .right = right};
    if (is_nil(left) || is_nil(right)) {
        return make_nil_check(p, at, left, right, expr_out);
    }
    if (!traceql_types_fit(at->op, left->type, right->type)) {
        return traceql_parser_fail(p, at->position, "%s does not fit what is on its two sides",
            traceql_operator_text(at->op));
    }
    made.type = traceql_result_type(at->op, left->type, right->type);
    made.need = left->need > right->need ? left->need : right->need;
    if (at->op == TRACEQL_RE || at->op == TRACEQL_NRE) {
        int status = compile(p, at, right, &made.regex);
        if (status != 0) {
            return status;
        }
    }
    return make_expr(p, made, expr_out);
}

/* Operators of `level` and of those that bind more tightly. */
static int parse_level(struct traceql_parser *p, int level, const struct traceql_expr **expr_out)
{
    const struct traceql_expr *left = NULL, *right = NULL;
    int found, status = parse_operand(p, &left);
    while (status == 0 && (found = level_of(&p->token)) >= level && found > 0) {
        struct traceql_token at = p->token;
        status = traceql_parser_enter(p);
        status = status == 0 ? traceql_parser_advance(p) : status;
        status = status == 0
                     ? parse_level(p, found == LEVEL_POWER ? LEVEL_POWER : found + 1, &right)
                     : status;
        status = status == 0 ? make_binary(p, &at, left, right, &left) : status;
        if (status == 0) {
            p->depth--;
        }
    }
    *expr_out = left;
    return status;
}

int traceql_parser_expr(struct traceql_parser *p, const struct traceql_expr **expr_out)
{
    int status = traceql_parser_enter(p);
    status = status == 0 ? parse_level(p, LEVEL_JOIN, expr_out) : status;
    if (status == 0) {
        p->depth--;
    }
    return status;
}
