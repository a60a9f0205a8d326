/* Remote write over HTTP: what is stored, what is refused, and with which status. Statuses follow the
 * specifications of remote write 1.0 and 2.0 (https://prometheus.io/docs/specs/prw/). */
#include "support/support.h"

#include "api_fixture.h"
#include "wire/remote_write2.h"
#include "wire/snappy_codec.h"

#define KIND                                                                                       \
    "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"                         \
    "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"

/* A series of one to three labels with one sample. */
static void add_series(
    struct strbuf *message, const char *name, const char *job, int64_t t_ms, double value)
{
    struct strbuf labels = STRBUF_INIT;
    struct label pairs[] = {{STR("__name__"), str_of(name)}, {STR("job"), str_of(job)}};
    struct sample sample = {t_ms, value};
    remote_write_encode_labels(pairs, 2, &labels);
    remote_write_encode_series(strbuf_str(&labels), &sample, 1, message);
    strbuf_release(&labels);
}

static void post(struct api_fixture *f, const char *target, const struct strbuf *message)
{
    struct strbuf packed = STRBUF_INIT;
    assert_int_equal(snappy_encode(strbuf_str(message), &packed), 0);
    api_fixture_send(f, "POST", target, KIND, packed.data, packed.size);
    strbuf_release(&packed);
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    add_series(&message, "up", "node", 999000, 1);
    add_series(&message, "up", "other", 999000, 0);
    remote_write_encode_metadata(METRIC_TYPE_GAUGE, STR("up"), STR("help"), STR(""), &message);
    post(&f, "/api/v1/write", &message);
    assert_int_equal(f.status, 204);
    assert_int_equal(f.body.size, 0);
    assert_true(str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Samples-Written"), "2"));
    assert_true(
        str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Histograms-Written"), "0"));
    assert_true(
        str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Exemplars-Written"), "0"));
    struct memory_sink_state *sink = memory_sink_state(f.sink);
    assert_int_equal(sink->metadata, 1);
    assert_int_equal(sink->durability, COMMIT_AS_CONFIGURED);
    assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=up&time=1000"),
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"value\":[1000,\"1\"]},"
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"other\"},\"value\":[1000,\"0\"]}]}}");
    strbuf_release(&message);
    api_fixture_stop(&f);
}

/* Labels are decoded once a series, and never again. */
static void test_known_series(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    struct memory_sink_state *sink = memory_sink_state(f.sink);
    for (unsigned i = 1; i <= 3; i++) {
        strbuf_reset(&message);
        add_series(&message, "up", "node", 1000 * i, 1);
        add_series(&message, "up", "other", 1000 * i, 1);
        post(&f, "/api/v1/write?ack=durable", &message);
        assert_int_equal(f.status, 204);
        assert_int_equal(sink->made, 2);
        assert_int_equal(sink->lookups, 2 * i);
        assert_int_equal(sink->known, 2 * (i - 1));
        assert_int_equal(sink->durability, COMMIT_SYNCED);
    }
    strbuf_release(&message);
    api_fixture_stop(&f);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        unsigned status;
        const char *sentence;
    } cases[] = {
        {"", 204, ""},
        {"Content-Type: application/x-protobuf\r\n", 204, ""},
        {"Content-Type: application/x-protobuf;proto=prometheus.WriteRequest\r\n", 204, ""},
        {"Content-Type: APPLICATION/X-PROTOBUF ; Proto=prometheus.WriteRequest\r\n", 204, ""},
        {"Content-Encoding: snappy\r\n", 204, ""},
        /* the message of the other version */
        {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n", 400,
            "malformed remote-write message: it has fields of remote write 1.0\n"},
        {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request\r\n", 415,
            "io.prometheus.write.v3.Request is not accepted by this server; it takes "
            "prometheus.WriteRequest (remote write 1.0) and io.prometheus.write.v2.Request "
            "(2.0)\n"},
        {"Content-Type: application/json\r\n", 415,
            "Content-Type application/json is not accepted; send application/x-protobuf\n"},
        {"Content-Encoding: zstd\r\n", 415,
            "zstd encoding (compression) is not accepted by this server; only snappy is "
            "acceptable\n"},
    };
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT, packed = STRBUF_INIT;
    api_fixture_start(&f, true);
    add_series(&message, "up", "node", 1, 1);
    assert_int_equal(snappy_encode(strbuf_str(&message), &packed), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        api_fixture_send(&f, "POST", "/api/v1/write", cases[i].headers, packed.data, packed.size);
        if (f.status != cases[i].status) {
            fail_msg("%s: %u instead of %u", cases[i].headers, f.status, cases[i].status);
        }
        assert_string_equal(f.body.size > 0 ? f.body.data : "", cases[i].sentence);
    }
    strbuf_release(&message);
    strbuf_release(&packed);
    api_fixture_stop(&f);
}

/* ---- 2.0 ---- */

#define KIND_2                                                                                     \
    "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"                \
    "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 2.0.0\r\n"

static void post_version2(struct api_fixture *f, struct remote_write2_encoder *encoder)
{
    struct strbuf message = STRBUF_INIT, packed = STRBUF_INIT;
    assert_int_equal(remote_write2_encoder_finish(encoder, &message), 0);
    assert_int_equal(snappy_encode(strbuf_str(&message), &packed), 0);
    api_fixture_send(f, "POST", "/api/v1/write", KIND_2, packed.data, packed.size);
    strbuf_release(&message);
    strbuf_release(&packed);
}

/* Samples, a histogram and an exemplar; the second message knows its series by their symbols. */
static void test_version2(void **state)
{
    (void)state;
    static const struct histogram_span span = {0, 2};
    static const double counts[] = {1, 2};
    static const struct histogram h = {
        .schema = 0, .integer = true, .count = 3, .sum = 4, .positive = {&span, 1, counts, 2}};
    struct label up[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("node")}};
    struct label sizes[] = {{STR("__name__"), STR("sizes")}};
    struct label trace[] = {{STR("trace_id"), STR("abc")}};
    struct api_fixture f;
    struct remote_write2_encoder *encoder;
    api_fixture_start(&f, true);
    struct memory_sink_state *sink = memory_sink_state(f.sink);
    assert_int_equal(remote_write2_encoder_new(&encoder), 0);
    for (unsigned i = 1; i <= 2; i++) {
        struct sample sample = {998000 + 1000 * i, 1};
        struct remote_write_histogram histogram = {sample.t_ms, &h};
        struct remote_write_exemplar exemplar = {trace, 1, 1, sample.t_ms};
        remote_write2_encoder_reset(encoder);
        remote_write2_encoder_add(encoder, &(struct remote_write2_series){.labels = up,
                                               .label_count = 2,
                                               .samples = &sample,
                                               .sample_count = 1,
                                               .exemplars = &exemplar,
                                               .exemplar_count = 1,
                                               .type = METRIC_TYPE_GAUGE,
                                               .help = STR("Help.")});
        remote_write2_encoder_add(encoder,
            &(struct remote_write2_series){
                .labels = sizes, .label_count = 1, .histograms = &histogram, .histogram_count = 1});
        post_version2(&f, encoder);
        assert_int_equal(f.status, 204);
        assert_true(
            str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Samples-Written"), "1"));
        assert_true(
            str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Histograms-Written"), "1"));
        assert_true(
            str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Exemplars-Written"), "1"));
        assert_int_equal(sink->made, 2);
        assert_int_equal(sink->known, 2 * (i - 1));
        assert_int_equal(sink->metadata, i);
    }
    assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=up&time=1000"),
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"value\":[1000,\"1\"]}]}}");
    assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=histogram_count(sizes)&time=1000"),
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
        "{\"metric\":{},\"value\":[1000,\"3\"]}]}}");
    remote_write2_encoder_free(encoder);
    api_fixture_stop(&f);
}

/* Series that refer to nothing, or hold nothing, are refused alone. */
static void test_version2_partial(void **state)
{
    (void)state;
    static const struct {
        const char *series; /* as TimeSeries, after the symbols "", "__name__", "up" */
        size_t size;
        const char *sentence;
    } cases[] = {
        {"\x2a\x08\x0a\x02\x01\x07\x12\x02\x10\x05", 10,
            "series at byte 16: label reference 7 is outside of the 3 symbols\n"},
        {"\x2a\x04\x0a\x02\x01\x02", 6,
            "series at byte 16: a series must have a sample or a histogram\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api_fixture f;
        struct strbuf message = STRBUF_INIT, packed = STRBUF_INIT;
        api_fixture_start(&f, true);
        strbuf_add(&message, "\x22\x00\x22\x08__name__\x22\x02up", 16);
        strbuf_add(&message, cases[i].series, cases[i].size);
        strbuf_add(&message, "\x2a\x08\x0a\x02\x01\x02\x12\x02\x10\x05", 10);
        assert_int_equal(snappy_encode(strbuf_str(&message), &packed), 0);
        api_fixture_send(&f, "POST", "/api/v1/write", KIND_2, packed.data, packed.size);
        assert_int_equal(f.status, 400);
        assert_string_equal(f.body.data, cases[i].sentence);
        assert_true(
            str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Samples-Written"), "1"));
        strbuf_release(&message);
        strbuf_release(&packed);
        api_fixture_stop(&f);
    }
}

static void test_broken_bodies(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    struct memory_sink_state *sink = memory_sink_state(f.sink);

    api_fixture_send(&f, "POST", "/api/v1/write", KIND, "\xff\xff\xff", 3);
    assert_int_equal(f.status, 400);
    assert_string_equal(
        f.body.data, "the body is not snappy (block format), as remote write wants it\n");
    api_fixture_send(&f, "POST", "/api/v1/write", KIND, "", 0);
    assert_int_equal(f.status, 400);
    /* A header that announces 4 GiB. */
    api_fixture_send(&f, "POST", "/api/v1/write", KIND, "\xff\xff\xff\xff\x0f", 5);
    assert_int_equal(f.status, 413);

    /* A good series, then a field cut short: nothing of it is stored. */
    add_series(&message, "up", "node", 1, 1);
    strbuf_add(&message, "\x0a\x7f", 2);
    post(&f, "/api/v1/write", &message);
    assert_int_equal(f.status, 400);
    assert_true(str_starts_with(strbuf_str(&f.body), STR("malformed remote-write message")));
    assert_int_equal(sink->commits, 0);
    assert_int_equal(sink->rollbacks, 1);

    /* No series at all is no mistake. */
    strbuf_reset(&message);
    strbuf_add(&message, "", 0);
    post(&f, "/api/v1/write", &message);
    assert_int_equal(f.status, 204);
    strbuf_release(&message);
    api_fixture_stop(&f);
}

/* What is refused does not spoil the rest. */
static void test_partial(void **state)
{
    (void)state;
    static const struct {
        const char *name, *job; /* of the series before a good one */
        int64_t t_ms;
        const char *sentence;
    } cases[] = {
        {"", "node", 500000, "series at byte 0: the series has no metric name (label __name__)\n"},
        {"up", "\xff", 500000, "series at byte 0: label \"job\" is not valid UTF-8\n"},
        {"up", "old", 1, "sample of up{job=\"old\"} at 1 ms: older than retention\n"},
        {"up", "ahead", 2000000000,
            "sample of up{job=\"ahead\"} at 2000000000 ms: too far in the future\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api_fixture f;
        struct strbuf message = STRBUF_INIT;
        api_fixture_start(&f, true);
        memory_sink_state(f.sink)->min_t = 100000;
        memory_sink_state(f.sink)->max_t = 1000000;
        add_series(&message, cases[i].name, cases[i].job, cases[i].t_ms, 1);
        add_series(&message, "up", "good", 500000, 7);
        post(&f, "/api/v1/write", &message);
        assert_int_equal(f.status, 400);
        assert_string_equal(f.body.data, cases[i].sentence);
        assert_true(
            str_eq_c(api_fixture_header(&f, "X-Prometheus-Remote-Write-Samples-Written"), "1"));
        assert_string_equal(api_fixture_get(&f, "/api/v1/query?query=up&time=500"),
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"good\"},\"value\":[500,\"7\"]}]}}");
        strbuf_release(&message);
        api_fixture_stop(&f);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    memory_sink_state(f.sink)->series_max = 1;
    add_series(&message, "up", "a", 1, 1);
    add_series(&message, "up", "b", 1, 1);
    add_series(&message, "up", "c", 1, 1);
    post(&f, "/api/v1/write", &message);
    assert_int_equal(f.status, 400);
    assert_string_equal(
        f.body.data, "1 series are the limit (and 1 more refused; all others are stored)\n");
    assert_int_equal(memory_sink_state(f.sink)->lost, 2);
    assert_string_equal(memory_sink_state(f.sink)->lost_metric, "up");
    strbuf_release(&message);
    api_fixture_stop(&f);
}

/* What the sender should do when the store fails: come again (429, 5xx), and when. */
static void test_store_failures(void **state)
{
    (void)state;
    static const struct {
        int open_status, commit_status;
        unsigned status;
        const char *retry_after; /* NULL: none */
    } cases[] = {
        {ERR_BUSY, 0, 429, "1"},
        {ERR_CLOSED, 0, 503, "1"},
        {ERR_NOMEM, 0, 503, "1"},
        {0, ERR_NO_SPACE, 503, "10"},
        {0, ERR_IO, 500, NULL},
    };
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    add_series(&message, "up", "a", 1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memory_sink_state *sink = memory_sink_state(f.sink);
        sink->open_status = cases[i].open_status;
        sink->commit_status = cases[i].commit_status;
        post(&f, "/api/v1/write", &message);
        struct str retry_after = api_fixture_header(&f, "Retry-After");
        assert_int_equal(f.status, cases[i].status);
        if (cases[i].retry_after != NULL) {
            assert_true(str_eq_c(retry_after, cases[i].retry_after));
        } else {
            assert_null(retry_after.ptr);
        }
    }
    strbuf_release(&message);
    api_fixture_stop(&f);
}

/* A disk that fails makes the server not ready, until a write works or some time has passed. */
static void test_ready_after_failure(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    api_fixture_start(&f, true);
    add_series(&message, "up", "a", 1, 1);
    struct memory_sink_state *sink = memory_sink_state(f.sink);
    for (int again = 0; again < 2; again++) {
        api_fixture_get(&f, "/-/ready");
        assert_int_equal(f.status, 200);
        sink->commit_status = ERR_NO_SPACE;
        post(&f, "/api/v1/write", &message);
        assert_string_equal(
            api_fixture_get(&f, "/-/ready"), "the last write did not reach the disk\n");
        assert_int_equal(f.status, 503);
        sink->commit_status = 0;
        if (again == 0) {
            post(&f, "/api/v1/write", &message);
            assert_int_equal(f.status, 204);
        } else {
            fake_clock_advance_ms(&f.clock, 10000);
        }
    }
    api_fixture_get(&f, "/-/ready");
    assert_int_equal(f.status, 200);
    strbuf_release(&message);
    api_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_known_series),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_version2),
        cmocka_unit_test(test_version2_partial),
        cmocka_unit_test(test_broken_bodies),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_store_failures),
        cmocka_unit_test(test_ready_after_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
