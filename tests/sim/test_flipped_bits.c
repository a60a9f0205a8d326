/* One bit turned in any file of a store, then open, query, verify: nothing crashes, no value is wrong, and
 * what is missing is said by an error, a warning or a count. `verify` finds every turned bit.
 *
 * Bits are sampled by the seed; SONDE_FLIPS chooses how many a file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define STEP_MS INT64_C(15000)
#define FILES_MAX 64

enum { SERIES = 20, DELETED = 19, SAMPLES = 600, FLIPS = 60 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
    char files[FILES_MAX][64];
    size_t file_count;
};

static double value_of(uint32_t series, int64_t index)
{
    /* Some series hardly change, some need all their bits. */
    return series % 3 == 0 ? (double)(index / 50 + series)
                           : (double)(series * 1000 + (uint32_t)index) / (double)(series + 1);
}

static void write_samples(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
        for (uint32_t s = 0; s < SERIES; s++) {
            char name[16];
            int n = snprintf(name, sizeof(name), "m%u", s);
            struct label labels[] = {
                {STR("__name__"), str_make(name, (size_t)n)}, {STR("job"), STR("j")}};
            struct series_ref ref;
            assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
            assert_int_equal(appender_append(a, ref, START_MS + i * STEP_MS, value_of(s, i)), 0);
        }
        assert_int_equal(
            appender_set_metadata(a, STR("m1"), METRIC_TYPE_GAUGE, STR("Help of m1."), STR("s")),
            0);
        assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
    }
}

static void delete_one(struct fixture *f)
{
    struct matcher *m = NULL;
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("m19"), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    assert_int_equal(tsdb_delete_series(f->db, matchers, 1, INT64_MIN, INT64_MAX, NULL), 0);
    matcher_free(m);
}

struct listing {
    struct fixture *f;
    const char *directory;
};

static int list_file(void *context, const char *name, bool is_directory)
{
    const struct listing *l = context;
    char path[64];
    int n = snprintf(path, sizeof(path), "%s/%s", l->directory, name);
    assert_true(n > 0 && n < (int)sizeof(path));
    if (is_directory) {
        struct listing below = {l->f, path};
        return vfs_list(l->f->options.vfs, path, list_file, &below);
    }
    if (strcmp(name, "LOCK") != 0) {
        assert_true(l->f->file_count < FILES_MAX);
        memcpy(l->f->files[l->f->file_count++], path, sizeof(path));
    }
    return 0;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS + SAMPLES * STEP_MS);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .wal_segment_bytes = 2048,
        .sync_policy = WAL_SYNC_ALWAYS};
    assert_int_equal(tsdb_open(&f->options, &f->db, NULL), 0);
    write_samples(f, 0, 200);
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
    write_samples(f, 200, 400);
    delete_one(f);
    write_samples(f, 400, SAMPLES);
    bool more = false;
    assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
    tsdb_abandon(f->db);
    f->options.read_only = true;
    struct listing all = {f, "data"};
    assert_int_equal(vfs_list(f->options.vfs, "data", list_file, &all), 0);
}

/* ---- What is seen ---- */

struct sight {
    size_t samples;
    size_t errors, warnings;
    bool deleted_seen;
};

static void look_at_series(struct series *series, struct arena *arena, struct sight *sight)
{
    struct column_iter *it = NULL;
    struct column_run run;
    struct str name = labels_get(series_labels(series), STR("__name__"));
    uint64_t number = 0;
    assert_int_equal(str_to_u64(str_skip(name, 1), &number), 0);
    assert_true(number < SERIES);
    int status = series_open(series, arena, &it, NULL);
    while (status == 0 && (status = column_iter_next(it, &run, NULL)) == 1) {
        for (size_t i = 0; i < run.count; i++) {
            int64_t index = (run.times[i] - START_MS) / STEP_MS;
            double expected = value_of((uint32_t)number, index);
            if ((run.times[i] - START_MS) % STEP_MS != 0 || index < 0 || index >= SAMPLES ||
                run.values == NULL || run.values[i] != expected) {
                fail_msg("m%llu at %lld: not what was written", (unsigned long long)number,
                    (long long)run.times[i]);
            }
            sight->deleted_seen = sight->deleted_seen || (number == DELETED && index < 400);
        }
        sight->samples += run.count;
        status = 0;
    }
    sight->errors += status < 0;
    column_iter_close(it);
}

