/* OTLP metrics to series. Names and units follow Prometheus' otlptranslator and the OpenTelemetry
 * specification "Prometheus and OpenMetrics Compatibility"; indexes of buckets follow the data model of
 * OpenTelemetry and the specification of native histograms. Messages are JSON, which a reader can read. */
#include <stdlib.h>
#include <string.h>

#include "base/fpconv.h"
#include "support/support.h"
#include "wire/otlp_translate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Names ---- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *unit;
        enum otlp_kind kind;
        bool monotonic;
        const char *names[4]; /* by naming */
    } cases[] = {
        {"http.server.duration", "s", OTLP_HISTOGRAM, false,
            {"http_server_duration_seconds", "http_server_duration", "http.server.duration_seconds",
                "http.server.duration"}},
        {"requests", "1", OTLP_SUM, true,
            {"requests_total", "requests", "requests_total", "requests"}},
        {"requests_total", "", OTLP_SUM, true,
            {"requests_total", "requests_total", "requests_total", "requests_total"}},
        {"total.requests", "{request}", OTLP_SUM, true,
            {"requests_total", "total_requests", "total.requests_total", "total.requests"}},
        {"system.cpu.utilization", "1", OTLP_GAUGE, false,
            {"system_cpu_utilization_ratio", "system_cpu_utilization",
                "system.cpu.utilization_ratio", "system.cpu.utilization"}},
        {"system.io", "By/s", OTLP_GAUGE, false,
            {"system_io_bytes_per_second", "system_io", "system.io_bytes_per_second", "system.io"}},
        {"speed", "m/s", OTLP_GAUGE, false,
            {"speed_meters_per_second", "speed", "speed_meters_per_second", "speed"}},
        {"fuel", "{packets}/h", OTLP_GAUGE, false,
            {"fuel_per_hour", "fuel", "fuel_per_hour", "fuel"}},
        {"process_runtime_seconds", "s", OTLP_GAUGE, false,
            {"process_runtime_seconds", "process_runtime_seconds", "process_runtime_seconds",
                "process_runtime_seconds"}},
        {"a__b..c", "ms", OTLP_GAUGE, false,
            {"a_b_c_milliseconds", "a__b_c", "a__b..c_milliseconds", "a__b..c"}},
        {"2xx", "", OTLP_GAUGE, false, {"_2xx", "_2xx", "2xx", "2xx"}},
        {"temp", "Cel", OTLP_GAUGE, false, {"temp_celsius", "temp", "temp_celsius", "temp"}},
        {"odd", "kg.m^2", OTLP_GAUGE, false, {"odd_kg_m_2", "odd", "odd_kg_m_2", "odd"}},
        {"straße", "", OTLP_GAUGE, false, {"stra_e", "stra_e", "straße", "straße"}},
        {"job:rate", "", OTLP_GAUGE, false, {"job:rate", "job:rate", "job:rate", "job:rate"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int naming = 0; naming < 4; naming++) {
            struct arena arena;
            struct str name;
            struct otlp_metric metric = {.name = str_of(cases[i].name),
                .unit = str_of(cases[i].unit),
                .kind = cases[i].kind,
                .monotonic = cases[i].monotonic};
            arena_init(&arena, 0);
            assert_int_equal(otlp_metric_name(&metric, (enum otlp_naming)naming, &arena, &name), 0);
            if (!str_eq_c(name, cases[i].names[naming])) {
                fail_msg("%s [%s], naming %d: %.*s, expected %s", cases[i].name, cases[i].unit,
                    naming, STR_ARG(name), cases[i].names[naming]);
            }
            arena_release(&arena);
        }
    }
}

static void test_label_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"http.status", "http_status"}, {"job", "job"},
        {"2xx", "key_2xx"}, {"_a", "key_a"}, {"__a", "__a"}, {".a", "key_a"}, {"a:b", "a_b"},
        {"straße", "stra_e"}, {"a..b", "a__b"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct str name;
        arena_init(&arena, 0);
        assert_int_equal(
            otlp_label_name(str_of(cases[i][0]), OTLP_UNDERSCORES_WITH_SUFFIXES, &arena, &name), 0);
        if (!str_eq_c(name, cases[i][1])) {
            fail_msg("%s: %.*s, expected %s", cases[i][0], STR_ARG(name), cases[i][1]);
        }
        assert_int_equal(otlp_label_name(str_of(cases[i][0]), OTLP_UTF8, &arena, &name), 0);
        assert_true(str_eq_c(name, cases[i][0]));
        arena_release(&arena);
    }
}

