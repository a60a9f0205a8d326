/* What a handler asks of a request, and how it replies. */
#include "http_server_exchange.h"

#include <assert.h>
#include <strings.h>

#include "base/clock.h"
#include "base/gzip.h"
#include "base/mem.h"
#include "http_address.h"
#include "http_metrics.h"
#include "http_reply.h"

/* ---- What a handler may ask ---- */

struct str http_exchange_method(const struct http_exchange *x)
{
    return str_eq_c(x->method, "HEAD") ? STR("GET") : x->method;
}

struct str http_exchange_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_exchange_path_value(const struct http_exchange *x)
{
    return x->path_value;
}

struct str http_exchange_body(const struct http_exchange *x)
{
    return strbuf_str(&x->body);
}

struct str http_exchange_header(const struct http_exchange *x, const char *name)
{
    return http_connection_header(x->connection, name);
}

struct str http_exchange_remote(const struct http_exchange *x)
{
    /* The arena is the exchange's own; asking twice costs a second copy and nothing else. */
    struct arena *arena = (struct arena *)(uintptr_t)&x->arena;
    char text[HTTP_ADDRESS_TEXT_MAX];
    size_t length = http_connection_remote(x->connection, text);
    char *copy = arena_strndup(arena, text, length);
    return copy != NULL ? str_make(copy, length) : STR("?");
}

struct str http_exchange_client(const struct http_exchange *x)
{
    static const char *const headers[] = {"X-Scope-OrgID", "X-Grafana-User"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct str value = http_exchange_header(x, headers[i]);
        if (value.len > 0) {
            return value;
        }
    }
    struct str address = http_exchange_remote(x);
    while (address.len > 0 && address.ptr[address.len - 1] != ':') {
        address.len--;
    }
    address.len -= address.len > 0;
    return address;
}

bool http_exchange_is_abandoned(const struct http_exchange *x)
{
    return x->stream != NULL ? http_stream_is_abandoned(x->stream)
                             : http_connection_is_closed(x->connection);
}

bool http_exchange_param_at(
    const struct http_exchange *x, const char *name, size_t index, struct str *value_out)
{
    const struct http_param *param = http_params_find(&x->params, str_of(name), index);
    if (param == NULL) {
        return false;
    }
    *value_out = param->value;
    return true;
}

struct str http_exchange_param(const struct http_exchange *x, const char *name)
{
    struct str value = {NULL, 0};
    (void)http_exchange_param_at(x, name, 0, &value);
    return value;
}

struct arena *http_exchange_arena(struct http_exchange *x)
{
    return &x->arena;
}

/* ---- Replies ---- */

/* The longest origin that is answered by name; longer ones are nobody's. */
enum { ORIGIN_BYTES_MAX = 512 };

struct str http_exchange_allowed_origin(struct http_exchange *x)
{
    struct str origin = http_connection_header(x->connection, "Origin");
    return http_reply_allowed_origin(x->server->cors_pattern,
        origin.len < ORIGIN_BYTES_MAX ? origin : str_make(NULL, 0), x->method);
}

static void add_origin(struct http_exchange *x, struct http_response *response)
{
    char text[ORIGIN_BYTES_MAX];
    struct str origin = http_exchange_allowed_origin(x);
    if (x->server->cors_pattern != NULL) {
        http_response_add_header(response, "Vary", "Origin");
    }
    if (origin.len > 0) {
        memcpy(text, origin.ptr, origin.len);
        text[origin.len] = '\0';
        http_response_add_header(response, "Access-Control-Allow-Origin", text);
        http_response_add_header(response, "Access-Control-Expose-Headers", "Date");
    }
}

void http_exchange_add_headers(struct http_exchange *x, struct http_response *response,
    const char *content_type, bool gzipped, bool varies)
{
    if (content_type != NULL && content_type[0] != '\0') {
        http_response_add_header(response, "Content-Type", content_type);
        http_response_add_header(response, "X-Content-Type-Options", "nosniff");
    }
    if (gzipped) {
        http_response_add_header(response, "Content-Encoding", "gzip");
    }
    if (varies) {
        http_response_add_header(response, "Vary", "Accept-Encoding");
    }
    if (!x->server->no_origin) {
        add_origin(x, response);
    }
    const struct config_map *more = x->rules != NULL ? &x->rules->config.http.headers : NULL;
    for (size_t i = 0; more != NULL && i < more->count; i++) {
        if (strcasecmp(more->items[i].key, "X-Content-Type-Options") != 0) { /* always there */
            http_response_add_header(response, more->items[i].key, more->items[i].value);
        }
    }
    for (const struct reply_header *h = x->headers; h != NULL; h = h->next) {
        http_response_add_header(response, h->name, h->value);
    }
}

