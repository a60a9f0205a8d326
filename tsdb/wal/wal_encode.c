/* Records out. The format is in wal_format.h. */
#include "wal/wal_encode.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "wal/wal_format.h"

enum { TARGETS_MAX = 1 << 30, SHAPES_MAX = 1 << 30, COLUMNS_AT_ONCE = 256 };

void wal_encoder_init(struct wal_encoder *w, struct wal_dictionary *dictionary)
{
    *w = (struct wal_encoder){.dictionary = dictionary, .segment = 1};
    strbuf_init(&w->codes, WAL_FRAME_PLAIN_MAX);
    strbuf_init(&w->tail, WAL_FRAME_PLAIN_MAX);
}

void wal_encoder_release(struct wal_encoder *w)
{
    for (size_t i = 0; i < w->target_cap; i++) {
        mem_free(w->targets[i].cells);
    }
    mem_free(w->targets);
    mem_free(w->shapes);
    strbuf_release(&w->codes);
    strbuf_release(&w->tail);
}

void wal_encoder_restart(struct wal_encoder *w)
{
    /* Targets that the ended segment did not see are gone, most likely. */
    for (size_t i = 0; i < w->target_cap; i++) {
        struct wal_baseline *t = &w->targets[i];
        if (t->cells != NULL && t->segment != w->segment) {
            w->memory -= t->cap * sizeof(*t->cells);
            mem_free(t->cells);
            *t = (struct wal_baseline){.segment = 0};
        }
    }
    w->segment++;
    w->error = 0;
}

/* Grows a zero-filled table so that `index` fits. */
static int grow_table(
    void **table, size_t *cap, uint32_t index, size_t size, size_t limit, uint64_t *memory)
{
    size_t before = *cap;
    int status = mem_array_grow(table, cap, (size_t)index + 1, size, limit);
    if (status == 0 && *cap > before) {
        memset((char *)*table + before * size, 0, (*cap - before) * size);
        *memory += (*cap - before) * size;
    }
    return status;
}

static void put_labels(struct strbuf *out, const struct label *labels, size_t count)
{
    strbuf_add_uvarint(out, count);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_sized(out, labels[i].name);
        strbuf_add_sized(out, labels[i].value);
    }
}

static void put_definition(
    struct strbuf *out, enum wal_record_type type, uint32_t id, const struct labels *labels)
{
    strbuf_add_char(out, (char)type);
    strbuf_add_uvarint(out, id);
    put_labels(out, labels_pairs(labels), labels_count(labels));
}

/* Writes a shape's definition unless this segment has it. */
static void define_shape(struct wal_encoder *w, struct strbuf *out, uint32_t shape)
{
    if (w->error == 0 && shape >= w->shape_cap) {
        w->error = grow_table((void **)&w->shapes, &w->shape_cap, shape, sizeof(*w->shapes),
            SHAPES_MAX, &w->memory);
    }
    if (w->error == 0 && w->shapes[shape] != w->segment) {
        w->shapes[shape] = w->segment;
        put_definition(
            out, WAL_RECORD_SHAPE, shape, w->dictionary->shape_labels(w->dictionary, shape));
    }
}

/* Makes sure that cells [0, columns) of the baseline exist; new ones are +0. */
static int grow_cells(struct wal_encoder *w, struct wal_baseline *b, uint32_t columns)
{
    size_t cap = b->cap, before = b->cap;
    int status =
        mem_array_grow((void **)&b->cells, &cap, columns, sizeof(*b->cells), TABLE_COLUMNS_MAX);
    if (status == 0 && cap > before) {
        memset(b->cells + before, 0, (cap - before) * sizeof(*b->cells));
        w->memory += (cap - before) * sizeof(*b->cells);
        b->cap = (uint32_t)cap;
    }
    return status;
}

/* Writes the definitions of columns up to and including `last` that this segment lacks. */
static void define_columns(struct wal_encoder *w, struct strbuf *out, struct wal_baseline *b,
    uint32_t target, uint32_t last)
{
    struct column columns[COLUMNS_AT_ONCE];
    while (w->error == 0 && b->defined <= last) {
        uint32_t count = last + 1 - b->defined;
        count = count < COLUMNS_AT_ONCE ? count : COLUMNS_AT_ONCE;
        w->dictionary->columns(w->dictionary, target, b->defined, count, columns);
        for (uint32_t i = 0; i < count; i++) {
            define_shape(w, out, columns[i].shape);
        }
        strbuf_add_char(out, WAL_RECORD_COLUMNS);
        strbuf_add_uvarint(out, target);
        strbuf_add_uvarint(out, b->defined);
        strbuf_add_uvarint(out, count);
        for (uint32_t i = 0; i < count; i++) {
            strbuf_add_uvarint(out, (uint64_t)columns[i].shape << 1 | columns[i].kind);
        }
        b->defined += count;
    }
}

/* The baseline of a target whose column `last` is about to be used, all of it defined; NULL on
 * error. */
static struct wal_baseline *use_target(
    struct wal_encoder *w, struct strbuf *out, uint32_t target, uint32_t last)
{
    if (w->error == 0 && target >= w->target_cap) {
        w->error = grow_table((void **)&w->targets, &w->target_cap, target, sizeof(*w->targets),
            TARGETS_MAX, &w->memory);
    }
    if (w->error != 0) {
        return NULL;
    }
    struct wal_baseline *b = &w->targets[target];
    if (b->segment != w->segment) {
        b->segment = w->segment;
        b->defined = 0;
        b->rows = 0;
        put_definition(
            out, WAL_RECORD_TARGET, target, w->dictionary->target_labels(w->dictionary, target));
    }
    define_columns(w, out, b, target, last);
    if (w->error == 0) {
        w->error = grow_cells(w, b, last + 1);
    }
    return w->error == 0 ? b : NULL;
}

