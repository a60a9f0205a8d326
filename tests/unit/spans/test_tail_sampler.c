/* Sampling: which traces are kept, when, with which of their spans, and that every span is accounted for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/gzip.h"
#include "base/mem.h"
#include "series_log.h"
#include "spans/decision_cache.h"
#include "spans/span_pipeline.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"

enum { TRACES_MAX = 4096 };

static const struct sender_options destinations[] = {{.name = "main", .url = "http://r/v1/traces"}};

struct world {
    struct arena arena;
    struct spans_config config;
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct series_log log;
    struct span_shipper *shipper;
    struct span_pipeline *pipeline;
    uint64_t taken;
    uint32_t got[TRACES_MAX]; /* spans that were sent, by the low half of their trace id */
    double weights[TRACES_MAX];
    char states[TRACES_MAX][64];
};

/* `yaml`: what stands below traces.sampling, two spaces in. */
static void read_config(struct world *w, const char *yaml)
{
    char text[2000];
    struct yaml_node *root = NULL;
    struct err e = ERR_INIT;
    snprintf(text, sizeof(text), "service_graph: {enabled: false}\nsampling:\n%s", yaml);
    if (yaml_parse(&w->arena, "test", str_of(text), &root, &e) != 0 ||
        config_read(&w->arena, "test", root, spans_fields, &w->config, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void world_init(struct world *w, const char *yaml)
{
    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, 0);
    read_config(w, yaml);
    w->disk = sim_vfs_new(test_seed());
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    series_log_init(&w->log);
}

static int open_pipeline(struct world *w, struct vfs *fs, struct err *e)
{
    const struct outbox_options outbox = {
        .queue = {.path = "spans", .vfs = fs},
        .destinations = destinations,
        .destination_count = 1,
        .client = &w->http.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    int status = span_shipper_open(&outbox, &w->shipper, e);
    if (status != 0) {
        return status;
    }
    const struct span_pipeline_options options = {.config = &w->config,
        .instance = "host",
        .clock = &w->clock.clock,
        .intake = &w->log.intake,
        .shipper = w->shipper};
    return span_pipeline_new(&options, &w->pipeline, e);
}

static void begin(struct world *w, const char *yaml)
{
    struct err e = ERR_INIT;
    world_init(w, yaml);
    if (open_pipeline(w, sim_vfs_get(w->disk), &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void close_pipeline(struct world *w)
{
    span_pipeline_free(w->pipeline);
    span_shipper_close(w->shipper);
    w->pipeline = NULL;
    w->shipper = NULL;
}

static void end(struct world *w)
{
    close_pipeline(w);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
    series_log_release(&w->log);
    arena_release(&w->arena);
}

static int take(struct world *w, const char *service, const struct span *span)
{
    struct span_message m;
    struct span_taken taken = {0};
    struct err e = ERR_INIT;
    span_message_begin(&m);
    span_message_add(&m, service, span);
    struct span_intake *door = span_pipeline_intake(w->pipeline);
    int status = door->take(door, SPAN_OTLP_HTTP, span_message_end(&m), &taken, &e);
    span_message_release(&m);
    w->taken += taken.spans;
    return status;
}

/* A span of trace `trace` that took `ms`; parent 0 is a root. */
static struct span make_span(uint64_t trace, uint64_t id, uint64_t parent, uint64_t ms)
{
    return (struct span){.trace_id = {1, trace},
        .span_id = id,
        .parent_id = parent,
        .kind = SPAN_KIND_SERVER,
        .name = STR("work"),
        .start_ns = 1000000000,
        .end_ns = 1000000000 + ms * 1000000};
}

static struct tail_sampler_statistics check_account(const struct world *w)
{
    struct span_pipeline_statistics s;
    span_pipeline_statistics(w->pipeline, &s);
    const struct tail_sampler_statistics *t = &s.sampling;
    assert_int_equal(w->taken, t->kept_spans + t->dropped_spans + t->lost_spans + t->waiting_spans);
    return *t;
}

/* Notes what the request to be answered next holds. */
static void read_request(struct world *w)
{
    struct strbuf message = STRBUF_INIT;
    struct otlp_traces *walker;
    struct otlp_span span;
    const struct sim_http_request *next = sim_http_client_oldest(&w->http);
    assert_int_equal(
        gzip_decode(str_make(next->body, next->body_size), OTLP_TRACES_MAX, &message), 0);
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    while (otlp_traces_next(walker, &span) == 1) {
        uint64_t trace = span.span.trace_id.low % TRACES_MAX;
        w->got[trace]++;
        w->weights[trace] = span_adjusted_count(span.span.trace_state);
        snprintf(
            w->states[trace], sizeof(w->states[trace]), "%.*s", STR_ARG(span.span.trace_state));
    }
    otlp_traces_free(walker);
    strbuf_release(&message);
}

/* Time passes, and the destination takes what comes. */
static void pass(struct world *w, int64_t ms)
{
    fake_clock_advance_ms(&w->clock, ms);
    (void)span_pipeline_step(w->pipeline);
    span_shipper_step(w->shipper);
    while (w->http.in_flight > 0) {
        read_request(w);
        sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = 200});
        assert_true(sim_http_client_deliver(&w->http));
    }
    (void)check_account(w);
}

static void test_without_policies_nothing_waits(void **state)
{
    static struct world w;
    begin(&w, "    wait: 5s\n");
    struct span span = make_span(1, 1, 0, 5);
    assert_int_equal(take(&w, "shop", &span), 0);
    span_shipper_step(w.shipper);
    assert_int_equal(w.http.in_flight, 1);
    sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = 200});
    assert_true(sim_http_client_deliver(&w.http));
    end(&w);
}

/* Trace 1 is plain, 2 has an error, 3 is slow, 4 has the attribute in a span, 5 in its resource (as its
 * service), 6 has an error and the attribute in different spans. */
static void send_six(struct world *w)
{
    const struct attribute vip = {.key = STR("vip"), .kind = ATTRIBUTE_BOOL, .boolean = true};
    for (uint64_t trace = 1; trace <= 6; trace++) {
        struct span root = make_span(trace, trace * 10, 0, trace == 3 ? 2000 : 20);
        struct span child = make_span(trace, trace * 10 + 1, trace * 10, 10);
        root.status = trace == 2 || trace == 6 ? SPAN_STATUS_ERROR : SPAN_STATUS_OK;
        if (trace == 4 || trace == 6) {
            child.attributes = (struct attributes){&vip, 1};
        }
        assert_int_equal(take(w, trace == 5 ? "pay" : "shop", &child), 0);
        assert_int_equal(take(w, "shop", &root), 0);
    }
}

static void test_policies(void **state)
{
    static const struct {
        const char *policies;
        const char *kept; /* the traces, as digits */
    } rows[] = {
        {"{name: all}", "123456"}, {"{name: none, percent: 0}", ""},
        {"{name: errors, error: true}", "26"}, {"{name: slow, latency: 1s}", "3"},
        {"{name: slow, latency: 2s}", ""}, /* not longer */
        {"{name: vip, attributes: {vip: \"true\"}}", "46"},
        {"{name: vip, attributes: {vip: \"1\"}}", ""},
        {"{name: pay, attributes: {service.name: pay}}", "5"},
        {"{name: both, attributes: {vip: \"true\"}, error: true}", "6"},
        {"{name: e, error: true}, {name: s, latency: 1s}", "236"},
        {"{name: no, attributes: {vip: \"true\"}, drop: true}, {name: all}", "1235"},
        {"{name: all}, {name: no, error: true, drop: true}", "123456"},
        /* 12 spans; the first traces find tokens for their two spans, the others do not */
        {"{name: few, max_spans_per_second: 4}", "12"},
        {"{name: few, max_spans_per_second: 4}, {name: errors, error: true}", "126"},
        {"{name: rare, rare: 1}", "125"}, /* the first of each service, name and status */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct world w;
        char yaml[400], kept[8] = "";
        snprintf(yaml, sizeof(yaml), "    policies: [%s]\n", rows[i].policies);
        begin(&w, yaml);
        send_six(&w);
        pass(&w, 1999);
        for (size_t trace = 1; trace <= 6; trace++) {
            assert_int_equal(w.got[trace], 0);
        }
        pass(&w, 1); /* two seconds after the roots */
        for (size_t trace = 1; trace <= 6; trace++) {
            if (w.got[trace] > 0) {
                assert_int_equal(w.got[trace], 2);
                kept[strlen(kept)] = (char)('0' + trace);
            }
        }
        if (strcmp(kept, rows[i].kept) != 0) {
            fail_msg("[%s]: kept %s, expected %s", rows[i].policies, kept, rows[i].kept);
        }
        assert_int_equal(check_account(&w).waiting_spans, 0);
        end(&w);
    }
}

static void test_settings_that_cannot_be(void **state)
{
    static const char *const rows[] = {"{name: a, percent: 101}", "{name: a, percent: -1}",
        "{name: a, latency_quantile: 1}", "{name: a}, {name: a}"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct world w;
        char yaml[200];
        struct err e = ERR_INIT;
        snprintf(yaml, sizeof(yaml), "    policies: [%s]\n", rows[i]);
        world_init(&w, yaml);
        assert_int_equal(open_pipeline(&w, sim_vfs_get(w.disk), &e), ERR_INVALID);
        assert_true(e.message[0] != '\0');
        end(&w);
    }
}

/* A root waits two seconds for its children, a trace without one ten. */
static void test_when_traces_are_decided(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: all}]\n");
    struct span orphan = make_span(1, 1, 99, 5), root = make_span(2, 2, 0, 5);
    assert_int_equal(take(&w, "shop", &orphan), 0);
    pass(&w, 9000);
    assert_int_equal(take(&w, "shop", &root), 0);
    struct span late_root = make_span(1, 3, 0, 5);
    assert_int_equal(take(&w, "shop", &late_root), 0); /* later than it waits anyway */
    pass(&w, 999);
    assert_int_equal(w.got[1] + w.got[2], 0);
    pass(&w, 1);
    assert_int_equal(w.got[1], 2);
    assert_int_equal(w.got[2], 0);
    pass(&w, 1000);
    assert_int_equal(w.got[2], 1);
    assert_int_equal(check_account(&w).reasons[TAIL_TIME], 2);
    end(&w);
}

