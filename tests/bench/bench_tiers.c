/* What downsampled tiers cost and what they save.
 *
 *   bench_tiers COLUMNS DIRECTORY [days]
 *
 * COLUMNS is a capture of scrapes: "COL1", u32 series, u32 scrapes, then for each series u16 labels, for
 * each label two texts with u16 lengths, u8 counter, u8 decimals, u8 of a
 * histogram, and the values as f64, all little-endian.
 * It is played again and again, counters going on where they stopped, one scrape each 15 s, for so many days
 * (default 7), on a clock that is moved. Prints bytes a window and series of each tier, and the time of range
 * queries of one step an hour over all days: from samples (windows that begin a millisecond off), and from
 * buckets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "query/engine.h"
#include "support/fake_clock.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define SCRAPE_MS 15000
#define DAY_MS INT64_C(86400000)

struct column {
    struct label labels[64];
    size_t label_count;
    bool counter;
    const char *values;
    double offset; /* of a counter, by the rounds before */
};

struct capture {
    char *bytes;
    struct column *columns;
    uint32_t count, scrapes;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(int status, const struct err *e)
{
    if (status < 0) {
        fprintf(stderr, "bench_tiers: %s\n", e->message);
        exit(1);
    }
}

static struct str read_text(struct decbuf *d)
{
    uint16_t size = decbuf_le16(d);
    return decbuf_bytes(d, size);
}

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static void read_column(struct decbuf *d, uint32_t scrapes, struct column *c)
{
    size_t count = decbuf_le16(d);
    for (size_t i = 0; i < count && i < 64; i++) {
        struct label l = {.name = read_text(d)};
        l.value = read_text(d);
        if (l.value.len > 0) {
            c->labels[c->label_count++] = l;
        }
    }
    qsort(c->labels, c->label_count, sizeof(c->labels[0]), compare_labels);
    c->counter = decbuf_u8(d) != 0;
    (void)decbuf_bytes(d, 2); // decimals, and whether it is of a histogram
    c->values = decbuf_bytes(d, (size_t)scrapes * 8).ptr;
}

static void read_capture(const char *path, struct capture *c)
{
    size_t size = 0;
    struct err e = ERR_INIT;
    int status = vfs_read_file(vfs_posix(), path, (size_t)1 << 30, &c->bytes, &size);
    err_set(&e, status, -1, "%s: %s", path, err_text(status));
    check(status, &e);
    struct decbuf d = decbuf_of(c->bytes + 4, size - 4);
    c->count = decbuf_le32(&d);
    c->scrapes = decbuf_le32(&d);
    c->columns = mem_calloc(c->count, sizeof(*c->columns));
    for (uint32_t i = 0; i < c->count && !d.failed; i++) {
        read_column(&d, c->scrapes, &c->columns[i]);
    }
    if (d.failed) {
        fprintf(stderr, "bench_tiers: %s is no capture\n", path);
        exit(1);
    }
}

static double value_at(const struct column *c, uint32_t scrape)
{
    return double_from_bits(get_le64((const uint8_t *)c->values + (size_t)scrape * 8));
}

static void write_scrape(struct tsdb *db, struct capture *c, uint32_t scrape, int64_t t)
{
    struct appender *a = NULL;
    struct err e = ERR_INIT;
    check(appender_open(tsdb_appender_source(db), &a, &e), &e);
    for (uint32_t i = 0; i < c->count; i++) {
        struct column *column = &c->columns[i];
        struct hash128 key = {i, 1};
        struct series_ref ref;
        if (appender_lookup(a, key, &ref) == 0) {
            check(appender_series(a, column->labels, column->label_count, &key, &ref, &e), &e);
        }
        check(appender_append(a, ref, t, value_at(column, scrape) + column->offset), &e);
    }
    check(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), &e);
}

/* The capture begins again: counters go on where they stopped. */
static void move_counters(struct capture *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct column *column = &c->columns[i];
        column->offset +=
            column->counter ? value_at(column, c->scrapes - 1) - value_at(column, 0) : 0;
    }
}

static void maintain(struct tsdb *db)
{
    struct err e = ERR_INIT;
    bool more = true;
    while (more) {
        check(tsdb_maintain(db, &more, &e), &e);
    }
}

static void fill(struct tsdb *db, struct capture *c, struct fake_clock *clock, int64_t days)
{
    for (int64_t n = 0; n * SCRAPE_MS < days * DAY_MS + 3 * 3600000; n++) {
        fake_clock_advance_ms(clock, SCRAPE_MS);
        int64_t t = clock_now_ms(&clock->clock);
        uint32_t scrape = (uint32_t)(n % c->scrapes);
        write_scrape(db, c, scrape, t);
        if (scrape + 1 == c->scrapes) {
            move_counters(c);
        }
        if (n % 120 == 119) {
            maintain(db);
        }
    }
}

