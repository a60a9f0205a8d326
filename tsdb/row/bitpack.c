/* Bit-packing: writing, and reading up to the last byte. */
#include "row/bitpack.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "row/kernels.h"

/* Joining values before they are appended shortens the chain of additions to the stream: as many as
 * fit one word beside the seven bits that may be pending. */
static unsigned values_per_word(unsigned width)
{
    return width <= 14 ? 4 : width <= 28 ? 2 : 1;
}

uint8_t *bitpack_put(const uint64_t *values, size_t count, unsigned width, uint8_t *out)
{
    assert(width <= BITPACK_WIDTH_MAX);
    if (width == 0) {
        return out;
    }
    uint64_t mask = bit_mask(width);
    uint64_t pending = 0; // bits not yet behind `out`, fewer than 8 at the top of each loop
    unsigned fill = 0;
    unsigned joined = values_per_word(width);
    size_t i = 0;
    for (; joined > 1 && i + joined <= count; i += joined) {
        uint64_t word = (values[i] & mask) | (values[i + 1] & mask) << width;
        if (joined == 4) {
            uint64_t high = (values[i + 2] & mask) | (values[i + 3] & mask) << width;
            word |= high << 2 * width;
        }
        pending |= word << fill;
        fill += joined * width;
        put_le64(out, pending);
        out += fill / 8;
        pending >>= fill & ~7u;
        fill &= 7;
    }
    for (; i < count; i++) {
        pending |= (values[i] & mask) << fill;
        fill += width;
        put_le64(out, pending);
        out += fill / 8;
        pending = fill == 64 ? 0 : pending >> (fill & ~7u);
        fill &= 7;
    }
    if (fill > 0) {
        *out++ = (uint8_t)pending;
    }
    return out;
}

/* What is left of the input when whole groups of eight have been read in place, copied to where the
 * overread does no harm. */
struct rest {
    size_t groups; /* that may be read in place */
    uint8_t bytes[2 * UNPACK_OVERREAD + 2 * BITPACK_WIDTH_MAX];
};

static void split_rest(
    struct rest *rest, const uint8_t *bytes, size_t readable, size_t count, unsigned width)
{
    size_t groups = readable > UNPACK_OVERREAD ? (readable - UNPACK_OVERREAD) / width : 0;
    rest->groups = groups < count / 8 ? groups : count / 8;
    size_t size = bitpack_size(count, width) - rest->groups * width;
    assert(size + UNPACK_OVERREAD <= sizeof(rest->bytes));
    memcpy(rest->bytes, bytes + rest->groups * width, size);
    memset(rest->bytes + size, 0, UNPACK_OVERREAD);
}

void bitpack_get(
    const uint8_t *bytes, size_t readable, size_t count, unsigned width, uint64_t *values_out)
{
    assert(width <= BITPACK_WIDTH_MAX && readable >= bitpack_size(count, width));
    const struct row_kernels *kernels = row_kernels();
    if (width == 0) {
        memset(values_out, 0, count * sizeof(values_out[0]));
    } else if (readable >= bitpack_size(count, width) + UNPACK_OVERREAD) {
        kernels->unpack(bytes, count, width, values_out);
    } else {
        struct rest rest;
        split_rest(&rest, bytes, readable, count, width);
        size_t direct = 8 * rest.groups;
        kernels->unpack(bytes, direct, width, values_out);
        kernels->unpack(rest.bytes, count - direct, width, values_out + direct);
    }
}

void bitpack_get_narrow(
    const uint8_t *bytes, size_t readable, size_t count, unsigned width, uint32_t *values_out)
{
    assert(width <= NARROW_BITS_MAX && readable >= bitpack_size(count, width));
    const struct row_kernels *kernels = row_kernels();
    if (width == 0) {
        memset(values_out, 0, count * sizeof(values_out[0]));
    } else if (readable >= bitpack_size(count, width) + UNPACK_OVERREAD) {
        kernels->unpack_narrow(bytes, count, width, values_out);
    } else {
        struct rest rest;
        split_rest(&rest, bytes, readable, count, width);
        size_t direct = 8 * rest.groups;
        kernels->unpack_narrow(bytes, direct, width, values_out);
        kernels->unpack_narrow(rest.bytes, count - direct, width, values_out + direct);
    }
}

uint64_t bitpack_at(const uint8_t *bytes, size_t readable, size_t index, unsigned width)
{
    assert(width <= BITPACK_WIDTH_MAX && readable >= bitpack_size(index + 1, width));
    size_t bit = index * width, left = readable - bit / 8;
    uint8_t word[8] = {0};
    if (width == 0) {
        return 0;
    }
    memcpy(word, bytes + bit / 8, left < sizeof(word) ? left : sizeof(word));
    return get_le64(word) >> (bit % 8) & bit_mask(width);
}
