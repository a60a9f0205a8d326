/* The write-ahead log against a plain list of what was written: round trips, rotation, torn tails,
 * damage, failing disks and power cuts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "wal/wal.h"
#include "wal/wal_ahead.h"

enum { TARGETS = 5, COLUMNS = 40, ROWS_MAX = 4096 };
/* Bytes of a help text that makes a log large. */
enum { NOISE = 64 << 10 };

/* ---- The dictionary: target n has labels {instance="n"}, column c of it is shape (n + c) % 97,
 * every tenth a histogram. ---- */

struct dictionary {
    struct wal_dictionary base;
    const struct labels *targets[TARGETS];
    const struct labels *shapes[97];
};

static const struct labels *target_labels(struct wal_dictionary *d, uint32_t target)
{
    return ((struct dictionary *)d)->targets[target];
}

static const struct labels *shape_labels(struct wal_dictionary *d, uint32_t shape)
{
    return ((struct dictionary *)d)->shapes[shape];
}

static struct column column_of(uint32_t target, uint32_t column)
{
    return (struct column){
        (target + column) % 97, column % 10 == 9 ? COLUMN_HISTOGRAM : COLUMN_FLOAT};
}

static void columns(struct wal_dictionary *d, uint32_t target, uint32_t first, uint32_t count,
    struct column *columns_out)
{
    for (uint32_t i = 0; i < count; i++) {
        columns_out[i] = column_of(target, first + i);
    }
}

static const struct labels *one_label(const char *name, unsigned number)
{
    char value[16];
    snprintf(value, sizeof(value), "%u", number);
    struct label pair = {str_of(name), str_of(value)};
    const struct labels *l = NULL;
    assert_int_equal(labels_new(&pair, 1, &l, NULL), 0);
    return l;
}

static void dictionary_init(struct dictionary *d)
{
    d->base = (struct wal_dictionary){target_labels, shape_labels, columns};
    for (unsigned i = 0; i < TARGETS; i++) {
        d->targets[i] = one_label("instance", i);
    }
    for (unsigned i = 0; i < 97; i++) {
        d->shapes[i] = one_label("__name__", i);
    }
}

static void dictionary_release(struct dictionary *d)
{
    for (unsigned i = 0; i < TARGETS; i++) {
        labels_unref(d->targets[i]);
    }
    for (unsigned i = 0; i < 97; i++) {
        labels_unref(d->shapes[i]);
    }
}

/* ---- Rows, as written and as read ---- */

struct row {
    bool acknowledged;
    uint64_t lsn;
    uint32_t target;
    int64_t t_ms;
    size_t count;
    uint32_t columns[COLUMNS];
    double values[COLUMNS];
};

struct rows {
    struct row *items;
    size_t count;
};

static double nasty_value(uint64_t *random, double before)
{
    static const uint64_t bits[] = {STALE_MARKER_BITS, ORDINARY_NAN_BITS, 0x8000000000000000ull,
        0x7ff0000000000000ull, 1, 0x4340000000000000ull, 0xfff8dead0000beefull};
    switch (test_random(random) % 8) {
    case 0:
        return double_from_bits(bits[test_random(random) % 7]);
    case 1:
        return (double)(test_random(random) % 1000) / 8;
    case 2:
        return double_from_bits(test_random(random));
    case 3:
    case 4:
        return before;
    default:
        return floor(before) + (double)(test_random(random) % 100);
    }
}

static struct row random_row(uint64_t *random, uint64_t lsn, double previous[TARGETS][COLUMNS])
{
    struct row r = {.lsn = lsn, .target = (uint32_t)(test_random(random) % TARGETS)};
    r.t_ms = (int64_t)(test_random(random) % 3 == 0 ? test_random(random) : lsn * 1000);
    bool full = test_random(random) % 2 == 0;
    for (uint32_t c = 0; c < COLUMNS; c++) {
        bool is_float = column_of(r.target, c).kind == COLUMN_FLOAT;
        if (is_float && (full || test_random(random) % 3 == 0)) {
            double *cell = &previous[r.target][c];
            *cell = nasty_value(random, isfinite(*cell) && fabs(*cell) < 1e15 ? *cell : 7);
            r.columns[r.count] = c;
            r.values[r.count++] = *cell;
        }
    }
    if (r.count == 0) {
        r.values[r.count++] = 1;
    }
    return r;
}

