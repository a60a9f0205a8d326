/* What one target exposed before.
 *
 * An entry is in the order of the last good scrape, or it waits to be forgotten; while a scrape is read a new
 * one is only in that scrape's own list. Whether a scrape has an entry is seen from its generation, or from its
 * position where the order was followed line by line: then nothing was written.
 *
 * The table grows by moving a few entries with each one that is added: to move a million at once takes longer
 * than other targets should wait.
 */
#include "scrape/series_cache.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

/* MOVED_AT_ONCE: enough for a table to be empty long before the next one is full. */
enum { KEEP_GENERATIONS = 2, SLOTS_MIN = 256, MOVED_AT_ONCE = 8 };

/* Lists of more than this are given back when they are not in use. */
enum { SPARE_ENTRIES_MAX = 8192 };

void series_cache_init(struct series_cache *c, uint64_t seed)
{
    *c = (struct series_cache){.seed = seed};
}

static void release_list(struct series_list *list)
{
    mem_free(list->items);
    *list = (struct series_list){0};
}

static void free_entries(struct series_table *table, size_t from)
{
    for (size_t i = from; i < table->cap; i++) {
        mem_free(table->slots[i]);
    }
}

void series_cache_release(struct series_cache *c)
{
    free_entries(&c->table, 0);
    free_entries(&c->narrow, c->moved); /* the others are in the table, too */
    mem_free(c->table.slots);
    mem_free(c->narrow.slots);
    release_list(&c->order);
    release_list(&c->next);
    release_list(&c->waiting);
    series_cache_init(c, c->seed);
}

/* What the allocator takes for a block: a word in front, in steps of two. */
static size_t block_bytes(size_t size)
{
    return (size + sizeof(size_t) + 15) / 16 * 16;
}

size_t series_cache_bytes(const struct series_cache *c)
{
    size_t pointers = c->table.cap + c->narrow.cap + c->order.cap + c->next.cap + c->waiting.cap;
    return c->entry_bytes + pointers * sizeof(struct series_entry *);
}

/* ---- Lines ---- */

void series_cache_begin(struct series_cache *c)
{
    assert(c->settling == SERIES_SETTLED);
    c->generation++;
    c->next.count = 0;
    c->expected = 0;
    c->followed = 0;
    c->lost = 0;
    c->exact = c->order.count > 0;
}

static int list_add(struct series_list *list, struct series_entry *entry)
{
    int status = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
        sizeof(struct series_entry *), SERIES_CACHE_MAX);
    if (status == 0) {
        list->items[list->count++] = entry;
    }
    return status;
}

/* A line is not the expected one: what was passed by is written down. */
static void leave_the_order(struct series_cache *c)
{
    if (!c->exact) {
        return;
    }
    c->lost = mem_array_grow((void **)&c->next.items, &c->next.cap, c->expected + 1,
        sizeof(struct series_entry *), SERIES_CACHE_MAX);
    if (c->lost != 0) {
        return; /* the next mark says so */
    }
    memcpy(c->next.items, c->order.items, c->expected * sizeof(struct series_entry *));
    c->next.count = c->followed = c->expected;
    c->exact = false;
}

/* Whether the scrape has it already. */
static bool has(const struct series_cache *c, const struct series_entry *entry)
{
    return entry->generation == c->generation || entry->position < c->followed;
}

int series_cache_mark(struct series_cache *c, struct series_entry *entry)
{
    if (c->lost != 0) {
        return c->lost;
    }
    if (has(c, entry)) {
        return 0;
    }
    c->lost = list_add(&c->next, entry);
    if (c->lost != 0) {
        return c->lost;
    }
    entry->generation = c->generation;
    return 1;
}

/* ---- The table ---- */

static uint32_t hash_of(const struct series_cache *c, struct str text)
{
    return (uint32_t)hash64(text.ptr, text.len, c->seed);
}

static struct series_entry **slot_of(
    const struct series_table *table, struct str text, uint32_t hash)
{
    size_t at = hash & (table->cap - 1);
    while (table->slots[at] != NULL &&
           (table->slots[at]->hash != hash || !str_eq(series_entry_text(table->slots[at]), text))) {
        at = (at + 1) & (table->cap - 1);
    }
    return &table->slots[at];
}

static void put(struct series_table *table, struct series_entry *entry)
{
    size_t at = entry->hash & (table->cap - 1);
    while (table->slots[at] != NULL) {
        at = (at + 1) & (table->cap - 1);
    }
    table->slots[at] = entry;
}

