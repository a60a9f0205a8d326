/* Series by key in a table of open addressing, each with its exemplars in order of time. */
#include "exemplar/exemplar_store.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

enum { SLOTS_MIN = 64 };
/* With fewer series than this none is forgotten; then those without an exemplar for so long. */
enum { SERIES_KEPT = 65536 };
#define FORGOTTEN_AFTER_MS ((int64_t)3600 * 1000)
#define MINUTE_MS ((int64_t)60 * 1000)

struct items {
    struct exemplar_item *list;
    size_t count, cap;
};

struct entry {
    uint64_t key;
    /* The newest that was taken; its labels are a copy of its own. */
    struct exemplar_item newest;
    int64_t minute; /* of the newest, and how many there were in it */
    uint32_t in_minute;
    struct items pending, frozen;
};

struct exemplar_store {
    struct lock lock; /* rank LEAF */
    uint32_t per_minute;
    struct entry **slots;
    size_t slot_count, series;
    size_t pending, frozen; /* exemplars */
    uint64_t pending_lsn, frozen_lsn;
    uint64_t taken, refused; /* since the start */
};

int exemplar_store_new(uint32_t per_minute, struct exemplar_store **store_out)
{
    struct exemplar_store *s = mem_calloc(1, sizeof(*s));
    struct entry **slots = mem_calloc(SLOTS_MIN, sizeof(*slots));
    if (s == NULL || slots == NULL) {
        mem_free(s);
        mem_free(slots);
        return ERR_NOMEM;
    }
    *s = (struct exemplar_store){.per_minute = per_minute,
        .slots = slots,
        .slot_count = SLOTS_MIN,
        .pending_lsn = UINT64_MAX,
        .frozen_lsn = UINT64_MAX};
    lock_init(&s->lock, LOCK_RANK_LEAF);
    *store_out = s;
    return 0;
}

static void items_release(struct items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        mem_free((char *)(uintptr_t)items->list[i].labels.ptr);
    }
    mem_free(items->list);
    *items = (struct items){0};
}

static void entry_free(struct entry *e)
{
    if (e != NULL) {
        items_release(&e->pending);
        items_release(&e->frozen);
        mem_free((char *)(uintptr_t)e->newest.labels.ptr);
        mem_free(e);
    }
}

void exemplar_store_free(struct exemplar_store *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->slot_count; i++) {
        entry_free(s->slots[i]);
    }
    mem_free(s->slots);
    lock_release(&s->lock);
    mem_free(s);
}

/* ---- Labels ---- */

/* Characters, not bytes: those that begin one. */
static size_t runes(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return count;
}

static void sort_labels(struct label *labels, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label moved = labels[i];
        size_t at = i;
        while (at > 0 && str_cmp(labels[at - 1].name, moved.name) > 0) {
            labels[at] = labels[at - 1];
            at--;
        }
        labels[at] = moved;
    }
}

int exemplar_labels_check(struct label *labels, size_t *count_inout)
{
    size_t kept = 0, length = 0;
    for (size_t i = 0; i < *count_inout && length <= EXEMPLAR_LABEL_RUNES_MAX; i++) {
        if (labels[i].value.len > 0) {
            length += runes(labels[i].name) + runes(labels[i].value);
            labels[kept++] = labels[i];
        }
    }
    if (length > EXEMPLAR_LABEL_RUNES_MAX) {
        return ERR_INVALID;
    }
    sort_labels(labels, kept);
    for (size_t i = 0; i < kept; i++) {
        if (labels[i].name.len == 0 || (i > 0 && str_eq(labels[i - 1].name, labels[i].name))) {
            return ERR_INVALID;
        }
    }
    *count_inout = kept;
    return 0;
}

/* ---- Finding; under the lock ---- */

static size_t slot_of(const struct exemplar_store *s, uint64_t key)
{
    size_t i = (size_t)hash_mix64(key) & (s->slot_count - 1);
    while (s->slots[i] != NULL && s->slots[i]->key != key) {
        i = (i + 1) & (s->slot_count - 1);
    }
    return i;
}

static struct entry *find(const struct exemplar_store *s, uint64_t key)
{
    return s->slots[slot_of(s, key)];
}

/* Puts all entries into another table, which is empty. */
static void move_entries(struct exemplar_store *s, struct entry **slots, size_t slot_count)
{
    struct entry **before = s->slots;
    size_t before_count = s->slot_count;
    s->slots = slots;
    s->slot_count = slot_count;
    for (size_t i = 0; i < before_count; i++) {
        if (before[i] != NULL) {
            s->slots[slot_of(s, before[i]->key)] = before[i];
        }
    }
    mem_free(before);
}

