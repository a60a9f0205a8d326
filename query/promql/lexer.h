/* Text of a query -> tokens, one a call.
 *
 * The lexer knows three places, because PromQL reads the same characters differently in each: plain
 * text, inside braces (no keywords), and inside brackets (durations, and a few keywords only).
 * It stops at the first error: a TOKEN_ERROR whose sentence is in the lexer's buffer.
 */
#ifndef SONDE_QUERY_PROMQL_LEXER_H
#define SONDE_QUERY_PROMQL_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "query/promql.h"

enum token_kind {
    TOKEN_EOF,
    TOKEN_ERROR,
    TOKEN_IDENTIFIER,        /* without a colon */
    TOKEN_METRIC_IDENTIFIER, /* with one */
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_STRING, /* quotes included */
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_EQL, /* = */
    TOKEN_EQL_REGEX,
    TOKEN_NEQ_REGEX,
    TOKEN_AT,
    TOKEN_BINARY, /* `op` says which; "!=" is BINARY_NEQ inside braces too */
    TOKEN_AGGREGATE,
    TOKEN_KEYWORD,
};

/* name, text; the order of the two groups matters to lexer.c: preprocessors are printed as text in
 * quotes in error sentences, keywords in angle brackets. */
#define KEYWORD_LIST(X)                                                                            \
    X(OFFSET, "offset")                                                                            \
    X(SMOOTHED, "smoothed")                                                                        \
    X(ANCHORED, "anchored")                                                                        \
    X(BY, "by")                                                                                    \
    X(WITHOUT, "without")                                                                          \
    X(ON, "on")                                                                                    \
    X(IGNORING, "ignoring")                                                                        \
    X(GROUP_LEFT, "group_left")                                                                    \
    X(GROUP_RIGHT, "group_right")                                                                  \
    X(FILL, "fill")                                                                                \
    X(FILL_LEFT, "fill_left")                                                                      \
    X(FILL_RIGHT, "fill_right")                                                                    \
    X(BOOL, "bool")                                                                                \
    X(START, "start")                                                                              \
    X(END, "end")                                                                                  \
    X(STEP, "step")                                                                                \
    X(RANGE, "range")                                                                              \
    X(MAX_OF, "max_of")                                                                            \
    X(MIN_OF, "min_of")

enum keyword {
#define X(name, text) KEYWORD_##name,
    KEYWORD_LIST(X)
#undef X
};

struct token {
    enum token_kind kind;
    union {
        enum binary_op binary;
        enum aggregate_op aggregate;
        enum keyword keyword;
    };
    uint32_t position; /* byte offset of its first character */
    struct str text;   /* a slice of the query; of the message for TOKEN_ERROR */
};

/* Longest sentence of a lexer error. */
#define LEXER_MESSAGE_MAX 256

struct lexer {
    struct str input;
    size_t position; /* next byte */
    size_t start;    /* first byte of the token being read */
    int paren_depth;
    bool brace_open;
    bool bracket_open;
    bool in_duration;       /* in a bracket, before the first number: the stricter rules */
    bool words_in_brackets; /* any: names of templates */
    bool got_colon;
    bool got_duration;
    bool failed;
    char message[LEXER_MESSAGE_MAX];
};

void lexer_init(struct lexer *l, struct str input);
/* Comments are skipped. After TOKEN_EOF or TOKEN_ERROR the same comes again. */
void lexer_next(struct lexer *l, struct token *token_out);

/* How an error sentence names a token: `identifier "foo"`, `<op:*>`, `end of input`. */
void token_describe(const struct token *t, struct strbuf *out);
static inline bool token_is_keyword(const struct token *t, enum keyword keyword)
{
    return t->kind == TOKEN_KEYWORD && t->keyword == keyword;
}

static inline bool token_is_binary(const struct token *t, enum binary_op op)
{
    return t->kind == TOKEN_BINARY && t->binary == op;
}

static inline uint32_t token_end(const struct token *t)
{
    return t->position + (uint32_t)t->text.len;
}

#endif
