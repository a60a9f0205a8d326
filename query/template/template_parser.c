/* Tokens -> tree, by recursive descent as Go's text/template does it, with its sentences.
 *
 * What the tree cannot hold is refused here: functions nobody defined, variables out of their scope,
 * pipelines without commands. The first error sticks; every loop looks at it through its token, since a
 * failed parser answers TOKEN_EOF for ever.
 */
#include "base/mem.h"
#include "template_literal.h"
#include "template_parse.h"
#include "template_run.h"

/* ---- Actions ---- */

static struct node *parse_list(struct parser *p, struct node **end_out);
static struct node *parse_action(struct parser *p);

static const char *end_name(const struct node *n)
{
    return n->kind == NODE_END ? "{{end}}" : "{{else}}";
}

static struct node *parse_control(
    struct parser *p, enum node_kind kind, const char *context, const struct token *token)
{
    struct node *n = template_parse_node(p, kind, token), *end = NULL;
    size_t variables = p->variable_count;
    n->pipe = template_parse_pipeline(p, context, TOKEN_RIGHT_DELIMITER);
    p->ranges += kind == NODE_RANGE;
    n->list = parse_list(p, &end);
    p->ranges -= kind == NODE_RANGE;
    if (p->error == 0 && end->kind == NODE_ELSE) {
        enum token_kind next = template_parse_peek(p);
        bool chained =
            (kind == NODE_IF && next == TOKEN_IF) || (kind == NODE_WITH && next == TOKEN_WITH);
        if (chained && template_parse_enter(p)) {
            /* Read as {{else}}{{if …}}, with one {{end}} for both. */
            const struct token *inner = template_parse_take(p);
            n->else_list = template_parse_node(p, NODE_LIST, inner);
            template_parse_add_item(p, n->else_list, parse_control(p, kind, context, inner));
            p->depth--;
        } else {
            n->else_list = parse_list(p, &end);
            if (p->error == 0 && end->kind != NODE_END) {
                template_parse_fail(p, "expected end; found %s", end_name(end));
            }
        }
    }
    p->variable_count = variables;
    return n;
}

static struct node *parse_else(struct parser *p, const struct token *token)
{
    enum token_kind next = template_parse_peek_word(p);
    if (next != TOKEN_IF && next != TOKEN_WITH) {
        (void)template_parse_expect(p, TOKEN_RIGHT_DELIMITER, "else");
    }
    return template_parse_node(p, NODE_ELSE, token);
}

static struct node *parse_jump(
    struct parser *p, enum node_kind kind, const char *context, const struct token *token)
{
    (void)template_parse_expect(p, TOKEN_RIGHT_DELIMITER, context);
    if (p->ranges == 0) {
        template_parse_fail(p, "%s outside {{range}}", context);
    }
    return template_parse_node(p, kind, token);
}

static struct str parse_name(struct parser *p, const char *context)
{
    struct token *token = template_parse_take_word(p);
    if (token->kind != TOKEN_STRING && token->kind != TOKEN_RAW_STRING) {
        template_parse_fail_unexpected(p, token, context);
        return STR("");
    }
    struct node *n = template_parse_string(p, token);
    return p->error == 0 ? n->text : STR("");
}

/* What a sentence shows of a call of a template: `{{template "name" pipeline}}`. */
static void set_template_source(struct parser *p, struct node *n)
{
    struct strbuf source = STRBUF_INIT;
    strbuf_add_c(&source, "{{template ");
    template_write_quoted(n->text, &source);
    if (n->pipe != NULL) {
        strbuf_add_char(&source, ' ');
        strbuf_add_str(&source, n->pipe->source);
    }
    strbuf_add_c(&source, "}}");
    char *kept = arena_strndup(&p->t->arena, source.data, source.size);
    n->source = str_make(kept, source.size);
    if (kept == NULL) {
        template_parse_fail_memory(p, arena_error(&p->t->arena));
    }
    strbuf_release(&source);
}

/* {{template "name" pipeline}}, and {{block}}, which defines the template as well. */
static struct node *parse_template(struct parser *p, const char *context, bool is_block)
{
    template_parse_skip_space(p);
    struct node *n = template_parse_node(p, NODE_TEMPLATE, &p->tokens[p->next]);
    n->text = parse_name(p, context);
    if (!is_block && template_parse_peek_word(p) == TOKEN_RIGHT_DELIMITER) {
        (void)template_parse_take(p);
    } else {
        n->pipe = template_parse_pipeline(p, context, TOKEN_RIGHT_DELIMITER);
    }
    if (p->error == 0) {
        set_template_source(p, n);
    }
    return n;
}

