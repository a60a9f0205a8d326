/* OTLP metrics against protobuf-c: what it packs we read, and the same message in JSON gives the same tree;
 * and what must be refused. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "otlp_oracle.pb-c.h"
#include "support/support.h"
#include "wire/otlp_metrics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The generated structs want char *, though packing only reads. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

/* ---- The tree as text, so that two can be compared ---- */

static void write_attributes(struct strbuf *out, const char *what, const struct otlp_attributes *a)
{
    strbuf_add_c(out, what);
    for (size_t i = 0; i < a->count; i++) {
        strbuf_addf(out, " %.*s=%.*s", STR_ARG(a->items[i].name), STR_ARG(a->items[i].value));
    }
    strbuf_add_char(out, '\n');
}

static void write_side(struct strbuf *out, const struct otlp_buckets *b)
{
    strbuf_addf(out, " [%d:", b->offset);
    for (size_t i = 0; i < b->count; i++) {
        strbuf_addf(out, " %llu", (unsigned long long)b->counts[i]);
    }
    strbuf_add_c(out, "]");
}

static void write_point(struct strbuf *out, const struct otlp_point *p)
{
    strbuf_addf(out, "point %lld %lld %d value %g sum %d %g count %llu scale %d zeros %llu %g",
        (long long)p->start_ms, (long long)p->t_ms, p->no_value, p->value, p->has_sum, p->sum,
        (unsigned long long)p->count, p->scale, (unsigned long long)p->zero_count,
        p->zero_threshold);
    for (size_t i = 0; i < p->bucket_count; i++) {
        strbuf_addf(out, " b%llu", (unsigned long long)p->bucket_counts[i]);
    }
    for (size_t i = 0; i < p->bound_count; i++) {
        strbuf_addf(out, " le%g", p->bounds[i]);
    }
    for (size_t i = 0; i < p->quantile_count; i++) {
        strbuf_addf(out, " q%g=%g", p->quantiles[i].quantile, p->quantiles[i].value);
    }
    write_side(out, &p->positive);
    write_side(out, &p->negative);
    write_attributes(out, "", &p->attributes);
    for (size_t i = 0; i < p->exemplar_count; i++) {
        const struct otlp_exemplar *x = &p->exemplars[i];
        strbuf_addf(out, "exemplar %lld %g %.*s %.*s", (long long)x->t_ms, x->value,
            STR_ARG(x->trace_id), STR_ARG(x->span_id));
        write_attributes(out, "", &x->attributes);
    }
}

static void write_tree(struct strbuf *out, const struct otlp_metrics *m)
{
    for (size_t r = 0; r < m->resource_count; r++) {
        write_attributes(out, "resource", &m->resources[r].attributes);
        for (size_t s = 0; s < m->resources[r].scope_count; s++) {
            const struct otlp_scope *scope = &m->resources[r].scopes[s];
            strbuf_addf(out, "scope %.*s %.*s %.*s", STR_ARG(scope->name), STR_ARG(scope->version),
                STR_ARG(scope->schema_url));
            write_attributes(out, "", &scope->attributes);
            for (size_t i = 0; i < scope->metric_count; i++) {
                const struct otlp_metric *metric = &scope->metrics[i];
                strbuf_addf(out, "metric %.*s|%.*s|%.*s kind %d %d %d\n", STR_ARG(metric->name),
                    STR_ARG(metric->description), STR_ARG(metric->unit), (int)metric->kind,
                    (int)metric->temporality, metric->monotonic);
                for (size_t p = 0; p < metric->point_count; p++) {
                    write_point(out, &metric->points[p]);
                }
            }
        }
    }
}

/* ---- One message of everything ---- */

