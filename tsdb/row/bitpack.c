/* Bit-packing, portable path. */
#include "row/bitpack.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

uint8_t *bitpack_put(const uint64_t *values, size_t count, unsigned width, uint8_t *out)
{
    assert(width <= BITPACK_WIDTH_MAX);
    if (width == 0) {
        return out;
    }
    uint64_t mask = bit_mask(width);
    uint64_t pending = 0; // bits not yet behind `out`, fewer than 8 at the top of the loop
    unsigned fill = 0;
    for (size_t i = 0; i < count; i++) {
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

/* `bytes` must be readable up to 8 bytes past the last value's first byte. */
static void unpack(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out)
{
    uint64_t mask = bit_mask(width);
    size_t bit = 0;
    for (size_t i = 0; i < count; i++, bit += width) {
        values_out[i] = get_le64(bytes + bit / 8) >> (bit % 8) & mask;
    }
}

void bitpack_get(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out)
{
    assert(width <= BITPACK_WIDTH_MAX);
    if (width == 0) {
        memset(values_out, 0, count * sizeof(values_out[0]));
        return;
    }
    // All but the last few values can load 8 bytes without leaving the input.
    size_t size = bitpack_size(count, width);
    size_t direct = size > 8 ? (size - 8) * 8 / width : 0;
    direct = (direct < count ? direct : count) / 8 * 8;
    unpack(bytes, direct, width, values_out);
    uint8_t tail[8 * sizeof(uint64_t) + 8 * BITPACK_WIDTH_MAX] = {0};
    size_t at = direct / 8 * width;
    assert(size - at + 8 <= sizeof(tail));
    memcpy(tail, bytes + at, size - at);
    unpack(tail, count - direct, width, values_out + direct);
}
