/* Requests that need no libcurl: what they look like on the wire, which connections they use, and what becomes of
 * them when the other side does as it likes. The other side is a thread with a script: for each connection, what it
 * answers to the requests that come on it. */
#include "support/support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/http_client.h"
#include "base/mem.h"

enum { CONNECTIONS_MAX = 4, ANSWERS_MAX = 4 };

/* NULL: the connection is closed where an answer would stand. */
struct script {
    const char *answers[CONNECTIONS_MAX][ANSWERS_MAX];
    bool answers_early; /* before the body of the request has come */
};

struct peer {
    int fd;
    uint16_t port;
    const struct script *script;
    pthread_t thread;
    size_t connections, requests; /* seen; read when the thread has ended */
    struct strbuf heads;          /* of all requests */
};

/* Reads a request, body included; false when the other side has closed. */
static bool read_request(struct peer *p, int fd)
{
    struct strbuf all = STRBUF_INIT;
    size_t wanted = SIZE_MAX;
    bool whole = false;
    while (!whole) {
        char *room = strbuf_reserve(&all, 65536);
        ssize_t n = recv(fd, room, 65536, 0);
        if (n <= 0) {
            break;
        }
        strbuf_commit(&all, (size_t)n);
        const char *end = strstr(all.data, "\r\n\r\n");
        if (end != NULL && wanted == SIZE_MAX) {
            const char *length = strstr(all.data, "Content-Length: ");
            wanted = (size_t)(end - all.data) + 4;
            strbuf_add(&p->heads, all.data, wanted);
            wanted +=
                length != NULL && !p->script->answers_early ? strtoul(length + 16, NULL, 10) : 0;
        }
        whole = all.size >= wanted;
    }
    strbuf_release(&all);
    p->requests += whole;
    return whole;
}

static void *run_peer(void *context)
{
    struct peer *p = context;
    for (; p->connections < CONNECTIONS_MAX; p->connections++) {
        if (p->script->answers[p->connections][0] == NULL && p->connections > 0) {
            break;
        }
        int fd = accept(p->fd, NULL, NULL);
        const char *const *answers = p->script->answers[p->connections];
        for (size_t i = 0; i < ANSWERS_MAX && answers[i] != NULL && read_request(p, fd); i++) {
            ssize_t n = send(fd, answers[i], strlen(answers[i]), MSG_NOSIGNAL);
            assert_true(n == (ssize_t)strlen(answers[i]));
        }
        if (p->script->answers_early) {
            char rest[65536];
            (void)shutdown(fd, SHUT_WR);
            while (recv(fd, rest, sizeof(rest), 0) > 0) {
            }
        }
        close(fd);
    }
    return NULL;
}

/* Listens on loopback; false where there is no IPv6. */
static bool peer_listen(struct peer *p, bool six)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t size = six ? sizeof(at) : sizeof(four);
    if (!six) {
        memcpy(&at, &four, sizeof(four));
    }
    p->fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, size) != 0) {
        assert_true(six);
        close(p->fd);
        return false;
    }
    assert_int_equal(listen(p->fd, 8), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &size), 0);
    p->port = ntohs(at.sin6_port); /* at the same place in both */
    return true;
}

static bool peer_start(struct peer *p, const struct script *script, bool six)
{
    *p = (struct peer){.script = script, .heads = STRBUF_INIT};
    if (!peer_listen(p, six)) {
        return false;
    }
    assert_int_equal(pthread_create(&p->thread, NULL, run_peer, p), 0);
    return true;
}

/* ---- Calls, one after the other ---- */

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct peer peer;
    struct http_client_request request;
    char url[64];
    size_t wanted; /* calls */
    size_t ended;
    int errors[8];
    unsigned statuses[8];
    char bodies[8][64];
};

static void send_next(struct fixture *f);

static void on_done(void *context, const struct http_client_response *r)
{
    struct fixture *f = context;
    f->errors[f->ended] = r->error;
    f->statuses[f->ended] = r->status;
    snprintf(f->bodies[f->ended], sizeof(f->bodies[0]), "%.*s", STR_ARG(r->body));
    if (++f->ended < f->wanted) {
        send_next(f);
    } else {
        loop_stop(f->loop);
    }
}

static void send_next(struct fixture *f)
{
    assert_int_equal(f->client->send(f->client, &f->request, on_done, f, NULL), 0);
}

/* Does `wanted` calls against a peer with this script, then closes everything. False where there is no IPv6. */
static bool run_at(struct fixture *f, const char *host, bool six, const struct script *script,
    size_t wanted, struct http_client_request request)
{
    *f = (struct fixture){.request = request, .wanted = wanted};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(http_client_open(f->loop, NULL, &f->client), 0);
    bool there = peer_start(&f->peer, script, six);
    snprintf(f->url, sizeof(f->url), "http://%s:%u/metrics?a=b#part", host, f->peer.port);
    f->request.url = f->url;
    f->request.method = f->request.method != NULL ? f->request.method : "GET";
    if (there) {
        send_next(f);
        loop_run(f->loop);
    }
    f->client->close(f->client);
    if (there) {
        pthread_join(f->peer.thread, NULL);
        close(f->peer.fd);
    }
    loop_free(f->loop);
    return there;
}

static void run(struct fixture *f, const struct script *script, size_t wanted,
    struct http_client_request request)
{
    assert_true(run_at(f, "127.0.0.1", false, script, wanted, request));
}

#define OK(body, length) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n" body

