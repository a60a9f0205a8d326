/* What one target exposed before. */
#include "scrape/series_cache.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Of the text of one series, and of its labels. */
enum { KEEP_GENERATIONS = 2, SERIES_TEXT_MAX = 4 << 20 };

void series_cache_init(struct series_cache *c, uint64_t seed)
{
    *c = (struct series_cache){.seed = seed};
}

void series_cache_release(struct series_cache *c)
{
    for (size_t i = 0; i < c->slot_cap; i++) {
        mem_free(c->slots[i]);
    }
    mem_free(c->slots);
    mem_free(c->order);
    mem_free(c->next_order);
    series_cache_init(c, c->seed);
}

void series_cache_begin(struct series_cache *c)
{
    c->generation++;
    c->next_count = 0;
    c->expected = 0;
    c->exact = c->order_count > 0;
}

static void add_to_order(struct series_cache *c, struct series_entry *entry)
{
    if (mem_array_grow((void **)&c->next_order, &c->next_cap, c->next_count + 1,
            sizeof(struct series_entry *), SERIES_CACHE_MAX) == 0) {
        c->next_order[c->next_count++] = entry;
    }
}

/* A line is not the expected one: what was only passed by is written down, as if each line had been
 * marked. The entries still to come were in the last good scrape. */
static void leave_the_path(struct series_cache *c)
{
    if (!c->exact) {
        return;
    }
    c->exact = false;
    for (size_t i = 0; i < c->order_count; i++) {
        bool passed = i < c->expected;
        c->order[i]->generation = passed ? c->generation : c->generation - 1;
        if (passed) {
            add_to_order(c, c->order[i]);
        }
    }
}

bool series_cache_take(struct series_cache *c)
{
    struct series_entry *entry = c->order[c->expected];
    bool is_new = !entry->live;
    if (!c->exact) {
        (void)series_cache_mark(c, entry, &is_new);
    }
    c->expected++;
    c->hits++;
    return is_new;
}

static uint32_t hash_of(const struct series_cache *c, struct str text)
{
    return (uint32_t)hash64(text.ptr, text.len, c->seed);
}

static size_t slot_of(const struct series_cache *c, struct str text, uint32_t hash)
{
    size_t at = hash & (c->slot_cap - 1);
    while (c->slots[at] != NULL &&
           (c->slots[at]->hash != hash || !str_eq(series_entry_text(c->slots[at]), text))) {
        at = (at + 1) & (c->slot_cap - 1);
    }
    return at;
}

struct series_entry *series_cache_find(struct series_cache *c, struct str text)
{
    leave_the_path(c);
    if (c->expected < c->order_count && str_eq(series_entry_text(c->order[c->expected]), text)) {
        c->hits++;
        return c->order[c->expected++];
    }
    c->misses++;
    if (c->slot_cap == 0) {
        return NULL;
    }
    struct series_entry *found = c->slots[slot_of(c, text, hash_of(c, text))];
    /* Lines were left out: go on behind this one. Where one was moved or put in between, the line
     * expected is still to come. */
    if (found != NULL && found->position >= c->expected && found->position < c->order_count &&
        c->order[found->position] == found) {
        c->expected = found->position + 1;
    }
    return found;
}

/* Makes the table `cap` wide. */
static bool widen(struct series_cache *c, size_t cap)
{
    struct series_entry **before = c->slots;
    size_t before_cap = c->slot_cap;
    struct series_entry **slots = mem_calloc(cap, sizeof(struct series_entry *));
    if (slots == NULL) {
        return false;
    }
    c->slots = slots;
    c->slot_cap = cap;
    for (size_t i = 0; i < before_cap; i++) {
        if (before[i] != NULL) {
            c->slots[slot_of(c, series_entry_text(before[i]), before[i]->hash)] = before[i];
        }
    }
    mem_free(before);
    return true;
}

