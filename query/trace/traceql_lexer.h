/* Text of a query -> tokens, one a call.
 *
 *   word        letters, digits and _ ; with a colon behind a scope: "event:name"
 *   attribute   .key, span.key, resource.key, parent.key, parent.span.key …; a key ends at a space or one of {}()=~!<>&|^, and its parts may
 *               be quoted: span."a key" — so that arithmetic wants spaces: .a + .b
 *   number      12, 1.5, 1e3
 *   duration    100ms, 1h30m, 1.5s, 2d: units of Prometheus and of Go
 *   string      "…" with Go's escapes, or `…`
 */
#ifndef SONDE_QUERY_TRACEQL_LEXER_H
#define SONDE_QUERY_TRACEQL_LEXER_H

#include "trace/traceql.h"

enum traceql_token_kind {
    TRACEQL_TOKEN_END,
    TRACEQL_TOKEN_WORD,      /* `text` */
    TRACEQL_TOKEN_ATTRIBUTE, /* `scope` and `text`, its key */
    TRACEQL_TOKEN_VALUE,     /* `value`: number, duration or string */
    TRACEQL_TOKEN_OPERATOR,  /* `op` */
    TRACEQL_TOKEN_NOT,       /* ! */
    TRACEQL_TOKEN_PIPE,
    TRACEQL_TOKEN_COMMA,
    TRACEQL_TOKEN_LEFT_PAREN,
    TRACEQL_TOKEN_RIGHT_PAREN,
    TRACEQL_TOKEN_LEFT_BRACE,
    TRACEQL_TOKEN_RIGHT_BRACE,
};

struct traceql_token {
    enum traceql_token_kind kind;
    size_t position, end; /* bytes of the text */
    struct str text;
    enum traceql_scope scope, of; /* as of a field */
    enum traceql_operator op;
    struct traceql_value value;
};

struct traceql_lexer {
    struct str text;
    size_t at;
    struct arena *arena; /* of what had to be written anew: keys and strings with escapes */
};

/* ERR_INVALID with a sentence and position; the arena's error. At the end: TRACEQL_TOKEN_END, again and again. */
int traceql_lexer_next(struct traceql_lexer *lexer, struct traceql_token *token_out, struct err *e);

#endif