static void test_keeps_connections(void **state)
{
    static const struct script script = {{{OK("one", 3), OK("two", 3), OK("three", 5)}}, false};
    struct fixture f;
    char expected[256];
    (void)state;
    run(&f, &script, 3, (struct http_client_request){.accept_gzip = true});
    assert_int_equal(f.peer.connections, 1);
    assert_string_equal(f.bodies[0], "one");
    assert_string_equal(f.bodies[1], "two");
    assert_string_equal(f.bodies[2], "three");
    snprintf(expected, sizeof(expected),
        "GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: sonde/%s\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip\r\n\r\n",
        f.peer.port, SONDE_VERSION);
    assert_memory_equal(f.peer.heads.data, expected, strlen(expected));
    strbuf_release(&f.peer.heads);
}

/* A kept connection that was closed meanwhile: the request goes out again on a new one. */
static void test_sends_again_when_a_kept_connection_was_closed(void **state)
{
    static const struct script script = {{{OK("one", 3), NULL}, {OK("two", 3), NULL}}, false};
    struct fixture f;
    (void)state;
    run(&f, &script, 2, (struct http_client_request){0});
    assert_int_equal(f.errors[1], 0);
    assert_string_equal(f.bodies[1], "two");
    assert_int_equal(f.peer.connections, 2);
    strbuf_release(&f.peer.heads);
}

/* Only once, and only when nothing of an answer came. */
static void test_gives_up_on_a_new_connection(void **state)
{
    static const struct script scripts[] = {
        {{{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", NULL}}, false},
        {{{"HTTP/1.1 200", NULL}}, false},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        run(&f, &scripts[i], 1, (struct http_client_request){0});
        assert_int_equal(f.errors[0], ERR_IO);
        assert_int_equal(f.statuses[0], 0);
        assert_int_equal(f.peer.requests, 1);
        strbuf_release(&f.peer.heads);
    }
}

/* What follows an answer uncalled for is not the next one's. */
static void test_does_not_keep_what_says_too_much(void **state)
{
    static const struct script script = {
        {{OK("one", 3) "HTTP/1.1 200 OK\r\n", NULL}, {OK("two", 3), NULL}}, false};
    struct fixture f;
    (void)state;
    run(&f, &script, 2, (struct http_client_request){0});
    assert_string_equal(f.bodies[1], "two");
    assert_int_equal(f.peer.connections, 2);
    strbuf_release(&f.peer.heads);
}

/* A body larger than any socket buffer; and an answer that does not wait for its end. */
static void test_large_requests(void **state)
{
    enum { SIZE = 8 << 20 };
    static const struct script whole = {{{"HTTP/1.1 204 None\r\n\r\n", NULL}}, false};
    static const struct script early = {
        {{"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", NULL}}, true};
    char *bytes = mem_calloc(1, SIZE);
    struct fixture f;
    (void)state;
    struct http_client_request request = {.method = "POST", .body = str_make(bytes, SIZE)};
    run(&f, &whole, 1, request);
    assert_int_equal(f.errors[0], 0);
    assert_int_equal(f.statuses[0], 204);
    assert_non_null(strstr(f.peer.heads.data, "\r\nContent-Length: 8388608\r\n"));
    strbuf_release(&f.peer.heads);
    run(&f, &early, 1, request);
    assert_int_equal(f.errors[0], 0);
    assert_int_equal(f.statuses[0], 413);
    strbuf_release(&f.peer.heads);
    mem_free(bytes);
}

static void test_limits_of_answers(void **state)
{
    static const struct {
        struct script script;
        int error;
        unsigned status;
    } cases[] = {
        {{{{OK("12345", 5), NULL}}, false}, 0, 200},
        {{{{OK("123456", 6), NULL}}, false}, ERR_LIMIT, 200},
        {{{{"HTTP/1.1 500 X\r\n\r\n123456", NULL}}, false}, ERR_LIMIT, 500},
        {{{{"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456", NULL}}, false},
            ERR_LIMIT, 200},
        {{{{"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz", NULL}}, false}, ERR_IO, 0},
        {{{{"HTTP/1.1 101 X\r\n\r\n", NULL}}, false}, ERR_IO, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        run(&f, &cases[i].script, 1, (struct http_client_request){.body_max = 5});
        if (f.errors[0] != cases[i].error || f.statuses[0] != cases[i].status) {
            fail_msg("%s: %d %u, expected %d %u", cases[i].script.answers[0][0], f.errors[0],
                f.statuses[0], cases[i].error, cases[i].status);
        }
        strbuf_release(&f.peer.heads);
    }
}

/* localhost is both loopback addresses, whichever somebody listens on. */
static void test_localhost(void **state)
{
    static const struct script script = {{{OK("one", 3), OK("two", 3)}}, false};
    static const struct {
        const char *host;
        bool six;
    } rows[] = {{"localhost", false}, {"localhost", true}, {"[::1]", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        char host[64];
        if (!run_at(&f, rows[i].host, rows[i].six, &script, 2, (struct http_client_request){0})) {
            continue;
        }
        snprintf(host, sizeof(host), "\r\nHost: %s:%u\r\n", rows[i].host, f.peer.port);
        assert_int_equal(f.errors[0] | f.errors[1], 0);
        assert_string_equal(f.bodies[1], "two");
        assert_int_equal(f.peer.connections, 1);
        assert_non_null(strstr(f.peer.heads.data, host));
        strbuf_release(&f.peer.heads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_connections),
        cmocka_unit_test(test_sends_again_when_a_kept_connection_was_closed),
        cmocka_unit_test(test_gives_up_on_a_new_connection),
        cmocka_unit_test(test_does_not_keep_what_says_too_much),
        cmocka_unit_test(test_large_requests),
        cmocka_unit_test(test_limits_of_answers),
        cmocka_unit_test(test_localhost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
