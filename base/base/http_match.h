/* What a request asks for against what is offered: paths, methods, content codings. Pure functions,
 * private to http_server.c. */
#ifndef SONDE_BASE_HTTP_MATCH_H
#define SONDE_BASE_HTTP_MATCH_H

#include <stdbool.h>

#include "base/http_route.h"
#include "base/str.h"
#include "base/strbuf.h"

/* The better the larger. */
enum http_match_quality {
    HTTP_MATCH_NONE,
    HTTP_MATCH_WILDCARD,
    HTTP_MATCH_NAMED,
    HTTP_MATCH_EXACT
};

/* `pattern` is a path, may have one ":name" segment, and may end in "*" after a slash. `path` is as
 * sent, still encoded. What the name or the star stands for is put in `*value_out` (empty for an
 * exact match). */
enum http_match_quality http_match_path(
    const char *pattern, struct str path, struct str *value_out);
/* `methods` is a list with spaces between. GET implies HEAD. */
bool http_match_method(const char *methods, struct str method);
/* The best route for a path that takes the method, and what its name or star stands for; NULL when
 * there is none. */
const struct http_route *http_match_route(const struct http_route *routes, size_t count,
    struct str path, struct str method, struct str *value_out);
/* "GET, HEAD, OPTIONS": what a path answers; nothing when no route has it. Routes for all below count only
 * where there is no other: they say what is not there. */
void http_match_methods(
    const struct http_route *routes, size_t count, struct str path, struct strbuf *out);
/* Cuts a target into path and query, both still encoded, and takes `prefix` ("" or "/sonde") off the
 * path; false when it is not there. */
bool http_match_target(
    struct str target, const char *prefix, struct str *path_out, struct str *query_out);
/* Whether an Accept-Encoding header allows gzip (RFC 9110, section 12.5.3); false when absent. */
bool http_accepts_gzip(struct str accept_encoding);
/* Media types worth compressing: text, JSON, JavaScript, XML, SVG. */
bool http_is_compressible(struct str content_type);
/* The media type without parameters, compared without case. */
bool http_media_type_is(struct str content_type, const char *media_type);

#endif