static struct sight look(struct tsdb *db)
{
    struct sight sight = {0};
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    if (querier_select(q, &request, &arena, &set, NULL) == 0) {
        sight.warnings = set->warning_count;
        for (size_t i = 0; i < set->count; i++) {
            look_at_series(set->series[i], &arena, &sight);
        }
    } else {
        sight.errors++;
    }
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
    return sight;
}

#define ALL_SAMPLES (SERIES * SAMPLES - 400)

static bool is_counted(const struct tsdb_statistics *s)
{
    return s->parts_quarantined > 0 || s->wal_corrupt_records > 0 || s->wal_truncated_bytes > 0 ||
           s->manifest_rebuilds > 0 || s->tombstones_lost > 0;
}

static void check_open(struct fixture *f, const char *path, uint64_t bit)
{
    struct err e = ERR_INIT;
    struct tsdb_statistics s;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("%s, bit %llu: %s", path, (unsigned long long)bit, e.message);
    }
    struct sight sight = look(f->db);
    tsdb_statistics(f->db, &s);
    bool said = sight.errors > 0 || sight.warnings > 0 || is_counted(&s);
    bool whole = sight.samples == ALL_SAMPLES && !sight.deleted_seen;
    if ((!whole && !said) || (sight.deleted_seen && s.tombstones_lost == 0)) {
        fail_msg("%s, bit %llu: %zu samples of %d, and nobody says why", path,
            (unsigned long long)bit, sight.samples, ALL_SAMPLES);
    }
    /* What was an error is left out with a warning from then on. */
    struct sight again = look(f->db);
    assert_int_equal(again.errors, 0);
    assert_true(again.warnings > 0 || sight.errors == 0);
    assert_int_equal(tsdb_close(f->db, NULL), 0);
}

static void check_verify(struct fixture *f, const char *path, uint64_t bit, bool damaged)
{
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    struct err e = ERR_INIT;
    if (tsdb_verify(&f->options, &report, &problems, &e) != 0) {
        fail_msg("%s, bit %llu: verify: %s", path, (unsigned long long)bit, e.message);
    }
    if ((problems > 0) != damaged) {
        fail_msg("%s, bit %llu: verify finds %llu problems: %s", path, (unsigned long long)bit,
            (unsigned long long)problems, report.size > 0 ? report.data : "");
    }
    strbuf_release(&report);
}

static uint64_t file_bits(struct fixture *f, const char *path)
{
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(f->options.vfs, path, (size_t)1 << 30, &data, &size), 0);
    mem_free(data);
    return (uint64_t)size * 8;
}

static void test_flipped_bits(void **state)
{
    struct fixture f;
    const char *text = getenv("SONDE_FLIPS");
    uint64_t flips = text != NULL ? strtoull(text, NULL, 10) : FLIPS, tried = 0;
    uint64_t random = test_seed();
    setup(&f);
    check_verify(&f, "nothing", 0, false);
    for (size_t i = 0; i < f.file_count; i++) {
        uint64_t bits = file_bits(&f, f.files[i]);
        for (uint64_t n = 0; n < flips && bits > 0; n++, tried++) {
            uint64_t bit = test_random(&random) % bits;
            assert_int_equal(sim_vfs_flip_bit(f.sim, f.files[i], bit), 0);
            check_open(&f, f.files[i], bit);
            check_verify(&f, f.files[i], bit, true);
            assert_int_equal(sim_vfs_flip_bit(f.sim, f.files[i], bit), 0);
        }
    }
    check_verify(&f, "nothing", 0, false);
    printf("%llu bits of %zu files\n", (unsigned long long)tried, f.file_count);
    sim_vfs_free(f.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
