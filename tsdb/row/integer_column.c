/* Integer codecs: residuals, the choice between them by exact size, and back. */
#include "row/integer_column.h"

#include <assert.h>

#include "row/bitpack.h"
#include "row/patched.h"

/* The parameters of one body and where its residuals went. */
struct residuals {
    int64_t base; /* first value or minimum */
    int64_t step; /* smallest or first step or change, where the codec has one */
    size_t count;
};

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static struct residuals frame_residuals(const int64_t *values, size_t count, uint64_t *out)
{
    int64_t minimum = values[0];
    for (size_t i = 1; i < count; i++) {
        minimum = values[i] < minimum ? values[i] : minimum;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint64_t)wrap_sub(values[i], minimum);
    }
    return (struct residuals){.base = minimum, .count = count};
}

static struct residuals delta_residuals(const int64_t *values, size_t count, uint64_t *out)
{
    for (size_t i = 1; i < count; i++) {
        out[i - 1] = zigzag_encode(wrap_sub(values[i], values[i - 1]));
    }
    return (struct residuals){.base = values[0], .count = count - 1};
}

static struct residuals delta_frame_residuals(const int64_t *values, size_t count, uint64_t *out)
{
    int64_t smallest = INT64_MAX;
    for (size_t i = 1; i < count; i++) {
        int64_t step = wrap_sub(values[i], values[i - 1]);
        out[i - 1] = (uint64_t)step;
        smallest = step < smallest ? step : smallest;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        out[i] -= (uint64_t)smallest;
    }
    return (struct residuals){values[0], smallest, count - 1};
}

static struct residuals delta_delta_residuals(const int64_t *values, size_t count, uint64_t *out)
{
    int64_t first_step = wrap_sub(values[1], values[0]);
    int64_t previous = first_step;
    for (size_t i = 2; i < count; i++) {
        int64_t step = wrap_sub(values[i], values[i - 1]);
        out[i - 2] = zigzag_encode(wrap_sub(step, previous));
        previous = step;
    }
    return (struct residuals){values[0], first_step, count - 2};
}

/* Rows that differ from the one before; gaps to `gaps`, changes less the smallest to `changes`. */
static struct residuals sparse_residuals(
    const int64_t *values, size_t count, uint64_t *gaps, uint64_t *changes)
{
    size_t found = 0;
    size_t last = 0;
    int64_t smallest = INT64_MAX;
    for (size_t i = 1; i < count; i++) {
        int64_t change = wrap_sub(values[i], values[i - 1]);
        if (change != 0) {
            gaps[found] = i - last - 1;
            changes[found++] = (uint64_t)change;
            smallest = change < smallest ? change : smallest;
            last = i;
        }
    }
    for (size_t i = 0; i < found; i++) {
        changes[i] -= (uint64_t)smallest;
    }
    return (struct residuals){values[0], smallest, found};
}

static size_t svarint_size(int64_t v)
{
    return uvarint_size(zigzag_encode(v));
}

bool integer_column_is_linear(const int64_t *values, size_t count)
{
    int64_t step = count > 1 ? wrap_sub(values[1], values[0]) : 0;
    for (size_t i = 2; i < count; i++) {
        if (wrap_sub(values[i], values[i - 1]) != step) {
            return false;
        }
    }
    return true;
}

struct integer_plan integer_column_plan(const int64_t *values, size_t count)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    uint64_t a[COLUMN_BLOCK_ROWS_MAX];
    uint64_t b[COLUMN_BLOCK_ROWS_MAX];
    struct residuals r = sparse_residuals(values, count, a, b);
    size_t changes = r.count;
    if (changes == 0) {
        return (struct integer_plan){CODEC_CONSTANT, svarint_size(values[0])};
    }
    struct integer_plan best = {CODEC_LINEAR, SIZE_MAX};
    if (changes <= count / 2) {
        best.codec = CODEC_SPARSE;
        best.size = svarint_size(r.base) + uvarint_size(changes) + svarint_size(r.step) +
                    patched_size(a, changes) + patched_size(b, changes);
    }

    r = delta_frame_residuals(values, count, a);
    uint64_t any = 0;
    for (size_t i = 0; i < r.count; i++) {
        any |= a[i];
    }
    size_t head = svarint_size(r.base) + svarint_size(r.step);
    if (any == 0) {
        return (struct integer_plan){CODEC_LINEAR, head};
    }
    size_t size = head + patched_size(a, r.count);
    if (size <= best.size) {
        best = (struct integer_plan){CODEC_DELTA_FRAME, size};
    }

    r = delta_residuals(values, count, a);
    size = svarint_size(r.base) + patched_size(a, r.count);
    if (size <= best.size) {
        best = (struct integer_plan){CODEC_DELTA, size};
    }

    r = frame_residuals(values, count, a);
    size = svarint_size(r.base) + patched_size(a, r.count);
    if (size <= best.size) {
        best = (struct integer_plan){CODEC_FRAME, size};
    }

    r = delta_delta_residuals(values, count, a);
    size = svarint_size(r.base) + svarint_size(r.step) + patched_size(a, r.count);
    if (size < best.size) {
        best = (struct integer_plan){CODEC_DELTA_DELTA, size};
    }
    return best;
}