static void test_late_spans_follow(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: errors, error: true}]\n");
    struct span good = make_span(1, 1, 0, 5), bad = make_span(2, 2, 0, 5);
    bad.status = SPAN_STATUS_ERROR;
    assert_int_equal(take(&w, "shop", &good), 0);
    assert_int_equal(take(&w, "shop", &bad), 0);
    pass(&w, 2000);
    assert_int_equal(w.got[2], 1);
    struct span late_bad = make_span(1, 11, 1, 5), late_good = make_span(2, 12, 2, 5);
    late_bad.status = SPAN_STATUS_ERROR; /* too late to change anything */
    assert_int_equal(take(&w, "shop", &late_bad), 0);
    assert_int_equal(take(&w, "shop", &late_good), 0);
    pass(&w, 1);
    assert_int_equal(w.got[1], 0);
    assert_int_equal(w.got[2], 2);
    struct tail_sampler_statistics s = check_account(&w);
    assert_int_equal(s.late_kept_spans, 1);
    assert_int_equal(s.late_dropped_spans, 1);
    assert_int_equal(s.traces[0], 1);
    assert_int_equal(s.traces[SAMPLING_POLICIES_MAX], 1);
    end(&w);
}

/* Slower than nearly all of what the service did in the last minute. */
static void test_latency_quantile(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: slow, latency_quantile: 0.99}]\n");
    for (uint64_t i = 1; i <= 1000; i++) {
        struct span span = make_span(i, i, 0, 50 + i % 50);
        assert_int_equal(take(&w, "fast", &span), 0);
        span = make_span(i + 1000, i, 0, 5000 + i % 50);
        assert_int_equal(take(&w, "slow", &span), 0);
    }
    pass(&w, 60000);
    memset(w.got, 0, sizeof(w.got));
    struct span rows[] = {make_span(3001, 1, 0, 90), make_span(3002, 1, 0, 300),
        make_span(3003, 1, 0, 300), make_span(3004, 1, 0, 9000), make_span(3005, 1, 77, 9000)};
    rows[4].kind = SPAN_KIND_INTERNAL; /* not what others wait for */
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(take(&w, i == 2 || i == 3 ? "slow" : "fast", &rows[i]), 0);
    }
    pass(&w, 10000);
    assert_int_equal(w.got[3001], 0);
    assert_int_equal(w.got[3002], 1);
    assert_int_equal(w.got[3003], 0);
    assert_int_equal(w.got[3004], 1);
    assert_int_equal(w.got[3005], 0);
    end(&w);
}

