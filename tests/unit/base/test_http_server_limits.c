/* What a client may take of the server: the size of a body, the time of a request. */
#include "support/http_fixture.h"
#include "support/raw_http.h"
#include "support/support.h"

#include <sys/socket.h>

#include "base/mem.h"

/* Sends a head and `size` bytes of body; the answer must be 413 and, when `closes`, the end. */
static void check_too_large(const struct fixture *f, const char *head, size_t size, bool closes)
{
    int fd = fixture_dial(f);
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
        fixture_start(&f, (enum way)way, (struct http_server_options){.body_max = 1000});
        int fd = fixture_dial(&f);
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
        fd = fixture_dial(&f);
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
        fixture_stop(&f);
    }
}

static void test_idle_client(void **state)
{
    static const enum way ways[] = {WAY_THREADS, WAY_LOOP};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        fixture_start(&f, ways[i], (struct http_server_options){.threads = 1, .idle_timeout_s = 1});
        int silent = fixture_dial(&f), half = fixture_dial(&f), kept = fixture_dial(&f);
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
        fixture_stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_idle_client),
    };
    return cmocka_run_group_tests(tests, gate_set_up, NULL);
}
