/* Matching of paths, methods and content codings: all that can be decided about a request without a
 * server. */
#include "http_match.h"

#include <strings.h>

static bool equal_without_case(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

/* The segment at the front of `*path`, which moves on to what follows it. */
static struct str take_segment(struct str *path)
{
    ptrdiff_t slash = str_find(*path, '/');
    struct str segment = str_make(path->ptr, slash < 0 ? path->len : (size_t)slash);
    *path = str_skip(*path, segment.len);
    return segment;
}

enum http_match_quality http_match_path(const char *pattern, struct str path, struct str *value_out)
{
    struct str wanted = str_of(pattern);
    *value_out = STR("");
    if (str_ends_with(wanted, STR("/*"))) {
        wanted.len--;
        if (!str_starts_with(path, wanted)) {
            return HTTP_MATCH_NONE;
        }
        *value_out = str_skip(path, wanted.len);
        return HTTP_MATCH_WILDCARD;
    }
    ptrdiff_t colon = str_find(wanted, ':');
    if (colon < 0) {
        return str_eq(path, wanted) ? HTTP_MATCH_EXACT : HTTP_MATCH_NONE;
    }
    struct str before = str_make(wanted.ptr, (size_t)colon);
    struct str after = str_skip(wanted, (size_t)colon);
    (void)take_segment(&after);
    if (!str_starts_with(path, before)) {
        return HTTP_MATCH_NONE;
    }
    struct str rest = str_skip(path, before.len);
    struct str value = take_segment(&rest);
    if (value.len == 0 || !str_eq(rest, after)) {
        return HTTP_MATCH_NONE;
    }
    *value_out = value;
    return HTTP_MATCH_NAMED;
}

bool http_match_method(const char *methods, struct str method)
{
    struct str wanted = str_eq_c(method, "HEAD") ? STR("GET") : method;
    struct str list = str_of(methods);
    while (list.len > 0) {
        struct str one = str_split(&list, ' ');
        if (str_eq(one, wanted) || str_eq(one, method)) {
            return true;
        }
    }
    return false;
}

const struct http_route *http_match_route(const struct http_route *routes, size_t count,
    struct str path, struct str method, struct str *value_out)
{
    const struct http_route *best = NULL;
    enum http_match_quality best_quality = HTTP_MATCH_NONE;
    for (size_t i = 0; i < count; i++) {
        const struct http_route *route = &routes[i];
        struct str value;
        enum http_match_quality quality = http_match_path(route->path, path, &value);
        bool better = quality > best_quality || (best != NULL && quality == best_quality &&
                                                    strlen(route->path) > strlen(best->path));
        if (better && http_match_method(route->method, method)) {
            best = route;
            best_quality = quality;
            *value_out = value;
        }
    }
    return best;
}

void http_match_methods(
    const struct http_route *routes, size_t count, struct str path, struct strbuf *out)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    enum http_match_quality best = HTTP_MATCH_NONE;
    size_t before = out->size;
    struct str value;
    for (size_t i = 0; i < count; i++) {
        enum http_match_quality quality = http_match_path(routes[i].path, path, &value);
        best = quality > best ? quality : best;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct http_route *route =
            http_match_route(routes, count, path, str_of(known[i]), &value);
        if (route != NULL && (best == HTTP_MATCH_WILDCARD || http_match_path(route->path, path,
                                                                 &value) > HTTP_MATCH_WILDCARD)) {
            strbuf_addf(out, "%s, ", known[i]);
        }
    }
    strbuf_add_c(out, out->size > before ? "OPTIONS" : "");
}

bool http_match_target(
    struct str target, const char *prefix, struct str *path_out, struct str *query_out)
{
    struct str query = target;
    struct str path = str_split(&query, '?');
    size_t length = strlen(prefix);
    if (length > 0) {
        if (!str_starts_with(path, str_of(prefix)) ||
            (path.len > length && path.ptr[length] != '/')) {
            return false;
        }
        path = str_skip(path, length);
    }
    *path_out = path.len > 0 ? path : STR("/");
    *query_out = query;
    return true;
}

/* "q=0", "q=0.0", "q=0.000": refused. */
static bool weight_is_zero(struct str parameters)
{
    while (parameters.len > 0) {
        struct str one = str_trim(str_split(&parameters, ';'));
        if (one.len >= 3 && (one.ptr[0] | 0x20) == 'q' && one.ptr[1] == '=') {
            for (size_t i = 2; i < one.len; i++) {
                if (one.ptr[i] != '0' && one.ptr[i] != '.') {
                    return false;
                }
            }
            return true;
        }
    }
    return false;
}

bool http_accepts_gzip(struct str accept_encoding)
{
    bool by_star = false;
    while (accept_encoding.len > 0) {
        struct str parameters = str_split(&accept_encoding, ',');
        struct str coding = str_trim(str_split(&parameters, ';'));
        if (equal_without_case(coding, STR("gzip")) || equal_without_case(coding, STR("x-gzip"))) {
            return !weight_is_zero(parameters);
        }
        if (str_eq_c(coding, "*")) {
            by_star = !weight_is_zero(parameters);
        }
    }
    return by_star;
}

bool http_media_type_is(struct str content_type, const char *media_type)
{
    return equal_without_case(str_trim(str_split(&content_type, ';')), str_of(media_type));
}

bool http_is_compressible(struct str content_type)
{
    static const char *const types[] = {"application/json", "application/javascript",
        "application/openmetrics-text", "application/stream+json", "application/xml",
        "application/yaml", "image/svg+xml"};
    if (content_type.len >= 5 && strncasecmp(content_type.ptr, "text/", 5) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (http_media_type_is(content_type, types[i])) {
            return true;
        }
    }
    return false;
}
