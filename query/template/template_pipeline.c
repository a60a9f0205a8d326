/* Pipelines: commands with `|` between, operands with fields, and declarations of variables in front. */
#include "template_parse.h"

#include "template_literal.h"
#include "template_run.h"

#define OPERANDS_MAX 4096

struct node *template_parse_string(struct parser *p, const struct token *token)
{
    struct node *n = template_parse_node(p, NODE_STRING, token);
    if (p->error == 0) {
        int status = template_unquote(&p->t->arena, token->text, &n->text);
        if (status == ERR_INVALID) {
            template_parse_fail(p, "invalid syntax");
        } else if (status != 0) {
            template_parse_fail_memory(p, status);
        }
    }
    return n;
}

static struct node *parse_number(struct parser *p, const struct token *token)
{
    struct node *n = template_parse_node(p, NODE_NUMBER, token);
    bool character = token->kind == TOKEN_CHARACTER_CONSTANT;
    if (p->error == 0 && template_number(token->text, character, n) != 0) {
        if (character) {
            template_parse_fail(p, "malformed character constant: %.*s", STR_ARG(token->text));
        } else {
            template_parse_fail(p, "illegal number syntax: \"%.*s\"", STR_ARG(token->text));
        }
    }
    return n;
}

static struct node *parse_function(struct parser *p, const struct token *token)
{
    struct node *n = template_parse_node(p, NODE_FUNCTION, token);
    n->text = token->text;
    n->function = template_function_find(p->t->functions, token->text);
    if (n->function == NULL) {
        template_parse_fail(p, "function \"%.*s\" not defined", STR_ARG(token->text));
    }
    return n;
}

/* One operand without the fields behind it; NULL when something else comes. */
static struct node *parse_term(struct parser *p)
{
    struct node *n;
    template_parse_skip_space(p);
    size_t before = p->next;
    struct token *token = template_parse_take(p);
    switch (token->kind) {
    case TOKEN_IDENTIFIER:
        return parse_function(p, token);
    case TOKEN_DOT:
        return template_parse_node(p, NODE_DOT, token);
    case TOKEN_NIL:
        return template_parse_node(p, NODE_NIL, token);
    case TOKEN_BOOL:
        n = template_parse_node(p, NODE_BOOL, token);
        n->truth = token->text.ptr[0] == 't';
        return n;
    case TOKEN_VARIABLE:
        n = template_parse_node(p, NODE_VARIABLE, token);
        n->text = token->text;
        if (!template_parse_is_declared(p, token->text)) {
            template_parse_fail(p, "undefined variable \"%.*s\"", STR_ARG(token->text));
        }
        return n;
    case TOKEN_FIELD:
        n = template_parse_node(p, NODE_FIELD, token);
        template_parse_add_name(p, n, str_skip(token->text, 1));
        return n;
    case TOKEN_NUMBER:
    case TOKEN_CHARACTER_CONSTANT:
        return parse_number(p, token);
    case TOKEN_STRING:
    case TOKEN_RAW_STRING:
        return template_parse_string(p, token);
    case TOKEN_LEFT_PARENTHESIS:
        return template_parse_pipeline(p, "parenthesized pipeline", TOKEN_RIGHT_PARENTHESIS);
    default:
        p->next = p->error == 0 ? before : p->next;
        return NULL;
    }
}

static void fail_term(struct parser *p, struct str source)
{
    struct strbuf quoted = STRBUF_INIT;
    template_write_quoted(source, &quoted);
    template_parse_fail(p, "unexpected . after term %s", quoted.data != NULL ? quoted.data : "");
    strbuf_release(&quoted);
}

static struct node *parse_operand(struct parser *p)
{
    template_parse_skip_space(p);
    const char *begin = p->tokens[p->next].text.ptr;
    struct node *n = parse_term(p);
    if (n == NULL || template_parse_peek(p) != TOKEN_FIELD) {
        return n;
    }
    switch (n->kind) {
    case NODE_BOOL:
    case NODE_STRING:
    case NODE_NUMBER:
    case NODE_NIL:
    case NODE_DOT:
        (void)template_parse_take(p);
        fail_term(p, n->source);
        return n;
    case NODE_FIELD:
    case NODE_VARIABLE:
        n->position = p->tokens[p->next].position;
        break;
    default: {
        struct node *chain = template_parse_node(p, NODE_CHAIN, &p->tokens[p->next]);
        chain->operand = n;
        n = chain;
    }
    }
    while (template_parse_peek(p) == TOKEN_FIELD) {
        template_parse_add_name(p, n, str_skip(template_parse_take(p)->text, 1));
    }
    template_parse_end_source(p, n, begin);
    return n;
}

