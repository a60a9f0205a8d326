/* The newest sample of a column block, without its other rows.
 *
 * An instant query wants one sample of each series. A frame, doubles as they are and lists of fronts have
 * each row at a place of its own; steps must be added up to the row, but become no doubles; a block that
 * leans on another column needs that one's number of the same row, and its first if it is a multiple.
 * So a row costs a tenth of its block or less, and nothing is stored for it.
 *
 * Pure functions, any thread, no allocation. The bytes are untrusted: nothing is read outside them, but what
 * is passed over is not checked, so that ERR_CORRUPT of column_block_decode may be a value here.
 */
#ifndef SONDE_ROW_COLUMN_NEWEST_H
#define SONDE_ROW_COLUMN_NEWEST_H

#include <stddef.h>
#include <stdint.h>

/* Rows of the column that a block leans on, asked one by one. */
struct column_reference {
    /* 1 and the value of a row, as decoding leaves it: an absent one is the stale marker. 0 when only
     * decoding can tell, or a negative error; either ends the search with it. */
    int (*value)(struct column_reference *self, uint32_t row, double *value_out);
};

/* The newest row before `end` that is present, stale markers included: 1, its number, and the value that
 * column_block_decode_against gives it. 0 when there is none, or when only decoding can tell (a column that
 * is leaned on has no decimal in that row). ERR_CORRUPT, or what the reference says. `end` is 1..count.
 * `reference` may be NULL where the block needs none; when it is called the block's bytes are not looked at
 * any more. */
int column_block_newest(const void *bytes, size_t size, uint32_t count, uint32_t end,
    struct column_reference *reference, uint32_t *row_out, double *value_out);

#endif
