/* Conditions on labels. */
#include "model/matcher.h"

#include "base/mem.h"
#include "label_text.h"

static bool is_regex(enum matcher_type type)
{
    return type == MATCHER_REGEX || type == MATCHER_NOT_REGEX;
}

int matcher_new(enum matcher_type type, struct str name, struct str value,
    struct matcher **matcher_out, struct err *e)
{
    struct matcher *m = mem_calloc(1, sizeof(*m));
    char *name_copy = mem_strndup(name.ptr, name.len);
    char *value_copy = mem_strndup(value.ptr, value.len);
    int status = 0;
    if (m == NULL || name_copy == NULL || value_copy == NULL) {
        mem_free(m);
        mem_free(name_copy);
        mem_free(value_copy);
        return err_set(e, ERR_NOMEM, -1, "out of memory for a matcher");
    }
    m->type = type;
    m->name = str_make(name_copy, name.len);
    m->value = str_make(value_copy, value.len);
    if (is_regex(type)) {
        status = regex_new(m->value, &m->regex, e);
    }
    if (status != 0) {
        matcher_free(m);
        return status;
    }
    *matcher_out = m;
    return 0;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL) {
        return;
    }
    regex_free(m->regex);
    mem_free((char *)(uintptr_t)m->name.ptr);
    mem_free((char *)(uintptr_t)m->value.ptr);
    mem_free(m);
}

bool matcher_matches(const struct matcher *m, struct str value)
{
    switch (m->type) {
    case MATCHER_EQUAL:
        return str_eq(m->value, value);
    case MATCHER_NOT_EQUAL:
        return !str_eq(m->value, value);
    case MATCHER_REGEX:
        return regex_matches(m->regex, value);
    case MATCHER_NOT_REGEX:
        return !regex_matches(m->regex, value);
    }
    return false;
}

bool matchers_match(const struct matcher *const *matchers, size_t count, const struct labels *l)
{
    for (size_t i = 0; i < count; i++) {
        if (!matcher_matches(matchers[i], labels_get(l, matchers[i]->name))) {
            return false;
        }
    }
    return true;
}

void matcher_write(const struct matcher *m, struct strbuf *out)
{
    static const char *const operators[] = {"=", "!=", "=~", "!~"};
    label_text_name(m->name, out);
    strbuf_add_c(out, operators[m->type]);
    label_text_quote(m->value, out);
}