/* Two agents keep the same traces, and say how many each stands for. */
static void test_chance_is_the_traces_own(void **state)
{
    static struct world worlds[2];
    static uint64_t ids[TRACES_MAX];
    enum { COUNT = 4000 };
    uint64_t random = test_seed();
    double weights = 0;
    size_t kept = 0;
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = test_random(&random) / TRACES_MAX * TRACES_MAX + i;
    }
    for (size_t agent = 0; agent < 2; agent++) {
        struct world *w = &worlds[agent];
        begin(w, "    policies: [{name: some, percent: 12.5}]\n");
        for (size_t i = 0; i < COUNT; i++) {
            struct span span = make_span(ids[i], agent * COUNT + i + 1, agent, 5);
            assert_int_equal(take(w, agent == 0 ? "a" : "b", &span), 0);
        }
        pass(w, 10000);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(worlds[0].got[i], worlds[1].got[i]);
        if (worlds[0].got[i] > 0) {
            kept++;
            weights += worlds[0].weights[i];
            assert_string_equal(worlds[0].states[i], "ot=th:e"); /* 1 - 1/8 = 0xe0… */
        }
    }
    /* 500 of 4000, standard deviation 21. */
    assert_true(kept > 400 && kept < 600);
    assert_true(weights == (double)kept * 8);
    end(&worlds[0]);
    end(&worlds[1]);
}

