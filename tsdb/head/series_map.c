/* Open addressing, linear probing, at most half full. */
#include "head/series_map.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 256 };

void series_map_release(struct series_map *m)
{
    mem_free(m->slots);
    *m = (struct series_map){0};
}

static uint32_t start_of(uint32_t target, uint32_t shape, uint32_t kind, uint32_t mask)
{
    return (uint32_t)hash_mix64(((uint64_t)target << 33 ^ (uint64_t)shape << 1) | kind) & mask;
}

bool series_map_find(const struct series_map *m, uint32_t target, uint32_t shape,
    enum column_kind kind, struct series_ref *ref_out)
{
    if (m->slots == NULL) {
        return false;
    }
    for (uint32_t at = start_of(target, shape, kind, m->mask); m->slots[at].target != 0;
         at = (at + 1) & m->mask) {
        const struct series_map_slot *slot = &m->slots[at];
        if (slot->target == target + 1 && slot->shape == shape && slot->kind == (uint16_t)kind) {
            *ref_out = (struct series_ref){slot->table, slot->column};
            return true;
        }
    }
    return false;
}

static void put(struct series_map *m, const struct series_map_slot *slot)
{
    uint32_t at = start_of(slot->target - 1, slot->shape, slot->kind, m->mask);
    while (m->slots[at].target != 0) {
        at = (at + 1) & m->mask;
    }
    m->slots[at] = *slot;
    m->used++;
}

static int reserve(struct series_map *m)
{
    uint32_t cap = m->slots == NULL ? 0 : m->mask + 1;
    if (m->used < cap / 2) {
        return 0;
    }
    struct series_map grown = {.mask = (cap == 0 ? SLOTS_MIN : cap * 2) - 1};
    grown.slots = mem_calloc((size_t)grown.mask + 1, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < cap; i++) {
        if (m->slots[i].target != 0) {
            put(&grown, &m->slots[i]);
        }
    }
    mem_free(m->slots);
    *m = grown;
    return 0;
}

int series_map_add(struct series_map *m, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref ref)
{
    int status = reserve(m);
    if (status == 0) {
        struct series_map_slot slot = {.target = target + 1,
            .shape = shape,
            .table = ref.target,
            .column = (uint16_t)ref.column,
            .kind = (uint16_t)kind};
        put(m, &slot);
    }
    return status;
}
