/* What requests add up to. Expected sums are counted by hand. */
#include "logs/access_series.h"

#include "../receive/door_log.h"
#include "expect.h"

#define T 1700000000000

static struct config_pair labels[] = {{"env", "prod"}};
static struct access_log_route routes[] = {
    {"/users/[0-9]+", "/users/{user}"}, {"/static/.*", "/static"}};

static struct access_log_config make_config(void)
{
    static const char *buckets[] = {"0.1", "1"};
    return (struct access_log_config){.job = "web",
        .service = "shop",
        .routes = {routes, 2},
        .buckets = {buckets, 2},
        .labels = {labels, 1},
        .series_max = 100,
        .routes_max = 10,
        .hosts_max = 10,
        .idle_ms = 60000};
}

static void add(struct access_series_table *t, const char *method, const char *path, int status,
    double seconds, double bytes, int64_t now)
{
    const struct access_line line = {.method = str_of(method),
        .path = str_of(path),
        .host = STR("h"),
        .status = status,
        .seconds = seconds,
        .bytes = bytes};
    assert_int_equal(access_series_add(t, &line, now), 0);
}

static void flush(struct access_series_table *t, struct door_log *door, int64_t now)
{
    strbuf_reset(&door->text);
    assert_int_equal(access_series_flush(t, &door->intake, now, T), 0);
}

#define L(rest) "env=\"prod\", " rest
#define WHO ", instance=\"i\", job=\"web\", service_name=\"shop\"} "
#define AT " @1700000000000\n"

static void test_counts(void **state)
{
    struct access_log_config config = make_config();
    struct access_series_table *t;
    struct door_log door;
    struct err e = ERR_INIT;
    (void)state;
    door_log_init(&door);
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), 0);
    add(t, "GET", "/users/7", 200, 0.05, 100, 1);
    add(t, "GET", "/users/8", 200, 0.1, 50, 1);
    add(t, "GET", "/users/9", 200, 3, -1, 1);
    add(t, "BREW", "/tea", 500, -1, -1, 1);
    assert_int_equal(access_series_add(t, NULL, 1), 0);
    flush(t, &door, 2);
#define USERS                                                                                      \
    L("http_request_method=\"GET\", http_response_status_code=\"200\", "                           \
      "http_route=\"/users/{user}\"")
#define TIMES "http_server_request_duration_seconds"
    expect_part(&door.text, "http_server_requests_total{" USERS WHO "3" AT);
    expect_part(&door.text, "http_server_response_body_bytes_total{" USERS WHO "150" AT);
#define BUCKET(le, value)                                                                          \
    TIMES "_bucket{" USERS ", instance=\"i\", job=\"web\", le=\"" le                               \
          "\", service_name=\"shop\"} " value AT
    expect_part(&door.text, BUCKET("0.1", "2"));
    expect_part(&door.text, BUCKET("1.0", "2"));
    expect_part(&door.text, BUCKET("+Inf", "3"));
    expect_part(&door.text, TIMES "_sum{" USERS WHO "3.15" AT);
    expect_part(&door.text, TIMES "_count{" USERS WHO "3" AT);
    expect_part(&door.text,
        "http_server_requests_total{" L(
            "http_request_method=\"_OTHER\", http_response_status_code=\"500\"") WHO "1" AT);
    expect_part(&door.text, "access_log_lines_total{env=\"prod\", instance=\"i\", job=\"web\", "
                            "parsed=\"true\", service_name=\"shop\"} 4" AT);
    expect_part(&door.text, "access_log_lines_total{env=\"prod\", instance=\"i\", job=\"web\", "
                            "parsed=\"false\", service_name=\"shop\"} 1" AT);
    assert_false(has_text(&door.text, "tea"));
    access_series_table_free(t);
    door_log_release(&door);
}