static void test_trace_states(void **state)
{
    static const struct {
        const char *state, *threshold, *made;
    } rows[] = {
        {"", "8", "ot=th:8"},
        {"vendor=1", "8", "ot=th:8,vendor=1"},
        {"ot=rv:12345678901234", "8", "ot=th:8;rv:12345678901234"},
        {"a=1, ot=th:4;rv:12345678901234 ,b=2", "8", "ot=th:8;rv:12345678901234,a=1,b=2"},
        {"a=1,ot=th:c", "8", "a=1,ot=th:c"}, /* stands for more already */
        {"a=1,ot=th:8", "8", "a=1,ot=th:8"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        sampling_write_state(str_of(rows[i].state), str_of(rows[i].threshold), &out);
        if (!str_eq_c(strbuf_str(&out), rows[i].made)) {
            fail_msg("%s: %s, expected %s", rows[i].state, out.data, rows[i].made);
        }
        strbuf_release(&out);
    }
    struct span span = make_span(0xff12345678901234, 1, 0, 1);
    assert_int_equal(sampling_randomness(&span), 0x12345678901234);
    span.trace_state = STR("ot=rv:fedcba98765432");
    assert_int_equal(sampling_randomness(&span), 0xfedcba98765432);
    span.trace_state = STR("ot=rv:fedcba9876543");
    assert_int_equal(sampling_randomness(&span), 0x12345678901234);
}

/* More than the window holds is decided early, oldest first, and nothing is lost. */
static void test_the_window_is_bounded(void **state)
{
    static struct world w;
    enum { COUNT = 3000, TEXT = 4000 };
    char *text = calloc(1, TEXT);
    assert_non_null(text);
    memset(text, 'x', TEXT);
    begin(&w, "    window_size: 4MiB\n    policies: [{name: all}]\n");
    const struct attribute large = {
        .key = STR("k"), .kind = ATTRIBUTE_STRING, .bytes = str_make(text, TEXT)};
    uint64_t most = 0;
    for (uint64_t i = 1; i <= COUNT; i++) {
        struct span span = make_span(i, i, 0, 5);
        span.attributes = (struct attributes){&large, 1};
        assert_int_equal(take(&w, "shop", &span), 0);
        struct tail_sampler_statistics s = check_account(&w);
        most = s.window_bytes > most ? s.window_bytes : most;
    }
    struct tail_sampler_statistics s = check_account(&w);
    assert_true(s.reasons[TAIL_WINDOW_FULL] > COUNT / 2);
    assert_true(most < (size_t)6 << 20); /* with what is on its way to the queue */
    pass(&w, 2000);
    for (uint64_t i = 1; i <= COUNT; i++) {
        assert_int_equal(w.got[i], 1);
    }
    free(text);
    end(&w);
}

static void test_a_large_trace_is_decided_at_once(void **state)
{
    static struct world w;
    begin(&w, "    max_trace_size: 2KiB\n    policies: [{name: all}]\n");
    for (uint64_t i = 1; i <= 1000; i++) {
        struct span span = make_span(7, i, 1, 5);
        assert_int_equal(take(&w, "shop", &span), 0);
    }
    pass(&w, 1);
    assert_int_equal(w.got[7], 1000);
    assert_int_equal(check_account(&w).reasons[TAIL_LARGE], 1);
    assert_true(check_account(&w).late_kept_spans > 900);
    end(&w);
}

static void test_memory_that_is_short_decides_early(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: all}]\n");
    for (uint64_t i = 1; i <= 100; i++) {
        struct span span = make_span(i, i, 9, 5);
        assert_int_equal(take(&w, "shop", &span), 0);
    }
    w.log.pressure = INTAKE_HIGH;
    pass(&w, 1);
    assert_int_equal(check_account(&w).reasons[TAIL_MEMORY], 26);
    assert_int_equal(w.got[1] + w.got[26], 2);
    assert_int_equal(w.got[27], 0);
    end(&w);
}

