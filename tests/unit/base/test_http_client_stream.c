/* Answers taken piece by piece: from our own server, and from a peer that goes on only when the first piece
 * has been taken. */
#include "support/support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/http_client.h"
#include "base/http_server.h"

/* NOISE: compressed it is two thirds of that, more than is held back; read by several turns of the loop. */
enum { LARGE = 300000, NOISE = 4 << 20, TURN_BYTES_MAX = HTTP_CLIENT_PIECE_MAX };

static char letter(size_t at)
{
    return (char)('a' + at % 26);
}

static char noise(size_t at)
{
    return (char)('A' + hash_mix64(at) % 32);
}

static void reply_with(struct http_exchange *x, char (*byte)(size_t at), size_t size)
{
    struct strbuf body = STRBUF_INIT;
    for (size_t i = 0; i < size; i++) {
        strbuf_add_char(&body, byte(i));
    }
    http_exchange_reply(x, 200, "text/plain", &body);
}

static void answer_large(struct http_exchange *x, void *context)
{
    (void)context;
    reply_with(x, letter, LARGE);
}

static void answer_noise(struct http_exchange *x, void *context)
{
    (void)context;
    reply_with(x, noise, NOISE);
}

static void answer_nothing(struct http_exchange *x, void *context)
{
    (void)context;
    reply_with(x, letter, 0);
}

static void answer_busy(struct http_exchange *x, void *context)
{
    (void)context;
    http_exchange_reply_text(x, 503, "busy");
}

static void answer_redirect(struct http_exchange *x, void *context)
{
    (void)context;
    http_exchange_set_header(x, "Location", "/large");
    http_exchange_reply_text(x, 302, "elsewhere");
}

static const struct http_route routes[] = {
    {"GET", "/large", answer_large, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/noise", answer_noise, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/nothing", answer_nothing, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/busy", answer_busy, NULL, HTTP_LANE_DIRECT, ""},
    {"GET", "/redirect", answer_redirect, NULL, HTTP_LANE_DIRECT, ""},
};

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    struct http_client_call *call;
    struct loop_timer *cancel_timer; /* started by the first piece; NULL: none */
    size_t turns;                    /* of the loop */
};

/* One call: what its taker has had, and what came at the end. */
struct taking {
    struct fixture *f;
    size_t taken, refuse_after; /* refuse_after: 0 = never */
    char (*byte)(size_t at);
    bool right; /* all bytes were those */
    size_t heads, pieces;
    size_t turn, turn_bytes, turn_bytes_most; /* taken in one turn of the loop */
    bool refuse_head;
    int go_fd; /* told when a piece has come; -1: nobody */
    size_t calls;
    int error;
    unsigned status;
    char body[64], error_text[256];
};

static int see_head(void *context, const struct http_client_response *head)
{
    struct taking *t = context;
    assert_int_equal(t->pieces, 0);
    assert_int_equal(head->status, 200);
    t->heads++;
    if (t->refuse_head) {
        return ERR_UNSUPPORTED;
    }
    assert_true(t->go_fd > 0 || str_starts_with(head->content_type, STR("text/plain")));
    assert_true(t->go_fd > 0 || head->header(head, "content-length").ptr != NULL ||
                head->header(head, "transfer-encoding").ptr != NULL);
    return 0;
}

static int take(void *context, struct str piece)
{
    struct taking *t = context;
    assert_true(piece.len > 0 && piece.len <= HTTP_CLIENT_PIECE_MAX);
    assert_int_equal(t->heads, 1);
    for (size_t i = 0; i < piece.len; i++) {
        t->right = t->right && piece.ptr[i] == t->byte(t->taken + i);
    }
    t->pieces++;
    t->turn_bytes = t->turn == t->f->turns ? t->turn_bytes + piece.len : piece.len;
    t->turn = t->f->turns;
    t->turn_bytes_most = t->turn_bytes > t->turn_bytes_most ? t->turn_bytes : t->turn_bytes_most;
    t->taken += piece.len;
    if (t->go_fd >= 0) {
        assert_int_equal(write(t->go_fd, "x", 1), 1);
        t->go_fd = -1;
    }
    if (t->f->cancel_timer != NULL) {
        loop_timer_start(t->f->cancel_timer, 0, 0);
    }
    return t->refuse_after != 0 && t->taken >= t->refuse_after ? ERR_CORRUPT : 0;
}

static void on_done(void *context, const struct http_client_response *r)
{
    struct taking *t = context;
    t->calls++;
    t->error = r->error;
    t->status = r->status;
    if (r->error == 0) {
        snprintf(t->body, sizeof(t->body), "%.*s", STR_ARG(r->body));
    } else {
        snprintf(t->error_text, sizeof(t->error_text), "%s", r->error_text);
    }
    loop_stop(t->f->loop);
}

