/* A block that Prometheus wrote (tests/golden/prometheus_block.py) reads as what was put into it, comes
 * back from our own writer as the same, and no damage to it is believed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "block/block_reader.h"
#include "block/block_writer.h"
#include "describe_block.h"
#include "model/sample.h"
#include "support/sim_vfs.h"
#include "support/support.h"

static void test_reads_what_was_put_in(void **state)
{
    struct strbuf text = STRBUF_INIT;
    char *expected = read_expected();
    assert_int_equal(describe_block(vfs_posix(), GOLDEN, &text), 0);
    assert_same_lines(&text, expected);
    mem_free(expected);
    strbuf_release(&text);
}

/* ---- Our own writer ---- */

/* All samples of one series, in the arena. */
struct whole {
    int64_t *times;
    double *values;
    const struct histogram **histograms;
    size_t count;
};

static struct whole gather(
    struct block_reader *r, const struct block_series *series, struct arena *arena)
{
    enum { MOST = 4096 };
    struct whole w = {arena_alloc(arena, MOST * sizeof(int64_t)),
        arena_alloc(arena, MOST * sizeof(double)),
        arena_alloc(arena, MOST * sizeof(struct histogram *)), 0};
    for (size_t i = 0; i < series->chunk_count; i++) {
        struct chunk_samples s;
        assert_int_equal(block_reader_samples(r, series, i, arena, &s, NULL), 0);
        assert_true(w.count + s.count <= MOST);
        for (size_t j = 0; j < s.count; j++, w.count++) {
            w.times[w.count] = s.times[j];
            if (s.values != NULL) {
                w.values[w.count] = s.values[j];
            } else {
                w.histograms[w.count] = s.histograms[j];
            }
        }
        if (s.values != NULL) {
            w.histograms = NULL;
        }
    }
    return w;
}

static int copy_series(struct block_writer *w, struct block_reader *r,
    const struct block_series *series, const struct labels *labels)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct whole whole = gather(r, series, &arena);
    int status = block_writer_series(w, labels);
    if (status == 0) {
        status = whole.histograms != NULL
                     ? block_writer_histograms(w, whole.times, whole.histograms, whole.count, NULL)
                     : block_writer_floats(w, whole.times, whole.values, whole.count);
    }
    arena_release(&arena);
    return status;
}

enum { SERIES_MAX = 64 };

/* The golden block by our writer into `parent`. */
static void copy_block(struct vfs *fs, const char *parent, struct block_meta *meta_out)
{
    struct block_reader r;
    struct block_writer w;
    const struct labels *all[SERIES_MAX];
    const struct block_series *series = NULL;
    size_t count = 0;
    assert_int_equal(block_reader_open(&r, vfs_posix(), GOLDEN, NULL), 0);
    assert_int_equal(block_writer_open(&w, fs, parent, &r.meta, NULL), 0);
    while (block_index_next(&r.index, &series, NULL) == 1) {
        assert_int_equal(labels_new(series->labels, series->label_count, &all[count], NULL), 0);
        assert_int_equal(copy_series(&w, &r, series, all[count++]), 0);
    }
    assert_int_equal(block_writer_finish(&w, NULL, NULL), 0);
    *meta_out = w.meta;
    block_writer_close(&w);
    block_reader_close(&r);
    while (count > 0) {
        labels_unref(all[--count]);
    }
}

static void test_our_writer_says_the_same(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct block_meta meta, read;
    char path[BLOCK_PATH_MAX];
    struct strbuf text = STRBUF_INIT;
    char *expected = read_expected();
    assert_int_equal(vfs_mkdir(fs, "out"), 0);
    copy_block(fs, "out", &meta);
    snprintf(path, sizeof(path), "out/%s", meta.ulid);
    assert_int_equal(describe_block(fs, path, &text), 0);
    assert_same_lines(&text, expected);
    assert_int_equal(block_meta_read(fs, path, &read, NULL), 0);
    assert_int_equal(read.samples, 1090); /* lines of samples.txt that are no series */
    assert_int_equal(read.series, 9);
    assert_int_equal(read.min_t, meta.min_t);
    assert_int_equal(read.max_t, meta.max_t);
    block_meta_release(&read);
    /* Everything of it lasts. */
    sim_vfs_power_cut(sim, 3);
    strbuf_reset(&text);
    assert_int_equal(describe_block(fs, path, &text), 0);
    assert_same_lines(&text, expected);
    mem_free(expected);
    strbuf_release(&text);
    sim_vfs_free(sim);
}

/* ---- Damage ---- */