/* Moves entries of up to so many slots; true when all have. */
static bool move_entries(struct series_cache *c, size_t slots)
{
    for (; c->moved < c->narrow.cap && slots > 0; c->moved++, slots--) {
        if (c->narrow.slots[c->moved] != NULL) {
            put(&c->table, c->narrow.slots[c->moved]);
        }
    }
    if (c->moved < c->narrow.cap) {
        return false;
    }
    mem_free(c->narrow.slots);
    c->narrow = (struct series_table){0};
    c->moved = 0;
    return true;
}

static bool widen(struct series_cache *c)
{
    assert(c->narrow.cap == 0);
    size_t cap = c->table.cap == 0 ? SLOTS_MIN : c->table.cap * 2;
    struct series_entry **slots = mem_calloc(cap, sizeof(struct series_entry *));
    if (slots == NULL) {
        return false;
    }
    c->narrow = c->table;
    c->table = (struct series_table){slots, cap};
    (void)move_entries(c, MOVED_AT_ONCE);
    return true;
}

static struct series_entry *look_up(struct series_cache *c, struct str text)
{
    uint32_t hash = hash_of(c, text);
    struct series_entry *found = c->table.cap > 0 ? *slot_of(&c->table, text, hash) : NULL;
    return found == NULL && c->narrow.cap > 0 ? *slot_of(&c->narrow, text, hash) : found;
}

struct series_entry *series_cache_find(struct series_cache *c, struct str text)
{
    leave_the_order(c);
    struct series_entry *expected = series_cache_peek(c);
    if (expected != NULL && str_eq(series_entry_text(expected), text)) {
        c->hits++;
        c->expected++;
        return expected;
    }
    c->misses++;
    struct series_entry *found = look_up(c, text);
    /* Lines were left out: go on behind this one. Where one was moved or put in between, the line
     * expected is still to come. */
    if (found != NULL && found->position >= c->expected && found->position < c->order.count) {
        c->expected = found->position + 1;
    }
    return found;
}

struct series_entry *series_cache_add(
    struct series_cache *c, struct str text, struct str labels_bytes)
{
    if (c->count >= SERIES_CACHE_MAX || text.len > SERIES_TEXT_MAX ||
        labels_bytes.len > SERIES_TEXT_MAX) {
        return NULL;
    }
    if (c->count * 4 >= c->table.cap * 3 && !widen(c)) {
        return NULL;
    }
    /* One block: entries are walked in the order in which they were made. */
    size_t size = sizeof(struct series_entry) + text.len + labels_bytes.len;
    struct series_entry *e = mem_alloc(size);
    if (e == NULL) {
        return NULL;
    }
    char *bytes = (char *)(e + 1);
    *e = (struct series_entry){.text_size = (uint32_t)text.len,
        .labels_size = (uint32_t)labels_bytes.len,
        .position = SERIES_NOWHERE,
        .hash = hash_of(c, text)};
    memcpy(bytes, text.ptr, text.len);
    if (labels_bytes.len > 0) {
        memcpy(bytes + text.len, labels_bytes.ptr, labels_bytes.len);
    }
    put(&c->table, e);
    c->count++;
    c->entry_bytes += block_bytes(size);
    (void)move_entries(c, MOVED_AT_ONCE);
    return e;
}

/* Takes an entry out of the table and closes the gap, so that no chain of open addressing breaks:
 * what follows moves back unless it already stands between its own slot and the gap. */
static void forget(struct series_cache *c, struct series_entry *entry)
{
    struct series_entry **slots = c->table.slots;
    size_t mask = c->table.cap - 1, gap = entry->hash & mask;
    while (slots[gap] != entry) {
        gap = (gap + 1) & mask;
    }
    for (size_t i = (gap + 1) & mask; slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            slots[gap] = slots[i];
            gap = i;
        }
    }
    slots[gap] = NULL;
    c->count--;
    c->entry_bytes -= block_bytes(sizeof(*entry) + entry->text_size + entry->labels_size);
    mem_free(entry);
}

/* ---- What a scrape leaves behind ---- */

void series_cache_settle(struct series_cache *c, bool good)
{
    assert(c->settling == SERIES_SETTLED);
    c->settling = good ? SERIES_END_MISSING : SERIES_END_ALL;
    c->at = !good ? 0 : c->exact ? c->expected : c->followed;
    c->kept = 0;
}

