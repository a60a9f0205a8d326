/* A sorted array of entries, each one allocation. */
#include "head/metadata.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct metadata_entry {
    struct metric_metadata data; /* slices into `text` */
    char text[];
};

void metadata_init(struct metadata *m)
{
    *m = (struct metadata){0};
    lock_init(&m->lock, LOCK_RANK_LEAF);
}

void metadata_release(struct metadata *m)
{
    for (size_t i = 0; i < m->count; i++) {
        mem_free(m->entries[i]);
    }
    mem_free(m->entries);
    lock_release(&m->lock);
}

static struct str cut(struct str text)
{
    return str_make(text.ptr, text.len < METADATA_TEXT_MAX ? text.len : METADATA_TEXT_MAX);
}

static struct str copy(char **to, struct str text)
{
    struct str copied = str_make(*to, text.len);
    if (text.len > 0) {
        memcpy(*to, text.ptr, text.len);
    }
    *to += text.len;
    return copied;
}

static struct metadata_entry *entry_new(const struct metric_metadata *data)
{
    size_t size = data->metric.len + data->help.len + data->unit.len;
    struct metadata_entry *entry = mem_alloc(sizeof(*entry) + size);
    if (entry != NULL) {
        char *to = entry->text;
        entry->data.type = data->type;
        entry->data.metric = copy(&to, data->metric);
        entry->data.help = copy(&to, data->help);
        entry->data.unit = copy(&to, data->unit);
    }
    return entry;
}

/* The position of a metric, or where it belongs. */
static size_t find(const struct metadata *m, struct str metric)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(m->entries[middle]->data.metric, metric) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct metadata *m, size_t at, struct str metric)
{
    return at < m->count && str_eq(m->entries[at]->data.metric, metric);
}

static bool same(const struct metric_metadata *a, const struct metric_metadata *b)
{
    return a->type == b->type && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

bool metadata_differs(
    struct metadata *m, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    struct metric_metadata data = {cut(metric), type, cut(help), cut(unit)};
    lock_take(&m->lock);
    size_t at = find(m, data.metric);
    bool differs = is_at(m, at, data.metric) ? !same(&m->entries[at]->data, &data)
                                             : m->count < METADATA_METRICS_MAX;
    lock_give(&m->lock);
    return differs;
}

static int insert(struct metadata *m, size_t at, struct metadata_entry *entry)
{
    if (m->count >= METADATA_METRICS_MAX) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&m->entries, &m->cap, m->count + 1, sizeof(*m->entries), METADATA_METRICS_MAX);
    if (status != 0) {
        return status;
    }
    memmove(m->entries + at + 1, m->entries + at, (m->count - at) * sizeof(*m->entries));
    m->entries[at] = entry;
    m->count++;
    return 1;
}

int metadata_set(
    struct metadata *m, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    struct metric_metadata data = {cut(metric), type, cut(help), cut(unit)};
    struct metadata_entry *entry = entry_new(&data);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    lock_take(&m->lock);
    int status = 0;
    size_t at = find(m, data.metric);
    struct metadata_entry *unused = entry;
    if (!is_at(m, at, data.metric)) {
        status = insert(m, at, entry);
        unused = status == 1 ? NULL : entry;
    } else if (!same(&m->entries[at]->data, &data)) {
        unused = m->entries[at];
        m->entries[at] = entry;
        status = 1;
    }
    m->changes += status == 1;
    lock_give(&m->lock);
    mem_free(unused);
    return status;
}

/* A copy of an entry: the one named `metric`, or the first one after `metric`, or with an empty name
 * the first of all. NULL with 0: none. */
static int copy_entry(
    struct metadata *m, struct str metric, bool after, struct metadata_entry **entry_out)
{
    int status = 0;
    *entry_out = NULL;
    lock_take(&m->lock);
    size_t at = find(m, metric);
    bool there = is_at(m, at, metric);
    if (after && there) {
        at++;
    }
    if (at < m->count && (after || there)) {
        *entry_out = entry_new(&m->entries[at]->data);
        status = *entry_out != NULL ? 0 : ERR_NOMEM;
    }
    lock_give(&m->lock);
    return status;
}

int metadata_each(struct metadata *m, struct str metric,
    int (*callback)(void *context, const struct metric_metadata *metadata), void *context)
{
    struct metadata_entry *entry = NULL;
    int status = copy_entry(m, metric, metric.len == 0, &entry);
    while (status == 0 && entry != NULL) {
        status = callback(context, &entry->data);
        struct metadata_entry *next = NULL;
        if (status == 0 && metric.len == 0) {
            status = copy_entry(m, entry->data.metric, true, &next);
        }
        mem_free(entry);
        entry = next;
    }
    return status;
}
