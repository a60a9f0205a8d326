/* The door for spans: what is taken, what is refused and how that is counted, and which bytes go on. */
#include <stdlib.h>
#include <string.h>

#include "base/gzip.h"
#include "base/mem.h"
#include "spans/span_pipeline.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/span_shop.h"
#include "support/support.h"

static const struct sender_options destinations[] = {{.name = "main", .url = "http://r/v1/traces"}};

static const struct spans_config without_metrics;

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct span_shipper *shipper;
    struct intake intake;
    enum intake_pressure pressure;
    struct span_pipeline *pipeline;
};

static struct world *pressed; /* whose pressure the intake tells */

static enum intake_pressure tell_pressure(const struct intake *self)
{
    (void)self;
    return pressed->pressure;
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(test_seed());
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    pressed = w;
    w->intake.pressure = tell_pressure;
    const struct outbox_options outbox = {
        .queue = {.path = "spans", .vfs = sim_vfs_get(w->disk)},
        .destinations = destinations,
        .destination_count = 1,
        .client = &w->http.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    assert_int_equal(span_shipper_open(&outbox, &w->shipper, NULL), 0);
    const struct span_pipeline_options options = {.config = &without_metrics,
        .instance = "host",
        .clock = &w->clock.clock,
        .intake = &w->intake,
        .shipper = w->shipper};
    assert_int_equal(span_pipeline_new(&options, &w->pipeline, NULL), 0);
}

static void end(struct world *w)
{
    span_pipeline_free(w->pipeline);
    span_shipper_close(w->shipper);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

static int take(struct world *w, struct str message, struct span_taken *taken, struct err *e)
{
    struct span_intake *door = span_pipeline_intake(w->pipeline);
    *e = (struct err)ERR_INIT;
    return door->take(door, SPAN_OTLP_GRPC, message, taken, e);
}

static struct span_protocol_statistics account(const struct world *w)
{
    struct span_pipeline_statistics s;
    span_pipeline_statistics(w->pipeline, &s);
    return s.protocols[SPAN_OTLP_GRPC];
}

/* The body of the request to be answered next, without gzip. */
static void next_request(struct world *w, struct strbuf *message)
{
    strbuf_reset(message);
    span_shipper_step(w->shipper);
    const struct sim_http_request *next = sim_http_client_oldest(&w->http);
    assert_non_null(next);
    assert_int_equal(
        gzip_decode(str_make(next->body, next->body_size), OTLP_TRACES_MAX, message), 0);
    sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = 200});
    assert_true(sim_http_client_deliver(&w->http));
}

static void test_good_messages_go_on_byte_for_byte(void **state)
{
    struct world w;
    struct span_taken taken;
    struct err e;
    struct strbuf message = STRBUF_INIT, sent = STRBUF_INIT;
    struct span_shop *shop = span_shop_new(test_seed(), 1700000000000000000u, 100);
    size_t count = span_shop_next(shop, &message);
    begin(&w);
    assert_int_equal(take(&w, strbuf_str(&message), &taken, &e), 0);
    assert_int_equal(taken.spans, count);
    assert_int_equal(taken.refused, 0);
    assert_int_equal(taken.why.len, 0);
    next_request(&w, &sent);
    assert_true(str_eq(strbuf_str(&sent), strbuf_str(&message)));
    assert_int_equal(account(&w).spans, count);
    end(&w);
    span_shop_free(shop);
    strbuf_release(&message);
    strbuf_release(&sent);
}

static void test_nothing_is_taken_of_what_cannot_be_read(void **state)
{
    static const struct {
        struct str message;
        int status;
        uint64_t malformed, too_large;
    } rows[] = {
        {{"", 0}, 0, 0, 0}, /* a request without spans is a good one */
        {{"\x0a\x7f", 2}, ERR_CORRUPT, 1, 0}, {{"not protobuf", 12}, ERR_CORRUPT, 1, 0},
        {{"\x0a\x05\x12\x03\x12\x01\x08", 7}, ERR_CORRUPT, 1, 0}, /* a span cut short */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        struct span_taken taken;
        struct err e;
        begin(&w);
        assert_int_equal(take(&w, rows[i].message, &taken, &e), rows[i].status);
        assert_int_equal(e.message[0] != '\0', rows[i].status != 0);
        struct span_protocol_statistics s = account(&w);
        assert_int_equal(s.requests, 1);
        assert_int_equal(s.requests_refused[SPAN_REQUEST_MALFORMED], rows[i].malformed);
        assert_int_equal(s.requests_refused[SPAN_REQUEST_TOO_LARGE], rows[i].too_large);
        span_shipper_step(w.shipper);
        assert_int_equal(w.http.in_flight, 0);
        end(&w);
    }
    char *large = calloc(1, OTLP_TRACES_MAX + 1);
    struct world w;
    struct span_taken taken;
    struct err e;
    assert_non_null(large);
    begin(&w);
    assert_int_equal(take(&w, str_make(large, OTLP_TRACES_MAX + 1), &taken, &e), ERR_LIMIT);
    assert_int_equal(account(&w).requests_refused[SPAN_REQUEST_TOO_LARGE], 1);
    end(&w);
    free(large);
}

