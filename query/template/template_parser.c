/* Tokens -> tree, by recursive descent as Go's text/template does it, with its sentences.
 *
 * What the tree cannot hold is refused here: functions nobody defined, variables out of their scope,
 * pipelines without commands. The first error sticks; every loop looks at it through its token, since a
 * failed parser answers TOKEN_EOF for ever.
 */
#include <stdio.h>

#include "base/mem.h"
#include "query/template.h"
#include "template_lexer.h"
#include "template_literal.h"
#include "template_node.h"
#include "template_run.h"

#define VARIABLES_MAX 1024
#define OPERANDS_MAX 4096

struct parser {
    struct template *t;
    struct token *tokens;
    size_t count, next;
    uint32_t line;        /* of the last token looked at */
    uint32_t action_line; /* where the action began, 0 outside */
    size_t depth, ranges;
    struct str variables[VARIABLES_MAX]; /* the first is $, which is seen everywhere */
    size_t variable_count, scope;        /* of a definition: the first of its own */
    struct node none;                    /* what is handed out after an error */
    struct err *e;
    int error;
};

/* ---- Errors ---- */

static void fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct parser *p, const char *format, ...)
{
    if (p->error != 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    struct token token = p->tokens[p->next > 0 ? p->next - 1 : 0];
    p->error = err_vset(p->e, ERR_INVALID, token.position, format, arguments);
    va_end(arguments);
    if (p->e != NULL) {
        (void)err_prefix(p->e, "template: %.*s:%u", STR_ARG(p->t->name), p->line);
    }
}

static void fail_memory(struct parser *p, int error)
{
    if (p->error == 0) {
        p->error =
            err_set(p->e, error, -1, "template: %.*s: %s", STR_ARG(p->t->name), err_text(error));
    }
}

/* The token as sentences show it. */
static const char *shown(const struct token *token, char *buffer, size_t size)
{
    struct strbuf quoted;
    strbuf_init(&quoted, 128);
    bool cut = token->text.len > 10;
    if (token->kind == TOKEN_EOF) {
        (void)snprintf(buffer, size, "EOF");
    } else if (token->kind >= TOKEN_BLOCK) {
        (void)snprintf(buffer, size, "<%.*s>", STR_ARG(token->text));
    } else {
        template_write_quoted(cut ? str_make(token->text.ptr, 10) : token->text, &quoted);
        (void)snprintf(
            buffer, size, "%s%s", strbuf_error(&quoted) == 0 ? quoted.data : "", cut ? "..." : "");
    }
    strbuf_release(&quoted);
    return buffer;
}

static void fail_unexpected(struct parser *p, const struct token *token, const char *context)
{
    char buffer[96], where[ERR_MESSAGE_MAX] = "";
    if (token->kind != TOKEN_ERROR) {
        fail(p, "unexpected %s in %s", shown(token, buffer, sizeof(buffer)), context);
        return;
    }
    if (p->action_line != 0 && p->action_line != token->line) {
        bool twice = str_ends_with(token->text, STR(" action"));
        (void)snprintf(where, sizeof(where), "%s started at %.*s:%u", twice ? "" : " in action",
            (int)(p->t->name.len < 200 ? p->t->name.len : 200), p->t->name.ptr, p->action_line);
    }
    fail(p, "%.*s%s", STR_ARG(token->text), where);
}

/* ---- Tokens ---- */

static struct token *take(struct parser *p)
{
    struct token *token = &p->tokens[p->error != 0 ? p->count - 1 : p->next];
    p->next += p->next + 1 < p->count;
    p->line = token->line;
    return token;
}

static enum token_kind peek(struct parser *p)
{
    return p->error != 0 ? TOKEN_EOF : p->tokens[p->next].kind;
}

static void skip_space(struct parser *p)
{
    while (peek(p) == TOKEN_SPACE) {
        (void)take(p);
    }
}

static struct token *take_word(struct parser *p)
{
    skip_space(p);
    return take(p);
}

static enum token_kind peek_word(struct parser *p)
{
    skip_space(p);
    return peek(p);
}

static struct token *expect(struct parser *p, enum token_kind kind, const char *context)
{
    struct token *token = take_word(p);
    if (token->kind != kind) {
        fail_unexpected(p, token, context);
    }
    return token;
}

/* ---- Nodes ---- */

static struct node *node_new(struct parser *p, enum node_kind kind, const struct token *token)
{
    struct node *n = p->error == 0 ? arena_calloc(&p->t->arena, 1, sizeof(*n)) : NULL;
    if (n == NULL) {
        if (p->error == 0) {
            fail_memory(p, arena_error(&p->t->arena));
        }
        return &p->none;
    }
    n->kind = kind;
    n->position = token->position;
    n->source = token->text;
    return n;
}

/* Grows an array in the arena by doubling; capacities are the powers of two. */
static void *grow(struct parser *p, void *array, size_t count, size_t size)
{
    if (p->error != 0 || (count != 0 && (count & (count - 1)) != 0)) {
        return array;
    }
    void *grown = arena_alloc(&p->t->arena, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) {
        fail_memory(p, arena_error(&p->t->arena));
        return array;
    }
    if (count > 0) {
        memcpy(grown, array, count * size);
    }
    return grown;
}

static void add_item(struct parser *p, struct node *to, struct node *item)
{
    to->items = grow(p, to->items, to->count, sizeof(*to->items));
    if (p->error == 0) {
        to->items[to->count++] = item;
    }
}

static void add_name(struct parser *p, struct node *to, struct str name)
{
    to->names = grow(p, to->names, to->name_count, sizeof(*to->names));
    if (p->error == 0) {
        to->names[to->name_count++] = name;
    }
}

/* The words of `n`: from its first token to the last one taken, without the space at its end. */
static void end_source(struct parser *p, struct node *n, const char *begin)
{
    if (p->error == 0 && p->next > 0) {
        struct str last = p->tokens[p->next - 1].text;
        n->source = str_trim(str_make(begin, (size_t)(last.ptr + last.len - begin)));
    }
}

static bool enter(struct parser *p)
{
    if (p->depth == TEMPLATE_NESTING_MAX) {
        fail(p, "nested more than %d deep", TEMPLATE_NESTING_MAX);
    }
    p->depth++;
    return p->error == 0;
}

/* ---- Variables ---- */

static void declare(struct parser *p, struct str name)
{
    if (p->variable_count == VARIABLES_MAX) {
        fail(p, "more than %d variables", VARIABLES_MAX);
        return;
    }
    p->variables[p->variable_count++] = name;
}

static bool is_declared(const struct parser *p, struct str name)
{
    for (size_t i = p->scope; i < p->variable_count; i++) {
        if (str_eq(p->variables[i], name)) {
            return true;
        }
    }
    return str_eq(p->variables[0], name);
}

/* ---- Pipelines ---- */

static struct node *parse_pipeline(struct parser *p, const char *context, enum token_kind end);

static struct node *parse_string(struct parser *p, const struct token *token)
{
    struct node *n = node_new(p, NODE_STRING, token);
    if (p->error == 0) {
        int status = template_unquote(&p->t->arena, token->text, &n->text);
        if (status == ERR_INVALID) {
            fail(p, "invalid syntax");
        } else if (status != 0) {
            fail_memory(p, status);
        }
    }
    return n;
}

static struct node *parse_number(struct parser *p, const struct token *token)
{
    struct node *n = node_new(p, NODE_NUMBER, token);
    bool character = token->kind == TOKEN_CHARACTER_CONSTANT;
    if (p->error == 0 && template_number(token->text, character, n) != 0) {
        if (character) {
            fail(p, "malformed character constant: %.*s", STR_ARG(token->text));
        } else {
            fail(p, "illegal number syntax: \"%.*s\"", STR_ARG(token->text));
        }
    }
    return n;
}

static struct node *parse_function(struct parser *p, const struct token *token)
{
    struct node *n = node_new(p, NODE_FUNCTION, token);
    n->text = token->text;
    n->function = template_function_find(p->t->functions, token->text);
    if (n->function == NULL) {
        fail(p, "function \"%.*s\" not defined", STR_ARG(token->text));
    }
    return n;
}

/* One operand without the fields behind it; NULL when something else comes. */
static struct node *parse_term(struct parser *p)
{
    struct node *n;
    skip_space(p);
    size_t before = p->next;
    struct token *token = take(p);
    switch (token->kind) {
    case TOKEN_IDENTIFIER:
        return parse_function(p, token);
    case TOKEN_DOT:
        return node_new(p, NODE_DOT, token);
    case TOKEN_NIL:
        return node_new(p, NODE_NIL, token);
    case TOKEN_BOOL:
        n = node_new(p, NODE_BOOL, token);
        n->truth = token->text.ptr[0] == 't';
        return n;
    case TOKEN_VARIABLE:
        n = node_new(p, NODE_VARIABLE, token);
        n->text = token->text;
        if (!is_declared(p, token->text)) {
            fail(p, "undefined variable \"%.*s\"", STR_ARG(token->text));
        }
        return n;
    case TOKEN_FIELD:
        n = node_new(p, NODE_FIELD, token);
        add_name(p, n, str_skip(token->text, 1));
        return n;
    case TOKEN_NUMBER:
    case TOKEN_CHARACTER_CONSTANT:
        return parse_number(p, token);
    case TOKEN_STRING:
    case TOKEN_RAW_STRING:
        return parse_string(p, token);
    case TOKEN_LEFT_PARENTHESIS:
        return parse_pipeline(p, "parenthesized pipeline", TOKEN_RIGHT_PARENTHESIS);
    default:
        p->next = p->error == 0 ? before : p->next;
        return NULL;
    }
}

static void fail_term(struct parser *p, struct str source)
{
    struct strbuf quoted = STRBUF_INIT;
    template_write_quoted(source, &quoted);
    fail(p, "unexpected . after term %s", quoted.data != NULL ? quoted.data : "");
    strbuf_release(&quoted);
}

static struct node *parse_operand(struct parser *p)
{
    skip_space(p);
    const char *begin = p->tokens[p->next].text.ptr;
    struct node *n = parse_term(p);
    if (n == NULL || peek(p) != TOKEN_FIELD) {
        return n;
    }
    switch (n->kind) {
    case NODE_BOOL:
    case NODE_STRING:
    case NODE_NUMBER:
    case NODE_NIL:
    case NODE_DOT:
        (void)take(p);
        fail_term(p, n->source);
        return n;
    case NODE_FIELD:
    case NODE_VARIABLE:
        n->position = p->tokens[p->next].position;
        break;
    default: {
        struct node *chain = node_new(p, NODE_CHAIN, &p->tokens[p->next]);
        chain->operand = n;
        n = chain;
    }
    }
    while (peek(p) == TOKEN_FIELD) {
        add_name(p, n, str_skip(take(p)->text, 1));
    }
    end_source(p, n, begin);
    return n;
}

/* Operands up to a pipe, a parenthesis or the end. */
static struct node *parse_command(struct parser *p)
{
    skip_space(p);
    const struct token *first = &p->tokens[p->next];
    struct node *command = node_new(p, NODE_COMMAND, first);
    for (;;) {
        struct node *operand = parse_operand(p);
        if (operand != NULL) {
            if (command->count == OPERANDS_MAX) {
                fail(p, "more than %d operands", OPERANDS_MAX);
            }
            add_item(p, command, operand);
            end_source(p, command, first->text.ptr);
        }
        struct token *token = take(p);
        if (token->kind == TOKEN_SPACE && p->error == 0) {
            continue;
        }
        if (token->kind == TOKEN_RIGHT_DELIMITER || token->kind == TOKEN_RIGHT_PARENTHESIS) {
            p->next--;
        } else if (token->kind != TOKEN_PIPE) {
            fail_unexpected(p, token, "operand");
        }
        break;
    }
    if (command->count == 0) {
        fail(p, "empty command");
    }
    return command;
}

/* `$x :=`, `$i, $x :=` in front of a pipeline, or nothing. */
static void parse_declarations(struct parser *p, struct node *pipe, const char *context)
{
    bool range = strcmp(context, "range") == 0;
    while (peek_word(p) == TOKEN_VARIABLE) {
        size_t before = p->next;
        struct token *variable = take(p);
        enum token_kind kind = peek_word(p);
        if (kind == TOKEN_ASSIGN || kind == TOKEN_DECLARE) {
            (void)take(p);
            pipe->assigns = kind == TOKEN_ASSIGN;
            add_name(p, pipe, variable->text);
            declare(p, variable->text);
            return;
        }
        if (kind != TOKEN_COMMA) {
            p->next = before;
            return;
        }
        (void)take(p);
        add_name(p, pipe, variable->text);
        declare(p, variable->text);
        if (!range || pipe->name_count >= 2) {
            fail(p, "too many declarations in %s", context);
            return;
        }
        enum token_kind second = peek_word(p);
        if (second != TOKEN_VARIABLE && second != TOKEN_RIGHT_DELIMITER &&
            second != TOKEN_RIGHT_PARENTHESIS) {
            fail(p, "range can only initialize variables");
            return;
        }
    }
}

static void check_pipeline(struct parser *p, const struct node *pipe, const char *context)
{
    if (pipe->count == 0) {
        fail(p, "missing value for %s", context);
    }
    for (size_t i = 1; i < pipe->count && p->error == 0; i++) {
        enum node_kind kind = pipe->items[i]->items[0]->kind;
        if (kind == NODE_BOOL || kind == NODE_DOT || kind == NODE_NIL || kind == NODE_NUMBER ||
            kind == NODE_STRING) {
            fail(p, "non executable command in pipeline stage %zu", i + 1);
        }
    }
}

static struct node *parse_pipeline(struct parser *p, const char *context, enum token_kind end)
{
    skip_space(p);
    const struct token *first = &p->tokens[p->next];
    struct node *pipe = node_new(p, NODE_PIPE, first);
    if (!enter(p)) {
        return pipe;
    }
    parse_declarations(p, pipe, context);
    while (p->error == 0) {
        struct token *token = take_word(p);
        if (token->kind == end) {
            check_pipeline(p, pipe, context);
            break;
        }
        switch (token->kind) {
        case TOKEN_BOOL:
        case TOKEN_CHARACTER_CONSTANT:
        case TOKEN_DOT:
        case TOKEN_FIELD:
        case TOKEN_IDENTIFIER:
        case TOKEN_NUMBER:
        case TOKEN_NIL:
        case TOKEN_STRING:
        case TOKEN_RAW_STRING:
        case TOKEN_VARIABLE:
        case TOKEN_LEFT_PARENTHESIS:
            p->next--;
            add_item(p, pipe, parse_command(p));
            end_source(p, pipe, first->text.ptr);
            break;
        default:
            fail_unexpected(p, token, context);
        }
    }
    p->depth--;
    return pipe;
}

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
    struct node *n = node_new(p, kind, token), *end = NULL;
    size_t variables = p->variable_count;
    n->pipe = parse_pipeline(p, context, TOKEN_RIGHT_DELIMITER);
    p->ranges += kind == NODE_RANGE;
    n->list = parse_list(p, &end);
    p->ranges -= kind == NODE_RANGE;
    if (p->error == 0 && end->kind == NODE_ELSE) {
        enum token_kind next = peek(p);
        bool chained =
            (kind == NODE_IF && next == TOKEN_IF) || (kind == NODE_WITH && next == TOKEN_WITH);
        if (chained && enter(p)) {
            /* Read as {{else}}{{if …}}, with one {{end}} for both. */
            const struct token *inner = take(p);
            n->else_list = node_new(p, NODE_LIST, inner);
            add_item(p, n->else_list, parse_control(p, kind, context, inner));
            p->depth--;
        } else {
            n->else_list = parse_list(p, &end);
            if (p->error == 0 && end->kind != NODE_END) {
                fail(p, "expected end; found %s", end_name(end));
            }
        }
    }
    p->variable_count = variables;
    return n;
}

