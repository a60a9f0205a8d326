/* Series shared among threads: answers are the same bytes whatever the number of threads, limits hold,
 * queries that meet do not wait for each other. */
#include "engine_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crew.h"
#include "support/fake_clock.h"

#define MINUTE 60000
#define QUERY_THREADS 4

/* Series in other jobs, with resets, gaps, other starts; values whose sums depend on the order. */
static void add_awkward(struct engine_fixture *f, const char *name, size_t count, int64_t until_ms)
{
    uint64_t random = 42;
    for (size_t i = 0; i < count; i++) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%zu", i);
        const struct label pairs[] = {{STR(LABEL_METRIC_NAME), str_of(name)},
            {STR("i"), str_of(number)}, {STR("job"), i % 3 == 0 ? STR("a") : STR("b")}};
        const struct labels *labels;
        assert_int_equal(labels_new(pairs, 3, &labels, NULL), 0);
        double value = 0;
        for (int64_t t = (int64_t)i % 7 * 15000; t <= until_ms; t += 15000) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            value = random >> 60 == 0 ? 0 : value + (double)(random >> 40) * 1e-3;
            if (random >> 59 != 1) {
                assert_int_equal(memory_store_append(f->store, labels, t, value), 0);
            }
        }
        labels_unref(labels);
    }
}

static void fill(struct engine_fixture *f)
{
    engine_fixture_counters(f, "a", 37, 30 * MINUTE);
    engine_fixture_counters(f, "b_total", 20, 30 * MINUTE);
    engine_fixture_histograms(f, "h", 11, 30 * MINUTE);
    add_awkward(f, "c_total", 50, 30 * MINUTE);
    add_awkward(f, "mixed", 5, 20 * MINUTE);
    engine_fixture_histograms(f, "mixed", 5, 10 * MINUTE);
}

static const char *const queries[] = {
    "a",
    "c_total",
    "h",
    "mixed",
    "sum(c_total)",
    "sum by (job) (rate(c_total[5m]))",
    "avg(rate(c_total[2m]))",
    "stddev by (job) (c_total)",
    "quantile(0.3, c_total)",
    "rate(a[5m])",
    "rate(h[5m])",
    "sum(rate(h[5m]))",
    "increase(mixed[5m])",
    "rate({__name__=~\".+\"}[3m])",
    "sum({__name__=~\".+\"}) by (__name__)",
    "avg_over_time(h[3m])",
    "max_over_time(c_total[5m])",
    "quantile_over_time(0.9, c_total[5m])",
    "quantile_over_time(scalar(c_total{i=\"0\"}), c_total[5m])",
    "topk(3, c_total)",
    "bottomk by (job) (2, rate(c_total[4m]))",
    "limitk(4, c_total)",
    "count_values(\"v\", round(c_total, 1000))",
    "c_total / on (i) group_left a",
    "c_total and on (i) a or b_total unless on (i) h",
    "max_over_time(sum(rate(c_total[5m]))[10m:1m])",
    "stddev_over_time(rate(c_total[2m])[10m:30s])",
    "label_replace(c_total, \"x\", \"$1\", \"i\", \"(.).*\")",
    "histogram_quantile(0.9, rate(h[5m]))",
    "histogram_count(h)",
    "timestamp(c_total)",
    "last_over_time(c_total[1m])",
    "absent_over_time(c_total[1m])",
    "sort_desc(c_total)",
    "delta(c_total[5m] smoothed)",
    "increase(c_total[5m] anchored)",
    "c_total offset 3m - c_total @ 600",
    "{__name__=~\"c_total|b_total\", i=~\"1.*\"} * 2",
    "increase(c_total[2h])",
    "-c_total",
};

#define QUERIES (sizeof(queries) / sizeof(queries[0]))

static char *answer(struct engine_fixture *f, size_t i, bool range)
{
    return range ? engine_fixture_range(f, queries[i], 5 * MINUTE, 25 * MINUTE, 40000)
                 : engine_fixture_instant(f, queries[i], 17 * MINUTE);
}

static struct engine *engine_with(unsigned threads, uint64_t share_min)
{
    struct engine *engine;
    const struct engine_options options = {.delayed_name_removal = true,
        .features = PROMQL_FEATURES_ALL,
        .threads = threads,
        .share_min = share_min};
    assert_int_equal(engine_new(&options, &engine), 0);
    return engine;
}