/* Bad spans are left out one by one; the good ones go on with their resource. */
static void test_bad_spans_are_left_out(void **state)
{
    struct world w;
    struct span_taken taken;
    struct err e;
    struct span_message m;
    struct strbuf sent = STRBUF_INIT;
    struct otlp_span span;
    char *text = calloc(1, OTLP_TEXT_BYTES_MAX + 1);
    struct attribute large[5];
    assert_non_null(text);
    memset(text, 'x', OTLP_TEXT_BYTES_MAX + 1);
    for (size_t i = 0; i < 5; i++) {
        large[i] = (struct attribute){.key = STR("k"), .kind = ATTRIBUTE_STRING};
        large[i].bytes = str_make(text, OTLP_TEXT_BYTES_MAX);
    }
    const struct span rows[] = {
        {.trace_id = {1, 1}, .span_id = 1, .name = STR("good")},
        {.trace_id = {0, 0}, .span_id = 2, .name = STR("no trace")},
        {.trace_id = {1, 1}, .span_id = 0, .name = STR("no id")},
        {.trace_id = {1, 1}, .span_id = 4, .name = str_make(text, OTLP_TEXT_BYTES_MAX + 1)},
        {.trace_id = {1, 1}, .span_id = 5, .name = STR("large"), .attributes = {large, 5}},
        {.trace_id = {1, 1}, .span_id = 6, .name = STR("good too")},
    };
    begin(&w);
    span_message_begin(&m);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        span_message_add(&m, i < 3 ? "a" : "b", &rows[i]);
    }
    assert_int_equal(take(&w, span_message_end(&m), &taken, &e), 0);
    assert_int_equal(taken.spans, 2);
    assert_int_equal(taken.refused, 4);
    assert_true(taken.why.len > 0);
    struct span_protocol_statistics s = account(&w);
    for (size_t i = 0; i < SPAN_FAULT_COUNT; i++) {
        assert_int_equal(s.spans_refused[i], 1);
    }
    next_request(&w, &sent);
    struct otlp_traces *walker;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&sent), NULL), 0);
    assert_int_equal(otlp_traces_next(walker, &span), 1);
    assert_true(str_eq_c(span.span.name, "good"));
    assert_true(str_eq_c(span_resource_service(span.resource), "a"));
    assert_int_equal(otlp_traces_next(walker, &span), 1);
    assert_true(str_eq_c(span.span.name, "good too"));
    assert_true(str_eq_c(span_resource_service(span.resource), "b"));
    assert_int_equal(otlp_traces_next(walker, &span), 0);
    otlp_traces_free(walker);
    span_message_release(&m);
    strbuf_release(&sent);
    free(text);
    end(&w);
}

/* More than a record holds becomes several, and each span is in one of them. */
static void test_large_messages_become_records(void **state)
{
    enum { SPANS = 12, TEXT = 1 << 19 };
    struct world w;
    struct span_taken taken;
    struct err e;
    struct span_message m;
    struct strbuf sent = STRBUF_INIT;
    struct otlp_traces *walker;
    struct otlp_span span;
    uint64_t seen = 0, requests = 0, random = test_seed();
    char *text = calloc(1, TEXT);
    assert_non_null(text);
    for (size_t i = 0; i < TEXT; i++) {
        text[i] = (char)('a' + test_random(&random) % 26);
    }
    const struct attribute large = {
        .key = STR("k"), .kind = ATTRIBUTE_STRING, .bytes = str_make(text, TEXT)};
    begin(&w);
    span_message_begin(&m);
    for (uint64_t i = 0; i < SPANS; i++) {
        const struct span one = {
            .trace_id = {1, i + 1}, .span_id = i + 1, .attributes = {&large, 1}};
        span_message_add(&m, "a", &one);
    }
    assert_int_equal(take(&w, span_message_end(&m), &taken, &e), 0);
    assert_int_equal(taken.spans, SPANS);
    assert_int_equal(otlp_traces_new(&walker), 0);
    while (seen < SPANS) {
        next_request(&w, &sent);
        assert_true(sent.size <= SPAN_RECORD_BYTES_MAX + 1024);
        assert_int_equal(otlp_traces_begin(walker, strbuf_str(&sent), NULL), 0);
        while (otlp_traces_next(walker, &span) == 1) {
            assert_int_equal(span.span.span_id, ++seen);
        }
        requests++;
    }
    assert_int_equal(requests, 2); /* seven spans of half a MiB fit in four */
    otlp_traces_free(walker);
    span_message_release(&m);
    strbuf_release(&sent);
    free(text);
    end(&w);
}

static void test_overload_is_answered_busy(void **state)
{
    struct world w;
    int64_t wait_ms = 0;
    begin(&w);
    struct span_intake *door = span_pipeline_intake(w.pipeline);
    assert_int_equal(door->admit(door, SPAN_ZIPKIN, &wait_ms), 0);
    w.pressure = INTAKE_HIGH;
    assert_int_equal(door->admit(door, SPAN_ZIPKIN, &wait_ms), ERR_BUSY);
    assert_int_equal(wait_ms, INTAKE_RETRY_AFTER_MS);
    struct span_pipeline_statistics s;
    span_pipeline_statistics(w.pipeline, &s);
    assert_int_equal(s.protocols[SPAN_ZIPKIN].requests_refused[SPAN_REQUEST_BUSY], 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_messages_go_on_byte_for_byte),
        cmocka_unit_test(test_nothing_is_taken_of_what_cannot_be_read),
        cmocka_unit_test(test_bad_spans_are_left_out),
        cmocka_unit_test(test_large_messages_become_records),
        cmocka_unit_test(test_overload_is_answered_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
