/* Runes, errors, numbers, durations and strings.
 *
 * Errors name the character that was not expected and stand at the start of the token it is in, as
 * Prometheus reports them, since editors and people rely on both.
 */
#include "lexer_scan.h"

#include <stdio.h>

#include "literals.h"

int lexer_peek(const struct lexer *l)
{
    if (l->position >= l->input.len) {
        return RUNE_EOF;
    }
    size_t width;
    return (int)rune_decode(str_skip(l->input, l->position), &width);
}

int lexer_read(struct lexer *l)
{
    if (l->position >= l->input.len) {
        return RUNE_EOF;
    }
    size_t width;
    int rune = (int)rune_decode(str_skip(l->input, l->position), &width);
    l->position += width;
    return rune;
}

bool lexer_accept(struct lexer *l, const char *set)
{
    if (!lexer_is_in(lexer_peek(l), set)) {
        return false;
    }
    l->position++;
    return true;
}

void lexer_emit(struct lexer *l, struct token *t, enum token_kind kind)
{
    t->kind = kind;
    t->position = (uint32_t)l->start;
    t->text = str_make(l->input.ptr + l->start, l->position - l->start);
}

void lexer_emit_error(struct lexer *l, struct token *t)
{
    l->failed = true;
    t->kind = TOKEN_ERROR;
    t->position = (uint32_t)l->start;
    t->text = str_of(l->message);
}

void lexer_fail(struct lexer *l, struct token *t, const char *sentence)
{
    (void)snprintf(l->message, sizeof(l->message), "%s", sentence);
    lexer_emit_error(l, t);
}

void lexer_fail_rune(
    struct lexer *l, struct token *t, const char *before, int rune, const char *after)
{
    char quoted[RUNE_QUOTED_MAX];
    rune_quote(rune, quoted);
    (void)snprintf(l->message, sizeof(l->message), "%s%s%s", before, quoted, after);
    lexer_emit_error(l, t);
}

static void fail_escape(
    struct lexer *l, struct token *t, const char *before, int rune, const char *after)
{
    char quoted[RUNE_QUOTED_MAX];
    rune_quote(rune, quoted);
    (void)snprintf(
        l->message, sizeof(l->message), "%sU+%04X %s%s", before, (unsigned)rune, quoted, after);
    lexer_emit_error(l, t);
}

/* "sentence: "text read so far"". */
static void fail_text(struct lexer *l, struct token *t, const char *before)
{
    struct strbuf b;
    strbuf_init(&b, 4 * LEXER_MESSAGE_MAX);
    promql_write_quoted(str_make(l->input.ptr + l->start, l->position - l->start), &b);
    (void)snprintf(
        l->message, sizeof(l->message), "%s%s", before, b.data != NULL ? b.data : "\"\"");
    strbuf_release(&b);
    lexer_emit_error(l, t);
}

/* ---- Numbers and durations ---- */

/* Reads what may be a number in any of its forms; the value itself is judged by number_parse. False
 * when what was read cannot be one. */
static bool scan_number(struct lexer *l)
{
    size_t begin = l->position;
    const char *digits = "0123456789";
    bool hexadecimal = false;
    if (lexer_accept(l, "0") && lexer_accept(l, "xX")) {
        (void)lexer_accept(l, "_");
        digits = "0123456789abcdefABCDEF";
        hexadecimal = true;
    }
    (void)lexer_accept(l, ".");
    (void)lexer_accept(l, digits);
    bool dot = false, exponent = false;
    for (;;) {
        int c = lexer_peek(l);
        if (c == '.') {
            bool repeated = dot;
            l->position++;
            dot = true;
            if (repeated || lexer_accept(l, "_.") || hexadecimal) {
                return false;
            }
        } else if (lexer_is_in(c, digits)) {
            while (lexer_accept(l, digits)) {
            }
            // Hexadecimal digits include e, which then is no exponent.
        } else if (lexer_is_in(c, "eE")) {
            l->position++;
            if (exponent) {
                return false;
            }
            exponent = true;
            (void)lexer_accept(l, "+-");
            if (lexer_accept(l, "._eE") || lexer_peek(l) == RUNE_EOF) {
                return false;
            }
        } else if (c == '_') {
            l->position++;
            if (lexer_accept(l, "._eE") || lexer_peek(l) == RUNE_EOF) {
                return false;
            }
        } else {
            break;
        }
    }
    return l->position != begin && !lexer_is_word(lexer_peek(l));
}

/* After the digits of a duration's first part. */
static bool scan_duration_rest(struct lexer *l)
{
    if (!lexer_accept(l, "smhdwy")) {
        return false;
    }
    (void)lexer_accept(l, "s");
    while (lexer_accept(l, "0123456789")) {
        while (lexer_accept(l, "0123456789")) {
        }
        if (!lexer_accept(l, "smhdw")) {
            return false;
        }
        (void)lexer_accept(l, "s");
    }
    if (lexer_is_word(lexer_peek(l))) {
        l->position++; // the message shows the character that spoils it
        return false;
    }
    return true;
}

void lexer_number_or_duration(struct lexer *l, struct token *t)
{
    if (scan_number(l)) {
        lexer_emit(l, t, TOKEN_NUMBER);
    } else if (scan_duration_rest(l)) {
        lexer_emit(l, t, TOKEN_DURATION);
    } else {
        fail_text(l, t, "bad number or duration syntax: ");
    }
}

/* ---- Strings ---- */

/* After the backslash. False when a token was made of an error. */
static bool scan_escape(struct lexer *l, struct token *t, int quote)
{
    int c = lexer_read(l);
    int length = 0, base = 16;
    uint32_t limit = 0x10ffff;
    if (lexer_is_in(c, "abfnrtv\\") || c == quote) {
        return true;
    }
    if (c >= '0' && c <= '7') {
        length = 3, base = 8, limit = 255;
    } else if (c == 'x') {
        c = lexer_read(l), length = 2, limit = 255;
    } else if (c == 'u') {
        c = lexer_read(l), length = 4;
    } else if (c == 'U') {
        c = lexer_read(l), length = 8;
    } else if (c == RUNE_EOF) {
        lexer_fail(l, t, "escape sequence not terminated");
        return false;
    } else {
        fail_escape(l, t, "unknown escape sequence ", c, "");
        return false;
    }
    uint32_t value = 0;
    for (int i = 0; i < length; i++) {
        int digit = hex_digit(c);
        if (digit < 0 || digit >= base) {
            if (c == RUNE_EOF) {
                lexer_fail(l, t, "escape sequence not terminated");
            } else {
                fail_escape(l, t, "illegal character ", c, " in escape sequence");
            }
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
        c = i + 1 < length ? lexer_read(l) : 0;
    }
    if (value > limit || (value >= 0xd800 && value < 0xe000)) {
        lexer_fail(l, t, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

void lexer_string(struct lexer *l, struct token *t, int quote)
{
    for (;;) {
        int c = lexer_read(l);
        if (c == quote) {
            lexer_emit(l, t, TOKEN_STRING);
            return;
        }
        if (c == RUNE_INVALID) {
            lexer_fail(l, t, "invalid UTF-8 rune");
            return;
        }
        if (c == RUNE_EOF || (c == '\n' && quote != '`')) {
            lexer_fail(
                l, t, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
            return;
        }
        if (c == '\\' && quote != '`' && !scan_escape(l, t, quote)) {
            return;
        }
    }
}
