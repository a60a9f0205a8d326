/* Text of a template -> tokens, by the rules of Go's text/template.
 *
 *   text {{ action }} text {{- trimmed -}} text, and comments: braces around those of C
 *
 * "{{- " (minus, then a space) takes the white space before it away, " -}}" that after it. White space is a
 * token inside actions because `.a .b` and `.a.b` differ. A word ends at a space, a delimiter or one of
 * . , | : ( ); anything else there is a bad character.
 */
#include "template_lexer.h"

#include <stdio.h>

#define LEFT STR("{{")
#define RIGHT STR("}}")
#define COMMENT_BEGIN STR("/*")
#define COMMENT_END STR("*/")

static const char *const keyword_names[] = {"block", "break", "continue", "define", "else", "end",
    "if", "nil", "range", "template", "with"};
#define KEYWORD_COUNT (sizeof(keyword_names) / sizeof(keyword_names[0]))

struct lexer {
    struct arena *arena;
    struct str text;
    size_t position;
    uint32_t line;
    size_t parentheses;
    struct token *tokens;
    size_t count, cap;
    bool ended; /* by an error of the text or of memory */
    int error;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters beyond ASCII are taken as letters, whatever they are. */
static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static struct str rest_of(const struct lexer *l)
{
    return str_skip(l->text, l->position);
}

static bool at(const struct lexer *l, struct str what)
{
    return str_starts_with(rest_of(l), what);
}

static char peek(const struct lexer *l)
{
    return l->position < l->text.len ? l->text.ptr[l->position] : '\0';
}

static bool at_end(const struct lexer *l)
{
    return l->position >= l->text.len;
}

static uint32_t lines_in(struct str s)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < s.len; i++) {
        lines += s.ptr[i] == '\n';
    }
    return lines;
}

static void add(struct lexer *l, enum token_kind kind, size_t position, struct str text)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
        struct token *grown = arena_alloc(l->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            l->error = arena_error(l->arena);
            l->ended = true;
            return;
        }
        if (l->count > 0) {
            memcpy(grown, l->tokens, l->count * sizeof(*grown));
        }
        l->tokens = grown;
        l->cap = cap;
    }
    l->tokens[l->count++] = (struct token){kind, (uint32_t)position, l->line, text};
}

/* The token from `begin` to here. */
static void emit(struct lexer *l, enum token_kind kind, size_t begin)
{
    struct str text = str_make(l->text.ptr + begin, l->position - begin);
    add(l, kind, begin, text);
    l->line += lines_in(text);
}

static void refuse(struct lexer *l, const char *sentence)
{
    add(l, TOKEN_ERROR, l->position, str_of(sentence));
    l->ended = true;
}

/* The character here, as "U+0040 '@'". */
static void refuse_character(struct lexer *l, const char *sentence)
{
    char text[96];
    struct str s = rest_of(l);
    size_t n = 1;
    while (n < s.len && n < 4 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80) {
        n++;
    }
    unsigned code = (unsigned char)s.ptr[0];
    if (n > 1) {
        code &= 0xffu >> (n + 1);
        for (size_t i = 1; i < n; i++) {
            code = code << 6 | ((unsigned char)s.ptr[i] & 0x3f);
        }
    }
    bool shown = code >= 0x20 && code != 0x7f && (code < 0x80 || n > 1);
    if (shown) {
        (void)snprintf(text, sizeof(text), "%s U+%04X '%.*s'", sentence, code, (int)n, s.ptr);
    } else {
        (void)snprintf(text, sizeof(text), "%s U+%04X", sentence, code);
    }
    char *kept = arena_strndup(l->arena, text, strlen(text));
    if (kept == NULL) {
        l->error = arena_error(l->arena);
        l->ended = true;
        return;
    }
    refuse(l, kept);
}

static void skip_space(struct lexer *l)
{
    while (!at_end(l) && is_space(peek(l))) {
        l->line += peek(l) == '\n';
        l->position++;
    }
}

/* A right delimiter here? With " -" before it, it trims. */
static bool at_right(const struct lexer *l, bool *trims_out)
{
    struct str rest = rest_of(l);
    *trims_out = rest.len >= 4 && is_space(rest.ptr[0]) && rest.ptr[1] == '-' &&
                 str_starts_with(str_skip(rest, 2), RIGHT);
    return *trims_out || str_starts_with(rest, RIGHT);
}

static void lex_right(struct lexer *l, bool trims)
{
    if (trims) {
        l->line += peek(l) == '\n';
        l->position += 2;
    }
    size_t begin = l->position;
    l->position += RIGHT.len;
    emit(l, TOKEN_RIGHT_DELIMITER, begin);
    if (trims) {
        skip_space(l);
    }
}