/* (gap, length) for each run of neighbouring columns. */
static void put_ranges(struct strbuf *out, const uint32_t *columns, size_t count)
{
    size_t ranges = 1;
    for (size_t i = 1; i < count; i++) {
        ranges += columns[i] != columns[i - 1] + 1;
    }
    strbuf_add_uvarint(out, ranges);
    uint32_t end = 0;
    for (size_t i = 0; i < count;) {
        size_t from = i++;
        while (i < count && columns[i] == columns[i - 1] + 1) {
            i++;
        }
        strbuf_add_uvarint(out, columns[from] - end);
        strbuf_add_uvarint(out, i - from);
        end = columns[i - 1] + 1;
    }
}

/* Integers whose difference is exact, and which are not the negative zero that an integer loses. */
static bool is_integer(double v)
{
    return v >= -4503599627370496.0 && v <= 4503599627370496.0 && v == (double)(int64_t)v &&
           !(v == 0 && signbit(v));
}

static void put_change(struct wal_encoder *w, double value, double previous)
{
    if (is_integer(value) && is_integer(previous)) {
        uint64_t step = zigzag_encode((int64_t)value - (int64_t)previous);
        strbuf_add_uvarint(&w->codes, step << 1);
        return;
    }
    uint64_t bits = double_bits(value) ^ double_bits(previous);
    unsigned shift = (unsigned)__builtin_ctzll(bits) / 8;
    bits >>= shift * 8;
    unsigned size = (71 - (unsigned)__builtin_clzll(bits)) / 8;
    uint8_t bytes[8];
    put_le64(bytes, bits);
    strbuf_add_uvarint(&w->codes, (uint64_t)shift << 5 | size << 1 | 1);
    strbuf_add(&w->tail, bytes, size);
}

/* Gaps to `out`, codes and bytes of the changed cells behind them; cells become the previous ones. */
static void put_changes(struct wal_encoder *w, struct strbuf *out, struct wal_baseline *b,
    const uint32_t *columns, const double *values, size_t count)
{
    strbuf_reset(&w->codes);
    strbuf_reset(&w->tail);
    size_t unchanged = 0;
    for (size_t i = 0; i < count; i++) {
        double *previous = &b->cells[columns[i]];
        if (double_bits(values[i]) == double_bits(*previous)) {
            unchanged++;
            continue;
        }
        strbuf_add_uvarint(out, unchanged);
        unchanged = 0;
        put_change(w, values[i], *previous);
        *previous = values[i];
    }
    if (unchanged > 0) {
        strbuf_add_uvarint(out, unchanged);
    }
    strbuf_add_str(out, strbuf_str(&w->codes));
    strbuf_add_str(out, strbuf_str(&w->tail));
    if (w->error == 0) {
        w->error = w->codes.error != 0 ? w->codes.error : w->tail.error;
    }
}

void wal_encode_row(struct wal_encoder *w, struct strbuf *out, uint32_t target, int64_t t_ms,
    const uint32_t *columns, const double *values, size_t count)
{
    assert(count > 0);
    struct wal_baseline *b = use_target(w, out, target, columns[count - 1]);
    if (b == NULL) {
        return;
    }
    bool key = b->rows % WAL_KEY_INTERVAL == 0;
    if (key) {
        memset(b->cells, 0, b->cap * sizeof(*b->cells));
    }
    strbuf_add_char(out, WAL_RECORD_ROW);
    strbuf_add_uvarint(out, target);
    strbuf_add_char(out, key ? (char)WAL_ROW_KEY : 0);
    strbuf_add_char(out, (char)(uint8_t)b->rows);
    /* Modulo 2^64: times at both ends of the range must not overflow. */
    strbuf_add_svarint(out, key ? t_ms : (int64_t)((uint64_t)t_ms - (uint64_t)b->t_ms));
    put_ranges(out, columns, count);
    put_changes(w, out, b, columns, values, count);
    b->t_ms = t_ms;
    b->rows++;
}

void wal_encode_histogram(struct wal_encoder *w, struct strbuf *out, uint32_t target, int64_t t_ms,
    uint32_t column, struct str bytes)
{
    if (use_target(w, out, target, column) == NULL) {
        return;
    }
    strbuf_add_char(out, WAL_RECORD_HISTOGRAM);
    strbuf_add_uvarint(out, target);
    strbuf_add_svarint(out, t_ms);
    strbuf_add_uvarint(out, column);
    strbuf_add_sized(out, bytes);
}

void wal_encode_metadata(
    struct strbuf *out, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    strbuf_add_char(out, WAL_RECORD_METADATA);
    strbuf_add_char(out, (char)type);
    strbuf_add_sized(out, metric);
    strbuf_add_sized(out, help);
    strbuf_add_sized(out, unit);
}

void wal_encode_exemplar(struct wal_encoder *w, struct strbuf *out, uint32_t target,
    uint32_t column, int64_t t_ms, double value, const struct label *labels, size_t count)
{
    if (use_target(w, out, target, column) == NULL) {
        return;
    }
    strbuf_add_char(out, WAL_RECORD_EXEMPLAR);
    strbuf_add_uvarint(out, target);
    strbuf_add_uvarint(out, column);
    strbuf_add_svarint(out, t_ms);
    strbuf_add_le64(out, double_bits(value));
    put_labels(out, labels, count);
}
