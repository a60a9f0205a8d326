/* What ends a query early: time, cancellation, samples, memory, a store that fails, allocations that
 * fail. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"

#define MINUTE 60000

static int run(struct engine_fixture *f, const char *query,
    const struct engine_query_options *options, struct err *e)
{
    struct engine_result result;
    int status = engine_range(f->engine, memory_store_source(f->store), str_of(query), 0,
        60 * MINUTE, MINUTE, options, &result, e);
    if (status == 0) {
        engine_result_release(&result);
    } else {
        assert_int_equal(e->code, status);
        assert_null(result.series);
        assert_int_equal(result.arena.used, 0);
    }
    return status;
}

/* A clock of which each look takes a second. */
static int64_t slow_monotonic_ns(struct clock *clock)
{
    struct fake_clock *fake = (struct fake_clock *)clock;
    fake_clock_advance_ms(fake, 1000);
    return fake->monotonic_ns;
}

static void test_timeout(void **state)
{
    (void)state;
    struct fake_clock slow;
    fake_clock_init(&slow, 0);
    slow.clock.monotonic_ns = slow_monotonic_ns;
    struct engine_fixture f;
    engine_fixture_begin(&f, &(struct engine_options){.clock = &slow.clock, .timeout_ms = 20000});
    engine_fixture_counters(&f, "a", 100, 60 * MINUTE);
    static const char *const queries[] = {"a", "sum(a)", "rate(a[5m])", "a + on(i) a", "a and a",
        "topk(3, a)", "count_values(\"v\", a)", "quantile(0.5, a)",
        "label_replace(a, \"x\", \"$1\", \"i\", \"(.)\")", "max_over_time(a[10m:1m])", "-a",
        "absent(a)", "sort(a)"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(run(&f, queries[i], NULL, &e), ERR_TIMEOUT);
        assert_string_equal(e.message, "query timed out in expression evaluation");
    }
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "a{i=\"1\"}", NULL, &e), 0);
    const struct engine_query_options hasty = {.timeout_ms = 1500};
    assert_int_equal(run(&f, "a{i=\"1\"}", &hasty, &e), ERR_TIMEOUT);
    engine_fixture_end(&f);
}

static void test_cancellation(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 2, 60 * MINUTE);
    atomic_bool canceled = false;
    const struct engine_query_options options = {.canceled = &canceled};
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "sum(a)", &options, &e), 0);
    atomic_store(&canceled, true);
    assert_int_equal(run(&f, "sum(a)", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was canceled in expression evaluation");
    engine_fixture_end(&f);
}

static void test_samples(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 10, 60 * MINUTE);
    const struct engine_query_options few = {.samples_max = 400}, enough = {.samples_max = 5000};
    static const char *const queries[] = {"a", "rate(a[1h])", "a + a", "sum_over_time(a[30m:1m])"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(run(&f, queries[i], &few, &e), ERR_LIMIT);
        assert_string_equal(e.message,
            "query processing would load too many samples into memory in query execution");
        assert_int_equal(run(&f, queries[i], &enough, &e), 0);
    }
    /* An aggregation holds one series at a time. */
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "sum(a)", &few, &e), 0);
    engine_fixture_end(&f);
}

static void test_memory(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, &(struct engine_options){.memory_bytes = 64 << 10});
    engine_fixture_counters(&f, "a", 200, 60 * MINUTE);
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "a", NULL, &e), ERR_LIMIT);
    assert_string_equal(e.message, "query needs more than the 64 KiB of memory it may use");
    assert_int_equal(run(&f, "quantile by (i) (0.5, a)", NULL, &e), ERR_LIMIT);
    assert_int_equal(run(&f, "a{i=\"7\"} * 2", NULL, &e), 0);
    engine_fixture_end(&f);
}

/* What is given back is given back whole, and a query that is alone is not told of others. */
static void test_total_memory(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(
        &f, &(struct engine_options){.memory_bytes = 400 << 10, .memory_total_bytes = 512 << 10});
    engine_fixture_counters(&f, "a", 200, 60 * MINUTE);
    struct engine_result kept;
    struct err e = ERR_INIT;
    assert_int_equal(engine_range(f.engine, memory_store_source(f.store), STR("a"), 0, 60 * MINUTE,
                         MINUTE, NULL, &kept, &e),
        0);
    size_t held = memory_budget_used(engine_memory(f.engine));
    assert_true(held >= 200 * 61 * 16 && held < 400 << 10);
    assert_true(kept.statistics.memory_bytes >= held / 2);
    assert_int_equal(run(&f, "a", NULL, &e), ERR_BUSY);
    assert_string_equal(e.message,
        "all queries together have used up the 512 KiB of memory they may use; try again later");
    assert_int_equal(memory_budget_used(engine_memory(f.engine)), held);
    engine_result_release(&kept);
    assert_int_equal(memory_budget_used(engine_memory(f.engine)), 0);
    assert_int_equal(run(&f, "a", NULL, &e), 0);
    engine_fixture_end(&f);
}