static double ask(struct engine *engine, struct tsdb *db, const char *query, int64_t start,
    int64_t end, size_t *values_out)
{
    struct engine_result result;
    struct err e = ERR_INIT;
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        double begin = now_s();
        check(engine_range(engine, tsdb_querier_source(db), str_of(query), start, end, 3600000,
                  NULL, &result, &e),
            &e);
        double took = now_s() - begin;
        best = took < best ? took : best;
        *values_out = 0;
        for (size_t k = 0; k < result.series_count; k++) {
            *values_out += result.series[k].float_count;
        }
        engine_result_release(&result);
    }
    return best;
}

static void print_queries(struct tsdb *db, int64_t days)
{
    static const char *const queries[] = {"sum by (mode) (rate(node_cpu_seconds_total[1h]))",
        "avg_over_time(node_memory_MemFree_bytes[1h])",
        "max_over_time(node_filesystem_avail_bytes[1h])",
        "sum by (device) (increase(node_disk_written_bytes_total[1d]))",
        "quantile_over_time(0.99, node_load1[1h])"};
    const struct engine_options options = {
        .samples_max = UINT64_C(1) << 32, .memory_bytes = (size_t)1 << 34};
    struct engine *engine = NULL;
    check(engine_new(&options, &engine), NULL);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        size_t values = 0;
        int64_t start = START_MS + DAY_MS, end = START_MS + days * DAY_MS;
        double buckets = ask(engine, db, queries[i], start, end, &values);
        double samples = ask(engine, db, queries[i], start + 1, end + 1, &values);
        printf("%-52s %8.1f ms from samples, %7.1f ms from buckets, %zu values\n", queries[i],
            samples * 1e3, buckets * 1e3, values);
    }
    engine_free(engine);
}

/* Bytes of the tier and of the samples, by switching one off after the other. */
static uint64_t tier_bytes(
    struct capture *c, const char *directory, int64_t days, enum tsdb_tier tier, bool sketches)
{
    struct fake_clock clock;
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    fake_clock_init(&clock, START_MS);
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/tier-%d-%d", directory, tier, sketches);
    struct tsdb_options options = {
        .path = path, .clock = &clock.clock, .sync_policy = WAL_SYNC_NEVER, .retention_ms = DAY_MS};
    options.tiers[tier] = (struct tsdb_tier_options){.enabled = true, .sketches = sketches};
    for (uint32_t i = 0; i < c->count; i++) {
        c->columns[i].offset = 0;
    }
    check(tsdb_open(&options, &db, &e), &e);
    fill(db, c, &clock, days);
    struct tsdb_statistics stats;
    tsdb_statistics(db, &stats);
    check(tsdb_close(db, &e), &e);
    return stats.tier_bytes;
}

int main(int argc, char **argv)
{
    struct capture c = {0};
    struct fake_clock clock;
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_tiers COLUMNS DIRECTORY [days]\n");
        return 2;
    }
    int64_t days = 7;
    if (argc > 3 && (str_to_i64(str_of(argv[3]), &days) != 0 || days < 2)) {
        fprintf(stderr, "bench_tiers: \"%s\" is no number of days from 2 on\n", argv[3]);
        return 2;
    }
    read_capture(argv[1], &c);
    for (int t = 0; t < TSDB_TIERS; t++) {
        for (int sketches = 0; sketches < 2; sketches++) {
            uint64_t bytes = tier_bytes(&c, argv[2], days, (enum tsdb_tier)t, sketches != 0);
            double windows = (double)days * (t == TSDB_TIER_5M ? 288 : 24) * c.count;
            printf("%s%-14s %8.3f bytes a window and series, %.2f MB\n",
                t == TSDB_TIER_5M ? "5m" : "1h", sketches ? " with sketches" : "",
                (double)bytes / windows, (double)bytes / 1e6);
        }
    }
    for (uint32_t i = 0; i < c.count; i++) {
        c.columns[i].offset = 0;
    }
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/all", argv[2]);
    fake_clock_init(&clock, START_MS);
    const struct tsdb_options options = {.path = path,
        .clock = &clock.clock,
        .sync_policy = WAL_SYNC_NEVER,
        .tiers = {{.enabled = true}, {.enabled = true, .sketches = true}}};
    double begin = now_s();
    check(tsdb_open(&options, &db, &e), &e);
    fill(db, &c, &clock, days);
    struct tsdb_statistics stats;
    tsdb_statistics(db, &stats);
    double samples = (double)stats.samples_appended;
    printf("samples: %.3f bytes each, %.2f MB; all of it took %.2f CPU us a sample\n",
        (double)(stats.part_bytes - stats.tier_bytes) / (double)stats.part_samples,
        (double)(stats.part_bytes - stats.tier_bytes) / 1e6, (now_s() - begin) / samples * 1e6);
    print_queries(db, days);
    check(tsdb_close(db, &e), &e);
    mem_free(c.columns);
    mem_free(c.bytes);
    return 0;
}