static void lex_spaces(struct lexer *l)
{
    size_t begin = l->position, end = begin;
    while (end < l->text.len && is_space(l->text.ptr[end])) {
        end++;
    }
    /* The last space belongs to a trimming delimiter. */
    l->position = end - 1;
    bool trims = false;
    if (!at_right(l, &trims) || !trims) {
        l->position = end;
    }
    if (l->position > begin) {
        emit(l, TOKEN_SPACE, begin);
    }
}

static bool at_terminator(const struct lexer *l)
{
    if (at_end(l) || is_space(peek(l)) || at(l, RIGHT)) {
        return true;
    }
    return is_one_of(peek(l), ".,|:()");
}

/* The word after `prefix` bytes; false when it ends badly. */
static bool take_word(struct lexer *l, size_t prefix)
{
    l->position += prefix;
    while (!at_end(l) && is_word(peek(l))) {
        l->position++;
    }
    if (!at_terminator(l)) {
        refuse_character(l, "bad character");
        return false;
    }
    return true;
}

static void lex_identifier(struct lexer *l)
{
    size_t begin = l->position;
    if (!take_word(l, 0)) {
        return;
    }
    struct str word = str_make(l->text.ptr + begin, l->position - begin);
    enum token_kind kind = TOKEN_IDENTIFIER;
    if (str_eq_c(word, "true") || str_eq_c(word, "false")) {
        kind = TOKEN_BOOL;
    }
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        if (str_eq_c(word, keyword_names[i])) {
            kind = (enum token_kind)(TOKEN_BLOCK + i);
        }
    }
    emit(l, kind, begin);
}

/* Text in quotes, where a backslash hides the next character. */
static void lex_quoted(struct lexer *l, char quote, enum token_kind kind, const char *unterminated)
{
    size_t begin = l->position++;
    for (;; l->position++) {
        if (at_end(l) || peek(l) == '\n') {
            l->position = begin;
            refuse(l, unterminated);
            return;
        }
        if (peek(l) == quote) {
            break;
        }
        bool hides = peek(l) == '\\' && l->position + 1 < l->text.len;
        if (hides && l->text.ptr[l->position + 1] != '\n') {
            l->position++;
        }
    }
    l->position++;
    emit(l, kind, begin);
}

static void lex_raw(struct lexer *l)
{
    size_t begin = l->position;
    ptrdiff_t length = str_find(str_skip(l->text, begin + 1), '`');
    if (length < 0) {
        refuse(l, "unterminated raw quoted string");
        return;
    }
    l->position = begin + (size_t)length + 2;
    emit(l, TOKEN_RAW_STRING, begin);
}

static void accept_run(struct lexer *l, const char *set)
{
    while (is_one_of(peek(l), set)) {
        l->position++;
    }
}

static bool accept(struct lexer *l, const char *set)
{
    bool taken = is_one_of(peek(l), set);
    l->position += taken;
    return taken;
}

static void lex_number(struct lexer *l)
{
    size_t begin = l->position;
    (void)accept(l, "+-");
    const char *digits = "0123456789_";
    bool decimal = true;
    if (accept(l, "0")) {
        if (accept(l, "xX")) {
            digits = "0123456789abcdefABCDEF_";
            decimal = false;
        } else if (accept(l, "oO") || accept(l, "bB")) {
            digits = "01234567_";
            decimal = false;
        }
    }
    accept_run(l, digits);
    if (accept(l, ".")) {
        accept_run(l, digits);
    }
    if (accept(l, decimal ? "eE" : "pP")) {
        (void)accept(l, "+-");
        accept_run(l, "0123456789_");
    }
    if (!at_end(l) && is_word(peek(l))) {
        struct str rest = str_skip(l->text, begin);
        struct str shown = str_make(rest.ptr, l->position - begin + 1);
        char text[96];
        (void)snprintf(text, sizeof(text), "bad number syntax: \"%.*s\"",
            (int)(shown.len < 64 ? shown.len : 64), shown.ptr);
        char *kept = arena_strndup(l->arena, text, strlen(text));
        refuse(l, kept != NULL ? kept : "bad number syntax");
        return;
    }
    emit(l, TOKEN_NUMBER, begin);
}

static void lex_one(struct lexer *l, enum token_kind kind)
{
    l->position++;
    emit(l, kind, l->position - 1);
}

static void lex_dot(struct lexer *l)
{
    size_t begin = l->position;
    bool number = begin + 1 < l->text.len && is_digit(l->text.ptr[begin + 1]);
    if (number) {
        lex_number(l);
    } else if (take_word(l, 1)) {
        emit(l, l->position == begin + 1 ? TOKEN_DOT : TOKEN_FIELD, begin);
    }
}

static void lex_parenthesis(struct lexer *l)
{
    if (peek(l) == '(') {
        l->parentheses++;
        lex_one(l, TOKEN_LEFT_PARENTHESIS);
        return;
    }
    lex_one(l, TOKEN_RIGHT_PARENTHESIS);
    if (l->parentheses == 0) {
        refuse(l, "unexpected right paren");
    } else {
        l->parentheses--;
    }
}