static uint8_t *put_svarint(int64_t v, uint8_t *out)
{
    return out + put_uvarint(out, zigzag_encode(v));
}

uint8_t *integer_column_put(
    const int64_t *values, size_t count, enum column_codec codec, uint8_t *out)
{
    uint64_t a[COLUMN_BLOCK_ROWS_MAX];
    uint64_t b[COLUMN_BLOCK_ROWS_MAX];
    struct residuals r;
    switch (codec) {
    case CODEC_CONSTANT:
        return put_svarint(values[0], out);
    case CODEC_LINEAR:
        out = put_svarint(values[0], out);
        return put_svarint(wrap_sub(values[1], values[0]), out);
    case CODEC_FRAME:
        r = frame_residuals(values, count, a);
        return patched_put(a, r.count, put_svarint(r.base, out));
    case CODEC_DELTA:
        r = delta_residuals(values, count, a);
        return patched_put(a, r.count, put_svarint(r.base, out));
    case CODEC_DELTA_FRAME:
        r = delta_frame_residuals(values, count, a);
        return patched_put(a, r.count, put_svarint(r.step, put_svarint(r.base, out)));
    case CODEC_DELTA_DELTA:
        r = delta_delta_residuals(values, count, a);
        return patched_put(a, r.count, put_svarint(r.step, put_svarint(r.base, out)));
    case CODEC_SPARSE:
        r = sparse_residuals(values, count, a, b);
        out = put_svarint(r.base, out);
        out += put_uvarint(out, r.count);
        out = put_svarint(r.step, out);
        return patched_put(b, r.count, patched_put(a, r.count, out));
    default:
        assert(!"an integer codec");
        return out;
    }
}

static void get_frame(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t minimum = decbuf_svarint(d);
    patched_get(d, count, (uint64_t *)values);
    for (size_t i = 0; i < count && !d->failed; i++) {
        values[i] = wrap_add(values[i], minimum);
    }
}

static void get_delta(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t value = values[0] = decbuf_svarint(d);
    patched_get(d, count - 1, (uint64_t *)values + 1);
    for (size_t i = 1; i < count && !d->failed; i++) {
        value = wrap_add(value, zigzag_decode((uint64_t)values[i]));
        values[i] = value;
    }
}

static void get_delta_frame(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t value = values[0] = decbuf_svarint(d);
    int64_t smallest = decbuf_svarint(d);
    patched_get(d, count - 1, (uint64_t *)values + 1);
    for (size_t i = 1; i < count && !d->failed; i++) {
        value = wrap_add(value, wrap_add(values[i], smallest));
        values[i] = value;
    }
}

static void get_delta_delta(struct decbuf *d, size_t count, int64_t *values)
{
    if (count < 2) {
        d->failed = true;
        return;
    }
    int64_t value = values[0] = decbuf_svarint(d);
    int64_t step = decbuf_svarint(d);
    value = values[1] = wrap_add(value, step);
    patched_get(d, count - 2, (uint64_t *)values + 2);
    for (size_t i = 2; i < count && !d->failed; i++) {
        step = wrap_add(step, zigzag_decode((uint64_t)values[i]));
        value = wrap_add(value, step);
        values[i] = value;
    }
}

static void get_linear(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t value = decbuf_svarint(d);
    int64_t step = decbuf_svarint(d);
    for (size_t i = 0; i < count; i++) {
        values[i] = value;
        value = wrap_add(value, step);
    }
}

static void get_constant(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t value = decbuf_svarint(d);
    for (size_t i = 0; i < count; i++) {
        values[i] = value;
    }
}

static void get_sparse(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t value = decbuf_svarint(d);
    uint64_t changes = decbuf_uvarint(d);
    int64_t smallest = decbuf_svarint(d);
    if (changes == 0 || changes >= count) {
        d->failed = true;
        return;
    }
    uint64_t gaps[COLUMN_BLOCK_ROWS_MAX];
    uint64_t steps[COLUMN_BLOCK_ROWS_MAX];
    patched_get(d, changes, gaps);
    patched_get(d, changes, steps);
    if (d->failed) {
        return;
    }
    size_t row = 0;
    for (size_t i = 0; i < changes; i++) {
        if (gaps[i] >= count - 1 - row) {
            d->failed = true;
            return;
        }
        for (size_t end = row + gaps[i] + 1; row < end; row++) {
            values[row] = value;
        }
        value = wrap_add(value, wrap_add((int64_t)steps[i], smallest));
    }
    for (; row < count; row++) {
        values[row] = value;
    }
}

void integer_column_get(
    struct decbuf *d, enum column_codec codec, size_t count, int64_t *values_out)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    switch (codec) {
    case CODEC_CONSTANT:
        get_constant(d, count, values_out);
        return;
    case CODEC_SPARSE:
        get_sparse(d, count, values_out);
        return;
    case CODEC_FRAME:
        get_frame(d, count, values_out);
        return;
    case CODEC_DELTA:
        get_delta(d, count, values_out);
        return;
    case CODEC_DELTA_FRAME:
        get_delta_frame(d, count, values_out);
        return;
    case CODEC_DELTA_DELTA:
        get_delta_delta(d, count, values_out);
        return;
    case CODEC_LINEAR:
        get_linear(d, count, values_out);
        return;
    default:
        d->failed = true;
        return;
    }
}
