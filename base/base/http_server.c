/* HTTP in, over libmicrohttpd. The one file that includes it.
 *
 * Life of a request (struct http_exchange), by the thread that owns it:
 *
 *   READING    libmicrohttpd's thread: headers, then the body into a buffer. A request that will be
 *              refused anyway (unknown path, body too large) has its body thrown away as it comes.
 *   HANDLING   the handler runs on libmicrohttpd's thread (no pool for its lane), not suspended:
 *              a reply made by then is sent at once, without a round through the event loop.
 *   WAITING    suspended: a pool's thread, or whoever the handler passed it to, owns the exchange
 *              and libmicrohttpd does not look at the connection.
 *   ANSWERED   the reply is in the exchange; libmicrohttpd's thread queues it and owns all again.
 *
 * The one hand-over that can race is a reply against the end of a handler that has not replied: both
 * exchange `state` atomically, and whoever finds that the other was first resumes the connection.
 * After a resume the exchange may be freed at any moment; nothing touches it then.
 *
 * Threads of its own (epoll, a pool of them on one listening socket), or none: with a loop, the
 * loop watches libmicrohttpd's epoll descriptor and calls it when something is ready or its nearest
 * timeout has come. In this way libmicrohttpd (0.9.75) does not wake up for resumed connections by
 * itself, so an eventfd of ours tells the loop to call it.
 *
 * Refusing a large body: small excesses are read and thrown away so that the client gets to see the
 * 413; beyond twice the limit the answer is sent before the body and the connection closed.
 */
#include "base/http_server.h"

#include <assert.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/gzip.h"
#include "base/lock.h"
#include "base/mem.h"
#include "http_address.h"
#include "http_match.h"
#include "http_params.h"
#include "http_reply.h"

enum {
    THREADS_DEFAULT = 2,
    CONNECTIONS_MAX_DEFAULT = 512,
    IDLE_TIMEOUT_S_DEFAULT = 60,
    /* Request line, headers and read buffer of a connection. Pages are only touched when used. */
    CONNECTION_MEMORY = 128 * 1024,
    /* A request must be complete within this many idle timeouts, however busily it trickles. */
    REQUEST_TIMEOUTS_MAX = 5,
    /* Bodies of all requests together may take this many times the limit of one. */
    BODIES_MAX = 8,
    /* How long stopping waits for clients to read their replies. */
    STOP_GRACE_MS = 5000,
    STOP_STEP_MS = 10,
};
#define BODY_MAX_DEFAULT ((size_t)64 << 20)
#define EXCHANGE_ARENA_MAX ((size_t)256 << 20)
#define TEXT "text/plain; charset=utf-8"

enum exchange_state {
    EXCHANGE_BEGUN, /* the request line is known, headers are being read */
    EXCHANGE_READING,
    EXCHANGE_HANDLING,
    EXCHANGE_WAITING,
    EXCHANGE_ANSWERED,
};

struct reply_header {
    struct reply_header *next;
    const char *name, *value;
};

struct http_server {
    struct http_server_options options;
    char *cors_origin, *route_prefix;
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1 while libmicrohttpd owns it */
    uint16_t port;
    /* With a loop: its hold on the daemon's descriptor, on the wake-up, and on time. */
    struct loop_watch *watch, *wake_watch;
    struct loop_timer *timer;
    int wake_fd;
    _Atomic size_t body_bytes; /* of all requests */
    struct lock lock;          /* guards what follows */
    struct lock_condition changed;
    bool stopping;
    size_t running; /* handed to a handler, not answered */
    size_t open;    /* handed to a handler, reply not yet out */
};

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct arena arena;
    _Atomic int state;
    const struct http_route *route;
    struct str method, uri, path, path_value, query;
    int64_t begun_ms;
    /* Body */
    struct strbuf body;
    uint64_t received;   /* wire bytes, thrown away or not */
    unsigned refusal;    /* status to refuse with once the request is complete, 0 = none */
    const char *allowed; /* with 204 and 405: the methods of the path */
    struct http_params params;
    /* Reply */
    struct reply_header *headers;
    struct MHD_Response *response; /* NULL after ANSWERED: memory was short, close */
    unsigned status;
    bool accepts_gzip;
    bool counted; /* in server->open */
};

