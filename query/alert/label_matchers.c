/* Reading Alertmanager's matchers.
 *
 *   set     = [ "{" ] [ matcher { "," matcher } [ "," ] ] [ "}" ]
 *   matcher = name ( "=" | "!=" | "=~" | "!~" ) value
 *   name    = quoted | what is neither white space, quote, comma nor part of an operator
 *   value   = quoted | what stands before the next comma, without white space around it
 *
 * The value without quotes is what makes one parser do for both grammars: the classic one takes
 * anything up to the comma, and the newer one less.
 */
#include "alert/label_matchers.h"

#include <stdlib.h>

#include "base/mem.h"

struct cursor {
    struct str text;
    size_t at;
    struct strbuf word; /* of the quoted text read last */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(struct cursor *c)
{
    while (c->at < c->text.len && is_space(c->text.ptr[c->at])) {
        c->at++;
    }
}

static bool take(struct cursor *c, const char *word)
{
    struct str rest = str_skip(c->text, c->at);
    if (!str_starts_with(rest, str_of(word))) {
        return false;
    }
    c->at += strlen(word);
    return true;
}

static int fail_at(const struct cursor *c, size_t position, struct err *e, const char *what)
{
    return err_set(e, ERR_INVALID, (int64_t)position,
        "bad matcher: %s at byte %zu of \"%.*s\"; a matcher looks like severity=\"page\", with =, "
        "!=, =~ or !~",
        what, position, STR_ARG(c->text));
}

/* After the opening quote. */
static int read_quoted(struct cursor *c, struct err *e)
{
    size_t begun = c->at - 1;
    strbuf_reset(&c->word);
    strbuf_add_c(&c->word, "");
    while (c->at < c->text.len && c->text.ptr[c->at] != '"') {
        char byte = c->text.ptr[c->at++];
        char next = c->at < c->text.len ? c->text.ptr[c->at] : '\0';
        if (byte == '\\' && (next == 'n' || next == '"' || next == '\\')) {
            byte = next == 'n' ? '\n' : next;
            c->at++;
        }
        strbuf_add_char(&c->word, byte);
    }
    if (c->at == c->text.len) {
        return fail_at(c, begun, e, "a quote that is not closed");
    }
    c->at++;
    return strbuf_error(&c->word);
}

static bool is_name_byte(char c)
{
    return !is_space(c) && c != '\0' && strchr("{}=!~,\"'`\\", c) == NULL;
}

static int read_name(struct cursor *c, struct str *name_out, struct err *e)
{
    if (take(c, "\"")) {
        int status = read_quoted(c, e);
        *name_out = strbuf_str(&c->word);
        if (status == 0 && name_out->len == 0) {
            return fail_at(c, c->at, e, "an empty name");
        }
        return status;
    }
    size_t begun = c->at;
    while (c->at < c->text.len && is_name_byte(c->text.ptr[c->at])) {
        c->at++;
    }
    *name_out = str_make(c->text.ptr + begun, c->at - begun);
    return c->at > begun ? 0 : fail_at(c, begun, e, "a name was expected");
}

static int read_operator(struct cursor *c, enum matcher_type *type_out, struct err *e)
{
    static const struct {
        const char *text;
        enum matcher_type type;
    } operators[] = {{"=~", MATCHER_REGEX}, {"!~", MATCHER_NOT_REGEX}, {"!=", MATCHER_NOT_EQUAL},
        {"=", MATCHER_EQUAL}};
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (take(c, operators[i].text)) {
            *type_out = operators[i].type;
            return 0;
        }
    }
    return fail_at(c, c->at, e, "an operator was expected");
}

static int read_value(struct cursor *c, struct str *value_out, struct err *e)
{
    if (take(c, "\"")) {
        int status = read_quoted(c, e);
        *value_out = strbuf_str(&c->word);
        return status;
    }
    size_t begun = c->at;
    strbuf_reset(&c->word);
    strbuf_add_c(&c->word, "");
    while (c->at < c->text.len && c->text.ptr[c->at] != ',') {
        char byte = c->text.ptr[c->at++];
        char next = c->at < c->text.len ? c->text.ptr[c->at] : '\0';
        if (byte == '"') {
            return fail_at(c, c->at - 1, e, "a quote inside a value without quotes");
        }
        if (byte == '\\' && (next == 'n' || next == '"' || next == '\\')) {
            byte = next == 'n' ? '\n' : next;
            c->at++;
        }
        strbuf_add_char(&c->word, byte);
    }
    *value_out = str_trim(strbuf_str(&c->word));
    if (!str_is_utf8(*value_out)) {
        return fail_at(c, begun, e, "a value that is not UTF-8");
    }
    return strbuf_error(&c->word);
}

