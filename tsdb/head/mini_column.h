/* A few values of one column as bytes: the codec of mini-blocks, made for speed.
 *
 * Mini-blocks live for half an hour and are encoded anew when they are sealed, so what counts here is
 * nanoseconds a value first and bytes second; the codecs of tsdb/row, which search for the smallest
 * form, took twenty times as long for a tenth less. Lossless to the bit.
 *
 * Format: a byte of form, then
 *
 *     bits 0-2  form: 0 integer constant: svarint
 *                     1 constant: 8 bytes of the double
 *                     2 integers: svarint first, svarint lowest step, 1 byte width w, then for each
 *                       further value w bits: its step less the lowest, low bits first
 *                     3 doubles: 8 bytes first, 1 byte: low nibble = bytes cut from the top of the
 *                       xor with the value before, high nibble = bytes cut from its bottom; then what
 *                       is left of each xor
 *     bits 3-6  decimal exponent of forms 0 and 2: the value is integer / 10^exponent
 *     bit 7     rows are missing: 3 bytes of presence mask follow the byte of form
 */
#ifndef SONDE_HEAD_MINI_COLUMN_H
#define SONDE_HEAD_MINI_COLUMN_H

#include <stddef.h>
#include <stdint.h>

/* Rows: as many as the presence mask has bits. */
#define MINI_COLUMN_ROWS_MAX 24
/* No encoding is longer. */
#define MINI_COLUMN_SIZE_MAX (1 + 3 + 8 + 1 + 8 * MINI_COLUMN_ROWS_MAX)

/* Encodes the values of `row_count` rows whose bit in `mask` is set (at least one) to `out`, which has
 * MINI_COLUMN_SIZE_MAX bytes. *exponent_hint is the decimal exponent of the column's last block; read
 * and updated. Returns the size. */
size_t mini_column_encode(
    const double *values, uint32_t row_count, uint32_t mask, uint8_t *exponent_hint, uint8_t *out);
/* The inverse, of bytes made in this process: fills values_out[i] for each bit i of the mask it
 * returns. Reads no further than `size`. */
uint32_t mini_column_decode(
    const uint8_t *bytes, size_t size, uint32_t row_count, double *values_out);

#endif
