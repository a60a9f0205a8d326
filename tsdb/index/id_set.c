/* The wrapper of CRoaring. Its allocations bypass base/mem.h (version 0.2 has no hook): sets are
 * small next to what they index, and the library stops the process itself when memory is short. */
#include "index/id_set.h"

#include <assert.h>

#include "base/err.h"

#include <roaring/roaring.h>

/* A set *is* a roaring bitmap; the name is what the house sees. */
static roaring_bitmap_t *bitmap(struct id_set *s)
{
    return (roaring_bitmap_t *)s;
}

static const roaring_bitmap_t *bitmap_const(const struct id_set *s)
{
    return (const roaring_bitmap_t *)s;
}

struct id_set *id_set_new(void)
{
    return (struct id_set *)roaring_bitmap_create();
}

struct id_set *id_set_range(uint32_t first, uint32_t end)
{
    struct id_set *s = id_set_new();
    if (s != NULL && first < end) {
        roaring_bitmap_add_range_closed(bitmap(s), first, end - 1);
    }
    return s;
}

struct id_set *id_set_of(const uint32_t *ids, size_t count)
{
    struct id_set *s = id_set_new();
    if (s != NULL && count > 0) {
        roaring_bitmap_add_many(bitmap(s), count, ids);
    }
    return s;
}

struct id_set *id_set_dup(const struct id_set *s)
{
    return (struct id_set *)roaring_bitmap_copy(bitmap_const(s));
}

void id_set_free(struct id_set *s)
{
    if (s != NULL) {
        roaring_bitmap_free(bitmap(s));
    }
}

int id_set_add(struct id_set *s, uint32_t id)
{
    roaring_bitmap_add(bitmap(s), id);
    return 0;
}

int id_set_add_many(struct id_set *s, const uint32_t *ids, size_t count)
{
    roaring_bitmap_add_many(bitmap(s), count, ids);
    return 0;
}

void id_set_remove(struct id_set *s, uint32_t id)
{
    roaring_bitmap_remove(bitmap(s), id);
}

uint32_t id_set_first(const struct id_set *s)
{
    return roaring_bitmap_minimum(bitmap_const(s));
}

bool id_set_has(const struct id_set *s, uint32_t id)
{
    return roaring_bitmap_contains(bitmap_const(s), id);
}

uint64_t id_set_count(const struct id_set *s)
{
    return roaring_bitmap_get_cardinality(bitmap_const(s));
}

bool id_set_empty(const struct id_set *s)
{
    return roaring_bitmap_is_empty(bitmap_const(s));
}

size_t id_set_memory(const struct id_set *s)
{
    return sizeof(roaring_bitmap_t) + roaring_bitmap_size_in_bytes(bitmap_const(s));
}

int id_set_and(struct id_set *a, const struct id_set *b)
{
    roaring_bitmap_and_inplace(bitmap(a), bitmap_const(b));
    return 0;
}

int id_set_or(struct id_set *a, const struct id_set *b)
{
    roaring_bitmap_or_inplace(bitmap(a), bitmap_const(b));
    return 0;
}

int id_set_and_not(struct id_set *a, const struct id_set *b)
{
    roaring_bitmap_andnot_inplace(bitmap(a), bitmap_const(b));
    return 0;
}

bool id_set_intersects(const struct id_set *a, const struct id_set *b)
{
    return roaring_bitmap_intersect(bitmap_const(a), bitmap_const(b));
}

void id_set_each(
    const struct id_set *s, bool (*callback)(uint32_t id, void *context), void *context)
{
    (void)roaring_iterate(bitmap_const(s), callback, context); // tells only whether it was stopped
}

void id_set_to_array(const struct id_set *s, uint32_t *ids_out)
{
    roaring_bitmap_to_uint32_array(bitmap_const(s), ids_out);
}
