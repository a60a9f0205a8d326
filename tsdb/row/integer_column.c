/* Integer codecs: residuals, the choice between them by exact size, and back. */
#include "row/integer_column.h"

#include <assert.h>

#include "row/kernels.h"

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

static void frame_residuals(const struct integer_coder *c, struct integer_residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = kernels->minimum(c->values, c->count);
    r->count = c->count;
    kernels->subtract(c->values, r->count, r->base, r->out);
}

static void delta_residuals(const struct integer_coder *c, struct integer_residuals *r)
{
    r->base = c->values[0];
    r->count = c->count - 1;
    row_kernels()->zigzag(c->steps, r->count, r->out);
}

static void delta_frame_residuals(const struct integer_coder *c, struct integer_residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = c->values[0];
    r->count = c->count - 1;
    r->step = kernels->minimum(c->steps, r->count);
    kernels->subtract(c->steps, r->count, r->step, r->out);
}

static void delta_delta_residuals(const struct integer_coder *c, struct integer_residuals *r)
{
    const struct row_kernels *kernels = row_kernels();
    r->base = c->values[0];
    r->step = c->steps[0];
    r->count = c->count - 2;
    (void)kernels->steps(c->steps, c->count - 1, (int64_t *)r->out); // their number does not matter
    kernels->zigzag((const int64_t *)r->out, r->count, r->out);
}

/* Rows that differ from the one before. */
static void sparse_residuals(struct integer_coder *c, struct integer_residuals *r)
{
    size_t found = 0;
    size_t last = 0;
    for (size_t i = 1; i < c->count; i++) {
        int64_t step = c->steps[i - 1];
        c->gaps[found] = i - last - 1;
        r->out[found] = (uint64_t)step;
        last = step != 0 ? i : last;
        found += step != 0;
    }
    r->base = c->values[0];
    r->count = found;
    r->step = row_kernels()->minimum((const int64_t *)r->out, found);
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

/* Tries one codec; takes it where it is shorter than the best so far. */
static void try_codec(struct integer_coder *c, enum column_codec codec)
{
    struct integer_residuals *r = &c->tries[1 - c->best];
    size_t size = 0; // of all but the stream
    switch (codec) {
    case CODEC_FRAME:
        frame_residuals(c, r);
        break;
    case CODEC_DELTA:
        delta_residuals(c, r);
        break;
    case CODEC_DELTA_FRAME:
        delta_frame_residuals(c, r);
        size = svarint_size(r->step);
        break;
    case CODEC_DELTA_DELTA:
        delta_delta_residuals(c, r);
        size = svarint_size(r->step);
        break;
    default:
        sparse_residuals(c, r);
        size = svarint_size(r->step) + uvarint_size(r->count);
        (void)patched_make_plan(c->gaps, r->count, SIZE_MAX, &c->gaps_plan);
        size += c->gaps_plan.size;
        break;
    }
    size += svarint_size(r->base);
    if (size < c->size && patched_make_plan(r->out, r->count, c->size - size - 1, &r->plan)) {
        c->codec = codec;
        c->size = size + r->plan.size;
        c->best = 1 - c->best;
    }
}

/* A set of codecs as bits. Where no step goes down, a step is no longer than the whole way, and needs
 * no sign: the steps above the smallest beat both the frame and zigzag. */
static uint32_t codecs_worth_trying(const struct integer_coder *c)
{
    uint32_t worth = 1u << CODEC_DELTA_FRAME | 1u << CODEC_DELTA_DELTA;
    if (row_kernels()->minimum(c->steps, c->count - 1) < 0) {
        worth |= 1u << CODEC_FRAME | 1u << CODEC_DELTA;
    }
    if (c->changes <= c->count / SPARSE_SHARE) {
        worth |= 1u << CODEC_SPARSE;
    }
    return worth;
}

void integer_column_plan(
    struct integer_coder *coder, const int64_t *values, size_t count, unsigned hint)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    coder->values = values;
    coder->count = count;
    coder->changes = row_kernels()->steps(values, count, coder->steps);
    coder->best = 0;
    if (coder->changes == 0) {
        coder->codec = CODEC_CONSTANT;
        coder->size = svarint_size(values[0]);
        return;
    }
    if (integer_column_is_linear(values, count)) {
        coder->codec = CODEC_LINEAR;
        coder->size = svarint_size(values[0]) + svarint_size(coder->steps[0]);
        return;
    }
    uint32_t worth = codecs_worth_trying(coder);
    coder->size = SIZE_MAX;
    if (hint < CODEC_COUNT && (worth >> hint & 1) != 0) {
        try_codec(coder, (enum column_codec)hint);
        worth &= ~(1u << hint);
    }
    for (unsigned codec = 0; worth >> codec != 0; codec++) {
        if ((worth >> codec & 1) != 0) {
            try_codec(coder, (enum column_codec)codec);
        }
    }
}

static uint8_t *put_svarint(int64_t v, uint8_t *out)
{
    return out + put_uvarint(out, zigzag_encode(v));
}

