/* Replacing names by values of the environment. */
#include "agent_config_expand.h"

#include <string.h>

enum { NAME_BYTES_MAX = 256, SHOWN_BYTES = 40 };

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* Letters, digits and _ at the beginning of `text`. */
static size_t name_length(struct str text)
{
    size_t n = 0;
    while (n < text.len && is_name(text.ptr[n], n == 0)) {
        n++;
    }
    return n;
}

static const char *look_up(struct str name, agent_environment environment)
{
    char text[NAME_BYTES_MAX];
    if (name.len >= sizeof(text)) {
        return NULL;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return environment(text);
}

int agent_config_expand(struct str text, const char *file, agent_environment environment,
    struct strbuf *out, struct err *e)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < text.len;) {
        struct str rest = str_skip(text, i);
        if (!str_starts_with(rest, STR("%{"))) {
            strbuf_add_char(out, text.ptr[i]);
            column = text.ptr[i] == '\n' ? 1 : column + 1;
            line += text.ptr[i++] == '\n';
            continue;
        }
        struct str name = str_skip(rest, 2);
        name.len = name_length(name);
        bool ends = name.len > 0 && rest.len > name.len + 2 && rest.ptr[name.len + 2] == '}';
        const char *value = ends ? look_up(name, environment) : NULL;
        if (value == NULL) {
            struct str line_left = rest;
            struct str shown = ends ? name : str_split(&line_left, '\n');
            return err_set(e, ERR_INVALID, -1, "%s:%zu:%zu: %s \"%.*s\"", file, line, column,
                ends ? "there is no environment variable" : "expected %{NAME}, found",
                (int)(shown.len < SHOWN_BYTES ? shown.len : SHOWN_BYTES), shown.ptr);
        }
        strbuf_add_c(out, value);
        i += name.len + 3;
        column += name.len + 3;
    }
    return strbuf_error(out);
}

void agent_config_expand_label(struct str value, agent_environment environment, struct strbuf *out)
{
    for (size_t i = 0; i < value.len;) {
        struct str rest = str_skip(value, i + 1);
        if (value.ptr[i] != '$') {
            strbuf_add_char(out, value.ptr[i++]);
            continue;
        }
        bool braced = rest.len > 0 && rest.ptr[0] == '{';
        struct str name = braced ? str_skip(rest, 1) : rest;
        name.len = name_length(name);
        bool ends = !braced || (rest.len > name.len + 1 && rest.ptr[name.len + 1] == '}');
        if (rest.len > 0 && rest.ptr[0] == '$') {
            strbuf_add_char(out, '$');
            i += 2;
        } else if (name.len == 0 || !ends) {
            strbuf_add_char(out, value.ptr[i++]); /* no name: it stands for itself */
        } else {
            const char *found = look_up(name, environment);
            strbuf_add_c(out, found != NULL ? found : "");
            i += 1 + name.len + (braced ? 2 : 0);
        }
    }
}