/* ---- Counting requests, for stop ---- */

/* False when the server stops and takes no more. */
static bool count_in(struct http_exchange *x)
{
    struct http_server *server = x->server;
    lock_take(&server->lock);
    x->counted = !server->stopping;
    server->running += x->counted;
    server->open += x->counted;
    lock_give(&server->lock);
    return x->counted;
}

static void count_down(struct http_server *server, size_t *counter)
{
    lock_take(&server->lock);
    assert(*counter > 0);
    if (--*counter == 0) {
        lock_condition_broadcast(&server->changed);
    }
    lock_give(&server->lock);
}

/* ---- Replies ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(
        response, name, value); /* fails when memory is short: go without */
}

static void add_headers(struct http_exchange *x, struct MHD_Response *response,
    const char *content_type, bool gzipped, bool varies)
{
    const char *origin = x->server->cors_origin;
    if (content_type != NULL && content_type[0] != '\0') {
        add_header(response, "Content-Type", content_type);
        add_header(response, "X-Content-Type-Options", "nosniff");
    }
    if (gzipped) {
        add_header(response, "Content-Encoding", "gzip");
    }
    if (varies) {
        add_header(response, "Vary", "Accept-Encoding");
    }
    if (http_reply_allows_origin(origin, x->method)) {
        add_header(response, "Access-Control-Allow-Origin", origin);
        add_header(response, "Access-Control-Expose-Headers", "Date");
    }
    for (const struct reply_header *h = x->headers; h != NULL; h = h->next) {
        add_header(response, h->name, h->value);
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

/* Takes the bytes of `body`; NULL when memory is short. */
static struct MHD_Response *response_of(
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
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(size, bytes, mem_free);
    if (response == NULL) {
        mem_free(bytes);
        return NULL;
    }
    add_headers(x, response, content_type, gzipped, compressible);
    return response;
}

static struct MHD_Response *text_response(struct http_exchange *x, const char *text)
{
    struct strbuf body;
    strbuf_init(&body, 0);
    strbuf_add_c(&body, text);
    strbuf_add_char(&body, '\n');
    struct MHD_Response *response = response_of(x, TEXT, &body);
    strbuf_release(&body);
    return response;
}

/* From any thread. */
static void wake_loop(const struct http_server *server)
{
    uint64_t one = 1;
    if (server->wake_fd >= 0) {
        ssize_t written = write(server->wake_fd, &one, sizeof(one));
        (void)written; /* fails only when 2^64 wake-ups are waiting already */
    }
}

/* The end of a handler's ownership: `x` must not be touched after. */
static void finish(struct http_exchange *x, unsigned status, struct MHD_Response *response)
{
    assert(status >= 200 && status <= 599);
    struct http_server *server = x->server;
    struct MHD_Connection *connection = x->connection;
    x->status = status;
    x->response = response;
    int before = atomic_exchange(&x->state, EXCHANGE_ANSWERED);
    assert(before == EXCHANGE_HANDLING || before == EXCHANGE_WAITING); /* one reply a request */
    if (before == EXCHANGE_WAITING) {
        MHD_resume_connection(connection);
        wake_loop(server);
    }
    count_down(server, &server->running);
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
    struct MHD_Response *response = response_of(x, content_type, body);
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
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    if (response != NULL) {
        add_headers(x, response, content_type, gzipped, gzipped);
    }
    finish(x, status, response);
}

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
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(
            x->connection, MHD_HEADER_KIND, name, strlen(name), &value, &size) != MHD_YES) {
        return (struct str){NULL, 0};
    }
    return value != NULL ? str_make(value, size) : STR("");
}

