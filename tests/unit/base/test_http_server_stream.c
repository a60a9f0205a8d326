/* Replies in pieces: that all of it comes, that a slow client slows the handler down, that the end of either
 * side is seen by the other. Both ways that have pools. */
#include "support/http_fixture.h"
#include "support/raw_http.h"
#include "support/support.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/gzip.h"

static const enum way ways[] = {WAY_POOLS, WAY_LOOP_POOLS};

static void check_body(struct str body, size_t size)
{
    assert_int_equal(body.len, size);
    for (size_t i = 0; i < size; i++) {
        if (body.ptr[i] != (char)('a' + i % 17)) {
            fail_msg("byte %zu is %d, expected %d", i, body.ptr[i], (int)('a' + i % 17));
        }
    }
}

static void await_done(size_t count)
{
    lock_take(&gate.lock);
    while (gate.done < count) {
        lock_condition_wait(&gate.changed, &gate.lock);
    }
    lock_give(&gate.lock);
}

static void test_whole(void **state)
{
    static const struct {
        const char *request;
        size_t size;
    } cases[] = {
        {GET("/pieces?count=0&size=0"), 0},
        {GET("/pieces?count=1&size=1"), 1},
        {GET("/pieces?count=5&size=0"), 0},
        {GET("/pieces?count=1000&size=7"), 7000},
        {GET("/pieces?count=3&size=3000000"), 9000000},
        {GET("/pieces?count=64&size=65536"), 64 * 65536},
    };
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        struct fixture f;
        fixture_start(&f, ways[way], (struct http_server_options){.threads = 2});
        int fd = fixture_dial(&f); /* one connection: it is kept after each */
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct raw_http_answer a;
            raw_http_send_text(fd, cases[i].request);
            raw_http_receive(fd, false, &a);
            assert_int_equal(a.status, 200);
            assert_true(str_eq_c(raw_http_header(&a, "Content-Type"), "text/plain"));
            assert_null(raw_http_header(&a, "Content-Length").ptr);
            check_body(strbuf_str(&a.body), cases[i].size);
            raw_http_release(&a);
        }
        close(fd);
        fixture_stop(&f);
    }
}

static void test_compressed(void **state)
{
    static const size_t sizes[] = {0, 10, 100000, 5000000};
    (void)state;
    struct fixture f;
    fixture_start(&f, WAY_POOLS, (struct http_server_options){.threads = 1});
    int fd = fixture_dial(&f);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char request[200];
        snprintf(request, sizeof(request),
            "GET /pieces?count=2&size=%zu HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
            sizes[i]);
        struct raw_http_answer a;
        struct strbuf plain = STRBUF_INIT;
        raw_http_send_text(fd, request);
        raw_http_receive(fd, false, &a);
        assert_true(str_eq_c(raw_http_header(&a, "Content-Encoding"), "gzip"));
        assert_true(str_eq_c(raw_http_header(&a, "Vary"), "Accept-Encoding"));
        assert_int_equal(gzip_decode(strbuf_str(&a.body), 2 * sizes[i], &plain), 0);
        check_body(strbuf_str(&plain), 2 * sizes[i]);
        strbuf_release(&plain);
        raw_http_release(&a);
    }
    close(fd);
    fixture_stop(&f);
}

/* HEAD gets the head, HTTP/1.0 a body up to the end of the connection. */
static void test_other_forms(void **state)
{
    (void)state;
    struct fixture f;
    struct raw_http_answer a;
    fixture_start(&f, WAY_POOLS, (struct http_server_options){.threads = 1});
    int fd = fixture_dial(&f);
    raw_http_send_text(fd, "HEAD /pieces?count=100&size=1000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    raw_http_receive(fd, true, &a);
    assert_int_equal(a.status, 200);
    raw_http_release(&a);
    assert_true(raw_http_at_end(fd)); /* the length is not known */
    close(fd);
    fd = fixture_dial(&f);
    raw_http_send_text(fd, "GET /pieces?count=4&size=300000 HTTP/1.0\r\nHost: h\r\n\r\n");
    raw_http_receive_head(fd, &a);
    assert_null(raw_http_header(&a, "Transfer-Encoding").ptr);
    char bytes[65536];
    ssize_t count;
    while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        strbuf_add(&a.body, bytes, (size_t)count);
    }
    check_body(strbuf_str(&a.body), 1200000);
    raw_http_release(&a);
    close(fd);
    fixture_stop(&f);
}

