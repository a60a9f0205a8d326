/* Resources that pages share. */
#include "span/span_resource_pool.h"

#include "base/hash.h"
#include "base/mem.h"
#include "wire/otlp_traces.h"

enum { SLOTS_MIN = 256 };

void span_resource_pool_init(struct span_resource_pool *pool)
{
    *pool = (struct span_resource_pool){.count = 0};
    arena_init(&pool->arena, SPAN_RESOURCE_POOL_BYTES_MAX);
    lock_init(&pool->lock, LOCK_RANK_LEAF);
}

void span_resource_pool_release(struct span_resource_pool *pool)
{
    arena_release(&pool->arena);
    mem_free(pool->slots);
    lock_release(&pool->lock);
}

static size_t slot_of(
    const struct span_resource_pool *pool, uint64_t hash, struct str raw, struct str schema_url)
{
    size_t slot = hash & (pool->cap - 1);
    for (const struct span_pooled_resource *p; (p = pool->slots[slot]) != NULL;
         slot = (slot + 1) & (pool->cap - 1)) {
        if (p->hash == hash && str_eq(p->raw, raw) && str_eq(p->resource.schema_url, schema_url)) {
            break;
        }
    }
    return slot;
}

/* At most half of the slots are taken. */
static int make_room(struct span_resource_pool *pool)
{
    if (pool->count * 2 < pool->cap) {
        return 0;
    }
    size_t old_cap = pool->cap, cap = old_cap > 0 ? old_cap * 2 : SLOTS_MIN;
    const struct span_pooled_resource **old = pool->slots;
    const struct span_pooled_resource **slots = mem_calloc(cap, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    pool->slots = slots;
    pool->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i] != NULL) {
            const struct span_pooled_resource *p = old[i];
            slots[slot_of(pool, p->hash, p->raw, p->resource.schema_url)] = p;
        }
    }
    mem_free(old);
    return 0;
}

static int add(struct span_resource_pool *pool, uint64_t hash, struct str raw,
    struct str schema_url, const struct span_pooled_resource **made_out)
{
    struct span_pooled_resource *made = arena_calloc(&pool->arena, 1, sizeof(*made));
    const char *bytes = arena_dup(&pool->arena, raw.ptr, raw.len);
    const char *url = arena_dup(&pool->arena, schema_url.ptr, schema_url.len);
    if (made == NULL || bytes == NULL || url == NULL) {
        return arena_error(&pool->arena);
    }
    made->hash = hash;
    made->raw = str_make(bytes, raw.len);
    int status = otlp_resource_decode(made->raw, &pool->arena, &made->resource);
    made->resource.schema_url = str_make(url, schema_url.len);
    *made_out = made;
    return status;
}

int span_resource_pool_find(struct span_resource_pool *pool, struct str raw, struct str schema_url,
    const struct span_pooled_resource **found_out)
{
    uint64_t hash = hash64(raw.ptr, raw.len, hash64(schema_url.ptr, schema_url.len, 0));
    const struct span_pooled_resource *found = NULL;
    lock_take(&pool->lock);
    int status = make_room(pool);
    size_t slot = status == 0 ? slot_of(pool, hash, raw, schema_url) : 0;
    found = status == 0 ? pool->slots[slot] : NULL;
    if (status == 0 && found == NULL) {
        struct arena_mark mark = arena_mark(&pool->arena);
        status = add(pool, hash, raw, schema_url, &found);
        if (status == 0) {
            pool->slots[slot] = found;
            pool->count++;
        } else {
            arena_rewind(&pool->arena, mark);
        }
    }
    lock_give(&pool->lock);
    *found_out = found;
    return status == 0 ? 1 : status == ERR_LIMIT ? 0 : status;
}
