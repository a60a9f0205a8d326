/* A hash table of positions in some array: open addressing, linear probing, at most half full. The
 * entries themselves, and what makes two of them equal, are the owner's: he walks the slots.
 *
 * One thread at a time.
 */
#ifndef SONDE_INDEX_ID_TABLE_H
#define SONDE_INDEX_ID_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* A slot keeps 32 bits of the hash so that most misses cost no look at the entry. */
struct id_table_slot {
    uint32_t tag;         /* the hash's upper half */
    uint32_t id_plus_one; /* 0 = free */
};

struct id_table {
    struct id_table_slot *slots; /* an entry is looked for from its hash's lower half & mask on */
    uint32_t mask;               /* slots - 1; 0 slots when NULL */
    uint32_t used;
};

/* The hash of an entry that is in the table. */
typedef uint64_t id_table_hash(const void *context, uint32_t id);

void id_table_release(struct id_table *t);
/* Room for one more. 0 or ERR_NOMEM. */
int id_table_reserve(struct id_table *t, id_table_hash *hash_of, const void *context);
/* Adds what is not there yet; room was reserved. */
void id_table_put(struct id_table *t, uint64_t hash, uint32_t id);
/* Takes an entry out, if it is in. */
void id_table_remove(
    struct id_table *t, uint64_t hash, uint32_t id, id_table_hash *hash_of, const void *context);
size_t id_table_memory(const struct id_table *t);

#endif
