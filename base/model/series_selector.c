/* Selectors of series. */
#include "model/series_selector.h"

#include <string.h>

struct cursor {
    struct str text;
    size_t at;
    struct err *err;
};

static int fail(const struct cursor *c, const char *what)
{
    return err_set(c->err, ERR_INVALID, (int64_t)c->at,
        "selector \"%.*s\", character %zu: %s; accepted: name{label=\"value\", other=~\"pattern\"}",
        STR_ARG(c->text), c->at + 1, what);
}

static char look(const struct cursor *c)
{
    return c->at < c->text.len ? c->text.ptr[c->at] : '\0';
}

static void skip_blanks(struct cursor *c)
{
    while (look(c) == ' ' || look(c) == '\t') {
        c->at++;
    }
}

static struct str take_word(struct cursor *c)
{
    size_t from = c->at;
    for (char x = look(c); (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || x == '_' ||
                           x == ':' || (c->at > from && x >= '0' && x <= '9');
         x = look(c)) {
        c->at++;
    }
    return str_make(c->text.ptr + from, c->at - from);
}

static bool take_operator(struct cursor *c, enum matcher_type *type_out)
{
    static const struct {
        struct str text;
        enum matcher_type type;
    } rows[] = {{{"=~", 2}, MATCHER_REGEX}, {{"!~", 2}, MATCHER_NOT_REGEX},
        {{"!=", 2}, MATCHER_NOT_EQUAL}, {{"=", 1}, MATCHER_EQUAL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_starts_with(str_skip(c->text, c->at), rows[i].text)) {
            c->at += rows[i].text.len;
            *type_out = rows[i].type;
            return true;
        }
    }
    return false;
}

/* A string in quotes; a backslash keeps the character behind it. */
static int take_string(struct cursor *c, struct strbuf *out)
{
    char quote = look(c);
    if (quote != '"' && quote != '\'') {
        return fail(c, "expected a string in quotes");
    }
    for (c->at++; c->at < c->text.len && look(c) != quote; c->at++) {
        bool escape = look(c) == '\\' && c->at + 1 < c->text.len;
        char next = escape ? c->text.ptr[c->at + 1] : '\0';
        if (escape && (next == quote || next == '\\')) {
            c->at++;
        }
        strbuf_add_char(out, look(c));
    }
    if (c->at >= c->text.len) {
        return fail(c, "the string does not end");
    }
    c->at++;
    return strbuf_error(out);
}

static int add_matcher(struct series_selector *s, enum matcher_type type, struct str name,
    struct str value, struct err *e)
{
    if (s->count == SERIES_SELECTOR_MATCHERS_MAX) {
        return err_set(e, ERR_LIMIT, -1, "more than %d conditions in a selector",
            SERIES_SELECTOR_MATCHERS_MAX);
    }
    int status = matcher_new(type, name, value, &s->matchers[s->count], e);
    s->count += status == 0;
    return status;
}

static int take_condition(struct cursor *c, struct series_selector *s)
{
    enum matcher_type type;
    struct strbuf value = STRBUF_INIT;
    struct str name = take_word(c);
    if (name.len == 0) {
        return fail(c, "expected a label name");
    }
    skip_blanks(c);
    if (!take_operator(c, &type)) {
        return fail(c, "expected =, !=, =~ or !~");
    }
    skip_blanks(c);
    int status = take_string(c, &value);
    status = status == 0 ? add_matcher(s, type, name, strbuf_str(&value), c->err) : status;
    strbuf_release(&value);
    return status;
}

static int parse(struct cursor *c, struct series_selector *s)
{
    skip_blanks(c);
    struct str name = take_word(c);
    int status =
        name.len > 0 ? add_matcher(s, MATCHER_EQUAL, STR(LABEL_METRIC_NAME), name, c->err) : 0;
    skip_blanks(c);
    if (status == 0 && look(c) == '{') {
        c->at++;
        skip_blanks(c);
        while (status == 0 && look(c) != '}') {
            status = take_condition(c, s);
            skip_blanks(c);
            if (status == 0 && look(c) == ',') {
                c->at++;
                skip_blanks(c);
            } else if (status == 0 && look(c) != '}') {
                return fail(c, "expected , or }");
            }
        }
        c->at += status == 0;
        skip_blanks(c);
    }
    return status != 0 ? status : c->at < c->text.len ? fail(c, "unexpected text") : 0;
}

int series_selector_parse(struct str text, struct series_selector *out, struct err *e)
{
    struct cursor c = {.text = text, .err = e};
    *out = (struct series_selector){.count = 0};
    int status = parse(&c, out);
    if (status == 0 && out->count == 0) {
        status = fail(&c, "no condition at all");
    }
    if (status != 0) {
        series_selector_release(out);
    }
    return status;
}

void series_selector_release(struct series_selector *s)
{
    for (size_t i = 0; i < s->count; i++) {
        matcher_free(s->matchers[i]);
    }
    s->count = 0;
}

bool series_selector_matches(
    const struct series_selector *s, const struct label *labels, size_t count)
{
    for (size_t i = 0; i < s->count; i++) {
        struct str value = STR("");
        for (size_t k = 0; k < count; k++) {
            value = str_eq(labels[k].name, s->matchers[i]->name) ? labels[k].value : value;
        }
        if (!matcher_matches(s->matchers[i], value)) {
            return false;
        }
    }
    return true;
}
