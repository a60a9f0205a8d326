/* One function a kind of token; the first character chooses. */
#include "trace/traceql_lexer.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/duration.h"
#include "trace/trace_duration.h"

const char *traceql_operator_text(enum traceql_operator op)
{
    static const char *const texts[] = {
#define X(name, text) [TRACEQL_##name] = text,
        TRACEQL_OPERATOR_LIST(X)
#undef X
    };
    return texts[op];
}

static int fail(size_t position, struct err *e, const char *sentence)
{
    return err_set(
        e, ERR_INVALID, (int64_t)position, "TraceQL, character %zu: %s", position + 1, sentence);
}

static char peek(const struct traceql_lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : '\0';
}

static bool is_word_start(char c)
{
    return isalpha((unsigned char)c) != 0 || c == '_';
}

static bool is_word(char c)
{
    return is_word_start(c) || isdigit((unsigned char)c) != 0;
}

/* ---- Strings ---- */

static int to_arena(struct traceql_lexer *l, struct strbuf *text, struct str *out)
{
    int status = strbuf_error(text);
    if (status == 0) {
        struct str whole = strbuf_str(text);
        char *copy = arena_strndup(l->arena, whole.len > 0 ? whole.ptr : "", whole.len);
        status = copy == NULL ? arena_error(l->arena) : 0;
        *out = str_make(copy, whole.len);
    }
    strbuf_release(text);
    return status;
}

static void add_utf8(struct strbuf *out, uint32_t c)
{
    if (c < 0x80) {
        strbuf_add_char(out, (char)c);
    } else if (c < 0x800) {
        strbuf_add_char(out, (char)(0xc0 | c >> 6));
        strbuf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        strbuf_add_char(out, (char)(0xe0 | c >> 12));
        strbuf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        strbuf_add_char(out, (char)(0xf0 | c >> 18));
        strbuf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        strbuf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_add_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* `digits` digits of base 8 or 16; -1 when they are not there. */
static int64_t take_digits(struct traceql_lexer *l, int digits, int base)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++, l->at++) {
        char c = peek(l, 0);
        int digit = isdigit((unsigned char)c)    ? c - '0'
                    : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10
                                                 : base;
        if (digit >= base) {
            return -1;
        }
        value = value * base + digit;
    }
    return value;
}

/* What stands behind a backslash, by Go's rules. */
static bool take_escape(struct traceql_lexer *l, struct strbuf *out)
{
    static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
    char c = peek(l, 0);
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    if (found != NULL) {
        strbuf_add_char(out, meanings[found - letters]);
        l->at++;
        return true;
    }
    if (c >= '0' && c <= '7') {
        int64_t byte = take_digits(l, 3, 8);
        strbuf_add_char(out, (char)byte);
        return byte >= 0 && byte < 256;
    }
    if (c != 'x' && c != 'u' && c != 'U') {
        return false;
    }
    l->at++;
    int64_t value = take_digits(l, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
    if (value < 0 || value > 0x10ffff || (c != 'x' && value >= 0xd800 && value < 0xe000)) {
        return false;
    }
    if (c == 'x') {
        strbuf_add_char(out, (char)value);
    } else {
        add_utf8(out, (uint32_t)value);
    }
    return true;
}

/* Behind the opening quote, up to and with the closing one. */
static int take_quoted(struct traceql_lexer *l, char quote, struct strbuf *out, struct err *e)
{
    size_t begun = l->at;
    while (l->at < l->text.len) {
        char c = l->text.ptr[l->at++];
        if (c == quote) {
            return 0;
        }
        if (c == '\\' && quote == '"') {
            if (!take_escape(l, out)) {
                return fail(l->at, e, "an escape that Go's strings do not have");
            }
        } else if (c == '\n' && quote == '"') {
            break;
        } else {
            strbuf_add_char(out, c);
        }
    }
    return fail(begun - 1, e, "a quote that is not closed");
}

static int take_string(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text, TRACEQL_BYTES_MAX);
    char quote = l->text.ptr[l->at++];
    int status = take_quoted(l, quote, &text, e);
    if (status != 0) {
        strbuf_release(&text);
        return status;
    }
    t->kind = TRACEQL_TOKEN_VALUE;
    t->value.type = TRACEQL_STRING;
    return to_arena(l, &text, &t->value.text);
}

