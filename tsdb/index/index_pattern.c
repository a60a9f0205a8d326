/* Patterns on values, and the memory of what they matched.
 *
 * A pattern runs over the unique values of a name, outside the lock: texts are copied out some at a
 * time, and the caller's pin keeps their bytes. Which values matched is remembered by name and
 * pattern, so the next selection with it looks only at values that came since. When a slot that a value
 * has left gets another, what is remembered of the name is forgotten.
 *
 * Dashboards ask with the same few patterns for ever: INDEX_PATTERNS_MAX of them are remembered, those
 * used last, with PATTERN_SLOTS_MAX values in all.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "index/index_private.h"

/* Matching values of all patterns together: 8 MiB. */
#define PATTERN_SLOTS_MAX ((size_t)1 << 21)
/* Names with fewer values are not worth remembering. */
enum { PATTERN_VALUES_MIN = 64 };
/* Texts copied under one lock, and ids put into a set in one go. */
enum { TEXTS_AT_ONCE = 256, IDS_AT_ONCE = 1024 };

/* ---- Ids of values ---- */

/* Most values of a large name have one id; sets take many of those in one go. */
struct adding {
    struct id_set *into;
    uint32_t ids[IDS_AT_ONCE];
    size_t count;
};

static int flush_ids(struct adding *a)
{
    int status = a->count > 0 ? id_set_add_many(a->into, a->ids, a->count) : 0;
    a->count = 0;
    return status;
}

static int add_value(struct adding *a, const struct index_value *value)
{
    if (value->ids.count != 1) {
        return posting_list_add_to(&value->ids, a->into);
    }
    a->ids[a->count++] = value->ids.single;
    return a->count == IDS_AT_ONCE ? flush_ids(a) : 0;
}

/* ---- What is remembered, with the lock ---- */

static void forget(struct index *ix, struct pattern_entry *entry)
{
    ix->pattern_slots -= entry->cap;
    mem_free(entry->pattern);
    mem_free(entry->slots);
    *entry = (struct pattern_entry){.name = NULL};
}

void index_patterns_release(struct index *ix)
{
    for (int i = 0; i < INDEX_PATTERNS_MAX; i++) {
        forget(ix, &ix->patterns[i]);
    }
}

/* NULL when there is none that still holds. */
static struct pattern_entry *recall(
    struct index *ix, const struct index_name *name, struct str pattern)
{
    for (int i = 0; i < INDEX_PATTERNS_MAX; i++) {
        struct pattern_entry *entry = &ix->patterns[i];
        if (entry->name != name || !str_eq_c(pattern, entry->pattern)) {
            continue;
        }
        if (entry->meanings == name->meanings) {
            entry->used = ++ix->pattern_uses;
            return entry;
        }
        forget(ix, entry);
    }
    return NULL;
}

/* The place of the pattern that was not used for longest. */
static struct pattern_entry *make_place(struct index *ix)
{
    struct pattern_entry *oldest = &ix->patterns[0];
    for (int i = 1; i < INDEX_PATTERNS_MAX; i++) {
        oldest = ix->patterns[i].used < oldest->used ? &ix->patterns[i] : oldest;
    }
    forget(ix, oldest);
    return oldest;
}

/* A value that matched. */
struct found_value {
    uint32_t slot;
    struct str text;
};

struct scan {
    struct index_name *name;
    const struct matcher *matcher;
    uint32_t from, end; /* slots that were looked at */
    uint32_t meanings;  /* of the name, when it began */
    struct found_value *found;
    size_t count, cap;
};

