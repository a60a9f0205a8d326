/* Settings as others may see them: on a status page, in what a check prints, in a log. */
#include "base/config.h"

#define SECRET_MARK "<secret>"

/* The user and password of "scheme://user:password@host…", with the @; empty when there are none.
 * RFC 3986, section 3.2: an authority ends at the first of / ? #, its user at the last @ before. */
static struct str user_of_url(struct str text)
{
    size_t scheme = 0;
    while (scheme < text.len && text.ptr[scheme] != ':' && text.ptr[scheme] > ' ') {
        scheme++;
    }
    if (scheme == 0 || text.len - scheme < 3 || memcmp(text.ptr + scheme, "://", 3) != 0) {
        return (struct str){text.ptr, 0};
    }
    size_t start = scheme + 3, after = start;
    for (size_t i = start; i < text.len && strchr("/?#", text.ptr[i]) == NULL; i++) {
        after = text.ptr[i] == '@' ? i + 1 : after;
    }
    return str_make(text.ptr + start, after - start);
}

void config_add_public_url(struct str text, struct strbuf *out)
{
    struct str user = user_of_url(text);
    if (user.len == 0) {
        strbuf_add_str(out, text);
        return;
    }
    strbuf_add_str(out, str_make(text.ptr, (size_t)(user.ptr - text.ptr)));
    strbuf_add_c(out, SECRET_MARK "@");
    const char *rest = user.ptr + user.len;
    strbuf_add_str(out, str_make(rest, (size_t)(text.ptr + text.len - rest)));
}

void config_add_public(const struct config_field *field, const char *text, struct strbuf *out)
{
    if (field->secret && text[0] != '\0') {
        strbuf_add_c(out, SECRET_MARK);
    } else {
        config_add_public_url(str_of(text), out);
    }
}
