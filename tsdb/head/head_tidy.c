/* Letting go of what served senders and targets that are gone: keys, column lists, tables.
 *
 * A table without cells for HEAD_IDLE_ROUNDS rounds leaves. It is taken off its target and out of its
 * slot while no commit is under way, so from then on nobody finds it; its number is never used again.
 * Two may still have it in hand:
 *
 * - a transaction that looked its series up before. Its commit finds the slot empty, fails with ERR_BUSY
 *   and changes nothing; sent again, the series gets a new table. That takes a sender who was silent for
 *   more than an hour, and comes back within the same milliseconds.
 * - a reader. The table is freed when every view that was open when it left is closed.
 *
 * Targets with several tables keep them: their series are found through a map that only grows.
 *
 * Target and shapes of a table that has left are held in the index until it is freed: readers may ask for
 * their labels.
 */
#include "base/mem.h"
#include "head/head_private.h"

/* Tables that leave in one round at most: bounds how long commits wait for it. */
enum { LEAVING_MAX = 4096 };
/* Shapes held in one go; ids looked at in one sweep of the index, and sweeps in a round. */
enum { HELD_AT_ONCE = 256, SWEPT_AT_ONCE = 256, SWEEPS_MAX = 8192 };

/* Renewing happens on one thread, so the pointer may be read without the lock here. */
static void renew_cache(struct head *h)
{
    struct key_cache *fresh = key_cache_renew(h->cache);
    if (fresh == NULL) {
        return;
    }
    lock_take(&h->cache_lock);
    struct key_cache *old = h->cache;
    h->cache = fresh;
    lock_give(&h->cache_lock);
    key_cache_unref(old);
}

/* ---- Tables ---- */

/* Counts a round without cells; is it gone? */
static bool is_idle(struct table *t)
{
    t->idle_rounds = table_is_empty(t) ? t->idle_rounds + 1 : 0;
    return t->idle_rounds >= HEAD_IDLE_ROUNDS;
}

/* Takes an empty table off its target and out of its slot. Commits are held up. */
static bool leave(struct head *h, struct table *t)
{
    lock_take(&h->registry_lock);
    struct target_tables *tables = stable_array_at(&h->targets, t->target);
    bool leaves = tables->count == 1 && table_is_empty(t);
    if (leaves) {
        *tables = (struct target_tables){0};
        head_set_table(h, t->id, NULL);
    }
    lock_give(&h->registry_lock);
    return leaves;
}

/* Each series of the table was counted once, floats and histograms together. */
static void uncount_series(struct head *h, const struct table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        enum column_kind other =
            t->columns[i].kind == COLUMN_FLOAT ? COLUMN_HISTOGRAM : COLUMN_FLOAT;
        uint32_t twin = table_find_column(t, t->columns[i].shape, other);
        if (twin == UINT32_MAX || twin > i) {
            index_uncount_series(h->options.index, t->target, t->columns[i].shape);
        }
    }
}

static void hold_ids(struct head *h, const struct table *t, bool hold)
{
    void (*change)(struct index *, enum index_side, const uint32_t *, size_t) =
        hold ? index_hold : index_unhold;
    uint32_t shapes[HELD_AT_ONCE];
    uint32_t count = 0;
    change(h->options.index, INDEX_TARGETS, &t->target, 1);
    for (uint32_t i = 0; i < t->column_count; i++) {
        shapes[count++] = t->columns[i].shape;
        if (count == HELD_AT_ONCE || i + 1 == t->column_count) {
            change(h->options.index, INDEX_SHAPES, shapes, count);
            count = 0;
        }
    }
}

static uint64_t views_opened(struct head *h)
{
    lock_take(&h->view_lock);
    uint64_t opened = h->views_opened;
    lock_give(&h->view_lock);
    return opened;
}

static void let_go(struct head *h, struct table *const *idle, uint32_t count)
{
    struct table *left = NULL;
    head_hold_writes(h);
    for (uint32_t i = 0; i < count; i++) {
        if (leave(h, idle[i])) {
            idle[i]->next_leaving = left;
            left = idle[i];
        }
    }
    head_release_writes(h);
    uint64_t opened = views_opened(h);
    while (left != NULL) {
        struct table *next = left->next_leaving;
        /* Whoever was making one of its series has counted it before giving up this lock. */
        lock_take(&h->limits.lock);
        hold_ids(h, left, true);
        uncount_series(h, left);
        lock_give(&h->limits.lock);
        left->left_at = opened;
        left->next_leaving = h->leaving;
        h->leaving = left;
        left = next;
    }
}

void head_free_leaving(struct head *h, uint64_t oldest_view)
{
    struct table **link = &h->leaving;
    while (*link != NULL) {
        struct table *t = *link;
        if (t->left_at <= oldest_view) {
            *link = t->next_leaving;
            hold_ids(h, t, false);
            table_free(t);
        } else {
            link = &t->next_leaving;
        }
    }
}

static uint64_t oldest_view(struct head *h)
{
    lock_take(&h->view_lock);
    uint64_t number = h->views_first != NULL ? h->views_first->number : UINT64_MAX;
    lock_give(&h->view_lock);
    return number;
}

void head_tidy(struct head *h)
{
    renew_cache(h);
    uint32_t count = atomic_load_explicit(&h->table_count, memory_order_acquire);
    struct table **idle = mem_calloc(LEAVING_MAX, sizeof(struct table *));
    uint32_t idle_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct table *t = head_table(h, i);
        if (t == NULL) {
            continue;
        }
        table_share_schema(t, &h->schemas);
        if (is_idle(t) && idle != NULL && idle_count < LEAVING_MAX) {
            idle[idle_count++] = t;
        }
    }
    if (idle_count > 0) {
        let_go(h, idle, idle_count);
    }
    mem_free(idle);
    head_free_leaving(h, oldest_view(h));
    schema_pool_sweep(&h->schemas);
}

/* Ids get their first series under the lock of the limits (head_series.c). */
void head_sweep_index(struct head *h)
{
    bool more = true;
    for (uint32_t i = 0; more && i < SWEEPS_MAX; i++) {
        lock_take(&h->limits.lock);
        more = index_sweep(h->options.index, SWEPT_AT_ONCE);
        lock_give(&h->limits.lock);
    }
}
