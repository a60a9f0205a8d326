/* Totals of delta series: a table of fixed size with chains, and a list by last use.
 *
 * The entries are one array, allocated as it fills; a chain for each slot of the hash goes through it,
 * and a doubly linked list from the longest unused to the newest. A new series takes a fresh entry, or
 * the longest unused one when that has been idle long enough.
 */
#include "wire/otlp_delta.h"

#include <assert.h>

#include "base/lock.h"
#include "base/mem.h"
#include "otlp_exponential.h"

enum { NONE = -1, UNDO_MAX = 1 << 24 };

struct entry {
    struct hash128 key;
    int64_t t_ms;    /* of its last point */
    int64_t used_ms; /* by the server's clock */
    double total;
    struct otlp_exponential *histogram; /* NULL: a number */
    int32_t chain;                      /* next with the same slot */
    int32_t older, newer;
};

/* How an entry was before. */
struct otlp_delta_undo {
    int32_t entry;
    struct hash128 key;
    int64_t t_ms;
    double total;
    struct otlp_exponential *histogram; /* the batch's until its end */
};

struct otlp_delta {
    struct lock lock; /* guards all below */
    struct entry *entries;
    size_t count, cap, series_max;
    int32_t *slots; /* NULL until there is a series: most programs never see a delta */
    size_t slot_count;
    int32_t oldest, newest;
};

int otlp_delta_new(size_t series_max, struct otlp_delta **delta_out)
{
    struct otlp_delta *d = mem_calloc(1, sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    assert(series_max > 0 && series_max < INT32_MAX / 2);
    d->series_max = series_max;
    for (d->slot_count = 64; d->slot_count < series_max; d->slot_count *= 2) {
    }
    d->oldest = d->newest = NONE;
    lock_init(&d->lock, LOCK_RANK_LEAF);
    *delta_out = d;
    return 0;
}

void otlp_delta_free(struct otlp_delta *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        mem_free(d->entries[i].histogram);
    }
    lock_release(&d->lock);
    mem_free(d->entries);
    mem_free(d->slots);
    mem_free(d);
}

size_t otlp_delta_count(struct otlp_delta *d)
{
    lock_take(&d->lock);
    size_t count = d->count;
    lock_give(&d->lock);
    return count;
}

/* ---- The list by last use ---- */

static void unlink_entry(struct otlp_delta *d, int32_t at)
{
    struct entry *x = &d->entries[at];
    *(x->older != NONE ? &d->entries[x->older].newer : &d->oldest) = x->newer;
    *(x->newer != NONE ? &d->entries[x->newer].older : &d->newest) = x->older;
}

static void link_newest(struct otlp_delta *d, int32_t at)
{
    struct entry *x = &d->entries[at];
    x->older = d->newest;
    x->newer = NONE;
    *(d->newest != NONE ? &d->entries[d->newest].newer : &d->oldest) = at;
    d->newest = at;
}

/* ---- The table ---- */

static int32_t *slot_of(struct otlp_delta *d, struct hash128 key)
{
    return &d->slots[key.low & (d->slot_count - 1)];
}

static int make_slots(struct otlp_delta *d)
{
    d->slots = mem_alloc(d->slot_count * sizeof(*d->slots));
    for (size_t i = 0; d->slots != NULL && i < d->slot_count; i++) {
        d->slots[i] = NONE;
    }
    return d->slots != NULL ? 0 : ERR_NOMEM;
}

static int32_t find(struct otlp_delta *d, struct hash128 key)
{
    int32_t at = d->slots != NULL ? *slot_of(d, key) : NONE;
    while (at != NONE && !hash128_eq(d->entries[at].key, key)) {
        at = d->entries[at].chain;
    }
    return at;
}

static void unchain(struct otlp_delta *d, int32_t at)
{
    int32_t *place = slot_of(d, d->entries[at].key);
    while (*place != at) {
        place = &d->entries[*place].chain;
    }
    *place = d->entries[at].chain;
}

