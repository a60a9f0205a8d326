/* Spans on their way out: what is posted, how answers are taken, halving, kills, and the account. */
#include <string.h>

#include "base/gzip.h"
#include "ship/span_shipper.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"

enum { SPANS = 8 };

static const struct sender_options destinations[] = {{.name = "main", .url = "http://r/v1/traces"}};

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct span_shipper *shipper;
    uint64_t added, found;
};

static int open_shipper(struct world *w, struct vfs *fs)
{
    struct err e = ERR_INIT;
    const struct outbox_options options = {
        .queue = {.path = "spans", .vfs = fs},
        .destinations = destinations,
        .destination_count = 1,
        .client = &w->http.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    w->shipper = NULL;
    w->added = 0;
    int status = span_shipper_open(&options, &w->shipper, &e);
    if (status == 0) {
        struct sender_statistics s;
        span_shipper_destination_statistics(w->shipper, 0, &s);
        w->found = s.found_samples;
    }
    return status;
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(test_seed());
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
}

static void world_release(struct world *w)
{
    span_shipper_close(w->shipper);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

static void begin(struct world *w)
{
    world_init(w);
    assert_int_equal(open_shipper(w, sim_vfs_get(w->disk)), 0);
}

/* A message of spans numbered from `first`, of two services. */
static void write_spans(struct span_message *m, uint64_t first, uint64_t count)
{
    span_message_begin(m);
    for (uint64_t i = first; i < first + count; i++) {
        const struct span span = {.trace_id = {7, i + 1}, .span_id = i + 1, .name = STR("work")};
        span_message_add(m, i % 4 < 2 ? "a" : "b", &span);
    }
}

static int add(struct world *w, uint64_t first, uint64_t count)
{
    struct span_message m;
    write_spans(&m, first, count);
    int status = span_shipper_add(w->shipper, span_message_end(&m), (uint32_t)count);
    w->added += status == 0 ? count : 0;
    span_message_release(&m);
    return status;
}

/* The numbers of the spans in the request sent last, in order; their services are the right ones. */
static size_t read_request(const struct world *w, uint64_t *numbers)
{
    struct strbuf message = STRBUF_INIT;
    struct otlp_traces *walker;
    struct otlp_span span;
    size_t count = 0;
    assert_int_equal(
        gzip_decode(str_make(w->http.last.body, w->http.last.body_size), OTLP_TRACES_MAX, &message),
        0);
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    while (otlp_traces_next(walker, &span) == 1) {
        numbers[count++] = span.span.span_id - 1;
        const char *service = (span.span.span_id - 1) % 4 < 2 ? "a" : "b";
        assert_true(str_eq_c(span_resource_service(span.resource), service));
        assert_true(str_eq_c(span.scope->name, "test"));
    }
    otlp_traces_free(walker);
    strbuf_release(&message);
    return count;
}

static struct sender_statistics statistics_of(const struct world *w)
{
    struct sender_statistics s;
    span_shipper_destination_statistics(w->shipper, 0, &s);
    assert_int_equal(w->added + w->found,
        s.sent_samples + s.rejected_samples + s.waiting_samples + s.dropped_samples);
    return s;
}

static void answer(struct world *w, unsigned status, struct str body, int64_t retry_after_ms)
{
    const struct sim_http_answer a = {
        .status = status, .answer_body = body, .retry_after_ms = retry_after_ms};
    sim_http_client_expect(&w->http, &a);
    assert_true(sim_http_client_deliver(&w->http));
}

static void test_a_message_is_posted_as_it_came(void **state)
{
    struct world w;
    uint64_t numbers[SPANS];
    begin(&w);
    assert_int_equal(add(&w, 0, SPANS), 0);
    span_shipper_step(w.shipper);
    assert_string_equal(w.http.last.url, "http://r/v1/traces");
    assert_string_equal(w.http.last.method, "POST");
    assert_true(
        str_eq_c(sim_http_client_last_header(&w.http, "Content-Type"), "application/x-protobuf"));
    assert_true(str_eq_c(sim_http_client_last_header(&w.http, "Content-Encoding"), "gzip"));
    assert_int_equal(read_request(&w, numbers), SPANS);
    answer(&w, 200, STR(""), 0);
    assert_int_equal(statistics_of(&w).sent_samples, SPANS);
    world_release(&w);
}

static void test_answers(void **state)
{
    enum outcome { SENT, AGAIN, REFUSED };
    static const struct {
        unsigned status;
        struct str body;
        enum outcome outcome;
        uint64_t sent;
    } rows[] = {
        {200, {"", 0}, SENT, SPANS},
        /* ExportTraceServiceResponse{partial_success 1 {rejected_spans 1: 3}} */
        {200, {"\x0a\x02\x08\x03", 4}, SENT, SPANS - 3},
        {200, {"\x0a\x03\x08\xff\x01", 5}, SENT, 0}, /* more than it was given */
        {429, {"", 0}, AGAIN, 0}, {502, {"", 0}, AGAIN, 0}, {503, {"", 0}, AGAIN, 0},
        {504, {"", 0}, AGAIN, 0}, {404, {"", 0}, REFUSED, 0},
        {500, {"", 0}, REFUSED, 0}, /* not one of OTLP's retryable statuses */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        begin(&w);
        assert_int_equal(add(&w, 0, SPANS), 0);
        span_shipper_step(w.shipper);
        answer(&w, rows[i].status, rows[i].body, 0);
        struct sender_statistics s = statistics_of(&w);
        enum outcome outcome = s.retries > 0 ? AGAIN : s.rejected_requests > 0 ? REFUSED : SENT;
        if (outcome != rows[i].outcome || s.sent_samples != rows[i].sent) {
            fail_msg("status %u: outcome %d, sent %zu; expected %d, %zu", rows[i].status, outcome,
                (size_t)s.sent_samples, rows[i].outcome, (size_t)rows[i].sent);
        }
        world_release(&w);
    }
}

static void test_retry_after_is_kept_to(void **state)
{
    struct world w;
    begin(&w);
    assert_int_equal(add(&w, 0, SPANS), 0);
    span_shipper_step(w.shipper);
    answer(&w, 503, STR(""), 20000);
    fake_clock_advance_ms(&w.clock, 19999);
    span_shipper_step(w.shipper);
    assert_int_equal(w.http.in_flight, 0);
    fake_clock_advance_ms(&w.clock, 1);
    span_shipper_step(w.shipper);
    assert_int_equal(w.http.in_flight, 1);
    answer(&w, 200, STR(""), 0);
    assert_int_equal(statistics_of(&w).sent_samples, SPANS);
    world_release(&w);
}

/* A receiver that takes three spans at most, and finds span 5 too large even alone. */
static void test_too_large_requests_are_halved(void **state)
{
    struct world w;
    uint64_t numbers[SPANS], taken[SPANS] = {0};
    size_t requests = 0;
    begin(&w);
    assert_int_equal(add(&w, 0, SPANS), 0);
    span_shipper_step(w.shipper);
    while (w.http.in_flight > 0) {
        size_t count = read_request(&w, numbers);
        bool small = count <= 3;
        for (size_t i = 0; i < count; i++) {
            small = small && numbers[i] != 5;
        }
        for (size_t i = 0; small && i < count; i++) {
            taken[numbers[i]]++;
        }
        answer(&w, small ? 200 : 413, STR(""), 0);
        (void)statistics_of(&w);
        assert_true(++requests < 20);
    }
    for (size_t i = 0; i < SPANS; i++) {
        assert_int_equal(taken[i], i != 5);
    }
    struct sender_statistics s = statistics_of(&w);
    assert_int_equal(s.sent_samples, SPANS - 1);
    assert_int_equal(s.rejected_samples, 1);
    world_release(&w);
}

/* A receiver that cannot take spans 3 and 6 refuses what they are in: they alone are lost. */
static void test_bad_spans_are_found(void **state)
{
    struct world w;
    uint64_t numbers[SPANS], taken[SPANS] = {0};
    size_t requests = 0;
    begin(&w);
    assert_int_equal(add(&w, 0, SPANS), 0);
    span_shipper_step(w.shipper);
    while (w.http.in_flight > 0) {
        size_t count = read_request(&w, numbers);
        bool good = true;
        for (size_t i = 0; i < count; i++) {
            good = good && numbers[i] != 3 && numbers[i] != 6;
        }
        for (size_t i = 0; good && i < count; i++) {
            taken[numbers[i]]++;
        }
        answer(&w, good ? 200 : 400, STR(""), 0);
        (void)statistics_of(&w);
        assert_true(++requests < 20);
    }
    for (size_t i = 0; i < SPANS; i++) {
        assert_int_equal(taken[i], i != 3 && i != 6);
    }
    struct sender_statistics s = statistics_of(&w);
    assert_int_equal(s.sent_samples, SPANS - 2);
    assert_int_equal(s.rejected_samples, 2);
    world_release(&w);
}

/* One that refuses everything is not asked for each of a thousand spans. */
static void test_a_receiver_that_refuses_all_is_left_alone(void **state)
{
    struct world w;
    size_t requests = 0;
    begin(&w);
    assert_int_equal(add(&w, 0, 1000), 0);
    span_shipper_step(w.shipper);
    for (; w.http.in_flight > 0; requests++) {
        answer(&w, 400, STR(""), 0);
    }
    assert_int_equal(statistics_of(&w).rejected_samples, 1000);
    assert_true(requests > 50 && requests < 120);
    world_release(&w);
}

/* ---- Several requests on their way ---- */

enum { MESSAGES = SENDER_LANES_MAX + 4 };

static void add_messages(struct world *w)
{
    for (uint64_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(add(w, i, 1), 0);
    }
    span_shipper_step(w->shipper);
    assert_int_equal(w->http.in_flight, SENDER_LANES_MAX);
}

/* The first is answered "again", all others are taken; then a kill, or not. */
static void test_the_first_comes_last(void **state)
{
    for (int killed = 0; killed < 2; killed++) {
        struct world w;
        begin(&w);
        add_messages(&w);
        answer(&w, 503, STR(""), 0);
        while (w.http.in_flight > 0) {
            answer(&w, 200, STR(""), 0);
        }
        assert_int_equal(statistics_of(&w).waiting_samples, 1);
        assert_int_equal(w.http.sent, MESSAGES);
        if (killed) {
            sim_vfs_fail_from(w.disk, SIM_CHANGES, 1, ERR_IO);
            span_shipper_close(w.shipper);
            sim_vfs_fail_clear(w.disk);
            assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
            assert_int_equal(w.found, MESSAGES); /* the first, and all that came behind it */
        } else {
            fake_clock_advance_ms(&w.clock, 60000);
        }
        span_shipper_step(w.shipper);
        uint64_t number;
        assert_int_equal(w.http.in_flight, killed ? SENDER_LANES_MAX : 1);
        if (!killed) {
            assert_int_equal(read_request(&w, &number), 1);
            assert_int_equal(number, 0);
        }
        while (w.http.in_flight > 0) {
            answer(&w, 200, STR(""), 0);
        }
        assert_int_equal(statistics_of(&w).waiting_samples, 0);
        world_release(&w);
    }
}

/* A receiver that is away is asked by one request at a time, and gets the rest as soon as that is taken. */
static void test_one_asks_for_all(void **state)
{
    struct world w;
    begin(&w);
    add_messages(&w);
    while (w.http.in_flight > 0) {
        answer(&w, 503, STR(""), 0);
    }
    for (int i = 0; i < 3; i++) {
        fake_clock_advance_ms(&w.clock, 60000);
        span_shipper_step(w.shipper);
        assert_int_equal(w.http.in_flight, 1);
        answer(&w, i < 2 ? 503 : 200, STR(""), 0);
    }
    assert_int_equal(w.http.in_flight, SENDER_LANES_MAX);
    while (w.http.in_flight > 0) {
        answer(&w, 200, STR(""), 0);
    }
    assert_int_equal(statistics_of(&w).sent_samples, MESSAGES);
    world_release(&w);
}

/* What was added is sent after a kill, which leaves no time to write anything more. */
static void test_a_kill_loses_nothing(void **state)
{
    struct world w;
    uint64_t numbers[SPANS];
    begin(&w);
    assert_int_equal(add(&w, 0, SPANS), 0);
    span_shipper_step(w.shipper);
    sim_vfs_fail_from(w.disk, SIM_CHANGES, 1, ERR_IO);
    span_shipper_close(w.shipper);
    sim_vfs_fail_clear(w.disk);
    assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
    assert_int_equal(w.found, SPANS);
    span_shipper_step(w.shipper);
    assert_int_equal(read_request(&w, numbers), SPANS);
    answer(&w, 200, STR(""), 0);
    assert_int_equal(statistics_of(&w).sent_samples, SPANS);
    world_release(&w);
}

/* Whatever allocation fails: what was answered with 0 is there at the next start, and nothing else. */
static int add_under_fire(void *context, struct vfs *fs)
{
    struct world *w = context;
    int status = open_shipper(w, fs);
    for (uint64_t i = 0; w->shipper != NULL && i < 3; i++) {
        int one = add(w, i * SPANS, SPANS);
        status = status == 0 ? one : status;
    }
    span_shipper_close(w->shipper);
    w->shipper = NULL;
    return status;
}

static void check_what_was_added(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct world *w = context;
    uint64_t added = w->added;
    assert_int_equal(open_shipper(w, fs), 0);
    if (w->found != added) {
        fail_msg("allocation %zu: %zu spans were added, %zu found", (size_t)round->number,
            (size_t)added, (size_t)w->found);
    }
    span_shipper_close(w->shipper);
    w->shipper = NULL;
}

static void test_each_failing_allocation(void **state)
{
    struct world w;
    world_init(&w);
    const struct fault_scenario scenario = {.name = "span_shipper",
        .context = &w,
        .run = add_under_fire,
        .verify = check_what_was_added};
    fault_loop(&scenario, FAULT_ALLOCATION);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_posted_as_it_came),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_retry_after_is_kept_to),
        cmocka_unit_test(test_too_large_requests_are_halved),
        cmocka_unit_test(test_bad_spans_are_found),
        cmocka_unit_test(test_a_receiver_that_refuses_all_is_left_alone),
        cmocka_unit_test(test_the_first_comes_last),
        cmocka_unit_test(test_one_asks_for_all),
        cmocka_unit_test(test_a_kill_loses_nothing),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