/* Operands up to a pipe, a parenthesis or the end. */
static struct node *parse_command(struct parser *p)
{
    template_parse_skip_space(p);
    const struct token *first = &p->tokens[p->next];
    struct node *command = template_parse_node(p, NODE_COMMAND, first);
    for (;;) {
        struct node *operand = parse_operand(p);
        if (operand != NULL) {
            if (command->count == OPERANDS_MAX) {
                template_parse_fail(p, "more than %d operands", OPERANDS_MAX);
            }
            template_parse_add_item(p, command, operand);
            template_parse_end_source(p, command, first->text.ptr);
        }
        struct token *token = template_parse_take(p);
        if (token->kind == TOKEN_SPACE && p->error == 0) {
            continue;
        }
        if (token->kind == TOKEN_RIGHT_DELIMITER || token->kind == TOKEN_RIGHT_PARENTHESIS) {
            p->next--;
        } else if (token->kind != TOKEN_PIPE) {
            template_parse_fail_unexpected(p, token, "operand");
        }
        break;
    }
    if (command->count == 0) {
        template_parse_fail(p, "empty command");
    }
    return command;
}

/* `$x :=`, `$i, $x :=` in front of a pipeline, or nothing. */
static void parse_declarations(struct parser *p, struct node *pipe, const char *context)
{
    bool range = strcmp(context, "range") == 0;
    while (template_parse_peek_word(p) == TOKEN_VARIABLE) {
        size_t before = p->next;
        struct token *variable = template_parse_take(p);
        enum token_kind kind = template_parse_peek_word(p);
        if (kind == TOKEN_ASSIGN || kind == TOKEN_DECLARE) {
            (void)template_parse_take(p);
            pipe->assigns = kind == TOKEN_ASSIGN;
            template_parse_add_name(p, pipe, variable->text);
            template_parse_declare(p, variable->text);
            return;
        }
        if (kind != TOKEN_COMMA) {
            p->next = before;
            return;
        }
        (void)template_parse_take(p);
        template_parse_add_name(p, pipe, variable->text);
        template_parse_declare(p, variable->text);
        if (!range || pipe->name_count >= 2) {
            template_parse_fail(p, "too many declarations in %s", context);
            return;
        }
        enum token_kind second = template_parse_peek_word(p);
        if (second != TOKEN_VARIABLE && second != TOKEN_RIGHT_DELIMITER &&
            second != TOKEN_RIGHT_PARENTHESIS) {
            template_parse_fail(p, "range can only initialize variables");
            return;
        }
    }
}

static void check_pipeline(struct parser *p, const struct node *pipe, const char *context)
{
    if (pipe->count == 0) {
        template_parse_fail(p, "missing value for %s", context);
    }
    for (size_t i = 1; i < pipe->count && p->error == 0; i++) {
        enum node_kind kind = pipe->items[i]->items[0]->kind;
        if (kind == NODE_BOOL || kind == NODE_DOT || kind == NODE_NIL || kind == NODE_NUMBER ||
            kind == NODE_STRING) {
            template_parse_fail(p, "non executable command in pipeline stage %zu", i + 1);
        }
    }
}

struct node *template_parse_pipeline(struct parser *p, const char *context, enum token_kind end)
{
    template_parse_skip_space(p);
    const struct token *first = &p->tokens[p->next];
    struct node *pipe = template_parse_node(p, NODE_PIPE, first);
    if (!template_parse_enter(p)) {
        return pipe;
    }
    parse_declarations(p, pipe, context);
    while (p->error == 0) {
        struct token *token = template_parse_take_word(p);
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
            template_parse_add_item(p, pipe, parse_command(p));
            template_parse_end_source(p, pipe, first->text.ptr);
            break;
        default:
            template_parse_fail_unexpected(p, token, context);
        }
    }
    p->depth--;
    return pipe;
}