static struct node *parse_else(struct parser *p, const struct token *token)
{
    enum token_kind next = peek_word(p);
    if (next != TOKEN_IF && next != TOKEN_WITH) {
        (void)expect(p, TOKEN_RIGHT_DELIMITER, "else");
    }
    return node_new(p, NODE_ELSE, token);
}

static struct node *parse_jump(
    struct parser *p, enum node_kind kind, const char *context, const struct token *token)
{
    (void)expect(p, TOKEN_RIGHT_DELIMITER, context);
    if (p->ranges == 0) {
        fail(p, "%s outside {{range}}", context);
    }
    return node_new(p, kind, token);
}

static struct str parse_name(struct parser *p, const char *context)
{
    struct token *token = take_word(p);
    if (token->kind != TOKEN_STRING && token->kind != TOKEN_RAW_STRING) {
        fail_unexpected(p, token, context);
        return STR("");
    }
    struct node *n = parse_string(p, token);
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
        fail_memory(p, arena_error(&p->t->arena));
    }
    strbuf_release(&source);
}

/* {{template "name" pipeline}}, and {{block}}, which defines the template as well. */
static struct node *parse_template(struct parser *p, const char *context, bool is_block)
{
    skip_space(p);
    struct node *n = node_new(p, NODE_TEMPLATE, &p->tokens[p->next]);
    n->text = parse_name(p, context);
    if (!is_block && peek_word(p) == TOKEN_RIGHT_DELIMITER) {
        (void)take(p);
    } else {
        n->pipe = parse_pipeline(p, context, TOKEN_RIGHT_DELIMITER);
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
            fail(p, "template: multiple definition of template \"%.*s\"", STR_ARG(name));
        }
        return;
    }
    int status = mem_array_grow((void **)&t->definitions, &t->definition_cap,
        t->definition_count + 1, sizeof(*t->definitions), TEMPLATE_DEFINITIONS_MAX);
    if (p->error == 0 && status != 0) {
        fail_memory(p, status);
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
        fail(p, "unexpected %s in %s", end_name(end), context);
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
    skip_space(p);
    size_t before = p->next;
    struct token *token = take(p);
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
        (void)expect(p, TOKEN_RIGHT_DELIMITER, "end");
        return node_new(p, NODE_END, token);
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
        n = node_new(p, NODE_ACTION, token);
        n->pipe = parse_pipeline(p, "command", TOKEN_RIGHT_DELIMITER);
        return n;
    }
}