struct str http_exchange_remote(const struct http_exchange *x)
{
    /* The arena is the exchange's own; asking twice costs a second copy and nothing else. */
    struct arena *arena = (struct arena *)(uintptr_t)&x->arena;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[HTTP_ADDRESS_TEXT_MAX];
    size_t length = http_address_write(info != NULL ? info->client_addr : NULL, text);
    char *copy = arena_strndup(arena, text, length);
    return copy != NULL ? str_make(copy, length) : STR("?");
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

/* ---- Routes ---- */

/* Sets route, path and parameters of the query, or the refusal. */
static int choose_route(struct http_exchange *x)
{
    const struct http_server_options *o = &x->server->options;
    struct str path, value;
    struct strbuf methods = STRBUF_INIT;
    if (http_match_target(x->uri, x->server->route_prefix, &path, &x->query)) {
        x->route = http_match_route(o->routes, o->route_count, path, x->method, &value);
        if (x->route != NULL) {
            int status = http_decode(&x->arena, path, false, &x->path);
            return status != 0 ? status : http_decode(&x->arena, value, false, &x->path_value);
        }
        http_match_methods(o->routes, o->route_count, path, &methods);
    }
    x->refusal = methods.size == 0 ? 404 : str_eq_c(x->method, "OPTIONS") ? 204 : 405;
    x->allowed = arena_strndup(&x->arena, methods.data != NULL ? methods.data : "", methods.size);
    strbuf_release(&methods);
    return x->allowed != NULL ? 0 : arena_error(&x->arena);
}

static struct MHD_Response *preflight_response(struct http_exchange *x)
{
    http_exchange_set_header(x, "Allow", x->allowed);
    if (x->server->cors_origin[0] != '\0') {
        bool everybody = strcmp(x->server->cors_origin, "*") == 0;
        http_exchange_set_header(
            x, "Access-Control-Allow-Methods", everybody ? "GET, HEAD, OPTIONS" : x->allowed);
        http_exchange_set_header(
            x, "Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
        http_exchange_set_header(x, "Access-Control-Max-Age", "3600");
    }
    struct strbuf nothing = STRBUF_INIT;
    return response_of(x, NULL, &nothing);
}

/* The answer to a request that no handler gets to see. */
static struct MHD_Response *refusal_response(struct http_exchange *x)
{
    if (x->refusal == 204) {
        return preflight_response(x);
    }
    if (x->refusal == 405) {
        http_exchange_set_header(x, "Allow", x->allowed);
    } else if (x->refusal == 503) {
        http_exchange_set_header(x, "Retry-After", "1");
    }
    struct strbuf body;
    strbuf_init(&body, 0);
    http_reply_refusal(x->refusal, x->method, x->allowed, x->server->options.body_max, &body);
    struct MHD_Response *response = response_of(x, TEXT, &body);
    strbuf_release(&body);
    return response;
}

/* ---- Requests, on libmicrohttpd's threads ---- */

static enum MHD_Result queue_reply(struct http_exchange *x)
{
    if (x->response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return result;
}

static enum MHD_Result refuse(struct http_exchange *x, unsigned status)
{
    x->refusal = status;
    x->response = refusal_response(x);
    x->status = status;
    atomic_store(&x->state, EXCHANGE_ANSWERED);
    return queue_reply(x);
}

static void run_handler(void *context)
{
    struct http_exchange *x = context;
    x->route->handler(x, x->route->context);
}

/* On this thread, which may end with or without a reply. */
static enum MHD_Result run_here(struct http_exchange *x)
{
    run_handler(x);
    if (atomic_load(&x->state) == EXCHANGE_ANSWERED) {
        return queue_reply(x);
    }
    MHD_suspend_connection(x->connection);
    int expected = EXCHANGE_HANDLING;
    if (!atomic_compare_exchange_strong(&x->state, &expected, EXCHANGE_WAITING)) {
        MHD_resume_connection(x->connection); /* the reply came in between */
        wake_loop(x->server);
    }
    return MHD_YES;
}

static enum MHD_Result run_in_pool(struct http_exchange *x, struct workpool *pool)
{
    atomic_store(&x->state, EXCHANGE_WAITING);
    MHD_suspend_connection(x->connection);
    if (workpool_submit(pool, run_handler, x) != 0) {
        http_exchange_set_header(x, "Retry-After", "1");
        http_exchange_reply_text(x, 503,
            "The server has as many requests of this kind as it can hold; try again later.");
    }
    return MHD_YES;
}

static int read_params(struct http_exchange *x)
{
    int status = http_params_add(&x->arena, x->query, &x->params);
    struct str type = http_exchange_header(x, "Content-Type");
    if (status == 0 && http_media_type_is(type, "application/x-www-form-urlencoded")) {
        status = http_params_add(&x->arena, strbuf_str(&x->body), &x->params);
    }
    return status;
}

/* The request is complete. */
static enum MHD_Result dispatch(struct http_exchange *x)
{
    if (x->refusal != 0) {
        return refuse(x, x->refusal);
    }
    int status = read_params(x);
    if (status != 0) {
        return refuse(x, status == ERR_LIMIT ? 400 : 503);
    }
    if (!count_in(x)) {
        http_exchange_set_header(x, "Connection", "close");
        return refuse(x, 503);
    }
    atomic_store(&x->state, EXCHANGE_HANDLING);
    struct workpool *pool = x->server->options.lanes[x->route->lane];
    return pool != NULL ? run_in_pool(x, pool) : run_here(x);
}

/* Headers are complete; a body may follow. */
static enum MHD_Result begin_request(struct http_exchange *x, const char *method)
{
    char *copy = arena_strndup(&x->arena, method, strlen(method));
    if (copy == NULL) {
        return MHD_NO;
    }
    x->method = str_of(copy);
    x->accepts_gzip = http_accepts_gzip(http_exchange_header(x, "Accept-Encoding"));
    if (choose_route(x) != 0) {
        return MHD_NO;
    }
    atomic_store(&x->state, EXCHANGE_READING);
    uint64_t announced = 0;
    struct str length = http_exchange_header(x, "Content-Length");
    size_t limit = x->server->options.body_max;
    if (length.ptr != NULL && str_to_u64(length, &announced) == 0 && announced > limit) {
        x->refusal = 413;
        bool waits = http_exchange_header(x, "Expect").ptr != NULL;
        return waits || announced / 2 > limit ? refuse(x, 413) : MHD_YES;
    }
    return MHD_YES;
}

/* Reserves memory among all bodies; false when they are too many. */
static bool keep_body(struct http_exchange *x, const char *bytes, size_t size)
{
    struct http_server *server = x->server;
    size_t total = atomic_fetch_add(&server->body_bytes, size) + size;
    if (total / BODIES_MAX > server->options.body_max) {
        atomic_fetch_sub(&server->body_bytes, size);
        return false;
    }
    strbuf_add(&x->body, bytes, size);
    if (strbuf_error(&x->body) != 0) {
        atomic_fetch_sub(&server->body_bytes, size);
        return false;
    }
    return true;
}

static void drop_body(struct http_exchange *x)
{
    atomic_fetch_sub(&x->server->body_bytes, x->body.size);
    strbuf_release(&x->body);
}

static enum MHD_Result read_body(struct http_exchange *x, const char *bytes, size_t size)
{
    size_t limit = x->server->options.body_max;
    int64_t patience_ms = (int64_t)x->server->options.idle_timeout_s * REQUEST_TIMEOUTS_MAX * 1000;
    x->received += size;
    if (x->received / 2 > limit || clock_monotonic_ms(clock_real()) - x->begun_ms > patience_ms) {
        return MHD_NO; /* closes the connection */
    }
    if (x->refusal == 0 && x->received > limit) {
        x->refusal = 413;
    } else if (x->refusal == 0 && !keep_body(x, bytes, size)) {
        x->refusal = 503;
    }
    if (x->refusal != 0) {
        drop_body(x);
    }
    return MHD_YES;
}

/* libmicrohttpd calls this when headers are complete, for each piece of the body, when the request
 * is complete, and once more after each resume. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **exchange)
{
    (void)context, (void)url, (void)version, (void)connection;
    struct http_exchange *x = *exchange;
    if (x == NULL) {
        return MHD_NO; /* memory was short at the request line */
    }
    switch (atomic_load(&x->state)) {
    case EXCHANGE_BEGUN:
        return begin_request(x, method);
    case EXCHANGE_READING:
        if (*upload_size > 0) {
            enum MHD_Result result = read_body(x, upload, *upload_size);
            *upload_size = 0;
            return result;
        }
        return dispatch(x);
    default:
        assert(atomic_load(&x->state) == EXCHANGE_ANSWERED);
        return queue_reply(x);
    }
}

/* The request line has arrived: the only time libmicrohttpd shows the target as it was sent. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct http_exchange *x = mem_calloc(1, sizeof(*x));
    if (x == NULL) {
        return NULL;
    }
    x->server = server;
    x->connection = connection;
    x->begun_ms = clock_monotonic_ms(clock_real());
    arena_init(&x->arena, EXCHANGE_ARENA_MAX);
    strbuf_init(&x->body, server->options.body_max);
    char *copy = arena_strndup(&x->arena, uri, strlen(uri));
    if (copy == NULL) {
        arena_release(&x->arena);
        mem_free(x);
        return NULL;
    }
    x->uri = str_of(copy);
    return x;
}

/* The reply is out or the connection gone. */
static void on_completed(void *context, struct MHD_Connection *connection, void **exchange,
    enum MHD_RequestTerminationCode reason)
{
    (void)connection, (void)reason;
    struct http_server *server = context;
    struct http_exchange *x = *exchange;
    if (x == NULL) {
        return;
    }
    if (x->response != NULL) {
        MHD_destroy_response(x->response);
    }
    bool counted = x->counted;
    drop_body(x);
    arena_release(&x->arena);
    mem_free(x);
    *exchange = NULL;
    if (counted) {
        count_down(server, &server->open);
    }
}

/* Targets are decoded here, where '+' and '%00' are understood; libmicrohttpd leaves them alone. */
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* ---- Driving it ---- */

/* One turn on the loop: what is ready, then when to come again. */
static void drive(void *context)
{
    struct http_server *server = context;
    (void)MHD_run(server->daemon);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES) {
        loop_timer_start(server->timer, wait_ms < INT32_MAX ? (int64_t)wait_ms : INT32_MAX, 0);
    } else {
        loop_timer_stop(server->timer);
    }
}

