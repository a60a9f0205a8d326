/* Integer codecs: residuals, the choice between them by exact size, and back. */
#include "row/integer_column.h"

#include <assert.h>

#include "row/kernels.h"
#include "row/patched.h"

/* Sparse is tried where at most one row in so many changes. */
#define SPARSE_SHARE 2

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* ---- residuals ---- */

/* A column on its way to a body: the residuals of one codec at a time. */
struct residuals {
    const int64_t *values;
    size_t values_count;
    int64_t steps[COLUMN_BLOCK_ROWS_MAX]; /* values_count - 1 */
    uint64_t out[COLUMN_BLOCK_ROWS_MAX];
    uint64_t gaps[COLUMN_BLOCK_ROWS_MAX]; /* sparse only: its other stream */
    size_t count;                         /* of `out` */
    int64_t base;                         /* first value or minimum */
    int64_t step;                         /* smallest or first step or change */
};

static void residuals_init(struct residuals *r, const int64_t *values, size_t count)
{
    r->values = values;
    r->values_count = count;
    row_kernels()->steps(values, count, r->steps);
}

static void frame_residuals(struct residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = kernels->minimum(r->values, r->values_count);
    r->count = r->values_count;
    kernels->subtract(r->values, r->count, r->base, r->out);
}

static void delta_residuals(struct residuals *r)
{
    r->base = r->values[0];
    r->count = r->values_count - 1;
    row_kernels()->zigzag(r->steps, r->count, r->out);
}

static void delta_frame_residuals(struct residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = r->values[0];
    r->count = r->values_count - 1;
    r->step = kernels->minimum(r->steps, r->count);
    kernels->subtract(r->steps, r->count, r->step, r->out);
}

static void delta_delta_residuals(struct residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = r->values[0];
    r->step = r->steps[0];
    r->count = r->values_count - 2;
    kernels->steps(r->steps, r->values_count - 1, (int64_t *)r->out);
    kernels->zigzag((const int64_t *)r->out, r->count, r->out);
}

/* Rows that differ from the one before. */
static void sparse_residuals(struct residuals *r)
{
    size_t found = 0;
    size_t last = 0;
    for (size_t i = 1; i < r->values_count; i++) {
        int64_t step = r->steps[i - 1];
        r->gaps[found] = i - last - 1;
        r->out[found] = (uint64_t)step;
        last = step != 0 ? i : last;
        found += step != 0;
    }
    r->base = r->values[0];
    r->count = found;
    r->step = found > 0 ? row_kernels()->minimum((const int64_t *)r->out, found) : 0;
    row_kernels()->subtract((const int64_t *)r->out, found, r->step, r->out);
}

/* ---- choosing ---- */

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

/* Bytes of the body of `codec`, or more than `limit` where it does not matter how many. */
static size_t body_size(struct residuals *r, enum column_codec codec, size_t limit)
{
    size_t parameters = 0;
    switch (codec) {
    case CODEC_FRAME:
        frame_residuals(r);
        break;
    case CODEC_DELTA:
        delta_residuals(r);
        break;
    case CODEC_DELTA_FRAME:
        delta_frame_residuals(r);
        parameters = svarint_size(r->step);
        break;
    case CODEC_DELTA_DELTA:
        delta_delta_residuals(r);
        parameters = svarint_size(r->step);
        break;
    default:
        sparse_residuals(r);
        parameters = svarint_size(r->step) + uvarint_size(r->count);
        parameters += patched_size(r->gaps, r->count, SIZE_MAX);
        break;
    }
    parameters += svarint_size(r->base);
    if (parameters >= limit) {
        return SIZE_MAX;
    }
    size_t stream = patched_size(r->out, r->count, limit - parameters);
    return stream == SIZE_MAX ? SIZE_MAX : parameters + stream;
}

static bool is_sparse(const struct residuals *r)
{
    size_t changes = 0;
    for (size_t i = 0; i + 1 < r->values_count; i++) {
        changes += r->steps[i] != 0;
    }
    return changes <= r->values_count / SPARSE_SHARE;
}

