/* HTTP in: requests, their lanes, and the server's life. Bytes are moved by http_daemon.c, replies made by
 * http_server_exchange.c; the life of a request is told in http_server_exchange.h.
 *
 * Refusing a large body: small excesses are read and thrown away so that the client gets to see the
 * 413; beyond twice the limit the answer is sent before the body and the connection closed.
 */
#include "http_server_exchange.h"

#include <assert.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http_address.h"
#include "http_match.h"
#include "http_metrics.h"
#include "http_reply.h"

enum {
    THREADS_DEFAULT = 2,
    CONNECTIONS_MAX_DEFAULT = 512,
    IDLE_TIMEOUT_S_DEFAULT = 60,
    /* A request must be complete within this many idle timeouts, however busily it trickles. */
    REQUEST_TIMEOUTS_MAX = 5,
    /* Bodies of all requests together may take this many times the limit of one. */
    BODIES_FACTOR = 8,
    /* How long stopping waits for clients to read their replies. */
    STOP_GRACE_MS = 5000,
    STOP_STEP_MS = 10,
    /* Requests whose passwords wait to be computed. */
    DOOR_QUEUE_MAX = 64,
};
#define BODY_MAX_DEFAULT ((size_t)64 << 20)

/* ---- Counting requests, for stop ---- */

/* False when the server stops and takes no more. */
static bool count_in(struct http_exchange *x)
{
    struct http_server *server = x->server;
    lock_take(&server->lock);
    bool welcome = !server->stopping;
    server->running += welcome;
    server->open += welcome && !x->counted;
    x->counted |= welcome;
    lock_give(&server->lock);
    return welcome;
}

void http_server_count_down(struct http_server *server, size_t *counter)
{
    lock_take(&server->lock);
    assert(*counter > 0);
    if (--*counter == 0) {
        lock_condition_broadcast(&server->changed);
    }
    lock_give(&server->lock);
}

/* ---- Routes ---- */

