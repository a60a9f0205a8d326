/* Open addressing with linear probing; hashes are those that label sets carry, mixed. */
#include "rules/labels_index.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 16 };

void labels_index_release(struct labels_index *x)
{
    mem_free(x->slots);
    *x = (struct labels_index){0};
}

static const struct labels *labels_of(const void *items, size_t item_size, size_t place)
{
    const struct labels *labels;
    memcpy(&labels, (const char *)items + place * item_size, sizeof(labels));
    return labels;
}

/* The slot of these labels, or the free one where they belong. */
static size_t slot_of(
    const struct labels_index *x, const void *items, size_t item_size, const struct labels *labels)
{
    size_t mask = x->slot_count - 1;
    size_t slot = (size_t)hash_mix64(labels_hash(labels)) & mask;
    while (x->slots[slot] != 0 &&
           !labels_eq(labels_of(items, item_size, x->slots[slot] - 1), labels)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

size_t labels_index_find(
    const struct labels_index *x, const void *items, size_t item_size, const struct labels *labels)
{
    if (x->slot_count == 0) {
        return SIZE_MAX;
    }
    uint32_t entry = x->slots[slot_of(x, items, item_size, labels)];
    return entry != 0 ? entry - 1 : SIZE_MAX;
}

void labels_index_add(struct labels_index *x, const void *items, size_t item_size, size_t place)
{
    assert(place < x->slot_count / 2);
    size_t slot = slot_of(x, items, item_size, labels_of(items, item_size, place));
    assert(x->slots[slot] == 0);
    x->slots[slot] = (uint32_t)place + 1;
}

void labels_index_fill(struct labels_index *x, const void *items, size_t item_size, size_t count)
{
    if (x->slot_count > 0) {
        memset(x->slots, 0, x->slot_count * sizeof(*x->slots));
    }
    for (size_t place = 0; place < count; place++) {
        labels_index_add(x, items, item_size, place);
    }
}

int labels_index_reserve(
    struct labels_index *x, const void *items, size_t item_size, size_t count, size_t cap)
{
    if (cap > LABELS_INDEX_MAX) {
        return ERR_LIMIT;
    }
    if (x->slot_count / 2 >= cap && x->slot_count > 0) {
        return 0;
    }
    size_t slot_count = SLOTS_MIN;
    while (slot_count / 2 < cap) {
        slot_count *= 2;
    }
    uint32_t *slots = mem_calloc(slot_count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    mem_free(x->slots);
    *x = (struct labels_index){slots, slot_count};
    labels_index_fill(x, items, item_size, count);
    return 0;
}
