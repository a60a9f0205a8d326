/* The HTTP server, over real sockets on loopback, in each of its ways: what is asked and what is answered.
 * Expected answers follow RFC 9110 and the header's promises. Requests are written byte by byte as clients
 * send them.
 */
#include "support/http_fixture.h"
#include "support/raw_http.h"
#include "support/support.h"

#include "base/gzip.h"
#include "base/metrics.h"

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
            "POST /echo value= body=a=1&a=2+3&b a=1 a=2 3 a=0 b=there custom=",
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
        fixture_start(&f, (enum way)way, (struct http_server_options){.threads = 1 + way});
        run_cases(&f, cases, sizeof(cases) / sizeof(cases[0]));
        fixture_stop(&f);
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
    fixture_start(&f, WAY_THREADS,
        (struct http_server_options){
            .route_prefix = "/sonde", .cors_origin = "https://[ab]\\.example"});
    run_cases(&f, cases, sizeof(cases) / sizeof(cases[0]));
    fixture_stop(&f);
    static const struct exchange_case without[] = {
        {GET("/echo"), 200, NULL, "Access-Control-Allow-Origin", NULL},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Access-Control-Allow-Methods",
            NULL},
        {"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, "", "Allow", "GET, HEAD, POST, OPTIONS"},
    };
    fixture_start(&f, WAY_THREADS, (struct http_server_options){.cors_origin = ""});
    run_cases(&f, without, sizeof(without) / sizeof(without[0]));
    fixture_stop(&f);
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
    fixture_start(&f, WAY_POOLS, (struct http_server_options){.threads = 1});
    int fd = fixture_dial(&f);
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
    fixture_stop(&f);
}

static void test_pipelined(void **state)
{
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        fixture_start(&f, (enum way)way, (struct http_server_options){0});
        int fd = fixture_dial(&f);
        raw_http_send_text(fd, GET("/echo?a=1") GET("/label/x/values") GET("/echo?a=3"));
        static const char *const expected[] = {" a=1 ", "value=x", " a=3 "};
        for (size_t i = 0; i < 3; i++) {
            struct raw_http_answer a;
            raw_http_receive(fd, false, &a);
            assert_non_null(strstr(a.body.data, expected[i]));
            raw_http_release(&a);
        }
        close(fd);
        fixture_stop(&f);
    }
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
    fixture_start(&f, WAY_POOLS, (struct http_server_options){0});
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
    fixture_stop(&f);
}

static void test_addresses(void **state)
{
    struct fixture f;
    fixture_start(&f, WAY_THREADS, (struct http_server_options){.threads = 1});
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
        struct http_server_options o = {.address = cases[i].address, .routes = fixture_routes};
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
    fixture_stop(&f);
    http_server_stop(NULL);
    struct http_server_options everywhere = {
        .address = ":0", .routes = fixture_routes, .route_count = 1};
    assert_int_equal(http_server_start(&everywhere, &f.server, NULL), 0);
    f = (struct fixture){.server = f.server, .port = http_server_port(f.server)};
    run_cases(&f, &(struct exchange_case){GET("/echo"), 200, NULL, NULL, NULL}, 1);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_prefix_and_origin),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, gate_set_up, NULL);
}
