/* A day of pods that come and go: what a store of short-lived targets costs.
 *
 *   bench_churn [pods of the day] [series of a pod] [directory]
 *
 * A pod lives 72 minutes, so a twentieth of them is alive at any time, and is scraped each minute, one
 * commit a scrape. The day goes by as fast as the machine can, on a clock moved by hand; housekeeping
 * runs beside it on a thread of its own, and the day waits for it when it falls half an hour behind.
 *
 * Prints: the longest commit (a stall of the sender), CPU seconds per million samples, memory while it
 * went on, bytes per sample of the day's parts, and how much of those is index: dictionaries, schemas
 * and groups.
 */
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

enum { MINUTES = 1440, LIFE_MINUTES = 72, LAG_MINUTES = 30, STALLS = 6 };

struct day {
    uint32_t pods, columns;
    struct tsdb *db;
    struct fake_clock clock;
    _Atomic int minute;     /* of the senders */
    _Atomic int maintained; /* the minute in which housekeeping was last done */
    _Atomic bool over;
    uint64_t random;
    uint64_t samples;
    double longest_ms;
    uint64_t stalls[STALLS]; /* commits longer than 1, 3, 10, 30, 100, 300 ms */
};

static double clock_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Resident now, in MiB: the second number of statm, in pages. */
static double resident_mib(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2) {
        resident = 0;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return (double)resident * 4096 / 1048576;
}

static void check(int status, const struct err *e)
{
    if (status < 0) {
        fprintf(stderr, "bench_churn: %s\n", e->message);
        exit(1);
    }
}

static void add_series(
    struct day *d, struct appender *a, uint32_t pod, uint32_t c, struct series_ref *ref)
{
    struct err e = ERR_INIT;
    struct hash128 key = {(uint64_t)pod * d->columns + c, 1};
    if (appender_lookup(a, key, ref) != 0) {
        return;
    }
    char metric[48], path[16], name[64], node[32], address[32];
    int n[] = {snprintf(metric, sizeof(metric), "application_metric_%u_total", c / 4),
        snprintf(path, sizeof(path), "/path/%u", c % 4),
        snprintf(name, sizeof(name), "application-%u-7c9d8b5f6-%05x", pod % 50, pod * 40503u),
        snprintf(node, sizeof(node), "node-%u", pod % 97),
        snprintf(
            address, sizeof(address), "10.%u.%u.%u:8080", pod % 200, pod / 200 % 250, pod % 7)};
    struct label labels[] = {{STR("__name__"), str_make(metric, (size_t)n[0])},
        {STR("container"), STR("application")}, {STR("instance"), str_make(address, (size_t)n[4])},
        {STR("job"), STR("pods")}, {STR("namespace"), STR("production")},
        {STR("node"), str_make(node, (size_t)n[3])}, {STR("path"), str_make(path, (size_t)n[1])},
        {STR("pod"), str_make(name, (size_t)n[2])}};
    check(appender_series(a, labels, sizeof(labels) / sizeof(labels[0]), &key, ref, &e), &e);
}

/* Six of ten never change, two count, two wander. */
static double value_of(struct day *d, uint32_t pod, uint32_t c, int minute)
{
    uint32_t constant = (pod * 31 + c * 7) % 1000;
    if (c % 10 < 6) {
        return constant;
    }
    uint64_t r = test_random(&d->random);
    return c % 10 < 8 ? minute * 60.0 * (1 + c % 5) + (double)(r % 30)
                      : (double)constant + (double)(r % 2001) / 100;
}

static void scrape(struct day *d, uint32_t pod, int minute, int64_t t_ms)
{
    struct err e = ERR_INIT;
    struct appender *a = NULL;
    double start = clock_ms(CLOCK_MONOTONIC);
    check(appender_open(tsdb_appender_source(d->db), &a, &e), &e);
    for (uint32_t c = 0; c < d->columns; c++) {
        struct series_ref ref;
        add_series(d, a, pod, c, &ref);
        check(appender_append(a, ref, t_ms, value_of(d, pod, c, minute)), &e);
    }
    check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
    double spent = clock_ms(CLOCK_MONOTONIC) - start;
    static const double limits[STALLS] = {1, 3, 10, 30, 100, 300};
    for (int i = 0; i < STALLS; i++) {
        d->stalls[i] += spent > limits[i];
    }
    d->longest_ms = spent > d->longest_ms ? spent : d->longest_ms;
    d->samples += d->columns;
}

static void *keep_house(void *context)
{
    struct day *d = context;
    while (!atomic_load(&d->over)) {
        struct err e = ERR_INIT;
        int minute = atomic_load(&d->minute);
        bool more = true;
        while (more) {
            check(tsdb_maintain(d->db, &more, &e), &e);
        }
        atomic_store(&d->maintained, minute);
    }
    return NULL;
}

