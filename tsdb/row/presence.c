/* Presence intervals: writing, checking and applying the rows section. */
#include "row/presence.h"

#include <assert.h>

#include "row/row_limits.h"

#define KIND_BITS 2
#define KIND_REPEAT 3 // the literal of the interval before
#define MORE 4
#define GAP_SHIFT 3

static bool bit_get(const uint8_t *bitmap, size_t i)
{
    return (bitmap[i / 8] >> (i % 8) & 1) != 0;
}

static void bit_set(uint8_t *bitmap, size_t i)
{
    bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* ---- writing ---- */

/* The end of the interval that begins at `row`: same kind, and for literals the same bits. */
static uint32_t interval_end(
    const uint8_t *kinds, const double *values, uint32_t count, uint32_t row)
{
    uint32_t end = row + 1;
    while (end < count && kinds[end] == kinds[row] &&
           (kinds[row] != ROW_LITERAL || double_bits(values[end]) == double_bits(values[row]))) {
        end++;
    }
    return end;
}

/* Writes the intervals; with `out` NULL only counts them and their bytes. */
static size_t put_intervals(const uint8_t *kinds, const double *values, uint32_t count,
    uint8_t *out, uint32_t *intervals_out)
{
    size_t size = 0;
    uint32_t intervals = 0;
    uint32_t row = 0;  // end of the interval before
    bool first = true; // no literal yet
    uint64_t literal = 0;
    for (uint32_t i = 0; i < count;) {
        if (kinds[i] == ROW_STREAM) {
            i++;
            continue;
        }
        uint32_t end = interval_end(kinds, values, count, i);
        uint32_t length = end - i;
        bool repeat = kinds[i] == ROW_LITERAL && !first && double_bits(values[i]) == literal;
        uint64_t token = (uint64_t)(i - row) << GAP_SHIFT | (length > 1 ? MORE : 0) |
                         (repeat ? KIND_REPEAT : kinds[i]);
        uint8_t bytes[2 * VARINT_MAX + 8];
        size_t n = put_uvarint(bytes, token);
        n += length > 1 ? put_uvarint(bytes + n, length - 2) : 0;
        if (kinds[i] == ROW_LITERAL && !repeat) {
            literal = double_bits(values[i]);
            first = false;
            put_le64(bytes + n, literal);
            n += 8;
        }
        if (out != NULL) {
            memcpy(out + size, bytes, n);
        }
        size += n;
        intervals++;
        row = i = end;
    }
    *intervals_out = intervals;
    return size;
}

/* Size of the bitmap form, or SIZE_MAX where a literal forbids it. */
static size_t bitmap_size(const uint8_t *kinds, uint32_t count)
{
    size_t ones = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kinds[i] == ROW_LITERAL) {
            return SIZE_MAX;
        }
        ones += kinds[i] != ROW_STREAM;
    }
    return 1 + (count + 7) / 8 + (ones + 7) / 8;
}

static uint8_t *put_bitmaps(const uint8_t *kinds, uint32_t count, size_t size, uint8_t *out)
{
    memset(out, 0, size);
    uint8_t *rows = out + 1;
    uint8_t *stale = rows + (count + 7) / 8;
    size_t ones = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kinds[i] != ROW_STREAM) {
            bit_set(rows, i);
            if (kinds[i] == ROW_STALE) {
                bit_set(stale, ones);
            }
            ones++;
        }
    }
    return out + size;
}

size_t presence_size(const uint8_t *kinds, const double *values, uint32_t count)
{
    uint32_t intervals;
    size_t size = put_intervals(kinds, values, count, NULL, &intervals);
    size += uvarint_size(intervals);
    size_t other = bitmap_size(kinds, count);
    return size <= other ? size : other;
}

uint8_t *presence_put(const uint8_t *kinds, const double *values, uint32_t count, uint8_t *out)
{
    uint32_t intervals;
    size_t size = put_intervals(kinds, values, count, NULL, &intervals);
    assert(intervals > 0);
    size_t other = bitmap_size(kinds, count);
    if (size + uvarint_size(intervals) > other) {
        return put_bitmaps(kinds, count, other, out);
    }
    out += put_uvarint(out, intervals);
    return out + put_intervals(kinds, values, count, out, &intervals);
}

/* ---- reading ---- */

/* One interval of a section, read and checked against the rows that are left. */
struct interval {
    uint32_t start, length;
    unsigned kind;
    uint64_t literal;
};