static size_t pack_everything(uint8_t *packed, size_t cap)
{
    Oracle__AnyValue values[6];
    Oracle__KeyValue pairs[6], *attributes[6], inner = ORACLE__KEY_VALUE__INIT,
                                               *inners[] = {&inner};
    static const char *const keys[] = {"text", "yes", "int", "double", "list", "map"};
    for (size_t i = 0; i < 6; i++) {
        oracle__any_value__init(&values[i]);
        oracle__key_value__init(&pairs[i]);
        pairs[i].key = TEXT(keys[i]), pairs[i].value = &values[i];
        attributes[i] = &pairs[i];
    }
    Oracle__AnyValue *elements[] = {&values[0], &values[2]};
    Oracle__ArrayValue list = ORACLE__ARRAY_VALUE__INIT;
    Oracle__KeyValueList map = ORACLE__KEY_VALUE_LIST__INIT;
    list.values = elements, list.n_values = 2;
    map.values = inners, map.n_values = 1;
    inner.key = TEXT("k"), inner.value = &values[1];
    values[0].value_case = ORACLE__ANY_VALUE__VALUE_STRING_VALUE,
    values[0].string_value = TEXT("a\"b");
    values[1].value_case = ORACLE__ANY_VALUE__VALUE_BOOL_VALUE, values[1].bool_value = 1;
    values[2].value_case = ORACLE__ANY_VALUE__VALUE_INT_VALUE, values[2].int_value = -7;
    values[3].value_case = ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE, values[3].double_value = 0.5;
    values[4].value_case = ORACLE__ANY_VALUE__VALUE_ARRAY_VALUE, values[4].array_value = &list;
    values[5].value_case = ORACLE__ANY_VALUE__VALUE_KVLIST_VALUE, values[5].kvlist_value = &map;

    uint8_t trace[] = {0x0a, 0xf7}, span[] = {0xb7};
    Oracle__OtlpExemplar exemplar = ORACLE__OTLP_EXEMPLAR__INIT, *exemplars[] = {&exemplar};
    exemplar.time_unix_nano = 5000000, exemplar.value_case = ORACLE__OTLP_EXEMPLAR__VALUE_AS_INT;
    exemplar.as_int = -2, exemplar.trace_id.data = trace, exemplar.trace_id.len = 2;
    exemplar.span_id.data = span, exemplar.span_id.len = 1;
    exemplar.filtered_attributes = attributes, exemplar.n_filtered_attributes = 1;

    Oracle__NumberPoint number = ORACLE__NUMBER_POINT__INIT, *numbers[] = {&number};
    number.start_time_unix_nano = 1000000, number.time_unix_nano = 1700000000123456789;
    number.value_case = ORACLE__NUMBER_POINT__VALUE_AS_DOUBLE, number.as_double = 2.5;
    number.attributes = attributes, number.n_attributes = 6, number.flags = 1;
    number.exemplars = exemplars, number.n_exemplars = 1;
    uint64_t counts[] = {1, 2, 300};
    double bounds[] = {0.5, 10};
    Oracle__HistogramPoint h = ORACLE__HISTOGRAM_POINT__INIT, *hs[] = {&h};
    h.time_unix_nano = 3000000, h.count = 303, h.sum_is_case = ORACLE__HISTOGRAM_POINT__SUM_IS_SUM,
    h.sum = 9;
    h.bucket_counts = counts, h.n_bucket_counts = 3, h.explicit_bounds = bounds,
    h.n_explicit_bounds = 2;
    Oracle__Buckets side = ORACLE__BUCKETS__INIT;
    side.offset = -4, side.bucket_counts = counts, side.n_bucket_counts = 3;
    Oracle__ExponentialPoint x = ORACLE__EXPONENTIAL_POINT__INIT, *xs[] = {&x};
    x.time_unix_nano = 3000000, x.count = 606, x.scale = -1, x.zero_count = 8,
    x.zero_threshold = 0.25;
    x.positive = &side, x.negative = &side, x.exemplars = exemplars, x.n_exemplars = 1;
    Oracle__Quantile quantile = ORACLE__QUANTILE__INIT, *quantiles[] = {&quantile};
    quantile.quantile = 0.99, quantile.value = 3;
    Oracle__SummaryPoint s = ORACLE__SUMMARY_POINT__INIT, *ss[] = {&s};
    s.time_unix_nano = 3000000, s.count = 2, s.sum = 4, s.quantile_values = quantiles,
    s.n_quantile_values = 1;

    Oracle__Gauge gauge = ORACLE__GAUGE__INIT;
    gauge.data_points = numbers, gauge.n_data_points = 1;
    Oracle__Sum sum = ORACLE__SUM__INIT;
    sum.data_points = numbers, sum.n_data_points = 1, sum.aggregation_temporality = 2,
    sum.is_monotonic = 1;
    Oracle__HistogramData histogram = ORACLE__HISTOGRAM_DATA__INIT;
    histogram.data_points = hs, histogram.n_data_points = 1, histogram.aggregation_temporality = 1;
    Oracle__Exponential exponential = ORACLE__EXPONENTIAL__INIT;
    exponential.data_points = xs, exponential.n_data_points = 1,
    exponential.aggregation_temporality = 2;
    Oracle__Summary summary = ORACLE__SUMMARY__INIT;
    summary.data_points = ss, summary.n_data_points = 1;
    Oracle__Metric metrics[5], *all[5];
    for (size_t i = 0; i < 5; i++) {
        oracle__metric__init(&metrics[i]);
        metrics[i].name = TEXT("n"), metrics[i].description = TEXT("d"),
        metrics[i].unit = TEXT("u");
        all[i] = &metrics[i];
    }
    metrics[0].data_case = ORACLE__METRIC__DATA_GAUGE, metrics[0].gauge = &gauge;
    metrics[1].data_case = ORACLE__METRIC__DATA_SUM, metrics[1].sum = &sum;
    metrics[2].data_case = ORACLE__METRIC__DATA_HISTOGRAM, metrics[2].histogram = &histogram;
    metrics[3].data_case = ORACLE__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
    metrics[3].exponential_histogram = &exponential;
    metrics[4].data_case = ORACLE__METRIC__DATA_SUMMARY, metrics[4].summary = &summary;
    Oracle__Scope scope = ORACLE__SCOPE__INIT;
    scope.name = TEXT("lib"), scope.version = TEXT("2"), scope.attributes = attributes,
    scope.n_attributes = 1;
    Oracle__ScopeMetrics scope_metrics = ORACLE__SCOPE_METRICS__INIT, *scopes[] = {&scope_metrics};
    scope_metrics.scope = &scope, scope_metrics.schema_url = TEXT("url");
    scope_metrics.metrics = all, scope_metrics.n_metrics = 5;
    Oracle__Resource resource = ORACLE__RESOURCE__INIT;
    resource.attributes = attributes, resource.n_attributes = 2;
    Oracle__ResourceMetrics resource_metrics = ORACLE__RESOURCE_METRICS__INIT,
                            *resources[] = {&resource_metrics};
    resource_metrics.resource = &resource, resource_metrics.scope_metrics = scopes;
    resource_metrics.n_scope_metrics = 1;
    Oracle__MetricsRequest request = ORACLE__METRICS_REQUEST__INIT;
    request.resource_metrics = resources, request.n_resource_metrics = 1;
    assert_true(oracle__metrics_request__get_packed_size(&request) <= cap);
    return oracle__metrics_request__pack(&request, packed);
}

