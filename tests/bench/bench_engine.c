/* The engine over a store: milliseconds of CPU and of the clock a query, and millions of samples a second of
 * CPU.
 *
 *   bench_engine [series [memory|head|parts [threads [query [instant]]]]]
 *
 * The data are those that the field's engines are measured with: series of counters in pods of ten
 * jobs, two hours with a sample every 30 s, asked at 241 steps of 30 s; and classic histograms of ten
 * buckets. `memory` is the store of the tests, which walks its samples one by one; `head` and `parts` are
 * the real one, on a simulated disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "query/engine.h"
#include "support/fake_clock.h"
#include "support/memory_store.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

#define SERIES_DEFAULT 3000
#define SAMPLES 241
#define INTERVAL_MS 30000
#define STEPS_STORED (SAMPLES + 120)
#define BUCKETS 10
#define REPEATS 7
#define REPEATS_OF_ONE 101 /* a single query: enough for a profile */

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

/* ---- The data ---- */

struct column {
    const struct labels *labels;
    struct series_ref ref;
    double value, factor;
    int number;
};

struct data {
    struct column *columns;
    size_t count;
};

static void check(int status, const struct err *e)
{
    if (status != 0) {
        printf("%s\n", e->message);
        exit(1);
    }
}

static void add_column(struct data *d, const char *name, int number, int bucket)
{
    char pod[32], job[32], le[32];
    (void)snprintf(pod, sizeof(pod), "pod-%d", number / 10);
    (void)snprintf(job, sizeof(job), "job-%d", number % 10);
    (void)snprintf(le, sizeof(le), bucket == BUCKETS - 1 ? "+Inf" : "%d", bucket);
    const struct label pairs[] = {{STR("__name__"), str_of(name)},
        {STR("instance"), STR("host:9100")}, {STR("job"), str_of(job)}, {STR("pod"), str_of(pod)},
        {STR("le"), str_of(le)}};
    struct column *c = &d->columns[d->count++];
    struct err e = ERR_INIT;
    *c = (struct column){.number = number, .factor = bucket >= 0 ? bucket + 1 : 1};
    check(labels_new(pairs, bucket >= 0 ? 5 : 4, &c->labels, &e), &e);
}

static double next_value(struct column *c, int step)
{
    c->value += (double)((step * 7 + c->number) % 13) * c->factor;
    return c->value;
}

static void fill_memory(struct data *d, struct memory_store *store)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < d->count; i++) {
        struct column *c = &d->columns[i];
        for (int step = 0; step < STEPS_STORED; step++) {
            check(memory_store_append(
                      store, c->labels, (int64_t)step * INTERVAL_MS, next_value(c, step)),
                &e);
        }
    }
}

static void fill_store(struct data *d, struct tsdb *db, bool parts)
{
    struct err e = ERR_INIT;
    for (int step = 0; step < STEPS_STORED; step++) {
        struct appender *a;
        check(appender_open(tsdb_appender_source(db), &a, &e), &e);
        for (size_t i = 0; i < d->count; i++) {
            struct column *c = &d->columns[i];
            if (step == 0) {
                check(appender_series(
                          a, labels_pairs(c->labels), labels_count(c->labels), NULL, &c->ref, &e),
                    &e);
            }
            check(appender_append(a, c->ref, (int64_t)step * INTERVAL_MS, next_value(c, step)), &e);
        }
        check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
    }
    if (parts) {
        check(tsdb_compact(db, &e), &e);
    }
}

/* ---- Measuring ---- */

