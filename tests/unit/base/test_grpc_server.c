/* The gRPC server over sockets on loopback, in each of its ways: a thread of its own, with a pool, and on a
 * loop that somebody else runs. Limits of a connection are tested without sockets in test_grpc_server_session.c.
 */
#include "support/grpc_client.h"
#include "support/raw_http.h"
#include "support/support.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/grpc_server.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/vfs.h"

enum way { WAY_THREAD, WAY_POOL, WAY_LOOP, WAYS };

/* What holds handlers back. */
static struct {
    struct lock lock;
    struct lock_condition changed;
    bool open;
    size_t waiting;
} gate;

static void gate_set(bool open)
{
    lock_take(&gate.lock);
    gate.open = open;
    lock_condition_broadcast(&gate.changed);
    lock_give(&gate.lock);
}

static void gate_await(size_t count)
{
    lock_take(&gate.lock);
    while (gate.waiting < count) {
        lock_condition_wait(&gate.changed, &gate.lock);
    }
    lock_give(&gate.lock);
}

static void handle_echo(struct grpc_call *call, void *context)
{
    struct strbuf out = STRBUF_INIT;
    (void)context;
    assert_true(str_starts_with(grpc_call_remote(call), STR("127.0.0.1:")));
    assert_string_equal(grpc_call_method(call)->path, "/test.Echo/Echo");
    strbuf_add_str(&out, grpc_call_metadata(call, "x-prefix"));
    strbuf_add_str(&out, grpc_call_message(call));
    assert_null(grpc_call_metadata(call, "x-absent").ptr);
    grpc_call_reply(call, &out);
}

static void handle_gate(struct grpc_call *call, void *context)
{
    struct strbuf out = STRBUF_INIT;
    (void)context;
    lock_take(&gate.lock);
    gate.waiting++;
    lock_condition_broadcast(&gate.changed);
    while (!gate.open) {
        lock_condition_wait(&gate.changed, &gate.lock);
    }
    gate.waiting--;
    lock_give(&gate.lock);
    grpc_call_reply(call, &out);
}

static const struct grpc_method methods[] = {
    {"/test.Echo/Echo", handle_echo, NULL, "Answers a header and its message"},
    {"/test.Echo/Gate", handle_gate, NULL, "Waits"},
};

struct fixture {
    struct grpc_server *server;
    struct workpool *pool;
    struct loop *loop;
    pthread_t thread;
    uint16_t port;
};

static void *run_loop(void *loop)
{
    (void)loop_run(loop);
    return NULL;
}

static void stop_loop(void *loop)
{
    loop_stop(loop);
}

static void fixture_start(struct fixture *f, enum way way, struct grpc_server_options o)
{
    struct err e = ERR_INIT;
    const struct workpool_options pool = {"test", 2, 1};
    *f = (struct fixture){0};
    if (way == WAY_POOL) {
        assert_int_equal(workpool_open(&pool, &f->pool), 0);
    } else if (way == WAY_LOOP) {
        assert_int_equal(loop_new(&f->loop), 0);
    }
    o.address = "127.0.0.1:0";
    o.methods = methods;
    o.method_count = sizeof(methods) / sizeof(methods[0]);
    o.pool = f->pool;
    o.loop = f->loop;
    if (grpc_server_start(&o, &f->server, &e) != 0) {
        fail_msg("%s", e.message);
    }
    f->port = grpc_server_port(f->server);
    if (f->loop != NULL) {
        assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    }
}

static void fixture_stop(struct fixture *f)
{
    if (f->loop != NULL) {
        assert_int_equal(loop_post(f->loop, stop_loop, f->loop), 0);
        assert_int_equal(pthread_join(f->thread, NULL), 0);
    }
    grpc_server_stop(f->server);
    loop_free(f->loop);
    workpool_close(f->pool);
}

static size_t call(struct grpc_client *c, const char *path, struct str message)
{
    struct strbuf body = STRBUF_INIT;
    grpc_client_frame(&body, false, message);
    size_t index = grpc_client_call(
        c, &(struct grpc_client_request){
               .path = path, .key = "x-prefix", .value = "<", .body = strbuf_str(&body)});
    strbuf_release(&body);
    return index;
}

/* Sends what there is without waiting for an answer. */
static void push(struct grpc_client *c, int fd)
{
    struct strbuf out = STRBUF_INIT;
    grpc_client_output(c, &out);
    raw_http_send(fd, out.data, out.size);
    strbuf_release(&out);
}