static int read_matcher(struct label_matchers *set, struct cursor *c, struct err *e)
{
    struct str name, value;
    enum matcher_type type;
    int status = read_name(c, &name, e);
    if (status != 0) {
        return status;
    }
    /* The word of a quoted name is overwritten by a quoted value. */
    char *kept = mem_strndup(name.ptr, name.len);
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    size_t length = name.len;
    skip_spaces(c);
    status = read_operator(c, &type, e);
    if (status == 0) {
        skip_spaces(c);
        status = read_value(c, &value, e);
    }
    if (status == 0) {
        status = label_matchers_add(set, type, str_make(kept, length), value, e);
    }
    mem_free(kept);
    return status;
}

static int read_set(struct label_matchers *set, struct cursor *c, struct err *e)
{
    int status = 0;
    skip_spaces(c);
    while (status == 0 && c->at < c->text.len) {
        status = read_matcher(set, c, e);
        skip_spaces(c);
        if (status == 0 && c->at < c->text.len && !take(c, ",")) {
            status = fail_at(c, c->at, e, "a comma was expected");
        }
        skip_spaces(c);
    }
    return status;
}

int label_matchers_parse(struct label_matchers *set, struct str text, struct err *e)
{
    struct str inner = str_trim(text);
    if (inner.len > LABEL_MATCHERS_BYTES_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "matchers of more than %zu bytes", LABEL_MATCHERS_BYTES_MAX);
    }
    if (inner.len > 0 && inner.ptr[0] == '{') {
        if (!str_ends_with(inner, STR("}"))) {
            return err_set(e, ERR_INVALID, (int64_t)inner.len,
                "bad matcher: the brace of \"%.*s\" is not closed", STR_ARG(inner));
        }
        inner = str_trim(str_make(inner.ptr + 1, inner.len - 2));
    }
    struct cursor c = {.text = inner};
    strbuf_init(&c.word, LABEL_MATCHERS_BYTES_MAX + 1);
    int status = read_set(set, &c, e);
    strbuf_release(&c.word);
    return status;
}

int label_matchers_add(struct label_matchers *set, enum matcher_type type, struct str name,
    struct str value, struct err *e)
{
    if (name.len == 0 || !str_is_utf8(name) || !str_is_utf8(value)) {
        return err_set(e, ERR_INVALID, -1, "a matcher needs a name, and name and value in UTF-8");
    }
    int status = mem_array_grow(
        (void **)&set->items, &set->cap, set->count + 1, sizeof(*set->items), LABEL_MATCHERS_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "more than %d matchers in one set", LABEL_MATCHERS_MAX);
    }
    status = matcher_new(type, name, value, &set->items[set->count], e);
    set->count += status == 0;
    return status;
}

static int compare(const struct matcher *a, const struct matcher *b)
{
    int order = str_cmp(a->name, b->name);
    order = order != 0 ? order : (int)a->type - (int)b->type;
    return order != 0 ? order : str_cmp(a->value, b->value);
}

static int compare_items(const void *a, const void *b)
{
    return compare(*(struct matcher *const *)a, *(struct matcher *const *)b);
}

void label_matchers_sort(struct label_matchers *set)
{
    if (set->count > 1) {
        qsort(set->items, set->count, sizeof(*set->items), compare_items);
    }
}

void label_matchers_release(struct label_matchers *set)
{
    for (size_t i = 0; i < set->count; i++) {
        matcher_free(set->items[i]);
    }
    mem_free(set->items);
    *set = (struct label_matchers){0};
}

bool label_matchers_match(const struct label_matchers *set, const struct labels *labels)
{
    return matchers_match((const struct matcher *const *)set->items, set->count, labels);
}

bool label_matchers_eq(const struct label_matchers *a, const struct label_matchers *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = compare(a->items[i], b->items[i]) == 0;
    }
    return same;
}

void label_matchers_write(const struct label_matchers *set, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < set->count; i++) {
        strbuf_add_c(out, i > 0 ? "," : "");
        matcher_write(set->items[i], out);
    }
    strbuf_add_char(out, '}');
}
