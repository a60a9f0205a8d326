/* Series made of spans: what they are called, what they count, when they begin and end, and how many there
 * may be. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "series_log.h"
#include "spans/span_metrics.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/support.h"

#define MS ((uint64_t)1000000)

struct world {
    struct arena arena;
    struct spans_config config;
    struct fake_clock clock;
    struct series_log log;
    struct span_metrics *metrics;
};

static void world_init(struct world *w)
{
    bool before = mem_fail_exempt(true);
    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, 0);
    assert_int_equal(config_defaults(&w->arena, spans_fields, &w->config, NULL), 0);
    fake_clock_init(&w->clock, 1700000000000);
    series_log_init(&w->log);
    mem_fail_exempt(before);
}

static int open_metrics(struct world *w, struct err *e)
{
    const struct span_metrics_options options = {
        .config = &w->config.metrics,
        .job = "spans",
        .instance = "host",
        .clock = &w->clock.clock,
        .intake = &w->log.intake,
    };
    return span_metrics_new(&options, &w->metrics, e);
}

static void world_release(struct world *w)
{
    span_metrics_free(w->metrics);
    series_log_release(&w->log);
    arena_release(&w->arena);
}

/* One span of a service, with one attribute or none, standing for `weight`. */
static struct span_metrics_place see(
    struct world *w, const char *service, const struct span *span, double seconds, double weight)
{
    const struct attribute name = {
        .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = str_of(service)};
    const struct span_resource resource = {.attributes = {&name, 1}};
    const struct otlp_span item = {.span = *span, .resource = &resource};
    uint32_t number = span_metrics_service(w->metrics, &resource);
    struct span_metrics_place place = span_metrics_find(w->metrics, number, &item);
    span_metrics_count(w->metrics, place, seconds, weight);
    return place;
}

static const struct span get_root = {
    .name = {"GET /", 5}, .kind = SPAN_KIND_SERVER, .status = SPAN_STATUS_OK};

#define CALLS "traces_spanmetrics_calls_total{"
#define LATENCY "traces_spanmetrics_latency{"
#define GET_ROOT                                                                                   \
    "service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"GET /\", "                      \
    "status_code=\"STATUS_CODE_OK\"}"

static void test_a_series_from_its_first_span_to_its_end(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    world_init(&w);
    assert_int_equal(open_metrics(&w, &e), 0);
    fake_clock_advance_ms(&w.clock, 10000);
    (void)see(&w, "shop", &get_root, 0.5, 1);
    (void)see(&w, "shop", &get_root, 0.25, 1);
    assert_int_equal(span_metrics_step(w.metrics), 5000);
    series_log_expect(&w.log, "");
    fake_clock_advance_ms(&w.clock, 5000);
    assert_int_equal(span_metrics_step(w.metrics), 15000);
    /* It begins with a zero just before the first span, so that its increase is whole. */
    series_log_expect(&w.log, CALLS GET_ROOT
        " 0 @9999\n" CALLS GET_ROOT " 2 @15000\n" LATENCY GET_ROOT
        " {count:0, sum:0} @9999\n" LATENCY GET_ROOT " {count:2, sum:0.75} @15000\n");
    fake_clock_advance_ms(&w.clock, 15000);
    (void)see(&w, "shop", &get_root, 0, 1);
    (void)span_metrics_step(w.metrics);
    series_log_expect(
        &w.log, CALLS GET_ROOT " 3 @30000\n" LATENCY GET_ROOT " {count:3, sum:0.75} @30000\n");
    fake_clock_advance_ms(&w.clock, 15 * 60 * 1000);
    (void)span_metrics_step(w.metrics);
    series_log_expect(
        &w.log, CALLS GET_ROOT " 3 @930000\n" LATENCY GET_ROOT " {count:3, sum:0.75} @930000\n");
    fake_clock_advance_ms(&w.clock, 15000);
    (void)span_metrics_step(w.metrics);
    series_log_expect(
        &w.log, CALLS GET_ROOT " stale @945000\n" LATENCY GET_ROOT " stale @945000\n");
    fake_clock_advance_ms(&w.clock, 15000);
    (void)span_metrics_step(w.metrics);
    series_log_expect(&w.log, "");
    (void)see(&w, "shop", &get_root, 1, 1);
    fake_clock_advance_ms(&w.clock, 15000);
    (void)span_metrics_step(w.metrics);
    assert_true(series_log_has(&w.log, CALLS GET_ROOT " 0 @959999"));
    assert_true(series_log_has(&w.log, CALLS GET_ROOT " 1 @975000"));
    struct span_metrics_statistics s;
    span_metrics_statistics(w.metrics, &s);
    assert_int_equal(s.expired_series, 1);
    assert_int_equal(s.table.series, 1);
    world_release(&w);
}

