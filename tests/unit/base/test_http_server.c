/* The HTTP server, over real sockets on loopback, in its three ways: threads of its own with
 * handlers in place, threads with pools, and driven by a loop. Expected answers follow RFC 9110 and
 * the header's promises. Requests are written byte by byte as clients send them.
 */
#include "support/raw_http.h"
#include "support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/gzip.h"
#include "base/http_server.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { LARGE = 100000 };

/* ---- Handlers ---- */

/* What a test blocks handlers with, and what they count. */
struct gate {
    struct lock lock;
    struct lock_condition changed;
    bool open;
    size_t waiting, done;
};

static struct gate gate;

static void gate_set(bool open)
{
    lock_take(&gate.lock);
    gate.open = open;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
}

static void gate_await_waiting(size_t count)
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

static const struct http_route routes[] = {
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
    {"GET", "/static", answer_static, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/static.gz", answer_static, (void *)(uintptr_t)1, HTTP_LANE_DIRECT, ""},
};

/* ---- A server to test ---- */

enum way { WAY_THREADS, WAY_POOLS, WAY_LOOP, WAY_LOOP_POOLS, WAYS };

struct fixture {
    enum way way;
    struct http_server *server;
    struct workpool *pools[2];
    struct loop *loop;
    pthread_t loop_thread;
    uint16_t port;
};

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static void start(struct fixture *f, enum way way, struct http_server_options o)
{
    *f = (struct fixture){.way = way};
    o.address = "127.0.0.1:0";
    o.routes = routes;
    o.route_count = sizeof(routes) / sizeof(routes[0]);
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

static void stop(struct fixture *f)
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

/* ---- A client ---- */

static int dial(const struct fixture *f)
{
    return raw_http_dial(f->port);
}

static size_t open_files(void)
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

/* ---- Tests ---- */

struct exchange_case {
    const char *request;
    unsigned status;
    const char *body;           /* NULL: not compared */
    const char *header, *value; /* NULL: not compared; value NULL: must be absent */
};

static void run_cases(const struct fixture *f, const struct exchange_case *cases, size_t count)
{
    int fd = dial(f); /* all on one connection: keep-alive works after each of them */
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

#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define FORM(target, length, body)                                                                 \
    "POST " target " HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded; "     \
    "charset=utf-8\r\nContent-Length: " length "\r\n\r\n" body

static void test_exchanges(void **state)
{
    static const struct exchange_case cases[] = {
        {GET("/echo"), 200, "GET /echo value= body= b=absent custom=", "X-Answer", "yes"},
        {GET("/echo?a=1&b"), 200, "GET /echo value= body= a=1 b=there custom=", "Content-Type",
            "text/plain"},
        {GET("/echo?a=x+y%2Bz&a=%C3%BC&a=&&a=1%"), 200,
            "GET /echo value= body= a=x y+z a=ü a= a=1% b=absent custom=",
            "Access-Control-Allow-Origin", "*"},
        {GET("/ec%68o"), 404, "There is nothing at this path.\n", "Content-Type",
            "text/plain; charset=utf-8"},
        {"GET /echo HTTP/1.1\r\nHost: h\r\nX-Custom: v 1\r\n\r\n", 200,
            "GET /echo value= body= b=absent custom=v 1", NULL, NULL},
        {FORM("/echo?a=0", "11", "a=1&a=2+3&b"), 200,
            "POST /echo value= body=a=1&a=2+3&b a=0 a=1 a=2 3 b=there custom=",
            "Access-Control-Allow-Origin", NULL},
        {"POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na=1", 200,
            "POST /ingest value= body=a=1 b=absent custom=", NULL, NULL},
        {"POST /ingest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde"
         "\r\n0\r\n\r\n",
            200, "POST /ingest value= body=abcde b=absent custom=", NULL, NULL},
        {GET("/label/job%2Fx/values"), 200,
            "GET /label/job/x/values value=job/x body= b=absent custom=", NULL, NULL},
        {GET("/label//values"), 404, NULL, NULL, NULL},
        {GET("/label/job/valuesx"), 404, NULL, NULL, NULL},
        {GET("/files/a/b+c"), 200,
            "GET /files/a/b+c value=a/b+c body= b=absent custom=", "Content-Type", "text/plain"},
        {GET("/files/deep/x"), 200,
            "GET /files/deep/x value=x body= b=absent custom=", "Content-Type", "text/deep"},
        {GET("/files/exact"), 200, NULL, "Content-Type", "text/exact"},
        {GET("/files"), 404, NULL, "Allow", NULL},
        {GET("/nowhere?x=1"), 404, "There is nothing at this path.\n", "Content-Length", "31"},
        {"DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405,
            "DELETE is not answered at this path; it takes GET, HEAD, POST, OPTIONS.\n", "Allow",
            "GET, HEAD, POST, OPTIONS"},
        {"POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy", 405, NULL, "Allow",
            "GET, HEAD, OPTIONS"},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Access-Control-Allow-Methods",
            "GET, HEAD, OPTIONS"},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Access-Control-Allow-Origin", "*"},
        {"OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, NULL, NULL, NULL},
        {"HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, "", "Content-Length", "39"},
        {"HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n", 200, "", "Content-Length", "100000"},
        {"HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", "Content-Length", "31"},
        {GET("/later"), 202, "later\n", NULL, NULL},
        {GET("/later-pool"), 202, "later\n", NULL, NULL},
        {GET("/client"), 200, "127.0.0.1", NULL, NULL},
        {"GET /client HTTP/1.1\r\nHost: h\r\nX-Grafana-User: ann\r\n\r\n", 200, "ann", NULL, NULL},
        {"GET /client HTTP/1.1\r\nHost: h\r\nX-Grafana-User: ann\r\nx-scope-orgid: t1\r\n\r\n", 200,
            "t1", NULL, NULL},
        {GET("/error"), 500, "The answer is larger than the limit; ask for less.\n", NULL, NULL},
        {GET("/static"), 200, "plain", "Content-Encoding", NULL},
        {GET("/static.gz"), 200, "static", "Content-Encoding", NULL},
        {"GET /static.gz HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n", 200, NULL,
            "Content-Encoding", "gzip"},
        {"GET /echo HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n", 200, NULL,
            "Content-Encoding", NULL},
    };
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        start(&f, (enum way)way, (struct http_server_options){.threads = 1 + way});
        run_cases(&f, cases, sizeof(cases) / sizeof(cases[0]));
        stop(&f);
    }
}

#define ORIGIN(line, origin) line " HTTP/1.1\r\nHost: h\r\nOrigin: " origin "\r\n\r\n"

static void test_prefix_and_origin(void **state)
{
    static const struct exchange_case cases[] = {
        {ORIGIN("GET /sonde/echo", "https://b.example"), 200,
            "GET /echo value= body= b=absent custom=", "Access-Control-Allow-Origin",
            "https://b.example"},
        {ORIGIN("GET /sonde/echo", "https://b.example"), 200, NULL, "Vary", "Origin"},
        {ORIGIN("GET /sonde/echo", "https://b.example.evil"), 200, NULL,
            "Access-Control-Allow-Origin", NULL},
        {GET("/sonde/echo"), 200, NULL, "Access-Control-Allow-Origin", NULL},
        {GET("/sondeecho"), 404, NULL, NULL, NULL},
        {GET("/sonde"), 404, NULL, NULL, NULL},
        {GET("/echo"), 404, NULL, NULL, NULL},
        {"POST /sonde/echo HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\nContent-Length: "
         "0\r\n\r\n",
            200, NULL, "Access-Control-Allow-Origin", "https://a.example"},
        {ORIGIN("OPTIONS /sonde/echo", "https://a.example"), 204, "",
            "Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"},
        {ORIGIN("OPTIONS /sonde/echo", "https://c.example"), 204, "",
            "Access-Control-Allow-Methods", NULL},
    };
    struct fixture f;
    start(&f, WAY_THREADS,
        (struct http_server_options){
            .route_prefix = "/sonde", .cors_origin = "https://[ab]\\.example"});
    run_cases(&f, cases, sizeof(cases) / sizeof(cases[0]));
    stop(&f);
    static const struct exchange_case without[] = {
        {GET("/echo"), 200, NULL, "Access-Control-Allow-Origin", NULL},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Access-Control-Allow-Methods",
            NULL},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Allow", "GET, HEAD, POST, OPTIONS"},
    };
    start(&f, WAY_THREADS, (struct http_server_options){.cors_origin = ""});
    run_cases(&f, without, sizeof(without) / sizeof(without[0]));
    stop(&f);
}

static void test_gzip(void **state)
{
    static const struct {
        const char *accept;
        bool gzipped;
    } cases[] = {
        {"gzip", true},
        {"deflate, GZIP;q=0.5", true},
        {"*", true},
        {"br, *;q=0.1", true},
        {"gzip;q=0", false},
        {"*, gzip; q=0.000", false},
        {"*;q=0", false},
        {"br", false},
        {"identity", false},
    };
    struct fixture f;
    start(&f, WAY_POOLS, (struct http_server_options){.threads = 1});
    int fd = dial(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf request = STRBUF_INIT;
        strbuf_addf(&request, "GET /large HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n",
            cases[i].accept);
        raw_http_send_text(fd, request.data);
        struct raw_http_answer a;
        raw_http_receive(fd, false, &a);
        bool gzipped = str_eq_c(raw_http_header(&a, "Content-Encoding"), "gzip");
        if (gzipped != cases[i].gzipped) {
            fail_msg("Accept-Encoding: %s: gzipped %d", cases[i].accept, gzipped);
        }
        assert_true(str_eq_c(raw_http_header(&a, "Vary"), "Accept-Encoding"));
        struct strbuf plain = STRBUF_INIT;
        if (gzipped) {
            assert_true(a.body.size < LARGE / 10);
            assert_int_equal(gzip_decode(strbuf_str(&a.body), LARGE, &plain), 0);
        } else {
            strbuf_add_str(&plain, strbuf_str(&a.body));
        }
        assert_int_equal(plain.size, LARGE);
        assert_int_equal(plain.data[LARGE - 1], 'a' + (LARGE - 1) % 17);
        strbuf_release(&plain);
        strbuf_release(&request);
        raw_http_release(&a);
    }
    close(fd);
    stop(&f);
}

static void test_pipelined(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        start(&f, (enum way)way, (struct http_server_options){0});
        int fd = dial(&f);
        raw_http_send_text(fd, GET("/echo?a=1") GET("/label/x/values") GET("/echo?a=3"));
        static const char *const expected[] = {" a=1 ", "value=x", " a=3 "};
        for (size_t i = 0; i < 3; i++) {
            struct raw_http_answer a;
            raw_http_receive(fd, false, &a);
            assert_non_null(strstr(a.body.data, expected[i]));
            raw_http_release(&a);
        }
        close(fd);
        stop(&f);
    }
}

/* Sends a head and `size` bytes of body; the answer must be 413 and, when `closes`, the end. */
static void check_too_large(const struct fixture *f, const char *head, size_t size, bool closes)
{
    int fd = dial(f);
    char *body = mem_calloc(1, size + 1);
    assert_non_null(body);
    memset(body, 'x', size);
    raw_http_send_text(fd, head);
    raw_http_send(fd, body, size);
    mem_free(body);
    if (strstr(head, "chunked") != NULL) {
        raw_http_send_text(fd, "\r\n0\r\n\r\n");
    }
    struct raw_http_answer a;
    raw_http_receive(fd, false, &a);
    assert_int_equal(a.status, 413);
    assert_string_equal(a.body.data, "The body is larger than the 1000 bytes accepted.\n");
    raw_http_release(&a);
    if (closes) {
        assert_true(raw_http_at_end(fd));
    } else {
        raw_http_send_text(fd, GET("/echo"));
        raw_http_receive(fd, false, &a);
        assert_int_equal(a.status, 200);
        raw_http_release(&a);
    }
    close(fd);
}

static void test_body_limit(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        start(&f, (enum way)way, (struct http_server_options){.body_max = 1000});
        int fd = dial(&f);
        char body[1001] = {0};
        memset(body, 'x', 1000);
        raw_http_send_text(fd, "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
        raw_http_send(fd, body, 1000);
        struct raw_http_answer a;
        raw_http_receive(fd, false, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body.data, body));
        raw_http_release(&a);
        close(fd);
        check_too_large(
            &f, "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 1001, false);
        check_too_large(&f,
            "POST /ingest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n", 1500,
            false);
        /* Nothing of these bodies is sent: the head alone is refused. */
        check_too_large(
            &f, "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 0, true);
        check_too_large(&f,
            "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: "
            "100-continue\r\n\r\n",
            0, true);
        /* A stream without end is cut off. */
        fd = dial(&f);
        raw_http_send_text(
            fd, "POST /ingest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        char chunk[1100];
        int length = snprintf(chunk, sizeof(chunk), "3e8\r\n%s\r\n", body);
        ssize_t sent = 1;
        for (size_t i = 0; sent > 0; i++) {
            assert_true(i < 1000000);
            sent = send(fd, chunk, (size_t)length, MSG_NOSIGNAL);
        }
        close(fd);
        stop(&f);
    }
}

/* Two threads busy and one request waiting: the fourth is refused, and all others are answered. */
static void test_full_lane(void **state)
{
    struct fixture f;
    start(&f, WAY_POOLS, (struct http_server_options){.threads = 2});
    int fd[4];
    gate_set(false);
    for (size_t i = 0; i < 2; i++) {
        fd[i] = dial(&f);
        raw_http_send_text(fd[i], GET("/gate"));
    }
    gate_await_waiting(2);
    fd[2] = dial(&f);
    raw_http_send_text(fd[2], GET("/gate"));
    while (workpool_depth(f.pools[1]) < 3) {
        sched_yield();
    }
    fd[3] = dial(&f);
    raw_http_send_text(fd[3], GET("/gate"));
    struct raw_http_answer a;
    raw_http_receive(fd[3], false, &a);
    assert_int_equal(a.status, 503);
    assert_true(str_eq_c(raw_http_header(&a, "Retry-After"), "1"));
    raw_http_release(&a);
    /* The other lane does not suffer. */
    raw_http_send_text(fd[3], FORM("/ingest", "3", "a=1"));
    raw_http_receive(fd[3], false, &a);
    assert_int_equal(a.status, 200);
    raw_http_release(&a);
    gate_set(true);
    for (size_t i = 0; i < 4; i++) {
        if (i < 3) {
            raw_http_receive(fd[i], false, &a);
            assert_int_equal(a.status, 200);
            raw_http_release(&a);
        }
        close(fd[i]);
    }
    stop(&f);
}

/* The value of a metric's line; -1 when it is not there. */
static double metric_value(const char *line_begin)
{
    struct strbuf text = STRBUF_INIT;
    metrics_write(&text);
    const char *line = strstr(text.data, line_begin);
    double value = -1;
    if (line != NULL) {
        struct str rest = str_of(line + strlen(line_begin));
        assert_int_equal(str_to_double(str_trim(str_split(&rest, '\n')), &value), 0);
    }
    strbuf_release(&text);
    return value;
}

static void test_metrics(void **state)
{
    static const char *const lines[] = {
        "sonde_http_responses_total{class=\"2xx\"}",
        "sonde_http_responses_total{class=\"4xx\"}",
        "sonde_http_responses_total{class=\"5xx\"}",
        "sonde_http_request_duration_seconds_count{lane=\"direct\"}",
        "sonde_http_request_duration_seconds_bucket{lane=\"query\",le=\"+Inf\"}",
        "sonde_http_lane_full_total{lane=\"query\"}",
    };
    static const double expected[] = {1, 1, 1, 1, 1, 0};
    enum { COUNT = sizeof(lines) / sizeof(lines[0]) };
    static const struct exchange_case cases[] = {
        {GET("/echo"), 200, NULL, NULL, NULL},
        {GET("/nowhere"), 404, NULL, NULL, NULL},
        {GET("/error"), 500, NULL, NULL, NULL},
    };
    struct fixture f;
    start(&f, WAY_POOLS, (struct http_server_options){0});
    double before[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        before[i] = metric_value(lines[i]);
        assert_true(before[i] >= 0);
    }
    run_cases(&f, cases, sizeof(cases) / sizeof(cases[0]));
    for (size_t i = 0; i < COUNT; i++) {
        double moved = metric_value(lines[i]) - before[i];
        if (moved != expected[i]) {
            fail_msg("%s moved by %g, expected %g", lines[i], moved, expected[i]);
        }
    }
    stop(&f);
}

static void *open_gate_once_stopping(void *context)
{
    struct fixture *f = context;
    gate_await_waiting(1);
    /* Connections are refused once the server stops to listen. */
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int result = connect(fd, (struct sockaddr *)&to, sizeof(to));
        close(fd);
        if (result != 0) {
            break;
        }
        sched_yield();
    }
    gate_set(true);
    return NULL;
}

static void test_stop_waits(void **state)
{
    static const enum way ways[] = {WAY_POOLS, WAY_LOOP_POOLS};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        start(&f, ways[i], (struct http_server_options){.threads = 2});
        gate_set(false);
        int fd = dial(&f);
        raw_http_send_text(fd, GET("/gate"));
        gate_await_waiting(1);
        pthread_t opener;
        assert_int_equal(pthread_create(&opener, NULL, open_gate_once_stopping, &f), 0);
        stop(&f);
        pthread_join(opener, NULL);
        struct raw_http_answer a;
        raw_http_receive(fd, false, &a);
        assert_int_equal(a.status, 200);
        raw_http_release(&a);
        assert_true(raw_http_at_end(fd));
        close(fd);
    }
}

/* Clients that leave at every stage; nothing of them may stay. */
static void test_aborted(void **state)
{
    static const char *const beginnings[] = {"", "GET /ec", "GET /echo HTTP/1.1\r\nHo",
        "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc",
        "POST /ingest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        GET("/echo"), GET("/large"), GET("/later"), GET("/later-pool"), GET("/nowhere"),
        "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n",
        "nonsense\r\n\r\n", "GET  HTTP/9.9\r\n\r\n"};
    for (int way = 0; way < WAYS; way++) {
        size_t before = open_files();
        struct fixture f;
        start(&f, (enum way)way, (struct http_server_options){.threads = 2});
        for (size_t i = 0; i < 300; i++) {
            int fd = dial(&f);
            raw_http_send_text(fd, beginnings[i % (sizeof(beginnings) / sizeof(beginnings[0]))]);
            if (i % 2 == 0) {
                raw_http_abort(fd);
            } else {
                close(fd);
            }
        }
        run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
        stop(&f);
        assert_int_equal(open_files(), before);
    }
}

/* A client that leaves while its handler runs. */
static void test_aborted_while_handled(void **state)
{
    static const enum way ways[] = {WAY_POOLS, WAY_LOOP_POOLS};
    for (size_t i = 0; i < 2; i++) {
        size_t before = open_files();
        struct fixture f;
        start(&f, ways[i], (struct http_server_options){.threads = 1});
        gate_set(false);
        int fd = dial(&f);
        raw_http_send_text(fd, GET("/gate"));
        gate_await_waiting(1);
        raw_http_abort(fd);
        gate_set(true);
        run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
        stop(&f);
        assert_int_equal(open_files(), before);
    }
}

/* However the client goes, the handler in a lane can see it. */
static void test_handler_sees_the_end(void **state)
{
    (void)state;
    static const enum way ways[] = {WAY_POOLS, WAY_LOOP_POOLS};
    for (size_t i = 0; i < 4; i++) {
        struct fixture f;
        gate.done = 0;
        start(&f, ways[i % 2], (struct http_server_options){0});
        int fd = dial(&f);
        raw_http_send_text(fd, GET("/nobody"));
        gate_await_waiting(1);
        if (i < 2) {
            close(fd);
        } else {
            raw_http_abort(fd);
        }
        lock_take(&gate.lock);
        while (gate.done == 0) {
            lock_condition_wait(&gate.changed, &gate.lock);
        }
        lock_give(&gate.lock);
        stop(&f);
    }
}

static void test_idle_client(void **state)
{
    static const enum way ways[] = {WAY_THREADS, WAY_LOOP};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        start(&f, ways[i], (struct http_server_options){.threads = 1, .idle_timeout_s = 1});
        int silent = dial(&f), half = dial(&f), kept = dial(&f);
        raw_http_send_text(
            half, "POST /ingest HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
        raw_http_send_text(kept, GET("/echo"));
        struct raw_http_answer a;
        raw_http_receive(kept, false, &a);
        raw_http_release(&a);
        assert_true(raw_http_at_end(silent));
        assert_true(raw_http_at_end(half));
        assert_true(raw_http_at_end(kept));
        close(silent);
        close(half);
        close(kept);
        stop(&f);
    }
}

static void *ask_many(void *context)
{
    const struct fixture *f = context;
    int fd = dial(f);
    for (size_t i = 0; i < 200; i++) {
        raw_http_send_text(fd, i % 2 == 0 ? GET("/label/x/values") : FORM("/ingest", "3", "a=1"));
        struct raw_http_answer a;
        raw_http_receive(fd, false, &a);
        if (a.status != 200 && a.status != 503) {
            abort();
        }
        raw_http_release(&a);
    }
    close(fd);
    return NULL;
}

static void test_many_at_once(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        start(&f, (enum way)way, (struct http_server_options){.threads = 2});
        pthread_t clients[6];
        for (size_t i = 0; i < 6; i++) {
            assert_int_equal(pthread_create(&clients[i], NULL, ask_many, &f), 0);
        }
        for (size_t i = 0; i < 6; i++) {
            pthread_join(clients[i], NULL);
        }
        stop(&f);
    }
}