static double milliseconds_of(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* All queries, or the one that was asked for. */
static const char *wanted;
static unsigned threads;
static bool instant; /* it is asked at the end alone */

static void measure(struct engine *engine, struct querier_source *source, const char *query)
{
    double cpu[REPEATS_OF_ONE], wall[REPEATS_OF_ONE];
    int repeats = wanted != NULL ? REPEATS_OF_ONE : REPEATS;
    struct engine_statistics statistics = {0};
    int64_t start = (int64_t)120 * INTERVAL_MS;
    for (int i = 0; i < repeats; i++) {
        struct engine_result result;
        struct err e = ERR_INIT;
        double cpu_begin = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID);
        double wall_begin = milliseconds_of(CLOCK_MONOTONIC);
        int64_t end = start + (int64_t)(SAMPLES - 1) * INTERVAL_MS;
        int status = instant ? engine_instant(engine, source, str_of(query), end, NULL, &result, &e)
                             : engine_range(engine, source, str_of(query), start, end, INTERVAL_MS,
                                   NULL, &result, &e);
        if (status != 0) {
            printf("%s: %s\n", query, e.message);
            return;
        }
        cpu[i] = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
        wall[i] = milliseconds_of(CLOCK_MONOTONIC) - wall_begin;
        statistics = result.statistics;
        engine_result_release(&result);
    }
    qsort(cpu, (size_t)repeats, sizeof(cpu[0]), compare);
    qsort(wall, (size_t)repeats, sizeof(wall[0]), compare);
    double median = cpu[repeats / 2];
    printf("%9.1f ms CPU %9.1f ms %8.1f M samples/s  %s\n", median, wall[repeats / 2],
        (double)statistics.samples / median / 1000, query);
}

static void measure_all(struct querier_source *source)
{
    struct engine *engine;
    struct err e = ERR_INIT;
    const struct engine_options options = {.features = PROMQL_FEATURES_ALL, .threads = threads};
    check(engine_new(&options, &engine), &e);
    for (size_t i = 0; wanted == NULL && i < sizeof(queries) / sizeof(queries[0]); i++) {
        measure(engine, source, queries[i]);
    }
    if (wanted != NULL) {
        measure(engine, source, wanted);
    }
    engine_free(engine);
}

static void measure_memory(struct data *d)
{
    struct memory_store *store = memory_store_new();
    fill_memory(d, store);
    measure_all(memory_store_source(store));
    memory_store_free(store);
}

static void measure_store(struct data *d, bool parts)
{
    struct fake_clock clock;
    struct sim_vfs *disk = sim_vfs_new(1);
    struct tsdb *db;
    struct err e = ERR_INIT;
    fake_clock_init(&clock, (int64_t)STEPS_STORED * INTERVAL_MS);
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(disk), .clock = &clock.clock};
    check(tsdb_open(&options, &db, &e), &e);
    fill_store(d, db, parts);
    measure_all(tsdb_querier_source(db));
    tsdb_abandon(db);
    sim_vfs_free(disk);
}

int main(int argc, char **argv)
{
    int series = argc > 1 ? (int)strtol(argv[1], NULL, 10) : SERIES_DEFAULT;
    const char *kind = argc > 2 ? argv[2] : "memory";
    threads = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    wanted = argc > 4 ? argv[4] : NULL;
    instant = argc > 5 && strcmp(argv[5], "instant") == 0;
    struct data d = {.columns = calloc((size_t)series * 3, sizeof(*d.columns))};
    if (series <= 0 || d.columns == NULL) {
        return 1;
    }
    for (int i = 0; i < series; i++) {
        add_column(&d, "http_requests_total", i, -1);
        add_column(&d, "http_errors_total", i, -1);
    }
    for (int i = 0; i < series / BUCKETS * BUCKETS; i++) {
        add_column(&d, "http_duration_seconds_bucket", i / BUCKETS, i % BUCKETS);
    }
    printf("%d series, %d steps, %s\n", series, SAMPLES, kind);
    if (strcmp(kind, "memory") == 0) {
        measure_memory(&d);
    } else {
        measure_store(&d, strcmp(kind, "parts") == 0);
    }
    for (size_t i = 0; i < d.count; i++) {
        labels_unref(d.columns[i].labels);
    }
    free(d.columns);
    return 0;
}