/* Sets route, path and parameters of the query, or the refusal. */
static int choose_route(struct http_exchange *x)
{
    const struct http_server_options *o = &x->server->options;
    struct str path, value;
    struct strbuf methods = STRBUF_INIT;
    if (http_match_target(x->target, x->server->route_prefix, &path, &x->query)) {
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

static struct http_response *preflight_response(struct http_exchange *x)
{
    http_exchange_set_header(x, "Allow", x->allowed);
    if (!x->server->no_origin && http_exchange_allowed_origin(x).len > 0) {
        bool everybody = x->server->cors_pattern == NULL;
        http_exchange_set_header(
            x, "Access-Control-Allow-Methods", everybody ? "GET, HEAD, OPTIONS" : x->allowed);
        http_exchange_set_header(
            x, "Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
        http_exchange_set_header(x, "Access-Control-Max-Age", "3600");
    }
    struct strbuf nothing = STRBUF_INIT;
    return http_exchange_response(x, NULL, &nothing);
}

/* The answer to a request that no handler gets to see. */
static struct http_response *refusal_response(struct http_exchange *x)
{
    if (x->refusal == 204) {
        return preflight_response(x);
    }
    if (x->refusal == 405) {
        http_exchange_set_header(x, "Allow", x->allowed);
    } else if (x->refusal == 503) {
        http_exchange_set_header(x, "Retry-After", "1");
    } else if (x->refusal == 401) {
        http_exchange_set_header(x, "WWW-Authenticate", "Basic");
    }
    struct strbuf body;
    strbuf_init(&body, 0);
    http_reply_refusal(x->refusal, x->method, x->allowed, x->server->options.body_max, &body);
    struct http_response *response = http_exchange_response(x, HTTP_TEXT, &body);
    strbuf_release(&body);
    return response;
}

/* ---- Requests, on the daemon's threads ---- */

static bool queue_reply(struct http_exchange *x)
{
    bool queued = x->response != NULL &&
                  http_connection_reply(x->server->daemon, x->connection, x->status, x->response);
    http_response_free(x->response);
    x->response = NULL;
    return queued;
}

static bool refuse(struct http_exchange *x, unsigned status)
{
    http_metrics_refusal(status);
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
static bool run_here(struct http_exchange *x)
{
    run_handler(x);
    if (atomic_load(&x->state) == EXCHANGE_ANSWERED) {
        return queue_reply(x);
    }
    http_connection_suspend(x->connection);
    int expected = EXCHANGE_HANDLING;
    if (!atomic_compare_exchange_strong(&x->state, &expected, EXCHANGE_WAITING)) {
        http_connection_resume(x->server->daemon, x->connection); /* the reply came in between */
    }
    return true;
}

static uint64_t client_hash(const struct http_exchange *x)
{
    struct str client = http_exchange_client(x);
    return hash64(client.ptr, client.len, 0);
}

static bool run_in_pool(struct http_exchange *x, struct workpool *pool)
{
    atomic_store(&x->state, EXCHANGE_WAITING);
    bool fair = x->server->options.fair[x->route->lane];
    uint64_t client = fair ? client_hash(x) : 0;
    http_connection_suspend(x->connection);
    int status = fair ? workpool_submit_for(pool, client, run_handler, x)
                      : workpool_submit(pool, run_handler, x);
    if (status != 0) {
        http_metrics_lane_full(x->route->lane);
        http_exchange_set_header(x, "Retry-After", "1");
        http_exchange_reply_text(x, 503,
            "The server has as many requests of this kind as it can hold; try again later.");
    }
    return true;
}

/* The form's before the target's, as in Go: the first of a name counts. */
static int read_params(struct http_exchange *x)
{
    int status = 0;
    struct str type = http_exchange_header(x, "Content-Type");
    if (http_media_type_is(type, "application/x-www-form-urlencoded")) {
        status = http_params_add(&x->arena, strbuf_str(&x->body), &x->params);
    }
    return status == 0 ? http_params_add(&x->arena, x->query, &x->params) : status;
}

/* The request is complete. */
static bool dispatch(struct http_exchange *x)
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
    http_connection_serve(x->server->daemon, x->connection);
    struct workpool *pool = x->server->options.lanes[x->route->lane];
    return pool != NULL ? run_in_pool(x, pool) : run_here(x);
}

/* A body may follow, of one who may ask. */
static bool begin_body(struct http_exchange *x)
{
    atomic_store(&x->state, EXCHANGE_READING);
    if (x->access_refusal != 0) {
        x->refusal = x->access_refusal;
    }
    uint64_t announced = 0;
    struct str length = http_exchange_header(x, "Content-Length");
    if (length.ptr != NULL && http_exchange_header(x, "Transfer-Encoding").ptr != NULL) {
        return refuse(x, 400); // whoever stands before us may have read the other (RFC 9112, 6.3)
    }
    size_t limit = x->server->options.body_max;
    if (length.ptr != NULL && str_to_u64(length, &announced) == 0 && announced > limit) {
        x->refusal = x->refusal != 401 ? 413 : 401;
        bool waits = http_exchange_header(x, "Expect").ptr != NULL;
        return waits || announced / 2 > limit ? refuse(x, x->refusal) : true;
    }
    return true;
}

/* The end of CHECKING: the exchange may be gone after it. */
static void end_check(struct http_exchange *x, unsigned refusal)
{
    struct http_server *server = x->server;
    struct http_connection *connection = x->connection;
    x->access_refusal = refusal;
    atomic_store(&x->state, EXCHANGE_CHECKED);
    http_connection_resume(server->daemon, connection);
    http_server_count_down(server, &server->running);
}

static void check_password(void *context)
{
    struct http_exchange *x = context;
    bool good = http_auth_check(http_guard_memory(x->server->guard), &x->rules->config.users,
        http_exchange_header(x, "Authorization"));
    end_check(x, good ? 0 : 401);
}

static bool begin_check(struct http_exchange *x)
{
    struct str address = http_exchange_remote(x);
    while (address.len > 0 && address.ptr[--address.len] != ':') {
    }
    if (!count_in(x)) {
        return refuse(x, 503);
    }
    atomic_store(&x->state, EXCHANGE_CHECKING);
    http_connection_serve(x->server->daemon, x->connection);
    http_connection_suspend(x->connection);
    uint64_t client = hash64(address.ptr, address.len, 0);
    if (workpool_submit_for(x->server->doormen, client, check_password, x) != 0) {
        end_check(x, 503);
    }
    return true;
}

/* Headers are complete. */
static bool begin_request(struct http_exchange *x, const char *method)
{
    char *copy = arena_strndup(&x->arena, method, strlen(method));
    if (copy == NULL) {
        return false;
    }
    x->method = str_of(copy);
    x->accepts_gzip = http_accepts_gzip(http_exchange_header(x, "Accept-Encoding"));
    if (choose_route(x) != 0) {
        return false;
    }
    if (x->rules != NULL && x->rules->config.users.count > 0) {
        enum http_auth_verdict verdict = http_auth_recall(http_guard_memory(x->server->guard),
            &x->rules->config.users, http_exchange_header(x, "Authorization"));
        if (verdict == HTTP_AUTH_UNKNOWN) {
            return begin_check(x);
        }
        x->access_refusal = verdict == HTTP_AUTH_BAD ? 401 : 0;
    }
    return begin_body(x);
}

/* Reserves memory among all bodies; false when they are too many. */
static bool keep_body(struct http_exchange *x, const char *bytes, size_t size)
{
    struct http_server *server = x->server;
    size_t total = atomic_fetch_add(&server->body_bytes, size) + size;
    if (total > server->options.bodies_max) {
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

/* For a whole request. */
static int64_t patience_ns(const struct http_server *server)
{
    return (int64_t)server->options.idle_timeout_s * REQUEST_TIMEOUTS_MAX * 1000000000;
}

static bool read_body(struct http_exchange *x, const char *bytes, size_t size)
{
    size_t limit = x->server->options.body_max;
    x->received += size;
    int64_t spent_ns = clock_monotonic_ns(clock_real()) - x->begun_ns;
    if (x->received / 2 > limit || spent_ns > patience_ns(x->server)) {
        return false; /* closes the connection */
    }
    if (x->refusal == 0 && x->received > limit) {
        x->refusal = 413;
    } else if (x->refusal == 0 && !keep_body(x, bytes, size)) {
        x->refusal = 503;
    }
    if (x->refusal != 0) {
        drop_body(x);
    }
    return true;
}

static bool on_step(void *request, const char *method, const char *bytes, size_t size)
{
    struct http_exchange *x = request;
    switch (atomic_load(&x->state)) {
    case EXCHANGE_BEGUN:
        return begin_request(x, method);
    case EXCHANGE_CHECKED:
        http_connection_await(x->server->daemon, x->connection);
        return begin_body(x);
    case EXCHANGE_READING:
        return size > 0 ? read_body(x, bytes, size) : dispatch(x);
    default:
        assert(atomic_load(&x->state) == EXCHANGE_ANSWERED);
        return queue_reply(x);
    }
}

void http_exchange_unref(struct http_exchange *x)
{
    if (atomic_fetch_sub(&x->holders, 1) == 1) {
        drop_body(x);
        http_rules_unref(x->rules);
        arena_release(&x->arena);
        mem_free(x);
    }
}

static void *on_begin(void *context, struct http_connection *connection, const char *target)
{
    struct http_server *server = context;
    struct http_exchange *x = mem_calloc(1, sizeof(*x));
    if (x == NULL) {
        return NULL;
    }
    atomic_init(&x->holders, 1);
    x->server = server;
    x->rules = server->guard != NULL ? http_guard_rules(server->guard) : NULL;
    x->connection = connection;
    x->begun_ns = clock_monotonic_ns(clock_real());
    arena_init(&x->arena, HTTP_EXCHANGE_ARENA_MAX);
    strbuf_init(&x->body, server->options.body_max);
    char *copy = arena_strndup(&x->arena, target, strlen(target));
    if (copy == NULL) {
        http_exchange_unref(x);
        return NULL;
    }
    x->target = str_of(copy);
    return x;
}

static void on_end(void *context, void *request)
{
    struct http_server *server = context;
    struct http_exchange *x = request;
    bool counted = x->counted;
    http_response_free(x->response);
    x->response = NULL;
    http_exchange_unref(x);
    if (counted) {
        http_server_count_down(server, &server->open);
    }
}

/* A connection takes the certificates that are in force when it comes. */
static void *on_greet(void *context, void *session)
{
    struct http_server *server = context;
    struct http_rules *rules = http_guard_rules(server->guard);
    if (!http_tls_apply(rules->tls, session)) {
        http_rules_unref(rules);
        return NULL;
    }
    return rules;
}

static void on_hang_up(void *context, void *held)
{
    (void)context;
    http_rules_unref(held);
}

/* ---- The server's life ---- */

static void set_defaults(struct http_server_options *o)
{
    o->threads = o->threads != 0 ? o->threads : THREADS_DEFAULT;
    o->connections_max = o->connections_max != 0 ? o->connections_max : CONNECTIONS_MAX_DEFAULT;
    o->body_max = o->body_max != 0 ? o->body_max : BODY_MAX_DEFAULT;
    o->bodies_max = o->bodies_max != 0 ? o->bodies_max : o->body_max * BODIES_FACTOR;
    o->idle_timeout_s = o->idle_timeout_s != 0 ? o->idle_timeout_s : IDLE_TIMEOUT_S_DEFAULT;
}

static void server_free(struct http_server *server)
{
    http_daemon_free(server->daemon);
    workpool_close(server->doormen);
    http_guard_close(server->guard);
    regex_free(server->cors_pattern);
    mem_free(server->route_prefix);
    lock_condition_release(&server->changed);
    lock_release(&server->lock);
    mem_free(server);
}

bool http_server_has_tls(const struct http_server *server)
{
    if (server->guard == NULL) {
        return false;
    }
    struct http_rules *rules = http_guard_rules(server->guard);
    bool has_tls = rules->config.has_tls;
    http_rules_unref(rules);
    return has_tls;
}

/* One thread computes passwords: a crowd of wrong ones takes one CPU. */
static int open_guard(struct http_server *server, struct err *e)
{
    const struct http_server_options *o = &server->options;
    struct workpool_options doormen = {"doormen", 1, DOOR_QUEUE_MAX};
    if (o->web_config_file == NULL || o->web_config_file[0] == '\0') {
        return 0;
    }
    int status = http_guard_open(
        o->web_config_file, o->web_config_changed, o->web_config_context, &server->guard, e);
    if (status == 0 && (status = workpool_open(&doormen, &server->doormen)) != 0) {
        err_set(e, status, -1, "cannot start a thread: %s", err_text(status));
    }
    return status;
}

int http_server_check_web_config(const char *path, struct err *e)
{
    struct http_guard *guard;
    int status = http_guard_open(path, NULL, NULL, &guard, e);
    if (status == 0) {
        http_guard_close(guard);
    }
    return status;
}

static int listen_and_serve(struct http_server *server, struct err *e)
{
    static const struct http_daemon_callbacks callbacks = {
        on_begin, on_step, on_end, on_greet, on_hang_up};
    const struct http_server_options *o = &server->options;
    struct http_daemon_options options = {
        .loop = o->loop,
        .threads = o->threads,
        .connections_max = (unsigned)o->connections_max,
        .idle_timeout_s = o->idle_timeout_s,
        .patience_ms = patience_ns(server) / 1000000,
        .tls_certificates = http_server_has_tls(server) ? http_tls_no_certificate() : NULL,
    };
    int status = http_listen(o->address, &options.listen_fd, &server->port, e);
    return status != 0 ? status
                       : http_daemon_start(&options, &callbacks, server, &server->daemon, e);
}

static int set_origin(struct http_server *server, const char *origin, struct err *e)
{
    if (origin == NULL || strcmp(origin, "*") == 0 || strcmp(origin, ".*") == 0) {
        return 0;
    }
    server->no_origin = origin[0] == '\0';
    int status = server->no_origin ? 0 : regex_new(str_of(origin), &server->cors_pattern, e);
    return status != 0 ? err_prefix(e, "origin \"%s\"", origin) : 0;
}

int http_server_start(
    const struct http_server_options *options, struct http_server **server_out, struct err *e)
{
    struct http_server *server = mem_calloc(1, sizeof(*server));
    if (server == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    server->options = *options;
    set_defaults(&server->options);
    http_metrics_register();
    lock_init(&server->lock, LOCK_RANK_LEAF);
    lock_condition_init(&server->changed);
    server->route_prefix = mem_strdup(options->route_prefix != NULL ? options->route_prefix : "");
    int status = server->route_prefix != NULL
                     ? set_origin(server, options->cors_origin, e)
                     : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    if (status == 0) {
        status = open_guard(server, e);
    }
    if (status == 0) {
        status = listen_and_serve(server, e);
    }
    if (status != 0) {
        server_free(server);
        return status;
    }
    *server_out = server;
    return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

/* Until every handler has replied, and, for a while, until every reply is out. Replies in pieces have that
 * while from the beginning: they may wait for clients that never read. */
static void wait_for_requests(struct http_server *server)
{
    int64_t now_ms = clock_monotonic_ms(clock_real());
    int64_t cut_ms = now_ms + STOP_GRACE_MS, deadline_ms = INT64_MAX;
    lock_take(&server->lock);
    /* A reply may be out before the thread that gave it is done with the server. */
    while (server->open > 0 || server->running > 0) {
        now_ms = clock_monotonic_ms(clock_real());
        if (now_ms >= cut_ms) {
            atomic_store(&server->cutting, true);
        }
        if (server->running == 0 && deadline_ms == INT64_MAX) {
            deadline_ms = now_ms + STOP_GRACE_MS;
        }
        if (server->running == 0 && now_ms >= deadline_ms) {
            break;
        }
        if (server->options.loop != NULL) {
            lock_give(&server->lock);
            http_daemon_turn(server->daemon, STOP_STEP_MS); /* the loop waits for this function */
            lock_take(&server->lock);
        } else {
            int64_t until_ms = server->running > 0 ? cut_ms : deadline_ms;
            int64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : STOP_GRACE_MS;
            (void)lock_condition_wait_ms(&server->changed, &server->lock, wait_ms);
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
    http_daemon_stop_listening(server->daemon);
    wait_for_requests(server);
    server_free(server);
}