struct reader {
    struct rows rows;
    struct dictionary *dictionary;
    uint32_t columns[TARGETS]; /* defined in this segment */
    size_t histograms, metadata, exemplars;
};

static int on_segment(void *context, uint64_t sequence)
{
    struct reader *r = context;
    memset(r->columns, 0, sizeof(r->columns));
    return 0;
}

static int on_target(void *context, uint32_t target, const struct label *labels, size_t count)
{
    struct reader *r = context;
    assert_int_equal(count, 1);
    assert_true(str_eq(labels[0].value, labels_at(r->dictionary->targets[target], 0).value));
    return 0;
}

static int on_columns(
    void *context, uint32_t target, uint32_t first, const struct column *defined, uint32_t count)
{
    struct reader *r = context;
    assert_int_equal(first, r->columns[target]);
    for (uint32_t i = 0; i < count; i++) {
        struct column expected = column_of(target, first + i);
        assert_int_equal(defined[i].shape, expected.shape);
        assert_int_equal(defined[i].kind, expected.kind);
    }
    r->columns[target] += count;
    return 0;
}

static int on_row(void *context, uint64_t lsn, uint32_t target, int64_t t_ms,
    const uint32_t *column_ids, const double *values, size_t count)
{
    struct reader *r = context;
    assert_in_range(count, 1, COLUMNS);
    struct row *row = &r->rows.items[r->rows.count++];
    *row = (struct row){.lsn = lsn, .target = target, .t_ms = t_ms, .count = count};
    memcpy(row->columns, column_ids, count * sizeof(*column_ids));
    memcpy(row->values, values, count * sizeof(*values));
    return 0;
}

static int on_histogram(
    void *context, uint64_t lsn, uint32_t target, int64_t t_ms, uint32_t column, struct str bytes)
{
    struct reader *r = context;
    assert_true(str_eq(bytes, STR("some bytes")));
    assert_int_equal(column, 9);
    r->histograms++;
    return 0;
}

static int on_metadata(void *context, uint64_t lsn, struct str metric, enum metric_type type,
    struct str help, struct str unit)
{
    struct reader *r = context;
    assert_true(str_eq(metric, STR("m")) && (str_eq(help, STR("h")) || help.len == NOISE) &&
                str_eq(unit, STR("u")));
    assert_int_equal(type, METRIC_TYPE_GAUGE);
    r->metadata++;
    return 0;
}

static int on_exemplar(void *context, uint64_t lsn, uint32_t target, uint32_t column, int64_t t_ms,
    double value, const struct label *labels, size_t count)
{
    struct reader *r = context;
    assert_true(value == 0.5 && count == 1 && t_ms == -3 && column == 2);
    r->exemplars++;
    return 0;
}

/* ---- A world: a disk, a clock, a dictionary, and what was acknowledged ---- */

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct dictionary dictionary;
    struct rows written;
    double previous[TARGETS][COLUMNS];
    uint64_t random;
    uint64_t lsn;
    struct wal *wal;
};

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(seed);
    fake_clock_init(&w->clock, 1700000000000);
    dictionary_init(&w->dictionary);
    w->written.items = malloc(ROWS_MAX * sizeof(struct row));
    w->random = seed;
    w->lsn = 1;
}

static void world_release(struct world *w)
{
    dictionary_release(&w->dictionary);
    sim_vfs_free(w->disk);
    free(w->written.items);
}

static int world_open(struct world *w, size_t segment_bytes)
{
    struct wal_options options = {
        .path = "data/wal",
        .vfs = sim_vfs_get(w->disk),
        .clock = &w->clock.clock,
        .policy = WAL_SYNC_EVERY_SECOND,
        .segment_bytes = segment_bytes,
        .first_lsn = w->lsn,
        .dictionary = &w->dictionary.base,
    };
    return wal_open(&options, &w->wal, NULL);
}

