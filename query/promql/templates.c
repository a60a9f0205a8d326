/* WITH templates of MetricsQL: names for parts of a query, expanded while it is read.
 *
 *   WITH (
 *       mine = {job="a", zone!="b"},
 *       window = 5m,
 *       share(part, all) = sum(rate(part{mine}[window])) / sum(rate(all{mine}[window])),
 *   )
 *   share(errors_total, requests_total) > 0.1
 *
 * A template is a piece of the text, and is read again at each place that names it, as what that place
 * wants: an expression, the matchers of a selector or more of them (`{mine, a="b"}`, `part{mine}`), a string
 * behind a matcher's operator, a duration, labels of a grouping (`by (mine)` for `mine = (a, b)`). So each use
 * has nodes of its own, and places in warnings point into the template. Arguments are pieces of text too,
 * read with the names known where the call stands.
 *
 * A template sees those before it, never itself or later ones: expansion ends. What is read again counts as if
 * it were written out, TEMPLATE_OVERHEAD bytes added a use, and PROMQL_BYTES_MAX is the most of it. A template
 * that no place names is only looked at for balanced parentheses.
 */
#include <strings.h>

#include "parser.h"

/* Templates of a query, and those (arguments too) visible at one place. */
#define TEMPLATES_MAX 256
#define TEMPLATE_ARGUMENTS_MAX 32
#define TEMPLATE_OVERHEAD 64

struct template
{
    const struct template *before; /* next one visible, or NULL */
    const struct template *seen;   /* what its text may name */
    struct str name;
    const struct str *parameters;
    size_t parameter_count;
    bool called; /* has a list of parameters, an empty one perhaps */
    uint32_t start, end;
};

/* ---- Definitions ---- */

/* Steps over the text up to a comma or parenthesis that ends it. */
static bool skip_text(struct parser *p, uint32_t *start_out, uint32_t *end_out)
{
    *start_out = p->token.position;
    for (int depth = 0; p->code == 0; parser_advance(p)) {
        enum token_kind kind = p->token.kind;
        bool closes =
            kind == TOKEN_RIGHT_PAREN || kind == TOKEN_RIGHT_BRACE || kind == TOKEN_RIGHT_BRACKET;
        bool ends = depth == 0 && (kind == TOKEN_COMMA || closes);
        if (kind == TOKEN_EOF || (ends && p->token.position == *start_out)) {
            (void)parser_unexpected_in(p, "template", "expression");
        } else if (ends) {
            *end_out = p->last_end;
            return true;
        }
        depth += kind == TOKEN_LEFT_PAREN || kind == TOKEN_LEFT_BRACE || kind == TOKEN_LEFT_BRACKET;
        depth -= closes;
    }
    return false;
}

static bool read_name(struct parser *p, struct str *name_out)
{
    if (!parser_at(p, TOKEN_IDENTIFIER)) {
        (void)parser_unexpected_in(p, "template", "name");
        return false;
    }
    *name_out = p->token.text; // of the query, which outlives the parser
    parser_advance(p);
    return p->code == 0;
}

/* A comma, or the closing parenthesis that comes next. */
static bool end_item(struct parser *p)
{
    if (parser_at(p, TOKEN_COMMA)) {
        parser_advance(p);
        return p->code == 0;
    }
    if (!parser_at(p, TOKEN_RIGHT_PAREN)) {
        (void)parser_unexpected_in(p, "template", "\",\" or \")\"");
    }
    return p->code == 0;
}

/* ( name, … ) */
static bool read_parameters(struct parser *p, struct template *t)
{
    struct str names[TEMPLATE_ARGUMENTS_MAX];
    uint32_t position = p->token.position;
    parser_advance(p);
    while (p->code == 0 && !parser_at(p, TOKEN_RIGHT_PAREN)) {
        if (t->parameter_count == TEMPLATE_ARGUMENTS_MAX) {
            (void)parser_fail(
                p, position, "a template has %d parameters at most", TEMPLATE_ARGUMENTS_MAX);
        } else if (read_name(p, &names[t->parameter_count])) {
            t->parameter_count++;
            (void)end_item(p);
        }
    }
    parser_advance(p);
    t->called = true;
    t->parameters = arena_dup(p->arena, names, t->parameter_count * sizeof(names[0]));
    if (p->code == 0 && t->parameter_count > 0 && t->parameters == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
    }
    return p->code == 0;
}

