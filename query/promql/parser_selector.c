/* Selectors and what may stand behind an operand: [range], [range:step], offset, @, anchored,
 * smoothed. */
#include <math.h>

#include "base/mem.h"
#include "parser.h"

/* ---- Matchers ---- */

static void matcher_release(void *matcher)
{
    matcher_free(matcher);
}

/* Adds a matcher that the arena owns. */
static bool add_matcher(struct parser *p, struct parser_list *list, enum matcher_type type,
    struct str name, struct str value, uint32_t position)
{
    struct matcher *matcher;
    struct err e = ERR_INIT;
    int status = matcher_new(type, name, value, &matcher, &e);
    if (status == ERR_INVALID) {
        (void)parser_fail(p, position, "%s", e.message);
        return false;
    }
    if (status == 0) {
        status = arena_on_release(p->arena, matcher_release, matcher);
        if (status != 0) {
            matcher_free(matcher);
        }
    }
    if (status != 0) {
        (void)parser_fail_code(p, status);
        return false;
    }
    return parser_list_add(p, list, &matcher, sizeof(matcher));
}

static bool matcher_type_of(const struct token *t, enum matcher_type *type_out)
{
    switch (t->kind) {
    case TOKEN_EQL:
        *type_out = MATCHER_EQUAL;
        return true;
    case TOKEN_EQL_REGEX:
        *type_out = MATCHER_REGEX;
        return true;
    case TOKEN_NEQ_REGEX:
        *type_out = MATCHER_NOT_REGEX;
        return true;
    case TOKEN_BINARY:
        *type_out = MATCHER_NOT_EQUAL;
        return t->binary == BINARY_NEQ;
    default:
        return false;
    }
}

static bool operator_follows(const struct parser *p)
{
    struct lexer copy = p->lexer;
    struct token t;
    enum matcher_type type;
    lexer_next(&copy, &t);
    return matcher_type_of(&t, &type);
}

/* The matchers of a template that is a selector. */
static bool add_template(
    struct parser *p, struct parser_list *list, const struct template *template)
{
    uint32_t position = p->token.position;
    const struct expr *expr = template_expand(p, template);
    if (expr == NULL) {
        return false;
    }
    if (expr->kind != EXPR_SELECTOR || expr->selector.when.at != AT_NONE ||
        expr->selector.when.offset_ms != 0 || expr->selector.when.offset_expr != NULL) {
        (void)parser_fail(p, position, "expected a template of matchers in braces");
        return false;
    }
    for (size_t i = 0; i < expr->selector.matcher_count; i++) {
        const struct matcher *matcher = expr->selector.matchers[i];
        if (!parser_list_add(p, list, &matcher, sizeof(matcher))) {
            return false;
        }
    }
    return true;
}

/* What stands behind a matcher's operator: a string, or a template that is one. */
static bool parse_matcher_value(struct parser *p, struct str *value_out)
{
    const struct template *template = template_at(p, false);
    if (template != NULL) {
        const struct expr *expr = template_expand(p, template);
        if (expr != NULL && expr->kind != EXPR_STRING) {
            (void)parser_fail(p, expr->position.start, "expected a template of a string");
        } else if (expr != NULL) {
            *value_out = expr->string;
        }
        return p->code == 0;
    }
    if (!parser_at(p, TOKEN_STRING)) {
        (void)parser_unexpected_in(p, "label matching", "string");
        return false;
    }
    return parse_string_value(p, value_out);
}

/* name op "value", "name" op "value", or "metric name" alone. */
static bool parse_matcher(struct parser *p, struct parser_list *list)
{
    uint32_t position = p->token.position;
    const struct template *template = template_at(p, false);
    if (template != NULL && !operator_follows(p)) {
        return add_template(p, list, template);
    }
    bool quoted = parser_at(p, TOKEN_STRING);
    struct str name = p->token.text;
    if (quoted) {
        if (!parse_string_value(p, &name)) {
            return false;
        }
    } else if (parser_at(p, TOKEN_IDENTIFIER)) {
        parser_advance(p);
    } else {
        (void)parser_unexpected_in(p, "label matching", "identifier or \"}\"");
        return false;
    }
    enum matcher_type type;
    if (!matcher_type_of(&p->token, &type)) {
        if (quoted) {
            return p->code == 0 &&
                   add_matcher(p, list, MATCHER_EQUAL, STR(LABEL_METRIC_NAME), name, position);
        }
        (void)parser_unexpected_in(p, "label matching", "label matching operator");
        return false;
    }
    parser_advance(p);
    struct str value;
    return p->code == 0 && parse_matcher_value(p, &value) &&
           add_matcher(p, list, type, name, value, position);
}

