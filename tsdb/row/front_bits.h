/* True doubles: the front bits of each value from a short list, the rest of its bits as they are.
 *
 * Ratios, averages and temperatures computed in floating point have no decimal and nothing to predict
 * in their low bits; but their signs, exponents and first digits are few. (The idea is that of ALP's
 * form for real doubles.)
 *
 *   byte 0      r: the number of bits behind the front, 48..57
 *   byte 1      f - 1: fronts in the list, f = 1..8
 *   list        f times le16, strictly ascending, each below 2^(64 - r)
 *   places      n numbers of bits(f - 1) bits, as bitpack.h: which front each value has
 *   rests       n numbers of r bits, as bitpack.h
 *
 * There are no exceptions: a block in which a front is not on the list is written otherwise.
 */
#ifndef SONDE_ROW_FRONT_BITS_H
#define SONDE_ROW_FRONT_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define FRONT_BITS_LIST_MAX 8
#define FRONT_BITS_REST_MIN 48
#define FRONT_BITS_REST_MAX 57 /* BITPACK_WIDTH_MAX */

struct front_bits {
    unsigned rest; /* bits behind the front */
    unsigned front_count;
    uint16_t fronts[FRONT_BITS_LIST_MAX]; /* ascending */
    size_t size;                          /* bytes of the whole */
};

/* Finds the cut that takes the fewest bytes; false where no cut leaves few enough fronts. */
bool front_bits_plan(struct front_bits *f, const double *values, size_t count);
/* Writes f->size bytes; needs BITPACK_SLACK bytes of room beyond. */
uint8_t *front_bits_put(
    const struct front_bits *f, const double *values, size_t count, uint8_t *out);
/* A violation fails the cursor. */
void front_bits_get(struct decbuf *d, size_t count, double *values_out);

/* Row `index` alone. */
double front_bits_at(struct decbuf *d, size_t count, size_t index);

#endif
