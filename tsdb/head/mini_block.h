/* A mini-block: a few settled rows of a table turned column-major and encoded, immutable.
 *
 * Raw rows cost 8 bytes a cell; a mini-block one or two for most. A column's bytes are found by its
 * length byte and a checkpoint every 64 columns. A length of 0 says that the column has no cell in these
 * rows.
 */
#ifndef SONDE_HEAD_MINI_BLOCK_H
#define SONDE_HEAD_MINI_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "head/mini_column.h"
#include "head/open_row.h"

/* Rows of one block: few enough that every encoded column's size fits a byte. */
#define MINI_BLOCK_ROWS_MAX MINI_COLUMN_ROWS_MAX

struct mini_block {
    struct mini_block *next, *before; /* later and earlier rows */
    int64_t min_t, max_t; /* beside these: a walk looks at nothing else of blocks it passes */
    uint32_t row_count;
    uint32_t column_count;
    uint64_t cell_count;
    size_t size; /* of the whole allocation */
    const int64_t *times;
    const uint32_t *checkpoints; /* offset of every 64th column in `bytes` */
    const uint8_t *lengths;
    const uint8_t *bytes;
};

/* Rows in time order, 1 .. MINI_BLOCK_ROWS_MAX of them. `hints` has a byte for each column, read and
 * updated (see mini_column_encode). 0, ERR_NOMEM. */
int mini_block_new(struct open_row *const *rows, uint32_t row_count, uint32_t column_count,
    uint8_t *hints, struct mini_block **block_out);
void mini_block_free(struct mini_block *block);
/* The cells of a column: values of all rows, and which are there as a bit mask; 0 = none. */
uint64_t mini_block_read(const struct mini_block *block, uint32_t column, double *values_out);
/* Could the column have cells? */
bool mini_block_has(const struct mini_block *block, uint32_t column);

#endif