static bool parse_matchers(struct parser *p, struct parser_list *list)
{
    parser_advance(p);
    while (p->code == 0 && !parser_at(p, TOKEN_RIGHT_BRACE)) {
        if (!parse_matcher(p, list)) {
            return false;
        }
        if (!parser_separator(p, TOKEN_RIGHT_BRACE, "label matching", "\",\" or \"}\"")) {
            return false;
        }
    }
    parser_advance(p);
    return p->code == 0;
}

struct expr *parse_selector(struct parser *p)
{
    struct expr *expr =
        parser_node(p, EXPR_SELECTOR, PROMQL_VECTOR, p->token.position, token_end(&p->token));
    if (expr == NULL) {
        return NULL;
    }
    struct str name = {0};
    if (!parser_at(p, TOKEN_LEFT_BRACE)) {
        char *copy = arena_strndup(p->arena, p->token.text.ptr, p->token.text.len);
        if (copy == NULL) {
            return parser_fail_code(p, arena_error(p->arena));
        }
        name = str_make(copy, p->token.text.len);
        parser_advance(p);
    }
    struct parser_list list = {0};
    bool ok = p->code == 0 && (!parser_at(p, TOKEN_LEFT_BRACE) || parse_matchers(p, &list)) &&
              (name.len == 0 || add_matcher(p, &list, MATCHER_EQUAL, STR(LABEL_METRIC_NAME), name,
                                    expr->position.start));
    if (!ok) {
        mem_free(list.items);
        return NULL;
    }
    expr->position.end = p->last_end;
    expr->selector.name = name;
    expr->selector.matcher_count = list.count;
    expr->selector.matchers = parser_list_take(p, &list, sizeof(struct matcher *));
    return expr->selector.matchers != NULL ? expr : NULL;
}

struct expr *parse_more_matchers(struct parser *p, struct expr *selector)
{
    struct expr_selector *s = &selector->selector;
    struct parser_list list = {0};
    // That of the name stays the last one.
    size_t others = s->name.len > 0 ? s->matcher_count - 1 : s->matcher_count;
    bool ok = true;
    for (size_t i = 0; ok && i < others; i++) {
        ok = parser_list_add(p, &list, &s->matchers[i], sizeof(s->matchers[i]));
    }
    ok = ok && parse_matchers(p, &list) &&
         (others == s->matcher_count ||
             parser_list_add(p, &list, &s->matchers[others], sizeof(s->matchers[others])));
    if (!ok) {
        mem_free(list.items);
        return NULL;
    }
    selector->position.end = p->last_end;
    s->matcher_count = list.count;
    s->matchers = parser_list_take(p, &list, sizeof(struct matcher *));
    return s->matchers != NULL ? selector : NULL;
}

/* ---- Ranges and subqueries ---- */

/* Seconds of a literal to milliseconds, through nanoseconds as Prometheus rounds. */
static int64_t milliseconds_of(double seconds)
{
    double nanoseconds = round(seconds * 1e9);
    if (nanoseconds >= 9223372036854775807.0) {
        return INT64_MAX / 1000000;
    }
    if (nanoseconds <= -9223372036854775808.0) {
        return INT64_MIN / 1000000;
    }
    return (int64_t)nanoseconds / 1000000;
}

/* Splits a parsed duration into a literal and an expression. */
static void set_duration(struct expr *duration, int64_t *ms_out, struct expr **expr_out)
{
    if (duration->kind == EXPR_NUMBER) {
        *ms_out = milliseconds_of(duration->number.value);
    } else {
        *expr_out = duration;
    }
}

static struct expr *parse_positive_duration(struct parser *p)
{
    struct expr *duration = parse_duration(p);
    if (duration != NULL && duration->kind == EXPR_NUMBER && duration->number.value <= 0) {
        return parser_fail(p, duration->position.start, "duration must be greater than 0");
    }
    return duration;
}

