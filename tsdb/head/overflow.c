/* The table of lost samples. */
#include "head/overflow.h"

#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

int overflow_init(struct overflow *o, int64_t now_ms, int64_t monotonic_ms)
{
    *o = (struct overflow){
        .seed = hash_seed_random(), .written_ms = now_ms, .written_mono = monotonic_ms};
    lock_init(&o->lock, LOCK_RANK_LEAF);
    o->slots = mem_calloc(OVERFLOW_SLOTS, sizeof(*o->slots));
    return o->slots != NULL ? 0 : ERR_NOMEM;
}

void overflow_release(struct overflow *o)
{
    for (size_t i = 0; o->slots != NULL && i < OVERFLOW_SLOTS; i++) {
        mem_free(o->slots[i]);
    }
    mem_free(o->slots);
    lock_release(&o->lock);
}

/* ---- Counting ---- */

static struct overflow_metric **find_slot(struct overflow *o, struct str metric)
{
    size_t i = (size_t)hash64(metric.ptr, metric.len, o->seed) % OVERFLOW_SLOTS;
    while (o->slots[i] != NULL &&
           !str_eq(str_make(o->slots[i]->name, o->slots[i]->name_size), metric)) {
        i = (i + 1) % OVERFLOW_SLOTS;
    }
    return &o->slots[i];
}

/* With the lock held; NULL when there is no room or no memory. */
static struct overflow_metric *metric_make(struct overflow *o, struct str metric, size_t max)
{
    struct overflow_metric **slot = find_slot(o, metric);
    if (*slot == NULL && o->count < max) {
        struct overflow_metric *made = mem_calloc(1, sizeof(*made) + metric.len);
        if (made != NULL) {
            memcpy(made->name, metric.len > 0 ? metric.ptr : "", metric.len);
            made->name_size = metric.len;
            o->count++;
        }
        *slot = made;
    }
    return *slot;
}

void overflow_add(struct overflow *o, struct str metric, uint64_t samples)
{
    lock_take(&o->lock);
    struct overflow_metric *m =
        metric.len > 0 ? metric_make(o, metric, OVERFLOW_METRICS_MAX) : NULL;
    if (m == NULL) {
        m = metric_make(o, STR(OVERFLOW_OTHERS), OVERFLOW_METRICS_MAX + 1);
    }
    if (m != NULL) {
        m->lost += samples;
    }
    lock_give(&o->lock);
}

bool overflow_get(struct overflow *o, size_t slot, struct overflow_entry *out)
{
    lock_take(&o->lock);
    const struct overflow_metric *m = o->slots[slot];
    bool news = m != NULL && m->lost != m->written;
    if (news) {
        *out = (struct overflow_entry){m, m->lost, m->written};
    }
    lock_give(&o->lock);
    return news;
}

void overflow_note_written(struct overflow *o, size_t slot, uint64_t lost)
{
    lock_take(&o->lock);
    o->slots[slot]->written = lost;
    lock_give(&o->lock);
}
