/* Series as lines of JSON: examples of VictoriaMetrics' documentation, the round trip, and refusals. */
#include <math.h>

#include "base/bytes.h"
#include "model/sample.h"
#include "support/support.h"
#include "wire/json_lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_round_trip(void **state)
{
    (void)state;
    static const struct label labels[] = {
        {STR("__name__"), STR("m")}, {STR("a.b"), STR("quote \" and \xc3\xa9\n")}};
    const double values[] = {0.1, -0.0, 1e300, 5e-324, INFINITY, -INFINITY, value_nan(),
        value_stale_marker(), 12345678901234567890.0};
    const int64_t times[] = {-5, 0, 1, 1700000000000, 1700000000001, 3, 4, 5, INT64_C(1) << 53};
    struct strbuf out = STRBUF_INIT;
    struct arena arena;
    struct json_line line;
    struct err e = ERR_INIT;
    json_line_encode(labels, 2, times, values, COUNT(values), &out);
    assert_int_equal(out.data[out.size - 1], '\n');
    arena_init(&arena, 0);
    if (json_line_decode(str_trim(strbuf_str(&out)), 0, &arena, &line, &e) != 0) {
        fail_msg("%s in %s", e.message, out.data);
    }
    assert_int_equal(line.label_count, 2);
    assert_true(str_eq(line.labels[1].name, labels[1].name));
    assert_true(str_eq(line.labels[1].value, labels[1].value));
    assert_int_equal(line.count, COUNT(values));
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_int_equal(line.times[i], times[i]);
        if (double_bits(line.values[i]) != double_bits(values[i])) {
            fail_msg("%zu: %g instead of %g", i, line.values[i], values[i]);
        }
    }
    arena_release(&arena);
    strbuf_release(&out);
}

static void test_text(void **state)
{
    (void)state;
    static const struct label labels[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("node")}};
    static const double values[] = {1, 0.5};
    static const int64_t times[] = {1700000000000, 1700000015000};
    struct strbuf out = STRBUF_INIT;
    json_line_encode(labels, 2, times, values, 2, &out);
    assert_string_equal(out.data,
        "{\"metric\":{\"__name__\":\"up\",\"job\":\"node\"},\"values\":[1,0.5],"
        "\"timestamps\":[1700000000000,1700000015000]}\n");
    strbuf_release(&out);
}

/* All that a histogram can say, and what may be left out. */
static void test_histograms(void **state)
{
    (void)state;
    static const struct label labels[] = {{STR("__name__"), STR("h")}};
    static const struct histogram_span positive[] = {{1, 2}, {3, 1}}, negative[] = {{-2, 1}};
    static const double positive_counts[] = {2, 1, 2}, negative_counts[] = {0.25};
    static const double bounds[] = {0.5, 10};
    const struct histogram all[] = {
        {.schema = 0,
            .integer = true,
            .reset_hint = HISTOGRAM_RESET_NO,
            .zero_threshold = 0.001,
            .zero_count = 2,
            .count = 7,
            .sum = 5.5,
            .positive = {positive, 2, positive_counts, 3}},
        {.schema = 8,
            .reset_hint = HISTOGRAM_GAUGE,
            .count = 0.25,
            .sum = -0.0,
            .negative = {negative, 1, negative_counts, 1}},
        {.schema = HISTOGRAM_SCHEMA_CUSTOM,
            .count = 3,
            .sum = INFINITY,
            .positive = {&(const struct histogram_span){0, 2}, 1, positive_counts, 2},
            .custom_values = bounds,
            .custom_count = 2},
        {.schema = -4, .integer = true, .sum = value_stale_marker()},
        {.schema = 3, .reset_hint = HISTOGRAM_RESET_YES, .sum = value_nan()},
    };
    const struct histogram *list[COUNT(all)];
    static const int64_t times[COUNT(all)] = {1, 2, 3, 4, 5};
    struct strbuf out = STRBUF_INIT;
    struct arena arena;
    struct json_line line;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < COUNT(all); i++) {
        list[i] = &all[i];
    }
    json_line_encode_histograms(labels, 1, times, list, COUNT(all), &out);
    static const char begins[] =
        "{\"metric\":{\"__name__\":\"h\"},\"histograms\":[{\"schema\":0,\"count\":7,\"sum\":5.5,"
        "\"zero_threshold\":0.001,\"zero_count\":2,\"reset\":\"no\",\"integer\":true,"
        "\"positive\":[[1,2,1],[3,2]]},{";
    assert_true(str_starts_with(strbuf_str(&out), str_of(begins)));
    arena_init(&arena, 0);
    if (json_line_decode(str_trim(strbuf_str(&out)), 0, &arena, &line, &e) != 0) {
        fail_msg("%s in %s", e.message, out.data);
    }
    assert_null(line.values);
    assert_int_equal(line.count, COUNT(all));
    for (size_t i = 0; i < COUNT(all); i++) {
        const struct histogram *got = line.histograms[i];
        assert_int_equal(line.times[i], times[i]);
        if (!histogram_eq(got, &all[i]) || got->integer != all[i].integer ||
            got->reset_hint != all[i].reset_hint) {
            fail_msg("histogram %zu of %s", i, out.data);
        }
    }
    arena_release(&arena);
    strbuf_release(&out);
}

