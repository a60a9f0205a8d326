/* The HTTP client against our own server and against a peer that answers canned bytes; and its
 * scripted twin. Everything runs on one loop, so a test is a set of calls and one loop_run. */
#include "support/sim_http_client.h"
#include "support/support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/http_client.h"
#include "base/http_server.h"
#include "base/mem.h"

/* ---- The other side ---- */

static void answer_echo(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body = STRBUF_INIT;
    strbuf_addf(&body, "%.*s type=%.*s agent=%.*s custom=%.*s empty=%s expect=%s body=%.*s",
        STR_ARG(http_exchange_method(x)), STR_ARG(http_exchange_header(x, "Content-Type")),
        STR_ARG(http_exchange_header(x, "User-Agent")),
        STR_ARG(http_exchange_header(x, "X-Custom")),
        http_exchange_header(x, "X-Empty").ptr != NULL ? "there" : "absent",
        http_exchange_header(x, "Expect").ptr != NULL ? "there" : "absent",
        STR_ARG(http_exchange_body(x)));
    http_exchange_set_header(x, "X-Answer", "yes");
    http_exchange_reply(x, 200, "text/plain", &body);
}

enum { LARGE = 200000 };

static void answer_large(struct http_exchange *x, void *context)
{
    (void)context;
    struct strbuf body = STRBUF_INIT;
    for (size_t i = 0; i < LARGE; i++) {
        strbuf_add_char(&body, 'a');
    }
    http_exchange_reply(x, 200, "text/plain", &body);
}

/* Retry-After as the query says; "date" is two minutes from now. */
static void answer_busy(struct http_exchange *x, void *context)
{
    (void)context;
    struct str value = http_exchange_param(x, "after");
    char text[64];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(value));
    if (str_eq_c(value, "date")) {
        time_t then = (time_t)(clock_now_ms(clock_real()) / 1000 + 120);
        struct tm parts;
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &parts));
    }
    http_exchange_set_header(x, "Retry-After", text);
    http_exchange_reply_text(x, 429, "busy");
}

/* Redirects "n" times, then to /echo; "to" names the target instead. */
static void answer_redirect(struct http_exchange *x, void *context)
{
    (void)context;
    uint64_t left = 0;
    struct str to = http_exchange_param(x, "to");
    char target[128] = "/echo";
    if (to.ptr != NULL) {
        snprintf(target, sizeof(target), "%.*s", STR_ARG(to));
    } else if (str_to_u64(http_exchange_param(x, "n"), &left) == 0 && left > 1) {
        snprintf(target, sizeof(target), "/redirect?n=%llu", (unsigned long long)left - 1);
    }
    http_exchange_set_header(x, "Location", target);
    http_exchange_reply_text(x, 302, "elsewhere");
}

/* Never replied to by itself: the test lets go of it with reply_to_hanging. */
static struct http_exchange *hanging[8];
static size_t hanging_count;

static void answer_never(struct http_exchange *x, void *context)
{
    (void)context;
    assert_true(hanging_count < 8);
    hanging[hanging_count++] = x;
}

static void reply_to_hanging(void)
{
    while (hanging_count > 0) {
        http_exchange_reply_text(hanging[--hanging_count], 200, "at last");
    }
}

static const struct http_route routes[] = {
    {"GET POST PUT DELETE", "/echo", answer_echo, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/large", answer_large, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/busy", answer_busy, NULL, HTTP_LANE_DIRECT, ""},
    {"GET POST", "/redirect", answer_redirect, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/never", answer_never, NULL, HTTP_LANE_DIRECT, ""},
};

/* ---- Calls ---- */

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    size_t left; /* calls until the loop stops */
};

/* What came of a call. */
struct outcome {
    struct fixture *f;
    size_t calls;
    int error;
    char error_text[256];
    unsigned status;
    struct strbuf body;
    char content_type[64], answer_header[64];
    int64_t retry_after_ms, wire_bytes;
    bool was_sent;
};