/* `row` is the end of the interval before; `literal` and `has_literal` carry the last literal. */
static bool next_interval(
    struct decbuf *d, uint32_t row, uint32_t count, bool *has_literal, struct interval *interval)
{
    uint64_t token = decbuf_uvarint(d);
    uint64_t gap = token >> GAP_SHIFT;
    uint64_t length = 1;
    if ((token & MORE) != 0) {
        uint64_t more = decbuf_uvarint(d);
        length = more <= count ? more + 2 : UINT32_MAX;
    }
    interval->kind = token & KIND_REPEAT;
    if (interval->kind == ROW_LITERAL) {
        interval->literal = decbuf_le64(d);
        *has_literal = true;
    }
    bool valid = (interval->kind != KIND_REPEAT || *has_literal) && gap < count - row &&
                 length <= count - row - gap;
    if (!valid || d->failed) {
        d->failed = true;
        return false;
    }
    interval->start = row + (uint32_t)gap;
    interval->length = (uint32_t)length;
    return true;
}

/* Bits past `count` must be zero, so that one block has one spelling. */
static bool tail_is_clear(const uint8_t *bitmap, size_t count)
{
    return count % 8 == 0 || bitmap[count / 8] >> (count % 8) == 0;
}

static void skip_bitmaps(struct decbuf *d, uint32_t count, struct presence_counts *counts)
{
    const uint8_t *rows = (const uint8_t *)decbuf_bytes(d, (count + 7) / 8).ptr;
    if (d->failed) {
        return;
    }
    uint32_t ones = 0;
    for (uint32_t i = 0; i < count; i++) {
        ones += bit_get(rows, i);
    }
    const uint8_t *stale = (const uint8_t *)decbuf_bytes(d, (ones + 7) / 8).ptr;
    if (d->failed || ones == 0 || !tail_is_clear(rows, count) || !tail_is_clear(stale, ones)) {
        d->failed = true;
        return;
    }
    for (uint32_t i = 0; i < ones; i++) {
        counts->stale += bit_get(stale, i);
    }
    counts->absent = ones - counts->stale;
}

void presence_skip(struct decbuf *d, uint32_t count, struct presence_counts *counts_out)
{
    struct presence_counts counts = {0};
    uint64_t intervals = decbuf_uvarint(d);
    if (intervals == 0 && !d->failed) {
        skip_bitmaps(d, count, &counts);
    }
    uint32_t row = 0;
    bool has_literal = false;
    // Each interval takes at least one row, which bounds the loop whatever the bytes say.
    for (uint64_t i = 0; i < intervals && !d->failed; i++) {
        struct interval interval;
        if (!next_interval(d, row, count, &has_literal, &interval)) {
            break;
        }
        uint32_t *of_kind = interval.kind == ROW_ABSENT  ? &counts.absent
                            : interval.kind == ROW_STALE ? &counts.stale
                                                         : &counts.literal;
        *of_kind += interval.length;
        row = interval.start + interval.length;
    }
    counts.stream = count - counts.absent - counts.stale - counts.literal;
    *counts_out = counts;
}

void presence_fill(uint64_t *presence_out, uint32_t count)
{
    memset(presence_out, 0xff, count / 64 * sizeof(presence_out[0]));
    if (count % 64 != 0) {
        presence_out[count / 64] = ((uint64_t)1 << (count % 64)) - 1;
    }
}

static void clear_rows(uint64_t *presence, uint32_t start, uint32_t length)
{
    for (uint32_t i = start; i < start + length; i++) {
        presence[i / 64] &= ~((uint64_t)1 << (i % 64));
    }
}

static void expand_bitmaps(
    struct decbuf *d, uint32_t count, const double *stream, double *values, uint64_t *presence)
{
    size_t rows_size = (count + 7) / 8;
    const uint8_t *rows = (const uint8_t *)decbuf_bytes(d, rows_size).ptr;
    const uint8_t *stale = rows + rows_size;
    size_t ones = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!bit_get(rows, i)) {
            values[i] = *stream++;
            continue;
        }
        values[i] = double_from_bits(STALE_MARKER_BITS);
        if (!bit_get(stale, ones++) && presence != NULL) {
            clear_rows(presence, i, 1);
        }
    }
}

void presence_expand(struct str section, uint32_t count, const double *stream, double *values_out,
    uint64_t *presence_out)
{
    struct decbuf d = decbuf_of(section.ptr, section.len);
    if (presence_out != NULL) {
        presence_fill(presence_out, count);
    }
    uint64_t intervals = decbuf_uvarint(&d);
    if (intervals == 0) {
        expand_bitmaps(&d, count, stream, values_out, presence_out);
        return;
    }
    uint32_t row = 0;
    bool has_literal = false;
    struct interval interval;
    uint64_t literal = 0;
    for (uint64_t i = 0; i < intervals; i++) {
        bool valid = next_interval(&d, row, count, &has_literal, &interval);
        assert(valid);
        (void)valid;
        memcpy(values_out + row, stream, (interval.start - row) * sizeof(stream[0]));
        stream += interval.start - row;
        row = interval.start + interval.length;
        literal = interval.kind == ROW_LITERAL ? interval.literal : literal;
        bool in_place = interval.kind == ROW_LITERAL || interval.kind == KIND_REPEAT;
        double value = double_from_bits(in_place ? literal : STALE_MARKER_BITS);
        for (uint32_t at = interval.start; at < row; at++) {
            values_out[at] = value;
        }
        if (interval.kind == ROW_ABSENT && presence_out != NULL) {
            clear_rows(presence_out, interval.start, interval.length);
        }
    }
    memcpy(values_out + row, stream, (count - row) * sizeof(stream[0]));
}