/* 200 series, a sample each 15 s for an hour: 241 in it, and 20 more in the five minutes before a window
 * of an instant vector. */
static void test_cost(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        uint64_t cost; /* samples within the times read + series x steps */
    } rows[] = {
        {"a", 200 * 241 + 200 * 61},
        {"sum(rate(a[10m]))", 200 * 241 + 200 * 61},
        {"a{i=\"1\"} + on (i) a", 201 * 241 + 201 * 61},
        {"sum_over_time(a[30m:1m])", 200 * 241 + 200 * 90},
        {"a @ 0", 200 * 1 + 200 * 61},
    };
    struct engine_fixture f;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int enough = 0; enough < 2; enough++) {
            engine_fixture_begin(
                &f, &(struct engine_options){.cost_max = rows[i].cost - 1 + (uint64_t)enough});
            engine_fixture_counters(&f, "a", 200, 60 * MINUTE);
            struct err e = ERR_INIT;
            int status = run(&f, rows[i].query, NULL, &e);
            if (status != (enough ? 0 : ERR_LIMIT)) {
                fail_msg("%s, %s: %s", rows[i].query, enough ? "enough" : "too little", e.message);
            }
            char figures[128];
            snprintf(figures, sizeof(figures), "%llu in all, and %llu is what one query may cost",
                (unsigned long long)rows[i].cost, (unsigned long long)rows[i].cost - 1);
            if (!enough && strstr(e.message, figures) == NULL) {
                fail_msg("%s: %s; expected %s", rows[i].query, e.message, figures);
            }
            engine_fixture_end(&f);
        }
    }
}

static bool count_down(void *context)
{
    int *left = context;
    return --*left < 0;
}

static void test_watch(void **state)
{
    (void)state;
    struct fake_clock slow;
    fake_clock_init(&slow, 0);
    slow.clock.monotonic_ns = slow_monotonic_ns;
    struct engine_fixture f;
    engine_fixture_begin(&f, &(struct engine_options){.clock = &slow.clock, .timeout_ms = 1000000});
    engine_fixture_counters(&f, "a", 100, 60 * MINUTE);
    struct err e = ERR_INIT;
    int left = 5;
    struct engine_watch watch = {.abandoned = count_down, .context = &left};
    struct engine_query_options options = {.watch = &watch};
    assert_int_equal(run(&f, "sum(a)", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was canceled: its client went away");
    assert_int_equal(left, -1);
    left = 1000;
    assert_int_equal(run(&f, "sum(a)", &options, &e), 0);
    assert_in_range(atomic_load(&watch.samples), 99 * 241, 100 * 241);
    assert_true(atomic_load(&watch.memory_bytes) > 0);
    atomic_store(&watch.killed, true);
    assert_int_equal(run(&f, "sum(a)", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was killed by an administrator");
    engine_fixture_end(&f);
}

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t start, end, step;
        const char *message;
    } rows[] = {
        {"a", 0, 10, 0,
            "zero or negative query resolution step widths are not accepted. Try a positive "
            "integer"},
        {"a", 10, 0, 1, "end timestamp must not be before start time"},
        {"a", INT64_MIN, INT64_MAX, 1, "timestamp -9223372036854775808 is out of range"},
        {"a", 0, ENGINE_STEPS_MAX, 1, "query has more than the 16777216 steps accepted"},
        {"a", 0, INT64_MAX, INT64_MAX, "timestamp 9223372036854775807 is out of range"},
        {"\"text\"", 0, 10, 1,
            "invalid expression type \"string\" for range query, must be Scalar or instant Vector"},
        {"a[5m]", 0, 10, 1,
            "invalid expression type \"range vector\" for range query, must be Scalar or instant "
            "Vector"},
    };
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct engine_result result;
        struct err e = ERR_INIT;
        assert_int_equal(engine_range(f.engine, memory_store_source(f.store), str_of(rows[i].query),
                             rows[i].start, rows[i].end, rows[i].step, NULL, &result, &e),
            ERR_INVALID);
        assert_string_equal(e.message, rows[i].message);
    }
    struct engine_result result;
    assert_int_equal(
        engine_instant(f.engine, memory_store_source(f.store), STR("a +"), 0, NULL, &result, NULL),
        ERR_INVALID);
    engine_fixture_end(&f);
}

/* Times at the ends of what is accepted neither overflow nor find anything. */
static void test_extreme_times(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    engine_fixture_counters(&f, "a", 1, 10 * MINUTE);
    static const char *const queries[] = {"a", "rate(a[5m])", "a offset 100y", "a offset -100y",
        "sum_over_time(a[100y])", "max_over_time(a[10m:1m] offset 1y)", "rate(a[1m] smoothed)",
        "rate(a[1m] anchored)", "time()", "timestamp(a)", "a @ 9e15 offset -200y",
        "a @ -9e15 offset 200y", "rate(a[200y:1y] @ 9e15)"};
    static const int64_t times[] = {
        INT64_MIN, INT64_MAX, -(INT64_C(1) << 61), INT64_C(1) << 61, (INT64_C(1) << 61) + 1};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
            free(engine_fixture_instant(&f, queries[i], times[k]));
        }
    }
    engine_fixture_end(&f);
}

