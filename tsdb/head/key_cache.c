/* Keys to series without a lock; see the header. */
#include "head/key_cache.h"

#include "base/mem.h"

enum { SLOTS_MIN = 1024 };

struct key_cache_table {
    struct key_cache_table *older;
    uint32_t mask;
    _Atomic uint32_t slots[]; /* position + 1, 0 = free */
};

static struct key_cache_table *table_new(uint32_t slots)
{
    struct key_cache_table *table =
        mem_calloc(1, sizeof(*table) + (size_t)slots * sizeof(table->slots[0]));
    if (table != NULL) {
        table->mask = slots - 1;
    }
    return table;
}

struct key_cache *key_cache_new(void)
{
    struct key_cache *c = mem_calloc(1, sizeof(*c));
    struct key_cache_table *table = table_new(SLOTS_MIN);
    if (c == NULL || table == NULL) {
        mem_free(c);
        mem_free(table);
        return NULL;
    }
    atomic_init(&c->references, 1);
    lock_init(&c->lock, LOCK_RANK_LEAF);
    stable_array_init(&c->entries, sizeof(struct key_cache_entry));
    atomic_init(&c->table, table);
    return c;
}

struct key_cache *key_cache_ref(struct key_cache *c)
{
    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

void key_cache_unref(struct key_cache *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct key_cache_table *table = atomic_load_explicit(&c->table, memory_order_relaxed);
    while (table != NULL) {
        struct key_cache_table *older = table->older;
        mem_free(table);
        table = older;
    }
    stable_array_release(&c->entries);
    lock_release(&c->lock);
    mem_free(c);
}

static struct key_cache_entry *entry_at(const struct key_cache *c, uint32_t position)
{
    return stable_array_at(&c->entries, position);
}

static uint64_t pack_ref(struct series_ref ref)
{
    return (uint64_t)ref.target << 32 | ref.column;
}

static struct series_ref ref_of(const struct key_cache_entry *entry)
{
    uint64_t ref = atomic_load_explicit(&entry->ref, memory_order_relaxed);
    return (struct series_ref){(uint32_t)(ref >> 32), (uint32_t)ref};
}

/* The position of a key, or KEY_CACHE_START. */
static uint32_t find_slot(
    const struct key_cache *c, const struct key_cache_table *table, struct hash128 key)
{
    for (uint32_t at = (uint32_t)key.low & table->mask;; at = (at + 1) & table->mask) {
        uint32_t slot = atomic_load_explicit(&table->slots[at], memory_order_acquire);
        if (slot == 0) {
            return KEY_CACHE_START;
        }
        if (hash128_eq(entry_at(c, slot - 1)->key, key)) {
            return slot - 1;
        }
    }
}

/* Written once a round only, so that entries stay shared between the caches of the cores. */
static void note_use(const struct key_cache *c, struct key_cache_entry *entry)
{
    uint32_t round = atomic_load_explicit(&c->round, memory_order_relaxed);
    if (atomic_load_explicit(&entry->seen, memory_order_relaxed) != round) {
        atomic_store_explicit(&entry->seen, round, memory_order_relaxed);
    }
}

int key_cache_find(
    struct key_cache *c, struct hash128 key, uint32_t *cursor_inout, struct series_ref *ref_out)
{
    uint32_t before = *cursor_inout;
    if (before != KEY_CACHE_START) {
        uint32_t next = atomic_load_explicit(&entry_at(c, before)->next, memory_order_acquire);
        if (next != KEY_CACHE_START && hash128_eq(entry_at(c, next)->key, key)) {
            note_use(c, entry_at(c, next));
            *ref_out = ref_of(entry_at(c, next));
            *cursor_inout = next;
            return 1;
        }
    }
    uint32_t found = find_slot(c, atomic_load_explicit(&c->table, memory_order_acquire), key);
    if (found == KEY_CACHE_START) {
        return 0;
    }
    if (before != KEY_CACHE_START) {
        atomic_store_explicit(&entry_at(c, before)->next, found, memory_order_release);
    }
    note_use(c, entry_at(c, found));
    *ref_out = ref_of(entry_at(c, found));
    *cursor_inout = found;
    return 1;
}

static void put_slot(struct key_cache_table *table, struct hash128 key, uint32_t position)
{
    uint32_t at = (uint32_t)key.low & table->mask;
    while (atomic_load_explicit(&table->slots[at], memory_order_relaxed) != 0) {
        at = (at + 1) & table->mask;
    }
    atomic_store_explicit(&table->slots[at], position + 1, memory_order_release);
}

/* At most half of the slots are taken. NULL when memory is short. */
static struct key_cache_table *reserve_slot(struct key_cache *c)
{
    struct key_cache_table *table = atomic_load_explicit(&c->table, memory_order_relaxed);
    if (c->count < (table->mask + 1) / 2) {
        return table;
    }
    struct key_cache_table *grown = table_new((table->mask + 1) * 2);
    if (grown == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        put_slot(grown, entry_at(c, i)->key, i);
    }
    grown->older = table;
    atomic_store_explicit(&c->table, grown, memory_order_release);
    return grown;
}

/* Under the lock, with room for it. */
static void add_entry(struct key_cache *c, struct key_cache_table *table, struct hash128 key,
    struct series_ref ref, uint32_t *cursor_inout)
{
    struct key_cache_entry *entry = entry_at(c, c->count);
    entry->key = key;
    atomic_init(&entry->ref, pack_ref(ref));
    atomic_init(&entry->next, KEY_CACHE_START);
    atomic_init(&entry->seen, atomic_load_explicit(&c->round, memory_order_relaxed));
    put_slot(table, key, c->count);
    if (*cursor_inout != KEY_CACHE_START) {
        atomic_store_explicit(&entry_at(c, *cursor_inout)->next, c->count, memory_order_release);
    }
    *cursor_inout = c->count++;
}

void key_cache_add(
    struct key_cache *c, struct hash128 key, struct series_ref ref, uint32_t *cursor_inout)
{
    lock_take(&c->lock);
    struct key_cache_table *table = reserve_slot(c);
    bool room = table != NULL && c->count < KEY_CACHE_ENTRIES_MAX &&
                stable_array_reserve(&c->entries, c->count) == 0;
    uint32_t known = table != NULL ? find_slot(c, table, key) : KEY_CACHE_START;
    if (known != KEY_CACHE_START) {
        atomic_store_explicit(&entry_at(c, known)->ref, pack_ref(ref), memory_order_relaxed);
        *cursor_inout = known;
    } else if (room) {
        add_entry(c, table, key, ref, cursor_inout);
    }
    lock_give(&c->lock);
}

/* How many entries were used in this round or the one before. */
static uint32_t count_used(const struct key_cache *c, uint32_t round)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        used += round - atomic_load_explicit(&entry_at(c, i)->seen, memory_order_relaxed) <= 1;
    }
    return used;
}

