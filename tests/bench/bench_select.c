/* How fast series are found and read: from the head, and from merged parts.
 *
 *   bench_select [targets] [columns] [scrapes] [directory]
 *
 * Prints for one metric of all targets, and for all series: microseconds a series for the selection,
 * for reading the last five minutes, and nanoseconds a sample for reading everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

struct load {
    uint32_t targets, columns, scrapes;
    int64_t start_ms;
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(int status, const struct err *e)
{
    if (status < 0) {
        fprintf(stderr, "bench_select: %s\n", e->message);
        exit(1);
    }
}

static void write_scrape(
    struct tsdb *db, const struct load *l, uint32_t scrape, double *values, uint64_t *random)
{
    struct err e = ERR_INIT;
    for (uint32_t t = 0; t < l->targets; t++) {
        struct appender *a = NULL;
        check(appender_open(tsdb_appender_source(db), &a, &e), &e);
        for (uint32_t c = 0; c < l->columns; c++) {
            uint32_t series = t * l->columns + c;
            struct hash128 key = {series, 1};
            struct series_ref ref;
            if (appender_lookup(a, key, &ref) == 0) {
                char metric[32], host[32];
                int n = snprintf(metric, sizeof(metric), "metric_%u_total", c);
                int m = snprintf(host, sizeof(host), "host-%u:9100", t);
                struct label labels[] = {{STR("__name__"), str_make(metric, (size_t)n)},
                    {STR("instance"), str_make(host, (size_t)m)}, {STR("job"), STR("node")}};
                check(appender_series(a, labels, 3, &key, &ref, &e), &e);
            }
            values[series] += c % 10 < 6 ? 0 : (double)(test_random(random) % 100);
            check(
                appender_append(a, ref, l->start_ms + (int64_t)scrape * 15000 + t, values[series]),
                &e);
        }
        check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
    }
}

struct figures {
    double select_us, read_us;
    size_t series, samples;
};

static struct figures read_all(struct tsdb *db, const char *metric, int64_t min_t, int64_t max_t)
{
    struct err e = ERR_INIT;
    struct figures f = {0};
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    struct matcher *m = NULL;
    arena_init(&arena, 0);
    check(matcher_new(metric[0] == '.' ? MATCHER_REGEX : MATCHER_EQUAL, STR("__name__"),
              str_of(metric), &m, &e),
        &e);
    double start = now_us();
    check(querier_open(tsdb_querier_source(db), min_t, max_t, &q, &e), &e);
    const struct select_request request = {.min_t = min_t,
        .max_t = max_t,
        .matchers = (const struct matcher *const *)&m,
        .matcher_count = 1};
    check(querier_select(q, &request, &arena, &set, &e), &e);
    double selected = now_us();
    double sum = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct arena_mark mark = arena_mark(&arena);
        struct column_iter *it = NULL;
        struct column_run run;
        check(series_open(set->series[i], &arena, &it, &e), &e);
        while (column_iter_next(it, &run, &e) == 1) {
            f.samples += run.count;
            sum += run.values[run.count - 1];
        }
        column_iter_close(it);
        arena_rewind(&arena, mark);
    }
    f.series = set->count;
    f.select_us = selected - start;
    f.read_us = now_us() - selected;
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
    matcher_free(m);
    if (sum < 0) {
        printf("impossible\n");
    }
    return f;
}

static void report(struct tsdb *db, const struct load *l, const char *where)
{
    int64_t end = l->start_ms + (int64_t)l->scrapes * 15000;
    const struct {
        const char *name, *metric;
        int64_t min_t;
    } cases[] = {
        {"one metric, 5 min", "metric_7_total", end - 300000},
        {"one metric, all", "metric_7_total", l->start_ms},
        {"all metrics, 5 min", ".+", end - 300000},
        {"all metrics, all", ".+", l->start_ms},
    };
    for (size_t i = 0; i < 4; i++) {
        struct figures best = {.select_us = 1e18, .read_us = 1e18};
        for (int repeat = 0; repeat < 5; repeat++) {
            struct figures f = read_all(db, cases[i].metric, cases[i].min_t, end);
            best.series = f.series;
            best.samples = f.samples;
            best.select_us = f.select_us < best.select_us ? f.select_us : best.select_us;
            best.read_us = f.read_us < best.read_us ? f.read_us : best.read_us;
        }
        printf("%-6s %-20s %8zu series: select %6.2f us/series, read %7.2f us/series, %7.2f "
               "ns/sample\n",
            where, cases[i].name, best.series, best.select_us / (double)best.series,
            best.read_us / (double)best.series, best.read_us * 1e3 / (double)best.samples);
    }
}

static uint32_t argument(int count, char **values, int at, uint32_t otherwise)
{
    return count > at ? (uint32_t)strtoul(values[at], NULL, 10) : otherwise;
}

int main(int count, char **values)
{
    struct err e = ERR_INIT;
    struct load l = {.targets = argument(count, values, 1, 30),
        .columns = argument(count, values, 2, 858),
        .scrapes = argument(count, values, 3, 480)};
    int64_t now = clock_now_ms(clock_real());
    l.start_ms = now / 86400000 * 86400000 - 86400000;
    struct tsdb_options options = {.path = count > 4 ? values[4] : "/tmp/bench_select.data"};
    struct tsdb *db = NULL;
    double *state = mem_calloc((size_t)l.targets * l.columns, sizeof(*state));
    uint64_t random = 1;
    check(tsdb_open(&options, &db, &e), &e);
    for (uint32_t i = 0; state != NULL && i < l.scrapes; i++) {
        write_scrape(db, &l, i, state, &random);
    }
    report(db, &l, "head");
    check(tsdb_compact(db, &e), &e);
    report(db, &l, "parts");
    check(tsdb_close(db, &e), &e);
    mem_free(state);
    return 0;
}