/* One token inside an action other than its end. */
static void lex_inside(struct lexer *l)
{
    char c = peek(l);
    size_t begin = l->position;
    if (is_space(c)) {
        lex_spaces(l);
    } else if (c == '=') {
        lex_one(l, TOKEN_ASSIGN);
    } else if (c == ':') {
        if (!at(l, STR(":="))) {
            refuse(l, "expected :=");
            return;
        }
        l->position += 2;
        emit(l, TOKEN_DECLARE, begin);
    } else if (c == '|') {
        lex_one(l, TOKEN_PIPE);
    } else if (c == '"') {
        lex_quoted(l, '"', TOKEN_STRING, "unterminated quoted string");
    } else if (c == '`') {
        lex_raw(l);
    } else if (c == '\'') {
        lex_quoted(l, '\'', TOKEN_CHARACTER_CONSTANT, "unterminated character constant");
    } else if (c == '$') {
        if (take_word(l, 1)) {
            emit(l, TOKEN_VARIABLE, begin);
        }
    } else if (c == '.') {
        lex_dot(l);
    } else if (is_digit(c) || c == '+' || c == '-') {
        lex_number(l);
    } else if (is_word(c)) {
        lex_identifier(l);
    } else if (c == '(' || c == ')') {
        lex_parenthesis(l);
    } else if (c == ',') {
        lex_one(l, TOKEN_COMMA);
    } else if (c > 0x20 && c < 0x7f) {
        lex_one(l, TOKEN_CHARACTER);
    } else {
        refuse_character(l, "unrecognized character in action:");
    }
}

static void lex_action(struct lexer *l)
{
    l->parentheses = 0;
    while (!l->ended) {
        bool trims = false;
        if (at_end(l)) {
            refuse(l, "unclosed action");
        } else if (!at_right(l, &trims)) {
            lex_inside(l);
        } else if (l->parentheses > 0) {
            refuse(l, "unclosed left paren");
        } else {
            lex_right(l, trims);
            return;
        }
    }
}

/* Behind the left delimiter and its marker, at the comment's beginning. */
static void lex_comment(struct lexer *l)
{
    struct str rest = str_skip(rest_of(l), COMMENT_BEGIN.len);
    const char *end = memmem(rest.ptr, rest.len, COMMENT_END.ptr, COMMENT_END.len);
    if (end == NULL) {
        refuse(l, "unclosed comment");
        return;
    }
    size_t after = (size_t)(end - l->text.ptr) + COMMENT_END.len;
    uint32_t lines = lines_in(str_make(l->text.ptr + l->position, after - l->position));
    l->position = after;
    bool trims = false;
    if (!at_right(l, &trims)) {
        refuse(l, "comment ends before closing delimiter");
        return;
    }
    l->line += lines;
    l->position += RIGHT.len + (trims ? 2 : 0);
    if (trims) {
        skip_space(l);
    }
}

/* Text up to the next action, and that action. */
static void lex_text(struct lexer *l)
{
    struct str rest = rest_of(l);
    const char *left = memmem(rest.ptr, rest.len, LEFT.ptr, LEFT.len);
    size_t begin = l->position;
    size_t end = left != NULL ? (size_t)(left - l->text.ptr) : l->text.len;
    struct str after = str_skip(l->text, end + LEFT.len);
    bool trims = left != NULL && after.len >= 2 && after.ptr[0] == '-' && is_space(after.ptr[1]);
    size_t kept = end;
    while (trims && kept > begin && is_space(l->text.ptr[kept - 1])) {
        kept--;
    }
    if (kept > begin) {
        add(l, TOKEN_TEXT, begin, str_make(l->text.ptr + begin, kept - begin));
    }
    l->line += lines_in(str_make(l->text.ptr + begin, end - begin));
    l->position = end;
    if (left == NULL || l->ended) {
        return;
    }
    size_t marker = trims ? 2 : 0;
    if (str_starts_with(str_skip(after, marker), COMMENT_BEGIN)) {
        l->position += LEFT.len + marker;
        lex_comment(l);
        return;
    }
    l->position += LEFT.len;
    emit(l, TOKEN_LEFT_DELIMITER, end);
    l->position += trims ? 1 : 0;
    lex_action(l);
}

int template_lex(struct arena *arena, struct str text, struct token **tokens_out, size_t *count_out)
{
    struct lexer l = {.arena = arena, .text = text, .line = 1};
    while (!l.ended && !at_end(&l)) {
        lex_text(&l);
    }
    if (!l.ended) {
        emit(&l, TOKEN_EOF, l.position);
    }
    if (l.error != 0) {
        return l.error;
    }
    *tokens_out = l.tokens;
    *count_out = l.count;
    return 0;
}
