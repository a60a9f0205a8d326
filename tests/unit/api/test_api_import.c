/* Import and export over HTTP: what goes in comes out, and what is said about lines that cannot be read. */
#include "support/support.h"

#include "api_fixture.h"
#include "base/gzip.h"

#define UP                                                                                         \
    "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"values\":[1,null],\"timestamps\":["      \
    "998000,999000]}\n"
#define LOAD                                                                                       \
    "{\"metric\":{\"__name__\":\"load\"},\"values\":[0.5,\"NaN\",\"Infinity\"],\"timestamps\":["   \
    "997000,998000,999000]}\n"

static void post(struct api_fixture *f, const char *target, const char *headers, const char *body)
{
    api_fixture_send(f, "POST", target, headers, body, strlen(body));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf packed = STRBUF_INIT;
    api_fixture_start(&f, true);
    assert_int_equal(gzip_encode(STR(UP "\n" LOAD), 6, &packed), 0);
    api_fixture_send(
        &f, "POST", "/api/v1/import", "Content-Encoding: gzip\r\n", packed.data, packed.size);
    assert_int_equal(f.status, 204);
    assert_string_equal(
        api_fixture_get(&f, "/api/v1/export?match[]={__name__=~%22up|load%22}&match[]=up"),
        LOAD UP);
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"), "application/stream+json"));
    assert_string_equal(api_fixture_post(&f, "/api/v1/export", "match[]=load&start=998&end=998.5"),
        "{\"metric\":{\"__name__\":\"load\"},\"values\":[\"NaN\"],\"timestamps\":[998000]}\n");
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=load&max_rows_per_line=2"),
        "{\"metric\":{\"__name__\":\"load\"},\"values\":[0.5,\"NaN\"],\"timestamps\":[997000,"
        "998000]}\n"
        "{\"metric\":{\"__name__\":\"load\"},\"values\":[\"Infinity\"],\"timestamps\":[999000]}\n");
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=nothing"), "");
    strbuf_release(&packed);
    api_fixture_stop(&f);
}

/* Histograms between values: lines of their own, which go in again; or left out. */
static void test_histograms(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"metric\":{\"__name__\":\"sizes\"},\"values\":[1],\"timestamps\":[1000]}\n"
        "{\"metric\":{\"__name__\":\"sizes\"},\"histograms\":[{\"schema\":1,\"count\":3,\"sum\":4."
        "5,"
        "\"zero_threshold\":0.01,\"zero_count\":1,\"reset\":\"gauge\",\"positive\":[[-1,0.5,1.5]]}]"
        ","
        "\"timestamps\":[2000]}\n"
        "{\"metric\":{\"__name__\":\"sizes\"},\"values\":[2],\"timestamps\":[3000]}\n";
    struct api_fixture f;
    api_fixture_start(&f, true);
    post(&f, "/api/v1/import", NULL, lines);
    assert_int_equal(f.status, 204);
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=sizes"), lines);
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=sizes&histograms=0"),
        "{\"metric\":{\"__name__\":\"sizes\"},\"values\":[1],\"timestamps\":[1000]}\n"
        "{\"metric\":{\"__name__\":\"sizes\"},\"values\":[2],\"timestamps\":[3000]}\n");
    (void)api_fixture_get(&f, "/api/v1/export?match[]=sizes&histograms=x");
    assert_int_equal(f.status, 400);
    post(&f, "/api/v1/import", NULL,
        "{\"metric\":{\"__name__\":\"m\"},\"histograms\":[{\"schema\":99,\"count\":1,\"sum\":1}],"
        "\"timestamps\":[1]}\n");
    assert_int_equal(f.status, 400);
    assert_true(str_starts_with(strbuf_str(&f.body), STR("line 1: ")));
    api_fixture_stop(&f);
}