/* One frame of some rows. */
static int write_frame(struct world *w, size_t rows, bool sync)
{
    size_t before = w->written.count;
    uint64_t lsn = w->lsn++;
    int status = wal_begin(w->wal, lsn, NULL);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < rows; i++) {
        struct row *r = &w->written.items[w->written.count++];
        assert_true(w->written.count < ROWS_MAX);
        *r = random_row(&w->random, lsn, w->previous);
        wal_add_row(w->wal, r->target, r->t_ms, r->columns, r->values, r->count);
    }
    status = wal_write(w->wal, sync, NULL);
    for (size_t i = before; i < w->written.count; i++) {
        w->written.items[i].acknowledged = status == 0;
    }
    return status;
}

static struct reader replay(struct world *w, bool repair, struct wal_replay_statistics *s)
{
    struct reader r = {.dictionary = &w->dictionary};
    r.rows.items = malloc(ROWS_MAX * sizeof(struct row));
    struct wal_handler handler = {&r, on_segment, on_target, NULL, on_columns, on_row, on_histogram,
        on_metadata, on_exemplar};
    struct err e = ERR_INIT;
    int status = wal_replay(sim_vfs_get(w->disk), "data/wal", repair, &handler, s, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, 0);
    return r;
}

static bool same_row(const struct row *a, const struct row *b)
{
    return a->lsn == b->lsn && a->target == b->target && a->t_ms == b->t_ms &&
           a->count == b->count &&
           memcmp(a->columns, b->columns, a->count * sizeof(a->columns[0])) == 0 &&
           memcmp(a->values, b->values, a->count * sizeof(a->values[0])) == 0;
}

/* Everything read was written, in its order; returns how many acknowledged rows are missing. A row
 * whose commit failed may be there or not. */
static size_t missing_rows(const struct rows *written, const struct rows *read)
{
    size_t missing = 0, next = 0;
    for (size_t at = 0; at < written->count; at++) {
        if (next < read->count && same_row(&written->items[at], &read->items[next])) {
            next++;
        } else {
            missing += written->items[at].acknowledged;
        }
    }
    assert_int_equal(next, read->count); /* else a row was read that was never written so */
    return missing;
}

/* ---- Tests ---- */

static void test_round_trip_over_many_segments(void **state)
{
    struct world w;
    struct wal_replay_statistics s;
    world_init(&w, test_seed());
    for (int run = 0; run < 3; run++) { /* reopening goes on behind what is there */
        assert_int_equal(world_open(&w, 20000), 0);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(write_frame(&w, 1 + test_random(&w.random) % 8, i % 5 == 0), 0);
        }
        wal_close(w.wal);
    }
    struct reader r = replay(&w, true, &s);
    assert_int_equal(r.rows.count, w.written.count);
    assert_int_equal(missing_rows(&w.written, &r.rows), 0);
    assert_int_equal(s.corrupt_frames + s.truncated_bytes + s.lost_rows, 0);
    assert_int_equal(s.frames, 300);
    assert_int_equal(s.last_lsn, 300);
    assert_true(s.segments > 5);
    free(r.rows.items);
    world_release(&w);
}

static void test_other_records(void **state)
{
    struct world w;
    struct wal_replay_statistics s;
    struct label trace = {STR("trace_id"), STR("abc")};
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 0), 0);
    assert_int_equal(wal_begin(w.wal, 7, NULL), 0);
    wal_add_histogram(w.wal, 1, INT64_MIN, 9, STR("some bytes"));
    wal_add_metadata(w.wal, STR("m"), METRIC_TYPE_GAUGE, STR("h"), STR("u"));
    wal_add_exemplar(w.wal, 2, 2, -3, 0.5, &trace, 1);
    assert_int_equal(wal_write(w.wal, true, NULL), 0);
    assert_int_equal(wal_begin(w.wal, 8, NULL), 0);
    assert_int_equal(wal_write(w.wal, true, NULL), 0); /* empty: writes nothing */
    wal_close(w.wal);
    struct reader r = replay(&w, true, &s);
    assert_int_equal(r.histograms, 1);
    assert_int_equal(r.metadata, 1);
    assert_int_equal(r.exemplars, 1);
    assert_int_equal(s.frames, 1);
    free(r.rows.items);
    world_release(&w);
}