/* What is dropped counts all the same, and no exemplar leads to it. */
static void test_counts_are_exact_whatever_is_dropped(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: errors, error: true}]\n");
    for (uint64_t i = 1; i <= 50; i++) {
        struct span span = make_span(i, i, 0, 5);
        span.status = i == 25 ? SPAN_STATUS_ERROR : SPAN_STATUS_OK;
        assert_int_equal(take(&w, "shop", &span), 0);
    }
    pass(&w, 2000);
    strbuf_reset(&w.log.text);
    pass(&w, 13000);
    assert_true(series_log_has(&w.log,
        "traces_spanmetrics_calls_total{service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", "
        "span_name=\"work\", status_code=\"STATUS_CODE_OK\"} 49 @15000"));
    assert_true(
        series_log_has(&w.log, "  00000000000000010000000000000019 0000000000000019 0.005 @2000"));
    size_t exemplars = 0;
    for (struct str rest = strbuf_str(&w.log.text); rest.len > 0;) {
        exemplars += str_starts_with(str_split(&rest, '\n'), STR("  "));
    }
    assert_int_equal(exemplars, 1);
    end(&w);
}

static void test_an_orderly_end_decides_everything(void **state)
{
    static struct world w;
    begin(&w, "    policies: [{name: all}]\n");
    struct span span = make_span(1, 1, 9, 5);
    assert_int_equal(take(&w, "shop", &span), 0);
    span_pipeline_flush(w.pipeline);
    assert_int_equal(check_account(&w).reasons[TAIL_END], 1);
    pass(&w, 0);
    assert_int_equal(w.got[1], 1);
    end(&w);
}