/* Only what costs nothing but time is lost when memory is short. */
static void remember(struct index *ix, const struct scan *s)
{
    struct pattern_entry *entry = recall(ix, s->name, s->matcher->value);
    if (s->end < PATTERN_VALUES_MIN || (entry != NULL && entry->scanned != s->from) ||
        (entry == NULL && s->from > 0)) {
        return; // another thread did, or forgot, meanwhile
    }
    if (entry == NULL) {
        entry = make_place(ix);
        entry->pattern = mem_calloc(s->matcher->value.len + 1, 1);
        if (entry->pattern == NULL) {
            return;
        }
        memcpy(entry->pattern, s->matcher->value.ptr, s->matcher->value.len);
        entry->name = s->name;
        entry->meanings = s->meanings;
        entry->used = ++ix->pattern_uses;
    }
    size_t cap = entry->cap;
    int status = mem_array_grow((void **)&entry->slots, &cap, entry->count + s->count,
        sizeof(*entry->slots), PATTERN_SLOTS_MAX);
    ix->pattern_slots += cap - entry->cap;
    entry->cap = (uint32_t)cap;
    if (status != 0 || ix->pattern_slots > PATTERN_SLOTS_MAX) {
        forget(ix, entry);
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        entry->slots[entry->count++] = s->found[i].slot;
    }
    entry->scanned = s->end;
}

/* ---- Looking ---- */

/* Ids of what is remembered go into the set; the scan begins behind it. */
static int begin(struct index *ix, struct scan *s, struct adding *a)
{
    const struct pattern_entry *entry = recall(ix, s->name, s->matcher->value);
    int status = 0;
    s->meanings = s->name->meanings;
    s->end = s->name->slot_count;
    if (entry != NULL) {
        ix->pattern_hits++;
        s->from = entry->scanned;
        for (uint32_t i = 0; status == 0 && i < entry->count; i++) {
            status = add_value(a, index_value_at(s->name, entry->slots[i]));
        }
    }
    return status;
}

static int match(struct scan *s, uint32_t first, const struct str *texts, uint32_t count)
{
    const struct regex_hints *hints = regex_hints(s->matcher->regex);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        if (texts[i].ptr == NULL || !str_starts_with(texts[i], hints->prefix) ||
            !regex_matches(s->matcher->regex, texts[i])) {
            continue;
        }
        status = mem_array_grow(
            (void **)&s->found, &s->cap, s->count + 1, sizeof(*s->found), INDEX_IDS_MAX);
        if (status == 0) {
            s->found[s->count++] = (struct found_value){first + i, texts[i]};
        }
    }
    return status;
}

static int look(struct index *ix, struct scan *s)
{
    struct str texts[TEXTS_AT_ONCE];
    int status = 0;
    for (uint32_t at = s->from; status == 0 && at < s->end; at += TEXTS_AT_ONCE) {
        uint32_t count = 0;
        lock_take(&ix->lock);
        while (count < TEXTS_AT_ONCE && at + count < s->end && at + count < s->name->slot_count) {
            texts[count] = index_value_at(s->name, at + count)->text;
            count++;
        }
        lock_give(&ix->lock);
        status = match(s, at, texts, count);
    }
    return status;
}

/* With the lock. Values that left meanwhile are not found again, and slots may mean others. */
static int add_found(struct index *ix, const struct scan *s, struct adding *a)
{
    bool stands = s->meanings == s->name->meanings;
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->count; i++) {
        const struct index_value *value = stands ? index_value_at(s->name, s->found[i].slot)
                                                 : index_value_find(ix, s->name, s->found[i].text);
        status = value != NULL ? add_value(a, value) : 0;
    }
    if (status == 0 && stands && s->end > s->from) {
        remember(ix, s);
    }
    return status;
}

int index_add_pattern(
    struct index *ix, struct index_name *name, const struct matcher *m, struct id_set *into)
{
    struct scan s = {.name = name, .matcher = m};
    struct adding a;
    a.into = into;
    a.count = 0;
    lock_take(&ix->lock);
    int status = begin(ix, &s, &a);
    lock_give(&ix->lock);
    status = status == 0 ? look(ix, &s) : status;
    lock_take(&ix->lock);
    status = status == 0 ? add_found(ix, &s, &a) : status;
    lock_give(&ix->lock);
    status = status == 0 ? flush_ids(&a) : status;
    mem_free(s.found);
    return status;
}
