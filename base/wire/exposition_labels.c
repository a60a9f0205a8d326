/* Splitting the text of a series into labels: name{a="b",c="d"} or {"utf-8 name",a="b"}. */
#include <string.h>

#include "wire/exposition.h"

struct cursor {
    struct exposition_parser *parser;
    struct str text;
    size_t at;
    struct err *err;
};

static int fail(const struct cursor *c, const char *what)
{
    return err_set(c->err, ERR_INVALID,
        (int64_t)(c->text.ptr - c->parser->body.ptr) + (int64_t)c->at,
        "line %zu: %s at \"%.*s\" of %.*s", c->parser->line, what,
        (int)(c->text.len - c->at > 24 ? 24 : c->text.len - c->at), c->text.ptr + c->at,
        (int)(c->text.len > 120 ? 120 : c->text.len), c->text.ptr);
}

static char look(const struct cursor *c)
{
    return c->at < c->text.len ? c->text.ptr[c->at] : '\0';
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->text.len && (look(c) == ' ' || look(c) == '\t')) {
        c->at++;
    }
}

static bool is_word(char c, bool first, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') ||
           (!first && c >= '0' && c <= '9');
}

static struct str take_name(struct cursor *c, bool colon)
{
    size_t from = c->at;
    while (c->at < c->text.len && is_word(look(c), c->at == from, colon)) {
        c->at++;
    }
    return str_make(c->text.ptr + from, c->at - from);
}

/* Undoes \\ \" \n; a backslash before anything else stands for itself, as in Prometheus. */
static int unescape(struct cursor *c, struct str raw, struct str *value_out)
{
    char *copy = arena_alloc(c->parser->arena, raw.len);
    if (copy == NULL) {
        return err_set(c->err, arena_error(c->parser->arena), -1, "out of memory for a label");
    }
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char next = i + 1 < raw.len ? raw.ptr[i + 1] : '\0';
        if (raw.ptr[i] == '\\' && (next == '\\' || next == '"' || next == 'n')) {
            copy[n++] = next == 'n' ? '\n' : next;
            i++;
        } else {
            copy[n++] = raw.ptr[i];
        }
    }
    *value_out = str_make(copy, n);
    return 0;
}

/* The string whose opening quote is here. */
static int take_quoted(struct cursor *c, struct str *value_out)
{
    if (look(c) != '"') {
        return fail(c, "expected a quoted string");
    }
    size_t from = ++c->at;
    bool escaped = false;
    while (c->at < c->text.len && look(c) != '"') {
        escaped = escaped || look(c) == '\\';
        c->at += look(c) == '\\' ? 2 : 1;
    }
    if (c->at >= c->text.len) {
        c->at = c->text.len;
        return fail(c, "a quoted string does not end");
    }
    struct str raw = str_make(c->text.ptr + from, c->at - from);
    c->at++;
    if (!str_is_utf8(raw)) {
        return fail(c, "invalid UTF-8 label value before");
    }
    *value_out = raw;
    return escaped ? unescape(c, raw, value_out) : 0;
}

/* One element of the braces: name="value", "name"="value", or the quoted metric name alone. */
static int take_pair(struct cursor *c, struct label *pair_out)
{
    int status = 0;
    bool quoted = look(c) == '"';
    if (quoted) {
        status = take_quoted(c, &pair_out->name);
    } else {
        pair_out->name = take_name(c, false);
        if (pair_out->name.len == 0) {
            return fail(c, "expected a label name");
        }
    }
    if (status != 0) {
        return status;
    }
    skip_blanks(c);
    if (look(c) != '=') {
        if (!quoted) {
            return fail(c, "expected = after the label name");
        }
        pair_out->value = pair_out->name;
        pair_out->name = STR(LABEL_METRIC_NAME);
        return 0;
    }
    c->at++;
    skip_blanks(c);
    return take_quoted(c, &pair_out->value);
}

static int add_pair(
    struct cursor *c, struct label pair, struct label *pairs, size_t cap, size_t *count)
{
    if (*count == cap) {
        return err_set(
            c->err, ERR_LIMIT, -1, "line %zu: more than %zu labels", c->parser->line, cap);
    }
    if (str_eq(pair.name, STR(LABEL_METRIC_NAME)) && *count > 0 &&
        str_eq(pairs[0].name, STR(LABEL_METRIC_NAME))) {
        return fail(c, "the metric name comes twice before");
    }
    pairs[(*count)++] = pair;
    return 0;
}

static int take_braces(struct cursor *c, struct label *pairs, size_t cap, size_t *count)
{
    c->at++; /* { */
    skip_blanks(c);
    while (look(c) != '}') {
        struct label pair;
        int status = take_pair(c, &pair);
        if (status == 0) {
            status = add_pair(c, pair, pairs, cap, count);
        }
        if (status != 0) {
            return status;
        }
        skip_blanks(c);
        if (look(c) == ',') {
            c->at++;
            skip_blanks(c);
        } else if (look(c) != '}') {
            return fail(c, "expected , or }");
        }
    }
    c->at++;
    return 0;
}

int exposition_labels(struct exposition_parser *p, struct str series_text, struct label *pairs,
    size_t cap, size_t *count_out, struct err *e)
{
    struct cursor c = {.parser = p, .text = series_text, .err = e};
    size_t count = 0;
    int status = 0;
    struct str name = take_name(&c, true);
    if (name.len > 0) {
        status = add_pair(&c, (struct label){STR(LABEL_METRIC_NAME), name}, pairs, cap, &count);
    }
    skip_blanks(&c);
    if (status == 0 && look(&c) == '{') {
        status = take_braces(&c, pairs, cap, &count);
    }
    if (status != 0) {
        return status;
    }
    if (c.at != series_text.len) {
        return fail(&c, "unexpected text");
    }
    *count_out = count;
    return 0;
}
