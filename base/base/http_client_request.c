/* What libcurl is told of a request.
 *
 * What is set on purpose: only http and https, also after redirects; no proxy from the environment
 * (an agent should not change its ways because of a shell variable); no "Expect: 100-continue",
 * which would cost a second where the other side does not know it; no content type that nobody
 * asked for.
 */
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "http_client_call.h"
#include "http_client_header.h"

enum { REDIRECTS_MAX = 10, KEEPALIVE_SECONDS = 30 };

int http_client_check_url(const char *url)
{
    CURLU *parts = libcurl.url();
    if (parts == NULL) {
        return ERR_NOMEM;
    }
    char *scheme = NULL;
    int status = 0;
    if (libcurl.url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        libcurl.url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)) {
        status = ERR_INVALID;
    }
    libcurl.free(scheme);
    libcurl.url_cleanup(parts);
    return status;
}

int http_client_call_add_line(struct http_client_call *call, const char *line)
{
    struct curl_slist *longer = libcurl.slist_append(call->headers, line);
    if (longer == NULL) {
        return ERR_NOMEM;
    }
    call->headers = longer;
    return 0;
}

int http_client_call_add_header(struct http_client_call *call, const struct http_client_header *h)
{
    if (!http_client_header_is_good(h->name, h->value)) {
        return ERR_INVALID;
    }
    struct strbuf line;
    strbuf_init(&line, HTTP_CLIENT_HEADER_BYTES_MAX);
    /* libcurl's notation for a header without a value is a semicolon. */
    strbuf_addf(&line, h->value[0] != '\0' ? "%s: %s" : "%s;%s", h->name, h->value);
    int status = strbuf_error(&line);
    if (status == 0) {
        status = http_client_call_add_line(call, line.data);
    }
    strbuf_release(&line);
    return status;
}

static int add_headers(struct http_client_call *call, const struct http_client_request *request)
{
    if (request->header_count > HTTP_CLIENT_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    bool has_type = false;
    int status = http_client_call_add_line(call, "Expect:");
    for (size_t i = 0; i < request->header_count && status == 0; i++) {
        has_type = has_type || strcasecmp(request->headers[i].name, "Content-Type") == 0;
        status = http_client_call_add_header(call, &request->headers[i]);
    }
    if (status == 0 && !has_type) {
        status = http_client_call_add_line(call, "Content-Type:");
    }
    return status;
}

/* Gathers the results of many settings, which fail only when memory is short. */
#define SET(option, value) (failed |= libcurl.easy_setopt(call->easy, option, value) != CURLE_OK)

static int set_method(struct http_client_call *call, const struct http_client_request *request)
{
    bool failed = false;
    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body.len > 0 || strcmp(request->method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    /* POST is libcurl's own word for a body; named, a redirect would keep it where it must not. */
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "HEAD") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
    return failed ? ERR_NOMEM : 0;
}

/* libcurl asks for a socket to this very address: the last moment to refuse it. */
static curl_socket_t on_socket_open(
    void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_client_call *call = context;
    (void)purpose;
    if (!call->may_connect(call->may_connect_context, &address->addr)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int set_options(struct http_client_call *call, const struct http_client_request *request)
{
    bool failed = !http_client_call_set_common(call, request->timeout_ms);
    SET(CURLOPT_URL, request->url);
    if (request->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    }
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, request->follow_redirects ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_USERAGENT, call->client->user_agent);
    if (request->accept_gzip) {
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    }
    if (request->on_body != NULL) {
        /* Nothing may come for minutes: only the kernel can tell that from a peer that is gone. */
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_SECONDS);
        SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_SECONDS);
    }
    if (request->may_connect != NULL) {
        /* A connection that others left may lead where this one may not go. */
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_OPENSOCKETFUNCTION, on_socket_open);
        SET(CURLOPT_OPENSOCKETDATA, call);
    }
    return failed ? ERR_NOMEM : 0;
}

int http_client_call_prepare(
    struct http_client_call *call, const struct http_client_request *request)
{
    call->on_body = request->on_body;
    call->on_head = request->on_head;
    call->stream_max = request->body_max;
    call->may_connect = request->may_connect;
    call->may_connect_context = request->may_connect_context;
    int status = add_headers(call, request);
    if (status == 0) {
        status = set_options(call, request);
    }
    if (status == 0 && request->profile != NULL) {
        status = http_client_call_set_profile(call, request->url, request->profile);
    }
    if (status == 0 &&
        libcurl.easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK) {
        status = ERR_NOMEM;
    }
    return status == 0 ? set_method(call, request) : status;
}
