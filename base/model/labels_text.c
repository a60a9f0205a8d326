/* Label sets as people read them, and the grammar of names. */
#include "base/strbuf.h"
#include "label_text.h"
#include "model/labels.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_classic(struct str name, bool colon)
{
    if (name.len == 0) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9';
        if (!is_letter(c) && !(colon && c == ':') && !(digit && i > 0)) {
            return false;
        }
    }
    return true;
}

bool label_name_is_classic(struct str name)
{
    return is_classic(name, false);
}

bool metric_name_is_classic(struct str name)
{
    return is_classic(name, true);
}

void label_text_quote(struct str value, struct strbuf *out)
{
    static const char hex[] = "0123456789abcdef";
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        switch (c) {
        case '"':
        case '\\':
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, c);
            break;
        case '\n':
            strbuf_add_c(out, "\\n");
            break;
        case '\t':
            strbuf_add_c(out, "\\t");
            break;
        case '\r':
            strbuf_add_c(out, "\\r");
            break;
        default:
            if ((unsigned char)c < 0x20 || c == 0x7f) {
                char escape[4] = {'\\', 'x', hex[(unsigned char)c >> 4], hex[c & 15]};
                strbuf_add(out, escape, sizeof(escape));
            } else {
                strbuf_add_char(out, c);
            }
        }
    }
    strbuf_add_char(out, '"');
}

void label_text_name(struct str name, struct strbuf *out)
{
    if (label_name_is_classic(name)) {
        strbuf_add_str(out, name);
    } else {
        label_text_quote(name, out);
    }
}

void labels_write(const struct labels *l, struct strbuf *out)
{
    struct str metric = labels_get(l, STR(LABEL_METRIC_NAME));
    bool bare_metric = metric_name_is_classic(metric);
    if (bare_metric) {
        strbuf_add_str(out, metric);
        if (labels_count(l) == 1) {
            return;
        }
    }
    strbuf_add_char(out, '{');
    bool first = true;
    if (metric.len > 0 && !bare_metric) {
        label_text_quote(metric, out);
        first = false;
    }
    for (size_t i = 0; i < labels_count(l); i++) {
        struct label pair = labels_at(l, i);
        if (str_eq(pair.name, STR(LABEL_METRIC_NAME))) {
            continue;
        }
        if (!first) {
            strbuf_add_c(out, ", ");
        }
        first = false;
        label_text_name(pair.name, out);
        strbuf_add_char(out, '=');
        label_text_quote(pair.value, out);
    }
    strbuf_add_char(out, '}');
}
