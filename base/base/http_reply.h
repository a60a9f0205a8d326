/* What goes into replies besides what handlers put there. Private to http_server.c. */
#ifndef SONDE_BASE_HTTP_REPLY_H
#define SONDE_BASE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Whether a body is long enough, and of a type, to be worth compressing. */
bool http_reply_is_compressible(const char *content_type, size_t size);
/* Replaces a body by its gzip form where that is shorter; false, and nothing changed, where not. */
bool http_reply_compress(struct strbuf *body);
/* Whether Access-Control-Allow-Origin is sent: a configured origin of "*" lets everybody read, a
 * named one may use every method, "" is nobody. */
bool http_reply_allows_origin(const char *origin, struct str method);
/* The sentence for a request that no handler gets to see: 400, 404, 405, 413, 503. */
void http_reply_refusal(
    unsigned status, struct str method, const char *allowed, size_t body_max, struct strbuf *out);

#endif
