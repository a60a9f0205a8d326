/* The table; removal moves later cells of the chain up, so that there are no tombstones. */
#include "alert/pointer_table.h"

#include <assert.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum { CELLS_MIN = 16 };

static size_t home_of(const struct pointer_table *t, uint64_t key)
{
    return (size_t)hash_mix64(key) & (t->cap - 1);
}

/* The cell of the key, or the free one where it would go. */
static size_t find(const struct pointer_table *t, uint64_t key)
{
    size_t at = home_of(t, key);
    while (t->cells[at].pointer != NULL && t->cells[at].key != key) {
        at = (at + 1) & (t->cap - 1);
    }
    return at;
}

void *pointer_table_get(const struct pointer_table *t, uint64_t key)
{
    return t->cap > 0 ? t->cells[find(t, key)].pointer : NULL;
}

static int grow(struct pointer_table *t)
{
    struct pointer_table larger = {.cap = t->cap > 0 ? t->cap * 2 : CELLS_MIN, .count = t->count};
    if (larger.cap > POINTER_TABLE_MAX) {
        return ERR_LIMIT;
    }
    larger.cells = mem_calloc(larger.cap, sizeof(*larger.cells));
    if (larger.cells == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->cells[i].pointer != NULL) {
            larger.cells[find(&larger, t->cells[i].key)] = t->cells[i];
        }
    }
    mem_free(t->cells);
    *t = larger;
    return 0;
}

int pointer_table_put(struct pointer_table *t, uint64_t key, void *pointer)
{
    assert(pointer != NULL);
    if ((t->count + 1) * 4 > t->cap * 3) {
        int status = grow(t);
        if (status != 0) {
            return status;
        }
    }
    struct pointer_table_cell *cell = &t->cells[find(t, key)];
    t->count += cell->pointer == NULL;
    *cell = (struct pointer_table_cell){key, pointer};
    return 0;
}

void *pointer_table_remove(struct pointer_table *t, uint64_t key)
{
    if (t->cap == 0) {
        return NULL;
    }
    size_t hole = find(t, key);
    void *removed = t->cells[hole].pointer;
    if (removed == NULL) {
        return NULL;
    }
    t->count--;
    for (size_t at = (hole + 1) & (t->cap - 1); t->cells[at].pointer != NULL;
         at = (at + 1) & (t->cap - 1)) {
        /* A cell may fill the hole when its home is not behind it. */
        size_t home = home_of(t, t->cells[at].key);
        if (((at - home) & (t->cap - 1)) >= ((at - hole) & (t->cap - 1))) {
            t->cells[hole] = t->cells[at];
            hole = at;
        }
    }
    t->cells[hole].pointer = NULL;
    return removed;
}

void *pointer_table_next(const struct pointer_table *t, size_t *position)
{
    while (*position < t->cap) {
        void *pointer = t->cells[(*position)++].pointer;
        if (pointer != NULL) {
            return pointer;
        }
    }
    return NULL;
}

void pointer_table_release(struct pointer_table *t)
{
    mem_free(t->cells);
    *t = (struct pointer_table){0};
}
