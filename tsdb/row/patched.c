/* Patched bit-packing: choosing the width of a miniblock, writing and reading it. */
#include "row/patched.h"

#include <assert.h>

#include "row/bitpack.h"
#include "row/kernels.h"

#define FLAG_EXCEPTIONS 0x40
#define EXCEPTIONS_SHORT_MAX 3

static unsigned position_width(size_t count)
{
    return bit_width(count - 1);
}

static size_t exceptions_size(size_t count, unsigned exceptions, unsigned high_width)
{
    return 1 + (exceptions > EXCEPTIONS_SHORT_MAX) +
           bitpack_size(exceptions, position_width(count)) + bitpack_size(exceptions, high_width);
}

/* The width with the fewest bytes, given the widths of all values. Walks down from the widest; of
 * equals the widest wins, for fewer exceptions decode faster, and the walk ends where the exceptions
 * alone cost too much. */
static struct miniblock_plan plan_miniblock(const uint8_t *widths, size_t count)
{
    uint8_t wider[KERNEL_WIDEST];
    unsigned widest = row_kernels()->count_wider(widths, count, wider);
    unsigned width = widest <= BITPACK_WIDTH_MAX ? widest : BITPACK_WIDTH_MAX;
    struct miniblock_plan best = {.size = UINT16_MAX};
    for (;; width--) {
        unsigned exceptions = width < widest ? wider[width] : 0;
        size_t apart = exceptions > 0 ? exceptions_size(count, exceptions, widest - width) : 0;
        size_t size = 1 + bitpack_size(count, width) + apart;
        if (size < best.size) {
            best = (struct miniblock_plan){
                (uint8_t)width, (uint8_t)exceptions, (uint8_t)(widest - width), (uint16_t)size};
        }
        if (width == 0 || apart >= best.size || widest - width == BITPACK_WIDTH_MAX) {
            return best;
        }
    }
}

static size_t miniblock_count(size_t left)
{
    return left < MINIBLOCK_VALUES ? left : MINIBLOCK_VALUES;
}

bool patched_make_plan(
    const uint64_t *values, size_t count, size_t limit, struct patched_plan *plan)
{
    assert(count <= COLUMN_BLOCK_ROWS_MAX);
    uint8_t widths[MINIBLOCKS_MAX][KERNEL_WIDTHS];
    size_t blocks = 0;
    size_t bits = 0;
    for (size_t at = 0; at < count; at += MINIBLOCK_VALUES, blocks++) {
        bits += row_kernels()->widths(values + at, miniblock_count(count - at), widths[blocks]);
    }
    // No packing takes less than every value's own bits and a byte for each miniblock.
    plan->size = 0;
    if (bits / 8 + blocks > limit) {
        return false;
    }
    for (size_t b = 0; b < blocks && plan->size <= limit; b++) {
        plan->blocks[b] = plan_miniblock(widths[b], miniblock_count(count - b * MINIBLOCK_VALUES));
        plan->size += plan->blocks[b].size;
    }
    return plan->size <= limit;
}

static uint8_t *put_exceptions(
    const uint64_t *values, size_t count, const struct miniblock_plan *plan, uint8_t *out)
{
    uint64_t positions[MINIBLOCK_VALUES];
    uint64_t highs[MINIBLOCK_VALUES];
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        positions[found] = i;
        highs[found] = values[i] >> plan->width;
        found += highs[found] != 0;
        if (found == plan->exceptions) {
            break;
        }
    }
    assert(found == plan->exceptions);
    unsigned in_byte = found <= EXCEPTIONS_SHORT_MAX ? found : 0;
    *out++ = (uint8_t)((plan->high_width - 1u) | in_byte << 6);
    if (in_byte == 0) {
        *out++ = (uint8_t)found;
    }
    out = bitpack_put(positions, found, position_width(count), out);
    return bitpack_put(highs, found, plan->high_width, out);
}

uint8_t *patched_put(
    const uint64_t *values, size_t count, const struct patched_plan *plan, uint8_t *out)
{
    const struct miniblock_plan *block = plan->blocks;
    for (size_t at = 0; at < count; at += MINIBLOCK_VALUES, block++) {
        size_t n = miniblock_count(count - at);
        uint8_t *start = out;
        *out++ = (uint8_t)(block->width | (block->exceptions > 0 ? FLAG_EXCEPTIONS : 0));
        out = bitpack_put(values + at, n, block->width, out);
        if (block->exceptions > 0) {
            out = put_exceptions(values + at, n, block, out);
        }
        assert(out - start == block->size);
        (void)start;
    }
    return out;
}

/* The exceptions of a miniblock. */
struct exceptions {
    unsigned count, high_width;
    uint64_t positions[MINIBLOCK_VALUES];
    uint64_t highs[MINIBLOCK_VALUES];
};

static void get_packed(struct decbuf *d, size_t count, unsigned width, uint64_t *values_out)
{
    size_t readable = decbuf_left(d);
    struct str bytes = decbuf_bytes(d, bitpack_size(count, width));
    if (!d->failed) {
        bitpack_get((const uint8_t *)bytes.ptr, readable, count, width, values_out);
    }
}

