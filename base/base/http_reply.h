/* What goes into replies besides what handlers put there. Private to http_server.c. */
#ifndef SONDE_BASE_HTTP_REPLY_H
#define SONDE_BASE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/regex.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Whether a body is long enough, and of a type, to be worth compressing. */
bool http_reply_is_compressible(const char *content_type, size_t size);
/* Replaces a body by its gzip form where that is shorter; false, and nothing changed, where not. */
bool http_reply_compress(struct strbuf *body);
/* What Access-Control-Allow-Origin says to a request from `origin` (ptr NULL: none was named); empty: it is
 * not sent. Without a pattern everybody may read; with one, whom it matches may use every method. */
struct str http_reply_allowed_origin(
    const struct regex *pattern, struct str origin, struct str method);
/* The sentence for a request that no handler gets to see: 400, 401, 404, 405, 413, 503. */
void http_reply_refusal(
    unsigned status, struct str method, const char *allowed, size_t body_max, struct strbuf *out);

#endif