static struct expr *parse_subquery_rest(struct parser *p, struct expr *operand, struct expr *range)
{
    parser_advance(p);
    struct expr *expr = parser_node(
        p, EXPR_SUBQUERY, PROMQL_MATRIX, operand->position.start, operand->position.end);
    if (p->code != 0 || expr == NULL) {
        return NULL;
    }
    struct expr_subquery *subquery = &expr->subquery;
    subquery->expr = operand;
    set_duration(range, &subquery->range_ms, &subquery->range_expr);
    if (!parser_at(p, TOKEN_RIGHT_BRACKET)) {
        p->context = "subquery selector";
        p->expected = "number, duration, step(), range(), or \"]\"";
        struct expr *step = parse_positive_duration(p);
        if (step == NULL) {
            return NULL;
        }
        set_duration(step, &subquery->step_ms, &subquery->step_expr);
        if (!parser_at(p, TOKEN_RIGHT_BRACKET)) {
            return parser_unexpected_in(p, "subquery selector", "\"]\"");
        }
    }
    parser_advance(p);
    expr->position.end = p->last_end;
    return p->code == 0 && parser_set_depth(p, expr, operand, NULL) ? expr : NULL;
}

static struct expr *finish_matrix(
    struct parser *p, struct expr *operand, struct expr *range, uint32_t bracket)
{
    const char *complaint = NULL;
    if (operand->kind != EXPR_SELECTOR) {
        complaint = "ranges only allowed for vector selectors";
    } else if (operand->selector.when.offset_ms != 0 ||
               operand->selector.when.offset_expr != NULL) {
        complaint = "no offset modifiers allowed before range";
    } else if (operand->selector.when.at != AT_NONE) {
        complaint = "no @ modifiers allowed before range";
    }
    if (complaint != NULL) {
        return parser_fail(p, bracket, "%s", complaint);
    }
    struct expr *expr =
        parser_node(p, EXPR_MATRIX, PROMQL_MATRIX, operand->position.start, p->last_end);
    if (expr == NULL) {
        return NULL;
    }
    expr->matrix.selector = operand;
    set_duration(range, &expr->matrix.range_ms, &expr->matrix.range_expr);
    return parser_set_depth(p, expr, operand, NULL) ? expr : NULL;
}

static struct expr *parse_bracket(struct parser *p, struct expr *operand)
{
    uint32_t bracket = p->token.position;
    parser_advance(p);
    const char *context = p->context, *expected = p->expected;
    p->context = "subquery or range selector";
    p->expected = "number, duration, step(), or range()";
    struct expr *range = p->code == 0 ? parse_positive_duration(p) : NULL;
    struct expr *expr = NULL;
    if (range == NULL) {
        return NULL;
    }
    if (parser_at(p, TOKEN_COLON)) {
        expr = parse_subquery_rest(p, operand, range);
    } else if (!parser_at(p, TOKEN_RIGHT_BRACKET)) {
        (void)parser_unexpected_in(p, "subquery or range", "\":\" or \"]\"");
    } else {
        parser_advance(p);
        expr = p->code == 0 ? finish_matrix(p, operand, range, bracket) : NULL;
    }
    p->context = context;
    p->expected = expected;
    return expr;
}

/* ---- offset and @ ---- */

/* Where the modifiers of an operand are kept, NULL when it takes none. */
static struct expr_when *when_of(struct expr *operand)
{
    switch (operand->kind) {
    case EXPR_SELECTOR:
        return &operand->selector.when;
    case EXPR_MATRIX:
        return &operand->matrix.selector->selector.when;
    case EXPR_SUBQUERY:
        return &operand->subquery.when;
    default:
        return NULL;
    }
}

static struct expr *parse_offset(struct parser *p, struct expr *operand)
{
    const char *context = p->context, *expected = p->expected;
    p->context = "offset";
    p->expected = "number, duration, step(), or range()";
    parser_advance(p);
    struct expr *duration = p->code == 0 ? parse_offset_duration(p) : NULL;
    p->context = context;
    p->expected = expected;
    if (duration == NULL) {
        return NULL;
    }
    struct expr_when *when = when_of(operand);
    if (when == NULL) {
        return parser_fail(p, operand->position.start,
            "offset modifier must be preceded by an instant vector selector or range vector "
            "selector or a subquery");
    }
    if (when->offset_ms != 0 || when->offset_expr != NULL) {
        return parser_fail(p, operand->position.start, "offset may not be set multiple times");
    }
    set_duration(duration, &when->offset_ms, &when->offset_expr);
    operand->position.end = p->last_end;
    return operand;
}