/* name [( name, … )] = text */
static bool read_definition(struct parser *p, const struct template *outer)
{
    struct template *t = arena_calloc(p->arena, 1, sizeof(*t));
    uint32_t position = p->token.position;
    if (t == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
        return false;
    }
    t->before = t->seen = p->templates;
    if (!read_name(p, &t->name) || (parser_at(p, TOKEN_LEFT_PAREN) && !read_parameters(p, t))) {
        return false;
    }
    for (const struct template *other = p->templates; other != outer; other = other->before) {
        if (str_eq(other->name, t->name)) {
            (void)parser_fail_quoted(p, position, "template ", t->name, " is defined twice");
            return false;
        }
    }
    p->lexer.words_in_brackets = true; // there is a name that may stand for a duration now
    if (++p->template_count > TEMPLATES_MAX) {
        p->code =
            err_set(p->e, ERR_LIMIT, position, "a query has %d templates at most", TEMPLATES_MAX);
        return false;
    }
    if (!parser_at(p, TOKEN_EQL)) {
        (void)parser_unexpected_in(p, "template", "\"=\"");
        return false;
    }
    parser_advance(p);
    if (p->code != 0 || !skip_text(p, &t->start, &t->end) || !end_item(p)) {
        return false;
    }
    p->templates = t;
    return true;
}

bool template_at_with(const struct parser *p, const struct token *after)
{
    const struct str word = p->token.text;
    return parser_at(p, TOKEN_IDENTIFIER) && word.len == 4 &&
           strncasecmp(word.ptr, "with", 4) == 0 && after->kind == TOKEN_LEFT_PAREN;
}

struct expr *template_read_with(struct parser *p)
{
    const struct template *outer = p->templates;
    parser_advance(p);
    parser_advance(p); // the parenthesis
    while (p->code == 0 && !parser_at(p, TOKEN_RIGHT_PAREN)) {
        (void)read_definition(p, outer);
    }
    parser_advance(p);
    struct expr *expr = p->code == 0 ? parse_expression(p, 1) : NULL;
    p->templates = outer;
    return expr;
}

/* ---- Expansion ---- */

const struct template *template_at(const struct parser *p, bool called)
{
    if (!parser_at(p, TOKEN_IDENTIFIER)) {
        return NULL;
    }
    const struct template *t = p->templates;
    while (t != NULL && !str_eq(t->name, p->token.text)) {
        t = t->before;
    }
    return t != NULL && t->called == called ? t : NULL;
}

/* What the parser was at when it went to read a template. */
struct place {
    struct lexer lexer;
    struct token token;
    uint32_t last_end;
    const struct template *templates;
    const char *context, *expected;
};

/* Goes to the text of a template, with the token at hand kept in *place. */
static bool enter(
    struct parser *p, const struct template *t, const struct template *seen, struct place *place)
{
    if (p->code != 0 || !parser_enter(p)) {
        return false;
    }
    *place = (struct place){p->lexer, p->token, p->last_end, p->templates, p->context, p->expected};
    p->expanded += (size_t)(t->end - t->start) + TEMPLATE_OVERHEAD;
    if (p->expanded > PROMQL_BYTES_MAX) {
        p->code = err_set(
            p->e, ERR_LIMIT, t->start, "templates expand to more than %zu bytes", PROMQL_BYTES_MAX);
    }
    p->templates = seen;
    p->context = p->expected = NULL;
    lexer_init(&p->lexer, str_make(p->query.ptr, t->end));
    p->lexer.position = t->start;
    p->lexer.words_in_brackets = place->lexer.words_in_brackets;
    if (p->code == 0) {
        parser_advance(p);
    }
    return true;
}

