/* What answers look like: order, times, names, statistics; and that borders of runs are not seen. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE 60000

static void test_order_and_times(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 3, 10 * MINUTE);
    expect_range(&f, "a", 0, 30000, 15000,
        "a{i=\"0\", job=\"even\"} 0@0 1@15000 2@30000\n"
        "a{i=\"1\", job=\"odd\"} 0@0 2@15000 4@30000\n"
        "a{i=\"2\", job=\"even\"} 0@0 3@15000 6@30000\n");
    expect_instant(&f, "sort_desc(a)", MINUTE,
        "a{i=\"2\", job=\"even\"} 12@60000\n"
        "a{i=\"1\", job=\"odd\"} 8@60000\n"
        "a{i=\"0\", job=\"even\"} 4@60000\n");
    expect_instant(&f, "topk(2, a)", MINUTE,
        "a{i=\"2\", job=\"even\"} 12@60000\n"
        "a{i=\"1\", job=\"odd\"} 8@60000\n");
    expect_instant(
        &f, "a{i=\"1\"}[31s]", MINUTE, "a{i=\"1\", job=\"odd\"} 4@30000 6@45000 8@60000\n");
    expect_instant(&f, "a{i=\"1\"}[30s]", MINUTE, "a{i=\"1\", job=\"odd\"} 6@45000 8@60000\n");
    expect_instant(&f, "a{i=\"1\"}[1m:30s]", MINUTE, "a{i=\"1\", job=\"odd\"} 4@30000 8@60000\n");
    expect_instant(&f, "a{i=\"1\"} offset 30s", MINUTE, "a{i=\"1\", job=\"odd\"} 4@60000\n");
    expect_instant(&f, "1 + 2", MINUTE, "scalar 3@60000\n");
    expect_instant(&f, "\"t\\\"x\"", MINUTE, "string t\"x\n");
    expect_instant(&f, "nothing", MINUTE, "");
    expect_range(&f, "time()", 1000, 3000, 1000, "{} 1@1000 2@2000 3@3000\n");
    engine_fixture_end(&f);
}

/* Names go at once, or at the end. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *query, *delayed, *at_once;
    } rows[] = {
        {"rate({__name__=~\"a|b\"}[1m])",
            "INTERNAL: vector cannot contain metrics with the same labelset\n",
            "INTERNAL: vector cannot contain metrics with the same labelset\n"},
        {"sum by (__name__) (rate({__name__=~\"a|b\"}[1m]))",
            "INTERNAL: vector cannot contain metrics with the same labelset\n",
            "INTERNAL: vector cannot contain metrics with the same labelset\n"},
        {"-a", "{i=\"0\", job=\"even\"} -4@60000\n", "{i=\"0\", job=\"even\"} -4@60000\n"},
        {"label_replace(-a, \"was\", \"$1\", \"__name__\", \"(.*)\")",
            "{i=\"0\", job=\"even\", was=\"a\"} -4@60000\n", "{i=\"0\", job=\"even\"} -4@60000\n"},
        {"last_over_time(a[1m])", "a{i=\"0\", job=\"even\"} 4@60000\n",
            "a{i=\"0\", job=\"even\"} 4@60000\n"},
    };
    for (int delayed = 0; delayed < 2; delayed++) {
        struct engine_fixture f;
        engine_fixture_begin(&f, &(struct engine_options){.delayed_name_removal = delayed == 1});
        engine_fixture_counters(&f, "a", 1, 10 * MINUTE);
        engine_fixture_counters(&f, "b", 1, 10 * MINUTE);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            expect_instant(
                &f, rows[i].query, MINUTE, delayed == 1 ? rows[i].delayed : rows[i].at_once);
        }
        engine_fixture_end(&f);
    }
}

static void test_annotations(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 1, 10 * MINUTE);
    expect_instant(&f, "rate(a[1m])", MINUTE,
        "{i=\"0\", job=\"even\"} 0.06666666666666665@60000\n"
        "PromQL info: metric might not be a counter, name does not end in "
        "_total/_sum/_count/_bucket: \"a\" (1:6)\n");
    expect_instant(&f, "\n  quantile(7, a)", MINUTE,
        "{} +Inf@60000\n"
        "PromQL warning: quantile value should be between 0 and 1, got 7 (2:12)\n");
    engine_fixture_end(&f);
}

static void test_statistics(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 3, 10 * MINUTE);
    struct engine_result result;
    struct err e = ERR_INIT;
    assert_int_equal(engine_range(f.engine, memory_store_source(f.store), STR("sum(a)"), 0,
                         4 * MINUTE, MINUTE, NULL, &result, &e),
        0);
    assert_int_equal(result.type, PROMQL_MATRIX);
    assert_int_equal(result.statistics.series, 3);
    assert_true(result.statistics.samples >= 15);
    assert_true(result.statistics.samples_peak > 0);
    assert_true(result.statistics.evaluate_ns >= 0);
    engine_result_release(&result);
    engine_result_release(&result); /* an empty one */
    engine_fixture_end(&f);
}