static void on_ready(void *context, int fd, unsigned events)
{
    (void)fd, (void)events;
    drive(context);
}

static void on_wake(void *context, int fd, unsigned events)
{
    (void)events;
    uint64_t count;
    ssize_t size = read(fd, &count, sizeof(count));
    (void)size; /* only empties it */
    drive(context);
}

static int watch_readable(struct http_server *server, int fd,
    void (*callback)(void *context, int fd, unsigned events), struct loop_watch **watch_out)
{
    int status = loop_watch_new(server->options.loop, fd, callback, server, watch_out);
    return status != 0 ? status : loop_watch_set(*watch_out, LOOP_READABLE);
}

static int attach_to_loop(struct http_server *server, struct err *e)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int status = info != NULL ? 0 : ERR_UNSUPPORTED;
    if (status == 0) {
        server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        status = server->wake_fd >= 0 ? 0 : ERR_IO;
    }
    if (status == 0) {
        status = loop_timer_new(server->options.loop, drive, server, &server->timer);
    }
    if (status == 0) {
        status = watch_readable(server, server->wake_fd, on_wake, &server->wake_watch);
    }
    if (status == 0) {
        status = watch_readable(server, info->epoll_fd, on_ready, &server->watch);
    }
    if (status != 0) {
        err_set(e, status, -1, "cannot watch HTTP connections: %s", err_text(status));
    }
    return status;
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_server_options *o = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    flags |= o->loop == NULL ? MHD_USE_INTERNAL_POLLING_THREAD : 0;
    /* One thread is the daemon's own; a pool begins with two. */
    unsigned pool = o->loop == NULL && o->threads > 1 ? o->threads : 0;
    struct MHD_OptionItem more[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)pool, NULL}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,  /* */
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd,                   /* */
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,          /* */
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,             /* */
        MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL,             /* */
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections_max,     /* */
        MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s,              /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, /* */
        MHD_OPTION_ARRAY, pool > 0 ? more : none, MHD_OPTION_END);
}