static void start(struct fixture *f, size_t in_flight_max)
{
    *f = (struct fixture){.left = 0};
    assert_int_equal(loop_new(&f->loop), 0);
    struct http_server_options server = {.address = "127.0.0.1:0",
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .loop = f->loop};
    assert_int_equal(http_server_start(&server, &f->server, NULL), 0);
    struct http_client_options client = {.in_flight_max = in_flight_max};
    assert_int_equal(http_client_open(f->loop, &client, &f->client), 0);
}

static void stop(struct fixture *f)
{
    if (f->client != NULL) {
        f->client->close(f->client);
    }
    reply_to_hanging();
    http_server_stop(f->server);
    loop_free(f->loop);
}

static void copy_text(char *to, size_t size, struct str from)
{
    snprintf(to, size, "%.*s", STR_ARG(from));
}

static void on_done(void *context, const struct http_client_response *r)
{
    struct outcome *o = context;
    o->calls++;
    o->error = r->error;
    o->status = r->status;
    o->retry_after_ms = r->retry_after_ms;
    o->wire_bytes = r->wire_bytes;
    o->was_sent = r->was_sent;
    if (r->error != 0) {
        assert_non_null(r->error_text);
        assert_true(r->error_text[0] != '\0');
        copy_text(o->error_text, sizeof(o->error_text), str_of(r->error_text));
    } else {
        strbuf_add_str(&o->body, r->body);
        copy_text(o->content_type, sizeof(o->content_type), r->content_type);
        copy_text(o->answer_header, sizeof(o->answer_header), r->header(r, "x-answer"));
        assert_null(r->header(r, "X-Absent").ptr);
    }
    if (o->f->left > 0 && --o->f->left == 0) {
        loop_stop(o->f->loop);
    }
}

static void outcome_init(struct outcome *o, struct fixture *f)
{
    *o = (struct outcome){.f = f, .body = STRBUF_INIT};
}

/* Sends to a path of the server, or to a whole URL; does not wait. */
static int send_to(struct fixture *f, const char *target, struct http_client_request request,
    struct outcome *o, struct http_client_call **call_out)
{
    char url[256];
    if (target[0] == '/') {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(f->server), target);
    } else {
        snprintf(url, sizeof(url), "%s", target);
    }
    request.url = url; /* goes away: the client copies it */
    request.method = request.method != NULL ? request.method : "GET";
    outcome_init(o, f);
    int status = f->client->send(f->client, &request, on_done, o, call_out);
    assert_int_equal(o->calls, 0);
    return status;
}

static void exchange(
    struct fixture *f, const char *target, struct http_client_request request, struct outcome *o)
{
    assert_int_equal(send_to(f, target, request, o, NULL), 0);
    f->left = 1;
    loop_run(f->loop);
    assert_int_equal(o->calls, 1);
}

/* ---- Tests ---- */

static void test_methods_and_headers(void **state)
{
    static const struct http_client_header headers[] = {
        {"X-Custom", "v 1"}, {"X-Empty", ""}, {"content-type", "text/x"}};
    static const struct {
        const char *method;
        size_t header_count;
        const char *body;
        const char *expected;
    } cases[] = {
        {"GET", 0, "",
            "GET type= agent=sonde/" SONDE_VERSION " custom= empty=absent expect=absent body="},
        {"GET", 3, "",
            "GET type=text/x agent=sonde/" SONDE_VERSION
            " custom=v 1 empty=there expect=absent body="},
        {"POST", 3, "some text",
            "POST type=text/x agent=sonde/" SONDE_VERSION
            " custom=v 1 empty=there expect=absent body=some text"},
        {"POST", 0, "",
            "POST type= agent=sonde/" SONDE_VERSION " custom= empty=absent expect=absent body="},
        {"PUT", 0, "x",
            "PUT type= agent=sonde/" SONDE_VERSION " custom= empty=absent expect=absent body=x"},
        {"DELETE", 0, "",
            "DELETE type= agent=sonde/" SONDE_VERSION " custom= empty=absent expect=absent body="},
        {"HEAD", 0, "", ""},
    };
    struct fixture f;
    start(&f, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o;
        exchange(&f, "/echo",
            (struct http_client_request){.method = cases[i].method,
                .headers = headers,
                .header_count = cases[i].header_count,
                .body = str_of(cases[i].body)},
            &o);
        assert_int_equal(o.error, 0);
        assert_int_equal(o.status, 200);
        assert_string_equal(o.body.size > 0 ? o.body.data : "", cases[i].expected);
        assert_string_equal(o.content_type, "text/plain");
        assert_string_equal(o.answer_header, "yes");
        assert_int_equal(o.retry_after_ms, -1);
        strbuf_release(&o.body);
    }
    stop(&f);
}