struct integer_plan integer_column_plan(const int64_t *values, size_t count)
{
    static const uint8_t codecs[] = {
        CODEC_FRAME, CODEC_DELTA_FRAME, CODEC_DELTA, CODEC_DELTA_DELTA, CODEC_SPARSE};
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    struct residuals r;
    residuals_init(&r, values, count);
    if (integer_column_is_linear(values, count)) {
        int64_t step = count > 1 ? r.steps[0] : 0;
        size_t size = svarint_size(values[0]);
        return step == 0 ? (struct integer_plan){CODEC_CONSTANT, size}
                         : (struct integer_plan){CODEC_LINEAR, size + svarint_size(step)};
    }
    struct integer_plan best = {CODEC_FRAME, SIZE_MAX};
    for (size_t i = 0; i < sizeof(codecs); i++) {
        if (codecs[i] == CODEC_SPARSE && !is_sparse(&r)) {
            continue;
        }
        size_t size = body_size(&r, (enum column_codec)codecs[i], best.size);
        if (size < best.size) {
            best = (struct integer_plan){(enum column_codec)codecs[i], size};
        }
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
    struct residuals r;
    residuals_init(&r, values, count);
    switch (codec) {
    case CODEC_CONSTANT:
        return put_svarint(values[0], out);
    case CODEC_LINEAR:
        out = put_svarint(values[0], out);
        return put_svarint(r.steps[0], out);
    case CODEC_FRAME:
        frame_residuals(&r);
        out = put_svarint(r.base, out);
        break;
    case CODEC_DELTA:
        delta_residuals(&r);
        out = put_svarint(r.base, out);
        break;
    case CODEC_DELTA_FRAME:
        delta_frame_residuals(&r);
        out = put_svarint(r.step, put_svarint(r.base, out));
        break;
    case CODEC_DELTA_DELTA:
        delta_delta_residuals(&r);
        out = put_svarint(r.step, put_svarint(r.base, out));
        break;
    case CODEC_SPARSE:
        sparse_residuals(&r);
        out = put_svarint(r.base, out);
        out += put_uvarint(out, r.count);
        out = patched_put(r.gaps, r.count, put_svarint(r.step, out));
        break;
    default:
        assert(!"an integer codec");
        return out;
    }
    return patched_put(r.out, r.count, out);
}

/* ---- reading ---- */

/* values[i] = base + residual i */
static void get_stream_above(struct decbuf *d, size_t count, int64_t base, int64_t *values)
{
    const struct row_kernels *kernels = row_kernels();
    struct miniblock block;
    for (size_t at = 0; at < count && patched_next(d, count - at, &block); at += block.count) {
        if (block.is_narrow) {
            kernels->add_narrow(block.narrow, block.count, base, values + at);
        } else {
            memcpy(values + at, block.wide, block.count * sizeof(values[0]));
            kernels->add(values + at, block.count, base);
        }
    }
}

/* values[i] = start + the sum of the residuals 0..i, each plus `step` */
static void get_stream_sums(
    struct decbuf *d, size_t count, int64_t start, int64_t step, int64_t *values)
{
    const struct row_kernels *kernels = row_kernels();
    struct miniblock block;
    for (size_t at = 0; at < count && patched_next(d, count - at, &block); at += block.count) {
        if (block.is_narrow) {
            start = kernels->accumulate_narrow(block.narrow, block.count, start, step, values + at);
        } else {
            memcpy(values + at, block.wide, block.count * sizeof(values[0]));
            kernels->accumulate(values + at, block.count, start, step);
            start = values[at + block.count - 1];
        }
    }
}

/* The same of zigzag residuals, without a step. */
static void get_stream_zigzag_sums(struct decbuf *d, size_t count, int64_t start, int64_t *values)
{
    const struct row_kernels *kernels = row_kernels();
    struct miniblock block;
    for (size_t at = 0; at < count && patched_next(d, count - at, &block); at += block.count) {
        if (block.is_narrow) {
            start =
                kernels->accumulate_zigzag_narrow(block.narrow, block.count, start, values + at);
        } else {
            memcpy(values + at, block.wide, block.count * sizeof(values[0]));
            kernels->accumulate_zigzag(values + at, block.count, start);
            start = values[at + block.count - 1];
        }
    }
}

static void get_frame(struct decbuf *d, size_t count, int64_t *values)
{
    int64_t minimum = decbuf_svarint(d);
    get_stream_above(d, count, minimum, values);
}

static void get_delta(struct decbuf *d, size_t count, int64_t *values)
{
    values[0] = decbuf_svarint(d);
    get_stream_zigzag_sums(d, count - 1, values[0], values + 1);
}

static void get_delta_frame(struct decbuf *d, size_t count, int64_t *values)
{
    values[0] = decbuf_svarint(d);
    int64_t smallest = decbuf_svarint(d);
    get_stream_sums(d, count - 1, values[0], smallest, values + 1);
}

static void get_delta_delta(struct decbuf *d, size_t count, int64_t *values)
{
    if (count < 2) {
        d->failed = true;
        return;
    }
    values[0] = decbuf_svarint(d);
    values[1] = decbuf_svarint(d); // the first step
    get_stream_zigzag_sums(d, count - 2, values[1], values + 2);
    if (!d->failed) {
        row_kernels()->accumulate(values + 1, count - 1, values[0], 0);
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
    // Changes in their rows, nothing between them, then one sum over all.
    memset(values, 0, count * sizeof(values[0]));
    values[0] = value;
    size_t row = 0;
    for (size_t i = 0; i < changes; i++) {
        if (gaps[i] >= count - 1 - row) {
            d->failed = true;
            return;
        }
        row += gaps[i] + 1;
        values[row] = wrap_add((int64_t)steps[i], smallest);
    }
    row_kernels()->accumulate(values + 1, count - 1, value, 0);
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
