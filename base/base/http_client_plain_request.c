/* Requests of http_plain as bytes. */
#include "http_client_plain_request.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "http_client_header.h"

/* REQUEST_BYTES: what most requests have room in. */
enum { PORT_DEFAULT = 80, REQUEST_BYTES = 500 };

/* ---- URLs ---- */

/* All bytes may stand in a path as they are; what else there is needs to be escaped or is not ours. */
static bool is_path(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* "." and ".." as parts of a path are to be resolved: libcurl's work. */
static bool has_dots(struct str path)
{
    struct str rest = path;
    (void)str_split(&rest, '/');
    path.len -= rest.len;
    while (rest.len > 0) {
        struct str part = str_split(&rest, '/');
        struct str bare = str_split(&part, '?');
        if (str_eq(bare, STR(".")) || str_eq(bare, STR(".."))) {
            return true;
        }
        if (part.len > 0) {
            break; /* the query */
        }
    }
    return false;
}

/* Host and port of "127.0.0.1:80" or "[::1]:80". */
static bool read_authority(struct str authority, struct http_plain_address *out)
{
    char text[INET6_ADDRSTRLEN];
    struct str host = authority;
    bool six = str_starts_with(host, STR("["));
    ptrdiff_t end = str_find(authority, six ? ']' : ':');
    if (six) {
        if (end < 0) {
            return false;
        }
        host = str_make(authority.ptr + 1, (size_t)end - 1);
        authority = str_skip(authority, (size_t)end + 1);
    } else {
        host.len = end >= 0 ? (size_t)end : host.len;
        authority = str_skip(authority, host.len);
    }
    uint64_t port = PORT_DEFAULT;
    bool has_port = authority.len > 0;
    if (has_port && (authority.ptr[0] != ':' || str_to_u64(str_skip(authority, 1), &port) != 0 ||
                        port == 0 || port > UINT16_MAX)) {
        return false;
    }
    memset(out, 0, sizeof(*out));
    out->is_localhost = !six && str_eq(host, STR("localhost"));
    host = out->is_localhost ? STR("127.0.0.1") : host;
    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (six) {
        out->to.v6.sin6_family = AF_INET6;
        out->to.v6.sin6_port = htons((uint16_t)port);
        out->size = sizeof(out->to.v6);
        return inet_pton(AF_INET6, text, &out->to.v6.sin6_addr) == 1;
    }
    out->to.v4.sin_family = AF_INET;
    out->to.v4.sin_port = htons((uint16_t)port);
    out->size = sizeof(out->to.v4);
    return inet_pton(AF_INET, text, &out->to.v4.sin_addr) == 1;
}

bool http_plain_next_address(struct http_plain_address *address)
{
    in_port_t port = address->to.v4.sin_port;
    if (!address->is_localhost || address->to.any.sa_family != AF_INET) {
        return false;
    }
    memset(&address->to, 0, sizeof(address->to));
    address->to.v6.sin6_family = AF_INET6;
    address->to.v6.sin6_port = port;
    address->to.v6.sin6_addr = in6addr_loopback;
    address->size = sizeof(address->to.v6);
    return true;
}

bool http_plain_read_url(const char *url, struct http_plain_address *address_out,
    struct str *host_out, struct str *path_out)
{
    static const char scheme[] = "http://";
    if (strncasecmp(url, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    struct str rest = str_of(url + sizeof(scheme) - 1);
    struct str whole = rest;
    rest.len = strcspn(rest.ptr, "#");
    size_t host_len = strcspn(rest.ptr, "/?#");
    struct str host = str_make(whole.ptr, host_len);
    struct str path = str_make(rest.ptr + host_len, rest.len - host_len);
    if (!is_path(path) || has_dots(path) || !read_authority(host, address_out)) {
        return false;
    }
    *host_out = host;
    *path_out = path;
    return true;
}

bool http_plain_takes(const struct http_client_request *request)
{
    struct http_plain_address address;
    struct str host, path;
    const struct http_profile *profile = request->profile;
    bool get = strcmp(request->method, "GET") == 0 && request->body.len == 0;
    bool post = strcmp(request->method, "POST") == 0 && !request->follow_redirects;
    /* A body without a limit may come for hours: libcurl keeps an eye on the connection meanwhile. */
    bool endless = request->on_body != NULL && request->body_max == 0;
    bool direct = request->unix_socket == NULL && request->may_connect == NULL && !endless;
    if (profile != NULL) {
        direct = direct && !profile->proxy_from_environment &&
                 (profile->proxy_url == NULL || profile->proxy_url[0] == '\0') &&
                 (profile->oauth2.token_url == NULL || profile->oauth2.token_url[0] == '\0');
    }
    return (get || post) && direct && http_plain_read_url(request->url, &address, &host, &path);
}

/* ---- Requests ---- */

struct writing {
    struct strbuf *out;
    size_t count;
};

static int add_header(void *context, const char *name, const char *value)
{
    struct writing *w = context;
    if (!http_client_header_is_good(name, value)) {
        return ERR_INVALID;
    }
    if (++w->count > 2 * HTTP_CLIENT_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    strbuf_add_c(w->out, name);
    strbuf_add_c(w->out, value[0] != '\0' ? ": " : ":");
    strbuf_add_c(w->out, value);
    strbuf_add_c(w->out, "\r\n");
    return 0;
}

static bool has_header(const struct http_client_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What a request says unless its headers say it. */
static int add_own(struct writing *w, const struct http_client_request *request, struct str host,
    const char *user_agent)
{
    if (!has_header(request, "Host")) {
        strbuf_add_c(w->out, "Host: ");
        strbuf_add_str(w->out, host);
        strbuf_add_c(w->out, "\r\n");
    }
    int status = has_header(request, "User-Agent") ? 0 : add_header(w, "User-Agent", user_agent);
    if (status == 0 && !has_header(request, "Accept")) {
        status = add_header(w, "Accept", "*/*");
    }
    if (status == 0 && request->accept_gzip && !has_header(request, "Accept-Encoding")) {
        status = add_header(w, "Accept-Encoding", "gzip");
    }
    return status;
}

static int add_authorization(struct writing *w, const struct http_profile *profile)
{
    struct strbuf value;
    strbuf_init(&value, HTTP_SECRET_BYTES_MAX * 2);
    int status = http_profile_authorization(profile, &value);
    if (status == 0 && value.size > 0) {
        status = add_header(w, "Authorization", value.data);
    }
    http_secret_release(&value);
    return status;
}

int http_plain_write_request(
    const struct http_client_request *request, const char *user_agent, struct strbuf *out)
{
    struct http_plain_address address;
    struct str host, path;
    struct writing w = {out, 0};
    if (!http_plain_read_url(request->url, &address, &host, &path)) {
        return ERR_INVALID;
    }
    if (request->header_count > HTTP_CLIENT_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    (void)strbuf_reserve(out, REQUEST_BYTES); /* its error sticks */
    strbuf_add_c(out, request->method);
    strbuf_add_c(out, str_starts_with(path, STR("/")) ? " " : " /");
    strbuf_add_str(out, path);
    strbuf_add_c(out, " HTTP/1.1\r\n");
    int status = add_own(&w, request, host, user_agent);
    if (status == 0 && request->profile != NULL) {
        status = add_authorization(&w, request->profile);
        status = status == 0 ? http_profile_each_header(request->profile, add_header, &w) : status;
    }
    for (size_t i = 0; status == 0 && i < request->header_count; i++) {
        status = add_header(&w, request->headers[i].name, request->headers[i].value);
    }
    if (strcmp(request->method, "POST") == 0) {
        strbuf_addf(out, "Content-Length: %zu\r\n", request->body.len);
    }
    strbuf_add_c(out, "\r\n");
    return status == 0 ? strbuf_error(out) : status;
}