static void end(struct series_entry *entry, series_cache_vanished vanished, void *context)
{
    if (entry->live) {
        entry->live = false;
        vanished(context, entry);
    }
}

/* Without memory it stays as it is, in no list, until the cache goes. */
static void keep_waiting(struct series_cache *c, struct series_entry *entry, uint32_t generation)
{
    entry->generation = generation;
    entry->position = SERIES_NOWHERE;
    entry->waiting = entry->waiting || list_add(&c->waiting, entry) == 0;
}

static void end_missing(
    struct series_cache *c, size_t until, series_cache_vanished vanished, void *context)
{
    for (; c->at < until; c->at++) {
        struct series_entry *entry = c->order.items[c->at];
        if (entry->generation != c->generation) {
            end(entry, vanished, context);
            keep_waiting(c, entry, c->generation - 1);
        }
    }
}

static void forget_waiting(struct series_cache *c, size_t until)
{
    for (; c->at < until; c->at++) {
        struct series_entry *entry = c->waiting.items[c->at];
        if (entry->position != SERIES_NOWHERE) {
            entry->waiting = false; /* it came back */
        } else if (entry->generation + KEEP_GENERATIONS < c->generation) {
            forget(c, entry);
        } else {
            c->waiting.items[c->kept++] = entry;
        }
    }
}

static void give_back(struct series_list *list)
{
    list->count = 0;
    if (list->cap > SPARE_ENTRIES_MAX) {
        release_list(list);
    }
}

/* How many entries the walk under way is over. */
static size_t walk_length(const struct series_cache *c)
{
    switch (c->settling) {
    case SERIES_END_MISSING:
    case SERIES_END_ALL:
        return c->order.count;
    case SERIES_PLACE:
    case SERIES_KEEP_NEW:
        return c->next.count;
    case SERIES_FORGET:
        return c->waiting.count;
    case SERIES_SETTLED:
        break;
    }
    return 0;
}

/* A walk is over: the next one. */
static void turn(struct series_cache *c)
{
    switch (c->settling) {
    case SERIES_END_MISSING:
        if (c->exact) { /* the new order is the beginning of the old one */
            c->order.count = c->expected;
            c->settling = SERIES_FORGET;
            c->at = 0;
        } else {
            c->settling = SERIES_PLACE;
            c->at = c->followed;
        }
        break;
    case SERIES_PLACE: {
        struct series_list before = c->order;
        c->order = c->next;
        c->next = before;
        give_back(&c->next);
        c->settling = SERIES_FORGET;
        c->at = 0;
        break;
    }
    case SERIES_END_ALL:
        c->settling = SERIES_KEEP_NEW;
        c->at = 0;
        break;
    case SERIES_KEEP_NEW:
        give_back(&c->next);
        c->settling = SERIES_FORGET;
        c->at = 0;
        break;
    case SERIES_FORGET:
        c->waiting.count = c->kept;
        c->settling = SERIES_SETTLED;
        break;
    case SERIES_SETTLED:
        break;
    }
}

static void walk(
    struct series_cache *c, size_t until, series_cache_vanished vanished, void *context)
{
    switch (c->settling) {
    case SERIES_END_MISSING:
        end_missing(c, until, vanished, context);
        break;
    case SERIES_PLACE:
        for (; c->at < until; c->at++) {
            c->next.items[c->at]->position = (uint32_t)c->at;
        }
        break;
    case SERIES_END_ALL:
        for (; c->at < until; c->at++) {
            end(c->order.items[c->at], vanished, context);
        }
        break;
    case SERIES_KEEP_NEW:
        for (; c->at < until; c->at++) {
            struct series_entry *entry = c->next.items[c->at];
            if (entry->position == SERIES_NOWHERE) {
                keep_waiting(c, entry, c->generation);
            }
        }
        break;
    case SERIES_FORGET:
        forget_waiting(c, until);
        break;
    case SERIES_SETTLED:
        break;
    }
}

bool series_cache_step(
    struct series_cache *c, size_t entries, series_cache_vanished vanished, void *context)
{
    if (c->narrow.cap > 0 && !move_entries(c, entries)) {
        return false; /* entries are forgotten in one table alone */
    }
    while (c->settling != SERIES_SETTLED) {
        size_t length = walk_length(c), left = length > c->at ? length - c->at : 0;
        size_t now = left < entries ? left : entries;
        walk(c, c->at + now, vanished, context);
        entries -= now;
        if (now < left) {
            return false;
        }
        turn(c);
    }
    return true;
}