static void test_templates_and_hosts(void **state)
{
    struct access_log_config config = make_config();
    struct access_series_table *t;
    struct door_log door;
    struct err e = ERR_INIT;
    (void)state;
    config.templates = true;
    config.by_host = true;
    config.routes_max = 2;
    door_log_init(&door);
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), 0);
    add(t, "GET", "/orders/1234", 200, -1, -1, 1);
    add(t, "GET", "/orders/99", 200, -1, -1, 1);
    add(t, "GET", "/static/a.js", 200, -1, -1, 1);
    add(t, "GET", "/third", 200, -1, -1, 1);
    flush(t, &door, 2);
    expect_part(&door.text, "http_route=\"/orders/{id}\", instance=\"i\", job=\"web\", "
                            "server_address=\"h\", service_name=\"shop\"} 2" AT);
    expect_part(&door.text, "http_route=\"__cardinality_overflow__\"");
    assert_false(has_text(&door.text, "third"));
    access_series_table_free(t);
    door_log_release(&door);
}

/* Far more different requests than there may be series: what is beyond is counted by status. */
static void test_overflow(void **state)
{
    struct access_log_config config = make_config();
    struct access_series_table *t;
    struct access_series_statistics statistics;
    struct door_log door;
    struct err e = ERR_INIT;
    (void)state;
    config.templates = true;
    config.series_max = 5;
    config.routes_max = 1000;
    door_log_init(&door);
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), 0);
    for (int i = 0; i < 100; i++) {
        char path[32] = "/aa";
        path[1] = (char)('a' + i / 10);
        path[2] = (char)('a' + i % 10);
        add(t, "GET", path, i % 2 == 0 ? 200 : 404, 0.01, -1, 1);
    }
    flush(t, &door, 2);
    access_series_statistics(t, &statistics);
    assert_int_equal(statistics.series, 5 + 2);
    assert_int_equal(statistics.overflowed_lines, 95);
    expect_part(&door.text,
        "http_server_requests_total{" L("http_request_method=\"_OTHER\", "
                                        "http_response_status_code=\"404\", "
                                        "http_route=\"__cardinality_overflow__\"") WHO "48" AT);
    access_series_table_free(t);
    door_log_release(&door);
}

/* A series without requests ends with a stale marker, and its room is given to others. */
static void test_idle_series(void **state)
{
    struct access_log_config config = make_config();
    struct access_series_table *t;
    struct access_series_statistics statistics;
    struct door_log door;
    struct err e = ERR_INIT;
    (void)state;
    door_log_init(&door);
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), 0);
    add(t, "GET", "/users/1", 200, 0.01, -1, 1000);
    add(t, "GET", "/users/1", 201, 0.01, -1, 50000);
    flush(t, &door, 61000);
    expect_part(&door.text, "http_server_requests_total{" USERS WHO "nan" AT);
    strbuf_reset(&door.text);
    flush(t, &door, 62000);
    assert_false(has_text(&door.text, "http_response_status_code=\"200\""));
    expect_part(&door.text, "http_response_status_code=\"201\"");
    access_series_statistics(t, &statistics);
    assert_int_equal(statistics.series, 1);
    access_series_table_free(t);
    door_log_release(&door);
}

static void test_refused_settings(void **state)
{
    static struct access_log_route bad_route[] = {{"(", "x"}};
    static const char *falling[] = {"1", "0.5"}, *word[] = {"fast"};
    struct access_log_config config = make_config();
    struct access_series_table *t;
    struct err e = ERR_INIT;
    (void)state;
    config.routes = (struct config_list){bad_route, 1};
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "routes: "));
    config = make_config();
    config.buckets = (struct config_strings){falling, 2};
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), ERR_INVALID);
    assert_string_equal(e.message, "buckets: \"0.5\" is no number above the one before it");
    config.buckets = (struct config_strings){word, 1};
    assert_int_equal(access_series_table_new(&config, "i", &t, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_templates_and_hosts),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_idle_series),
        cmocka_unit_test(test_refused_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
