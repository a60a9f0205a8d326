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

#define TOMBSTONES_MAX ((size_t)1 << 26)

struct tombstone {
    uint64_t series;
    int64_t min_t, max_t;
};

struct tombstones {
    struct tombstone *items; /* by series */
    size_t count, cap;
};

int tombstones_decode(struct str bytes, struct tombstones *t_out, struct err *e);
/* Call tombstones_sort behind the last one. */
int tombstones_add(struct tombstones *t, struct tombstone stone);
void tombstones_sort(struct tombstones *t);
void tombstones_release(struct tombstones *t);
/* Those of one series; false when it has none. */
bool tombstones_find(const struct tombstones *t, uint64_t series,
    const struct tombstone **first_out, size_t *count_out);
/* Is a time inside any of them? */
bool tombstones_cover(const struct tombstone *stones, size_t count, int64_t t);

/* The file of a block from which nothing was deleted. */
void tombstones_encode_none(struct strbuf *out);

#endif
