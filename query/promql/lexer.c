/* The lexer: see lexer.h for its places, and Prometheus' documentation of PromQL for the language.
 *
 * Errors name the character that was not expected and stand at the start of the token it is in, as
 * Prometheus reports them, since editors and people rely on both.
 */
#include "lexer.h"

#include <assert.h>

#include "literals.h"

#define RUNE_EOF (-1)

struct keyword_row {
    const char *text;
    enum token_kind kind;
    int value;
};

static const struct keyword_row keyword_rows[] = {
#define X(name, text) {text, TOKEN_KEYWORD, KEYWORD_##name},
    KEYWORD_LIST(X)
#undef X
#define X(name, text, parameter, experimental) {text, TOKEN_AGGREGATE, AGGREGATE_##name},
        PROMQL_AGGREGATE_LIST(X)
#undef X
            {"and", TOKEN_BINARY, BINARY_AND},
    {"or", TOKEN_BINARY, BINARY_OR},
    {"unless", TOKEN_BINARY, BINARY_UNLESS},
    {"atan2", TOKEN_BINARY, BINARY_ATAN2},
    {"inf", TOKEN_NUMBER, 0},
    {"nan", TOKEN_NUMBER, 0},
};

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(int c)
{
    return is_alpha(c) || is_digit(c);
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool is_in(int c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, c) != NULL;
}

void lexer_init(struct lexer *l, struct str input)
{
    memset(l, 0, sizeof(*l));
    l->input = input;
}

/* The rune at the cursor, without moving. */
static int peek(const struct lexer *l)
{
    if (l->position >= l->input.len) {
        return RUNE_EOF;
    }
    size_t width;
    return (int)rune_decode(str_skip(l->input, l->position), &width);
}

/* The rune at the cursor, which moves past it. */
static int next(struct lexer *l)
{
    if (l->position >= l->input.len) {
        return RUNE_EOF;
    }
    size_t width;
    int rune = (int)rune_decode(str_skip(l->input, l->position), &width);
    l->position += width;
    return rune;
}

static bool accept(struct lexer *l, const char *set)
{
    if (!is_in(peek(l), set)) {
        return false;
    }
    l->position++;
    return true;
}

static void emit(struct lexer *l, struct token *t, enum token_kind kind)
{
    t->kind = kind;
    t->position = (uint32_t)l->start;
    t->text = str_make(l->input.ptr + l->start, l->position - l->start);
}

static void emit_binary(struct lexer *l, struct token *t, enum binary_op op)
{
    emit(l, t, TOKEN_BINARY);
    t->binary = op;
}

/* A failed lexer repeats its error, with what stands in `message`. */
static void emit_error(struct lexer *l, struct token *t)
{
    l->failed = true;
    t->kind = TOKEN_ERROR;
    t->position = (uint32_t)l->start;
    t->text = str_of(l->message);
}

static void fail(struct lexer *l, struct token *t, const char *sentence)
{
    (void)snprintf(l->message, sizeof(l->message), "%s", sentence);
    emit_error(l, t);
}

/* "sentence: 'c'", and the rune where a message shows it as U+0063 'c'. */
static void fail_rune(
    struct lexer *l, struct token *t, const char *before, int rune, const char *after)
{
    char quoted[RUNE_QUOTED_MAX];
    rune_quote(rune, quoted);
    (void)snprintf(l->message, sizeof(l->message), "%s%s%s", before, quoted, after);
    emit_error(l, t);
}

static void fail_escape(
    struct lexer *l, struct token *t, const char *before, int rune, const char *after)
{
    char quoted[RUNE_QUOTED_MAX];
    rune_quote(rune, quoted);
    (void)snprintf(
        l->message, sizeof(l->message), "%sU+%04X %s%s", before, (unsigned)rune, quoted, after);
    emit_error(l, t);
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
    emit_error(l, t);
}

/* ---- Numbers and durations ---- */

/* Reads what may be a number in any of its forms; the value itself is judged by number_parse. False
 * when what was read cannot be one. */
