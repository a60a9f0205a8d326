/* The registry and its text. The expected text follows the exposition format 0.0.4 by hand; the
 * format's own reader is tested in tests/unit/wire. */
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/str.h"
#include "metrics_process.h"
#include "support/sim_vfs.h"

static const double bounds[] = {0.001, 0.01, 2.5};

static struct metric requests_ok = {
    .name = "test_requests_total",
    .labels = "code=\"200\"",
    .help = "Requests with a \\ and\na line end.",
    .kind = METRIC_COUNTER,
};
static struct metric requests_bad = {
    .name = "test_requests_total",
    .labels = "code=\"500\"",
    .help = "Requests with a \\ and\na line end.",
    .kind = METRIC_COUNTER,
};
static struct metric queue = {.name = "test_queue", .help = "Queue.", .kind = METRIC_GAUGE};
static struct metric busy = {
    .name = "test_busy_seconds_total",
    .help = "Busy.",
    .kind = METRIC_COUNTER,
    .scale = 1e-9,
};
static struct metric latency = {
    .name = "test_latency_seconds",
    .labels = "lane=\"query\"",
    .help = "Latency.",
    .kind = METRIC_HISTOGRAM,
    .scale = 1e-9,
    .bounds = bounds,
    .bound_count = 3,
};

static void collect_one(void *context, struct strbuf *out)
{
    strbuf_addf(out, "test_collected %d\n", *(int *)context);
}

static void text_is_the_exposition_format(void **state)
{
    (void)state;
    struct metric *const all[] = {&requests_ok, &requests_bad, &queue, &busy, &latency};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(metrics_register(all[i]), 0);
        assert_int_equal(metrics_register(all[i]), 0); /* once, however often */
    }
    int collected = 7;
    assert_int_equal(metrics_register_collector(collect_one, &collected), 0);
    metric_add(&requests_ok, 41);
    metric_add(&requests_ok, 1);
    metric_set(&queue, 10);
    metric_add(&queue, -13);
    metric_add(&busy, 300000000);
    static const int64_t observed_ns[] = {1, 1000000, 1000001, 10000000, 2500000000, 2500000001};
    for (size_t i = 0; i < sizeof(observed_ns) / sizeof(observed_ns[0]); i++) {
        metric_observe(&latency, observed_ns[i]);
    }
    assert_int_equal(metric_get(&requests_ok), 42);
    struct strbuf out = STRBUF_INIT;
    metrics_write(&out);
    assert_int_equal(strbuf_error(&out), 0);
    static const char expected[] =
        "# HELP test_requests_total Requests with a \\\\ and\\na line end.\n"
        "# TYPE test_requests_total counter\n"
        "test_requests_total{code=\"200\"} 42\n"
        "test_requests_total{code=\"500\"} 0\n"
        "# HELP test_queue Queue.\n"
        "# TYPE test_queue gauge\n"
        "test_queue -3\n"
        "# HELP test_busy_seconds_total Busy.\n"
        "# TYPE test_busy_seconds_total counter\n"
        "test_busy_seconds_total 0.3\n"
        "# HELP test_latency_seconds Latency.\n"
        "# TYPE test_latency_seconds histogram\n"
        "test_latency_seconds_bucket{lane=\"query\",le=\"0.001\"} 2\n"
        "test_latency_seconds_bucket{lane=\"query\",le=\"0.01\"} 4\n"
        "test_latency_seconds_bucket{lane=\"query\",le=\"2.5\"} 5\n"
        "test_latency_seconds_bucket{lane=\"query\",le=\"+Inf\"} 6\n"
        "test_latency_seconds_sum{lane=\"query\"} 5.012000003\n"
        "test_latency_seconds_count{lane=\"query\"} 6\n"
        "test_collected 7\n"
        "# HELP process_cpu_seconds_total ";
    if (strncmp(out.data, expected, sizeof(expected) - 1) != 0) {
        fail_msg("text is\n%s\nexpected\n%s", out.data, expected);
    }
    metrics_unregister_collector(collect_one, &collected);
    strbuf_reset(&out);
    metrics_write(&out);
    assert_null(strstr(out.data, "test_collected"));
    strbuf_release(&out);
}

/* The value of a sample without labels. */
static double value_of(const struct strbuf *out, const char *name)
{
    char line[128];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(out->data, line);
    if (at == NULL) {
        fail_msg("%s is missing in\n%s", name, out->data);
        return NAN;
    }
    return strtod(at + strlen(line), NULL);
}

static int count_name(void *context, const char *name, bool is_directory)
{
    (void)name, (void)is_directory;
    ++*(size_t *)context;
    return 0;
}