static void on_turn(void *context)
{
    struct fixture *f = context;
    f->turns++;
    assert_int_equal(loop_post(f->loop, on_turn, f), 0);
}

static void start(struct fixture *f)
{
    *f = (struct fixture){.loop = NULL};
    assert_int_equal(loop_new(&f->loop), 0);
    struct http_server_options server = {.address = "127.0.0.1:0",
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .loop = f->loop};
    assert_int_equal(http_server_start(&server, &f->server, NULL), 0);
    assert_int_equal(http_client_open(f->loop, NULL, &f->client), 0);
    assert_int_equal(loop_post(f->loop, on_turn, f), 0);
}

static void stop(struct fixture *f)
{
    f->client->close(f->client);
    http_server_stop(f->server);
    loop_free(f->loop);
}

static void begin(
    struct fixture *f, const char *path, struct http_client_request request, struct taking *t)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(f->server), path);
    request.url = request.url != NULL ? request.url : url;
    request.method = "GET";
    request.on_body = take;
    request.on_head = see_head;
    t->f = f;
    t->byte = t->byte != NULL ? t->byte : letter;
    t->right = true;
    t->go_fd = t->go_fd > 0 ? t->go_fd : -1;
    assert_int_equal(f->client->send(f->client, &request, on_done, t, &f->call), 0);
}

static void test_whole_answers(void **state)
{
    static const struct {
        const char *path;
        struct http_client_request request;
        size_t refuse_after, taken_min, taken_max;
        int error;
        unsigned status;
        const char *body, *error_text;
    } cases[] = {
        {"/large", {.method = NULL}, 0, LARGE, LARGE, 0, 200, "", ""},
        {"/large", {.accept_gzip = true}, 0, LARGE, LARGE, 0, 200, "", ""},
        {"/large", {.body_max = LARGE}, 0, LARGE, LARGE, 0, 200, "", ""},
        {"/large", {.body_max = LARGE, .accept_gzip = true}, 0, LARGE, LARGE, 0, 200, "", ""},
        {"/noise", {.body_max = NOISE}, 0, NOISE, NOISE, 0, 200, "", ""},
        {"/noise", {.body_max = NOISE, .accept_gzip = true}, 0, NOISE, NOISE, 0, 200, "", ""},
        {"/noise", {.accept_gzip = true}, 0, NOISE, NOISE, 0, 200, "", ""},
        {"/noise", {.body_max = NOISE - 1, .accept_gzip = true}, 0, 0, NOISE - 1, ERR_LIMIT, 200,
            "", "the answer is larger than its limit"},
        {"/noise", {.body_max = NOISE, .accept_gzip = true}, 1 << 20, 1 << 20,
            (1 << 20) + HTTP_CLIENT_PIECE_MAX, ERR_CORRUPT, 200, "",
            "the answer's body is not taken"},
        {"/nothing", {.method = NULL}, 0, 0, 0, 0, 200, "", ""},
        {"/nothing", {.body_max = 1}, 0, 0, 0, 0, 200, "", ""},
        {"/large", {.body_max = LARGE - 1}, 0, 0, LARGE - 1, ERR_LIMIT, 200, "",
            "the answer is larger than its limit"},
        {"/large", {.body_max = LARGE - 1, .accept_gzip = true}, 0, 0, LARGE - 1, ERR_LIMIT, 200,
            "", "the answer is larger than its limit"},
        {"/large", {.method = NULL}, 1000, 1000, 1000 + HTTP_CLIENT_PIECE_MAX, ERR_CORRUPT, 200, "",
            "the answer's body is not taken"},
        /* What is no good answer comes as a whole, within its limit. */
        {"/busy", {.method = NULL}, 0, 0, 0, 0, 503, "busy\n", ""},
        {"/busy", {.body_max = 3}, 0, 0, 0, ERR_LIMIT, 503, "",
            "the answer is larger than its limit"},
        {"/redirect", {.method = NULL}, 0, 0, 0, 0, 302, "elsewhere\n", ""},
        {"/redirect", {.follow_redirects = true}, 0, LARGE, LARGE, 0, 200, "", ""},
    };
    struct fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct taking t = {.refuse_after = cases[i].refuse_after,
            .byte = strcmp(cases[i].path, "/noise") == 0 ? noise : letter};
        begin(&f, cases[i].path, cases[i].request, &t);
        loop_run(f.loop);
        if (t.calls != 1 || (t.error == 0 && t.status == 200 && t.heads != 1) ||
            t.error != cases[i].error || t.status != cases[i].status ||
            t.taken < cases[i].taken_min || t.taken > cases[i].taken_max || !t.right ||
            strcmp(t.body, cases[i].body) != 0 || strcmp(t.error_text, cases[i].error_text) != 0) {
            fail_msg("case %zu: error %d status %u taken %zu%s \"%s\" \"%s\"; expected %d %u "
                     "%zu to %zu \"%s\" \"%s\"",
                i, t.error, t.status, t.taken, t.right ? "" : " (wrong)", t.body, t.error_text,
                cases[i].error, cases[i].status, cases[i].taken_min, cases[i].taken_max,
                cases[i].body, cases[i].error_text);
        }
        if (t.turn_bytes_most > TURN_BYTES_MAX) {
            fail_msg("case %zu: %zu bytes in one turn of the loop", i, t.turn_bytes_most);
        }
    }
    stop(&f);
}