static bool has_reply_header(const struct http_exchange *x, const char *name)
{
    const struct reply_header *h = x->headers;
    while (h != NULL && strcasecmp(h->name, name) != 0) {
        h = h->next;
    }
    return h != NULL;
}

struct http_response *http_exchange_response(
    struct http_exchange *x, const char *content_type, struct strbuf *body)
{
    bool compressible = http_reply_is_compressible(content_type, body->size) &&
                        !has_reply_header(x, "Content-Encoding");
    bool gzipped = compressible && x->accepts_gzip && http_reply_compress(body);
    size_t size = 0;
    char *bytes = strbuf_take(body, &size);
    if (bytes == NULL) {
        return NULL;
    }
    struct http_response *response = http_response_of(bytes, size);
    if (response == NULL) {
        mem_free(bytes);
        return NULL;
    }
    http_exchange_add_headers(x, response, content_type, gzipped, compressible);
    return response;
}

static struct http_response *text_response(struct http_exchange *x, const char *text)
{
    struct strbuf body;
    strbuf_init(&body, 0);
    strbuf_add_c(&body, text);
    strbuf_add_char(&body, '\n');
    struct http_response *response = http_exchange_response(x, HTTP_TEXT, &body);
    strbuf_release(&body);
    return response;
}

void http_exchange_hand_over(
    struct http_exchange *x, unsigned status, struct http_response *response)
{
    assert(status >= 200 && status <= 599);
    struct http_daemon *daemon = x->server->daemon;
    struct http_connection *connection = x->connection;
    x->status = status;
    x->response = response;
    int before = atomic_exchange(&x->state, EXCHANGE_ANSWERED);
    assert(before == EXCHANGE_HANDLING || before == EXCHANGE_WAITING); /* one reply a request */
    if (before == EXCHANGE_WAITING) {
        http_connection_resume(daemon, connection);
    }
}

/* The end of a handler's ownership: `x` must not be touched after. */
static void finish(struct http_exchange *x, unsigned status, struct http_response *response)
{
    struct http_server *server = x->server;
    http_metrics_reply(x->route->lane, status, clock_monotonic_ns(clock_real()) - x->begun_ns);
    http_exchange_hand_over(x, status, response);
    http_server_count_down(server, &server->running);
}

void http_exchange_set_header(struct http_exchange *x, const char *name, const char *value)
{
    struct reply_header *h = arena_alloc(&x->arena, sizeof(*h));
    char *name_copy = arena_strndup(&x->arena, name, strlen(name));
    char *value_copy = arena_strndup(&x->arena, value, strlen(value));
    if (h != NULL && name_copy != NULL && value_copy != NULL) {
        *h = (struct reply_header){x->headers, name_copy, value_copy};
        x->headers = h;
    }
}

void http_exchange_reply(
    struct http_exchange *x, unsigned status, const char *content_type, struct strbuf *body)
{
    int error = strbuf_error(body);
    if (error != 0) {
        strbuf_release(body);
        http_exchange_reply_text(x, error == ERR_NOMEM ? 503 : 500,
            error == ERR_NOMEM ? "Memory is too short to build this answer; try again later."
                               : "The answer is larger than the limit; ask for less.");
        return;
    }
    struct http_response *response = http_exchange_response(x, content_type, body);
    strbuf_release(body);
    finish(x, status, response);
}

void http_exchange_reply_text(struct http_exchange *x, unsigned status, const char *text)
{
    finish(x, status, text_response(x, text));
}

void http_exchange_reply_static(struct http_exchange *x, unsigned status, const char *content_type,
    const void *bytes, size_t size, bool gzipped)
{
    if (gzipped && !x->accepts_gzip) {
        struct strbuf plain;
        strbuf_init(&plain, 0);
        if (gzip_decode(str_make(bytes, size), STRBUF_LIMIT_DEFAULT, &plain) != 0) {
            plain.error = ERR_LIMIT;
        }
        http_exchange_reply(x, status, content_type, &plain);
        return;
    }
    struct http_response *response = http_response_of_static(bytes, size);
    if (response != NULL) {
        http_exchange_add_headers(x, response, content_type, gzipped, gzipped);
    }
    finish(x, status, response);
}