static void test_a_cancelled_frame_leaves_no_trace(void **state)
{
    struct world w;
    struct wal_replay_statistics s;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 0), 0);
    assert_int_equal(write_frame(&w, 4, false), 0);
    double value = 5;
    uint32_t column = 0;
    assert_int_equal(wal_begin(w.wal, w.lsn++, NULL), 0);
    wal_add_row(w.wal, 0, 1, &column, &value, 1);
    wal_cancel(w.wal);
    assert_int_equal(write_frame(&w, 4, false), 0);
    wal_close(w.wal);
    struct reader r = replay(&w, true, &s);
    assert_int_equal(missing_rows(&w.written, &r.rows), 0);
    assert_int_equal(s.corrupt_frames + s.truncated_bytes + s.lost_rows, 0);
    free(r.rows.items);
    world_release(&w);
}

static void truncate_by(struct world *w, const char *path, uint64_t bytes)
{
    struct vfs *fs = sim_vfs_get(w->disk);
    struct vfs_file *file = NULL;
    uint64_t size = 0;
    assert_int_equal(vfs_open(fs, path, VFS_READWRITE, &file), 0);
    assert_int_equal(vfs_size(fs, file, &size), 0);
    assert_int_equal(vfs_truncate(fs, file, size > bytes ? size - bytes : 0), 0);
    vfs_close(fs, file);
}

static void test_torn_tail_is_cut_once(void **state)
{
    for (uint64_t cut = 1; cut < 120; cut += 7) {
        struct world w;
        struct wal_replay_statistics s;
        world_init(&w, test_seed());
        assert_int_equal(world_open(&w, 0), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(write_frame(&w, 3, false), 0);
        }
        wal_close(w.wal);
        truncate_by(&w, "data/wal/00000001.wal", cut);
        struct reader r = replay(&w, true, &s);
        assert_int_equal(missing_rows(&w.written, &r.rows), 3);
        assert_true(s.truncated_bytes > 0 && s.corrupt_frames == 0);
        free(r.rows.items);
        r = replay(&w, true, &s);
        assert_int_equal(s.truncated_bytes, 0);
        assert_int_equal(s.frames, 2);
        free(r.rows.items);
        world_release(&w);
    }
}

/* A flipped bit anywhere costs rows at most, never alters one, and is always noticed. */
static void test_damage_never_alters_a_row(void **state)
{
    struct world w;
    struct wal_replay_statistics s;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 0), 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(write_frame(&w, 4, true), 0);
    }
    struct wal_statistics size;
    wal_statistics(w.wal, &size);
    wal_close(w.wal);
    size_t worst = 0;
    for (uint64_t bit = 0; bit < size.bytes * 8; bit += 1 + test_random(&w.random) % 20000) {
        assert_int_equal(sim_vfs_flip_bit(w.disk, "data/wal/00000001.wal", bit), 0);
        struct reader r = replay(&w, false, &s);
        size_t missing = missing_rows(&w.written, &r.rows);
        assert_int_equal(missing > 0, bit >= 16 * 8); /* the header costs nothing */
        assert_true(s.corrupt_frames + s.truncated_bytes > 0);
        /* The first frames hold the definitions; damage behind them is local. */
        worst = bit > size.bytes && missing > worst ? missing : worst;
        free(r.rows.items);
        assert_int_equal(sim_vfs_flip_bit(w.disk, "data/wal/00000001.wal", bit), 0);
    }
    /* Keys let every target come back within the interval: 5 targets, 64 rows. */
    assert_in_range(worst, 1, 5 * 64);
    world_release(&w);
}

/* Every bit of two headers, one after the other: the rows are all there, it is counted, verified as a
 * problem, and the segment is not taken for one without rows by who deletes what is covered. */