/* Whoever takes the body may not want it at all. */
static void test_a_refused_head(void **state)
{
    for (size_t body_max = 0; body_max <= LARGE; body_max += LARGE) {
        struct fixture f;
        struct taking t = {.refuse_head = true};
        start(&f);
        begin(&f, "/large", (struct http_client_request){.body_max = body_max}, &t);
        loop_run(f.loop);
        assert_int_equal(t.error, ERR_UNSUPPORTED);
        assert_int_equal(t.status, 200);
        assert_string_equal(t.error_text, "the answer's body is not taken");
        assert_int_equal(t.taken, 0);
        stop(&f);
    }
}

/* ---- A peer that waits for its first piece to be taken ---- */

struct peer {
    int fd, go_fd;
    const char *first, *rest; /* rest NULL: says nothing more until the other side ends it */
};

static void *run_peer(void *context)
{
    struct peer *p = context;
    char bytes[4096];
    int fd = accept(p->fd, NULL, NULL);
    ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
    size += send(fd, p->first, strlen(p->first), MSG_NOSIGNAL);
    size += read(p->go_fd, bytes, 1);
    if (p->rest != NULL) {
        size += send(fd, p->rest, strlen(p->rest), MSG_NOSIGNAL);
    } else {
        while (size > 0) {
            size = recv(fd, bytes, sizeof(bytes), 0);
        }
    }
    close(fd);
    return NULL;
}

static int listen_somewhere(char *url, size_t url_size)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(url, url_size, "http://127.0.0.1:%u/", ntohs(at.sin_port));
    return fd;
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* The rest is sent when the first piece has been taken, so a client that collects waits for ever. */
static void test_pieces_as_they_come(void **state)
{
    static const struct {
        const char *rest;
        int error;
        size_t taken, body_max;
    } cases[] = {
        {"3\r\ndef\r\n0\r\n\r\n", 0, 6, 0},
        {"3\r\nde", ERR_IO, 5, 0}, /* cut off */
        {"3\r\ndef\r\n0\r\n\r\n", 0, 6, 6},
        {"3\r\nde", ERR_IO, 5, 6},
        {"3\r\ndef\r\n0\r\n\r\n", ERR_LIMIT, 3, 5},
        {"x", ERR_IO, 3, 6},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        start(&f);
        char url[64];
        int go[2];
        assert_int_equal(pipe(go), 0);
        struct peer p = {
            listen_somewhere(url, sizeof(url)), go[0], CHUNKED "3\r\nabc\r\n", cases[i].rest};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_peer, &p), 0);
        struct taking t = {.go_fd = go[1]};
        begin(&f, "", (struct http_client_request){.url = url, .body_max = cases[i].body_max}, &t);
        loop_run(f.loop);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(t.error, cases[i].error);
        assert_int_equal(t.taken, cases[i].taken);
        assert_true(t.right);
        close(p.fd);
        close(go[0]);
        close(go[1]);
        stop(&f);
    }
}

static void cancel_it(void *context)
{
    struct fixture *f = context;
    f->client->cancel(f->client, f->call);
}

/* An answer without an end is ended by its taker's owner. */
static void test_cancel_under_way(void **state)
{
    struct fixture f;
    start(&f);
    char url[64];
    int go[2];
    assert_int_equal(pipe(go), 0);
    struct peer p = {listen_somewhere(url, sizeof(url)), go[0], CHUNKED "3\r\nabc\r\n", NULL};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_peer, &p), 0);
    assert_int_equal(loop_timer_new(f.loop, cancel_it, &f, &f.cancel_timer), 0);
    struct taking t = {.go_fd = go[1]};
    begin(&f, "", (struct http_client_request){.url = url}, &t);
    loop_run(f.loop);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.error, ERR_CANCELED);
    assert_int_equal(t.taken, 3);
    loop_timer_free(f.cancel_timer);
    stop(&f); /* closes the connection, which lets the peer end */
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(p.fd);
    close(go[0]);
    close(go[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers),
        cmocka_unit_test(test_a_refused_head),
        cmocka_unit_test(test_pieces_as_they_come),
        cmocka_unit_test(test_cancel_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