static void test_large_body(void **state)
{
    struct fixture f;
    start(&f, 0);
    char *body = mem_alloc(1 << 20);
    assert_non_null(body);
    memset(body, 'z', 1 << 20);
    struct outcome o;
    exchange(&f, "/echo",
        (struct http_client_request){.method = "POST", .body = str_make(body, 1 << 20)}, &o);
    assert_int_equal(o.status, 200);
    assert_true(str_ends_with(strbuf_str(&o.body), str_make(body, 1 << 20)));
    strbuf_release(&o.body);
    mem_free(body);
    stop(&f);
}

static void test_gzip_and_limit(void **state)
{
    struct fixture f;
    start(&f, 0);
    struct outcome o;
    exchange(&f, "/large", (struct http_client_request){.accept_gzip = true}, &o);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.body.size, LARGE);
    assert_true(o.wire_bytes > 0 && o.wire_bytes < LARGE / 100);
    strbuf_release(&o.body);
    exchange(&f, "/large", (struct http_client_request){.body_max = LARGE}, &o);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.wire_bytes, LARGE);
    strbuf_release(&o.body);
    for (int gzip = 0; gzip < 2; gzip++) {
        exchange(&f, "/large",
            (struct http_client_request){.body_max = LARGE - 1, .accept_gzip = gzip != 0}, &o);
        assert_int_equal(o.error, ERR_LIMIT);
        assert_string_equal(o.error_text, "the answer is larger than its limit");
    }
    stop(&f);
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *target;
        int64_t low_ms, high_ms;
    } cases[] = {
        {"/busy?after=0", 0, 0},
        {"/busy?after=7", 7000, 7000},
        {"/busy?after=date", 100000, 120000},
        {"/busy?after=Sun,+06+Nov+1994+08:49:37+GMT", 0, 0},
        {"/busy?after=99999999999999999999999", INT32_MAX * 1000ll, INT32_MAX * 1000ll},
        {"/busy?after=soon", -1, -1},
        {"/busy?after=-5", -1, -1},
    };
    struct fixture f;
    start(&f, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o;
        exchange(&f, cases[i].target, (struct http_client_request){0}, &o);
        assert_int_equal(o.status, 429);
        if (o.retry_after_ms < cases[i].low_ms || o.retry_after_ms > cases[i].high_ms) {
            fail_msg("%s: got %lld, expected %lld to %lld", cases[i].target,
                (long long)o.retry_after_ms, (long long)cases[i].low_ms,
                (long long)cases[i].high_ms);
        }
        strbuf_release(&o.body);
    }
    struct outcome o; /* an answer too long to be read has a head */
    exchange(&f, "/busy?after=7", (struct http_client_request){.body_max = 2}, &o);
    assert_int_equal(o.error, ERR_LIMIT);
    assert_int_equal(o.status, 429);
    assert_int_equal(o.retry_after_ms, 7000);
    strbuf_release(&o.body);
    stop(&f);
}

static void test_redirects(void **state)
{
    static const struct {
        const char *target;
        bool follow;
        int error;
        unsigned status;
    } cases[] = {
        {"/redirect?n=1", false, 0, 302},
        {"/redirect?n=1", true, 0, 200},
        {"/redirect?n=10", true, 0, 200},
        {"/redirect?n=11", true, ERR_LIMIT, 0},
        {"/redirect?to=file:///etc/passwd", true, ERR_IO, 0},
        {"/redirect?to=ftp://127.0.0.1/x", true, ERR_IO, 0},
        {"/redirect?to=file:///etc/passwd", false, 0, 302},
    };
    struct fixture f;
    start(&f, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o;
        exchange(&f, cases[i].target,
            (struct http_client_request){.follow_redirects = cases[i].follow}, &o);
        if (o.error != cases[i].error || o.status != cases[i].status) {
            fail_msg("%s: got %d %u, expected %d %u: %s", cases[i].target, o.error, o.status,
                cases[i].error, cases[i].status, o.error_text);
        }
        strbuf_release(&o.body);
    }
    stop(&f);
}

