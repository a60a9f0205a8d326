/* From Prometheus into a store and out again: the block and the log that a real one wrote
 * (tests/golden/prometheus_block.py) are imported into a real store, and what the store exports must be,
 * sample by sample and bit by bit, what was sent to Prometheus.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "block/block_reader.h"
#include "describe_block.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/block.h"
#include "tsdb/tsdb.h"

/* Of the samples, and those of the block's histograms. */
enum { SAMPLES = 1090, HISTOGRAMS = 101 + 140 + 140 };

#define BEGIN_MS INT64_C(1700000000000)

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct vfs *fs;
    struct tsdb *db;
    unsigned commits;
};

static void setup(struct fixture *f)
{
    struct err e = ERR_INIT;
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    f->fs = sim_vfs_get(f->sim);
    fake_clock_init(&f->clock, BEGIN_MS + BLOCK_RANGE_LONG_MS);
    const struct tsdb_options options = {
        .path = "data", .vfs = f->fs, .clock = &f->clock.clock, .sync_policy = WAL_SYNC_NEVER};
    if (tsdb_open(&options, &f->db, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
}

static int on_commit(void *context, struct err *e)
{
    struct fixture *f = context;
    bool more = false;
    f->commits++;
    return tsdb_maintain(f->db, &more, e);
}

static int import(
    struct fixture *f, const char *directory, struct block_import_counts *counts, struct err *e)
{
    const struct block_import_options options = {.fs = vfs_posix(),
        .directory = directory,
        .sink = tsdb_appender_source(f->db),
        .committed = on_commit,
        .context = f};
    return block_import(&options, counts, e);
}

static struct block_import_counts import_good(struct fixture *f, const char *directory)
{
    struct block_import_counts counts;
    struct err e = ERR_INIT;
    if (import(f, directory, &counts, &e) != 0) {
        fail_msg("%s", e.message);
    }
    assert_true(f->commits > 0);
    return counts;
}

static struct block_export_counts export_all(struct fixture *f, const char *directory,
    int64_t range_ms, const struct block_selection *selections, size_t count)
{
    struct block_export_counts counts;
    struct err e = ERR_INIT;
    const struct block_export_options options = {.fs = f->fs,
        .source = tsdb_querier_source(f->db),
        .directory = directory,
        .min_t = BEGIN_MS - BLOCK_RANGE_LONG_MS,
        .max_t = BEGIN_MS + BLOCK_RANGE_LONG_MS,
        .selections = selections,
        .selection_count = count,
        .range_ms = range_ms,
        .now_ms = BEGIN_MS};
    if (block_export(&options, &counts, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return counts;
}

/* The one block in a directory. */
static int note_block(void *context, const char *name, bool is_directory)
{
    char *path = context;
    assert_true(is_directory);
    assert_null(strchr(name, '.'));
    assert_null(strrchr(path, '/'));
    size_t length = strlen(path);
    snprintf(path + length, BLOCK_PATH_MAX - length, "/%s", name);
    return 0;
}

static void find_block(struct fixture *f, const char *directory, char *path)
{
    snprintf(path, BLOCK_PATH_MAX, "%s", directory);
    assert_int_equal(vfs_list(f->fs, directory, note_block, path), 0);
}

static void check_export(struct fixture *f)
{
    struct strbuf text = STRBUF_INIT;
    char path[BLOCK_PATH_MAX];
    char *expected = read_expected();
    struct block_export_counts counts = export_all(f, "out", BLOCK_RANGE_LONG_MS, NULL, 0);
    assert_int_equal(counts.blocks, 1);
    assert_int_equal(counts.samples, SAMPLES);
    assert_int_equal(counts.series, 9);
    find_block(f, "out", path);
    assert_int_equal(describe_block(f->fs, path, &text), 0);
    assert_same_lines(&text, expected);
    mem_free(expected);
    strbuf_release(&text);
}

static void test_block_in_and_out(void **state)
{
    struct fixture f;
    setup(&f);
    struct block_import_counts counts = import_good(&f, GOLDEN);
    assert_int_equal(counts.blocks, 1);
    assert_int_equal(counts.samples, SAMPLES - HISTOGRAMS);
    assert_int_equal(counts.histograms, HISTOGRAMS);
    assert_int_equal(counts.refused, 0);
    check_export(&f);
    teardown(&f);
}

static void test_log_in_and_block_out(void **state)
{
    struct fixture f;
    setup(&f);
    struct block_import_counts counts = import_good(&f, "tests/golden/prometheus_wal");
    assert_int_equal(counts.blocks, 0);
    assert_int_equal(counts.wal_torn, 0);
    assert_int_equal(counts.wal_records_skipped, 0);
    assert_int_equal(counts.samples, SAMPLES - HISTOGRAMS);
    assert_int_equal(counts.histograms, HISTOGRAMS);
    check_export(&f);
    teardown(&f);
}

/* Both, and again: what is there already changes nothing. */
static void test_twice_is_once(void **state)
{
    struct fixture f;
    setup(&f);
    (void)import_good(&f, GOLDEN);
    (void)import_good(&f, "tests/golden/prometheus_wal");
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    (void)import_good(&f, GOLDEN);
    check_export(&f);
    teardown(&f);
}

/* 1700000000 lies 800 s after an edge of two hours: all 2100 s of the even series are in one block, the
 * last sample of `sparse` (4000 s) as well. One series alone, and no block for a range without any. */
static void test_ranges_and_matchers(void **state)
{
    struct fixture f;
    struct matcher *m = NULL;
    setup(&f);
    (void)import_good(&f, GOLDEN);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("sparse"), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    /* Said twice, and as one of several: a series is there once. */
    const struct block_selection selections[] = {{list, 1}, {list, 1}};
    struct block_export_counts counts = export_all(&f, "some", BLOCK_RANGE_SHORT_MS, selections, 2);
    assert_int_equal(counts.blocks, 1);
    assert_int_equal(counts.series, 1);
    assert_int_equal(counts.samples, 9);
    assert_int_equal(counts.chunks, 1);
    char path[BLOCK_PATH_MAX];
    struct block_meta meta;
    find_block(&f, "some", path);
    assert_int_equal(block_meta_read(f.fs, path, &meta, NULL), 0);
    assert_int_equal(meta.min_t, INT64_C(1699999200000));
    assert_int_equal(meta.max_t, BEGIN_MS + 4000000 + 1);
    block_meta_release(&meta);
    matcher_free(m);
    teardown(&f);
}

static void test_refuses_what_is_no_data_directory(void **state)
{
    struct fixture f;
    struct block_import_counts counts;
    struct err e = ERR_INIT;
    setup(&f);
    assert_int_equal(import(&f, "tests/golden", &counts, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.message, "neither blocks nor a write-ahead log"));
    assert_int_equal(import(&f, "tests/nowhere", &counts, &e), ERR_NOT_FOUND);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_in_and_out),
        cmocka_unit_test(test_log_in_and_block_out),
        cmocka_unit_test(test_twice_is_once),
        cmocka_unit_test(test_ranges_and_matchers),
        cmocka_unit_test(test_refuses_what_is_no_data_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