static void test_damaged_headers_cost_nothing(void **state)
{
    struct world w;
    struct wal_replay_statistics s;
    struct wal_statistics log;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 2000), 0);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(write_frame(&w, 3, true), 0);
    }
    wal_close(w.wal);
    static const char *const paths[] = {"data/wal/00000001.wal", "data/wal/00000002.wal"};
    for (uint64_t bit = 0; bit < 16 * 8; bit++) {
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sim_vfs_flip_bit(w.disk, paths[i], bit), 0);
        }
        struct reader r = replay(&w, false, &s);
        assert_int_equal(missing_rows(&w.written, &r.rows), 0);
        assert_int_equal(s.damaged_headers, 2);
        assert_int_equal(s.corrupt_frames, 2);
        free(r.rows.items);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sim_vfs_flip_bit(w.disk, paths[i], bit), 0);
        }
    }
    assert_int_equal(sim_vfs_flip_bit(w.disk, paths[0], 9), 0);
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(
        wal_segment_verify(sim_vfs_get(w.disk), paths[0], &report, &problems), ERR_CORRUPT);
    assert_non_null(strstr(report.data, "the header is damaged"));
    strbuf_release(&report);
    assert_int_equal(world_open(&w, 2000), 0);
    wal_statistics(w.wal, &log);
    uint64_t segments = log.segments;
    assert_int_equal(wal_delete_through(w.wal, 1, NULL), 0);
    wal_statistics(w.wal, &log);
    assert_int_equal(log.segments, segments);
    wal_close(w.wal);
    world_release(&w);
}

/* ---- Reading ahead ---- */

static void check_same_frame(const struct wal_records *a, const struct wal_records *b)
{
    assert_int_equal(a->lsn, b->lsn);
    assert_int_equal(a->damaged, b->damaged);
    assert_true(str_eq(a->plain, b->plain));
}

/* Helpers hand out what a reader does, segment by segment; returns how many frames there were. */
static size_t compare_readers(struct world *w, const uint64_t *sequences, size_t count)
{
    struct wal_reader reader;
    struct wal_ahead *ahead = NULL;
    struct wal_records one, other;
    struct wal_segment_end end, other_end;
    size_t frames = 0;
    assert_int_equal(wal_reader_init(&reader, sim_vfs_get(w->disk)), 0);
    assert_int_equal(wal_ahead_new(sim_vfs_get(w->disk), "data/wal", sequences, count, &ahead), 0);
    for (size_t i = 0; i < count; i++) {
        char path[WAL_PATH_MAX];
        assert_int_equal(wal_segment_path(path, "data/wal", sequences[i]), 0);
        assert_int_equal(wal_reader_open(&reader, path), 0);
        while (wal_reader_next(&reader, &one, &end) == 1) {
            assert_int_equal(wal_ahead_next(ahead, &other, &other_end), 1);
            check_same_frame(&one, &other);
            frames++;
        }
        assert_int_equal(wal_ahead_next(ahead, &other, &other_end), 0);
        assert_int_equal(other_end.size, end.size);
        assert_int_equal(other_end.good_end, end.good_end);
        assert_int_equal(other_end.skipped, end.skipped);
        assert_int_equal(other_end.header_damaged, end.header_damaged);
    }
    wal_ahead_free(ahead);
    wal_reader_release(&reader);
    return frames;
}

/* Whoever stops in the middle leaves nothing behind. */
static void stop_after(struct world *w, const uint64_t *sequences, size_t count, size_t frames)
{
    struct wal_ahead *ahead = NULL;
    struct wal_records records;
    struct wal_segment_end end;
    assert_int_equal(wal_ahead_new(sim_vfs_get(w->disk), "data/wal", sequences, count, &ahead), 0);
    for (size_t i = 0; i < frames; i++) {
        assert_in_range(wal_ahead_next(ahead, &records, &end), 0, 1);
    }
    wal_ahead_free(ahead);
}