static void test_calls(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        struct strbuf message = STRBUF_INIT;
        fixture_start(&f, (enum way)way, (struct grpc_server_options){0});
        for (int i = 0; i < 3000000; i++) {
            strbuf_add_char(&message, (char)i);
        }
        for (int connection = 0; connection < 3; connection++) {
            static struct grpc_client c;
            int fd = raw_http_dial(f.port);
            grpc_client_init(&c);
            for (int i = 0; i < 3; i++) {
                call(&c, "/test.Echo/Echo", i == 0 ? strbuf_str(&message) : STR("short"));
                if (way == WAY_POOL) {
                    grpc_client_exchange(&c, fd); /* its queue is one place long */
                }
            }
            grpc_client_exchange(&c, fd);
            for (size_t i = 0; i < 3; i++) {
                assert_int_equal(c.answers[i].status, GRPC_OK);
                struct str got = grpc_client_message(&c.answers[i]);
                assert_int_equal(got.ptr[0], '<');
                assert_true(str_eq(str_skip(got, 1), i == 0 ? strbuf_str(&message) : STR("short")));
            }
            grpc_client_release(&c);
            close(fd);
        }
        fixture_stop(&f);
        strbuf_release(&message);
    }
}

/* Two handlers busy and one call waiting: the fourth is told to come again. */
static void test_full_pool(void **state)
{
    static struct grpc_client c;
    struct fixture f;
    fixture_start(&f, WAY_POOL, (struct grpc_server_options){0});
    int fd = raw_http_dial(f.port);
    grpc_client_init(&c);
    gate_set(false);
    call(&c, "/test.Echo/Gate", STR(""));
    call(&c, "/test.Echo/Gate", STR(""));
    push(&c, fd);
    gate_await(2);
    call(&c, "/test.Echo/Gate", STR(""));
    push(&c, fd);
    while (workpool_depth(f.pool) < 3) {
        sched_yield();
    }
    int other = raw_http_dial(f.port);
    static struct grpc_client d;
    grpc_client_init(&d);
    call(&d, "/test.Echo/Gate", STR(""));
    grpc_client_exchange(&d, other);
    assert_int_equal(d.answers[0].status, GRPC_UNAVAILABLE);
    assert_true(d.answers[0].details.size > 0);
    gate_set(true);
    grpc_client_exchange(&c, fd);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(c.answers[i].status, GRPC_OK);
    }
    grpc_client_release(&c);
    grpc_client_release(&d);
    close(fd);
    close(other);
    fixture_stop(&f);
}

static void *open_gate_when_refused(void *context)
{
    const struct fixture *f = context;
    for (;;) { /* the server stops listening before it waits for handlers */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool refused = raw_http_is_refused(fd, f->port);
        close(fd);
        if (refused) {
            gate_set(true);
            return NULL;
        }
    }
}

/* A call that runs is answered; one whose message is half there may be sent elsewhere. */
static void test_stop(void **state)
{
    static struct grpc_client c;
    struct fixture f;
    pthread_t opener;
    fixture_start(&f, WAY_POOL, (struct grpc_server_options){0});
    int fd = raw_http_dial(f.port);
    grpc_client_init(&c);
    gate_set(false);
    call(&c, "/test.Echo/Gate", STR(""));
    grpc_client_call(&c, &(struct grpc_client_request){
                             .path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}, .open = true});
    push(&c, fd);
    gate_await(1);
    assert_int_equal(pthread_create(&opener, NULL, open_gate_when_refused, &f), 0);
    fixture_stop(&f);
    assert_int_equal(pthread_join(opener, NULL), 0);
    grpc_client_exchange(&c, fd);
    assert_int_equal(c.answers[0].status, GRPC_OK);
    assert_int_equal(c.answers[1].status, -1);
    assert_int_equal(c.answers[1].reset_code, 7); /* REFUSED_STREAM */
    assert_true(c.gone_away);
    assert_int_equal(c.goaway_code, 0);
    grpc_client_release(&c);
    close(fd);
}

static void test_connections_limit(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        static struct grpc_client c;
        struct fixture f;
        fixture_start(&f, (enum way)way, (struct grpc_server_options){.connections_max = 2});
        int fd[2];
        for (int i = 0; i < 2; i++) { /* answered, so accepted */
            fd[i] = raw_http_dial(f.port);
            grpc_client_init(&c);
            call(&c, "/test.Echo/Echo", STR("x"));
            grpc_client_exchange(&c, fd[i]);
            assert_int_equal(c.answers[0].status, GRPC_OK);
            grpc_client_release(&c);
        }
        int third = raw_http_dial(f.port);
        assert_true(raw_http_at_end(third));
        close(third);
        close(fd[0]);
        close(fd[1]);
        fixture_stop(&f);
    }
}