struct gate {
    bool open;
    unsigned asked;
    int family;
};

static bool may_connect(void *context, const struct sockaddr *address)
{
    struct gate *gate = context;
    gate->asked++;
    gate->family = address->sa_family;
    return gate->open;
}

/* The address is asked for at each connection, also of a redirect, and a connection that is there already
 * is no way around it. */
static void test_may_connect(void **state)
{
    struct fixture f;
    struct gate gate = {0};
    struct outcome o;
    start(&f, 0);
    exchange(&f, "/echo", (struct http_client_request){0}, &o); /* leaves a connection */
    assert_int_equal(o.status, 200);
    strbuf_release(&o.body);
    struct http_client_request request = {.may_connect = may_connect, .may_connect_context = &gate};
    exchange(&f, "/echo", request, &o);
    assert_int_equal(o.error, ERR_PERMISSION);
    assert_string_equal(o.error_text, "the address it leads to may not be connected to");
    assert_false(o.was_sent);
    assert_int_equal(gate.asked, 1);
    assert_int_equal(gate.family, AF_INET);
    strbuf_release(&o.body);
    gate.open = true;
    exchange(&f, "/echo", request, &o);
    assert_int_equal(o.status, 200);
    assert_true(o.was_sent);
    assert_int_equal(gate.asked, 2);
    strbuf_release(&o.body);
    request.follow_redirects = true;
    exchange(&f, "/redirect?n=1", request, &o);
    assert_int_equal(o.status, 200);
    assert_true(gate.asked >= 3);
    strbuf_release(&o.body);
    gate = (struct gate){0};
    char url[64];
    snprintf(url, sizeof(url), "http://localhost:%u/echo", http_server_port(f.server));
    exchange(&f, url, request, &o);
    assert_int_equal(o.error, ERR_PERMISSION);
    assert_true(gate.asked >= 1);
    strbuf_release(&o.body);
    stop(&f);
}

static void test_refused_requests(void **state)
{
    static const struct http_client_header line_end[] = {{"X-A", "b\r\nX-C: d"}};
    static const struct http_client_header bad_name[] = {{"X-A: b", "c"}};
    static const struct http_client_header many[HTTP_CLIENT_HEADERS_MAX + 1] = {
        [0 ... HTTP_CLIENT_HEADERS_MAX] = {"X-A", "b"}};
    static const struct {
        const char *url;
        const struct http_client_header *headers;
        size_t header_count;
        int expected;
    } cases[] = {
        {"ftp://127.0.0.1/", NULL, 0, ERR_INVALID},
        {"file:///etc/passwd", NULL, 0, ERR_INVALID},
        {"127.0.0.1:9095", NULL, 0, ERR_INVALID},
        {"http://", NULL, 0, ERR_INVALID},
        {"nonsense", NULL, 0, ERR_INVALID},
        {"/echo", line_end, 1, ERR_INVALID},
        {"/echo", bad_name, 1, ERR_INVALID},
        {"/echo", many, HTTP_CLIENT_HEADERS_MAX + 1, ERR_LIMIT},
    };
    struct fixture f;
    start(&f, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o;
        int got = send_to(&f, cases[i].url,
            (struct http_client_request){
                .headers = cases[i].headers, .header_count = cases[i].header_count},
            &o, NULL);
        if (got != cases[i].expected) {
            fail_msg("%s: got %d, expected %d", cases[i].url, got, cases[i].expected);
        }
    }
    stop(&f);
}

static void test_timeout(void **state)
{
    struct fixture f;
    start(&f, 0);
    struct outcome o;
    exchange(&f, "/never", (struct http_client_request){.timeout_ms = 50}, &o);
    assert_int_equal(o.error, ERR_TIMEOUT);
    stop(&f);
}