void presence_gather(struct str section, uint32_t count, const int64_t *rows, int64_t *stream_out)
{
    struct decbuf d = decbuf_of(section.ptr, section.len);
    uint64_t intervals = decbuf_uvarint(&d);
    if (intervals == 0) {
        const uint8_t *out = (const uint8_t *)decbuf_bytes(&d, (count + 7) / 8).ptr;
        for (uint32_t i = 0; i < count; i++) {
            if (!bit_get(out, i)) {
                *stream_out++ = rows[i];
            }
        }
        return;
    }
    uint32_t row = 0;
    bool has_literal = false;
    struct interval interval;
    for (uint64_t i = 0; i < intervals; i++) {
        bool valid = next_interval(&d, row, count, &has_literal, &interval);
        assert(valid);
        (void)valid;
        memcpy(stream_out, rows + row, (interval.start - row) * sizeof(rows[0]));
        stream_out += interval.start - row;
        row = interval.start + interval.length;
    }
    memcpy(stream_out, rows + row, (count - row) * sizeof(rows[0]));
}

/* ---- one row ---- */

static struct presence_newest beside_stream(uint32_t row, double value)
{
    return (struct presence_newest){.row = row, .value = value};
}

static struct presence_newest in_stream(uint32_t row, uint32_t place)
{
    return (struct presence_newest){.row = row, .in_stream = true, .place = place};
}

static bool find_in_bitmaps(
    struct decbuf *d, uint32_t count, uint32_t end, struct presence_newest *newest_out)
{
    size_t rows_size = (count + 7) / 8;
    const uint8_t *rows = (const uint8_t *)decbuf_bytes(d, rows_size).ptr;
    const uint8_t *stale = rows + rows_size;
    uint32_t ones = 0;
    bool found = false;
    for (uint32_t i = 0; i < end; i++) {
        if (!bit_get(rows, i)) {
            *newest_out = in_stream(i, i - ones);
            found = true;
        } else if (bit_get(stale, ones++)) {
            *newest_out = beside_stream(i, double_from_bits(STALE_MARKER_BITS));
            found = true;
        }
    }
    return found;
}

bool presence_find_newest(
    struct str section, uint32_t count, uint32_t end, struct presence_newest *newest_out)
{
    struct decbuf d = decbuf_of(section.ptr, section.len);
    uint64_t intervals = decbuf_uvarint(&d);
    if (intervals == 0) {
        return find_in_bitmaps(&d, count, end, newest_out);
    }
    uint32_t row = 0, beside = 0; // rows before `row` that are not in the stream
    bool has_literal = false, found = false;
    uint64_t literal = 0;
    struct interval interval = {.start = 0};
    for (uint64_t i = 0; i < intervals && row < end; i++) {
        bool valid = next_interval(&d, row, count, &has_literal, &interval);
        assert(valid);
        (void)valid;
        literal = interval.kind == ROW_LITERAL ? interval.literal : literal;
        if (interval.start >= end) {
            break;
        }
        uint32_t stop = interval.start + interval.length;
        if (interval.kind != ROW_ABSENT) {
            bool is_stale = interval.kind == ROW_STALE;
            *newest_out = beside_stream((stop < end ? stop : end) - 1,
                double_from_bits(is_stale ? STALE_MARKER_BITS : literal));
            found = true;
        } else if (interval.start > row) {
            *newest_out = in_stream(interval.start - 1, interval.start - 1 - beside);
            found = true;
        }
        row = stop;
        beside += interval.length;
    }
    if (row < end) {
        *newest_out = in_stream(end - 1, end - 1 - beside);
        found = true;
    }
    return found;
}

uint32_t presence_first_of_stream(struct str section, uint32_t count)
{
    struct decbuf d = decbuf_of(section.ptr, section.len);
    uint64_t intervals = decbuf_uvarint(&d);
    uint32_t row = 0;
    if (intervals == 0) {
        const uint8_t *rows = (const uint8_t *)decbuf_bytes(&d, (count + 7) / 8).ptr;
        while (row < count && bit_get(rows, row)) {
            row++;
        }
        return row;
    }
    bool has_literal = false;
    struct interval interval;
    for (uint64_t i = 0; i < intervals; i++) {
        bool valid = next_interval(&d, row, count, &has_literal, &interval);
        assert(valid);
        (void)valid;
        if (interval.start > row) {
            break;
        }
        row += interval.length;
    }
    return row;
}
