/* Text of a template -> tokens. See template_lexer.c. */
#ifndef SONDE_QUERY_TEMPLATE_LEXER_H
#define SONDE_QUERY_TEMPLATE_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum token_kind {
    TOKEN_ERROR, /* `text` is the sentence */
    TOKEN_EOF,
    TOKEN_TEXT, /* outside of actions, trimmed as markers say */
    TOKEN_LEFT_DELIMITER,
    TOKEN_RIGHT_DELIMITER,
    TOKEN_SPACE,
    TOKEN_ASSIGN,  /* = */
    TOKEN_DECLARE, /* := */
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_CHARACTER, /* a printable character that means nothing here */
    TOKEN_LEFT_PARENTHESIS,
    TOKEN_RIGHT_PARENTHESIS,
    TOKEN_BOOL,
    TOKEN_CHARACTER_CONSTANT, /* 'a' */
    TOKEN_NUMBER,
    TOKEN_STRING,     /* with its quotes */
    TOKEN_RAW_STRING, /* with its backquotes */
    TOKEN_DOT,
    TOKEN_FIELD,    /* .Name */
    TOKEN_VARIABLE, /* $name */
    TOKEN_IDENTIFIER,
    /* Keywords; the order is that of keyword_names. */
    TOKEN_BLOCK,
    TOKEN_BREAK,
    TOKEN_CONTINUE,
    TOKEN_DEFINE,
    TOKEN_ELSE,
    TOKEN_END,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_RANGE,
    TOKEN_TEMPLATE,
    TOKEN_WITH,
};

struct token {
    enum token_kind kind;
    uint32_t position; /* byte offset */
    uint32_t line;     /* from 1 */
    struct str text;   /* of the source, or a sentence in the arena */
};

/* All tokens of `text`, the last one TOKEN_EOF or TOKEN_ERROR; in `arena`, slices of `text`. 0, or the
 * arena's error. */
int template_lex(
    struct arena *arena, struct str text, struct token **tokens_out, size_t *count_out);

#endif
