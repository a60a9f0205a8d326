/* A bit for each id up to some bound: what a loop over a million columns asks and marks, where a set
 * that packs itself (id_set) would cost more than all the rest. One thread at a time.
 */
#ifndef SONDE_INDEX_ID_BITS_H
#define SONDE_INDEX_ID_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "index/id_set.h"

struct id_bits {
    uint64_t *words; /* owned */
    uint32_t count;  /* ids it has bits for; others are never in it */
};

/* None of the ids below `count`. 0 or ERR_NOMEM; released in either case. */
int id_bits_init(struct id_bits *bits, uint32_t count);
void id_bits_release(struct id_bits *bits);
/* Adds what is below the bound. */
void id_bits_add_set(struct id_bits *bits, const struct id_set *set);
/* NULL when memory is short. */
struct id_set *id_bits_to_set(const struct id_bits *bits);

static inline bool id_bits_has(const struct id_bits *bits, uint32_t id)
{
    return id < bits->count && (bits->words[id / 64] >> (id % 64) & 1) != 0;
}

static inline void id_bits_add(struct id_bits *bits, uint32_t id)
{
    if (id < bits->count) {
        bits->words[id / 64] |= (uint64_t)1 << (id % 64);
    }
}

static inline void id_bits_remove(struct id_bits *bits, uint32_t id)
{
    if (id < bits->count) {
        bits->words[id / 64] &= ~((uint64_t)1 << (id % 64));
    }
}

#endif