static void test_what_was_left_out_at_the_head_counts(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    world_init(&w);
    assert_int_equal(open_metrics(&w, &e), 0);
    (void)see(&w, "shop", &get_root, 2, 4);
    (void)see(&w, "shop", &get_root, 1, 1);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, CALLS GET_ROOT " 5 @0"));
    assert_true(series_log_has(&w.log, LATENCY GET_ROOT " {count:5, sum:9} @0"));
    (void)see(&w, "shop", &get_root, 0, 1.5);
    fake_clock_advance_ms(&w.clock, 1);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, LATENCY GET_ROOT " {count:6.5, sum:9, float} @1"));
    world_release(&w);
}

static const struct {
    const char *yaml; /* below traces.metrics */
    const char *lines[6];
} settings[] = {
    {"naming: otel",
        {"traces_span_metrics_calls_total{service_name=\"shop\", span_kind=\"SPAN_KIND_SERVER\", "
         "span_name=\"GET /\", status_code=\"STATUS_CODE_OK\"} 1 @0",
            "traces_span_metrics_duration_seconds{service_name=\"shop\", "
            "span_kind=\"SPAN_KIND_SERVER\", span_name=\"GET /\", status_code=\"STATUS_CODE_OK\"} "
            "{count:1, sum:0.5} @0"}},
    {"histograms: classic\n    buckets: [0.1, 0.5, 1]",
        {"traces_spanmetrics_latency_bucket{le=\"0.1\", " GET_ROOT " 0 @0",
            "traces_spanmetrics_latency_bucket{le=\"0.5\", " GET_ROOT " 1 @0",
            "traces_spanmetrics_latency_bucket{le=\"1.0\", " GET_ROOT " 1 @0",
            "traces_spanmetrics_latency_bucket{le=\"+Inf\", " GET_ROOT " 1 @0",
            "traces_spanmetrics_latency_sum{" GET_ROOT " 0.5 @0",
            "traces_spanmetrics_latency_count{" GET_ROOT " 1 @0"}},
    {"histograms: both", {"traces_spanmetrics_latency_bucket{le=\"0.512\", " GET_ROOT " 1 @0",
                             "traces_spanmetrics_latency_bucket{le=\"0.256\", " GET_ROOT " 0 @0",
                             "traces_spanmetrics_latency_bucket{le=\"16.384\", " GET_ROOT " 1 @0",
                             LATENCY GET_ROOT " {count:1, sum:0.5} @0"}},
    {"dimensions: [http.route, host.name, code]",
        {CALLS "code=\"200\", http_route=\"/cart\", service=\"shop\", "
               "span_kind=\"SPAN_KIND_SERVER\", span_name=\"GET /\", "
               "status_code=\"STATUS_CODE_OK\"} 1 @0"}},
};

/* Reads settings as they stand in the file. */
static int read_settings(struct world *w, const char *yaml, struct err *e)
{
    char text[400];
    struct yaml_node *root = NULL;
    snprintf(text, sizeof(text), "metrics:\n    %s\n", yaml);
    assert_int_equal(yaml_parse(&w->arena, "test", str_of(text), &root, e), 0);
    return config_read(&w->arena, "test", root, spans_fields, &w->config, e);
}

static void test_settings(void **state)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct world w;
        struct err e = ERR_INIT;
        const struct attribute attributes[] = {
            {.key = STR("http.route"), .kind = ATTRIBUTE_STRING, .bytes = STR("/cart")},
            {.key = STR("code"), .kind = ATTRIBUTE_INT, .integer = 200}};
        struct span span = get_root;
        span.attributes = (struct attributes){attributes, 2};
        world_init(&w);
        assert_int_equal(read_settings(&w, settings[i].yaml, &e), 0);
        assert_int_equal(open_metrics(&w, &e), 0);
        (void)see(&w, "shop", &span, 0.5, 1);
        span_metrics_flush(w.metrics);
        for (size_t k = 0; k < 6 && settings[i].lines[k] != NULL; k++) {
            if (!series_log_has(&w.log, settings[i].lines[k])) {
                fail_msg("%s: no line\n%s\namong\n%s", settings[i].yaml, settings[i].lines[k],
                    w.log.text.data);
            }
        }
        world_release(&w);
    }
}

