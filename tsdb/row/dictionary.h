/* Columns of few distinct integers: a list of them, ascending, and for every row its place there.
 *
 *   byte 0      bits 0-3: codec of the list, bits 4-7: of the places (integer_column.h)
 *   byte 1      number of distinct values - 1
 *   list        integer column (integer_column.h) of that many, strictly ascending
 *   places      integer column of one number per row, each less than the number of values
 */
#ifndef SONDE_ROW_DICTIONARY_H
#define SONDE_ROW_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "row/row_limits.h"

#define DICTIONARY_VALUES_MAX 256

struct dictionary {
    size_t value_count;
    int64_t values[DICTIONARY_VALUES_MAX];
    int64_t places[COLUMN_BLOCK_ROWS_MAX];
};

/* Builds the dictionary of a column; false when it has more than `values_max` (at most
 * DICTIONARY_VALUES_MAX) distinct values, which is found out early. */
bool dictionary_build(
    struct dictionary *dictionary, const int64_t *integers, size_t count, size_t values_max);

/* Bytes that dictionary_put will write for `count` rows. */
size_t dictionary_size(const struct dictionary *dictionary, size_t count);
uint8_t *dictionary_put(const struct dictionary *dictionary, size_t count, uint8_t *out);

/* A violation fails the cursor. */
void dictionary_get(struct decbuf *d, size_t count, int64_t *integers_out);

/* Row `index` alone. */
int64_t dictionary_at(struct decbuf *d, size_t count, size_t index);

#endif