/* Any bit of index and chunks: an error, or the very same samples (padding between series). */
static void test_no_damage_is_believed(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct block_meta meta;
    char directory[64], path[128];
    char *expected = read_expected();
    uint64_t random = test_seed(), refused = 0;
    assert_int_equal(vfs_mkdir(fs, "out"), 0);
    copy_block(fs, "out", &meta);
    snprintf(directory, sizeof(directory), "out/%s", meta.ulid);
    for (int round = 0; round < 400; round++) {
        static const char *const names[] = {"index", "chunks/000001", "tombstones"};
        struct strbuf text = STRBUF_INIT;
        struct vfs_file *file = NULL;
        uint64_t size = 0;
        snprintf(path, sizeof(path), "%s/%s", directory, names[round % 3]);
        assert_int_equal(vfs_open(fs, path, VFS_READ, &file), 0);
        assert_int_equal(vfs_size(fs, file, &size), 0);
        vfs_close(fs, file);
        uint64_t bit = test_random(&random) % (size * 8);
        assert_int_equal(sim_vfs_flip_bit(sim, path, bit), 0);
        if (describe_block(fs, directory, &text) == 0) {
            assert_same_lines(&text, expected);
        } else {
            refused++;
        }
        assert_int_equal(sim_vfs_flip_bit(sim, path, bit), 0);
        strbuf_release(&text);
    }
    assert_true(refused > 300);
    mem_free(expected);
    sim_vfs_free(sim);
}

/* ---- Chunks of our own ---- */

/* Every kind of step in time and value, in counts from 1 on. */
static void test_floats_come_back(void **state)
{
    uint64_t random = test_seed();
    for (size_t count = 1; count <= CHUNK_SAMPLES_MAX; count++) {
        int64_t times[CHUNK_SAMPLES_MAX], t = -(INT64_C(1) << 40);
        double values[CHUNK_SAMPLES_MAX];
        struct strbuf out = STRBUF_INIT;
        struct chunk_samples s;
        struct arena arena;
        for (size_t i = 0; i < count; i++) {
            t += 1 + (int64_t)(test_random(&random) % (UINT64_C(1) << test_random(&random) % 44));
            times[i] = t;
            values[i] = double_from_bits(test_random(&random) >> test_random(&random) % 64);
            values[i] = i > 0 && test_random(&random) % 4 == 0 ? values[i - 1] : values[i];
        }
        xor_chunk_encode(times, values, count, &out);
        arena_init(&arena, 0);
        assert_int_equal(xor_chunk_decode(strbuf_str(&out), &arena, &s), 0);
        assert_int_equal(s.count, count);
        assert_memory_equal(s.times, times, count * sizeof(*times));
        assert_memory_equal(s.values, values, count * sizeof(*values));
        /* Cut anywhere, it is refused. */
        for (size_t cut = 0; cut + 1 < out.size; cut += 1 + out.size / 16) {
            assert_int_equal(xor_chunk_decode(str_make(out.data, cut), &arena, &s), ERR_CORRUPT);
        }
        arena_release(&arena);
        strbuf_release(&out);
    }
}

/* Bounds of a custom histogram: thousandths, others, and those that thousandths would not give back. */
static void test_custom_buckets_come_back(void **state)
{
    static const double bounds[] = {-1.5, 0.0, 0.001, 0.25, 1.0 / 3, 33554.43, 33554.431, 1e300};
    static const struct histogram_span spans[] = {{0, 3}, {2, 4}};
    static const double counts[] = {1, 2, 3, 4, 5, 6, 7};
    struct histogram h = {.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .integer = true,
        .count = 28,
        .sum = -0.5,
        .positive = {spans, 2, counts, 7},
        .custom_values = bounds,
        .custom_count = 8};
    const struct histogram *all[] = {&h, &h};
    const int64_t times[] = {1, 2};
    struct strbuf out = STRBUF_INIT;
    struct chunk_samples s;
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(histogram_chunk_fit(all, 2), 2);
    assert_int_equal(histogram_chunk_encoding(all, 2), CHUNK_HISTOGRAM);
    histogram_chunk_encode(CHUNK_HISTOGRAM, CHUNK_RESET_YES, times, all, 2, &out);
    assert_int_equal(chunk_decode(CHUNK_HISTOGRAM, strbuf_str(&out), &arena, &s), 0);
    assert_int_equal(s.count, 2);
    h.reset_hint = HISTOGRAM_RESET_YES;
    assert_true(histogram_eq(s.histograms[0], &h));
    h.reset_hint = HISTOGRAM_RESET_NO;
    assert_true(histogram_eq(s.histograms[1], &h));
    arena_release(&arena);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_was_put_in),
        cmocka_unit_test(test_our_writer_says_the_same),
        cmocka_unit_test(test_no_damage_is_believed),
        cmocka_unit_test(test_floats_come_back),
        cmocka_unit_test(test_custom_buckets_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