static void report(const struct day *d, int minute)
{
    struct tsdb_statistics s;
    tsdb_statistics(d->db, &s);
    printf("%02d:%02d  series in memory %8llu, head %6.1f MiB, resident %6.1f MiB\n", minute / 60,
        minute % 60, (unsigned long long)s.series, (double)s.head_bytes / 1048576, resident_mib());
}

/* Pod p begins at its share of the day, wrapped, so that as many live at midnight as at noon. */
static void run_day(struct day *d, int64_t start_ms)
{
    for (int minute = 0; minute < MINUTES; minute++) {
        atomic_store(&d->minute, minute);
        while (minute - atomic_load(&d->maintained) > LAG_MINUTES) {
            (void)sched_yield();
        }
        int64_t now = start_ms + (int64_t)minute * 60000;
        for (uint32_t i = 0; i < d->pods; i++) {
            int birth = (int)((uint64_t)i * MINUTES / d->pods);
            if (minute >= birth && minute < birth + LIFE_MINUTES) {
                scrape(d, i, minute, now + i % 60000);
            }
        }
        fake_clock_advance_ms(&d->clock, 60000);
        if (minute % 120 == 119) {
            report(d, minute + 1);
        }
    }
}

/* Stored bytes of all sections of a part: what is not samples. */
static uint64_t index_bytes(const char *path, uint64_t *size_out)
{
    uint8_t tail[24], entry[28];
    uint64_t bytes = 0;
    FILE *f = fopen(path, "rbe");
    if (f == NULL || fseek(f, -(long)sizeof(tail), SEEK_END) != 0 ||
        fread(tail, sizeof(tail), 1, f) != 1) {
        return 0;
    }
    *size_out = (uint64_t)ftell(f);
    (void)fseek(f, (long)get_le64(tail + 8), SEEK_SET);
    for (uint32_t i = 0; i < get_le32(tail) && fread(entry, sizeof(entry), 1, f) == 1; i++) {
        bytes += get_le64(entry + 12);
    }
    (void)fclose(f);
    return bytes;
}

static void report_files(const struct day *d, const char *directory)
{
    char pattern[4096];
    glob_t found = {0};
    uint64_t bytes = 0, index = 0;
    (void)snprintf(pattern, sizeof(pattern), "%s/raw/*/p-*", directory);
    (void)glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        uint64_t size = 0;
        index += index_bytes(found.gl_pathv[i], &size);
        bytes += size;
    }
    printf("%zu parts: %.3f bytes/sample, index %.2f %% of it, %.2f bytes a series\n",
        found.gl_pathc, (double)bytes / (double)d->samples, 100.0 * (double)index / (double)bytes,
        (double)index / ((double)d->pods * d->columns));
    globfree(&found);
}

int main(int count, char **values)
{
    struct err e = ERR_INIT;
    static struct day d;
    const char *directory = count > 3 ? values[3] : "/tmp/bench_churn.data";
    d.pods = count > 1 ? (uint32_t)strtoul(values[1], NULL, 10) : 2000;
    d.columns = count > 2 ? (uint32_t)strtoul(values[2], NULL, 10) : 500;
    d.random = 1;
    int64_t start_ms = INT64_C(20500) * 86400000;
    fake_clock_init(&d.clock, start_ms);
    const struct tsdb_options options = {.path = directory, .clock = &d.clock.clock};
    check(tsdb_open(&options, &d.db, &e), &e);
    double cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ms(CLOCK_MONOTONIC);
    pthread_t house;
    if (pthread_create(&house, NULL, keep_house, &d) != 0) {
        return 1;
    }
    run_day(&d, start_ms);
    atomic_store(&d.over, true);
    (void)pthread_join(house, NULL);
    cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = clock_ms(CLOCK_MONOTONIC) - wall;
    printf(
        "%.1f M series, %.0f M samples in %.0f s: %.3f CPU s per million samples, with sealing and "
        "merging\n",
        (double)d.pods * d.columns / 1e6, (double)d.samples / 1e6, wall / 1e3,
        cpu / 1e3 / ((double)d.samples / 1e6));
    printf("longest commit %.1f ms; over 1 ms: %llu, 3: %llu, 10: %llu, 30: %llu, 100: %llu, 300: "
           "%llu\n",
        d.longest_ms, (unsigned long long)d.stalls[0], (unsigned long long)d.stalls[1],
        (unsigned long long)d.stalls[2], (unsigned long long)d.stalls[3],
        (unsigned long long)d.stalls[4], (unsigned long long)d.stalls[5]);
    check(tsdb_compact(d.db, &e), &e);
    report_files(&d, directory);
    check(tsdb_close(d.db, &e), &e);
    return 0;
}