static bool scan_number(struct lexer *l)
{
    size_t begin = l->position;
    const char *digits = "0123456789";
    bool hexadecimal = false;
    if (accept(l, "0") && accept(l, "xX")) {
        (void)accept(l, "_");
        digits = "0123456789abcdefABCDEF";
        hexadecimal = true;
    }
    (void)accept(l, ".");
    (void)accept(l, digits);
    bool dot = false, exponent = false;
    for (;;) {
        int c = peek(l);
        if (c == '.') {
            bool repeated = dot;
            l->position++;
            dot = true;
            if (repeated || accept(l, "_.") || hexadecimal) {
                return false;
            }
        } else if (is_in(c, digits)) {
            while (accept(l, digits)) {
            }
            // Hexadecimal digits include e, which then is no exponent.
        } else if (is_in(c, "eE")) {
            l->position++;
            if (exponent) {
                return false;
            }
            exponent = true;
            (void)accept(l, "+-");
            if (accept(l, "._eE") || peek(l) == RUNE_EOF) {
                return false;
            }
        } else if (c == '_') {
            l->position++;
            if (accept(l, "._eE") || peek(l) == RUNE_EOF) {
                return false;
            }
        } else {
            break;
        }
    }
    return l->position != begin && !is_alphanumeric(peek(l));
}

/* After the digits of a duration's first part. */
static bool scan_duration_rest(struct lexer *l)
{
    if (!accept(l, "smhdwy")) {
        return false;
    }
    (void)accept(l, "s");
    while (accept(l, "0123456789")) {
        while (accept(l, "0123456789")) {
        }
        if (!accept(l, "smhdw")) {
            return false;
        }
        (void)accept(l, "s");
    }
    if (is_alphanumeric(peek(l))) {
        l->position++; // the message shows the character that spoils it
        return false;
    }
    return true;
}

static void lex_number_or_duration(struct lexer *l, struct token *t)
{
    if (scan_number(l)) {
        emit(l, t, TOKEN_NUMBER);
    } else if (scan_duration_rest(l)) {
        emit(l, t, TOKEN_DURATION);
    } else {
        fail_text(l, t, "bad number or duration syntax: ");
    }
}

/* ---- Strings ---- */

