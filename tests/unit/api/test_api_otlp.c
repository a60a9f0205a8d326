/* OTLP metrics over HTTP: what is stored, what is answered, in which encoding. Statuses follow the
 * specification of OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). */
#include "support/support.h"

#include "api_fixture.h"
#include "base/gzip.h"

#define PATH "/api/v1/otlp/v1/metrics"
#define JSON "Content-Type: application/json\r\n"
#define PROTOBUF "Content-Type: application/x-protobuf\r\n"
#define MESSAGE(metric)                                                                            \
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"    \
    "{\"stringValue\":\"shop\"}}]},\"scopeMetrics\":[{\"metrics\":[" metric "]}]}]}"
#define HITS(temporality, t_ms, value)                                                             \
    MESSAGE(                                                                                       \
        "{\"name\":\"hits\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":" temporality \
        ",\"dataPoints\":[{\"timeUnixNano\":\"" t_ms "000000\",\"asInt\":\"" value "\"}]}}")
#define VECTOR(value)                                                                              \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["                     \
    "{\"metric\":{\"__name__\":\"hits_total\",\"job\":\"shop\"},\"value\":[1000,\"" value          \
    "\"]}]}}"

static void post(struct api_fixture *f, const char *headers, const char *body)
{
    api_fixture_send(f, "POST", PATH, headers, body, strlen(body));
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct api_fixture f;
    api_fixture_start(&f, true);
    post(&f, JSON, HITS("2", "999000", "5"));
    assert_int_equal(f.status, 200);
    assert_string_equal(f.body.data, "{}");
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"), "application/json"));
    assert_string_equal(
        api_fixture_get(&f, "/api/v1/query?query=hits_total&time=1000"), VECTOR("5"));
    assert_int_equal(memory_sink_state(f.sink)->metadata, 1);
    /* the same series again is known by its key */
    post(&f, JSON "Content-Encoding: identity\r\n", HITS("2", "999500", "6"));
    assert_int_equal(memory_sink_state(f.sink)->made, 1);
    assert_string_equal(
        api_fixture_get(&f, "/api/v1/query?query=hits_total&time=1000"), VECTOR("6"));
    api_fixture_stop(&f);
}

static void test_gzip(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf packed = STRBUF_INIT;
    api_fixture_start(&f, true);
    assert_int_equal(gzip_encode(STR(HITS("2", "999000", "5")), 6, &packed), 0);
    api_fixture_send(&f, "POST", PATH, JSON "Content-Encoding: gzip\r\n", packed.data, packed.size);
    assert_int_equal(f.status, 200);
    assert_string_equal(
        api_fixture_get(&f, "/api/v1/query?query=hits_total&time=1000"), VECTOR("5"));
    post(&f, JSON "Content-Encoding: gzip\r\n", "{}");
    assert_int_equal(f.status, 400);
    strbuf_release(&packed);
    api_fixture_stop(&f);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *headers, *body;
        unsigned status;
        const char *type, *answer;
    } cases[] = {
        {PROTOBUF, "", 200, "application/x-protobuf", ""},
        {JSON, "{}", 200, "application/json", "{}"},
        {PROTOBUF, "\x0a\x05", 400, "application/x-protobuf",
            "\x08\x03\x12-malformed OTLP message: in the item at byte 0"},
        {JSON, "[", 400, "application/json",
            "{\"code\":3,\"message\":\"line 1, column 1: ']' expected near end of file\"}"},
        {"Content-Type: text/plain\r\n", "", 415, "application/x-protobuf", NULL},
        {JSON "Content-Encoding: zstd\r\n", "", 415, "application/json",
            "{\"code\":3,\"message\":\"Content-Encoding zstd is not accepted; send gzip or "
            "none\"}"},
        {JSON, HITS("0", "999000", "1"), 200, "application/json",
            "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"hits: its "
            "temporality is "
            "neither delta nor cumulative\"}}"},
        {JSON, HITS("2", "5", "1"), 200, "application/json",
            "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"sample of "
            "hits_total{job=\\\"shop\\\"} at 5 ms: older than "
            "retention\"}}"},
    };
    struct api_fixture f;
    api_fixture_start(&f, true);
    memory_sink_state(f.sink)->min_t = 100000;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        post(&f, cases[i].headers, cases[i].body);
        if (f.status != cases[i].status) {
            fail_msg("case %zu: %u %s", i, f.status, f.body.data);
        }
        assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"), cases[i].type));
        if (cases[i].answer != NULL) {
            assert_string_equal(f.body.size > 0 ? f.body.data : "", cases[i].answer);
        }
    }
    api_fixture_stop(&f);
}

/* A write that fails may be sent again: its deltas have not been counted. */
static void test_deltas(void **state)
{
    (void)state;
    struct api_fixture f;
    api_fixture_start(&f, true);
    post(&f, JSON, HITS("1", "998000", "5"));
    assert_int_equal(f.status, 200);
    memory_sink_state(f.sink)->commit_status = ERR_IO;
    post(&f, JSON, HITS("1", "999000", "2"));
    assert_int_equal(f.status, 503);
    assert_true(str_eq_c(api_fixture_header(&f, "Retry-After"), "10"));
    memory_sink_state(f.sink)->commit_status = 0;
    post(&f, JSON, HITS("1", "999000", "2"));
    assert_int_equal(f.status, 200);
    assert_string_equal(
        api_fixture_get(&f, "/api/v1/query?query=hits_total&time=1000"), VECTOR("7"));
    api_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_deltas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