/* A port that is taken, so that no other program gets it, and at which nobody listens. */
static void test_connection_refused(void **state)
{
    struct fixture f;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(taken >= 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &size), 0);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
    start(&f, 0);
    struct outcome o;
    exchange(&f, url, (struct http_client_request){0}, &o);
    assert_int_equal(o.error, ERR_IO);
    stop(&f);
    close(taken);
}

static void test_cancel_close_limit(void **state)
{
    struct fixture f;
    start(&f, 3);
    struct outcome o[4];
    struct http_client_call *call;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(send_to(&f, "/never", (struct http_client_request){0}, &o[i], &call), 0);
    }
    assert_int_equal(
        send_to(&f, "/never", (struct http_client_request){0}, &o[3], NULL), ERR_LIMIT);
    f.client->cancel(f.client, call);
    assert_int_equal(o[2].calls, 1);
    assert_int_equal(o[2].error, ERR_CANCELED);
    exchange(&f, "/echo", (struct http_client_request){0}, &o[3]);
    assert_int_equal(o[3].status, 200);
    strbuf_release(&o[3].body);
    f.client->close(f.client);
    f.client = NULL;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].error, ERR_CANCELED);
    }
    stop(&f);
}

/* Closes the client from inside `done`, with another call in flight. */
static void close_in_done(void *context, const struct http_client_response *r)
{
    struct outcome *o = context;
    assert_int_equal(r->error, 0);
    o->calls++;
    o->f->client->close(o->f->client);
    o->f->client = NULL;
    assert_int_equal(r->status, 200); /* the response is still good */
    assert_true(str_eq_c(r->header(r, "X-Answer"), "yes"));
    loop_stop(o->f->loop);
}

static void test_close_in_done(void **state)
{
    struct fixture f;
    start(&f, 0);
    struct outcome other, o;
    assert_int_equal(send_to(&f, "/never", (struct http_client_request){0}, &other, NULL), 0);
    outcome_init(&o, &f);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", http_server_port(f.server));
    struct http_client_request request = {.method = "GET", .url = url};
    assert_int_equal(f.client->send(f.client, &request, close_in_done, &o, NULL), 0);
    loop_run(f.loop);
    assert_int_equal(o.calls, 1);
    assert_int_equal(other.calls, 1);
    assert_int_equal(other.error, ERR_CANCELED);
    stop(&f);
}

static void test_many(void **state)
{
    struct fixture f;
    start(&f, 0);
    enum { MANY = 200 };
    static struct outcome o[MANY];
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(send_to(&f, "/echo", (struct http_client_request){0}, &o[i], NULL), 0);
    }
    f.left = MANY;
    loop_run(f.loop);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].status, 200);
        strbuf_release(&o[i].body);
    }
    stop(&f);
}

/* ---- A peer that sends canned bytes, then closes ---- */

struct peer {
    int fd;
    const char *bytes;
};

static void *run_peer(void *context)
{
    struct peer *p = context;
    int fd = accept(p->fd, NULL, NULL);
    char request[4096];
    ssize_t size = recv(fd, request, sizeof(request), 0);
    (void)size;
    size = send(fd, p->bytes, strlen(p->bytes), MSG_NOSIGNAL);
    (void)size;
    close(fd);
    return NULL;
}

