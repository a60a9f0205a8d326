/* A rule's series from one evaluation to the next. Handles of the store are kept with them, so that a rule
 * that goes on writing the same series asks for none of them again. */
#include "rules/rule_series.h"

#include "base/mem.h"
#include "model/sample.h"

void rule_series_release(struct rule_series *s)
{
    for (size_t i = 0; i < s->count; i++) {
        labels_unref(s->items[i].labels);
    }
    mem_free(s->items);
    labels_index_release(&s->index);
    *s = (struct rule_series){0};
}

static size_t find(const struct rule_series *s, const struct labels *labels)
{
    return labels_index_find(&s->index, s->items, sizeof(*s->items), labels);
}

bool rule_series_has(const struct rule_series *s, const struct labels *labels)
{
    return find(s, labels) != SIZE_MAX;
}

static int add(struct rule_series *s, const struct rule_series_entry *entry)
{
    int status = mem_array_grow(
        (void **)&s->items, &s->cap, s->count + 1, sizeof(*s->items), GROUP_WRITES_MAX);
    if (status == 0) {
        status = labels_index_reserve(&s->index, s->items, sizeof(*s->items), s->count, s->cap);
    }
    if (status == 0) {
        s->items[s->count] = *entry;
        labels_ref(entry->labels);
        labels_index_add(&s->index, s->items, sizeof(*s->items), s->count++);
    }
    return status;
}

int rule_series_remember(struct rule_series *s, const struct labels *labels)
{
    const struct rule_series_entry entry = {.labels = labels, .place = SIZE_MAX};
    return rule_series_has(s, labels) ? 0 : add(s, &entry);
}

int rule_series_write(struct rule_series *s, struct group_writes *w, const struct labels *labels,
    int64_t t_ms, double value, const struct histogram *histogram, struct err *e)
{
    size_t written;
    int status = group_writes_put(w, labels, t_ms, value, histogram, &written, e);
    if (status != 0) {
        return status;
    }
    size_t place = find(s, labels);
    if (place == SIZE_MAX) {
        place = s->count;
        const struct rule_series_entry entry = {.labels = w->items[written].labels};
        status = add(s, &entry);
        if (status != 0) {
            return err_set(e, status, -1, "%s", err_text(status));
        }
    }
    struct rule_series_entry *entry = &s->items[place];
    entry->seen = true;
    entry->place = written;
    if (entry->has_ref) {
        w->items[written].ref = entry->ref;
        w->items[written].has_ref = true;
    }
    return 0;
}

int rule_series_end_missed(
    struct rule_series *s, struct group_writes *w, int64_t t_ms, struct err *e)
{
    size_t kept = 0;
    int status = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct rule_series_entry *entry = &s->items[i];
        if (!entry->seen && status == 0) {
            status = group_writes_put(w, entry->labels, t_ms, value_stale_marker(), NULL, NULL, e);
        }
        if (!entry->seen && status == 0) {
            labels_unref(entry->labels);
            continue;
        }
        entry->seen = false;
        s->items[kept++] = *entry;
    }
    if (kept != s->count) {
        s->count = kept;
        labels_index_fill(&s->index, s->items, sizeof(*s->items), s->count);
    }
    return status;
}

void rule_series_learn(struct rule_series *s, const struct group_writes *w)
{
    for (size_t i = 0; i < s->count; i++) {
        struct rule_series_entry *entry = &s->items[i];
        if (!entry->has_ref && entry->place < w->count &&
            w->items[entry->place].labels == entry->labels) {
            entry->has_ref = w->items[entry->place].has_ref;
            entry->ref = w->items[entry->place].ref;
        }
    }
}

int rule_series_absorb(struct rule_series *s, struct rule_series *from)
{
    if (s->count == 0) {
        rule_series_release(s);
        *s = *from;
        *from = (struct rule_series){0};
        return 0;
    }
    for (size_t i = 0; i < from->count; i++) {
        int status = rule_series_has(s, from->items[i].labels) ? 0 : add(s, &from->items[i]);
        if (status != 0) {
            return status;
        }
    }
    rule_series_release(from);
    return 0;
}
