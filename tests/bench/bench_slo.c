/* Objectives over a real store: what an evaluation costs, and a back-test.
 *
 *   bench_slo [series [days]]
 *
 * `series` counters of events and as many of failures every 15 s, in one part a day on a simulated disk. Prints
 * wall milliseconds of the first evaluation of a 30-day objective (its ledger is read), of one evaluation after
 * that, of a question about a past moment, and of a back-test of ten objectives over seven days, each over a
 * tenth of the series.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "slo/slo_file.h"
#include "slo/slo_run.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define INTERVAL_MS 15000
#define SAMPLES_A_DAY (86400000 / INTERVAL_MS)
#define DAY_MS INT64_C(86400000)
#define OBJECTIVES 10
#define REPEATS 20

static void check(int status, const struct err *e)
{
    if (status != 0) {
        printf("%s\n", e->message);
        exit(1);
    }
}

static void add_series(
    struct appender *a, const char *metric, int series, int group, struct series_ref *ref)
{
    char host[32], job[32];
    struct err e = ERR_INIT;
    int n = snprintf(host, sizeof(host), "host-%d:9100", series);
    int m = snprintf(job, sizeof(job), "%d", group);
    const struct label pairs[] = {{STR("__name__"), str_of(metric)},
        {STR("instance"), str_make(host, (size_t)n)}, {STR("job"), str_make(job, (size_t)m)}};
    check(appender_series(a, pairs, 3, NULL, ref, &e), &e);
}

static void fill(struct tsdb *db, struct fake_clock *clock, int series, int days)
{
    struct err e = ERR_INIT;
    struct series_ref *refs = mem_calloc(2 * (size_t)series, sizeof(*refs));
    double *values = mem_calloc(2 * (size_t)series, sizeof(*values));
    uint64_t random = 1;
    for (int step = 0; refs != NULL && values != NULL && step < days * SAMPLES_A_DAY; step++) {
        struct appender *a;
        check(appender_open(tsdb_appender_source(db), &a, &e), &e);
        for (int i = 0; i < 2 * series; i++) {
            bool bad = i >= series;
            if (step == 0) {
                add_series(a, bad ? "failed_total" : "requests_total", i % series, i % OBJECTIVES,
                    &refs[i]);
            }
            /* An outage of an hour each day. */
            bool outage = step % SAMPLES_A_DAY < 3600000 / INTERVAL_MS;
            values[i] += bad ? (outage ? 5 : 0) : 100 + (double)(test_random(&random) % 100);
            check(appender_append(a, refs[i], (int64_t)step * INTERVAL_MS, values[i]), &e);
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

static double milliseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One objective over all series, then ten over a tenth of them each. */
static struct slo_file definitions(void)
{
    struct strbuf text = STRBUF_INIT;
    struct slo_file file;
    struct err e = ERR_INIT;
    strbuf_add_c(&text, "version: prometheus/v1\nservice: s\nslos:\n");
    for (int i = 0; i <= OBJECTIVES; i++) {
        char selector[32] = "";
        if (i > 0) {
            (void)snprintf(selector, sizeof(selector), "{job=\"%d\"}", i - 1);
        }
        strbuf_addf(&text,
            "- name: n%d\n  objective: 99.9\n  sli:\n    events:\n"
            "      error_query: sum(failed_total%s)\n      total_query: sum(requests_total%s)\n"
            "  alerting: {annotations: {runbook: x}}\n",
            i, selector, selector);
    }
    check(slo_file_parse(NULL, STR("bench"), strbuf_str(&text), &file, &e), &e);
    strbuf_release(&text);
    return file;
}

/* An hour each further back, from what the objective at work has counted. */
static double measure_past(
    const struct slo_store *store, const struct slo_definition *d, const struct slo_run *live)
{
    double best = 1e18;
    for (int i = 0; i < REPEATS; i++) {
        struct slo_run past;
        struct err e = ERR_INIT;
        int64_t at = live->last.at_ms - (int64_t)i * 3600000;
        double begin = milliseconds();
        check(slo_run_open(&past, d, at - SLO_LOOK_BACK_MS), &e);
        check(slo_run_adopt(&past, live, at), &e);
        check(slo_run_read(&past, store, at, &e), &e);
        check(slo_run_step_to(&past, at), &e);
        double took = milliseconds() - begin;
        best = took < best ? took : best;
        slo_run_release(&past);
    }
    return best;
}

static void measure_evaluation(
    const struct slo_store *store, const struct slo_definition *d, int series, int64_t end_ms)
{
    struct slo_run run;
    struct err e = ERR_INIT;
    double best = 1e18;
    check(slo_run_open(&run, d, end_ms - 2 * SLO_LOOK_BACK_MS), &e);
    double begin = milliseconds();
    check(slo_run_fill(&run, store, end_ms - REPEATS * 60000, NULL, 0, &e), &e);
    check(slo_run_step(&run, end_ms - REPEATS * 60000, NULL, NULL), &e);
    double first = milliseconds() - begin;
    for (int i = REPEATS - 1; i >= 0; i--) {
        int64_t at = end_ms - (int64_t)i * 60000;
        begin = milliseconds();
        check(slo_run_fill(&run, store, at, NULL, 0, &e), &e);
        check(slo_run_step(&run, at, NULL, NULL), &e);
        double took = milliseconds() - begin;
        best = took < best ? took : best;
    }
    double past = measure_past(store, d, &run);
    printf("30-day objective over %d series: first evaluation %.1f ms, then %.3f ms each, %.3f ms "
           "for a "
           "question about the day before; budget left %.4f\n",
        series, first, best, past, run.last.budget_remaining);
    slo_run_release(&run);
}

static void measure_backtests(
    const struct slo_store *store, const struct slo_file *file, int series, int64_t end_ms)
{
    struct err e = ERR_INIT;
    size_t episodes_all = 0;
    double begin = milliseconds();
    for (size_t i = 1; i < file->count; i++) {
        struct slo_episode *episodes = NULL;
        size_t count = 0;
        check(slo_backtest(store, &file->definitions[i], NULL, 0, end_ms - 7 * DAY_MS, end_ms,
                  &episodes, &count, &e),
            &e);
        episodes_all += count;
        mem_free(episodes);
    }
    printf("back-test of %d objectives over 7 days, %d series each: %.0f ms, %zu alerts\n",
        OBJECTIVES, series / OBJECTIVES, milliseconds() - begin, episodes_all);
}

int main(int argc, char **argv)
{
    int series = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100;
    int days = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 38;
    struct fake_clock clock;
    struct sim_vfs *disk = sim_vfs_new(1);
    struct tsdb *db;
    struct slo_store store = {0};
    struct err e = ERR_INIT;
    fake_clock_init(&clock, 0);
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(disk), .clock = &clock.clock};
    const struct engine_options limits = {.features.extended_range_selectors = true,
        .samples_max = UINT64_MAX,
        .cost_max = UINT64_MAX};
    check(tsdb_open(&options, &db, &e), &e);
    fill(db, &clock, series, days);
    check(engine_new(&limits, &store.engine), &e);
    store.reads = tsdb_querier_source(db);
    struct slo_file file = definitions();
    int64_t end_ms = (int64_t)days * DAY_MS - 60000;
    measure_evaluation(&store, &file.definitions[0], series, end_ms);
    measure_backtests(&store, &file, series, end_ms);
    slo_file_release(&file);
    engine_free(store.engine);
    tsdb_abandon(db);
    sim_vfs_free(disk);
    return 0;
}
