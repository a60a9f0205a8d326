/* The server under test: handlers, routes, its four ways of running. */
#include "support/http_fixture.h"

#include "support/raw_http.h"
#include "support/support.h"

#include <dirent.h>

/* ---- Handlers ---- */

struct gate gate;

/* 'a' + index % 17, from any of its 17 beginnings. */
enum { PATTERN = 65536 };
static char pattern[PATTERN + 17];

int gate_set_up(void **state)
{
    (void)state;
    lock_init(&gate.lock, LOCK_RANK_LEAF);
    lock_condition_init(&gate.changed);
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (char)('a' + i % 17);
    }
    return 0;
}

void gate_set(bool open)
{
    lock_take(&gate.lock);
    gate.open = open;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
}

void gate_await_waiting(size_t count)
{
    lock_take(&gate.lock);
    while (gate.waiting < count) {
        lock_condition_wait(&gate.changed, &gate.lock);
    }
    lock_give(&gate.lock);
}

/* Answers with what it was asked, one line a part. */
static void answer_echo(struct http_exchange *x, void *context)
{
    struct strbuf body = STRBUF_INIT;
    strbuf_addf(&body, "%.*s %.*s value=%.*s body=%.*s", STR_ARG(http_exchange_method(x)),
        STR_ARG(http_exchange_path(x)), STR_ARG(http_exchange_path_value(x)),
        STR_ARG(http_exchange_body(x)));
    struct str value;
    for (size_t i = 0; http_exchange_param_at(x, "a", i, &value); i++) {
        strbuf_addf(&body, " a=%.*s", STR_ARG(value));
    }
    strbuf_addf(&body, " b=%s", http_exchange_param(x, "b").ptr != NULL ? "there" : "absent");
    struct str custom = http_exchange_header(x, "x-CUSTOM");
    strbuf_addf(&body, " custom=%.*s", STR_ARG(custom));
    assert_true(str_starts_with(http_exchange_remote(x), STR("127.0.0.1:")));
    http_exchange_set_header(x, "X-Answer", "yes");
    http_exchange_reply(x, 200, context, &body);
    assert_int_equal(body.size, 0);
}

static void answer_large(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body = STRBUF_INIT;
    for (size_t i = 0; i < LARGE; i++) {
        strbuf_add_char(&body, (char)('a' + i % 17));
    }
    http_exchange_reply(x, 200, "text/plain", &body);
}

static void answer_when_open(struct http_exchange *x, void *context)
{
    (void)context;
    lock_take(&gate.lock);
    gate.waiting++;
    lock_condition_broadcast(&gate.changed);
    while (!gate.open) {
        lock_condition_wait(&gate.changed, &gate.lock);
    }
    gate.waiting--;
    gate.done++;
    lock_give(&gate.lock);
    http_exchange_reply_text(x, 200, "opened");
}

static void *reply_later(void *exchange)
{
    http_exchange_reply_text(exchange, 202, "later");
    return NULL;
}

/* Passes the exchange to another thread, whose reply races the end of this handler. */
static void answer_later(struct http_exchange *x, void *context)
{
    (void)context;
    pthread_t thread;
    if (pthread_create(&thread, NULL, reply_later, x) != 0 || pthread_detach(thread) != 0) {
        abort();
    }
}

/* Who asks, as the lane sees it. */
static void answer_client(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body = STRBUF_INIT;
    strbuf_addf(&body, "%.*s%s", STR_ARG(http_exchange_client(x)),
        http_exchange_is_abandoned(x) ? " gone" : "");
    http_exchange_reply(x, 200, "text/plain", &body);
}

/* Works until nobody waits for the answer. */
static void answer_nobody(struct http_exchange *x, void *context)
{
    (void)context;
    lock_take(&gate.lock);
    gate.waiting++;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
    while (!http_exchange_is_abandoned(x)) {
        sched_yield();
    }
    lock_take(&gate.lock);
    gate.waiting--;
    gate.done++;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
    http_exchange_reply_text(x, 503, "too late");
}

static void answer_error(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body;
    strbuf_init(&body, 4);
    strbuf_add_c(&body, "too long");
    http_exchange_reply(x, 200, "text/plain", &body);
}

static size_t number_param(const struct http_exchange *x, const char *name)
{
    uint64_t number = 0;
    struct str text = http_exchange_param(x, name);
    if (text.ptr != NULL && str_to_u64(text, &number) != 0) {
        abort();
    }
    return (size_t)number;
}

/* `count` pieces of `size` bytes 'a' + index % 17, whatever may happen to the client; with `wait` it stays
 * after the first one until nobody reads any more; with `error` it ends with one. */
static void answer_pieces(struct http_exchange *x, void *context)
{
    (void)context;
    size_t count = number_param(x, "count"), size = number_param(x, "size"), at = 0;
    struct strbuf piece = STRBUF_INIT;
    int status = http_exchange_begin(x, 200, "text/plain");
    for (size_t i = 0; status == 0 && i < count; i++) {
        strbuf_reset(&piece);
        for (size_t left = size; left > 0;) {
            size_t some = left < PATTERN ? left : PATTERN;
            strbuf_add(&piece, pattern + at % 17, some);
            at += some;
            left -= some;
        }
        status = http_exchange_write(x, strbuf_str(&piece));
        atomic_fetch_add(&gate.written, status == 0 ? size : 0);
        while (number_param(x, "wait") > 0 && !http_exchange_is_abandoned(x)) {
            sched_yield();
        }
    }
    strbuf_release(&piece);
    http_exchange_end(x, status != 0 ? status : number_param(x, "error") > 0 ? ERR_IO : 0);
    lock_take(&gate.lock);
    gate.done++;
    gate.error = status;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
}