/* Its threads inherit the mask: signals are for the thread that waits for them. */
static struct MHD_Daemon *start_daemon_without_signals(struct http_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = start_daemon(server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void set_defaults(struct http_server_options *o)
{
    o->threads = o->threads != 0 ? o->threads : THREADS_DEFAULT;
    o->connections_max = o->connections_max != 0 ? o->connections_max : CONNECTIONS_MAX_DEFAULT;
    o->body_max = o->body_max != 0 ? o->body_max : BODY_MAX_DEFAULT;
    o->idle_timeout_s = o->idle_timeout_s != 0 ? o->idle_timeout_s : IDLE_TIMEOUT_S_DEFAULT;
}

static void release_server(struct http_server *server)
{
    loop_watch_free(server->watch);
    loop_watch_free(server->wake_watch);
    loop_timer_free(server->timer);
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    if (server->listen_fd >= 0) {
        (void)close(server->listen_fd);
    }
    if (server->wake_fd >= 0) {
        (void)close(server->wake_fd);
    }
    mem_free(server->cors_origin);
    mem_free(server->route_prefix);
    lock_condition_release(&server->changed);
    lock_release(&server->lock);
    mem_free(server);
}

int http_server_start(
    const struct http_server_options *options, struct http_server **server_out, struct err *e)
{
    struct http_server *server = mem_calloc(1, sizeof(*server));
    if (server == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    server->options = *options;
    server->listen_fd = -1;
    server->wake_fd = -1;
    set_defaults(&server->options);
    lock_init(&server->lock, LOCK_RANK_LEAF);
    lock_condition_init(&server->changed);
    server->cors_origin = mem_strdup(options->cors_origin != NULL ? options->cors_origin : "*");
    server->route_prefix = mem_strdup(options->route_prefix != NULL ? options->route_prefix : "");
    int status = 0;
    if (server->cors_origin == NULL || server->route_prefix == NULL) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    if (status == 0) {
        status = http_listen(options->address, &server->listen_fd, &server->port, e);
    }
    if (status == 0) {
        server->daemon = start_daemon_without_signals(server);
        server->listen_fd = -1; /* taken over, and closed on failure too */
        if (server->daemon == NULL) {
            status = err_set(
                e, ERR_INTERNAL, -1, "cannot start the HTTP server on %s", options->address);
        }
    }
    if (status == 0 && options->loop != NULL) {
        status = attach_to_loop(server, e);
    }
    if (status != 0) {
        release_server(server);
        return status;
    }
    *server_out = server;
    return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

/* Until every handler has replied, and, for a while, until every reply is out. */
static void wait_for_requests(struct http_server *server)
{
    int64_t deadline_ms = INT64_MAX;
    lock_take(&server->lock);
    /* A reply may be out before the thread that gave it is done with the server. */
    while (server->open > 0 || server->running > 0) {
        int64_t now_ms = clock_monotonic_ms(clock_real());
        if (server->running == 0 && deadline_ms == INT64_MAX) {
            deadline_ms = now_ms + STOP_GRACE_MS;
        }
        if (server->running == 0 && now_ms >= deadline_ms) {
            break;
        }
        if (server->options.loop != NULL) {
            lock_give(&server->lock);
            (void)MHD_run_wait(
                server->daemon, STOP_STEP_MS); /* the loop cannot: this is its thread */
            lock_take(&server->lock);
        } else if (server->running > 0) {
            lock_condition_wait(&server->changed, &server->lock);
        } else {
            (void)lock_condition_wait_ms(&server->changed, &server->lock, deadline_ms - now_ms);
        }
    }
    lock_give(&server->lock);
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    lock_take(&server->lock);
    server->stopping = true;
    lock_give(&server->lock);
    server->listen_fd = MHD_quiesce_daemon(server->daemon);
    /* A thread may be about to accept: the number stays taken until the daemon is gone, but from now
     * on the kernel refuses connections. */
    (void)shutdown(server->listen_fd, SHUT_RDWR);
    wait_for_requests(server);
    release_server(server);
}