/* Whichever allocation fails, the query ends with ERR_NOMEM and nothing leaks. */
static void fail_allocations(const struct engine_options *shared)
{
    static const char *const queries[] = {
        "a",
        "a[5m]",
        "sum by (job) (rate(a[5m]))",
        "a / on (i) group_left b",
        "a and b or c unless a",
        "topk by (job) (1, a)",
        "count_values(\"v\", a)",
        "quantile(0.9, a)",
        "label_replace(a, \"x\", \"y$1\", \"i\", \"(.*)\")",
        "label_join(a, \"x\", \"-\", \"i\", \"job\")",
        "max_over_time(rate(a[2m])[6m:1m])",
        "changes(a[5m]) + resets(a[5m]) + deriv(a[5m])",
        "absent(nothing{x=\"y\"})",
        "sort_desc(a)",
        "sum(h)",
        "rate(h[5m])",
        "histogram_quantile(0.9, sum(rate(h[5m])))",
        "histogram_quantile(0.9, label_replace(a, \"le\", \"$1\", \"i\", \"(.*)\"))",
        "avg_over_time(h[5m]) * 2 + h",
        "h >/ 1.5",
        "info(a)",
        "histogram_quantiles(h, \"q\", 0.1, 0.9)",
        "b + on (i) group_right a",
        "stddev by (i) (a) > bool 0",
        "limitk(1, a) or limit_ratio(0.5, a)",
        "sort_by_label(a, \"i\")",
        "rate(h[5m] smoothed)",
        "count_values(\"v\", h)",
        "a + fill(0) b",
        "histogram_count(a) + sum(h) + a",
    };
    struct engine_fixture f;
    engine_fixture_begin(&f, shared);
    engine_fixture_counters(&f, "a", 3, 10 * MINUTE);
    engine_fixture_counters(&f, "b", 2, 10 * MINUTE);
    engine_fixture_counters(&f, "c", 4, 10 * MINUTE);
    engine_fixture_counters(&f, "target_info", 2, 10 * MINUTE);
    engine_fixture_histograms(&f, "h", 3, 10 * MINUTE);
    uint64_t rounds = 0;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        bool struck = true;
        for (uint64_t n = 1; struck; n++) {
            struct engine_result result;
            struct err e = ERR_INIT;
            mem_fail_nth(n);
            int status =
                i == 1 ? engine_instant(f.engine, memory_store_source(f.store), str_of(queries[i]),
                             6 * MINUTE, NULL, &result, &e)
                       : engine_range(f.engine, memory_store_source(f.store), str_of(queries[i]),
                             6 * MINUTE, 10 * MINUTE, MINUTE, NULL, &result, &e);
            struck = !mem_fail_pending();
            mem_fail_nth(0);
            if (status == 0) {
                engine_result_release(&result);
            }
            if (status == 0 ? struck : !struck || status != ERR_NOMEM) {
                fail_msg("%s: allocation %llu: %s: %s", queries[i], (unsigned long long)n,
                    err_name(status), e.message);
            }
            rounds++;
        }
    }
    print_message("%llu rounds\n", (unsigned long long)rounds);
    engine_fixture_end(&f);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    fail_allocations(NULL);
}

/* The same where series are evaluated in batches. */
static void test_failing_allocations_of_batches(void **state)
{
    (void)state;
    fail_allocations(
        &(struct engine_options){.delayed_name_removal = true, .threads = 1, .share_min = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_total_memory),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_extreme_times),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_failing_allocations_of_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
