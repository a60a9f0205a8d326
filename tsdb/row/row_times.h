/* The timestamps of the rows of a block: one int64 of milliseconds per row, strictly increasing,
 * stored once per scrape row and shared by all its columns.
 *
 * Scrapes are regular with jitter. What is stored is the distance of each row from an ideal grid
 * (first time, step, skipped slots), about log2(4.13 sigma) bits for a jitter of sigma milliseconds,
 * or where the times wander without a grid, the distance of each step from the smallest one.
 */
#ifndef SONDE_ROW_ROW_TIMES_H
#define SONDE_ROW_ROW_TIMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Rows a block of times may hold: 1..ROW_TIMES_MAX, as many as a column block. */
#define ROW_TIMES_MAX 4096
#define ROW_TIMES_SIZE_MAX(count) (64 + 9 * (size_t)(count))

/* Appends `count` times to `out`. Returns 0, ERR_INVALID when they do not strictly increase or
 * their span exceeds 2^53 ms or one lies beyond +-2^62, or the error of `out`. */
int row_times_encode(const int64_t *times, uint32_t count, struct strbuf *out);

/* Exactly `size` bytes made by row_times_encode for `count` rows. The bytes are untrusted: returns
 * 0 or ERR_CORRUPT; what is returned with 0 strictly increases. */
int row_times_decode(const void *bytes, size_t size, uint32_t count, int64_t *times_out);

#endif