/* The store may cut columns anywhere. */
static void test_borders_of_runs(void **state)
{
    (void)state;
    static const char *const queries[] = {"a", "rate(a[1m])", "increase(a[45s])",
        "sum_over_time(a[1m])", "max_over_time(a[1m])", "changes(a[2m])", "sum(a)", "h",
        "rate(h[1m])", "sum_over_time(h[1m])", "histogram_count(h)", "rate(a[1m] anchored)",
        "rate(a[1m] smoothed)", "a smoothed", "timestamp(a)", "a and h"};
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 3, 10 * MINUTE);
    engine_fixture_histograms(&f, "h", 3, 10 * MINUTE);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        memory_store_set_run_length(f.store, 0);
        char *whole = engine_fixture_range(&f, queries[i], 0, 12 * MINUTE, 20000);
        for (size_t length = 1; length < 8; length++) {
            memory_store_set_run_length(f.store, length);
            char *cut = engine_fixture_range(&f, queries[i], 0, 12 * MINUTE, 20000);
            assert_string_equal(cut, whole);
            free(cut);
        }
        free(whole);
    }
    engine_fixture_end(&f);
}

/* A step of a range query is what an instant query at its time gives. */
static void test_steps_are_instants(void **state)
{
    (void)state;
    static const char *const queries[] = {"sum(a)", "sum(rate(a[1m]))",
        "max(max_over_time(a[45s]))", "sum(a * on (i) a)", "quantile(0.5, a)", "stddev(a)",
        "sum(sum_over_time(a[1m:10s]))", "sum(a and a > 10)", "avg(avg_over_time(a[3m]))",
        "sum(deriv(a[2m]))", "sum(predict_linear(a[2m], 60))",
        "sum(quantile_over_time(0.3, a[1m]))", "sum(rate(a[1m] smoothed))",
        "sum(increase(a[50s] anchored))", "count(topk(2, a))",
        "histogram_quantile(0.5, sum(rate(h[1m])))", "histogram_count(sum(h))", "sum(a offset 1m)",
        "sum(a @ 100)", "sum(double_exponential_smoothing(a[3m], 0.5, 0.5))"};
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 5, 10 * MINUTE);
    engine_fixture_histograms(&f, "h", 3, 10 * MINUTE);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        char *range = engine_fixture_range(&f, queries[i], 0, 12 * MINUTE, 37000);
        const char *rest = range + 2;
        assert_memory_equal(range, "{}", 2);
        for (int64_t t = 0; t <= 12 * MINUTE; t += 37000) {
            char *one = engine_fixture_instant(&f, queries[i], t);
            char *end = strchr(one, '\n');
            size_t length = end != NULL ? (size_t)(end - one) - 2 : 0;
            if (length > 0 && strncmp(rest, one + 2, length) != 0) {
                fail_msg("%s: %s is not in %s", queries[i], one, range);
            }
            rest += length;
            free(one);
        }
        assert_int_equal(*rest, '\n');
        free(range);
    }
    engine_fixture_end(&f);
}

/* An explanation has a step for each part of the expression, outer before inner, with its text. */
static void test_explanation(void **state)
{
    (void)state;
    static const struct {
        uint32_t depth;
        const char *text;
        uint64_t series, samples;
    } expected[] = {
        {0, "sum by (job) (rate(a[1m])) / 2", 2, 15},
        {1, "sum by (job) (rate(a[1m]))", 2, 15},
        {2, "rate(a[1m])", 3, 15},
    };
    struct engine_fixture f;
    struct engine_result r;
    struct err e = ERR_INIT;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 3, 10 * MINUTE);
    struct engine_query_options options = {.explain = true};
    assert_int_equal(engine_range(f.engine, memory_store_source(f.store), str_of(expected[0].text),
                         MINUTE, MINUTE + 15000, 15000, &options, &r, &e),
        0);
    assert_int_equal(r.explain_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct engine_explain *x = &r.explain[i];
        if (x->depth != expected[i].depth || !str_eq_c(x->text, expected[i].text) ||
            x->series != expected[i].series || x->samples != expected[i].samples) {
            fail_msg("step %zu: depth %u, %.*s, %llu series, %llu samples", i, x->depth,
                STR_ARG(x->text), (unsigned long long)x->series, (unsigned long long)x->samples);
        }
        assert_true(i == 0 || x->evaluate_ns <= r.explain[i - 1].evaluate_ns);
    }
    engine_result_release(&r);
    options.explain = false;
    assert_int_equal(engine_range(f.engine, memory_store_source(f.store), str_of(expected[0].text),
                         MINUTE, MINUTE + 15000, 15000, &options, &r, &e),
        0);
    assert_null(r.explain);
    engine_result_release(&r);
    engine_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_times),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_explanation),
        cmocka_unit_test(test_borders_of_runs),
        cmocka_unit_test(test_steps_are_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
