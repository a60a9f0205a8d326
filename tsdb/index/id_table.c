/* Positions by hash; see the header. */
#include "index/id_table.h"

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

enum { SLOTS_MIN = 16 };

void id_table_release(struct id_table *t)
{
    mem_free(t->slots);
    *t = (struct id_table){0};
}

void id_table_put(struct id_table *t, uint64_t hash, uint32_t id)
{
    uint32_t at = (uint32_t)hash & t->mask;
    while (t->slots[at].id_plus_one != 0) {
        at = (at + 1) & t->mask;
    }
    t->slots[at] = (struct id_table_slot){(uint32_t)(hash >> 32), id + 1};
    t->used++;
}

int id_table_reserve(struct id_table *t, id_table_hash *hash_of, const void *context)
{
    uint32_t cap = t->slots == NULL ? 0 : t->mask + 1;
    if (t->used < cap / 2) {
        return 0;
    }
    uint32_t grown_cap = cap == 0 ? SLOTS_MIN : cap * 2;
    struct id_table grown = {.mask = grown_cap - 1};
    grown.slots = mem_calloc(grown_cap, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < cap; i++) {
        if (t->slots[i].id_plus_one != 0) {
            uint32_t id = t->slots[i].id_plus_one - 1;
            id_table_put(&grown, hash_of(context, id), id);
        }
    }
    mem_free(t->slots);
    *t = grown;
    return 0;
}

/* Entries behind the hole move up, if their search would pass it: no marks of what was here stay. */
static void close_hole(
    struct id_table *t, uint32_t hole, id_table_hash *hash_of, const void *context)
{
    for (uint32_t at = (hole + 1) & t->mask; t->slots[at].id_plus_one != 0;
         at = (at + 1) & t->mask) {
        uint32_t home = (uint32_t)hash_of(context, t->slots[at].id_plus_one - 1) & t->mask;
        bool passes = ((at - home) & t->mask) >= ((at - hole) & t->mask);
        if (passes) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole] = (struct id_table_slot){0};
}

void id_table_remove(
    struct id_table *t, uint64_t hash, uint32_t id, id_table_hash *hash_of, const void *context)
{
    if (t->slots == NULL) {
        return;
    }
    for (uint32_t at = (uint32_t)hash & t->mask; t->slots[at].id_plus_one != 0;
         at = (at + 1) & t->mask) {
        if (t->slots[at].id_plus_one == id + 1) {
            close_hole(t, at, hash_of, context);
            t->used--;
            return;
        }
    }
}

size_t id_table_memory(const struct id_table *t)
{
    return t->slots != NULL ? ((size_t)t->mask + 1) * sizeof(*t->slots) : 0;
}
