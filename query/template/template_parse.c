/* The ground the parser stands on. */
#include "template_parse.h"

#include <stdio.h>

#include "template_literal.h"
#include "template_run.h"

/* ---- Errors ---- */

void template_parse_fail(struct parser *p, const char *format, ...)
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

void template_parse_fail_memory(struct parser *p, int error)
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

void template_parse_fail_unexpected(
    struct parser *p, const struct token *token, const char *context)
{
    char buffer[96], where[ERR_MESSAGE_MAX] = "";
    if (token->kind != TOKEN_ERROR) {
        template_parse_fail(
            p, "unexpected %s in %s", shown(token, buffer, sizeof(buffer)), context);
        return;
    }
    if (p->action_line != 0 && p->action_line != token->line) {
        bool twice = str_ends_with(token->text, STR(" action"));
        (void)snprintf(where, sizeof(where), "%s started at %.*s:%u", twice ? "" : " in action",
            (int)(p->t->name.len < 200 ? p->t->name.len : 200), p->t->name.ptr, p->action_line);
    }
    template_parse_fail(p, "%.*s%s", STR_ARG(token->text), where);
}

/* ---- Tokens ---- */

struct token *template_parse_take(struct parser *p)
{
    struct token *token = &p->tokens[p->error != 0 ? p->count - 1 : p->next];
    p->next += p->next + 1 < p->count;
    p->line = token->line;
    return token;
}

enum token_kind template_parse_peek(struct parser *p)
{
    return p->error != 0 ? TOKEN_EOF : p->tokens[p->next].kind;
}

void template_parse_skip_space(struct parser *p)
{
    while (template_parse_peek(p) == TOKEN_SPACE) {
        (void)template_parse_take(p);
    }
}

struct token *template_parse_take_word(struct parser *p)
{
    template_parse_skip_space(p);
    return template_parse_take(p);
}

enum token_kind template_parse_peek_word(struct parser *p)
{
    template_parse_skip_space(p);
    return template_parse_peek(p);
}

struct token *template_parse_expect(struct parser *p, enum token_kind kind, const char *context)
{
    struct token *token = template_parse_take_word(p);
    if (token->kind != kind) {
        template_parse_fail_unexpected(p, token, context);
    }
    return token;
}

/* ---- Nodes ---- */

struct node *template_parse_node(struct parser *p, enum node_kind kind, const struct token *token)
{
    struct node *n = p->error == 0 ? arena_calloc(&p->t->arena, 1, sizeof(*n)) : NULL;
    if (n == NULL) {
        if (p->error == 0) {
            template_parse_fail_memory(p, arena_error(&p->t->arena));
        }
        return &p->none;
    }
    n->kind = kind;
    n->position = token->position;
    n->source = token->text;
    return n;
}

/* Grows an array in the arena by doubling; capacities are the powers of two. */
static void *template_parse_grow(struct parser *p, void *array, size_t count, size_t size)
{
    if (p->error != 0 || (count != 0 && (count & (count - 1)) != 0)) {
        return array;
    }
    void *grown = arena_alloc(&p->t->arena, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) {
        template_parse_fail_memory(p, arena_error(&p->t->arena));
        return array;
    }
    if (count > 0) {
        memcpy(grown, array, count * size);
    }
    return grown;
}

void template_parse_add_item(struct parser *p, struct node *to, struct node *item)
{
    to->items = template_parse_grow(p, to->items, to->count, sizeof(*to->items));
    if (p->error == 0) {
        to->items[to->count++] = item;
    }
}

void template_parse_add_name(struct parser *p, struct node *to, struct str name)
{
    to->names = template_parse_grow(p, to->names, to->name_count, sizeof(*to->names));
    if (p->error == 0) {
        to->names[to->name_count++] = name;
    }
}

void template_parse_end_source(struct parser *p, struct node *n, const char *begin)
{
    if (p->error == 0 && p->next > 0) {
        struct str last = p->tokens[p->next - 1].text;
        n->source = str_trim(str_make(begin, (size_t)(last.ptr + last.len - begin)));
    }
}

bool template_parse_enter(struct parser *p)
{
    if (p->depth == TEMPLATE_NESTING_MAX) {
        template_parse_fail(p, "nested more than %d deep", TEMPLATE_NESTING_MAX);
    }
    p->depth++;
    return p->error == 0;
}

/* ---- Variables ---- */

void template_parse_declare(struct parser *p, struct str name)
{
    if (p->variable_count == PARSER_VARIABLES_MAX) {
        template_parse_fail(p, "more than %d variables", PARSER_VARIABLES_MAX);
        return;
    }
    p->variables[p->variable_count++] = name;
}

bool template_parse_is_declared(const struct parser *p, struct str name)
{
    for (size_t i = p->scope; i < p->variable_count; i++) {
        if (str_eq(p->variables[i], name)) {
            return true;
        }
    }
    return str_eq(p->variables[0], name);
}
