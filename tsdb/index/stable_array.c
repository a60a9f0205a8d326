/* Chunks of doubling size; see the header. */
#include "index/stable_array.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"

void stable_array_init(struct stable_array *a, size_t element_size)
{
    assert(element_size > 0);
    a->element_size = element_size;
    for (unsigned i = 0; i < STABLE_CHUNKS; i++) {
        atomic_init(&a->chunks[i], NULL);
    }
}

void stable_array_release(struct stable_array *a)
{
    for (unsigned i = 0; i < STABLE_CHUNKS; i++) {
        mem_free(atomic_load_explicit(&a->chunks[i], memory_order_relaxed));
        atomic_store_explicit(&a->chunks[i], NULL, memory_order_relaxed);
    }
}

int stable_array_reserve(struct stable_array *a, uint32_t index)
{
    uint64_t shifted = (uint64_t)index + ((uint64_t)1 << STABLE_FIRST_BITS);
    unsigned chunk = 63 - (unsigned)__builtin_clzll(shifted) - STABLE_FIRST_BITS;
    if (chunk >= STABLE_CHUNKS) {
        return ERR_LIMIT;
    }
    if (atomic_load_explicit(&a->chunks[chunk], memory_order_relaxed) != NULL) {
        return 0;
    }
    uint8_t *base = mem_calloc((size_t)1 << (chunk + STABLE_FIRST_BITS), a->element_size);
    if (base == NULL) {
        return ERR_NOMEM;
    }
    atomic_store_explicit(&a->chunks[chunk], base, memory_order_release);
    return 0;
}

size_t stable_array_memory(const struct stable_array *a)
{
    size_t size = 0;
    for (unsigned i = 0; i < STABLE_CHUNKS; i++) {
        if (atomic_load_explicit(&a->chunks[i], memory_order_relaxed) != NULL) {
            size += a->element_size << (i + STABLE_FIRST_BITS);
        }
    }
    return size;
}
