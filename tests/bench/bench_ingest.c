/* How fast samples enter the store: lookup, append, commit with the log on a real disk, as a receiver
 * of remote write does it after decoding.
 *
 *   bench_ingest [targets] [columns] [scrapes] [samples per request] [directory]
 *
 * Housekeeping runs after each scrape, on the same thread, and is counted apart.
 *
 * Prints CPU seconds per million samples (of the process, all threads), samples per second and core,
 * and bytes of memory per series. Values are a mix like node_exporter's: most do not change, some
 * count, some wander.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

struct load {
    uint32_t targets, columns, scrapes, request;
    struct hash128 *keys;
    double *values;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void check(int status, const struct err *e)
{
    if (status != 0) {
        fprintf(stderr, "bench_ingest: %s\n", e->message);
        exit(1);
    }
}

static int append_new(struct appender *a, const struct load *l, uint32_t series,
    struct series_ref *ref, struct err *e)
{
    char texts[3][64];
    int n[3] = {
        snprintf(texts[0], 64, "metric_number_%u_total", series % l->columns / 4),
        snprintf(texts[1], 64, "%u", series % l->columns % 4),
        snprintf(texts[2], 64, "host-%u.example.org:9100", series / l->columns),
    };
    struct label labels[] = {
        {STR("__name__"), str_make(texts[0], (size_t)n[0])},
        {STR("device"), str_make(texts[1], (size_t)n[1])},
        {STR("instance"), str_make(texts[2], (size_t)n[2])},
        {STR("job"), STR("node")},
    };
    return appender_series(a, labels, 4, &l->keys[series], ref, e);
}

static void next_value(double *value, uint32_t series, uint64_t *random)
{
    if (series % 10 < 6) {
        return;
    }
    uint64_t r = test_random(random);
    *value += series % 10 < 8 ? (double)(r % 100) : ((double)(r % 2001) - 1000) / 100;
}

static void send_scrape(
    struct tsdb *db, const struct load *l, int64_t t_ms, uint64_t *random, struct err *e)
{
    uint32_t total = l->targets * l->columns;
    for (uint32_t from = 0; from < total; from += l->request) {
        struct appender *a = NULL;
        check(appender_open(tsdb_appender_source(db), &a, e), e);
        uint32_t to = from + l->request < total ? from + l->request : total;
        for (uint32_t s = from; s < to; s++) {
            struct series_ref ref;
            if (appender_lookup(a, l->keys[s], &ref) == 0) {
                check(append_new(a, l, s, &ref, e), e);
            }
            next_value(&l->values[s], s, random);
            check(appender_append(a, ref, t_ms, l->values[s]), e);
        }
        check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, e), e);
    }
}

/* Returns the CPU seconds it took. */
static double keep_house(struct tsdb *db, struct err *e)
{
    double start = cpu_seconds();
    bool more = true;
    while (more) {
        check(tsdb_maintain(db, &more, e), e);
    }
    return cpu_seconds() - start;
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
        .scrapes = argument(count, values, 3, 240),
        .request = argument(count, values, 4, 2000)};
    uint32_t total = l.targets * l.columns;
    l.keys = mem_calloc(total, sizeof(*l.keys));
    l.values = mem_calloc(total, sizeof(*l.values));
    if (l.keys == NULL || l.values == NULL) {
        return 1;
    }
    for (uint32_t s = 0; s < total; s++) {
        l.keys[s] = hash128(&s, sizeof(s), 1);
    }
    const char *path = count > 5 ? values[5] : "/tmp/bench_ingest.data";
    struct tsdb_options options = {.path = path};
    struct tsdb *db = NULL;
    check(tsdb_open(&options, &db, &e), &e);
    long before_kib = peak_kib();
    uint64_t random = 1;
    int64_t t_ms = clock_now_ms(clock_real()) - (int64_t)l.scrapes * 15000;
    t_ms = t_ms / 86400000 * 86400000;
    double start = cpu_seconds();
    send_scrape(db, &l, t_ms, &random, &e);
    double first = cpu_seconds();
    double house = 0;
    for (uint32_t i = 1; i < l.scrapes; i++) {
        send_scrape(db, &l, t_ms + (int64_t)i * 15000, &random, &e);
        house += keep_house(db, &e);
    }
    double steady = cpu_seconds() - house;
    double samples = (double)total * (l.scrapes - 1);
    struct tsdb_statistics s;
    tsdb_statistics(db, &s);
    printf("series %u, new series %.2f us each\n", total, (first - start) / total * 1e6);
    printf("steady: %.3f CPU s per million samples, %.2f M samples/s/core\n",
        (steady - first) / samples * 1e6, samples / (steady - first) / 1e6);
    printf("log on disk %.1f MB; head %.0f bytes/series (counted), %.0f (resident, at most)\n",
        (double)s.wal_bytes / 1e6, (double)s.head_bytes / total,
        (double)(peak_kib() - before_kib) * 1024 / total);
    printf("housekeeping meanwhile: %.3f CPU s per million samples, %llu seals, %llu merges\n",
        house / samples * 1e6, (unsigned long long)s.seals, (unsigned long long)s.merges);
    tsdb_abandon(db);
    double replay_start = cpu_seconds();
    check(tsdb_open(&options, &db, &e), &e);
    tsdb_statistics(db, &s);
    printf("replay after a kill: %.3f CPU s per million samples, %lld ms for %llu\n",
        (cpu_seconds() - replay_start) / (double)s.replayed_samples * 1e6, (long long)s.replay_ms,
        (unsigned long long)s.replayed_samples);
    double seal_start = cpu_seconds();
    check(tsdb_compact(db, &e), &e);
    tsdb_statistics(db, &s);
    printf("seal and merge: %.3f CPU s per million samples, %.3f bytes/sample in parts\n",
        (cpu_seconds() - seal_start) / (samples + total) * 1e6,
        (double)s.part_bytes / (double)s.part_samples);
    check(tsdb_close(db, &e), &e);
    mem_free(l.keys);
    mem_free(l.values);
    return 0;
}
