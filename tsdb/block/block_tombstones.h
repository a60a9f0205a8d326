/* What was deleted from a block without rewriting it: the file `tombstones`.
 *
 *   u32 big-endian  magic 0x0130ba30
 *   u8              version, 1
 *   entries         uvarint reference of a series (block_index.h), svarint first and last time, both
 *                   included
 *   u32 big-endian  CRC-32C of the entries
 */
#ifndef SONDE_BLOCK_BLOCK_TOMBSTONES_H
#define SONDE_BLOCK_BLOCK_TOMBSTONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#define BLOCK_TOMBSTONES_MAX ((size_t)1 << 26)

struct block_tombstone {
    uint64_t series;
    int64_t min_t, max_t;
};

struct block_tombstones {
    struct block_tombstone *items; /* by series */
    size_t count, cap;
};

int block_tombstones_decode(struct str bytes, struct block_tombstones *t_out, struct err *e);
/* Call block_tombstones_sort behind the last one. */
int block_tombstones_add(struct block_tombstones *t, struct block_tombstone stone);
void block_tombstones_sort(struct block_tombstones *t);
void block_tombstones_release(struct block_tombstones *t);
/* Those of one series; false when it has none. */
bool block_tombstones_find(const struct block_tombstones *t, uint64_t series,
    const struct block_tombstone **first_out, size_t *count_out);
/* Is a time inside any of them? */
bool block_tombstones_cover(const struct block_tombstone *stones, size_t count, int64_t t);

/* The file of a block from which nothing was deleted. */
void block_tombstones_encode_none(struct strbuf *out);

#endif
