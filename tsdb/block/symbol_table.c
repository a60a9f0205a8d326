/* Distinct strings by hash, then by order. */
#include "block/symbol_table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 1024 };

/* The slot of a text, or the free one where it belongs. */
static struct symbol *find(const struct symbol_table *t, struct str text)
{
    size_t at = hash64(text.ptr, text.len, 0) & (t->slot_count - 1);
    while (t->slots[at].text.ptr != NULL && !str_eq(t->slots[at].text, text)) {
        at = (at + 1) & (t->slot_count - 1);
    }
    return &t->slots[at];
}

static int grow(struct symbol_table *t)
{
    struct symbol_table larger = {.slot_count = t->slot_count > 0 ? t->slot_count * 2 : SLOTS_MIN};
    if (larger.slot_count > SYMBOLS_MAX) {
        return ERR_LIMIT;
    }
    larger.slots = mem_calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i].text.ptr != NULL) {
            *find(&larger, t->slots[i].text) = t->slots[i];
        }
    }
    mem_free(t->slots);
    t->slots = larger.slots;
    t->slot_count = larger.slot_count;
    return 0;
}

int symbol_table_add(struct symbol_table *t, struct str text)
{
    assert(text.len > 0 && t->sorted == NULL);
    int status = t->count * 2 >= t->slot_count ? grow(t) : 0;
    if (status == 0) {
        struct symbol *slot = find(t, text);
        t->count += slot->text.ptr == NULL;
        slot->text = text;
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

int symbol_table_sort(struct symbol_table *t)
{
    size_t count = 0;
    t->sorted = mem_calloc(t->count + 1, sizeof(*t->sorted));
    if (t->sorted == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i].text.ptr != NULL) {
            t->sorted[count++] = t->slots[i].text;
        }
    }
    assert(count == t->count);
    qsort(t->sorted, count, sizeof(*t->sorted), compare);
    for (size_t i = 0; i < count; i++) {
        find(t, t->sorted[i])->number = (uint32_t)i;
    }
    return 0;
}

uint32_t symbol_table_number(const struct symbol_table *t, struct str text)
{
    const struct symbol *slot = find(t, text);
    assert(slot->text.ptr != NULL);
    return slot->number;
}

void symbol_table_release(struct symbol_table *t)
{
    mem_free(t->slots);
    mem_free(t->sorted);
    *t = (struct symbol_table){.slots = NULL};
}