/* The operand of `@`: a signed number, or start() / end(). */
static bool parse_at_value(struct parser *p, struct expr_when *when_out)
{
    if (parser_at_keyword(p, KEYWORD_START) || parser_at_keyword(p, KEYWORD_END)) {
        when_out->at = p->token.keyword == KEYWORD_START ? AT_START : AT_END;
        parser_advance(p);
        return p->code == 0 && parser_expect(p, TOKEN_LEFT_PAREN) &&
               parser_expect(p, TOKEN_RIGHT_PAREN);
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
    double seconds = negative ? -number->number.value : number->number.value;
    when_out->at = AT_TIME;
    when_out->at_ms = 0;
    if (isfinite(seconds) && fabs(seconds) < 9223372036854775807.0 / 1000) {
        when_out->at_ms = (int64_t)round(seconds * 1000);
        return true;
    }
    when_out->at = AT_NONE; // reported by the caller, who knows the operand
    number->number.value = seconds;
    when_out->offset_expr = number;
    return true;
}

static struct expr *fail_at_range(struct parser *p, const struct expr *operand, double seconds)
{
    if (isnan(seconds)) {
        return parser_fail(
            p, operand->position.start, "timestamp out of bounds for @ modifier: NaN");
    }
    if (isinf(seconds)) {
        return parser_fail(p, operand->position.start,
            "timestamp out of bounds for @ modifier: %cInf", seconds < 0 ? '-' : '+');
    }
    return parser_fail(
        p, operand->position.start, "timestamp out of bounds for @ modifier: %f", seconds);
}

static struct expr *parse_at(struct parser *p, struct expr *operand)
{
    const char *context = p->context, *expected = p->expected;
    p->context = "@";
    p->expected = "timestamp";
    parser_advance(p);
    struct expr_when value = {0};
    bool ok = p->code == 0 && parse_at_value(p, &value);
    p->context = context;
    p->expected = expected;
    if (!ok) {
        return NULL;
    }
    if (value.at == AT_NONE) {
        return fail_at_range(p, operand, value.offset_expr->number.value);
    }
    struct expr_when *when = when_of(operand);
    if (when == NULL) {
        return parser_fail(p, operand->position.start,
            "@ modifier must be preceded by an instant vector selector or range vector selector "
            "or a subquery");
    }
    if (when->at != AT_NONE) {
        return parser_fail(
            p, operand->position.start, "@ <timestamp> may not be set multiple times");
    }
    when->at = value.at;
    when->at_ms = value.at_ms;
    operand->position.end = p->last_end;
    return operand;
}

/* ---- anchored and smoothed ---- */

static struct expr *parse_extended(struct parser *p, struct expr *operand)
{
    bool anchored = p->token.keyword == KEYWORD_ANCHORED;
    const char *name = anchored ? "anchored" : "smoothed";
    uint32_t position = operand->position.start;
    parser_advance(p);
    if (p->code != 0) {
        return NULL;
    }
    if (!p->features.extended_range_selectors) {
        return parser_fail(p, position, "%s modifier is experimental and not enabled", name);
    }
    struct expr_selector *selector = NULL;
    if (operand->kind == EXPR_SELECTOR) {
        selector = &operand->selector;
    } else if (operand->kind == EXPR_MATRIX) {
        selector = &operand->matrix.selector->selector;
    } else if (operand->kind == EXPR_SUBQUERY) {
        return parser_fail(p, position, "%s modifier is not supported for subqueries", name);
    } else {
        return parser_fail(p, position, "%s modifier not implemented", name);
    }
    if (anchored ? selector->smoothed : selector->anchored) {
        return parser_fail(p, position, "anchored and smoothed modifiers cannot be used together");
    }
    *(anchored ? &selector->anchored : &selector->smoothed) = true;
    return operand;
}

bool parser_at_modifier(const struct parser *p)
{
    return parser_at(p, TOKEN_LEFT_BRACKET) || parser_at(p, TOKEN_AT) ||
           parser_at_keyword(p, KEYWORD_OFFSET) || parser_at_keyword(p, KEYWORD_ANCHORED) ||
           parser_at_keyword(p, KEYWORD_SMOOTHED);
}

struct expr *parse_modifier(struct parser *p, struct expr *operand)
{
    if (parser_at(p, TOKEN_LEFT_BRACKET)) {
        return parse_bracket(p, operand);
    }
    if (parser_at(p, TOKEN_AT)) {
        return parse_at(p, operand);
    }
    if (parser_at_keyword(p, KEYWORD_OFFSET)) {
        return parse_offset(p, operand);
    }
    return parse_extended(p, operand);
}
