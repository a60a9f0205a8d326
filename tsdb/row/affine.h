/* Columns that are another one times a factor, plus a constant: seconds beside milliseconds, bytes
 * beside pages, one counter shown in two units. Nothing is stored per row.
 *
 *   byte 0       bits 0-3: exponent, bits 4-5: method of the reference's integers, as in a mapping
 *                (column_format.h), without scale or remainder; 13..15 and bits 6-7 are reserved
 *   numerator    svarint p, not 0
 *   denominator  uvarint q, at least 1, prime to p
 *   first        svarint y of the first stream row
 *
 * With x the reference's integers (number_map_reference), row i of the stream has the integer
 * y[0] + (x[i] - x[0]) / q * p in 64 bits; q divides every difference, or the block is corrupt.
 */
#ifndef SONDE_ROW_AFFINE_H
#define SONDE_ROW_AFFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "row/number_map.h"

#define AFFINE_SIZE_MAX 31

struct affine {
    struct number_map reference; /* how the reference's values become integers */
    int64_t numerator, first;
    uint64_t denominator;
};

/* Finds the factor between the values of two columns, `integers` being those of the first under its
 * own mapping. False where there is none, which the first rows tell. count <= COLUMN_BLOCK_ROWS_MAX. */
bool affine_find(struct affine *a, const double *values, const int64_t *integers,
    const double *reference, size_t count);

size_t affine_size(const struct affine *a);
uint8_t *affine_put(const struct affine *a, uint8_t *out);
/* A violation fails the cursor. */
void affine_get(struct decbuf *d, struct affine *a);
/* Integers of the reference's stream rows to those of the column, in place; false where the
 * denominator does not divide. */
bool affine_apply(const struct affine *a, int64_t *integers, size_t count);

#endif