/* After the backslash. False when a token was made of an error. */
static bool scan_escape(struct lexer *l, struct token *t, int quote)
{
    int c = next(l);
    int length = 0, base = 16;
    uint32_t limit = 0x10ffff;
    if (is_in(c, "abfnrtv\\") || c == quote) {
        return true;
    }
    if (c >= '0' && c <= '7') {
        length = 3, base = 8, limit = 255;
    } else if (c == 'x') {
        c = next(l), length = 2, limit = 255;
    } else if (c == 'u') {
        c = next(l), length = 4;
    } else if (c == 'U') {
        c = next(l), length = 8;
    } else if (c == RUNE_EOF) {
        fail(l, t, "escape sequence not terminated");
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
                fail(l, t, "escape sequence not terminated");
            } else {
                fail_escape(l, t, "illegal character ", c, " in escape sequence");
            }
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
        c = i + 1 < length ? next(l) : 0;
    }
    if (value > limit || (value >= 0xd800 && value < 0xe000)) {
        fail(l, t, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static void lex_string(struct lexer *l, struct token *t, int quote)
{
    for (;;) {
        int c = next(l);
        if (c == quote) {
            emit(l, t, TOKEN_STRING);
            return;
        }
        if (c == RUNE_INVALID) {
            fail(l, t, "invalid UTF-8 rune");
            return;
        }
        if (c == RUNE_EOF || (c == '\n' && quote != '`')) {
            fail(l, t, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
            return;
        }
        if (c == '\\' && quote != '`' && !scan_escape(l, t, quote)) {
            return;
        }
    }
}

/* ---- Words ---- */

static const struct keyword_row *keyword_find(struct str word)
{
    for (size_t i = 0; i < sizeof(keyword_rows) / sizeof(keyword_rows[0]); i++) {
        const char *text = keyword_rows[i].text;
        size_t n = 0;
        while (n < word.len && text[n] != '\0' && lower(word.ptr[n]) == text[n]) {
            n++;
        }
        if (n == word.len && text[n] == '\0') {
            return &keyword_rows[i];
        }
    }
    return NULL;
}

static void emit_keyword(struct lexer *l, struct token *t, const struct keyword_row *row)
{
    emit(l, t, row->kind);
    switch (row->kind) {
    case TOKEN_KEYWORD:
        t->keyword = (enum keyword)row->value;
        break;
    case TOKEN_AGGREGATE:
        t->aggregate = (enum aggregate_op)row->value;
        break;
    case TOKEN_BINARY:
        t->binary = (enum binary_op)row->value;
        break;
    default:
        break;
    }
}

static bool left_paren_follows(const struct lexer *l)
{
    size_t at = l->position;
    while (at < l->input.len && is_space((unsigned char)l->input.ptr[at])) {
        at++;
    }
    return at < l->input.len && l->input.ptr[at] == '(';
}

static void lex_word(struct lexer *l, struct token *t)
{
    bool colon = false;
    for (int c = peek(l); is_alphanumeric(c) || c == ':'; c = peek(l)) {
        colon = colon || c == ':';
        l->position++;
    }
    struct str word = str_make(l->input.ptr + l->start, l->position - l->start);
    const struct keyword_row *row = keyword_find(word);
    if (row != NULL && row->kind == TOKEN_KEYWORD &&
        (row->value == KEYWORD_FILL || row->value == KEYWORD_FILL_LEFT ||
            row->value == KEYWORD_FILL_RIGHT) &&
        !left_paren_follows(l)) {
        row = NULL; // these came late and must not break metrics of that name
    }
    if (row != NULL) {
        emit_keyword(l, t, row);
    } else {
        emit(l, t, colon ? TOKEN_METRIC_IDENTIFIER : TOKEN_IDENTIFIER);
    }
}

/* step, range, max_of, min_of: the only words inside brackets, but for templates. `first` was read already. */
static bool lex_duration_word(struct lexer *l, struct token *t, int first)
{
    if (!(l->words_in_brackets ? is_alpha(first) : is_in(lower(first), "srm"))) {
        return false;
    }
    size_t after_first = l->position;
    while (is_alpha(peek(l)) || (l->words_in_brackets && is_alphanumeric(peek(l)))) {
        l->position++;
    }
    struct str word = str_make(l->input.ptr + l->start, l->position - l->start);
    const struct keyword_row *row = keyword_find(word);
    if (row != NULL && row->kind == TOKEN_KEYWORD && row->value >= KEYWORD_STEP) {
        l->got_duration = true;
        emit_keyword(l, t, row);
        return true;
    }
    if (l->words_in_brackets) {
        l->got_duration = true;
        emit(l, t, TOKEN_IDENTIFIER);
        return true;
    }
    l->position = after_first;
    return false;
}

/* ---- The three places ---- */

/* Characters that are one token wherever they stand; false when `c` is none of them. */
static bool lex_operator(struct lexer *l, struct token *t, int c)
{
    static const struct {
        char character;
        enum binary_op op;
    } rows[] = {{'+', BINARY_ADD}, {'-', BINARY_SUB}, {'*', BINARY_MUL}, {'/', BINARY_DIV},
        {'%', BINARY_MOD}, {'^', BINARY_POW}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (c == rows[i].character) {
            emit_binary(l, t, rows[i].op);
            return true;
        }
    }
    return false;
}

static void lex_right_paren(struct lexer *l, struct token *t)
{
    emit(l, t, TOKEN_RIGHT_PAREN);
    if (--l->paren_depth < 0) {
        l->start = l->position;
        fail(l, t, "unexpected right parenthesis ')'");
    }
}

/* Inside braces, all of it; no keywords there. */
static void lex_in_braces(struct lexer *l, struct token *t)
{
    int c = next(l);
    if (c == RUNE_EOF) {
        fail(l, t, "unexpected end of input inside braces");
    } else if (is_alpha(c)) {
        while (is_alphanumeric(peek(l))) {
            l->position++;
        }
        emit(l, t, TOKEN_IDENTIFIER);
    } else if (c == ',') {
        emit(l, t, TOKEN_COMMA);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, c);
    } else if (c == '=') {
        emit(l, t, accept(l, "~") ? TOKEN_EQL_REGEX : TOKEN_EQL);
    } else if (c == '!') {
        int after = next(l);
        if (after == '~') {
            emit(l, t, TOKEN_NEQ_REGEX);
        } else if (after == '=') {
            emit_binary(l, t, BINARY_NEQ);
        } else {
            fail_rune(l, t, "unexpected character after '!' inside braces: ", after, "");
        }
    } else if (c == '{') {
        fail(l, t, "unexpected left brace '{'");
    } else if (c == '}') {
        l->brace_open = false;
        emit(l, t, TOKEN_RIGHT_BRACE);
    } else {
        fail_rune(l, t, "unexpected character inside braces: ", c, "");
    }
}

/* Inside brackets until the first number; after it lex_plain goes on with `bracket_open`. */
static void lex_in_duration(struct lexer *l, struct token *t)
{
    int c = next(l);
    if (c == RUNE_EOF) {
        fail(l, t, "unexpected end of input in duration expression");
    } else if (c == ']') {
        l->bracket_open = l->in_duration = l->got_colon = false;
        emit(l, t, TOKEN_RIGHT_BRACKET);
    } else if (c == ':') {
        emit(l, t, TOKEN_COLON);
        if (!l->got_duration || l->got_colon) {
            l->start = l->position;
            fail(l, t,
                l->got_duration ? "unexpected repeated colon in duration expression"
                                : "unexpected colon before duration in duration expression");
        }
        l->got_colon = true;
    } else if (c == '(') {
        l->paren_depth++;
        emit(l, t, TOKEN_LEFT_PAREN);
    } else if (c == ')') {
        lex_right_paren(l, t);
    } else if (c == ',') {
        emit(l, t, TOKEN_COMMA);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l)))) {
        l->position = l->start;
        l->got_duration = true;
        l->in_duration = false;
        lex_number_or_duration(l, t);
    } else if (!lex_operator(l, t, c) && !lex_duration_word(l, t, c)) {
        fail_rune(l, t, "unexpected character in duration expression: ", c, "");
    }
}