static void test_segments_read_ahead(void **state)
{
    struct world w;
    uint64_t *sequences = NULL;
    size_t count = 0;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 4000), 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(write_frame(&w, 1 + test_random(&w.random) % 8, false), 0);
    }
    wal_close(w.wal);
    assert_int_equal(
        wal_list_segments(sim_vfs_get(w.disk), "data/wal", &sequences, &count, NULL), 0);
    assert_true(count > 8);
    assert_int_equal(compare_readers(&w, sequences, count), 300);
    for (size_t frames = 0; frames < 300; frames += 23) {
        stop_after(&w, sequences, count, frames);
    }
    /* A damaged header, a damaged frame, a torn end. */
    assert_int_equal(sim_vfs_flip_bit(w.disk, "data/wal/00000002.wal", 3), 0);
    assert_int_equal(sim_vfs_flip_bit(w.disk, "data/wal/00000003.wal", 8 * 2000), 0);
    truncate_by(&w, "data/wal/00000005.wal", 9);
    assert_in_range(compare_readers(&w, sequences, count), 290, 298);
    mem_free(sequences);
    world_release(&w);
}

/* A log large enough that helpers read it: rows between a lot that does not shrink. */
static void test_a_large_log(void **state)
{
    enum { FRAMES = 160 };
    struct world w;
    struct wal_replay_statistics s;
    char *noise = malloc(NOISE);
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, (size_t)4 << 20), 0);
    for (int i = 0; i < FRAMES; i++) {
        for (size_t k = 0; k < NOISE; k++) {
            noise[k] = (char)test_random(&w.random);
        }
        assert_int_equal(write_frame(&w, 3, false), 0);
        assert_int_equal(wal_begin(w.wal, w.lsn++, NULL), 0);
        wal_add_metadata(w.wal, STR("m"), METRIC_TYPE_GAUGE, str_make(noise, NOISE), STR("u"));
        assert_int_equal(wal_write(w.wal, false, NULL), 0);
    }
    wal_close(w.wal);
    truncate_by(&w, "data/wal/00000003.wal", 5); /* a metadata record */
    struct reader r = replay(&w, true, &s);
    assert_int_equal(s.segments, 3);
    assert_int_equal(missing_rows(&w.written, &r.rows), 0);
    assert_int_equal(r.metadata, FRAMES - 1);
    assert_true(s.truncated_bytes > 0);
    assert_int_equal(s.corrupt_frames + s.lost_rows, 0);
    free(r.rows.items);
    r = replay(&w, true, &s); /* the tail was cut */
    assert_int_equal(s.truncated_bytes, 0);
    free(r.rows.items);
    free(noise);
    world_release(&w);
}

/* The n-th change of the disk fails, for every n: the log goes on in a new segment, and what it
 * acknowledged as synced is there after a power cut. */
static void test_each_failing_call(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct world w;
        struct wal_replay_statistics s;
        world_init(&w, test_seed() + nth);
        sim_vfs_fail_nth(w.disk, SIM_CHANGES, nth, nth % 2 ? ERR_IO : ERR_NO_SPACE);
        int status = world_open(&w, 4000);
        for (int i = 0; status == 0 && i < 30; i++) {
            (void)write_frame(&w, 2, true); /* failing is its right */
        }
        bool untouched = sim_vfs_fail_pending(w.disk);
        sim_vfs_fail_clear(w.disk);
        if (status == 0) {
            assert_int_equal(write_frame(&w, 2, true), 0); /* the next one works again */
            wal_abandon(w.wal);
        }
        sim_vfs_power_cut(w.disk, nth);
        struct reader r = replay(&w, true, &s);
        assert_int_equal(missing_rows(&w.written, &r.rows), 0);
        free(r.rows.items);
        world_release(&w);
        if (untouched) {
            assert_true(nth > 20);
            break;
        }
    }
}