/* ---- Series ---- */

static int write_series(void *context, const struct otlp_series *s)
{
    struct strbuf *out = context;
    const struct labels *labels;
    for (size_t i = 0; i < s->label_count; i++) {
        assert_true(s->labels[i].name.len > 0 && s->labels[i].value.len > 0);
        assert_true(i == 0 || str_cmp(s->labels[i - 1].name, s->labels[i].name) < 0);
    }
    assert_int_equal(labels_new(s->labels, s->label_count, &labels, NULL), 0);
    labels_write(labels, out);
    labels_unref(labels);
    strbuf_add_char(out, ' ');
    if (s->histogram != NULL && !value_is_stale(s->histogram->sum)) {
        assert_int_equal(histogram_validate(s->histogram, NULL), 0);
        strbuf_addf(out, "schema %d ", s->histogram->schema);
        histogram_write(s->histogram, out);
    } else if (value_is_stale(s->histogram != NULL ? s->histogram->sum : s->value)) {
        strbuf_add_c(out, s->histogram != NULL ? "stale histogram" : "stale");
    } else {
        strbuf_add_double(out, s->value);
    }
    strbuf_add_char(out, ' ');
    strbuf_add_i64(out, s->t_ms);
    for (size_t i = 0; i < s->exemplar_count; i++) {
        const struct remote_write_exemplar *x = &s->exemplars[i];
        strbuf_add_c(out, " #");
        for (size_t k = 0; k < x->label_count; k++) {
            strbuf_addf(out, " %.*s=%.*s", STR_ARG(x->labels[k].name), STR_ARG(x->labels[k].value));
        }
        strbuf_add_char(out, ' ');
        strbuf_add_double(out, x->value);
    }
    strbuf_add_char(out, '\n');
    return 0;
}

static int write_metadata(
    void *context, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    strbuf_addf(context, "# %.*s %s [%.*s] %.*s\n", STR_ARG(metric), metric_type_name(type),
        STR_ARG(unit), STR_ARG(help));
    return 0;
}

static void translate(const char *json, const struct otlp_translate_options *options,
    struct otlp_delta_batch *delta, struct strbuf *out, struct otlp_rejected *rejected)
{
    struct arena arena;
    struct otlp_metrics metrics;
    struct err e = ERR_INIT;
    struct otlp_sink sink = {out, write_series, write_metadata};
    arena_init(&arena, (size_t)64 << 20);
    if (otlp_metrics_decode_json(str_of(json), &arena, &metrics, &e) != 0) {
        fail_msg("%s in %s", e.message, json);
    }
    assert_int_equal(otlp_translate(&metrics, options, delta, &sink, &arena, rejected), 0);
    arena_release(&arena);
}

/* One resource with one scope with these metrics. */
#define RESOURCE                                                                                   \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}" \
    "},"                                                                                           \
    "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"eu\"}},"                          \
    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i1\"}},"                        \
    "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]}"
#define MESSAGE(metrics)                                                                           \
    "{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\","          \
    "\"version\":\"2\"},\"metrics\":[" metrics "]}]}]}"
#define AT "\"timeUnixNano\":\"1700000000123999999\""
#define INFO                                                                                       \
    "# target_info gauge [] Target metadata\n"                                                     \
    "target_info{host_name=\"h\", instance=\"i1\", job=\"eu/shop\"} 1 1700000000123\n"
#define IDS "instance=\"i1\", job=\"eu/shop\""

struct translation {
    const char *json;
    const char *series;
    uint64_t rejected;
    const char *why;
};