static void test_settings_that_cannot_be(void **state)
{
    static const char *const rows[] = {"naming: jaeger", "histograms: wide", "buckets: [1, 1]",
        "buckets: [a]", "dimensions: [http.route, http_route]", "dimensions: [service]",
        "dimensions: [span.name]", "dimensions: [le]", "dimensions: [\"\"]"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        struct err e = ERR_INIT;
        world_init(&w);
        assert_int_equal(read_settings(&w, rows[i], &e), 0);
        int status = open_metrics(&w, &e);
        if (status != ERR_INVALID || e.message[0] == '\0') {
            fail_msg("%s: status %d, \"%s\"", rows[i], status, e.message);
        }
        world_release(&w);
    }
}

/* External labels go where they belong, on both sides of the metric's name. */
static void test_external_labels(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    const struct label pairs[] = {{STR("ZONE"), STR("z1")}, {STR("region"), STR("eu")}};
    world_init(&w);
    assert_int_equal(labels_new(pairs, 2, &w.log.external, NULL), 0);
    assert_int_equal(open_metrics(&w, &e), 0);
    (void)see(&w, "shop", &get_root, 1, 1);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, CALLS "ZONE=\"z1\", region=\"eu\", " GET_ROOT " 1 @0"));
    labels_unref(w.log.external);
    world_release(&w);
}

/* The slowest span of an interval and its last one are shown; a series that is gone shows none. */
static void test_exemplars(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    world_init(&w);
    assert_int_equal(open_metrics(&w, &e), 0);
    struct span_metrics_place place = see(&w, "shop", &get_root, 1, 1);
    span_metrics_exemplar(w.metrics, place, (struct trace_id){0, 0xa}, 1, 1);
    fake_clock_advance_ms(&w.clock, 1);
    span_metrics_exemplar(w.metrics, place, (struct trace_id){0, 0xb}, 2, 3);
    fake_clock_advance_ms(&w.clock, 1);
    span_metrics_exemplar(w.metrics, place, (struct trace_id){0, 0xc}, 3, 2);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, "  0000000000000000000000000000000b 0000000000000002 3 @1"));
    assert_true(series_log_has(&w.log, "  0000000000000000000000000000000c 0000000000000003 2 @2"));
    strbuf_reset(&w.log.text);
    fake_clock_advance_ms(&w.clock, 16 * 60 * 1000);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, CALLS GET_ROOT " stale @960002"));
    strbuf_reset(&w.log.text);
    span_metrics_exemplar(w.metrics, place, (struct trace_id){0, 0xd}, 4, 4);
    span_metrics_flush(w.metrics);
    series_log_expect(&w.log, "");
    world_release(&w);
}

/* Every span is counted, in few series. */
static void test_guards(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    struct span_metrics_statistics s;
    char name[40];
    world_init(&w);
    w.config.metrics.series_max = 30;
    w.config.metrics.service_series_max = 10;
    w.config.metrics.service_names_max = 5;
    assert_int_equal(open_metrics(&w, &e), 0);
    /* The first five names stand; later ones become one template, others fill the service's ten. */
    for (int i = 0; i < 100; i++) {
        struct span span = get_root;
        snprintf(name, sizeof(name), "GET /orders/%d", i);
        span.name = str_of(name);
        (void)see(&w, "shop", &span, 1, 1);
    }
    span_metrics_statistics(w.metrics, &s);
    assert_int_equal(s.table.series, 6);
    assert_int_equal(s.table.templated_spans, 95);
    for (int i = 0; i < 50; i++) {
        struct span span = get_root;
        snprintf(name, sizeof(name), "job %c%c", 'a' + i / 26, 'a' + i % 26);
        span.name = str_of(name);
        (void)see(&w, "shop", &span, 1, 1);
    }
    span_metrics_statistics(w.metrics, &s);
    assert_int_equal(s.table.series, 11);
    assert_int_equal(s.table.overflowed_spans, 46);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log, CALLS "service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", "
                                             "span_name=\"__cardinality_overflow__\", "
                                             "status_code=\"STATUS_CODE_OK\"} 46 @0"));
    assert_true(series_log_has(&w.log, CALLS "service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", "
                                             "span_name=\"GET /orders/{id}\", "
                                             "status_code=\"STATUS_CODE_OK\"} 95 @0"));
    /* All services together. */
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "service %d", i);
        (void)see(&w, name, &get_root, 1, 1);
    }
    span_metrics_statistics(w.metrics, &s);
    assert_int_equal(s.table.services, 101);
    assert_int_equal(s.table.series, 30 + 81); /* an overflow for each service beyond */
    world_release(&w);
}