/* Back; the whole text must have been read. */
static bool leave(struct parser *p, const struct place *place)
{
    if (p->code == 0 && !parser_at(p, TOKEN_EOF)) {
        (void)parser_unexpected(p);
    }
    p->lexer = place->lexer;
    p->token = place->token;
    p->last_end = place->last_end;
    p->templates = place->templates;
    p->context = place->context;
    p->expected = place->expected;
    parser_leave(p);
    return p->code == 0;
}

/* ( text, … ): the arguments become templates that see what is seen here, before those `t` sees. */
static bool read_arguments(
    struct parser *p, const struct template *t, const struct template **seen_out)
{
    const struct template *seen = t->seen;
    uint32_t position = p->token.position;
    size_t count = 0;
    if (!parser_expect(p, TOKEN_LEFT_PAREN)) {
        return false;
    }
    struct template *arguments = arena_calloc(p->arena, t->parameter_count + 1, sizeof(*arguments));
    if (arguments == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
        return false;
    }
    while (p->code == 0 && !parser_at(p, TOKEN_RIGHT_PAREN)) {
        // The one past the last takes what is too much.
        struct template *a = &arguments[count < t->parameter_count ? count : t->parameter_count];
        if (!skip_text(p, &a->start, &a->end) || !end_item(p)) {
            return false;
        }
        if (count < t->parameter_count) {
            a->name = t->parameters[count];
            a->seen = p->templates;
            a->before = seen;
            seen = a;
        }
        count++;
    }
    if (count != t->parameter_count) {
        (void)parser_fail(p, position, "template \"%.*s\" wants %zu argument(s), got %zu",
            STR_ARG(t->name), t->parameter_count, count);
        return false;
    }
    parser_advance(p);
    *seen_out = seen;
    return p->code == 0;
}

struct expr *template_expand(struct parser *p, const struct template *t)
{
    uint32_t start = p->token.position;
    const struct template *seen = t->seen;
    struct place place;
    parser_advance(p);
    if (t->called && !read_arguments(p, t, &seen)) {
        return NULL;
    }
    if (!enter(p, t, seen, &place)) {
        return NULL;
    }
    struct expr *expr = p->code == 0 ? parse_expression(p, 1) : NULL;
    if (!leave(p, &place) || expr == NULL) {
        return NULL;
    }
    // It is one operand of what stands around it, and stands where its name does.
    if (expr->kind == EXPR_BINARY || expr->kind == EXPR_UNARY) {
        struct expr *paren = parser_node(p, EXPR_PAREN, expr->type, start, p->last_end);
        if (paren == NULL) {
            return NULL;
        }
        paren->paren = expr;
        return parser_set_depth(p, paren, expr, NULL) ? paren : NULL;
    }
    expr->position = (struct expr_position){start, p->last_end};
    bool more = expr->kind == EXPR_SELECTOR && parser_at(p, TOKEN_LEFT_BRACE);
    return more ? parse_more_matchers(p, expr) : expr;
}

struct expr *template_expand_duration(struct parser *p, const struct template *t)
{
    struct place place;
    parser_advance(p);
    if (!enter(p, t, t->seen, &place)) {
        return NULL;
    }
    struct expr *expr = p->code == 0 ? parse_duration(p) : NULL;
    return leave(p, &place) ? expr : NULL;
}

bool template_expand_grouping(
    struct parser *p, const struct template *t, struct parser_list *labels)
{
    struct place place;
    parser_advance(p);
    if (!enter(p, t, t->seen, &place)) {
        return false;
    }
    bool wrapped = parser_at(p, TOKEN_LEFT_PAREN);
    if (wrapped) {
        parser_advance(p);
    }
    bool ok = p->code == 0 &&
              (wrapped ? parse_grouping_labels(p, labels) : parse_grouping_item(p, labels));
    return leave(p, &place) && ok;
}