uint8_t *integer_column_put(const struct integer_coder *coder, uint8_t *out)
{
    const struct integer_residuals *r = &coder->tries[coder->best];
    out = put_svarint(coder->codec == CODEC_FRAME ? r->base : coder->values[0], out);
    switch (coder->codec) {
    case CODEC_CONSTANT:
        return out;
    case CODEC_LINEAR:
        return put_svarint(coder->steps[0], out);
    case CODEC_DELTA_FRAME:
    case CODEC_DELTA_DELTA:
        out = put_svarint(r->step, out);
        break;
    case CODEC_SPARSE:
        out += put_uvarint(out, r->count);
        out = put_svarint(r->step, out);
        out = patched_put(coder->gaps, r->count, &coder->gaps_plan, out);
        break;
    default:
        break;
    }
    return patched_put(r->out, r->count, &r->plan, out);
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

/* ---- reading one row ---- */

/* start + the sum of the first `wanted` residuals of a stream of `count`, each plus `step`. */
static int64_t sum_stream(
    struct decbuf *d, size_t count, size_t wanted, int64_t start, int64_t step)
{
    const struct row_kernels *kernels = row_kernels();
    int64_t sums[MINIBLOCK_VALUES];
    struct miniblock block;
    for (size_t at = 0; at < count && !d->failed; at += MINIBLOCK_VALUES) {
        if (at >= wanted) {
            patched_skip(d, count - at);
        } else if (patched_next(d, count - at, &block)) {
            size_t n = wanted - at < block.count ? wanted - at : block.count;
            if (block.is_narrow) {
                start = kernels->accumulate_narrow(block.narrow, n, start, step, sums);
            } else {
                kernels->accumulate((int64_t *)block.wide, n, start, step);
                start = (int64_t)block.wide[n - 1];
            }
        }
    }
    return start;
}

/* The sums of the next miniblock's zigzag residuals, the first `n` of them, each added to `start`. */
static const int64_t *sum_zigzags(struct miniblock *block, size_t n, int64_t start, int64_t *sums)
{
    const struct row_kernels *kernels = row_kernels();
    if (block->is_narrow) {
        (void)kernels->accumulate_zigzag_narrow(block->narrow, n, start, sums);
        return sums;
    }
    kernels->accumulate_zigzag((int64_t *)block->wide, n, start);
    return (int64_t *)block->wide;
}

/* start + the sum of the first `wanted` zigzag residuals; with `total` what it passed is added to that. */
static int64_t sum_zigzag_stream(
    struct decbuf *d, size_t count, size_t wanted, int64_t start, int64_t *total)
{
    int64_t room[MINIBLOCK_VALUES];
    struct miniblock block;
    for (size_t at = 0; at < count && !d->failed; at += MINIBLOCK_VALUES) {
        if (at >= wanted) {
            patched_skip(d, count - at);
        } else if (patched_next(d, count - at, &block)) {
            size_t n = wanted - at < block.count ? wanted - at : block.count;
            const int64_t *sums = sum_zigzags(&block, n, start, room);
            start = sums[n - 1];
            for (size_t i = 0; total != NULL && i < n; i++) {
                *total = wrap_add(*total, sums[i]);
            }
        }
    }
    return start;
}

static int64_t delta_delta_at(struct decbuf *d, size_t count, size_t index)
{
    int64_t value = decbuf_svarint(d);
    int64_t step = decbuf_svarint(d);
    if (count < 2) {
        d->failed = true;
        return 0;
    }
    int64_t later =
        wrap_add(value, step); // of row 1; the sums of the residuals are the steps after it
    (void)sum_zigzag_stream(d, count - 2, index > 0 ? index - 1 : 0, step, &later);
    return index > 0 ? later : value;
}

static int64_t sparse_at(struct decbuf *d, size_t count, size_t index)
{
    int64_t value = decbuf_svarint(d);
    uint64_t changes = decbuf_uvarint(d);
    int64_t smallest = decbuf_svarint(d);
    if (changes == 0 || changes >= count) {
        d->failed = true;
        return 0;
    }
    uint64_t gaps[COLUMN_BLOCK_ROWS_MAX];
    patched_get(d, changes, gaps);
    size_t passed = 0, row = 0;
    while (!d->failed && passed < changes && gaps[passed] < index - row) {
        row += gaps[passed++] + 1;
    }
    return sum_stream(d, changes, passed, value, smallest);
}

int64_t integer_column_at(struct decbuf *d, enum column_codec codec, size_t count, size_t index)
{
    assert(index < count && count <= COLUMN_BLOCK_ROWS_MAX);
    if (codec == CODEC_SPARSE) {
        return sparse_at(d, count, index);
    }
    if (codec == CODEC_DELTA_DELTA) {
        return delta_delta_at(d, count, index);
    }
    int64_t first = decbuf_svarint(d);
    switch (codec) {
    case CODEC_CONSTANT:
        return first;
    case CODEC_FRAME:
        return wrap_add(first, (int64_t)patched_at(d, count, index));
    case CODEC_DELTA:
        return sum_zigzag_stream(d, count - 1, index, first, NULL);
    case CODEC_DELTA_FRAME: {
        int64_t smallest = decbuf_svarint(d);
        return sum_stream(d, count - 1, index, first, smallest);
    }
    case CODEC_LINEAR:
        return (int64_t)((uint64_t)first + (uint64_t)decbuf_svarint(d) * index);
    default:
        d->failed = true;
        return 0;
    }
}