/* The same by hand. */
#define A_TEXT "{\"key\":\"text\",\"value\":{\"stringValue\":\"a\\\"b\"}}"
#define A_YES "{\"key\":\"yes\",\"value\":{\"boolValue\":true}}"
#define A_ALL                                                                                      \
    A_TEXT                                                                                         \
    "," A_YES ",{\"key\":\"int\",\"value\":{\"intValue\":\"-7\"}},"                                \
    "{\"key\":\"double\",\"value\":{\"doubleValue\":0.5}},"                                        \
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\\\"b\"},"       \
    "{\"intValue\":-7}]}}},{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":["              \
    "{\"key\":\"k\",\"value\":{\"boolValue\":true}}]}}}"
#define EXEMPLARS                                                                                  \
    "\"exemplars\":[{\"timeUnixNano\":5000000,\"asInt\":\"-2\",\"traceId\":\"0AF7\",\"spanId\":"   \
    "\"b7\","                                                                                      \
    "\"filteredAttributes\":[" A_TEXT "]}]"
#define NUMBERS                                                                                    \
    "\"dataPoints\":[{\"startTimeUnixNano\":\"1000000\",\"timeUnixNano\":\"1700000000123456789\"," \
    "\"asDouble\":2.5,\"flags\":1,\"attributes\":[" A_ALL "]," EXEMPLARS "}]"
#define HEAD "\"name\":\"n\",\"description\":\"d\",\"unit\":\"u\""
#define SIDE "{\"offset\":-4,\"bucketCounts\":[\"1\",2,\"300\"]}"
static const char everything_json[] =
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" A_TEXT "," A_YES "],\"unknown\":[1]},"
    "\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\",\"version\":\"2\",\"attributes\":[" A_TEXT "]},"
    "\"schemaUrl\":\"url\",\"metrics\":[{" HEAD ",\"gauge\":{" NUMBERS "}},"
    "{" HEAD ",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true," NUMBERS "}},"
    "{" HEAD
    ",\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"timeUnixNano\":\"3000000\","
    "\"count\":303,\"sum\":9,\"bucketCounts\":[1,2,300],\"explicitBounds\":[0.5,10]}]}},"
    "{" HEAD ",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
    "\"timeUnixNano\":\"3000000\",\"count\":\"606\",\"scale\":-1,\"zeroCount\":8,\"zeroThreshold\":"
    "0.25,"
    "\"positive\":" SIDE ",\"negative\":" SIDE "," EXEMPLARS "}]}},"
    "{" HEAD ",\"summary\":{\"dataPoints\":[{\"timeUnixNano\":\"3000000\",\"count\":2,\"sum\":4,"
    "\"quantileValues\":[{\"quantile\":0.99,\"value\":3}]}]}}]}]}]}";

static void test_protobuf_and_json_say_the_same(void **state)
{
    (void)state;
    uint8_t packed[8192];
    size_t size = pack_everything(packed, sizeof(packed));
    struct arena arena;
    struct otlp_metrics one, two;
    struct err e = ERR_INIT;
    struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
    arena_init(&arena, 0);
    assert_int_equal(otlp_metrics_decode(str_make((char *)packed, size), &arena, &one, &e), 0);
    if (otlp_metrics_decode_json(str_of(everything_json), &arena, &two, &e) != 0) {
        fail_msg("%s", e.message);
    }
    write_tree(&a, &one);
    write_tree(&b, &two);
    assert_string_equal(a.data, b.data);
    /* and not both the same nothing */
    assert_non_null(strstr(a.data, "list=[\"a\\\"b\",-7] map={\"k\":true}"));
    assert_non_null(strstr(a.data, "point 1 1700000000123 1 value 2.5"));
    assert_non_null(strstr(a.data, "b1 b2 b300 le0.5 le10"));
    assert_non_null(strstr(a.data, "[-4: 1 2 300] [-4: 1 2 300]"));
    assert_non_null(strstr(a.data, "exemplar 5 -2 0af7 b7 text=a\"b"));
    strbuf_release(&a);
    strbuf_release(&b);
    arena_release(&arena);
}

/* Every prefix is either refused or a message of its own; never read past. */
static void test_truncation(void **state)
{
    (void)state;
    uint8_t packed[8192];
    size_t size = pack_everything(packed, sizeof(packed)), refused = 0;
    for (size_t cut = 0; cut < size; cut++) {
        char *copy =
            malloc(cut + 1); /* exact but for one, so that the sanitizer sees two too far */
        memcpy(copy, packed, cut);
        struct arena arena;
        struct otlp_metrics metrics;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        int status = otlp_metrics_decode(str_make(copy, cut), &arena, &metrics, &e);
        assert_true(status == 0 || (status == ERR_CORRUPT && e.message[0] != '\0'));
        refused += status != 0;
        arena_release(&arena);
        free(copy);
    }
    assert_int_equal(refused, size - 1); /* one field: only nothing and all of it are whole */
}

static void test_bad_json(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "line 1, column 0"},
        {"[]", "the message is not of the kind expected"},
        {"{\"resourceMetrics\":{}}", "resourceMetrics is not of the kind expected"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":5}]}]}]}",
            "name is not"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":["
         "{\"timeUnixNano\":\"x\"}]}}]}]}]}",
            "timeUnixNano is not"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":["
         "{\"exemplars\":[{\"traceId\":\"xyz\"}]}]}}]}]}]}",
            "traceId is not"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct otlp_metrics metrics;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(
            otlp_metrics_decode_json(str_of(cases[i][0]), &arena, &metrics, &e), ERR_CORRUPT);
        if (strstr(e.message, cases[i][1]) == NULL) {
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i][0], e.message, cases[i][1]);
        }
        arena_release(&arena);
    }
}