struct key_cache *key_cache_renew(struct key_cache *c)
{
    struct key_cache *fresh = NULL;
    lock_take(&c->lock);
    uint32_t round = atomic_load_explicit(&c->round, memory_order_relaxed);
    uint32_t unused = c->count - count_used(c, round);
    if (unused >= KEY_CACHE_UNUSED_MIN && unused >= c->count / 4) {
        fresh = key_cache_new();
    }
    atomic_store_explicit(&c->round, round + 1, memory_order_relaxed);
    uint32_t count = c->count;
    lock_give(&c->lock);
    uint32_t cursor = KEY_CACHE_START;
    for (uint32_t i = 0; fresh != NULL && i < count; i++) {
        const struct key_cache_entry *entry = entry_at(c, i);
        if (round - atomic_load_explicit(&entry->seen, memory_order_relaxed) + 1 <= 2) {
            key_cache_add(fresh, entry->key, ref_of(entry), &cursor);
        }
    }
    return fresh;
}

size_t key_cache_memory(struct key_cache *c)
{
    lock_take(&c->lock);
    size_t size = stable_array_memory(&c->entries);
    for (const struct key_cache_table *table =
             atomic_load_explicit(&c->table, memory_order_relaxed);
         table != NULL; table = table->older) {
        size += ((size_t)table->mask + 1) * sizeof(table->slots[0]);
    }
    lock_give(&c->lock);
    return size;
}
