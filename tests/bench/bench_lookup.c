/* How fast names, values and series are looked up among a million series: in the head, and in parts.
 *
 *   bench_lookup [targets] [columns] [directory]
 *
 * Prints CPU milliseconds of each lookup, the best of several, and how many strings or series it finds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

enum { SCRAPES = 14, ROUNDS = 7 };

struct load {
    uint32_t targets, columns;
    int64_t start_ms;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void check(int status, const struct err *e)
{
    if (status < 0) {
        fprintf(stderr, "bench_lookup: %s\n", e->message);
        exit(1);
    }
}

static void write_scrape(struct tsdb *db, const struct load *l, uint32_t scrape)
{
    struct err e = ERR_INIT;
    for (uint32_t t = 0; t < l->targets; t++) {
        struct appender *a = NULL;
        check(appender_open(tsdb_appender_source(db), &a, &e), &e);
        for (uint32_t c = 0; c < l->columns; c++) {
            struct hash128 key = {(uint64_t)t * l->columns + c, 1};
            struct series_ref ref;
            if (appender_lookup(a, key, &ref) == 0) {
                char metric[32], cpu[16], host[32];
                int n = snprintf(metric, sizeof(metric), "metric_%u_total", c / 4);
                int k = snprintf(cpu, sizeof(cpu), "%u", c % 4);
                int m = snprintf(host, sizeof(host), "host-%u:9100", t);
                struct label labels[] = {{STR("__name__"), str_make(metric, (size_t)n)},
                    {STR("cpu"), str_make(cpu, (size_t)k)},
                    {STR("instance"), str_make(host, (size_t)m)}, {STR("job"), STR("node")}};
                check(appender_series(a, labels, 4, &key, &ref, &e), &e);
            }
            check(appender_append(a, ref, l->start_ms + (int64_t)scrape * 15000 + t % 15000,
                      (double)(scrape * c)),
                &e);
        }
        check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
    }
}

/* One kind of lookup. No metric: every series; no label: the series themselves, or all names. */
struct lookup {
    const char *what;
    enum { NAMES, VALUES, SERIES } kind;
    const char *label;
    const char *match_name, *match_value;
    bool regex;
    size_t limit;
};

static const struct lookup lookups[] = {
    {"names of labels", NAMES, NULL, NULL, NULL, false, 0},
    {"names of labels of a metric", NAMES, NULL, "__name__", "metric_7_total", false, 0},
    {"metrics", VALUES, "__name__", NULL, NULL, false, 0},
    {"metrics of a host", VALUES, "__name__", "instance", "host-77:9100", false, 0},
    {"metrics by pattern", VALUES, "__name__", "__name__", "metric_1.+", true, 0},
    {"hosts", VALUES, "instance", NULL, NULL, false, 0},
    {"hosts of a metric", VALUES, "instance", "__name__", "metric_7_total", false, 0},
    {"hosts by pattern", VALUES, "instance", "instance", "host-1.*", true, 0},
    {"series of a host", SERIES, NULL, "instance", "host-77:9100", false, 0},
    {"series of a metric", SERIES, NULL, "__name__", "metric_7_total", false, 0},
    {"series by pattern, limit 100", SERIES, NULL, "__name__", "metric.+", true, 100},
    {"all series, limit 100", SERIES, NULL, NULL, NULL, false, 100},
};

static size_t look_up(struct querier *q, const struct lookup *l,
    const struct matcher *const *matchers, const struct load *load)
{
    struct err e = ERR_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    const struct select_request request = {.min_t = load->start_ms,
        .max_t = load->start_ms + INT64_C(3600000),
        .matchers = matchers,
        .matcher_count = l->match_name != NULL ? 1 : 0,
        .labels_only = true,
        .series_enough = l->limit};
    size_t count = 0;
    if (l->kind == SERIES) {
        struct series_set *set = NULL;
        check(querier_select(q, &request, &arena, &set, &e), &e);
        count = set->count;
        series_set_free(set);
    } else {
        struct string_list list = {0};
        check(l->kind == NAMES ? q->ops->label_names(q, &request, l->limit, &arena, &list, &e)
                               : q->ops->label_values(
                                     q, str_of(l->label), &request, l->limit, &arena, &list, &e),
            &e);
        count = list.count;
    }
    arena_release(&arena);
    return count;
}

static void measure(struct tsdb *db, const struct load *load, const char *where)
{
    struct err e = ERR_INIT;
    struct querier *q = NULL;
    printf("%s:\n", where);
    check(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, &e), &e);
    for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
        const struct lookup *l = &lookups[i];
        struct matcher *m = NULL;
        if (l->match_name != NULL) {
            check(matcher_new(l->regex ? MATCHER_REGEX : MATCHER_EQUAL, str_of(l->match_name),
                      str_of(l->match_value), &m, &e),
                &e);
        }
        const struct matcher *const matchers[] = {m};
        double best = 1e9;
        size_t count = 0;
        for (int round = 0; round < ROUNDS; round++) {
            double start = now_ms();
            count = look_up(q, l, matchers, load);
            double spent = now_ms() - start;
            best = spent < best ? spent : best;
        }
        printf("  %-30s %8.2f ms  %zu\n", l->what, best, count);
        matcher_free(m);
    }
    querier_close(q);
}

int main(int count, char **values)
{
    struct err e = ERR_INIT;
    struct load l = {.targets = count > 1 ? (uint32_t)strtoul(values[1], NULL, 10) : 1166,
        .columns = count > 2 ? (uint32_t)strtoul(values[2], NULL, 10) : 858};
    struct tsdb_options options = {.path = count > 3 ? values[3] : "/tmp/bench_lookup.data"};
    struct tsdb *db = NULL;
    l.start_ms = clock_now_ms(clock_real()) / 86400000 * 86400000 - 86400000;
    check(tsdb_open(&options, &db, &e), &e);
    for (uint32_t i = 0; i < SCRAPES; i++) {
        write_scrape(db, &l, i);
    }
    printf("%u targets of %u series\n", l.targets, l.columns);
    measure(db, &l, "in the head");
    check(tsdb_compact(db, &e), &e);
    measure(db, &l, "in parts");
    check(tsdb_close(db, &e), &e);
    return 0;
}