/* How many there are, and how wide. */
static bool get_exceptions_head(struct decbuf *d, size_t count, struct exceptions *exceptions)
{
    uint8_t head = decbuf_u8(d);
    unsigned found = head >> 6;
    if (found == 0) {
        found = decbuf_u8(d);
        d->failed = d->failed || found <= EXCEPTIONS_SHORT_MAX;
    }
    exceptions->high_width = (head & 0x3f) + 1;
    exceptions->count = found;
    if (exceptions->high_width > BITPACK_WIDTH_MAX || found > count) {
        d->failed = true;
    }
    return !d->failed;
}

static bool get_exceptions(struct decbuf *d, size_t count, struct exceptions *exceptions)
{
    if (!get_exceptions_head(d, count, exceptions)) {
        return false;
    }
    unsigned found = exceptions->count;
    get_packed(d, found, position_width(count), exceptions->positions);
    get_packed(d, found, exceptions->high_width, exceptions->highs);
    if (d->failed) {
        return false;
    }
    bool ordered = exceptions->positions[found - 1] < count;
    for (unsigned i = 1; i < found; i++) {
        ordered = ordered && exceptions->positions[i] > exceptions->positions[i - 1];
    }
    d->failed = !ordered;
    return ordered;
}

/* The head of a miniblock of `count` values and its packed bits. */
static bool get_miniblock_head(
    struct decbuf *d, size_t count, uint8_t *head_out, struct str *packed_out)
{
    uint8_t head = decbuf_u8(d);
    unsigned width = head & 0x3f;
    *head_out = head;
    *packed_out = decbuf_bytes(d, bitpack_size(count, width));
    d->failed = d->failed || width > BITPACK_WIDTH_MAX || (head & 0x80) != 0;
    return !d->failed;
}

bool patched_next(struct decbuf *d, size_t left, struct miniblock *block)
{
    size_t n = miniblock_count(left);
    struct str packed;
    uint8_t head;
    struct exceptions exceptions; // its arrays are large: not cleared, filled as far as needed
    exceptions.count = exceptions.high_width = 0;
    if (!get_miniblock_head(d, n, &head, &packed)) {
        return false;
    }
    unsigned width = head & 0x3f;
    size_t readable = packed.len + decbuf_left(d);
    if ((head & FLAG_EXCEPTIONS) != 0 && !get_exceptions(d, n, &exceptions)) {
        d->failed = true;
        return false;
    }
    const uint8_t *bytes = (const uint8_t *)packed.ptr;
    block->count = n;
    block->is_narrow = width <= NARROW_BITS_MAX && width + exceptions.high_width <= NARROW_SUM_BITS;
    if (block->is_narrow) {
        bitpack_get_narrow(bytes, readable, n, width, block->narrow);
        for (unsigned i = 0; i < exceptions.count; i++) {
            block->narrow[exceptions.positions[i]] |= (uint32_t)(exceptions.highs[i] << width);
        }
    } else {
        bitpack_get(bytes, readable, n, width, block->wide);
        for (unsigned i = 0; i < exceptions.count; i++) {
            block->wide[exceptions.positions[i]] |= exceptions.highs[i] << width;
        }
    }
    return true;
}

void patched_get(struct decbuf *d, size_t count, uint64_t *values_out)
{
    struct miniblock block;
    for (size_t at = 0; at < count && patched_next(d, count - at, &block); at += block.count) {
        if (block.is_narrow) {
            row_kernels()->add_narrow(block.narrow, block.count, 0, (int64_t *)values_out + at);
        } else {
            memcpy(values_out + at, block.wide, block.count * sizeof(uint64_t));
        }
    }
}

/* ---- One value ---- */

void patched_skip(struct decbuf *d, size_t left)
{
    size_t count = miniblock_count(left);
    struct exceptions exceptions;
    struct str packed;
    uint8_t head;
    if (get_miniblock_head(d, count, &head, &packed) && (head & FLAG_EXCEPTIONS) != 0 &&
        get_exceptions_head(d, count, &exceptions)) {
        (void)decbuf_bytes(
            d, bitpack_size(exceptions.count, position_width(count))); // failure sticks
        (void)decbuf_bytes(d, bitpack_size(exceptions.count, exceptions.high_width)); // likewise
    }
}

/* Value `index` of the next miniblock. */
static uint64_t value_of_next(struct decbuf *d, size_t count, size_t index)
{
    struct str packed;
    uint8_t head;
    if (!get_miniblock_head(d, count, &head, &packed)) {
        return 0;
    }
    unsigned width = head & 0x3f;
    uint64_t value = bitpack_at((const uint8_t *)packed.ptr, packed.len, index, width);
    struct exceptions exceptions;
    if ((head & FLAG_EXCEPTIONS) != 0 && get_exceptions(d, count, &exceptions)) {
        for (unsigned i = 0; i < exceptions.count; i++) {
            value |= exceptions.positions[i] == index ? exceptions.highs[i] << width : 0;
        }
    }
    return value;
}

uint64_t patched_at(struct decbuf *d, size_t count, size_t index)
{
    uint64_t value = 0;
    assert(index < count);
    for (size_t at = 0; at < count && !d->failed; at += MINIBLOCK_VALUES) {
        if (index / MINIBLOCK_VALUES == at / MINIBLOCK_VALUES) {
            value = value_of_next(d, miniblock_count(count - at), index - at);
        } else {
            patched_skip(d, count - at);
        }
    }
    return value;
}
