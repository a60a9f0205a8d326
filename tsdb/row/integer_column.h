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
#include "row/column_format.h"
#include "row/patched.h"
#include "row/row_limits.h"

/* A column on its way to bytes: what was chosen, and the residuals to write. About 130 KB, of which
 * only as much is touched as there are values; lives on the stack of one encoding. */
struct integer_coder {
    enum column_codec codec;
    size_t size; /* bytes that integer_column_put will write */

    /* The rest is private. */
    const int64_t *values;
    size_t count;
    size_t changes; /* steps that are not zero */
    int64_t steps[COLUMN_BLOCK_ROWS_MAX];
    unsigned best; /* which of `tries` was chosen */
    struct integer_residuals {
        int64_t base, step;
        size_t count;
        uint64_t out[COLUMN_BLOCK_ROWS_MAX];
        struct patched_plan plan;
    } tries[2];
    uint64_t gaps[COLUMN_BLOCK_ROWS_MAX]; /* sparse: its other stream */
    struct patched_plan gaps_plan;
};

/* Equal steps, down to none: nothing is left to make smaller. */
bool integer_column_is_linear(const int64_t *values, size_t count);

/* Chooses the codec with the fewest bytes for `count` values, 1..COLUMN_BLOCK_ROWS_MAX, which must
 * stay until they are written. `hint` is tried first, which ends the others early; any number will
 * do. */
void integer_column_plan(
    struct integer_coder *coder, const int64_t *values, size_t count, unsigned hint);

/* Writes the body and returns the end; needs 8 bytes of room beyond it. */
uint8_t *integer_column_put(const struct integer_coder *coder, uint8_t *out);

/* Reads a body; a violation or a codec that is not an integer codec fails the cursor. */
void integer_column_get(
    struct decbuf *d, enum column_codec codec, size_t count, int64_t *values_out);

/* Row `index` of a body alone, up to whose end it walks. Sums need what lies before the row, and nothing
 * else is read; so not every violation is seen. Garbage when the cursor failed. */
int64_t integer_column_at(struct decbuf *d, enum column_codec codec, size_t count, size_t index);

#endif