/* gzip.compress(b"static", mtime=0), from Python. */
static const uint8_t static_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
    0x2b, 0x2e, 0x49, 0x2c, 0xc9, 0x4c, 0x06, 0x00, 0x25, 0x28, 0xc0, 0x80, 0x06, 0x00, 0x00, 0x00};

static void answer_static(struct http_exchange *x, void *context)
{
    bool gzipped = context != NULL;
    if (gzipped) {
        http_exchange_reply_static(x, 200, "text/css", static_gzip, sizeof(static_gzip), true);
    } else {
        http_exchange_reply_static(x, 200, "text/css", "plain", 5, false);
    }
}

/* The content type answer_echo is to send. */
#define PLAIN ((void *)(uintptr_t) "text/plain")
#define DEEP ((void *)(uintptr_t) "text/deep")
#define EXACT ((void *)(uintptr_t) "text/exact")

const struct http_route fixture_routes[] = {
    {"GET POST", "/echo", answer_echo, PLAIN, HTTP_LANE_DIRECT, ""},
    {"GET POST", "/ingest", answer_echo, PLAIN, HTTP_LANE_INGEST, ""},
    {"GET", "/label/:name/values", answer_echo, PLAIN, HTTP_LANE_QUERY, ""},
    {"GET", "/files/*", answer_echo, PLAIN, HTTP_LANE_DIRECT, ""},
    {"GET", "/files/deep/*", answer_echo, DEEP, HTTP_LANE_DIRECT, ""},
    {"GET", "/files/exact", answer_echo, EXACT, HTTP_LANE_DIRECT, ""},
    {"GET", "/large", answer_large, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/gate", answer_when_open, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/later", answer_later, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/later-pool", answer_later, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/client", answer_client, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/nobody", answer_nobody, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/error", answer_error, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/pieces", answer_pieces, NULL, HTTP_LANE_QUERY, ""},
    {"GET", "/static", answer_static, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/static.gz", answer_static, (void *)(uintptr_t)1, HTTP_LANE_DIRECT, ""},
};

/* ---- A server to test ---- */

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

void fixture_start(struct fixture *f, enum way way, struct http_server_options o)
{
    *f = (struct fixture){.way = way};
    o.address = "127.0.0.1:0";
    o.routes = fixture_routes;
    o.route_count = sizeof(fixture_routes) / sizeof(fixture_routes[0]);
    if (way == WAY_POOLS || way == WAY_LOOP_POOLS) {
        struct workpool_options ingest = {"ingest", 1, 4}, query = {"query", 2, 1};
        assert_int_equal(workpool_open(&ingest, &f->pools[0]), 0);
        assert_int_equal(workpool_open(&query, &f->pools[1]), 0);
        o.lanes[HTTP_LANE_INGEST] = f->pools[0];
        o.lanes[HTTP_LANE_QUERY] = f->pools[1];
        o.fair[HTTP_LANE_QUERY] = true;
    }
    if (way == WAY_LOOP || way == WAY_LOOP_POOLS) {
        assert_int_equal(loop_new(&f->loop), 0);
        o.loop = f->loop;
    }
    struct err e = ERR_INIT;
    if (http_server_start(&o, &f->server, &e) != 0) {
        fail_msg("%s", e.message);
    }
    f->port = http_server_port(f->server);
    if (f->loop != NULL) {
        assert_int_equal(pthread_create(&f->loop_thread, NULL, run_loop, f->loop), 0);
    }
}

static void stop_on_loop(void *context)
{
    struct fixture *f = context;
    http_server_stop(f->server);
    loop_stop(f->loop);
}

void fixture_stop(struct fixture *f)
{
    if (f->loop != NULL) {
        assert_int_equal(loop_post(f->loop, stop_on_loop, f), 0);
        pthread_join(f->loop_thread, NULL);
        loop_free(f->loop);
    } else {
        http_server_stop(f->server);
    }
    workpool_close(f->pools[0]);
    workpool_close(f->pools[1]);
}

/* ---- Clients ---- */

int fixture_dial(const struct fixture *f)
{
    return raw_http_dial(f->port);
}

size_t open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

/* ---- Exchanges ---- */

void run_cases(const struct fixture *f, const struct exchange_case *cases, size_t count)
{
    int fd = fixture_dial(f); /* all on one connection: keep-alive works after each of them */
    for (size_t i = 0; i < count; i++) {
        const struct exchange_case *c = &cases[i];
        raw_http_send_text(fd, c->request);
        struct raw_http_answer a;
        raw_http_receive(fd, strncmp(c->request, "HEAD", 4) == 0, &a);
        if (a.status != c->status || (c->body != NULL && !str_eq_c(strbuf_str(&a.body), c->body))) {
            fail_msg("way %d, %s: got %u \"%.*s\", expected %u \"%s\"", f->way, c->request,
                a.status, STR_ARG(strbuf_str(&a.body)), c->status,
                c->body != NULL ? c->body : "(any)");
        }
        if (c->header != NULL) {
            struct str got = raw_http_header(&a, c->header);
            bool right = c->value == NULL ? got.ptr == NULL : str_eq_c(got, c->value);
            if (!right) {
                fail_msg("way %d, %s: %s is \"%.*s\", expected \"%s\"", f->way, c->request,
                    c->header, STR_ARG(got), c->value != NULL ? c->value : "(absent)");
            }
        }
        raw_http_release(&a);
    }
    close(fd);
}