static void define(struct parser *p, struct str name, struct node *list)
{
    struct template *t = p->t;
    for (size_t i = 0; i < t->definition_count && p->error == 0; i++) {
        struct definition *d = &t->definitions[i];
        if (!str_eq(d->name, name)) {
            continue;
        }
        if (d->list == NULL || template_list_is_empty(d->list)) {
            d->list = list;
        } else if (!template_list_is_empty(list)) {
            template_parse_fail(
                p, "template: multiple definition of template \"%.*s\"", STR_ARG(name));
        }
        return;
    }
    int status = mem_array_grow((void **)&t->definitions, &t->definition_cap,
        t->definition_count + 1, sizeof(*t->definitions), TEMPLATE_DEFINITIONS_MAX);
    if (p->error == 0 && status != 0) {
        template_parse_fail_memory(p, status);
    }
    if (p->error == 0) {
        t->definitions[t->definition_count++] = (struct definition){name, list};
    }
}

/* The list of a definition, which sees no variables but $. */
static void parse_definition_list(struct parser *p, struct str name, const char *context)
{
    size_t variables = p->variable_count, scope = p->scope, ranges = p->ranges;
    p->scope = variables;
    p->ranges = 0;
    struct node *end = NULL;
    struct node *list = parse_list(p, &end);
    if (p->error == 0 && end->kind != NODE_END) {
        template_parse_fail(p, "unexpected %s in %s", end_name(end), context);
    }
    define(p, name, list);
    p->variable_count = variables;
    p->scope = scope;
    p->ranges = ranges;
}

static struct node *parse_block(struct parser *p)
{
    struct node *n = parse_template(p, "block clause", true);
    parse_definition_list(p, n->text, "block clause");
    return n;
}

/* Behind a left delimiter. */
static struct node *parse_action(struct parser *p)
{
    template_parse_skip_space(p);
    size_t before = p->next;
    struct token *token = template_parse_take(p);
    struct node *n;
    switch (token->kind) {
    case TOKEN_BLOCK:
        return parse_block(p);
    case TOKEN_BREAK:
        return parse_jump(p, NODE_BREAK, "{{break}}", token);
    case TOKEN_CONTINUE:
        return parse_jump(p, NODE_CONTINUE, "{{continue}}", token);
    case TOKEN_ELSE:
        return parse_else(p, token);
    case TOKEN_END:
        (void)template_parse_expect(p, TOKEN_RIGHT_DELIMITER, "end");
        return template_parse_node(p, NODE_END, token);
    case TOKEN_IF:
        return parse_control(p, NODE_IF, "if", token);
    case TOKEN_WITH:
        return parse_control(p, NODE_WITH, "with", token);
    case TOKEN_RANGE:
        return parse_control(p, NODE_RANGE, "range", token);
    case TOKEN_TEMPLATE:
        return parse_template(p, "template clause", false);
    default:
        p->next = before;
        n = template_parse_node(p, NODE_ACTION, token);
        n->pipe = template_parse_pipeline(p, "command", TOKEN_RIGHT_DELIMITER);
        return n;
    }
}

static struct node *parse_text_or_action(struct parser *p)
{
    struct token *token = template_parse_take_word(p);
    struct node *n;
    switch (token->kind) {
    case TOKEN_TEXT:
        n = template_parse_node(p, NODE_TEXT, token);
        n->text = token->text;
        return n;
    case TOKEN_LEFT_DELIMITER:
        p->action_line = token->line;
        n = template_parse_enter(p) ? parse_action(p) : template_parse_node(p, NODE_ACTION, token);
        p->depth--;
        p->action_line = 0;
        return n;
    default:
        template_parse_fail_unexpected(p, token, "input");
        return template_parse_node(p, NODE_END, token);
    }
}

