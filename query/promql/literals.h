/* Literals of the language: runes, quoted strings, numbers. */
#ifndef SONDE_QUERY_PROMQL_LITERALS_H
#define SONDE_QUERY_PROMQL_LITERALS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "query/promql.h"

/* What stands for bytes that are not UTF-8; the replacement character itself counts as such. */
#define RUNE_INVALID 0xfffd
/* Longest rune_quote, terminating zero included. */
#define RUNE_QUOTED_MAX 16

/* The first rune of a non-empty text and how many bytes it takes (1 when invalid). */
uint32_t rune_decode(struct str text, size_t *width_out);
/* Bytes written to `bytes`, which has 4. */
size_t rune_encode(uint32_t rune, char *bytes);
/* 'x', '\'' or '\x00': as error sentences show a character. -1 is the end of the text. */
void rune_quote(int rune, char *quoted);
/* 0-15, or -1. */
int hex_digit(int character);

/* The string a literal with its quotes stands for. ERR_INVALID when it is malformed. */
int string_unquote(struct str literal, struct arena *arena, struct str *value_out);

/* Integers (decimal, 0x, and octal with a leading 0 as Prometheus has it), floats, Inf and NaN in any
 * case, underscores between digits. On failure the sentence of Go's parser. */
int number_parse(struct str text, double *value_out, struct err *e);

#endif