static void test_same_bytes(void **state)
{
    (void)state;
    static const struct {
        unsigned threads;
        uint64_t share_min;
    } rows[] = {{1, 1}, {2, 1}, {3, 1}, {8, 1}, {16, 1}, {2, 20000}, {3, 50000}};
    struct engine_fixture alone, shared;
    engine_fixture_begin(
        &alone, &(struct engine_options){
                    .delayed_name_removal = true, .threads = 1, .share_min = UINT64_MAX});
    fill(&alone);
    char *expected[QUERIES][2];
    for (size_t i = 0; i < QUERIES * 2; i++) {
        expected[i / 2][i % 2] = answer(&alone, i / 2, i % 2 == 1);
    }
    shared.store = alone.store;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        shared.engine = engine_with(rows[r].threads, rows[r].share_min);
        for (size_t i = 0; i < QUERIES * 2; i++) {
            char *text = answer(&shared, i / 2, i % 2 == 1);
            if (strcmp(text, expected[i / 2][i % 2]) != 0) {
                fail_msg("%s, %u threads\nexpected: %s\ngot:      %s", queries[i / 2],
                    rows[r].threads, expected[i / 2][i % 2], text);
            }
            free(text);
        }
        engine_free(shared.engine);
    }
    for (size_t i = 0; i < QUERIES * 2; i++) {
        free(expected[i / 2][i % 2]);
    }
    engine_fixture_end(&alone);
}

/* What was read is counted alike. */
static void test_same_statistics(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(&f, NULL);
    fill(&f);
    size_t failed = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        struct engine_statistics found[2] = {{0}};
        int status[2];
        for (int shared = 0; shared < 2; shared++) {
            struct engine *engine = engine_with(3, shared ? 1 : UINT64_MAX);
            struct engine_result result;
            status[shared] = engine_range(engine, memory_store_source(f.store), str_of(queries[i]),
                5 * MINUTE, 25 * MINUTE, 40000, NULL, &result, NULL);
            if (status[shared] == 0) {
                found[shared] = result.statistics;
                engine_result_release(&result);
            }
            engine_free(engine);
        }
        failed += status[0] != 0;
        assert_int_equal(status[0], status[1]);
        assert_int_equal(found[0].samples, found[1].samples);
        assert_int_equal(found[0].series, found[1].series);
        if (status[0] == 0) { // other threads may come, or be late
            assert_int_equal(found[0].threads, 1);
            assert_int_equal(found[0].helped_ns, 0);
            assert_in_range(found[1].threads, 1, 3);
            assert_true(found[1].threads == 1 || found[1].helped_ns > 0);
        }
    }
    assert_int_equal(failed, 1); // the one that drops different names
    engine_fixture_end(&f);
}

/* ---- What ends a query early ---- */

static int run(struct engine_fixture *f, const char *query,
    const struct engine_query_options *options, struct err *e)
{
    struct engine_result result;
    int status = engine_range(f->engine, memory_store_source(f->store), str_of(query), 0,
        30 * MINUTE, MINUTE, options, &result, e);
    if (status == 0) {
        engine_result_release(&result);
    }
    return status;
}

/* A clock of which each look takes a second. */
static int64_t slow_monotonic_ns(struct clock *clock)
{
    fake_clock_advance_ms((struct fake_clock *)clock, 1000);
    return atomic_load(&((struct fake_clock *)clock)->monotonic_ns);
}

static void test_deadline(void **state)
{
    (void)state;
    struct fake_clock slow;
    fake_clock_init(&slow, 0);
    slow.clock.monotonic_ns = slow_monotonic_ns;
    struct engine_fixture f;
    engine_fixture_begin(
        &f, &(struct engine_options){
                .clock = &slow.clock, .timeout_ms = 20000, .threads = 4, .share_min = 1});
    engine_fixture_counters(&f, "a", 100, 30 * MINUTE);
    static const char *const slow_queries[] = {"a", "sum(a)", "rate(a[5m])", "a + on(i) a"};
    for (size_t i = 0; i < sizeof(slow_queries) / sizeof(slow_queries[0]); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(run(&f, slow_queries[i], NULL, &e), ERR_TIMEOUT);
        assert_string_equal(e.message, "query timed out in expression evaluation");
    }
    engine_fixture_end(&f);
}

static bool yes(void *context)
{
    return *(bool *)context;
}