static void test_names_of_strangers(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    char text[200];
    world_init(&w);
    assert_int_equal(open_metrics(&w, &e), 0);
    struct span span = get_root;
    span.name = str_make("a\xff"
                         "b\0c",
        5);
    (void)see(&w, "shop", &span, 1, 1);
    (void)see(&w, "shop", &span, 1, 1);
    memset(text, 'x', sizeof(text));
    span.name = str_make(text, sizeof(text));
    (void)see(&w, "shop", &span, 1, 1);
    span_metrics_flush(w.metrics);
    assert_true(series_log_has(&w.log,
        CALLS "service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"a\xef\xbf\xbd"
              "b\xef\xbf\xbd"
              "c\", status_code=\"STATUS_CODE_OK\"} 2 @0"));
    struct span_metrics_statistics s;
    span_metrics_statistics(w.metrics, &s);
    assert_int_equal(s.table.series, 2);
    world_release(&w);
}

/* Random durations: counts are exact, whatever the range. */
static void test_random_durations(void **state)
{
    struct latency_histogram h;
    uint64_t random = test_seed();
    double sum = 0;
    latency_histogram_init(&h);
    for (int i = 0; i < 20000; i++) {
        double seconds = (double)(test_random(&random) >> (test_random(&random) % 64)) / 1e9;
        assert_int_equal(latency_histogram_add(&h, seconds, 1), 0);
        sum += seconds;
        if (i % 1000 == 0) {
            struct histogram_span span;
            struct histogram view;
            struct err e = ERR_INIT;
            double count = 0;
            latency_histogram_view(&h, &span, &view);
            assert_int_equal(histogram_validate(&view, &e), 0);
            for (size_t k = 0; k < view.positive.count; k++) {
                count += view.positive.counts[k];
            }
            assert_true(count + view.zero_count == i + 1);
        }
    }
    assert_true(h.used <= LATENCY_BINS_MAX);
    assert_true(fabs(h.sum - sum) < sum * 1e-12);
    latency_histogram_release(&h);
}

/* Each duration lies in the bucket that the bounds of its schema say. */
static void test_buckets_hold_their_durations(void **state)
{
    static const double rows[] = {1e-9, 0.001, 0.5, 1, 1.0000001, 2, 3, 16.384, 1e9};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct latency_histogram h;
        struct histogram_span span;
        struct histogram view;
        latency_histogram_init(&h);
        assert_int_equal(latency_histogram_add(&h, rows[i], 1), 0);
        latency_histogram_view(&h, &span, &view);
        double lower = histogram_bound(span.offset - 1, view.schema);
        double upper = histogram_bound(span.offset, view.schema);
        if (!(rows[i] > lower && rows[i] <= upper)) {
            fail_msg("%.17g is not in (%.17g, %.17g]", rows[i], lower, upper);
        }
        latency_histogram_release(&h);
    }
}

static int count_under_fire(void *context, struct vfs *fs)
{
    struct world w;
    struct err e = ERR_INIT;
    struct span_metrics_statistics s = {0};
    double all = 0;
    world_init(&w);
    int status = open_metrics(&w, &e);
    for (int i = 0; status == 0 && i < 40; i++) {
        struct span span = get_root;
        char name[20];
        snprintf(name, sizeof(name), "%c", 'a' + i % 20);
        span.name = str_of(name);
        (void)see(&w, i % 3 == 0 ? "a" : "b", &span, (double)(1 << i % 20), 1);
        all++;
    }
    if (status == 0) {
        span_metrics_flush(w.metrics);
        span_metrics_statistics(w.metrics, &s);
        assert_true(s.lost_spans <= all);
        status = s.lost_spans > 0 ? ERR_NOMEM : 0;
    }
    world_release(&w);
    return status;
}

static void test_each_failing_allocation(void **state)
{
    const struct fault_scenario scenario = {.name = "span_metrics", .run = count_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_series_from_its_first_span_to_its_end),
        cmocka_unit_test(test_what_was_left_out_at_the_head_counts),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_settings_that_cannot_be),
        cmocka_unit_test(test_external_labels),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_names_of_strangers),
        cmocka_unit_test(test_random_durations),
        cmocka_unit_test(test_buckets_hold_their_durations),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