static void check(
    const struct translation *cases, size_t count, const struct otlp_translate_options *options)
{
    for (size_t i = 0; i < count; i++) {
        struct strbuf out = STRBUF_INIT;
        struct otlp_rejected rejected;
        strbuf_add_c(&out, "");
        translate(cases[i].json, options, NULL, &out, &rejected);
        if (strcmp(out.data, cases[i].series) != 0) {
            fail_msg("case %zu gave\n%s\nexpected\n%s", i, out.data, cases[i].series);
        }
        assert_int_equal(rejected.points, cases[i].rejected);
        assert_string_equal(rejected.first.message, cases[i].why != NULL ? cases[i].why : "");
        strbuf_release(&out);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {MESSAGE("{\"name\":\"temp\",\"unit\":\"Cel\",\"description\":\"Help.\",\"gauge\":{"
                 "\"dataPoints\":["
                 "{" AT
                 ",\"asDouble\":21.5,\"attributes\":[{\"key\":\"room.no\",\"value\":{\"intValue\":"
                 "\"7\"}}]},{" AT ",\"asInt\":\"-3\"},{" AT ",\"flags\":1}]}}"),
            "# temp_celsius gauge [Cel] Help.\n"
            "temp_celsius{" IDS ", room_no=\"7\"} 21.5 1700000000123\n"
            "temp_celsius{" IDS "} -3 1700000000123\n"
            "temp_celsius{" IDS "} stale 1700000000123\n" INFO,
            0, NULL},
        {MESSAGE("{\"name\":\"hits\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,"
                 "\"dataPoints\":[{" AT ",\"asInt\":9,\"exemplars\":[{\"asDouble\":2,\"traceId\":"
                 "\"0AF7651916CD43DD8448EB211C80319C\",\"spanId\":\"b7ad6b7169203331\","
                 "\"filteredAttributes\":[{\"key\":\"u\",\"value\":{\"boolValue\":true}}]}]}]}}"),
            "# hits_total counter [] \n"
            "hits_total{" IDS "} 9 1700000000123 # trace_id=0af7651916cd43dd8448eb211c80319c "
            "span_id=b7ad6b7169203331 u=true 2\n" INFO,
            0, NULL},
        {MESSAGE("{\"name\":\"size\",\"unit\":\"By\",\"histogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":[{" AT
                 ",\"count\":\"10\",\"sum\":33.5,\"bucketCounts\":[\"1\",\"2\",7],"
                 "\"explicitBounds\":[0.5,10],\"exemplars\":[{\"asDouble\":10},{\"asDouble\":0.1},"
                 "{\"asDouble\":11}]}]}}"),
            "# size_bytes histogram [By] \n"
            "size_bytes_count{" IDS "} 10 1700000000123\n"
            "size_bytes_sum{" IDS "} 33.5 1700000000123\n"
            "size_bytes_bucket{" IDS ", le=\"0.5\"} 1 1700000000123 # 0.1\n"
            "size_bytes_bucket{" IDS ", le=\"10\"} 3 1700000000123 # 10\n"
            "size_bytes_bucket{" IDS ", le=\"+Inf\"} 10 1700000000123 # 11\n" INFO,
            0, NULL},
        /* index i of OpenTelemetry is i + 1 here: (1,2] and (4,8] of scale 0, (-1,-0.5] below zero */
        {MESSAGE("{\"name\":\"lat\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":["
                 "{" AT ",\"count\":\"6\",\"sum\":12,\"scale\":0,\"zeroCount\":\"1\",\"positive\":{"
                 "\"offset\":0,"
                 "\"bucketCounts\":[\"1\",\"0\",\"3\"]},\"negative\":{\"offset\":-1,"
                 "\"bucketCounts\":[1]}}]}}"),
            "# lat histogram [] \n"
            "lat{" IDS
            "} schema 0 {count:6, sum:12, [-1,-0.5):1, [-1e-128,1e-128]:1, (1,2]:1, (4,8]:3} "
            "1700000000123\n" INFO,
            0, NULL},
        /* scale 10 becomes 8: four buckets in one; 2^(1/256) is 1.0027… */
        {MESSAGE("{\"name\":\"lat\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":["
                 "{" AT ",\"count\":\"5\",\"sum\":5,\"scale\":10,\"positive\":{\"offset\":-1,"
                 "\"bucketCounts\":[1,1,1,1,1]}}]}}"),
            "# lat histogram [] \n"
            "lat{" IDS
            "} schema 8 {count:5, sum:5, (0.9972960560854698,1]:1, (1,1.0027112750502025]:4} "
            "1700000000123\n" INFO,
            0, NULL},
        /* a scale finer than indices can tell: all above one is in one bucket */
        {MESSAGE("{\"name\":\"lat\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":["
                 "{" AT ",\"count\":\"2\",\"sum\":5,\"scale\":72,\"min\":1,\"max\":2,\"positive\":{"
                 "\"offset\":1000000000,\"bucketCounts\":[1,1]}}]}}"),
            "# lat histogram [] \n"
            "lat{" IDS "} schema 8 {count:2, sum:5, (1,1.0027112750502025]:2} 1700000000123\n" INFO,
            0, NULL},
        /* an observation of NaN is in no bucket */
        {MESSAGE("{\"name\":\"lat\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":["
                 "{" AT ",\"count\":\"2\",\"sum\":\"NaN\",\"scale\":0,\"zeroThreshold\":0.25,"
                 "\"zeroCount\":1}]}}"),
            "# lat histogram [] \n"
            "lat{" IDS "} schema 0 {count:2, sum:NaN, [-0.25,0.25]:1} 1700000000123\n" INFO,
            0, NULL},
        /* a last bound of +Inf is the bucket of all */
        {MESSAGE(
             "{\"name\":\"size\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" AT
             ",\"count\":\"3\",\"bucketCounts\":[1,2,0],\"explicitBounds\":[1,\"Infinity\"]}]}}"),
            "# size histogram [] \n"
            "size_count{" IDS "} 3 1700000000123\n"
            "size_bucket{" IDS ", le=\"1\"} 1 1700000000123\n"
            "size_bucket{" IDS ", le=\"+Inf\"} 3 1700000000123\n" INFO,
            0, NULL},
        {MESSAGE(
             "{\"name\":\"lat\",\"summary\":{\"dataPoints\":[{" AT ",\"count\":\"4\",\"sum\":10,"
             "\"quantileValues\":[{\"quantile\":0.5,\"value\":2},{\"quantile\":1,\"value\":\"NaN\"}"
             "]}]}}"),
            "# lat summary [] \n"
            "lat_sum{" IDS "} 10 1700000000123\n"
            "lat_count{" IDS "} 4 1700000000123\n"
            "lat{" IDS ", quantile=\"0.5\"} 2 1700000000123\n"
            "lat{" IDS ", quantile=\"1\"} NaN 1700000000123\n" INFO,
            0, NULL},
        /* job and instance win over attributes; two attributes of one label name are joined */
        {MESSAGE("{\"name\":\"x\",\"gauge\":{\"dataPoints\":[{" AT ",\"asInt\":1,\"attributes\":["
                 "{\"key\":\"job\",\"value\":{\"stringValue\":\"other\"}},"
                 "{\"key\":\"a_b\",\"value\":{\"stringValue\":\"2\"}},"
                 "{\"key\":\"a.b\",\"value\":{\"stringValue\":\"1\"}},"
                 "{\"key\":\"none\",\"value\":{\"stringValue\":\"\"}}]}]}}"),
            "# x gauge [] \n"
            "x{a_b=\"1;2\", " IDS "} 1 1700000000123\n" INFO,
            0, NULL},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"x\",\"gauge\":{"
         "\"dataPoints\":["
         "{" AT ",\"asInt\":1}]}}]}]}]}",
            "# x gauge [] \nx 1 1700000000123\n", 0, NULL},
        {"{}", "", 0, NULL},
    };
    static const struct otlp_translate_options options = {0};
    check(cases, COUNT(cases), &options);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {MESSAGE("{\"name\":\"a\",\"sum\":{\"dataPoints\":[{" AT ",\"asInt\":1},{" AT
                 ",\"asInt\":1}]}}"),
            INFO, 2, "a: its temporality is neither delta nor cumulative"},
        {MESSAGE("{\"name\":\"a\",\"sum\":{\"aggregationTemporality\":1,\"dataPoints\":[{" AT
                 ",\"asInt\":1}]}}"),
            INFO, 1, "a: delta temporality is not taken here; send cumulative"},
        {MESSAGE("{\"name\":\"\",\"gauge\":{\"dataPoints\":[{" AT ",\"asInt\":1}]}}"), INFO, 1,
            ": its name cannot be kept"},
        {MESSAGE(
             "{\"name\":\"a\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
             "\"dataPoints\":["
             "{" AT
             ",\"count\":\"1\",\"scale\":-5,\"positive\":{\"offset\":0,\"bucketCounts\":[1]}}]}}"),
            "# a histogram [] \n" INFO, 1, "a: its scale is below -4, the least there is here"},
        /* four observations said, three in the buckets; and one more than said, with a sum of NaN */
        {MESSAGE("{\"name\":\"a\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":[{" AT ",\"count\":\"4\",\"zeroCount\":1,\"positive\":{"
                 "\"bucketCounts\":[1]},\"negative\":{\"bucketCounts\":[1]}},{" AT
                 ",\"count\":\"0\",\"sum\":\"NaN\",\"zeroCount\":1},{" AT
                 ",\"count\":\"1\",\"zeroCount\":\"18446744073709551615\",\"positive\":{"
                 "\"bucketCounts\":[2]}}]}}"),
            "# a histogram [] \n" INFO, 3,
            "a: its count is not that of the observations in its buckets"},
        {MESSAGE("{\"name\":\"a\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" AT
                 ",\"count\":\"1\",\"bucketCounts\":[0,1,0],\"explicitBounds\":[1,1]},{" AT
                 ",\"count\":\"1\",\"bucketCounts\":[0,1],\"explicitBounds\":[\"NaN\"]}]}}"),
            "# a histogram [] \n" INFO, 2, "a: its bounds do not ascend"},
    };
    static const struct otlp_translate_options options = {0};
    check(cases, COUNT(cases), &options);
}

static void test_options(void **state)
{
    (void)state;
#define X MESSAGE("{\"name\":\"x.y\",\"gauge\":{\"dataPoints\":[{" AT ",\"asInt\":1}]}}")
    static const char *const promoted[] = {"host.name"}, *const all[] = {"*"};
    static const struct {
        struct otlp_translate_options options;
        const char *series;
    } cases[] = {
        {{.promoted = promoted, .promoted_count = 1},
            "# x_y gauge [] \nx_y{host_name=\"h\", " IDS "} 1 1700000000123\n" INFO},
        {{.promoted = all, .promoted_count = 1},
            "# x_y gauge [] \nx_y{host_name=\"h\", " IDS
            ", service_instance_id=\"i1\", service_name=\"shop\", service_namespace=\"eu\"} 1 "
            "1700000000123\n" INFO},
        {{.promote_scope = true},
            "# x_y gauge [] \nx_y{" IDS ", otel_scope_name=\"lib\", otel_scope_version=\"2\"} 1 "
            "1700000000123\n" INFO},
        {{.keep_identifying = true},
            "# x_y gauge [] \nx_y{" IDS "} 1 1700000000123\n"
            "# target_info gauge [] Target metadata\n"
            "target_info{host_name=\"h\", " IDS
            ", service_instance_id=\"i1\", service_name=\"shop\", service_namespace=\"eu\"} 1 "
            "1700000000123\n"},
        {{.naming = OTLP_UTF8}, "# x.y gauge [] \n{\"x.y\", " IDS "} 1 1700000000123\n"
                                "# target_info gauge [] Target metadata\n"
                                "target_info{\"host.name\"=\"h\", " IDS "} 1 1700000000123\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct translation one = {X, cases[i].series, 0, NULL};
        check(&one, 1, &cases[i].options);
    }
}

/* ---- Deltas ---- */

static void test_deltas_add_up(void **state)
{
    (void)state;
#define HITS(time, value)                                                                          \
    MESSAGE("{\"name\":\"hits\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,"       \
            "\"dataPoints\":[{\"timeUnixNano\":\"" time "000000\",\"asInt\":" value "}]}}")
    static const struct {
        const char *json, *line;
        uint64_t rejected;
        bool keep;
    } steps[] = {
        {HITS("1000", "5"), "hits_total{" IDS "} 5 1000\n", 0, true},
        {HITS("2000", "3"), "hits_total{" IDS "} 8 2000\n", 0, false}, /* the write failed */
        {HITS("2000", "3"), "hits_total{" IDS "} 8 2000\n", 0, true},
        {HITS("2000", "3"), "", 1, true}, /* it came again */
        {HITS("3000", "1"), "hits_total{" IDS "} 9 3000\n", 0, true},
    };
    static const struct otlp_translate_options options = {0};
    struct otlp_delta *delta;
    assert_int_equal(otlp_delta_new(10, &delta), 0);
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct strbuf out = STRBUF_INIT;
        struct otlp_rejected rejected;
        struct otlp_delta_batch batch;
        otlp_delta_begin(delta, 0, &batch);
        translate(steps[i].json, &options, &batch, &out, &rejected);
        otlp_delta_end(&batch, steps[i].keep);
        assert_int_equal(rejected.points, steps[i].rejected);
        if (steps[i].line[0] != '\0' && strstr(out.data, steps[i].line) == NULL) {
            fail_msg("step %zu: %s, expected %s", i, out.data, steps[i].line);
        }
        strbuf_release(&out);
    }
    otlp_delta_free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_label_names),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_deltas_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
