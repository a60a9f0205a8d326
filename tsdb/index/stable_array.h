/* A growing array whose elements never move: readers index it without a lock while one writer, under
 * its own lock, appends.
 *
 * Chunk k holds STABLE_FIRST << k elements, so a handful of pointers covers 2^32 elements, and at
 * most half of the memory is spare. Publication of an element's content is the writer's business: it
 * stores a count with release, readers load it with acquire.
 */
#ifndef SONDE_INDEX_STABLE_ARRAY_H
#define SONDE_INDEX_STABLE_ARRAY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define STABLE_FIRST_BITS 4
#define STABLE_CHUNKS (32 - STABLE_FIRST_BITS)

struct stable_array {
    size_t element_size;
    uint8_t *_Atomic chunks[STABLE_CHUNKS];
};

void stable_array_init(struct stable_array *a, size_t element_size);
void stable_array_release(struct stable_array *a);
/* Makes element `index` exist (zeroed when first made). Every lower index must exist. 0 or
 * ERR_NOMEM. One writer. */
int stable_array_reserve(struct stable_array *a, uint32_t index);
size_t stable_array_memory(const struct stable_array *a);

/* The element; it must exist. */
static inline void *stable_array_at(const struct stable_array *a, uint32_t index)
{
    uint64_t shifted = (uint64_t)index + ((uint64_t)1 << STABLE_FIRST_BITS);
    unsigned chunk = 63 - (unsigned)__builtin_clzll(shifted);
    uint64_t within = shifted - ((uint64_t)1 << chunk);
    uint8_t *base =
        atomic_load_explicit(&a->chunks[chunk - STABLE_FIRST_BITS], memory_order_acquire);
    return base + within * a->element_size;
}

#endif