/* A small message may not make a large tree. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct strbuf points = STRBUF_INIT, message = STRBUF_INIT, outer = STRBUF_INIT;
    for (int i = 0; i < 100000; i++) {
        strbuf_add(&points, "\x0a\x00", 2); /* a point of nothing */
    }
    strbuf_add(&outer, "\x2a", 1); /* Metric.gauge */
    strbuf_add_sized(&outer, strbuf_str(&points));
    for (int level = 0; level < 3; level++) { /* metrics 2, scope_metrics 2, resource_metrics 1 */
        strbuf_reset(&message);
        strbuf_add(&message, level < 2 ? "\x12" : "\x0a", 1);
        strbuf_add_sized(&message, strbuf_str(&outer));
        strbuf_reset(&outer);
        strbuf_add_str(&outer, strbuf_str(&message));
    }
    struct arena arena;
    struct otlp_metrics metrics;
    struct err e = ERR_INIT;
    arena_init(&arena, 1 << 20);
    assert_int_equal(otlp_metrics_decode(strbuf_str(&message), &arena, &metrics, &e), ERR_LIMIT);
    arena_release(&arena);
    arena_init(&arena, 0);
    assert_int_equal(otlp_metrics_decode(strbuf_str(&message), &arena, &metrics, &e), 0);
    assert_int_equal(metrics.resources[0].scopes[0].metrics[0].point_count, 100000);
    arena_release(&arena);
    strbuf_release(&points);
    strbuf_release(&message);
    strbuf_release(&outer);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        bool json;
        uint64_t rejected;
        const char *message, *answer;
        size_t size;
    } cases[] = {
        {false, 0, "", "", 0},
        {true, 0, "", "{}", 2},
        {false, 3, "no", "\x0a\x06\x08\x03\x12\x02no", 8},
        {false, 0, "no", "\x0a\x04\x12\x02no", 6},
        {true, 3, "no",
            "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"no\"}}", 65},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct strbuf out = STRBUF_INIT;
        otlp_write_response(cases[i].json, cases[i].rejected, str_of(cases[i].message), &out);
        assert_int_equal(out.size, cases[i].size);
        assert_memory_equal(out.data, cases[i].answer, out.size);
        strbuf_release(&out);
    }
    struct strbuf out = STRBUF_INIT;
    otlp_write_status(true, 3, STR("bad"), &out);
    assert_string_equal(out.data, "{\"code\":3,\"message\":\"bad\"}");
    strbuf_reset(&out);
    otlp_write_status(false, 3, STR("bad"), &out);
    assert_memory_equal(out.data,
        "\x08\x03\x12\x03"
        "bad",
        7);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf_and_json_say_the_same),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
