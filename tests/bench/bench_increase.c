/* An increase over weeks: from summaries of runs, beside a scan of all samples.
 *
 *   bench_increase [series [days]]
 *
 * Counters every 15 s in one part a day, on a simulated disk. The scan is the same query at two steps a
 * millisecond apart, which decodes every run once. Prints milliseconds of CPU and samples read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "query/engine.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define INTERVAL_MS 15000
#define SAMPLES_A_DAY (86400000 / INTERVAL_MS)
#define REPEATS 9

static void check(int status, const struct err *e)
{
    if (status != 0) {
        printf("%s\n", e->message);
        exit(1);
    }
}

static void add_labels(struct appender *a, int series, struct series_ref *ref)
{
    char host[32];
    struct err e = ERR_INIT;
    int n = snprintf(host, sizeof(host), "host-%d:9100", series);
    const struct label pairs[] = {{STR("__name__"), STR("requests_total")},
        {STR("instance"), str_make(host, (size_t)n)}, {STR("job"), STR("node")}};
    check(appender_series(a, pairs, 3, NULL, ref, &e), &e);
}

static void fill(struct tsdb *db, struct fake_clock *clock, int series, int days)
{
    struct err e = ERR_INIT;
    struct series_ref *refs = mem_calloc((size_t)series, sizeof(*refs));
    double *values = mem_calloc((size_t)series, sizeof(*values));
    uint64_t random = 1;
    for (int step = 0; refs != NULL && values != NULL && step < days * SAMPLES_A_DAY; step++) {
        struct appender *a;
        check(appender_open(tsdb_appender_source(db), &a, &e), &e);
        for (int i = 0; i < series; i++) {
            if (step == 0) {
                add_labels(a, i, &refs[i]);
            }
            values[i] += (double)(test_random(&random) % 1000);
            check(appender_append(a, refs[i], (int64_t)step * INTERVAL_MS + i, values[i]), &e);
        }
        check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
        if ((step + 1) % SAMPLES_A_DAY == 0) {
            fake_clock_set_wall_ms(clock, (int64_t)step * INTERVAL_MS);
            check(tsdb_compact(db, &e), &e);
        }
    }
    mem_free(refs);
    mem_free(values);
}

static double cpu_milliseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The best of some, in milliseconds. */
static double measure(
    struct engine *engine, struct tsdb *db, int days, int64_t steps, uint64_t *samples_out)
{
    char query[64];
    double best = 1e18;
    int64_t end = (int64_t)days * 86400000 - 30000;
    (void)snprintf(query, sizeof(query), "increase(requests_total[%dd])", days);
    for (int i = 0; i < REPEATS; i++) {
        struct engine_result result;
        struct err e = ERR_INIT;
        double begin = cpu_milliseconds();
        check(engine_range(engine, tsdb_querier_source(db), str_of(query), end, end + steps - 1, 1,
                  NULL, &result, &e),
            &e);
        double took = cpu_milliseconds() - begin;
        best = took < best ? took : best;
        *samples_out = result.statistics.samples;
        engine_result_release(&result);
    }
    return best;
}

int main(int argc, char **argv)
{
    int series = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100;
    int days = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 30;
    struct fake_clock clock;
    struct sim_vfs *disk = sim_vfs_new(1);
    struct tsdb *db;
    struct engine *engine;
    struct err e = ERR_INIT;
    uint64_t read = 0, scanned = 0;
    fake_clock_init(&clock, 0);
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(disk), .clock = &clock.clock};
    const struct engine_options limits = {.samples_max = UINT64_MAX};
    check(tsdb_open(&options, &db, &e), &e);
    fill(db, &clock, series, days);
    check(engine_new(&limits, &engine), &e);
    double summaries = measure(engine, db, days, 1, &read);
    double scan = measure(engine, db, days, 2, &scanned);
    printf("increase over %d days, %d series: %.2f ms, %llu samples read; scan %.2f ms, %llu "
           "samples; ratio %.3f\n",
        days, series, summaries, (unsigned long long)read, scan, (unsigned long long)scanned,
        summaries / scan);
    engine_free(engine);
    tsdb_abandon(db);
    sim_vfs_free(disk);
    return 0;
}
