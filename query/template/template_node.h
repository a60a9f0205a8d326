/* The tree of a template, shared by parser and execution. Nodes are immutable and live in the template's
 * arena. */
#ifndef SONDE_QUERY_TEMPLATE_NODE_H
#define SONDE_QUERY_TEMPLATE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "query/template.h"

enum node_kind {
    NODE_LIST,
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_PIPE,
    NODE_COMMAND,
    /* Operands. */
    NODE_DOT,
    NODE_NIL,
    NODE_BOOL,
    NODE_NUMBER,
    NODE_STRING,
    NODE_FIELD,    /* .a.b: `names` */
    NODE_VARIABLE, /* $x.a: `text` is "$x", `names` the rest */
    NODE_FUNCTION,
    NODE_CHAIN, /* (pipe).a.b: `operand` and `names` */
    /* What ends a list; never in a tree. */
    NODE_ELSE,
    NODE_END,
};

struct function;

struct node {
    enum node_kind kind;
    uint32_t position; /* byte offset in the text, where sentences point */
    struct str source; /* the words of the text it was made from */
    union {
        struct str text; /* TEXT, STRING without quotes, TEMPLATE its name, VARIABLE, FUNCTION */
        bool truth;      /* BOOL */
        struct {
            bool is_integer, is_float; /* both for 1; 1.5 is no integer, 'a' and 0x1 are integers */
            bool ideal_float;          /* written with a point or an exponent */
            int64_t integer;
            double number;
        } number;
    };
    struct node **items; /* LIST, PIPE its commands, COMMAND its operands */
    size_t count;
    struct str *names; /* FIELD, VARIABLE, CHAIN; PIPE: the variables it sets */
    size_t name_count;
    bool assigns;                  /* PIPE: with = */
    struct node *pipe;             /* ACTION, IF, WITH, RANGE, TEMPLATE (or NULL) */
    struct node *list, *else_list; /* IF, WITH, RANGE */
    struct node *operand;          /* CHAIN */
    const struct function *function;
};

struct definition {
    struct str name;
    struct node *list;
};

struct template
{
    struct arena arena;
    struct str name, text;
    enum template_functions functions;
    bool html;
    const struct template *base;
    struct definition *definitions; /* the text itself is the first */
    size_t definition_count, definition_cap;
};

/* A definition as whoever executes `t` sees it, and the template it stands in; NULL: there is none. */
const struct definition *template_definition(
    const struct template *t, struct str name, const struct template **owner_out);
/* Nothing but white space: it does not replace a definition. */
bool template_list_is_empty(const struct node *list);

#endif