static struct node *parse_text_or_action(struct parser *p)
{
    struct token *token = take_word(p);
    struct node *n;
    switch (token->kind) {
    case TOKEN_TEXT:
        n = node_new(p, NODE_TEXT, token);
        n->text = token->text;
        return n;
    case TOKEN_LEFT_DELIMITER:
        p->action_line = token->line;
        n = enter(p) ? parse_action(p) : node_new(p, NODE_ACTION, token);
        p->depth--;
        p->action_line = 0;
        return n;
    default:
        fail_unexpected(p, token, "input");
        return node_new(p, NODE_END, token);
    }
}

/* Up to {{end}} or {{else}}, which is handed out. */
static struct node *parse_list(struct parser *p, struct node **end_out)
{
    struct node *list = node_new(p, NODE_LIST, &p->tokens[p->next]);
    while (peek_word(p) != TOKEN_EOF) {
        struct node *n = parse_text_or_action(p);
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            *end_out = n;
            return list;
        }
        add_item(p, list, n);
    }
    (void)take(p);
    fail(p, "unexpected EOF");
    return list;
}

/* {{define "name"}} at the top of a text. False when something else comes. */
static bool parse_define(struct parser *p)
{
    size_t before = p->next;
    if (peek(p) != TOKEN_LEFT_DELIMITER) {
        return false;
    }
    (void)take(p);
    if (peek_word(p) != TOKEN_DEFINE) {
        p->next = before;
        return false;
    }
    (void)take(p);
    struct str name = parse_name(p, "define clause");
    (void)expect(p, TOKEN_RIGHT_DELIMITER, "define clause");
    parse_definition_list(p, name, "define clause");
    return true;
}

static void parse_all(struct parser *p)
{
    struct node *list = node_new(p, NODE_LIST, &p->tokens[0]);
    p->variables[p->variable_count++] = STR("$");
    while (p->error == 0 && peek(p) != TOKEN_EOF) {
        if (parse_define(p)) {
            continue;
        }
        struct node *n = parse_text_or_action(p);
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            fail(p, "unexpected %s", end_name(n));
        }
        add_item(p, list, n);
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