static int make(struct exemplar_store *s, uint64_t key, struct entry **entry_out)
{
    if ((s->series + 1) * 2 > s->slot_count) {
        struct entry **slots = mem_calloc(s->slot_count * 2, sizeof(*slots));
        if (slots == NULL) {
            return ERR_NOMEM;
        }
        move_entries(s, slots, s->slot_count * 2);
    }
    struct entry *e = mem_calloc(1, sizeof(*e));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    e->key = key;
    s->slots[slot_of(s, key)] = e;
    s->series++;
    *entry_out = e;
    return 0;
}

/* ---- Taking ---- */

static int64_t minute_of(int64_t t_ms)
{
    return t_ms / MINUTE_MS - (t_ms % MINUTE_MS < 0);
}

static bool is_newest(const struct entry *e)
{
    return e->newest.labels.ptr != NULL;
}

static int judge(
    const struct exemplar_store *s, const struct entry *e, const struct exemplar_item *item)
{
    if (s->pending + s->frozen >= EXEMPLARS_PENDING_MAX ||
        (e == NULL && s->series >= EXEMPLAR_SERIES_MAX)) {
        return ERR_LIMIT;
    }
    if (e == NULL || !is_newest(e)) {
        return 0;
    }
    const struct exemplar_item *newest = &e->newest;
    if (item->t_ms < newest->t_ms) {
        return ERR_RANGE;
    }
    if (item->t_ms == newest->t_ms) {
        int order = str_cmp(item->labels, newest->labels);
        if (item->value < newest->value || (item->value == newest->value && order < 0)) {
            return ERR_RANGE;
        }
        if (item->value == newest->value && order == 0) {
            return 1;
        }
    }
    bool full =
        s->per_minute > 0 && e->minute == minute_of(item->t_ms) && e->in_minute >= s->per_minute;
    return full ? ERR_LIMIT : 0;
}

int exemplar_store_check(struct exemplar_store *s, uint64_t key, const struct exemplar_item *item)
{
    lock_take(&s->lock);
    int status = judge(s, find(s, key), item);
    s->refused += status < 0;
    lock_give(&s->lock);
    return status;
}

/* Both copies are of the entry then. */
static int append(struct entry *e, const struct exemplar_item *item)
{
    char *labels = mem_dup(item->labels.ptr, item->labels.len);
    char *newest = mem_dup(item->labels.ptr, item->labels.len);
    int status = labels != NULL && newest != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        status = mem_array_grow((void **)&e->pending.list, &e->pending.cap, e->pending.count + 1,
            sizeof(*e->pending.list), EXEMPLARS_PENDING_MAX);
    }
    if (status != 0) {
        mem_free(labels);
        mem_free(newest);
        return status;
    }
    struct exemplar_item *taken = &e->pending.list[e->pending.count++];
    *taken = (struct exemplar_item){item->t_ms, item->value, str_make(labels, item->labels.len)};
    mem_free((char *)(uintptr_t)e->newest.labels.ptr);
    e->newest = *taken;
    e->newest.labels.ptr = newest;
    int64_t minute = minute_of(item->t_ms);
    e->in_minute = e->minute == minute ? e->in_minute + 1 : 1;
    e->minute = minute;
    return 0;
}

int exemplar_store_add(
    struct exemplar_store *s, uint64_t lsn, uint64_t key, const struct exemplar_item *item)
{
    lock_take(&s->lock);
    struct entry *e = find(s, key);
    int status = judge(s, e, item);
    if (status == 0 && e == NULL) {
        status = make(s, key, &e);
    }
    if (status == 0) {
        status = append(e, item);
    }
    if (status == 0) {
        s->pending++;
        s->taken++;
        s->pending_lsn = lsn < s->pending_lsn ? lsn : s->pending_lsn;
    }
    lock_give(&s->lock);
    return status;
}

void exemplar_store_counts(struct exemplar_store *s, uint64_t *taken_out, uint64_t *refused_out)
{
    lock_take(&s->lock);
    *taken_out = s->taken;
    *refused_out = s->refused;
    lock_give(&s->lock);
}

/* ---- Reading ---- */

uint64_t exemplar_store_oldest_lsn(struct exemplar_store *s)
{
    lock_take(&s->lock);
    uint64_t lsn = s->pending_lsn < s->frozen_lsn ? s->pending_lsn : s->frozen_lsn;
    lock_give(&s->lock);
    return lsn;
}

size_t exemplar_store_count(struct exemplar_store *s)
{
    lock_take(&s->lock);
    size_t count = s->pending + s->frozen;
    lock_give(&s->lock);
    return count;
}

