/* Exposition text: headers, escapes, numbers. */
#include "collectors/text_sink.h"

#include <math.h>

#include "support/support.h"

static void families_and_samples(void **state)
{
    (void)state;
    struct strbuf out = STRBUF_INIT;
    struct text_sink s;
    text_sink_init(&s, &out);
    metric_family(&s.sink, "a_total", METRIC_TYPE_COUNTER, "Back\\slash, \"quote\"\nline.");
    metric_sample(&s.sink, NULL, 0, 1);
    metric_family(&s.sink, "empty", METRIC_TYPE_GAUGE, "No samples, no trace.");
    metric_family(&s.sink, "b", METRIC_TYPE_GAUGE, "Labels.");
    struct label_pair labels[] = {{"one", STR("x\\y\"z\n")}, {"two", STR("")}};
    metric_sample(&s.sink, labels, 2, 0.5);
    metric_sample(&s.sink, labels, 1, 2);
    metric_single(&s.sink, "c", METRIC_TYPE_UNKNOWN, "Untyped.", -1);
    assert_string_equal(out.data, "# HELP a_total Back\\\\slash, \"quote\"\\nline.\n"
                                  "# TYPE a_total counter\n"
                                  "a_total 1\n"
                                  "# HELP b Labels.\n"
                                  "# TYPE b gauge\n"
                                  "b{one=\"x\\\\y\\\"z\\n\",two=\"\"} 0.5\n"
                                  "b{one=\"x\\\\y\\\"z\\n\"} 2\n"
                                  "# HELP c Untyped.\n"
                                  "# TYPE c untyped\n"
                                  "c -1\n");
    strbuf_release(&out);
}

static void values_read_back_to_the_same_bits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {9007199254740991, "9007199254740991"},
        {1e21, "1e+21"},
        {0.1, "0.1"},
        {1e-7, "1e-07"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct text_sink s;
        text_sink_init(&s, &out);
        metric_single(&s.sink, "v", METRIC_TYPE_GAUGE, "h", rows[i].value);
        char expected[128];
        (void)snprintf(
            expected, sizeof(expected), "# HELP v h\n# TYPE v gauge\nv %s\n", rows[i].text);
        assert_string_equal(out.data, expected);
        strbuf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_and_samples),
        cmocka_unit_test(values_read_back_to_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
