/* What a request's header may be. Shared by the two ways in which the HTTP client sends. */
#ifndef SONDE_BASE_HTTP_CLIENT_HEADER_H
#define SONDE_BASE_HTTP_CLIENT_HEADER_H

#include <stdbool.h>
#include <string.h>

static inline bool http_client_is_header_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

/* A line end inside a header would begin another one. */
static inline bool http_client_header_is_good(const char *name, const char *value)
{
    return name[0] != '\0' && strpbrk(name, ":; \t") == NULL && http_client_is_header_text(name) &&
           http_client_is_header_text(value);
}

#endif
