/* Doubles as integers and back, exactly.
 *
 * Measured values are short decimals far more often than true binary fractions, and integers pack.
 * A mapping says how a block's integers become its doubles: as they are, divided by a power of ten,
 * or as the bits of the double in an order that follows its value. Before that they may be
 * multiplied by a scale (memory gauges are multiples of 4096) and shifted by a remainder.
 *
 * A mapping in a block, present when HEAD_MAPPING is set (column_format.h names the bits):
 *
 *   byte 0      bits 0-3: exponent e, 0..12, or 15 for bits
 *               bits 4-5: method (enum decimal_method), 0 when e is 0 or 15, 3 only with an even e
 *               bit 6: scale follows; bit 7: remainder follows, only with scale
 *   scale       uvarint (odd - 1) * 64 + shift: the scale is odd * 2^shift, at least 2, below 2^62
 *   remainder   uvarint, 1..scale - 1
 *
 * With i = stored * scale + remainder, the value is the double i (|i| <= 2^53); a decimal of i (decimal.h);
 * or the double whose bits b satisfy i = b for b >= 0 and i = b ^ (2^63 - 1) for b < 0 as int64.
 */
#ifndef SONDE_ROW_NUMBER_MAP_H
#define SONDE_ROW_NUMBER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "row/column_format.h"
#include "row/decimal.h"
#include "row/row_limits.h"

#define NUMBER_MAP_PLAIN ((struct number_map){.scale = 1})
#define NUMBER_MAP_SIZE_MAX 24
/* What number_map_exponent answers when no exponent will do. */
#define NUMBER_MAP_NONE 255

/* Plain integers need no mapping byte. */
bool number_map_is_plain(const struct number_map *map);
uint8_t *number_map_put(const struct number_map *map, uint8_t *out);
/* A violation fails the cursor. */
void number_map_get(struct decbuf *d, struct number_map *map_out);

/* Values that are no decimals. */
struct number_misses {
    size_t count, count_max;
    uint64_t rows[COLUMN_BLOCK_ROWS_MAX / 64]; /* a bit for each value */
};

/* The smallest exponent from `least` up at which `value` is a decimal by `method`, or
 * NUMBER_MAP_NONE. */
unsigned number_map_exponent(double value, unsigned method, unsigned least);
/* The integer of a value at an exponent: the nearest to value * 10^exponent, 0 when out of range. */
int64_t number_map_integer(double value, unsigned exponent);

/* Raises the exponent of `map`, whose method is given, until all but misses->count_max values are
 * decimals; false when none will do. Fills their integers (a missed value's repeats the one before)
 * and the misses. */
bool number_map_fit(const double *values, size_t count, struct number_map *map,
    int64_t *integers_out, struct number_misses *misses);

/* Integers of another column for CODEC_DIFFERENCE: of each row the exact integer at the map's exponent
 * and method, or where it has none the one of the row before; 0 before the first. */
void number_map_reference(
    const struct number_map *map, const double *values, size_t count, int64_t *integers_out);

/* The nearest integers to values * 10^exponent (0 where out of range), and how many representable
 * doubles each value lies above the decimal of its integer (method reciprocal). */
void number_map_ulps(const double *values, size_t count, unsigned exponent, int64_t *integers_out,
    int64_t *ulps_out);
/* Adds `ulps` to the bits of each value. */
void number_map_add_ulps(const int64_t *ulps, size_t count, double *values);

/* Ordered bits of every value. */
void number_map_bits(const double *values, size_t count, int64_t *integers_out);

/* Divides `integers` by what all their differences have in common and notes it in `map`: any
 * divisor for decimals, a power of two for bits. Leaves both alone where it would not pay. */
void number_map_reduce(struct number_map *map, int64_t *integers, size_t count);

/* Integers of a block to doubles; the arrays may be the same memory. */
void number_map_apply(
    const struct number_map *map, const int64_t *integers, size_t count, double *values_out);

#endif
