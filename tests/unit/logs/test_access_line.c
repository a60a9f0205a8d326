/* Lines of access logs in every form. Expected fields are those that the documents of Apache, nginx, Caddy
 * and Traefik give to the columns. */
#include "logs/access_line.h"

#include "expect.h"

struct row {
    const char *line;
    int status; /* 0: the line is refused */
    const char *method, *path, *host;
    double seconds, bytes;
};

static void expect(const struct access_log_config *config, const struct row *rows, size_t count)
{
    struct access_format *f;
    struct err e = ERR_INIT;
    assert_int_equal(access_format_new(config, &f, &e), 0);
    for (size_t i = 0; i < count; i++) {
        struct access_line line;
        int status = access_format_parse(f, str_of(rows[i].line), &line);
        print_message("%s\n", rows[i].line);
        if (rows[i].status == 0) {
            assert_int_equal(status, ERR_INVALID);
            continue;
        }
        assert_int_equal(status, 0);
        assert_int_equal(line.status, rows[i].status);
        expect_text(line.method, rows[i].method);
        expect_text(line.path, rows[i].path);
        expect_text(line.host, rows[i].host);
        expect_near(line.seconds, rows[i].seconds);
        expect_near(line.bytes, rows[i].bytes);
    }
    access_format_free(f);
}

#define COUNT(rows) (sizeof(rows) / sizeof(rows[0]))

static void test_combined(void **state)
{
    const struct access_log_config config = {
        .format = "combined", .pattern = "", .duration_unit = "s"};
    static const struct row rows[] = {
        {"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326",
            200, "GET", "/apache_pb.gif", "", -1, 2326},
        {"::1 - - [10/Oct/2000:13:55:36 +0000] \"POST /a?b=c HTTP/2.0\" 503 0 \"http://x/\" "
         "\"Mozilla "
         "\\\"5\\\"\"",
            503, "POST", "/a", "", -1, 0},
        {"h - - [t] \"GET /a\\\" 200 5 \\\"x HTTP/1.1\" 404 12", 404, "GET", "/a\\\"", "", -1, 12},
        {"h - - [t] \"-\" 400 0", 400, "", "", "", -1, 0},
        {"h - - [t] \"\\x16\\x03\\x01\" 400 150", 400, "", "", "", -1, 150},
        {"h - - [t] \"GET / HTTP/1.1\" 304 -", 304, "GET", "/", "", -1, -1},
        {"h - - [t] \"GET / HTTP/1.1\" abc 1", 0, NULL, NULL, NULL, 0, 0},
        {"h - - [t] \"GET / HTTP/1.1\" 999 1", 0, NULL, NULL, NULL, 0, 0},
        {"h - - [t] \"GET / HTTP/1.1", 0, NULL, NULL, NULL, 0, 0},
        {"nonsense", 0, NULL, NULL, NULL, 0, 0},
        {"", 0, NULL, NULL, NULL, 0, 0},
    };
    (void)state;
    expect(&config, rows, COUNT(rows));
}

static void test_pattern(void **state)
{
    const struct access_log_config config = {.format = "pattern",
        .pattern = "$host [$time_local] \"$request\" $status ${bytes_sent}B $request_time "
                   "$upstream_response_time",
        .duration_unit = "s"};
    static const struct row rows[] = {
        {"shop.example [x] \"GET /cart HTTP/1.1\" 200 17B 0.125 0.1", 200, "GET", "/cart",
            "shop.example", 0.125, 17},
        {"h [x] \"GET / HTTP/1.1\" 200 17B - 0.250, 0.5 more", 200, "GET", "/", "h", 0.25, 17},
        {"h [x] \"GET / HTTP/1.1\" 200 17 0.1 0.1", 0, NULL, NULL, NULL, 0, 0},
    };
    (void)state;
    expect(&config, rows, COUNT(rows));
}

static void test_json(void **state)
{
    static struct config_pair pairs[] = {{"duration", "took"}, {"host", "vhost"}};
    const struct access_log_config config = {
        .format = "json", .pattern = "", .duration_unit = "ms", .fields = {pairs, 2}};
    static const struct row rows[] = {
        {"{\"method\":\"GET\",\"path\":\"/"
         "a?x\",\"status\":200,\"took\":12.5,\"size\":9,\"vhost\":\"h\"}",
            200, "GET", "/a", "h", 0.0125, 9},
        {" { \"request\" : { \"deep\": [1, {\"status\": 500}, \"}\"] }, \"status\" : \"404\" } ",
            404, "", "", "", -1, -1},
        {"{\"uri\":\"\\/a\\u00e9\\\"b\",\"status\":201,\"took\":null}", 201, "", "/a_\"b", "", -1, -1},
        {"{\"status\":200", 0, NULL, NULL, NULL, 0, 0},
        {"{\"status\":200,}", 0, NULL, NULL, NULL, 0, 0},
        {"{\"status\":\"200", 0, NULL, NULL, NULL, 0, 0},
        {"{\"a\\", 0, NULL, NULL, NULL, 0, 0},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, NULL, NULL, NULL, 0, 0},
        {"[]", 0, NULL, NULL, NULL, 0, 0},
        {"{}", 0, NULL, NULL, NULL, 0, 0},
    };
    (void)state;
    expect(&config, rows, COUNT(rows));
}

static void test_logfmt(void **state)
{
    const struct access_log_config config = {
        .format = "logfmt", .pattern = "", .duration_unit = "us"};
    static const struct row rows[] = {
        {"time=x method=PUT path=\"/a \\\"b\\\"\" status=204 duration=1500 bytes=0 flag", 204,
            "PUT", "/a \"b\"", "", 0.0015, 0},
        {"status=", 0, NULL, NULL, NULL, 0, 0},
        {"path=\"/a", 0, NULL, NULL, NULL, 0, 0},
    };
    (void)state;
    expect(&config, rows, COUNT(rows));
}

static void test_refused_settings(void **state)
{
    static struct config_pair unknown[] = {{"verb", "m"}};
    static const struct {
        struct access_log_config config;
        const char *sentence;
    } rows[] = {
        {{.format = "apache", .pattern = "", .duration_unit = "s"},
            "format \"apache\"; accepted: common"},
        {{.format = "json", .pattern = "", .duration_unit = "m"},
            "duration_unit \"m\"; accepted: s, ms"},
        {{.format = "pattern", .pattern = "$host $request_time", .duration_unit = "s"},
            "no variable is the status"},
        {{.format = "pattern", .pattern = "$host$status", .duration_unit = "s"}, "side by side"},
        {{.format = "pattern", .pattern = "$ $status", .duration_unit = "s"}, "without a name"},
        {{.format = "pattern", .pattern = "${status", .duration_unit = "s"}, "without a name"},
        {{.format = "json", .pattern = "", .duration_unit = "s", .fields = {unknown, 1}},
            "unknown field \"verb\"; accepted: method"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct access_format *f;
        struct err e = ERR_INIT;
        assert_int_equal(access_format_new(&rows[i].config, &f, &e), ERR_INVALID);
        if (strstr(e.message, rows[i].sentence) == NULL) {
            fail_msg("got \"%s\", expected \"%s\" in it", e.message, rows[i].sentence);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_refused_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
