/* What lexer.c reads with: runes, what is said of them, and the tokens that are the same everywhere: numbers,
 * durations, strings. Private to it and lexer_scan.c.
 */
#ifndef SONDE_QUERY_PROMQL_LEXER_SCAN_H
#define SONDE_QUERY_PROMQL_LEXER_SCAN_H

#include <string.h>

#include "lexer.h"

#define RUNE_EOF (-1)

static inline bool lexer_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline bool lexer_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static inline bool lexer_is_letter(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool lexer_is_word(int c)
{
    return lexer_is_letter(c) || lexer_is_digit(c);
}

static inline int lexer_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static inline bool lexer_is_in(int c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, c) != NULL;
}

/* The rune at the cursor, without moving. */
int lexer_peek(const struct lexer *l);
/* The rune at the cursor, which moves past it. */
int lexer_read(struct lexer *l);
bool lexer_accept(struct lexer *l, const char *set);
void lexer_emit(struct lexer *l, struct token *t, enum token_kind kind);
/* A failed lexer repeats its error, with what stands in `message`. */
void lexer_emit_error(struct lexer *l, struct token *t);
void lexer_fail(struct lexer *l, struct token *t, const char *sentence);
/* "sentence: 'c'", and the rune where a message shows it as U+0063 'c'. */
void lexer_fail_rune(
    struct lexer *l, struct token *t, const char *before, int rune, const char *after);
void lexer_number_or_duration(struct lexer *l, struct token *t);
void lexer_string(struct lexer *l, struct token *t, int quote);

#endif
