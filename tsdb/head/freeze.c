/* Taking a slice's states out of the tables; see the header. */
#include "head/freeze.h"

#include <assert.h>

#include "base/mem.h"
#include "head/head_private.h"

static bool in_slice(struct head *h, const struct table *t, uint32_t slice)
{
    return head_slice(index_labels(h->options.index, INDEX_TARGETS, t->target)) == slice;
}

/* Commits are held up, so the active states stand still. */
static int collect_tables(struct head *h, uint32_t slice, struct freeze *f)
{
    uint32_t table_count = atomic_load_explicit(&h->table_count, memory_order_acquire);
    size_t cap = 0;
    for (uint32_t i = 0; i < table_count; i++) {
        struct table *t = head_table(h, i);
        if (t == NULL || t->active.cell_count == 0 || !in_slice(h, t, slice)) {
            continue;
        }
        int status = mem_array_grow(
            (void **)&f->tables, &cap, f->count + 1u, sizeof(*f->tables), HEAD_TABLES_MAX);
        if (status != 0) {
            return status;
        }
        f->tables[f->count++] = t;
    }
    return 0;
}

static void freeze_table(struct freeze *f, uint32_t i)
{
    struct table *t = f->tables[i];
    struct frozen_state *frozen = &f->states[i];
    lock_take(&t->lock);
    *frozen = (struct frozen_state){.older = t->frozen, .freeze = f, .state = t->active};
    table_state_init(&t->active);
    t->frozen = frozen;
    t->sparse = false;
    if (frozen->state.max_t > t->closed_max_t) {
        t->closed_max_t = frozen->state.max_t;
    }
    lock_give(&t->lock);
    f->cell_count += frozen->state.cell_count;
    f->min_t = frozen->state.min_t < f->min_t ? frozen->state.min_t : f->min_t;
    f->max_t = frozen->state.max_t > f->max_t ? frozen->state.max_t : f->max_t;
}

int head_freeze(struct head *h, uint32_t slice, struct freeze **freeze_out, uint64_t *lsn_out)
{
    struct freeze *f = mem_calloc(1, sizeof(*f));
    if (f == NULL) {
        return ERR_NOMEM;
    }
    *f = (struct freeze){.slice = slice, .min_t = INT64_MAX, .max_t = INT64_MIN};
    head_hold_writes(h);
    int status = collect_tables(h, slice, f);
    if (status == 0 && f->count > 0) {
        f->states = mem_calloc(f->count, sizeof(*f->states));
        status = f->states != NULL ? 0 : ERR_NOMEM;
    }
    uint64_t lsn = head_visible_lsn(h);
    f->lsn = lsn;
    for (uint32_t i = 0; status == 0 && i < f->count; i++) {
        freeze_table(f, i);
    }
    head_release_writes(h);
    if (status != 0 || f->count == 0) {
        mem_free(f->tables);
        mem_free(f->states);
        mem_free(f);
        f = NULL;
    }
    if (status == 0) {
        *freeze_out = f;
        *lsn_out = lsn;
    }
    return status;
}

void freeze_publish(struct freeze *f, uint64_t version)
{
    assert(version > 0);
    atomic_store_explicit(&f->published_version, version, memory_order_release);
}

static void unlink_state(struct table *t, struct frozen_state *frozen)
{
    lock_take(&t->lock);
    struct frozen_state **link = &t->frozen;
    while (*link != frozen) {
        assert(*link != NULL);
        link = &(*link)->older;
    }
    *link = frozen->older;
    lock_give(&t->lock);
}

void head_freeze_drop(struct head *h, struct freeze *f)
{
    (void)h;
    for (uint32_t i = 0; i < f->count; i++) {
        unlink_state(f->tables[i], &f->states[i]);
        table_state_release(&f->states[i].state);
    }
    mem_free(f->tables);
    mem_free(f->states);
    mem_free(f);
}