static void test_power_cuts(void **state)
{
    for (uint64_t nth = 1; nth < 150; nth++) {
        struct world w;
        struct wal_replay_statistics s;
        world_init(&w, test_seed() * 1000 + nth);
        sim_vfs_lose_power_at(w.disk, SIM_CHANGES, nth);
        size_t synced = 0;
        int status = world_open(&w, 3000);
        for (int i = 0; status == 0 && i < 40; i++) {
            bool sync = i % 3 == 0;
            status = write_frame(&w, 2, sync);
            synced = status == 0 && sync ? w.written.count : synced;
        }
        wal_abandon(w.wal);
        sim_vfs_power_cut(w.disk, nth);
        struct reader r = replay(&w, true, &s);
        /* The frame under way when power went may be whole on the disk: it was never refused. */
        struct rows acknowledged = {w.written.items, synced};
        size_t common = r.rows.count < synced ? r.rows.count : synced;
        assert_int_equal(common, synced);
        for (size_t i = 0; i < acknowledged.count; i++) {
            assert_true(same_row(&acknowledged.items[i], &r.rows.items[i]));
        }
        free(r.rows.items);
        assert_int_equal(world_open(&w, 3000), 0);
        assert_int_equal(write_frame(&w, 2, true), 0);
        wal_close(w.wal);
        world_release(&w);
    }
}

static void test_deletes_what_is_covered(void **state)
{
    struct world w;
    struct wal_statistics before, after;
    struct wal_replay_statistics s;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 3000), 0);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(write_frame(&w, 4, false), 0);
    }
    wal_statistics(w.wal, &before);
    assert_int_equal(wal_delete_through(w.wal, 30, NULL), 0);
    wal_statistics(w.wal, &after);
    assert_true(after.segments < before.segments && after.segments > 1);
    struct reader r = replay(&w, false, &s);
    assert_true(r.rows.items[0].lsn <= 31);
    assert_int_equal(s.last_lsn, 60);
    free(r.rows.items);
    assert_int_equal(wal_rotate(w.wal, NULL), 0);
    assert_int_equal(wal_delete_through(w.wal, 60, NULL), 0);
    wal_statistics(w.wal, &after);
    assert_int_equal(after.segments, 0);
    assert_int_equal(write_frame(&w, 1, true), 0);
    wal_close(w.wal);
    world_release(&w);
}

static void test_a_failed_sync_is_remembered_until_covered(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(world_open(&w, 0), 0);
    assert_int_equal(write_frame(&w, 2, false), 0);
    sim_vfs_fail_nth(w.disk, SIM_SYNC, 1, ERR_IO);
    assert_int_equal(wal_sync(w.wal, NULL), ERR_IO);
    assert_true(wal_unsafe(w.wal));
    assert_int_equal(write_frame(&w, 2, true), 0); /* in a new segment */
    assert_true(wal_unsafe(w.wal));
    assert_int_equal(wal_delete_through(w.wal, 1, NULL), 0);
    assert_false(wal_unsafe(w.wal));
    wal_close(w.wal);
    world_release(&w);
}

static void test_failing_allocations(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct world w;
        struct wal_replay_statistics s;
        world_init(&w, test_seed());
        mem_fail_nth(nth);
        int status = world_open(&w, 4000);
        for (int i = 0; status == 0 && i < 10; i++) {
            (void)write_frame(&w, 2, true);
        }
        bool untouched = mem_fail_pending();
        mem_fail_nth(0);
        if (status == 0) {
            assert_int_equal(write_frame(&w, 1, true), 0);
            wal_close(w.wal);
        }
        struct reader r = replay(&w, true, &s);
        assert_int_equal(missing_rows(&w.written, &r.rows), 0);
        free(r.rows.items);
        world_release(&w);
        if (untouched) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_over_many_segments),
        cmocka_unit_test(test_other_records),
        cmocka_unit_test(test_a_cancelled_frame_leaves_no_trace),
        cmocka_unit_test(test_torn_tail_is_cut_once),
        cmocka_unit_test(test_damage_never_alters_a_row),
        cmocka_unit_test(test_damaged_headers_cost_nothing),
        cmocka_unit_test(test_segments_read_ahead),
        cmocka_unit_test(test_a_large_log),
        cmocka_unit_test(test_each_failing_call),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_deletes_what_is_covered),
        cmocka_unit_test(test_a_failed_sync_is_remembered_until_covered),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