/* = == ! != < <= </ > >= >/ outside braces. */
static void lex_comparison(struct lexer *l, struct token *t, int c)
{
    int after = peek(l);
    if (c == '=') {
        if (after == '=') {
            l->position++;
            emit_binary(l, t, BINARY_EQL);
        } else if (after == '~') {
            fail(l, t, "unexpected character after '=': '~'");
        } else {
            emit(l, t, TOKEN_EQL);
        }
        return;
    }
    if (c == '!') {
        (void)next(l);
        if (after == '=') {
            emit_binary(l, t, BINARY_NEQ);
        } else {
            fail_rune(l, t, "unexpected character after '!': ", after, "");
        }
        return;
    }
    bool less = c == '<';
    enum binary_op op = less ? BINARY_LSS : BINARY_GTR;
    if (after == '=') {
        op = less ? BINARY_LTE : BINARY_GTE;
    } else if (after == '/') {
        op = less ? BINARY_TRIM_UPPER : BINARY_TRIM_LOWER;
    }
    l->position += op != BINARY_LSS && op != BINARY_GTR;
    emit_binary(l, t, op);
}

/* A letter or colon: a word, except inside brackets. */
static void lex_letter(struct lexer *l, struct token *t, int c)
{
    if (!l->bracket_open) {
        l->position = l->start;
        lex_word(l, t);
    } else if (c == ':' && l->got_colon) {
        fail(l, t, "unexpected colon ':'");
    } else if (c == ':') {
        l->got_colon = true;
        emit(l, t, TOKEN_COLON);
    } else if (!lex_duration_word(l, t, c)) {
        fail_rune(l, t, "unexpected character: ", c, ", expected ':'");
    }
}

static void lex_bracket(struct lexer *l, struct token *t, int c)
{
    if (c == '[') {
        if (l->bracket_open) {
            fail(l, t, "unexpected left bracket '['");
            return;
        }
        l->bracket_open = l->in_duration = true;
        l->got_colon = l->got_duration = false;
        emit(l, t, TOKEN_LEFT_BRACKET);
    } else if (!l->bracket_open) {
        fail(l, t, "unexpected right bracket ']'");
    } else {
        l->bracket_open = false;
        emit(l, t, TOKEN_RIGHT_BRACKET);
    }
}

