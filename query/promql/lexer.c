/* The lexer: see lexer.h for its places, and Prometheus' documentation of PromQL for the language. */
#include "lexer.h"

#include <assert.h>

#include "lexer_scan.h"
#include "literals.h"

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

void lexer_init(struct lexer *l, struct str input)
{
    memset(l, 0, sizeof(*l));
    l->input = input;
}

static void emit_binary(struct lexer *l, struct token *t, enum binary_op op)
{
    lexer_emit(l, t, TOKEN_BINARY);
    t->binary = op;
}

/* ---- Words ---- */

static const struct keyword_row *keyword_find(struct str word)
{
    for (size_t i = 0; i < sizeof(keyword_rows) / sizeof(keyword_rows[0]); i++) {
        const char *text = keyword_rows[i].text;
        size_t n = 0;
        while (n < word.len && text[n] != '\0' && lexer_lower(word.ptr[n]) == text[n]) {
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
    lexer_emit(l, t, row->kind);
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
    while (at < l->input.len && lexer_is_space((unsigned char)l->input.ptr[at])) {
        at++;
    }
    return at < l->input.len && l->input.ptr[at] == '(';
}

static void lex_word(struct lexer *l, struct token *t)
{
    bool colon = false;
    for (int c = lexer_peek(l); lexer_is_word(c) || c == ':'; c = lexer_peek(l)) {
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
        lexer_emit(l, t, colon ? TOKEN_METRIC_IDENTIFIER : TOKEN_IDENTIFIER);
    }
}

/* step, range, max_of, min_of: the only words inside brackets, but for templates. `first` was read already. */
static bool lex_duration_word(struct lexer *l, struct token *t, int first)
{
    if (!(l->words_in_brackets ? lexer_is_letter(first) : lexer_is_in(lexer_lower(first), "srm"))) {
        return false;
    }
    size_t after_first = l->position;
    while (
        lexer_is_letter(lexer_peek(l)) || (l->words_in_brackets && lexer_is_word(lexer_peek(l)))) {
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
        lexer_emit(l, t, TOKEN_IDENTIFIER);
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
    lexer_emit(l, t, TOKEN_RIGHT_PAREN);
    if (--l->paren_depth < 0) {
        l->start = l->position;
        lexer_fail(l, t, "unexpected right parenthesis ')'");
    }
}

/* Inside braces, all of it; no keywords there. */
static void lex_in_braces(struct lexer *l, struct token *t)
{
    int c = lexer_read(l);
    if (c == RUNE_EOF) {
        lexer_fail(l, t, "unexpected end of input inside braces");
    } else if (lexer_is_letter(c)) {
        while (lexer_is_word(lexer_peek(l))) {
            l->position++;
        }
        lexer_emit(l, t, TOKEN_IDENTIFIER);
    } else if (c == ',') {
        lexer_emit(l, t, TOKEN_COMMA);
    } else if (c == '"' || c == '\'' || c == '`') {
        lexer_string(l, t, c);
    } else if (c == '=') {
        lexer_emit(l, t, lexer_accept(l, "~") ? TOKEN_EQL_REGEX : TOKEN_EQL);
    } else if (c == '!') {
        int after = lexer_read(l);
        if (after == '~') {
            lexer_emit(l, t, TOKEN_NEQ_REGEX);
        } else if (after == '=') {
            emit_binary(l, t, BINARY_NEQ);
        } else {
            lexer_fail_rune(l, t, "unexpected character after '!' inside braces: ", after, "");
        }
    } else if (c == '{') {
        lexer_fail(l, t, "unexpected left brace '{'");
    } else if (c == '}') {
        l->brace_open = false;
        lexer_emit(l, t, TOKEN_RIGHT_BRACE);
    } else {
        lexer_fail_rune(l, t, "unexpected character inside braces: ", c, "");
    }
}

/* Inside brackets until the first number; after it lex_plain goes on with `bracket_open`. */
static void lex_in_duration(struct lexer *l, struct token *t)
{
    int c = lexer_read(l);
    if (c == RUNE_EOF) {
        lexer_fail(l, t, "unexpected end of input in duration expression");
    } else if (c == ']') {
        l->bracket_open = l->in_duration = l->got_colon = false;
        lexer_emit(l, t, TOKEN_RIGHT_BRACKET);
    } else if (c == ':') {
        lexer_emit(l, t, TOKEN_COLON);
        if (!l->got_duration || l->got_colon) {
            l->start = l->position;
            lexer_fail(l, t,
                l->got_duration ? "unexpected repeated colon in duration expression"
                                : "unexpected colon before duration in duration expression");
        }
        l->got_colon = true;
    } else if (c == '(') {
        l->paren_depth++;
        lexer_emit(l, t, TOKEN_LEFT_PAREN);
    } else if (c == ')') {
        lex_right_paren(l, t);
    } else if (c == ',') {
        lexer_emit(l, t, TOKEN_COMMA);
    } else if (lexer_is_digit(c) || (c == '.' && lexer_is_digit(lexer_peek(l)))) {
        l->position = l->start;
        l->got_duration = true;
        l->in_duration = false;
        lexer_number_or_duration(l, t);
    } else if (!lex_operator(l, t, c) && !lex_duration_word(l, t, c)) {
        lexer_fail_rune(l, t, "unexpected character in duration expression: ", c, "");
    }
}

/* = == ! != < <= </ > >= >/ outside braces. */
static void lex_comparison(struct lexer *l, struct token *t, int c)
{
    int after = lexer_peek(l);
    if (c == '=') {
        if (after == '=') {
            l->position++;
            emit_binary(l, t, BINARY_EQL);
        } else if (after == '~') {
            lexer_fail(l, t, "unexpected character after '=': '~'");
        } else {
            lexer_emit(l, t, TOKEN_EQL);
        }
        return;
    }
    if (c == '!') {
        (void)lexer_read(l);
        if (after == '=') {
            emit_binary(l, t, BINARY_NEQ);
        } else {
            lexer_fail_rune(l, t, "unexpected character after '!': ", after, "");
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
        lexer_fail(l, t, "unexpected colon ':'");
    } else if (c == ':') {
        l->got_colon = true;
        lexer_emit(l, t, TOKEN_COLON);
    } else if (!lex_duration_word(l, t, c)) {
        lexer_fail_rune(l, t, "unexpected character: ", c, ", expected ':'");
    }
}

static void lex_bracket(struct lexer *l, struct token *t, int c)
{
    if (c == '[') {
        if (l->bracket_open) {
            lexer_fail(l, t, "unexpected left bracket '['");
            return;
        }
        l->bracket_open = l->in_duration = true;
        l->got_colon = l->got_duration = false;
        lexer_emit(l, t, TOKEN_LEFT_BRACKET);
    } else if (!l->bracket_open) {
        lexer_fail(l, t, "unexpected right bracket ']'");
    } else {
        l->bracket_open = false;
        lexer_emit(l, t, TOKEN_RIGHT_BRACKET);
    }
}

static void lex_plain(struct lexer *l, struct token *t)
{
    int c = lexer_read(l);
    if (c == RUNE_EOF) {
        if (l->paren_depth != 0) {
            lexer_fail(l, t, "unclosed left parenthesis");
        } else if (l->bracket_open) {
            lexer_fail(l, t, "unclosed left bracket");
        } else {
            lexer_emit(l, t, TOKEN_EOF);
        }
    } else if (c == ',') {
        lexer_emit(l, t, TOKEN_COMMA);
    } else if (lexer_is_in(c, "=!<>")) {
        lex_comparison(l, t, c);
    } else if (lexer_is_digit(c) || (c == '.' && lexer_is_digit(lexer_peek(l)))) {
        l->position = l->start;
        lexer_number_or_duration(l, t);
    } else if (c == '"' || c == '\'' || c == '`') {
        lexer_string(l, t, c);
    } else if (lexer_is_letter(c) || c == ':') {
        lex_letter(l, t, c);
    } else if (c == '(') {
        l->paren_depth++;
        lexer_emit(l, t, TOKEN_LEFT_PAREN);
    } else if (c == ')') {
        lex_right_paren(l, t);
    } else if (c == '{') {
        l->brace_open = true;
        lexer_emit(l, t, TOKEN_LEFT_BRACE);
    } else if (c == '[' || c == ']') {
        lex_bracket(l, t, c);
    } else if (c == '@') {
        lexer_emit(l, t, TOKEN_AT);
    } else if (!lex_operator(l, t, c)) {
        lexer_fail_rune(l, t, "unexpected character: ", c, "");
    }
}

/* Spaces, and comments from '#' to the end of the line (brackets have none before their number). */
static void skip_blank(struct lexer *l)
{
    for (;;) {
        int c = lexer_peek(l);
        if (lexer_is_space(c)) {
            l->position++;
        } else if (c == '#' && !l->in_duration) {
            while (c != RUNE_EOF && c != '\n' && c != '\r') {
                (void)lexer_read(l);
                c = lexer_peek(l);
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
        lexer_emit_error(l, token_out);
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
