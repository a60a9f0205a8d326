/* What all of the room know of rows: how many there may be, which are present, and the stale marker. */
#ifndef SONDE_ROW_ROW_LIMITS_H
#define SONDE_ROW_ROW_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Rows a block may hold: 1..COLUMN_BLOCK_ROWS_MAX. */
#define COLUMN_BLOCK_ROWS_MAX 4096
/* Words of a presence bitmap for `count` rows: row i is bit i % 64 of word i / 64. */
#define PRESENCE_WORDS(count) (((size_t)(count) + 63) / 64)
/* The sample that says "this series ended here" (Prometheus' stale NaN). */
#define STALE_MARKER_BITS 0x7ff0000000000002ull

#endif