static void test_ended_from_outside(void **state)
{
    (void)state;
    struct fake_clock slow;
    fake_clock_init(&slow, 0);
    slow.clock.monotonic_ns = slow_monotonic_ns;
    struct engine_fixture f;
    engine_fixture_begin(
        &f, &(struct engine_options){
                .clock = &slow.clock, .timeout_ms = 1000000000, .threads = 3, .share_min = 1});
    engine_fixture_counters(&f, "a", 100, 30 * MINUTE);
    bool gone = false;
    struct engine_watch watch = {.abandoned = yes, .context = &gone};
    atomic_bool canceled = false;
    struct engine_query_options options = {.watch = &watch, .canceled = &canceled};
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "sum(rate(a[5m]))", &options, &e), 0);
    assert_in_range(atomic_load(&watch.samples), 99 * 121, 100 * 121);
    gone = true;
    assert_int_equal(run(&f, "sum(rate(a[5m]))", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was canceled: its client went away");
    gone = false;
    atomic_store(&canceled, true);
    assert_int_equal(run(&f, "sum(rate(a[5m]))", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was canceled in expression evaluation");
    atomic_store(&canceled, false);
    atomic_store(&watch.killed, true);
    assert_int_equal(run(&f, "sum(rate(a[5m]))", &options, &e), ERR_CANCELED);
    assert_string_equal(e.message, "query was killed by an administrator");
    engine_fixture_end(&f);
}

static void test_limits(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(
        &f, &(struct engine_options){.memory_bytes = 1 << 20, .threads = 4, .share_min = 1});
    engine_fixture_counters(&f, "a", 3000, 30 * MINUTE);
    struct err e = ERR_INIT;
    assert_int_equal(run(&f, "a", NULL, &e), ERR_LIMIT);
    assert_string_equal(e.message, "query needs more than the 1024 KiB of memory it may use");
    const struct engine_query_options few = {.samples_max = 120}, enough = {.samples_max = 200};
    assert_int_equal(run(&f, "sum(a{i=~\"1.\"})", &few, &e), ERR_LIMIT);
    assert_string_equal(
        e.message, "query processing would load too many samples into memory in query execution");
    assert_int_equal(run(&f, "sum(a{i=~\"1.\"})", &enough, &e), 0);
    assert_int_equal(memory_budget_used(engine_memory(f.engine)), 0);
    engine_fixture_end(&f);
}

/* ---- Queries that meet ---- */

struct asker {
    struct engine_fixture *f;
    char *const *expected;
    size_t offset;
    size_t wrong;
};

static void *ask(void *argument)
{
    struct asker *a = argument;
    for (size_t n = 0; n < QUERIES; n++) {
        size_t i = (n + a->offset) % QUERIES;
        char *text = answer(a->f, i, true);
        a->wrong += strcmp(text, a->expected[i]) != 0;
        free(text);
    }
    return NULL;
}

/* More queries than threads to help them. */
static void test_crowd(void **state)
{
    (void)state;
    struct engine_fixture f;
    engine_fixture_begin(
        &f, &(struct engine_options){.delayed_name_removal = true, .threads = 2, .share_min = 1});
    fill(&f);
    char *expected[QUERIES];
    for (size_t i = 0; i < QUERIES; i++) {
        expected[i] = answer(&f, i, true);
    }
    struct asker askers[QUERY_THREADS];
    pthread_t threads[QUERY_THREADS];
    for (size_t i = 0; i < QUERY_THREADS; i++) {
        askers[i] = (struct asker){.f = &f, .expected = expected, .offset = i * 7};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < QUERY_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].wrong, 0);
    }
    for (size_t i = 0; i < QUERIES; i++) {
        free(expected[i]);
    }
    engine_fixture_end(&f);
}

/* ---- The crew alone ---- */

struct counted {
    struct crew_task task;
    _Atomic unsigned left, done;
};

static bool count_one(struct crew_task *task)
{
    struct counted *c = (struct counted *)task;
    unsigned left = atomic_load(&c->left);
    while (left > 0 && !atomic_compare_exchange_weak(&c->left, &left, left - 1)) {
    }
    if (left == 0) {
        return false;
    }
    atomic_fetch_add(&c->done, 1);
    return true;
}

static void test_crew(void **state)
{
    (void)state;
    struct crew crew;
    crew_init(&crew, 3);
    struct counted tasks[5];
    for (size_t i = 0; i < 5; i++) {
        tasks[i].task = (struct crew_task){.help = count_one, .helpers_max = 2};
        atomic_init(&tasks[i].left, 1000);
        atomic_init(&tasks[i].done, 0);
        crew_offer(&crew, &tasks[i].task);
    }
    for (size_t i = 0; i < 5; i++) {
        while (count_one(&tasks[i].task)) { // as who offers does
        }
        crew_offer(&crew, &tasks[i].task); // with nothing left
        crew_withdraw(&crew, &tasks[i].task);
        assert_int_equal(atomic_load(&tasks[i].done), 1000);
        assert_int_equal(tasks[i].task.helpers, 0);
    }
    crew_release(&crew);
    crew_init(&crew, 0); // nobody: nothing happens
    crew_offer(&crew, &tasks[0].task);
    assert_false(tasks[0].task.listed);
    crew_withdraw(&crew, &tasks[0].task);
    crew_release(&crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_same_statistics),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_ended_from_outside),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_crew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
