/* Requests and the server's life: full lanes, stopping under load, clients that leave at every stage. */
#include "support/http_fixture.h"
#include "support/raw_http.h"
#include "support/support.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* Two threads busy and one request waiting: the fourth is refused, and all others are answered. */
static void test_full_lane(void **state)
{
    struct fixture f;
    fixture_start(&f, WAY_POOLS, (struct http_server_options){.threads = 2});
    int fd[4];
    gate_set(false);
    for (size_t i = 0; i < 2; i++) {
        fd[i] = fixture_dial(&f);
        raw_http_send_text(fd[i], GET("/gate"));
    }
    gate_await_waiting(2);
    fd[2] = fixture_dial(&f);
    raw_http_send_text(fd[2], GET("/gate"));
    while (workpool_depth(f.pools[1]) < 3) {
        sched_yield();
    }
    fd[3] = fixture_dial(&f);
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
    fixture_stop(&f);
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
        fixture_start(&f, ways[i], (struct http_server_options){.threads = 2});
        gate_set(false);
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, GET("/gate"));
        gate_await_waiting(1);
        pthread_t opener;
        assert_int_equal(pthread_create(&opener, NULL, open_gate_once_stopping, &f), 0);
        fixture_stop(&f);
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
        fixture_start(&f, (enum way)way, (struct http_server_options){.threads = 2});
        for (size_t i = 0; i < 300; i++) {
            int fd = fixture_dial(&f);
            raw_http_send_text(fd, beginnings[i % (sizeof(beginnings) / sizeof(beginnings[0]))]);
            if (i % 2 == 0) {
                raw_http_abort(fd);
            } else {
                close(fd);
            }
        }
        run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
        fixture_stop(&f);
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
        fixture_start(&f, ways[i], (struct http_server_options){.threads = 1});
        gate_set(false);
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, GET("/gate"));
        gate_await_waiting(1);
        raw_http_abort(fd);
        gate_set(true);
        run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
        fixture_stop(&f);
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
        fixture_start(&f, ways[i % 2], (struct http_server_options){0});
        int fd = fixture_dial(&f);
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
        fixture_stop(&f);
    }
}

static void *ask_many(void *context)
{
    const struct fixture *f = context;
    int fd = fixture_dial(f);
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
        fixture_start(&f, (enum way)way, (struct http_server_options){.threads = 2});
        pthread_t clients[6];
        for (size_t i = 0; i < 6; i++) {
            assert_int_equal(pthread_create(&clients[i], NULL, ask_many, &f), 0);
        }
        for (size_t i = 0; i < 6; i++) {
            pthread_join(clients[i], NULL);
        }
        fixture_stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_lane),
        cmocka_unit_test(test_stop_waits),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_aborted_while_handled),
        cmocka_unit_test(test_handler_sees_the_end),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, gate_set_up, NULL);
}