int exemplar_store_keys(struct exemplar_store *s, uint64_t **keys_out, size_t *count_out)
{
    lock_take(&s->lock);
    uint64_t *keys = mem_calloc(s->series + 1, sizeof(*keys));
    size_t count = 0;
    for (size_t i = 0; keys != NULL && i < s->slot_count; i++) {
        const struct entry *e = s->slots[i];
        if (e != NULL && e->pending.count + e->frozen.count > 0) {
            keys[count++] = e->key;
        }
    }
    lock_give(&s->lock);
    *keys_out = keys;
    *count_out = count;
    return keys != NULL ? 0 : ERR_NOMEM;
}

/* Appends those in the range to `to`, which has room. */
static int copy_items(const struct items *items, int64_t min_t, int64_t max_t, struct arena *arena,
    struct exemplar_item *to, size_t *count)
{
    for (size_t i = 0; i < items->count; i++) {
        struct exemplar_item item = items->list[i];
        if (item.t_ms < min_t || item.t_ms > max_t) {
            continue;
        }
        item.labels.ptr = arena_dup(arena, item.labels.ptr, item.labels.len);
        if (item.labels.ptr == NULL) {
            return arena_error(arena);
        }
        to[(*count)++] = item;
    }
    return 0;
}

int exemplar_store_read(struct exemplar_store *s, uint64_t key, int64_t min_t, int64_t max_t,
    struct arena *arena, struct exemplar_item **items_out, size_t *count_out)
{
    int status = 0;
    lock_take(&s->lock);
    const struct entry *e = find(s, key);
    size_t most = e != NULL ? e->frozen.count + e->pending.count : 0, count = 0;
    struct exemplar_item *items = arena_calloc(arena, most + 1, sizeof(*items));
    if (items == NULL) {
        status = arena_error(arena);
    } else if (e != NULL) {
        status = copy_items(&e->frozen, min_t, max_t, arena, items, &count);
        status = status == 0 ? copy_items(&e->pending, min_t, max_t, arena, items, &count) : status;
    }
    lock_give(&s->lock);
    *items_out = items;
    *count_out = count;
    return status;
}

/* ---- Flushing ---- */

size_t exemplar_store_freeze(struct exemplar_store *s)
{
    lock_take(&s->lock);
    if (s->frozen == 0 && s->pending > 0) {
        for (size_t i = 0; i < s->slot_count; i++) {
            struct entry *e = s->slots[i];
            if (e != NULL) {
                assert(e->frozen.count == 0);
                mem_free(e->frozen.list);
                e->frozen = e->pending;
                e->pending = (struct items){0};
            }
        }
        s->frozen = s->pending;
        s->frozen_lsn = s->pending_lsn;
        s->pending = 0;
        s->pending_lsn = UINT64_MAX;
    }
    size_t frozen = s->frozen;
    lock_give(&s->lock);
    return frozen;
}

void exemplar_store_frozen(struct exemplar_store *s, uint64_t key,
    const struct exemplar_item **items_out, size_t *count_out)
{
    lock_take(&s->lock);
    const struct entry *e = find(s, key);
    *items_out = e != NULL ? e->frozen.list : NULL;
    *count_out = e != NULL ? e->frozen.count : 0;
    lock_give(&s->lock);
}

/* Series that are gone would stay for ever; what one that comes back brings is taken as from a new one. */
static void forget_idle(struct exemplar_store *s)
{
    struct entry **slots = mem_calloc(s->slot_count, sizeof(*slots));
    int64_t newest = INT64_MIN;
    if (slots == NULL) {
        return; // the next flush tries again
    }
    for (size_t i = 0; i < s->slot_count; i++) {
        const struct entry *e = s->slots[i];
        newest = e != NULL && e->newest.t_ms > newest ? e->newest.t_ms : newest;
    }
    for (size_t i = 0; i < s->slot_count; i++) {
        struct entry *e = s->slots[i];
        if (e != NULL && e->pending.count == 0 && newest - e->newest.t_ms > FORGOTTEN_AFTER_MS) {
            entry_free(e);
            s->slots[i] = NULL;
            s->series--;
        }
    }
    move_entries(s, slots, s->slot_count); // a search must not end at a hole
}

void exemplar_store_drop_frozen(struct exemplar_store *s)
{
    lock_take(&s->lock);
    for (size_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i] != NULL) {
            items_release(&s->slots[i]->frozen);
        }
    }
    s->frozen = 0;
    s->frozen_lsn = UINT64_MAX;
    if (s->series > SERIES_KEPT) {
        forget_idle(s);
    }
    lock_give(&s->lock);
}
