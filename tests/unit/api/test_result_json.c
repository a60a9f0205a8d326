/* Results as JSON. The expected texts are answers of Prometheus 3 to the like queries, and its
 * documentation of the format (https://prometheus.io/docs/prometheus/latest/querying/api/). */
#include "support/support.h"

#include <math.h>

#include "api/result_json.h"

static const struct labels *labels_of(const char *name, const char *job)
{
    struct label pairs[] = {{STR("__name__"), str_of(name)}, {STR("job"), str_of(job)}};
    const struct labels *labels;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    return labels;
}

static void check(const struct engine_result *result, const struct result_json_options *options,
    bool truncated, const char *expected)
{
    struct strbuf out = STRBUF_INIT;
    struct json_writer json;
    json_init(&json, &out);
    assert_int_equal(result_json_write(&json, result, options), truncated);
    assert_int_equal(strbuf_error(&out), 0);
    assert_string_equal(out.data, expected);
    strbuf_release(&out);
}

static const struct result_json_options plain = {0};

static void test_scalar_and_string(void **state)
{
    (void)state;
    struct engine_result r = {.type = PROMQL_SCALAR, .time_ms = 4000, .scalar = 2};
    check(&r, &plain, false, "{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}");
    r.time_ms = 1435781430781;
    r.scalar = NAN;
    check(&r, &plain, false, "{\"resultType\":\"scalar\",\"result\":[1435781430.781,\"NaN\"]}");
    r = (struct engine_result){.type = PROMQL_STRING, .time_ms = -1500, .string = STR("a\"\n\xff")};
    check(&r, &plain, false,
        "{\"resultType\":\"string\",\"result\":[-1.500,\"a\\\"\\n\xef\xbf\xbd\"]}");
}

static void test_vector(void **state)
{
    (void)state;
    int64_t time = 1435781451781;
    double values[] = {1, INFINITY};
    struct engine_series series[2] = {
        {.labels = labels_of("up", "prometheus"),
            .float_count = 1,
            .float_times = &time,
            .floats = &values[0]},
        {.labels = labels_of("up", "node"),
            .float_count = 1,
            .float_times = &time,
            .floats = &values[1]},
    };
    struct engine_result r = {.type = PROMQL_VECTOR, .series = series, .series_count = 2};
    check(&r, &plain, false,
        "{\"resultType\":\"vector\",\"result\":["
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"prometheus\"},\"value\":[1435781451.781,\"1\"]}"
        ","
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"value\":[1435781451.781,\"+Inf\"]}]"
        "}");
    struct result_json_options one = {.series_max = 1};
    check(&r, &one, true,
        "{\"resultType\":\"vector\",\"result\":["
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"prometheus\"},\"value\":[1435781451.781,\"1\"]}"
        "]}");
    r.series_count = 0;
    check(&r, &plain, false, "{\"resultType\":\"vector\",\"result\":[]}");
    labels_unref(series[0].labels);
    labels_unref(series[1].labels);
}

static void test_matrix(void **state)
{
    (void)state;
    int64_t times[] = {-1, 0, 1435781430781, 1435781445000, INT64_MIN};
    double values[] = {-0.0, 0.1, 1e21, 123456789.125, -5e-324};
    struct engine_series series[2] = {
        {.labels = labels_empty(), .float_count = 5, .float_times = times, .floats = values},
        {.labels = labels_of("up", "n\\"), .float_count = 0},
    };
    struct engine_result r = {.type = PROMQL_MATRIX, .series = series, .series_count = 2};
    check(&r, &plain, false,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":["
        "[-0.001,\"-0\"],[0,\"0.1\"],[1435781430.781,\"1e+21\"],[1435781445,\"123456789.125\"],"
        "[-9223372036854775.808,\"-5e-324\"]]},"
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"n\\\\\"}}]}");
    labels_unref(series[1].labels);
}

/* The histogram of Prometheus' jsonutil: schema 0, three positive buckets, one of them empty, the zero
 * bucket and a negative one. */
