/* What the files of the parser share: its state, errors, tokens, nodes and variables.
 *
 * The first error sticks: whoever takes a token after it gets TOKEN_EOF for ever, whoever makes a node gets one
 * that is thrown away. So nobody has to ask after each step.
 */
#ifndef SONDE_QUERY_TEMPLATE_PARSE_H
#define SONDE_QUERY_TEMPLATE_PARSE_H

#include "query/template.h"
#include "template_lexer.h"
#include "template_node.h"

#define PARSER_VARIABLES_MAX 1024

struct parser {
    struct template *t;
    struct token *tokens;
    size_t count, next;
    uint32_t line;        /* of the last token looked at */
    uint32_t action_line; /* where the action began, 0 outside */
    size_t depth, ranges;
    struct str variables[PARSER_VARIABLES_MAX]; /* the first is $, which is seen everywhere */
    size_t variable_count, scope;               /* of a definition: the first of its own */
    struct node none;                           /* what is handed out after an error */
    struct err *e;
    int error;
};

/* ---- Errors: the first is told, with the template's name and the line ---- */

void template_parse_fail(struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void template_parse_fail_memory(struct parser *p, int error);
/* "unexpected X in CONTEXT". */
void template_parse_fail_unexpected(
    struct parser *p, const struct token *token, const char *context);

/* ---- Tokens ---- */

struct token *template_parse_take(struct parser *p);
enum token_kind template_parse_peek(struct parser *p);
void template_parse_skip_space(struct parser *p);
/* The next one that is not space. */
struct token *template_parse_take_word(struct parser *p);
enum token_kind template_parse_peek_word(struct parser *p);
struct token *template_parse_expect(struct parser *p, enum token_kind kind, const char *context);

/* ---- Nodes, in the template's arena ---- */

struct node *template_parse_node(struct parser *p, enum node_kind kind, const struct token *token);
void template_parse_add_item(struct parser *p, struct node *to, struct node *item);
void template_parse_add_name(struct parser *p, struct node *to, struct str name);
/* The words of `n`: from its first token to the last one taken, without the space at its end. */
void template_parse_end_source(struct parser *p, struct node *n, const char *begin);
/* One level deeper; false, and told, when that is too deep. Who enters takes one off `depth` again. */
bool template_parse_enter(struct parser *p);

/* ---- Variables ---- */

void template_parse_declare(struct parser *p, struct str name);
bool template_parse_is_declared(const struct parser *p, struct str name);

/* ---- Pipelines (template_pipeline.c) ---- */

/* A string in Go's notation. */
struct node *template_parse_string(struct parser *p, const struct token *token);
/* Up to a token of kind `end`, which is taken. */
struct node *template_parse_pipeline(struct parser *p, const char *context, enum token_kind end);

#endif
