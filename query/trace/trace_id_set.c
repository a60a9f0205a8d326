/* Open addressing, at most half full. */
#include "trace/trace_id_set.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

static struct trace_id *find(struct trace_id *slots, size_t size, struct trace_id id)
{
    size_t slot = hash_mix64(id.low ^ hash_mix64(id.high)) & (size - 1);
    while (!trace_id_is_zero(slots[slot]) && !trace_id_eq(slots[slot], id)) {
        slot = (slot + 1) & (size - 1);
    }
    return &slots[slot];
}

static int grow(struct trace_id_set *set)
{
    enum { FIRST = 256 };
    size_t size = set->size > 0 ? 2 * set->size : FIRST;
    struct trace_id *slots = mem_calloc(size, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < set->size; i++) {
        if (!trace_id_is_zero(set->slots[i])) {
            *find(slots, size, set->slots[i]) = set->slots[i];
        }
    }
    mem_free(set->slots);
    set->slots = slots;
    set->size = size;
    return 0;
}

int trace_id_set_add(struct trace_id_set *set, struct trace_id id)
{
    if (set->count == TRACE_ID_SET_MAX) {
        return ERR_LIMIT;
    }
    if (2 * (set->count + 1) > set->size) {
        int status = grow(set);
        if (status != 0) {
            return status;
        }
    }
    struct trace_id *slot = find(set->slots, set->size, id);
    if (!trace_id_is_zero(*slot)) {
        return 0;
    }
    *slot = id;
    set->count++;
    return 1;
}

void trace_id_set_release(struct trace_id_set *set)
{
    mem_free(set->slots);
    *set = (struct trace_id_set){0};
}