/* Up to {{end}} or {{else}}, which is handed out. */
static struct node *parse_list(struct parser *p, struct node **end_out)
{
    struct node *list = template_parse_node(p, NODE_LIST, &p->tokens[p->next]);
    while (template_parse_peek_word(p) != TOKEN_EOF) {
        struct node *n = parse_text_or_action(p);
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            *end_out = n;
            return list;
        }
        template_parse_add_item(p, list, n);
    }
    (void)template_parse_take(p);
    template_parse_fail(p, "unexpected EOF");
    return list;
}

/* {{define "name"}} at the top of a text. False when something else comes. */
static bool parse_define(struct parser *p)
{
    size_t before = p->next;
    if (template_parse_peek(p) != TOKEN_LEFT_DELIMITER) {
        return false;
    }
    (void)template_parse_take(p);
    if (template_parse_peek_word(p) != TOKEN_DEFINE) {
        p->next = before;
        return false;
    }
    (void)template_parse_take(p);
    struct str name = parse_name(p, "define clause");
    (void)template_parse_expect(p, TOKEN_RIGHT_DELIMITER, "define clause");
    parse_definition_list(p, name, "define clause");
    return true;
}

static void parse_all(struct parser *p)
{
    struct node *list = template_parse_node(p, NODE_LIST, &p->tokens[0]);
    p->variables[p->variable_count++] = STR("$");
    while (p->error == 0 && template_parse_peek(p) != TOKEN_EOF) {
        if (parse_define(p)) {
            continue;
        }
        struct node *n = parse_text_or_action(p);
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            template_parse_fail(p, "unexpected %s", end_name(n));
        }
        template_parse_add_item(p, list, n);
    }
    struct definition *main = p->t->definitions;
    if (p->error == 0 && (main->list == NULL || !template_list_is_empty(list))) {
        main->list = list;
    }
}

/* ---- Public ---- */

bool template_list_is_empty(const struct node *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->kind != NODE_TEXT || str_trim(list->items[i]->text).len > 0) {
            return false;
        }
    }
    return true;
}

static int parse(struct template *t, struct err *e)
{
    struct parser *p = mem_calloc(1, sizeof(*p));
    struct arena tokens;
    arena_init(&tokens, 0);
    if (p == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    *p = (struct parser){.t = t, .line = 1, .e = e};
    int status = template_lex(&tokens, t->text, &p->tokens, &p->count);
    if (status == 0) {
        define(p, t->name, NULL);
        parse_all(p);
        status = p->error;
    } else {
        (void)err_set(e, status, -1, "template: %.*s: %s", STR_ARG(t->name), err_text(status));
    }
    arena_release(&tokens);
    mem_free(p);
    return status;
}

int template_parse(struct str name, struct str text, const struct template_options *options,
    struct template **template_out, struct err *e)
{
    if (text.len > TEMPLATE_TEXT_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "template: %.*s: a text of %zu bytes is longer than %zu",
            STR_ARG(name), text.len, TEMPLATE_TEXT_BYTES_MAX);
    }
    struct template *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    arena_init(&t->arena, 0);
    t->functions = options->functions;
    t->html = options->html;
    t->base = options->base;
    char *kept_name = arena_strndup(&t->arena, name.len > 0 ? name.ptr : "", name.len);
    char *kept_text = arena_strndup(&t->arena, text.len > 0 ? text.ptr : "", text.len);
    int status = 0;
    if (kept_name == NULL || kept_text == NULL) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    } else {
        t->name = str_make(kept_name, name.len);
        t->text = str_make(kept_text, text.len);
        status = parse(t, e);
    }
    if (status != 0) {
        template_free(t);
        return status;
    }
    *template_out = t;
    return 0;
}

void template_free(struct template *t)
{
    if (t != NULL) {
        arena_release(&t->arena);
        mem_free(t->definitions);
        mem_free(t);
    }
}

const struct definition *template_definition(
    const struct template *t, struct str name, const struct template **owner_out)
{
    for (; t != NULL; t = t->base) {
        for (size_t i = 0; i < t->definition_count; i++) {
            const struct definition *d = &t->definitions[i];
            bool hidden = t->base != NULL && template_list_is_empty(d->list) &&
                          template_defines(t->base, name);
            if (str_eq(d->name, name) && !hidden) {
                *owner_out = t;
                return d;
            }
        }
    }
    return NULL;
}

bool template_defines(const struct template *t, struct str name)
{
    const struct template *owner;
    return template_definition(t, name, &owner) != NULL;
}