static void test_text(void **state)
{
    (void)state;
    struct api_fixture f;
    api_fixture_start(&f, true);
    post(&f, "/api/v1/import/prometheus?extra_label=job=b&extra_label=z=1&extra_label=gone=", NULL,
        "# HELP up Is it?\n# TYPE up gauge\nup{job=\"a\",gone=\"x\"} 1\nup{job=\"a\",i=\"2\"} 5 "
        "999000\n");
    assert_int_equal(f.status, 204);
    assert_int_equal(memory_sink_state(f.sink)->metadata, 1);
    /* without a time: now */
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=up"),
        "{\"metric\":{\"__name__\":\"up\",\"i\":\"2\",\"job\":\"b\",\"z\":\"1\"},\"values\":[5],"
        "\"timestamps\":[999000]}\n"
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"b\",\"z\":\"1\"},\"values\":[1],\"timestamps\":"
        "[1000000000]}\n");
    post(&f, "/api/v1/import/prometheus?timestamp=5000",
        "Content-Type: application/openmetrics-text\r\n",
        "# TYPE hits counter\nhits_total 3 # {trace_id=\"a\"} 1\n# EOF\n");
    assert_int_equal(f.status, 204);
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=hits_total"),
        "{\"metric\":{\"__name__\":\"hits_total\"},\"values\":[3],\"timestamps\":[5000]}\n");
    api_fixture_stop(&f);
}

/* A line that cannot be read: it is named, and nothing of the body is stored. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *target, *headers, *body;
        unsigned status;
        const char *sentence;
    } cases[] = {
        {"/api/v1/import", NULL, UP "\n{\"metric\":5}\n", 400,
            "line 3: \"metric\" must be an object of labels\n"},
        {"/api/v1/import", NULL, UP "x\n", 400, "line 2: column 1: '[' or '{' expected near 'x'\n"},
        {"/api/v1/import/prometheus", NULL, "up 1\nup{ 2\n", 400, NULL},
        {"/api/v1/import/prometheus", NULL, "up 1\nup{a=\"1\",a=\"2\"} 2\n", 400,
            "line 2: label name \"a\" is not unique\n"},
        {"/api/v1/import?extra_label=x", NULL, UP, 400, NULL},
        {"/api/v1/import/prometheus?timestamp=x", NULL, "up 1\n", 400,
            "invalid parameter \"timestamp\": expected a whole number of milliseconds\n"},
        {"/api/v1/import", "Content-Encoding: gzip\r\n", "x", 400, NULL},
        {"/api/v1/import", "Content-Encoding: br\r\n", "x", 415, NULL},
    };
    struct api_fixture f;
    api_fixture_start(&f, true);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        post(&f, cases[i].target, cases[i].headers, cases[i].body);
        if (f.status != cases[i].status ||
            (cases[i].sentence != NULL && strcmp(f.body.data, cases[i].sentence) != 0)) {
            fail_msg("%s: %u %s", cases[i].body, f.status, f.body.data);
        }
        assert_non_null(f.body.data);
        assert_int_equal(memory_sink_state(f.sink)->commits, 0);
        assert_int_equal(memory_sink_state(f.sink)->opened, 0);
    }
    post(&f, "/api/v1/import/prometheus", NULL, "up 1\nup{ 2\n");
    assert_true(str_starts_with(strbuf_str(&f.body), STR("line 2, column ")));
    assert_string_equal(api_fixture_get(&f, "/api/v1/export"),
        "{\"status\":\"error\",\"errorType\":\"bad_data\","
        "\"error\":\"no match[] parameter provided\"}");
    api_fixture_stop(&f);
}

/* What the store refuses does not spoil the rest. */
static void test_partial(void **state)
{
    (void)state;
    struct api_fixture f;
    api_fixture_start(&f, true);
    memory_sink_state(f.sink)->min_t = 998500;
    post(&f, "/api/v1/import", NULL, UP LOAD);
    assert_int_equal(f.status, 400);
    assert_string_equal(f.body.data,
        "sample of up{job=\"node\"} at 998000 ms: older than retention "
        "(and 2 more refused; all others are stored)\n");
    assert_string_equal(api_fixture_get(&f, "/api/v1/export?match[]=load"),
        "{\"metric\":{\"__name__\":\"load\"},\"values\":[\"Infinity\"],\"timestamps\":[999000]}\n");
    api_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