static void the_process_tells_of_itself(void **state)
{
    (void)state;
    struct strbuf out = STRBUF_INIT;
    metrics_write(&out);
    assert_int_equal(strbuf_error(&out), 0);
    assert_true(value_of(&out, "process_cpu_seconds_total") >= 0);
    double resident = value_of(&out, "process_resident_memory_bytes");
    assert_true(resident > 100000);
    assert_true(value_of(&out, "process_virtual_memory_bytes") >= resident);
    assert_true(value_of(&out, "process_virtual_memory_max_bytes") >= resident);
    double now = (double)clock_now_ms(clock_real()) / 1000;
    double start = value_of(&out, "process_start_time_seconds");
    assert_true(start > now - 3600 && start < now + 5);
    double open = value_of(&out, "process_open_fds");
    size_t listed = 0;
    assert_int_equal(vfs_list(vfs_posix(), "/proc/self/fd", count_name, &listed), 0);
    assert_int_equal((size_t)open, listed - 1); /* without that of the listing */
    assert_true(open >= 3 && open <= value_of(&out, "process_max_fds"));
    FILE *another = tmpfile();
    strbuf_reset(&out);
    metrics_write(&out);
    assert_true(value_of(&out, "process_open_fds") == open + 1);
    fclose(another);
    strbuf_release(&out);
}

static void stat_lines_are_parsed_behind_the_name(void **state)
{
    (void)state;
    static const char tail[] =
        " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 123456 789 20 21";
    static const char *const names[] = {"sonde", "a b", "x) S 1", "((", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "99 (%s)%s\n", names[i], tail);
        struct process_stat stat = {0};
        assert_int_equal(process_stat_parse(str_of(line), &stat), 0);
        assert_int_equal(stat.start_ticks, 4711);
        assert_int_equal(stat.virtual_bytes, 123456);
        assert_int_equal(stat.resident_pages, 789);
    }
    static const char *const broken[] = {"", "99 sonde S 1", "99 (sonde)", "99 (sonde) S 1 2 3",
        "99 (s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 123456 789 20"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct process_stat stat = {.start_ticks = 5};
        assert_int_equal(process_stat_parse(str_of(broken[i]), &stat), ERR_CORRUPT);
        assert_int_equal(stat.start_ticks, 5);
    }
    uint64_t seconds = 0;
    assert_int_equal(process_boot_time_parse(STR("cpu 1 2\nbtime 1700000000\nx 1\n"), &seconds), 0);
    assert_int_equal(seconds, 1700000000);
    assert_int_equal(process_boot_time_parse(STR("cpu 1 2\n"), &seconds), ERR_CORRUPT);
    assert_int_equal(process_boot_time_parse(STR("btime x\n"), &seconds), ERR_CORRUPT);
    assert_int_equal(process_boot_time_parse(STR(""), &seconds), ERR_CORRUPT);
}

static void what_cannot_be_read_is_left_out(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1); /* no /proc on it */
    struct strbuf out = STRBUF_INIT;
    metrics_process_write(&out, sim_vfs_get(sim));
    assert_int_equal(strbuf_error(&out), 0);
    assert_non_null(strstr(out.data, "process_cpu_seconds_total "));
    assert_null(strstr(out.data, "process_resident_memory_bytes"));
    assert_null(strstr(out.data, "process_open_fds"));
    strbuf_release(&out);
    sim_vfs_free(sim);
}

static void writing_survives_short_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct strbuf out = STRBUF_INIT;
        mem_fail_nth(n);
        metrics_write(&out);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_true(strbuf_error(&out) == 0 || strbuf_error(&out) == ERR_NOMEM);
        strbuf_release(&out);
        if (!struck) {
            assert_true(n > 2);
            return;
        }
    }
}

static void the_registry_has_a_limit(void **state)
{
    (void)state;
    static struct metric many[METRICS_MAX + 1];
    size_t accepted = 0;
    for (size_t i = 0; i <= METRICS_MAX; i++) {
        many[i] = (struct metric){.name = "test_many", .help = "Many.", .kind = METRIC_GAUGE};
        int status = metrics_register(&many[i]);
        assert_true(status == 0 || status == ERR_LIMIT);
        accepted += status == 0;
    }
    assert_int_equal(accepted, METRICS_MAX - 5); /* the first test registered five */
}

/* Observers on two threads, a writer, and collectors that come and go: for ThreadSanitizer. */
static void *observe(void *context)
{
    for (int i = 0; i < 20000; i++) {
        metric_observe(&latency, i);
        metric_add(&requests_bad, 1);
    }
    (void)context;
    return NULL;
}

static void *come_and_go(void *context)
{
    (void)context;
    for (int i = 0; i < 50; i++) {
        int value = i; /* on this stack: must not be read after the unregistration */
        assert_int_equal(metrics_register_collector(collect_one, &value), 0);
        metrics_unregister_collector(collect_one, &value);
        value = -1;
    }
    return NULL;
}

static void threads_observe_while_text_is_written(void **state)
{
    (void)state;
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, observe, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, observe, NULL), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, come_and_go, NULL), 0);
    struct strbuf out = STRBUF_INIT;
    for (int i = 0; i < 20; i++) {
        strbuf_reset(&out);
        metrics_write(&out);
        assert_int_equal(strbuf_error(&out), 0);
        assert_null(strstr(out.data, "test_collected -1"));
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(metric_get(&requests_bad), 40000);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_the_exposition_format),
        cmocka_unit_test(the_process_tells_of_itself),
        cmocka_unit_test(stat_lines_are_parsed_behind_the_name),
        cmocka_unit_test(what_cannot_be_read_is_left_out),
        cmocka_unit_test(writing_survives_short_memory),
        cmocka_unit_test(the_registry_has_a_limit),
        cmocka_unit_test(threads_observe_while_text_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