/* What was written and not read is bounded by the stream's buffer and the kernel's two. */
static void test_slow_client(void **state)
{
    enum { SIZE = 40 << 20, AHEAD_MAX = 16 << 20 };
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        struct fixture f;
        fixture_start(&f, ways[way], (struct http_server_options){.threads = 1});
        struct raw_http_answer a;
        size_t received = 0, ahead = 0;
        bool whole = false, more = true;
        atomic_store(&gate.written, 0);
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, GET("/pieces?count=640&size=65536"));
        raw_http_receive_head(fd, &a);
        while (more) {
            strbuf_reset(&a.body);
            more = raw_http_receive_chunk(fd, &a.body, &whole);
            received += a.body.size;
            size_t written = atomic_load(&gate.written);
            ahead = written > received && written - received > ahead ? written - received : ahead;
        }
        assert_true(whole);
        assert_int_equal(received, SIZE);
        if (ahead > AHEAD_MAX) {
            fail_msg("the handler was %zu bytes ahead, at most %d expected", ahead, AHEAD_MAX);
        }
        raw_http_release(&a);
        close(fd);
        fixture_stop(&f);
    }
}

/* A client that leaves ends the handler, which writes, waits for room, or computes. */
static void test_client_leaves(void **state)
{
    static const char *const requests[] = {
        GET("/pieces?count=1000000&size=65536"), GET("/pieces?count=1000000&size=65536&wait=1")};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        size_t before = open_files();
        struct fixture f;
        struct raw_http_answer a;
        struct strbuf body = STRBUF_INIT;
        bool whole;
        gate.done = 0;
        fixture_start(&f, ways[i & 1], (struct http_server_options){.threads = 1});
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, requests[i >> 1 & 1]);
        raw_http_receive_head(fd, &a);
        assert_true(raw_http_receive_chunk(fd, &body, &whole));
        if (i >= 4) {
            raw_http_abort(fd);
        } else {
            close(fd);
        }
        await_done(1);
        assert_int_equal(gate.error, ERR_CLOSED);
        strbuf_release(&body);
        raw_http_release(&a);
        fixture_stop(&f);
        assert_int_equal(open_files(), before);
    }
}

static void test_handler_fails(void **state)
{
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        struct fixture f;
        struct raw_http_answer a;
        bool whole = true;
        fixture_start(&f, ways[way], (struct http_server_options){.threads = 1});
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, GET("/pieces?count=3&size=100000&error=1"));
        raw_http_receive_head(fd, &a);
        while (raw_http_receive_chunk(fd, &a.body, &whole)) {
        }
        assert_false(whole); /* the last chunk never came */
        assert_true(raw_http_at_end(fd));
        raw_http_release(&a);
        close(fd);
        fixture_stop(&f);
    }
}

/* A client that does not read cannot keep the server from stopping. */
static void test_stop(void **state)
{
    (void)state;
    struct fixture f;
    struct raw_http_answer a;
    gate.done = 0;
    fixture_start(&f, WAY_POOLS, (struct http_server_options){.threads = 2});
    int fd = fixture_dial(&f);
    raw_http_send_text(fd, GET("/pieces?count=1000000&size=65536"));
    raw_http_receive_head(fd, &a);
    raw_http_release(&a);
    fixture_stop(&f);
    assert_int_equal(gate.done, 1);
    assert_int_equal(gate.error, ERR_CLOSED);
    close(fd);
}

static void *ask_many(void *context)
{
    const struct fixture *f = context;
    for (size_t i = 0; i < 40; i++) {
        struct raw_http_answer a;
        bool whole;
        int fd = fixture_dial(f);
        raw_http_send_text(fd, GET("/pieces?count=30&size=20000"));
        raw_http_receive_head(fd, &a);
        bool leaves = a.status == 200 && i % 3 == 0;
        while (a.status == 200 && raw_http_receive_chunk(fd, &a.body, &whole) && !leaves) {
        }
        if (a.status == 200 && !leaves && a.body.size != 600000) {
            abort();
        }
        raw_http_release(&a);
        close(fd);
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        struct fixture f;
        pthread_t clients[4];
        fixture_start(&f, ways[way], (struct http_server_options){.threads = 2});
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&clients[i], NULL, ask_many, &f), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            pthread_join(clients[i], NULL);
        }
        fixture_stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_handler_fails),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, gate_set_up, NULL);
}