/* ---- Attributes and words ---- */

static bool ends_key(char c)
{
    return c == '\0' || isspace((unsigned char)c) != 0 || strchr("{}()=~!<>&|^,", c) != NULL;
}

static int take_key(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    struct strbuf key;
    int status = 0;
    strbuf_init(&key, TRACEQL_BYTES_MAX);
    while (status == 0 && !ends_key(peek(l, 0))) {
        char c = l->text.ptr[l->at++];
        if (c == '"') {
            status = take_quoted(l, '"', &key, e);
        } else {
            strbuf_add_char(&key, c);
        }
    }
    if (status == 0 && key.size == 0) {
        status = fail(l->at, e, "expected the name of an attribute");
    }
    if (status != 0) {
        strbuf_release(&key);
        return status;
    }
    t->kind = TRACEQL_TOKEN_ATTRIBUTE;
    return to_arena(l, &key, &t->text);
}

static const struct {
    const char *word;
    enum traceql_scope scope;
    bool colon; /* has intrinsics too, behind a colon */
} scopes[] = {
    {"span", TRACEQL_SCOPE_SPAN, true},
    {"resource", TRACEQL_SCOPE_RESOURCE, false},
    {"event", TRACEQL_SCOPE_EVENT, true},
    {"link", TRACEQL_SCOPE_LINK, true},
    {"instrumentation", TRACEQL_SCOPE_INSTRUMENTATION, true},
    {"trace", TRACEQL_SCOPE_INTRINSIC, true},
};

/* Behind "parent": .key, .span.key or .resource.key */
static int take_parent(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    static const struct {
        const char *text;
        enum traceql_scope scope;
    } parts[] = {{".span.", TRACEQL_SCOPE_SPAN}, {".resource.", TRACEQL_SCOPE_RESOURCE},
        {".", TRACEQL_SCOPE_ANY}};
    size_t i = 0;
    while (!str_starts_with(str_skip(l->text, l->at), str_of(parts[i].text))) {
        i++; /* the point is there */
    }
    l->at += strlen(parts[i].text);
    t->scope = TRACEQL_SCOPE_PARENT;
    t->of = parts[i].scope;
    return take_key(l, t, e);
}

static int take_word(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    size_t begun = l->at;
    while (is_word(peek(l, 0))) {
        l->at++;
    }
    t->kind = TRACEQL_TOKEN_WORD;
    t->text = str_make(l->text.ptr + begun, l->at - begun);
    if (str_eq_c(t->text, "parent") && peek(l, 0) == '.') {
        return take_parent(l, t, e);
    }
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (!str_eq_c(t->text, scopes[i].word)) {
            continue;
        }
        if (peek(l, 0) == '.' && scopes[i].scope != TRACEQL_SCOPE_INTRINSIC) {
            l->at++;
            t->scope = scopes[i].scope;
            return take_key(l, t, e);
        }
        if (peek(l, 0) == ':' && scopes[i].colon) {
            l->at++;
            while (is_word(peek(l, 0))) {
                l->at++;
            }
            t->text.len = l->at - begun;
        }
    }
    return 0;
}

/* ---- Numbers ---- */

/* Digits, a point, an exponent. */
static size_t number_length(struct str text)
{
    size_t n = 0;
    while (n < text.len && isdigit((unsigned char)text.ptr[n])) {
        n++;
    }
    if (n < text.len && text.ptr[n] == '.') {
        n++;
        while (n < text.len && isdigit((unsigned char)text.ptr[n])) {
            n++;
        }
    }
    if (n < text.len && (text.ptr[n] | 0x20) == 'e') {
        size_t digits = n + 1;
        if (digits < text.len && (text.ptr[digits] == '+' || text.ptr[digits] == '-')) {
            digits++;
        }
        if (digits < text.len && isdigit((unsigned char)text.ptr[digits])) {
            n = digits;
            while (n < text.len && isdigit((unsigned char)text.ptr[n])) {
                n++;
            }
        }
    }
    return n;
}

/* Everything that numbers and units are made of: "1h30m", "15µs". */
static size_t duration_length(struct str text)
{
    size_t n = 0;
    while (n < text.len &&
           (isdigit((unsigned char)text.ptr[n]) || text.ptr[n] == '.' ||
               (text.ptr[n] != '\0' && strchr("nsumhdwy\xc2\xb5\xce\xbc", text.ptr[n]) != NULL))) {
        n++;
    }
    return n;
}