/* An entry for a new series: ERR_LIMIT when all are in use. */
static int make_entry(struct otlp_delta *d, struct hash128 key, int64_t now_ms, int32_t *at_out)
{
    int32_t at;
    int status = d->slots == NULL ? make_slots(d) : 0;
    if (status != 0) {
        return status;
    }
    if (d->count < d->series_max) {
        status = mem_array_grow(
            (void **)&d->entries, &d->cap, d->count + 1, sizeof(*d->entries), d->series_max);
        if (status != 0) {
            return status;
        }
        at = (int32_t)d->count++;
    } else if (now_ms - d->entries[d->oldest].used_ms > OTLP_DELTA_IDLE_MS) {
        at = d->oldest;
        unlink_entry(d, at);
        unchain(d, at);
        mem_free(d->entries[at].histogram);
    } else {
        return ERR_LIMIT;
    }
    d->entries[at] =
        (struct entry){.key = key, .t_ms = INT64_MIN, .used_ms = now_ms, .chain = *slot_of(d, key)};
    *slot_of(d, key) = at;
    link_newest(d, at);
    *at_out = at;
    return 0;
}

/* ---- Batches ---- */

void otlp_delta_begin(struct otlp_delta *delta, int64_t now_ms, struct otlp_delta_batch *batch_out)
{
    *batch_out = (struct otlp_delta_batch){.delta = delta, .now_ms = now_ms};
}

/* Back to what it was, unless the entry has another series by now. A series that was made keeps its
 * entry and begins at zero. */
static void restore(struct otlp_delta *d, struct otlp_delta_undo *u)
{
    struct entry *x = &d->entries[u->entry];
    if (!hash128_eq(x->key, u->key)) {
        mem_free(u->histogram);
        return;
    }
    mem_free(x->histogram);
    x->t_ms = u->t_ms;
    x->total = u->total;
    x->histogram = u->histogram;
}

void otlp_delta_end(struct otlp_delta_batch *b, bool keep)
{
    struct otlp_delta *d = b->delta;
    lock_take(&d->lock);
    while (b->undo_count > 0) {
        struct otlp_delta_undo *u = &b->undo[--b->undo_count];
        if (keep) {
            mem_free(u->histogram);
        } else {
            restore(d, u);
        }
    }
    lock_give(&d->lock);
    mem_free(b->undo);
    b->undo = NULL;
}

/* The series' entry with the way back noted, made when it is new; ERR_RANGE for a point that is not
 * newer. Under the lock. */
static int open_entry(
    struct otlp_delta_batch *b, struct hash128 key, int64_t t_ms, struct entry **entry_out)
{
    struct otlp_delta *d = b->delta;
    int status = mem_array_grow(
        (void **)&b->undo, &b->undo_cap, b->undo_count + 1, sizeof(*b->undo), UNDO_MAX);
    int32_t at = find(d, key);
    if (status == 0 && at == NONE) {
        status = make_entry(d, key, b->now_ms, &at);
    }
    if (status != 0) {
        return status;
    }
    struct entry *x = &d->entries[at];
    if (t_ms <= x->t_ms) {
        return ERR_RANGE;
    }
    b->undo[b->undo_count] =
        (struct otlp_delta_undo){.entry = at, .key = key, .t_ms = x->t_ms, .total = x->total};
    unlink_entry(d, at);
    link_newest(d, at);
    x->used_ms = b->now_ms;
    *entry_out = x;
    return 0;
}

int otlp_delta_add(
    struct otlp_delta_batch *b, struct hash128 key, int64_t t_ms, double delta, double *total_out)
{
    struct entry *x;
    lock_take(&b->delta->lock);
    int status = open_entry(b, key, t_ms, &x);
    if (status == 0) {
        b->undo[b->undo_count++].histogram = x->histogram;
        x->histogram = NULL;
        x->t_ms = t_ms;
        x->total += delta;
        *total_out = x->total;
    }
    lock_give(&b->delta->lock);
    return status;
}

int otlp_delta_add_exponential(struct otlp_delta_batch *b, struct hash128 key,
    const struct otlp_point *point, struct arena *arena, const struct histogram **total_out)
{
    struct entry *x;
    struct otlp_exponential *sum = NULL;
    lock_take(&b->delta->lock);
    int status = open_entry(b, key, point->t_ms, &x);
    if (status == 0) {
        status = otlp_exponential_add(x->histogram, point, OTLP_DELTA_BUCKETS_MAX, &sum);
    }
    if (status == 0) {
        status = otlp_exponential_to_native(sum, arena, total_out);
    }
    if (status == 0) {
        b->undo[b->undo_count++].histogram = x->histogram;
        x->histogram = sum;
        x->t_ms = point->t_ms;
    } else {
        mem_free(sum);
    }
    lock_give(&b->delta->lock);
    return status;
}