static void test_strange_answers(void **state)
{
    static const struct {
        const char *bytes;
        int error;
        unsigned status;
        const char *body;
    } cases[] = {
        {"", ERR_IO, 0, ""},
        {"nonsense\r\n\r\n", ERR_IO, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_IO, 0, ""},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 0, 200, "until the end"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\nX-Answer: yes\r\n\r\n", 0, 204, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 0, 200,
            "abc"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", ERR_IO, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", ERR_IO, 0,
            ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_in at = {.sin_family = AF_INET};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(at);
        struct peer p = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), cases[i].bytes};
        assert_int_equal(bind(p.fd, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(listen(p.fd, 1), 0);
        assert_int_equal(getsockname(p.fd, (struct sockaddr *)&at, &size), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_peer, &p), 0);
        struct fixture f;
        start(&f, 0);
        char url[64];
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
        struct outcome o;
        exchange(&f, url, (struct http_client_request){.accept_gzip = true}, &o);
        const char *body = o.body.size > 0 ? o.body.data : "";
        if (o.error != cases[i].error || o.status != cases[i].status ||
            strcmp(body, cases[i].body) != 0) {
            fail_msg("%s: got %d %u \"%s\" (%s), expected %d %u \"%s\"", cases[i].bytes, o.error,
                o.status, body, o.error_text, cases[i].error, cases[i].status, cases[i].body);
        }
        strbuf_release(&o.body);
        stop(&f);
        pthread_join(thread, NULL);
        close(p.fd);
    }
}

/* ---- The scripted twin ---- */

static int sim_get(struct sim_http_client *sim, const char *url, struct outcome *o,
    struct http_client_call **call_out)
{
    static struct fixture none;
    outcome_init(o, &none);
    const struct http_client_header headers[] = {{"X-A", "b"}};
    struct http_client_request request = {
        .method = "GET", .url = url, .headers = headers, .header_count = 1, .body_max = 5};
    return sim->client.send(&sim->client, &request, on_done, o, call_out);
}

static void test_sim(void **state)
{
    static struct sim_http_client sim;
    sim_http_client_init(&sim);
    sim_http_client_expect(&sim, &(struct sim_http_answer){.method = "GET",
                                     .url = "http://a/",
                                     .body = "",
                                     .status = 429,
                                     .answer_body = STR("busy"),
                                     .retry_after_ms = 7000,
                                     .header_count = 2,
                                     .headers = {{"Content-Type", "text/x"}, {"X-Answer", "yes"}}});
    struct outcome o[6];
    assert_int_equal(sim_get(&sim, "http://a/", &o[0], NULL), 0);
    assert_int_equal(o[0].calls, 0);
    assert_true(str_eq_c(sim_http_client_last_header(&sim, "x-a"), "b"));
    assert_true(sim_http_client_deliver(&sim));
    assert_false(sim_http_client_deliver(&sim));
    assert_int_equal(o[0].status, 429);
    assert_string_equal(o[0].body.data, "busy");
    assert_string_equal(o[0].content_type, "text/x");
    assert_string_equal(o[0].answer_header, "yes");
    assert_int_equal(o[0].retry_after_ms, 7000);
    strbuf_release(&o[0].body);
    /* Sent first, answered later, the second canceled before. */
    struct http_client_call *call;
    assert_int_equal(sim_get(&sim, "http://b/1", &o[1], NULL), 0);
    assert_int_equal(sim_get(&sim, "http://b/2", &o[2], &call), 0);
    assert_int_equal(sim_get(&sim, "http://b/3", &o[3], NULL), 0);
    sim.client.cancel(&sim.client, call);
    assert_int_equal(o[2].error, ERR_CANCELED);
    sim_http_client_expect(&sim, &(struct sim_http_answer){.url = "http://b/1", .error = ERR_IO});
    sim_http_client_expect(&sim, &(struct sim_http_answer){.answer_body = STR("too long")});
    assert_int_equal(sim_http_client_deliver_all(&sim), 2);
    assert_int_equal(o[1].error, ERR_IO);
    assert_int_equal(o[3].error, ERR_LIMIT);
    assert_int_equal(sim_get(&sim, "ftp://c/", &o[4], NULL), ERR_INVALID);
    sim.in_flight_max = 1;
    assert_int_equal(sim_get(&sim, "http://c/", &o[4], NULL), 0);
    assert_int_equal(sim_get(&sim, "http://c/", &o[5], NULL), ERR_LIMIT);
    assert_int_equal(sim.sent, 5);
    sim_http_client_release(&sim);
    assert_int_equal(o[4].error, ERR_CANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods_and_headers),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_gzip_and_limit),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_may_connect),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_cancel_close_limit),
        cmocka_unit_test(test_close_in_done),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_strange_answers),
        cmocka_unit_test(test_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