struct series_entry *series_cache_add(
    struct series_cache *c, struct str text, struct str labels_bytes)
{
    if (c->count >= SERIES_CACHE_MAX) {
        return NULL;
    }
    if (c->count * 4 >= c->slot_cap * 3 && !widen(c, c->slot_cap == 0 ? 256 : c->slot_cap * 2)) {
        return NULL;
    }
    if (text.len > SERIES_TEXT_MAX || labels_bytes.len > SERIES_TEXT_MAX) {
        return NULL;
    }
    /* One block: entries are walked in the order in which they were made. */
    struct series_entry *e = mem_alloc(sizeof(*e) + text.len + labels_bytes.len);
    if (e == NULL) {
        return NULL;
    }
    char *bytes = (char *)(e + 1);
    *e = (struct series_entry){
        .text_size = (uint32_t)text.len, .labels_size = (uint32_t)labels_bytes.len};
    memcpy(bytes, text.ptr, text.len);
    if (labels_bytes.len > 0) {
        memcpy(bytes + text.len, labels_bytes.ptr, labels_bytes.len);
    }
    e->hash = hash_of(c, text);
    c->slots[slot_of(c, text, e->hash)] = e;
    c->count++;
    return e;
}

bool series_cache_mark(struct series_cache *c, struct series_entry *entry, bool *is_new_out)
{
    if (entry->generation == c->generation) {
        return false;
    }
    *is_new_out = entry->generation == 0 || entry->generation + 1 < c->generation || !entry->live;
    entry->generation = c->generation;
    add_to_order(c, entry);
    return true;
}

/* Takes an entry out of the table and closes the gap, so that no chain of open addressing breaks:
 * what follows moves back unless it already stands between its own slot and the gap. */
static void remove_at(struct series_cache *c, size_t at)
{
    mem_free(c->slots[at]);
    c->count--;
    size_t gap = at, mask = c->slot_cap - 1;
    for (size_t i = (at + 1) & mask; c->slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = c->slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            c->slots[gap] = c->slots[i];
            gap = i;
        }
    }
    c->slots[gap] = NULL;
}

/* Forgets entries that no scrape had lately. */
static void expire(struct series_cache *c)
{
    for (size_t i = 0; i < c->slot_cap;) {
        struct series_entry *e = c->slots[i];
        if (e != NULL && e->generation + KEEP_GENERATIONS < c->generation) {
            remove_at(c, i); /* another may have moved here: look again */
        } else {
            i++;
        }
    }
}

static void report_vanished(struct series_cache *c, uint32_t seen,
    void (*vanished)(void *context, struct series_entry *entry), void *context)
{
    for (size_t i = 0; i < c->slot_cap; i++) {
        struct series_entry *e = c->slots[i];
        if (e != NULL && e->live && e->generation != seen) {
            e->live = false;
            vanished(context, e);
        }
    }
}

void series_cache_end(struct series_cache *c,
    void (*vanished)(void *context, struct series_entry *entry), void *context)
{
    if (c->exact && c->expected == c->order_count && c->count == c->order_count) {
        return; /* the same series as before in the same order, and none to forget */
    }
    leave_the_path(c);
    report_vanished(c, c->generation, vanished, context);
    struct series_entry **order = c->order;
    size_t cap = c->order_cap;
    c->order = c->next_order;
    c->order_cap = c->next_cap;
    c->order_count = c->next_count;
    for (size_t i = 0; i < c->order_count; i++) {
        c->order[i]->position = (uint32_t)i;
    }
    c->next_order = order;
    c->next_cap = cap;
    c->next_count = 0;
    expire(c);
}

void series_cache_fail(struct series_cache *c,
    void (*vanished)(void *context, struct series_entry *entry), void *context)
{
    /* The order of the last good scrape stays: it is the best guess for the next one. */
    report_vanished(c, UINT32_MAX, vanished, context);
    for (size_t i = 0; i < c->order_count; i++) {
        c->order[i]->generation = c->generation; /* not too old to keep */
    }
    c->next_count = 0;
    expire(c); /* a target that fails with new series each time must not fill the memory */
}
