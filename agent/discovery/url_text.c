/* Percent-encoding. */
#include "discovery/url_text.h"

#include <string.h>

void url_add_encoded(struct strbuf *url, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            strbuf_add_char(url, (char)c);
        } else {
            strbuf_addf(url, "%%%02X", c);
        }
    }
}

void url_add_parameter(struct strbuf *url, struct str name, struct str value)
{
    bool has_query = url->size > 0 && memchr(url->data, '?', url->size) != NULL;
    strbuf_add_char(url, has_query ? '&' : '?');
    url_add_encoded(url, name);
    strbuf_add_char(url, '=');
    url_add_encoded(url, value);
}
