/* Patched bit-packing: unsigned integers in miniblocks of 128, each at its own width, with the few
 * values that do not fit listed as exceptions. The count is known to the reader.
 *
 * A stream of n values is ceil(n / 128) miniblocks; the last one holds what is left. A miniblock:
 *
 *   byte 0      bits 0-5: width w, 0..57
 *               bit 6: exceptions follow the values
 *               bit 7: 0
 *   then        the low w bits of every value, as bitpack.h
 *   with exceptions, then
 *   byte        bits 0-5: h - 1, where h is the width of the exceptions' high part, 1..57
 *               bits 6-7: number of exceptions x, 1..3; 0 = it follows
 *   byte        x, 4..128, only if not given above
 *   positions   x numbers of p bits, strictly increasing, less than the miniblock's count;
 *               p = bits of (count - 1)
 *   highs       x numbers of h bits; value |= high << w, bits above 63 are lost
 *
 * Positions and highs are bit-packed, each starting on a byte. Reserved values are corrupt.
 */
#ifndef SONDE_ROW_PATCHED_H
#define SONDE_ROW_PATCHED_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "row/row_limits.h"

#define MINIBLOCK_VALUES 128
#define MINIBLOCKS_MAX (COLUMN_BLOCK_ROWS_MAX / MINIBLOCK_VALUES)

/* How one miniblock will be written. */
struct miniblock_plan {
    uint8_t width, exceptions, high_width;
    uint16_t size;
};

struct patched_plan {
    size_t size; /* of the stream in bytes */
    struct miniblock_plan blocks[MINIBLOCKS_MAX];
};

/* Chooses the widths of a stream of at most COLUMN_BLOCK_ROWS_MAX values. False when it would take
 * more than `limit` bytes, which is often seen without planning. */
bool patched_make_plan(
    const uint64_t *values, size_t count, size_t limit, struct patched_plan *plan);
/* Writes what was planned and returns the end; needs BITPACK_SLACK bytes of room beyond. */
uint8_t *patched_put(
    const uint64_t *values, size_t count, const struct patched_plan *plan, uint8_t *out);

/* One miniblock as read: in 32 bits where all values are below 2^NARROW_SUM_BITS (kernels.h). */
struct miniblock {
    size_t count;
    bool is_narrow;
    uint32_t narrow[MINIBLOCK_VALUES];
    uint64_t wide[MINIBLOCK_VALUES];
};

/* Reads the next miniblock of a stream of which `left` values are to come, at least 1; false when a
 * violation failed the cursor. */
bool patched_next(struct decbuf *d, size_t left, struct miniblock *block);

/* Reads `count` values; a violation fails the cursor. `values_out` then holds garbage. */
void patched_get(struct decbuf *d, size_t count, uint64_t *values_out);

/* Walks over the next miniblock without reading its values, which are not all checked then. */
void patched_skip(struct decbuf *d, size_t left);
/* Value `index` of a stream of `count`, up to whose end it walks; garbage when the cursor failed. */
uint64_t patched_at(struct decbuf *d, size_t count, size_t index);

#endif