static void test_decisions_are_remembered_and_forgotten(void **state)
{
    enum { MAX = 1000 };
    struct decision_cache *c;
    unsigned outcome;
    assert_int_equal(decision_cache_new(MAX, &c), 0);
    for (uint64_t i = 1; i <= 10 * MAX; i++) {
        decision_cache_put(c, (struct trace_id){i, i}, (unsigned)(i % (DECISION_MAX + 1)));
        assert_true(decision_cache_count(c) <= MAX);
        for (uint64_t k = i > MAX / 2 ? i - MAX / 2 + 1 : 1; k <= i; k += 97) {
            assert_true(decision_cache_get(c, (struct trace_id){k, k}, &outcome));
            assert_int_equal(outcome, k % (DECISION_MAX + 1));
        }
    }
    assert_false(decision_cache_get(c, (struct trace_id){1, 1}, &outcome));
    decision_cache_put(c, (struct trace_id){7, 7}, 1);
    decision_cache_put(c, (struct trace_id){7, 7}, 2); /* the later one counts */
    assert_true(decision_cache_get(c, (struct trace_id){7, 7}, &outcome));
    assert_int_equal(outcome, 2);
    decision_cache_free(c);
}

/* Whatever allocation fails: what was taken is accounted for. */
static int sample_under_fire(void *context, struct vfs *fs)
{
    static struct world w;
    struct err e = ERR_INIT;
    bool before = mem_fail_exempt(true);
    world_init(&w, "    policies: [{name: e, error: true}, {name: q, latency_quantile: 0.9}, "
                   "{name: p, percent: 50}]\n    max_trace_size: 1KiB\n");
    mem_fail_exempt(before);
    int status = open_pipeline(&w, fs, &e);
    for (uint64_t i = 1; i <= 60 && w.pipeline != NULL; i++) {
        struct span span = make_span(i % 13 + 1, i, i % 3, i % 7 * 100);
        span.status = i % 5 == 0 ? SPAN_STATUS_ERROR : SPAN_STATUS_OK;
        int one = take(&w, i % 2 == 0 ? "a" : "b", &span);
        status = status == 0 ? one : status;
        fake_clock_advance_ms(&w.clock, 100);
        (void)span_pipeline_step(w.pipeline);
        (void)check_account(&w);
    }
    if (w.pipeline != NULL) {
        span_pipeline_flush(w.pipeline);
        struct tail_sampler_statistics s = check_account(&w);
        assert_int_equal(s.waiting_spans, 0);
        status = status == 0 && s.lost_spans > 0 ? ERR_NOMEM : status;
    }
    before = mem_fail_exempt(true);
    end(&w);
    mem_fail_exempt(before);
    return status;
}

static void test_each_failing_allocation(void **state)
{
    const struct fault_scenario scenario = {.name = "tail_sampler", .run = sample_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_policies_nothing_waits),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_settings_that_cannot_be),
        cmocka_unit_test(test_when_traces_are_decided),
        cmocka_unit_test(test_late_spans_follow),
        cmocka_unit_test(test_latency_quantile),
        cmocka_unit_test(test_chance_is_the_traces_own),
        cmocka_unit_test(test_trace_states),
        cmocka_unit_test(test_the_window_is_bounded),
        cmocka_unit_test(test_a_large_trace_is_decided_at_once),
        cmocka_unit_test(test_memory_that_is_short_decides_early),
        cmocka_unit_test(test_counts_are_exact_whatever_is_dropped),
        cmocka_unit_test(test_an_orderly_end_decides_everything),
        cmocka_unit_test(test_decisions_are_remembered_and_forgotten),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
