/* Interned column lists; see the header. */
#include "head/schema_pool.h"

#include <string.h>

#include "base/mem.h"

enum { ITEMS_MIN = 64 };

struct shared_schema *shared_schema_ref(struct shared_schema *s)
{
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    return s;
}

void shared_schema_unref(struct shared_schema *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1) {
        mem_free(s->columns);
        mem_free(s->slots);
        mem_free(s);
    }
}

void schema_pool_release(struct schema_pool *pool)
{
    for (uint32_t i = 0; pool->items != NULL && i <= pool->mask; i++) {
        shared_schema_unref(pool->items[i]);
    }
    mem_free(pool->items);
    *pool = (struct schema_pool){0};
}

struct shared_schema *schema_pool_find(
    const struct schema_pool *pool, const struct column *columns, uint32_t count, uint64_t hash)
{
    if (pool->items == NULL) {
        return NULL;
    }
    for (uint32_t at = (uint32_t)hash & pool->mask; pool->items[at] != NULL;
         at = (at + 1) & pool->mask) {
        struct shared_schema *s = pool->items[at];
        if (s->hash == hash && s->column_count == count &&
            memcmp(s->columns, columns, count * sizeof(*columns)) == 0) {
            return s;
        }
    }
    return NULL;
}

static void put(struct schema_pool *pool, struct shared_schema *s)
{
    uint32_t at = (uint32_t)s->hash & pool->mask;
    while (pool->items[at] != NULL) {
        at = (at + 1) & pool->mask;
    }
    pool->items[at] = s;
    pool->used++;
}

/* Moves all items to an array of `cap`; with `only_used`, those that some table holds. */
static int move(struct schema_pool *pool, uint32_t cap, bool only_used)
{
    struct schema_pool moved = {.mask = cap - 1};
    moved.items = mem_calloc(cap, sizeof(struct shared_schema *));
    if (moved.items == NULL) {
        return -1;
    }
    for (uint32_t i = 0; pool->items != NULL && i <= pool->mask; i++) {
        struct shared_schema *s = pool->items[i];
        if (s == NULL) {
            continue;
        }
        if (only_used && atomic_load_explicit(&s->references, memory_order_acquire) == 1) {
            shared_schema_unref(s);
        } else {
            put(&moved, s);
        }
    }
    mem_free(pool->items);
    *pool = moved;
    return 0;
}

struct shared_schema *schema_pool_add(struct schema_pool *pool, struct column *columns,
    uint32_t count, uint16_t *slots, uint32_t slot_mask, uint64_t hash)
{
    uint32_t cap = pool->items == NULL ? 0 : pool->mask + 1;
    if (pool->used >= cap / 2 && move(pool, cap == 0 ? ITEMS_MIN : cap * 2, false) != 0) {
        return NULL;
    }
    struct shared_schema *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    atomic_init(&s->references, 1);
    s->hash = hash;
    s->column_count = count;
    s->columns = columns;
    s->slots = slots;
    s->slot_mask = slot_mask;
    put(pool, s);
    return s;
}

void schema_pool_sweep(struct schema_pool *pool)
{
    if (pool->items != NULL) {
        (void)move(pool, pool->mask + 1, true); // without memory they stay a while longer
    }
}
