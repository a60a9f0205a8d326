/* The engine over a store in memory: milliseconds of CPU a query and millions of samples a second.
 *
 *   bench_engine [series]
 *
 * The data are those that the field's engines are measured with: series of counters in pods of ten
 * jobs, two hours with a sample every 30 s, asked at 241 steps of 30 s; and classic histograms of ten
 * buckets. The store hands out its arrays nearly for free, so the figures are the engine's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "query/engine.h"
#include "support/memory_store.h"

#define SERIES_DEFAULT 3000
#define SAMPLES 241
#define INTERVAL_MS 30000
#define BUCKETS 10
#define REPEATS 7

static const char *const queries[] = {
    "http_requests_total",
    "sum(http_requests_total)",
    "sum by (pod) (http_requests_total)",
    "avg by (job) (http_requests_total)",
    "rate(http_requests_total[5m])",
    "sum(rate(http_requests_total[5m]))",
    "sum by (pod) (rate(http_requests_total[5m]))",
    "sum by (job) (rate(http_requests_total[1h]))",
    "max_over_time(http_requests_total[1h])",
    "sum_over_time(http_requests_total[1h])",
    "quantile_over_time(0.9, http_requests_total[10m])",
    "topk(10, http_requests_total)",
    "quantile(0.9, http_requests_total)",
    "http_requests_total / http_errors_total",
    "http_requests_total * on (job) group_left () max by (job) (http_errors_total)",
    "http_requests_total and http_errors_total",
    "abs(http_requests_total - 5)",
    "max_over_time(sum(rate(http_requests_total[5m]))[1h:1m])",
    "histogram_quantile(0.9, sum by (le, job) (rate(http_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.9, rate(http_duration_seconds_bucket[5m]))",
    "label_replace(http_requests_total, \"a\", \"$1\", \"pod\", \"pod-(.*)\")",
    "count_values(\"v\", http_requests_total % 10)",
};

static void add_series(struct memory_store *store, const char *name, int number, int bucket)
{
    char pod[32], job[32], le[32];
    (void)snprintf(pod, sizeof(pod), "pod-%d", number / 10);
    (void)snprintf(job, sizeof(job), "job-%d", number % 10);
    (void)snprintf(le, sizeof(le), bucket == BUCKETS - 1 ? "+Inf" : "%d", bucket);
    const struct label pairs[] = {{STR("__name__"), str_of(name)},
        {STR("instance"), STR("host:9100")}, {STR("job"), str_of(job)}, {STR("pod"), str_of(pod)},
        {STR("le"), str_of(le)}};
    const struct labels *labels;
    if (labels_new(pairs, bucket >= 0 ? 5 : 4, &labels, NULL) != 0) {
        abort();
    }
    double value = 0;
    for (int i = 0; i < SAMPLES + 120; i++) {
        value += (double)((i * 7 + number) % 13) * (bucket >= 0 ? bucket + 1 : 1);
        if (memory_store_append(store, labels, (int64_t)i * INTERVAL_MS, value) != 0) {
            abort();
        }
    }
    labels_unref(labels);
}

static double cpu_milliseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(struct engine *engine, struct memory_store *store, const char *query)
{
    double milliseconds[REPEATS];
    struct engine_statistics statistics = {0};
    int64_t start = (int64_t)120 * INTERVAL_MS;
    for (int i = 0; i < REPEATS; i++) {
        struct engine_result result;
        struct err e = ERR_INIT;
        double begin = cpu_milliseconds();
        if (engine_range(engine, memory_store_source(store), str_of(query), start,
                start + (int64_t)(SAMPLES - 1) * INTERVAL_MS, INTERVAL_MS, NULL, &result,
                &e) != 0) {
            printf("%s: %s\n", query, e.message);
            return;
        }
        milliseconds[i] = cpu_milliseconds() - begin;
        statistics = result.statistics;
        engine_result_release(&result);
    }
    qsort(milliseconds, REPEATS, sizeof(milliseconds[0]), compare);
    double median = milliseconds[REPEATS / 2];
    printf("%9.1f ms %8.1f M samples/s  %s\n", median, (double)statistics.samples / median / 1000,
        query);
}

int main(int argc, char **argv)
{
    int series = argc > 1 ? (int)strtol(argv[1], NULL, 10) : SERIES_DEFAULT;
    struct memory_store *store = memory_store_new();
    struct engine *engine;
    const struct engine_options options = {.features = PROMQL_FEATURES_ALL};
    if (store == NULL || engine_new(&options, &engine) != 0) {
        return 1;
    }
    for (int i = 0; i < series; i++) {
        add_series(store, "http_requests_total", i, -1);
        add_series(store, "http_errors_total", i, -1);
    }
    for (int i = 0; i < series / BUCKETS; i++) {
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            add_series(store, "http_duration_seconds_bucket", i, bucket);
        }
    }
    printf("%d series, %d steps\n", series, SAMPLES);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        measure(engine, store, queries[i]);
    }
    engine_free(engine);
    memory_store_free(store);
    return 0;
}