static bool read_duration(struct str text, int64_t *ns_out)
{
    uint64_t ns;
    int64_t ms;
    if (trace_duration_parse(text, &ns) == 0) {
        *ns_out = (int64_t)ns;
        return true;
    }
    return duration_parse(text, &ms, NULL) == 0 && !__builtin_mul_overflow(ms, 1000000, ns_out);
}

static int take_number(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    struct str rest = str_skip(l->text, l->at);
    struct str number = str_make(rest.ptr, number_length(rest));
    struct str whole = str_make(rest.ptr, duration_length(rest));
    size_t begun = l->at;
    t->kind = TRACEQL_TOKEN_VALUE;
    if (whole.len > number.len) {
        l->at += whole.len;
        t->value.type = TRACEQL_DURATION;
        return read_duration(whole, &t->value.integer)
                   ? 0
                   : fail(begun, e, "expected a number, or a duration like 100ms or 1h30m");
    }
    l->at += number.len;
    if (is_word(peek(l, 0))) {
        return fail(begun, e, "expected a number, or a duration like 100ms or 1h30m");
    }
    t->value.type = TRACEQL_INT;
    int status = str_to_i64(number, &t->value.integer);
    if (status != 0 && (memchr(number.ptr, '.', number.len) != NULL ||
                           memchr(number.ptr, 'e', number.len) != NULL ||
                           memchr(number.ptr, 'E', number.len) != NULL)) {
        if (number.ptr[number.len - 1] == '.') {
            number.len--; /* Go reads "1." */
        }
        t->value.type = TRACEQL_FLOAT;
        status = str_to_double(number, &t->value.number);
    }
    return status != 0 ? fail(begun, e, "a number that does not fit into 64 bits") : 0;
}

/* ---- Operators ---- */

static const struct {
    const char *text;
    enum traceql_token_kind kind;
} marks[] = {{"!", TRACEQL_TOKEN_NOT}, {"|", TRACEQL_TOKEN_PIPE}, {",", TRACEQL_TOKEN_COMMA},
    {"(", TRACEQL_TOKEN_LEFT_PAREN}, {")", TRACEQL_TOKEN_RIGHT_PAREN},
    {"{", TRACEQL_TOKEN_LEFT_BRACE}, {"}", TRACEQL_TOKEN_RIGHT_BRACE}};

/* The longest that fits. */
static int take_operator(struct traceql_lexer *l, struct traceql_token *t, struct err *e)
{
    struct str rest = str_skip(l->text, l->at);
    size_t longest = 0;
    for (int op = 0; op < TRACEQL_OPERATOR_COUNT; op++) {
        struct str text = str_of(traceql_operator_text((enum traceql_operator)op));
        if (text.len > longest && str_starts_with(rest, text)) {
            longest = text.len;
            t->kind = TRACEQL_TOKEN_OPERATOR;
            t->op = (enum traceql_operator)op;
        }
    }
    for (size_t i = 0; longest == 0 && i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (*rest.ptr == *marks[i].text) {
            longest = 1;
            t->kind = marks[i].kind;
        }
    }
    l->at += longest;
    return longest == 0 ? fail(l->at, e, "a character that has no meaning here") : 0;
}

int traceql_lexer_next(struct traceql_lexer *l, struct traceql_token *token_out, struct err *e)
{
    struct traceql_token t = {.kind = TRACEQL_TOKEN_END};
    int status = 0;
    while (l->at < l->text.len && isspace((unsigned char)l->text.ptr[l->at])) {
        l->at++;
    }
    t.position = l->at;
    char c = peek(l, 0);
    if (l->at == l->text.len) {
        t.kind = TRACEQL_TOKEN_END;
    } else if (c == '"' || c == '`') {
        status = take_string(l, &t, e);
    } else if (is_word_start(c)) {
        status = take_word(l, &t, e);
    } else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(l, 1)))) {
        status = take_number(l, &t, e);
    } else if (c == '.') {
        l->at++;
        t.scope = TRACEQL_SCOPE_ANY;
        status = take_key(l, &t, e);
    } else {
        status = take_operator(l, &t, e);
    }
    t.end = l->at;
    *token_out = t;
    return status;
}
