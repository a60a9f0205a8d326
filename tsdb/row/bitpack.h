/* Plain bit-packing: `count` values of `width` bits each, one after the other.
 *
 * Value i occupies bits [i * width, (i + 1) * width) of the output, bit b being bit b % 8 of byte
 * b / 8; the last byte is filled with zero bits. Eight values therefore start on a byte boundary
 * whatever the width, which is what the vector path lives on: it loads eight values at a time and
 * moves each to its own lane with one byte shuffle and one variable shift, in the order of time.
 *
 * Why not lanes interleaved over 128 values, as is the custom: a block of 20 rows would have to pay
 * for 128, or the tail be a second format; and lanes that make sums cheap must be transposed back to
 * the order of rows. This way unpacks ten values a nanosecond, an eighth of a decode (README).
 */
#ifndef SONDE_ROW_BITPACK_H
#define SONDE_ROW_BITPACK_H

#include <stddef.h>
#include <stdint.h>

/* Widest value: seven bits of misalignment and 57 bits fill one 64-bit load. */
#define BITPACK_WIDTH_MAX 57
/* Bytes that bitpack_put may scribble past its result; what follows overwrites them. */
#define BITPACK_SLACK 8

static inline size_t bitpack_size(size_t count, unsigned width)
{
    return (count * width + 7) / 8;
}

/* Bits needed to hold `v`: 0 for 0. */
static inline unsigned bit_width(uint64_t v)
{
    return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

/* The low `width` bits, width 0..64. */
static inline uint64_t bit_mask(unsigned width)
{
    return width >= 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
}

/* Writes bitpack_size(count, width) bytes; bits of a value above `width` are dropped. Returns the
 * end of what was written. Needs BITPACK_SLACK bytes of room beyond. */
uint8_t *bitpack_put(const uint64_t *values, size_t count, unsigned width, uint8_t *out);

/* Reads `count` values from bitpack_size(count, width) bytes, of which and behind which `readable`
 * bytes in all may be looked at: the more, the less is copied. */
void bitpack_get(
    const uint8_t *bytes, size_t readable, size_t count, unsigned width, uint64_t *values_out);
/* The same into 32 bits; width at most NARROW_BITS_MAX (kernels.h), count at most 128. */
void bitpack_get_narrow(
    const uint8_t *bytes, size_t readable, size_t count, unsigned width, uint32_t *values_out);

/* Value `index` of those that begin at `bytes`, of which and behind which `readable` bytes may be looked at;
 * they hold it. */
uint64_t bitpack_at(const uint8_t *bytes, size_t readable, size_t index, unsigned width);

#endif