static void lex_plain(struct lexer *l, struct token *t)
{
    int c = next(l);
    if (c == RUNE_EOF) {
        if (l->paren_depth != 0) {
            fail(l, t, "unclosed left parenthesis");
        } else if (l->bracket_open) {
            fail(l, t, "unclosed left bracket");
        } else {
            emit(l, t, TOKEN_EOF);
        }
    } else if (c == ',') {
        emit(l, t, TOKEN_COMMA);
    } else if (is_in(c, "=!<>")) {
        lex_comparison(l, t, c);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l)))) {
        l->position = l->start;
        lex_number_or_duration(l, t);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, c);
    } else if (is_alpha(c) || c == ':') {
        lex_letter(l, t, c);
    } else if (c == '(') {
        l->paren_depth++;
        emit(l, t, TOKEN_LEFT_PAREN);
    } else if (c == ')') {
        lex_right_paren(l, t);
    } else if (c == '{') {
        l->brace_open = true;
        emit(l, t, TOKEN_LEFT_BRACE);
    } else if (c == '[' || c == ']') {
        lex_bracket(l, t, c);
    } else if (c == '@') {
        emit(l, t, TOKEN_AT);
    } else if (!lex_operator(l, t, c)) {
        fail_rune(l, t, "unexpected character: ", c, "");
    }
}

/* Spaces, and comments from '#' to the end of the line (brackets have none before their number). */
static void skip_blank(struct lexer *l)
{
    for (;;) {
        int c = peek(l);
        if (is_space(c)) {
            l->position++;
        } else if (c == '#' && !l->in_duration) {
            while (c != RUNE_EOF && c != '\n' && c != '\r') {
                (void)next(l);
                c = peek(l);
            }
        } else {
            return;
        }
    }
}

void lexer_next(struct lexer *l, struct token *token_out)
{
    memset(token_out, 0, sizeof(*token_out));
    if (l->failed) {
        emit_error(l, token_out);
        return;
    }
    skip_blank(l);
    l->start = l->position;
    if (l->brace_open) {
        lex_in_braces(l, token_out);
    } else if (l->in_duration) {
        lex_in_duration(l, token_out);
    } else {
        lex_plain(l, token_out);
    }
}

/* ---- Names in sentences ---- */

/* Longest text of a token that is shown whole. */
#define TOKEN_SHOWN_MAX 10

static void describe_text(struct str text, struct strbuf *out)
{
    if (text.len <= TOKEN_SHOWN_MAX) {
        promql_write_quoted(text, out);
        return;
    }
    size_t shown = 0;
    for (int runes = 0; runes < TOKEN_SHOWN_MAX && shown < text.len; runes++) {
        size_t width;
        (void)rune_decode(str_skip(text, shown), &width);
        shown += width;
    }
    promql_write_quoted(str_make(text.ptr, shown), out);
    strbuf_add_c(out, "...");
}

void token_describe(const struct token *t, struct strbuf *out)
{
    switch (t->kind) {
    case TOKEN_EOF:
        strbuf_add_c(out, "end of input");
        break;
    case TOKEN_ERROR:
        strbuf_add_c(out, "error ");
        strbuf_add_str(out, t->text);
        break;
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
        strbuf_add_c(out, t->kind == TOKEN_IDENTIFIER ? "identifier " : "metric identifier ");
        promql_write_quoted(t->text, out);
        break;
    case TOKEN_NUMBER:
        strbuf_add_c(out, "number ");
        describe_text(t->text, out);
        break;
    case TOKEN_DURATION:
        strbuf_add_c(out, "duration ");
        describe_text(t->text, out);
        break;
    case TOKEN_STRING:
        strbuf_add_c(out, "string ");
        describe_text(t->text, out);
        break;
    case TOKEN_BINARY:
    case TOKEN_EQL_REGEX:
    case TOKEN_NEQ_REGEX:
    case TOKEN_AT:
        strbuf_addf(out, "<op:%.*s>", STR_ARG(t->text));
        break;
    case TOKEN_AGGREGATE:
        strbuf_addf(out, "<aggr:%.*s>", STR_ARG(t->text));
        break;
    case TOKEN_KEYWORD:
        if (t->keyword < KEYWORD_START) {
            strbuf_addf(out, "<%.*s>", STR_ARG(t->text));
        } else {
            describe_text(t->text, out);
        }
        break;
    default:
        describe_text(t->text, out);
        break;
    }
}