#define HISTOGRAM(text)                                                                            \
    "{\"metric\":{\"__name__\":\"m\"},\"histograms\":[" text "],\"timestamps\":[1]}"

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "column 0: '[' or '{' expected near end of file"},
        {"[]", "a line must be an object"},
        {"{\"values\":[1],\"timestamps\":[1]}", "\"metric\" must be an object of labels"},
        {"{\"metric\":{\"__name__\":5},\"values\":[1],\"timestamps\":[1]}",
            "the value of a label must be text"},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]}",
            "the series has no metric name (label __name__)"},
        {"{\"metric\":{\"__name__\":\"m\"},\"values\":[1,2],\"timestamps\":[1]}",
            "\"values\" (or \"histograms\") and \"timestamps\" must be of the same length"},
        {"{\"metric\":{\"__name__\":\"m\"},\"values\":[\"x\"],\"timestamps\":[1]}",
            "a value must be a number, null, \"NaN\", \"Infinity\" or \"-Infinity\""},
        {"{\"metric\":{\"__name__\":\"m\"},\"values\":[1],\"timestamps\":[1.5]}",
            "a timestamp must be a whole number of milliseconds"},
        {"{\"metric\":{\"__name__\":\"m\"}}",
            "\"values\" (or \"histograms\") and \"timestamps\" must be lists"},
        {HISTOGRAM("5"), "a histogram must be an object"},
        {HISTOGRAM("{\"count\":1,\"sum\":1}"), "a histogram's \"schema\" must be a whole number"},
        {HISTOGRAM("{\"schema\":0.5,\"count\":1,\"sum\":1}"),
            "a histogram's \"schema\" must be a whole number"},
        {HISTOGRAM("{\"schema\":0,\"count\":1}"), "a histogram's \"sum\" must be a number"},
        {HISTOGRAM("{\"schema\":0,\"count\":1,\"sum\":1,\"reset\":\"maybe\"}"),
            "a histogram's \"reset\" must be \"unknown\", \"yes\", \"no\" or \"gauge\""},
        {HISTOGRAM("{\"schema\":0,\"count\":1,\"sum\":1,\"positive\":5}"),
            "a histogram's \"positive\" must be a list"},
        {HISTOGRAM("{\"schema\":0,\"count\":1,\"sum\":1,\"positive\":[[]]}"),
            "a histogram's \"positive\" must be a list of spans [offset, count, …]"},
        {HISTOGRAM("{\"schema\":0,\"count\":1,\"sum\":1,\"positive\":[[0,[]]]}"),
            "a histogram's \"positive\" must be of numbers"},
        {HISTOGRAM("{\"schema\":0,\"count\":1,\"sum\":1,\"positive\":[[1e10,1]]}"),
            "a histogram's \"positive\" must be a list of spans [offset, count, …]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct json_line line;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(
            json_line_decode(str_of(cases[i].text), 0, &arena, &line, &e), ERR_INVALID);
        assert_string_equal(e.message, cases[i].says);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
