/* Columns of 64-bit integers: the inner codecs that a column block, and each half of a decimal and
 * ulp pair, choose from. All arithmetic is modulo 2^64, so every input round-trips.
 *
 * Bodies (svarint and uvarint as in base/bytes.h; "stream of n" as in patched.h; the reader knows
 * the count n, at least 1):
 *
 *   constant     svarint value
 *   linear       svarint first, svarint step
 *   frame        svarint minimum, stream of n: value - minimum
 *   delta        svarint first, stream of n - 1: zigzag(value - previous)
 *   delta frame  svarint first, svarint smallest step, stream of n - 1: step - smallest
 *   delta delta  svarint first, svarint first step, stream of n - 2: zigzag(step - previous step);
 *                n is at least 2
 *   sparse       svarint first, uvarint k in 1..n-1, svarint smallest change,
 *                stream of k: rows between a change and the one before it (row 0 for the first),
 *                stream of k: change - smallest
 */
#ifndef SONDE_ROW_INTEGER_COLUMN_H
#define SONDE_ROW_INTEGER_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "row/column_block.h"
#include "row/column_format.h"

struct integer_plan {
    enum column_codec codec;
    size_t size; /* bytes that integer_column_put will write */
};

/* Equal steps, down to none: nothing is left to make smaller. */
bool integer_column_is_linear(const int64_t *values, size_t count);

/* The codec with the fewest bytes for `count` values, 1..COLUMN_BLOCK_ROWS_MAX. */
struct integer_plan integer_column_plan(const int64_t *values, size_t count);

/* Writes the body of `codec`, which must be one integer_column_plan may answer with and fit the
 * values. Returns the end; needs 8 bytes of room beyond it. */
uint8_t *integer_column_put(
    const int64_t *values, size_t count, enum column_codec codec, uint8_t *out);

/* Reads a body; a violation or a codec that is not an integer codec fails the cursor. */
void integer_column_get(
    struct decbuf *d, enum column_codec codec, size_t count, int64_t *values_out);

#endif