static void test_histograms(void **state)
{
    (void)state;
    static const struct histogram_span positive_spans[] = {{0, 3}}, negative_spans[] = {{0, 1}};
    static const double positive[] = {1, 0, 4}, negative[] = {2};
    const struct histogram h = {
        .schema = 0,
        .zero_threshold = 0.001,
        .zero_count = 3,
        .count = 10,
        .sum = 12.5,
        .positive = {positive_spans, 1, positive, 3},
        .negative = {negative_spans, 1, negative, 1},
    };
    const struct histogram *one = &h;
    int64_t time = 10000;
    struct engine_series series = {.labels = labels_empty(),
        .histogram_count = 1,
        .histogram_times = &time,
        .histograms = &one};
    struct engine_result r = {.type = PROMQL_VECTOR, .series = &series, .series_count = 1};
#define TEXT                                                                                       \
    "[10,{\"count\":\"10\",\"sum\":\"12.5\",\"buckets\":["                                         \
    "[1,\"-1\",\"-0.5\",\"2\"],[3,\"-0.001\",\"0.001\",\"3\"],"                                    \
    "[0,\"0.5\",\"1\",\"1\"],[0,\"2\",\"4\",\"4\"]]}]"
    check(&r, &plain, false,
        "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"histogram\":" TEXT "}]}");
    r.type = PROMQL_MATRIX;
    check(&r, &plain, false,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"histograms\":[" TEXT "]}]}");
#undef TEXT
    const struct histogram empty = {.sum = 0};
    one = &empty;
    check(&r, &plain, false,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"histograms\":["
        "[10,{\"count\":\"0\",\"sum\":\"0\"}]]}]}");
}

static void test_statistics(void **state)
{
    (void)state;
    struct engine_result r = {.type = PROMQL_SCALAR, .time_ms = 4000, .scalar = 2};
    r.statistics = (struct engine_statistics){
        .samples = 7, .samples_peak = 3, .prepare_ns = 500000000, .evaluate_ns = 1000000000};
    struct result_json_options options = {.with_statistics = true, .execution_ns = 2000000000};
    check(&r, &options, false,
        "{\"resultType\":\"scalar\",\"result\":[4,\"2\"],\"stats\":{\"timings\":{"
        "\"evalTotalTime\":1.5,\"resultSortTime\":0,\"queryPreparationTime\":0.5,"
        "\"innerEvalTime\":1,\"execQueueTime\":0,\"execTotalTime\":2},"
        "\"samples\":{\"totalQueryableSamples\":7,\"peakSamples\":3}}}");
    /* All of them, and the plan. */
    const struct engine_explain plan[] = {{0, STR("a + 1"), 1000000, 2000000, 4000000, 3, 7},
        {1, STR("a"), 500000, 1000000, 0, 3, 7}};
    r.explain = plan;
    r.explain_count = 2;
    r.statistics.series = 3;
    r.statistics.memory_bytes = 4096;
    r.statistics.threads = 2;
    r.statistics.helped_ns = 4000000;
    r.statistics.reads =
        (struct querier_statistics){.blocks = 4, .samples = 100, .bytes = 50, .summaries = 2};
    options.with_reads = true;
    check(&r, &options, false,
        "{\"resultType\":\"scalar\",\"result\":[4,\"2\"],\"stats\":{\"timings\":{"
        "\"evalTotalTime\":1.5,\"resultSortTime\":0,\"queryPreparationTime\":0.5,"
        "\"innerEvalTime\":1,\"execQueueTime\":0,\"execTotalTime\":2},"
        "\"samples\":{\"totalQueryableSamples\":7,\"peakSamples\":3},"
        "\"reads\":{\"series\":3,\"memoryBytes\":4096,\"blocksDecoded\":4,"
        "\"samplesDecoded\":100,\"bytesDecoded\":50,\"runsSummarized\":2,"
        "\"threads\":2,\"helpedTime\":0.004},"
        "\"plan\":[{\"depth\":0,\"expr\":\"a + 1\",\"planTime\":0.001,\"evalTime\":0.002,"
        "\"helpedTime\":0.004,\"series\":3,\"samples\":7},{\"depth\":1,\"expr\":\"a\",\"planTime\":"
        "0.0005,"
        "\"evalTime\":0.001,\"helpedTime\":0,\"series\":3,\"samples\":7}]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar_and_string),
        cmocka_unit_test(test_vector),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