static void test_wrong_protocol(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        struct raw_http_answer a;
        fixture_start(&f, (enum way)way, (struct grpc_server_options){0});
        int fd = raw_http_dial(f.port);
        raw_http_send_text(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        raw_http_receive(fd, false, &a);
        assert_int_equal(a.status, 400);
        assert_true(str_starts_with(strbuf_str(&a.body), STR("This port speaks gRPC")));
        raw_http_release(&a);
        assert_true(raw_http_at_end(fd));
        close(fd);
        fixture_stop(&f);
    }
}

/* Clients that leave at every stage. */
static void test_leaving(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        fixture_start(&f, (enum way)way, (struct grpc_server_options){0});
        for (int stage = 0; stage < 4; stage++) {
            static struct grpc_client c;
            int fd = raw_http_dial(f.port);
            grpc_client_init(&c);
            if (stage == 1) {
                raw_http_send_text(fd, "PRI * HT");
            } else if (stage == 2) {
                grpc_client_call(
                    &c, &(struct grpc_client_request){
                            .path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}, .open = true});
                push(&c, fd);
            } else if (stage == 3) {
                call(&c, "/test.Echo/Echo", STR("nobody reads the answer"));
                push(&c, fd);
            }
            raw_http_abort(fd);
            grpc_client_release(&c);
        }
        fixture_stop(&f);
    }
}

static void test_refused_start(void **state)
{
    struct fixture f;
    struct grpc_server *second;
    char address[32];
    struct err e = ERR_INIT;
    fixture_start(&f, WAY_THREAD, (struct grpc_server_options){0});
    snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
    struct grpc_server_options o = {.address = address, .methods = methods, .method_count = 1};
    assert_int_equal(grpc_server_start(&o, &second, &e), ERR_BUSY);
    assert_non_null(strstr(e.message, "is in use"));
    o.address = "nonsense";
    assert_int_equal(grpc_server_start(&o, &second, &e), ERR_INVALID);
    fixture_stop(&f);
}

/* ---- Passwords ---- */

/* alice:secret, with bcrypt at its lowest cost. */
static const char users[] =
    "basic_auth_users:\n"
    "  alice: $2b$04$BvKXlx2C2N8ZTnsPbWxGuO.A6hqZ5b0z5PEXcD.spRzM/EAAji/W2\n";

static void test_passwords(void **state)
{
    static const struct {
        const char *authorization;
        int status;
    } cases[] = {
        {NULL, GRPC_UNAUTHENTICATED},
        {"Basic YWxpY2U6c2VjcmV0", GRPC_OK}, /* computed */
        {"Basic YWxpY2U6c2VjcmV0", GRPC_OK}, /* remembered */
        {"Basic YWxpY2U6d3Jvbmc=", GRPC_UNAUTHENTICATED},
        {"Basic Ym9iOnNlY3JldA==", GRPC_UNAUTHENTICATED},
        {"Bearer x", GRPC_UNAUTHENTICATED},
    };
    char path[] = "/tmp/test_grpc_server.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, users, sizeof(users) - 1), sizeof(users) - 1);
    close(file);
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        fixture_start(&f, (enum way)way, (struct grpc_server_options){.web_config_file = path});
        int fd = raw_http_dial(f.port);
        static struct grpc_client c;
        grpc_client_init(&c);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            grpc_client_call(&c, &(struct grpc_client_request){.path = "/test.Echo/Echo",
                                     .authorization = cases[i].authorization,
                                     .body = {"\0\0\0\0\1x", 6}});
            grpc_client_exchange(&c, fd);
            if (c.answers[i].status != cases[i].status) {
                fail_msg("%s: expected %d, got %d", cases[i].authorization, cases[i].status,
                    c.answers[i].status);
            }
        }
        grpc_client_release(&c);
        close(fd);
        fixture_stop(&f);
    }
    unlink(path);
}

static int set_up(void **state)
{
    lock_init(&gate.lock, LOCK_RANK_LEAF);
    lock_condition_init(&gate.changed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_full_pool),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_connections_limit),
        cmocka_unit_test(test_wrong_protocol),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_refused_start),
        cmocka_unit_test(test_passwords),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