static void test_addresses(void **state)
{
    struct fixture f;
    start(&f, WAY_THREADS, (struct http_server_options){.threads = 1});
    char taken[32];
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", f.port);
    char sentence[128];
    snprintf(sentence, sizeof(sentence),
        "%s is in use: another server runs there; choose another with --listen", taken);
    const struct {
        const char *address;
        int code;
        const char *sentence;
    } cases[] = {
        {taken, ERR_BUSY, sentence},
        {"192.0.2.1:80", ERR_INVALID, "192.0.2.1:80 is not an address of this machine"},
        {"127.0.0.1", ERR_INVALID, "\"127.0.0.1\" is not an address to listen on; write"},
        {"127.0.0.1:x", ERR_INVALID, "\"127.0.0.1:x\" is not an address to listen on; write"},
        {"127.0.0.1:65536", ERR_INVALID, "\"127.0.0.1:65536\" is not an address"},
        {"::1:80", ERR_INVALID, "\"::1:80\" is not an address to listen on; write"},
        {"", ERR_INVALID, "\"\" is not an address to listen on; write"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_server_options o = {.address = cases[i].address, .routes = routes};
        struct http_server *server = NULL;
        struct err e = ERR_INIT;
        int status = http_server_start(&o, &server, &e);
        if (status != cases[i].code ||
            !str_starts_with(str_of(e.message), str_of(cases[i].sentence))) {
            fail_msg("%s: got %d \"%s\", expected %d \"%s\"", cases[i].address, status, e.message,
                cases[i].code, cases[i].sentence);
        }
        assert_null(server);
    }
    stop(&f);
    http_server_stop(NULL);
    struct http_server_options everywhere = {.address = ":0", .routes = routes, .route_count = 1};
    assert_int_equal(http_server_start(&everywhere, &f.server, NULL), 0);
    f = (struct fixture){.server = f.server, .port = http_server_port(f.server)};
    run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
    stop(&f);
}

static int set_up(void **state)
{
    (void)state;
    lock_init(&gate.lock, LOCK_RANK_LEAF);
    lock_condition_init(&gate.changed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_prefix_and_origin),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_full_lane),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_stop_waits),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_aborted_while_handled),
        cmocka_unit_test(test_handler_sees_the_end),
        cmocka_unit_test(test_idle_client),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
