/* Metadata by metric name. */
#include "intake/metric_metadata.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static void entry_release(struct metric_metadata_entry *e)
{
    mem_free((char *)(uintptr_t)e->metric.ptr);
    mem_free((char *)(uintptr_t)e->help.ptr);
    mem_free((char *)(uintptr_t)e->unit.ptr);
}

void metric_metadata_release(struct metric_metadata *m)
{
    for (size_t i = 0; i < m->count; i++) {
        entry_release(&m->entries[i]);
    }
    mem_free(m->entries);
    mem_free(m->slots);
    *m = (struct metric_metadata){0};
}

static size_t slot_of(const struct metric_metadata *m, struct str metric)
{
    size_t at = hash64(metric.ptr, metric.len, 0) & (m->slot_cap - 1);
    while (m->slots[at] != 0 && !str_eq(m->entries[m->slots[at] - 1].metric, metric)) {
        at = (at + 1) & (m->slot_cap - 1);
    }
    return at;
}

static bool grow_slots(struct metric_metadata *m)
{
    size_t cap = m->slot_cap == 0 ? 256 : m->slot_cap * 2;
    uint32_t *slots = mem_calloc(cap, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    mem_free(m->slots);
    m->slots = slots;
    m->slot_cap = cap;
    for (size_t i = 0; i < m->count; i++) {
        m->slots[slot_of(m, m->entries[i].metric)] = (uint32_t)i + 1;
    }
    return true;
}

/* The entry of a metric, made when new; NULL without memory or room. */
static struct metric_metadata_entry *get_entry(struct metric_metadata *m, struct str metric)
{
    if (m->count * 2 >= m->slot_cap && !grow_slots(m)) {
        return NULL;
    }
    size_t at = slot_of(m, metric);
    if (m->slots[at] != 0) {
        m->entries[m->slots[at] - 1].told = true;
        return &m->entries[m->slots[at] - 1];
    }
    char *copy = NULL;
    if (m->bytes + metric.len > METRIC_METADATA_BYTES_MAX ||
        mem_array_grow((void **)&m->entries, &m->cap, m->count + 1, sizeof(*m->entries),
            METRIC_METADATA_MAX) != 0 ||
        (copy = mem_strndup(metric.ptr, metric.len)) == NULL) {
        return NULL;
    }
    m->entries[m->count] = (struct metric_metadata_entry){
        .metric = str_make(copy, metric.len), .changed = true, .told = true};
    m->bytes += metric.len;
    m->slots[at] = (uint32_t)++m->count;
    m->changed = true;
    return &m->entries[m->count - 1];
}

void metric_metadata_type(struct metric_metadata *m, struct str metric, enum metric_type type)
{
    struct metric_metadata_entry *e = get_entry(m, metric);
    if (e != NULL && e->type != type) {
        e->type = type;
        e->changed = m->changed = true;
    }
}

static void set_text(
    struct metric_metadata *m, struct metric_metadata_entry *e, struct str *field, struct str text)
{
    if (text.len > METRIC_METADATA_TEXT_MAX) {
        text.len = METRIC_METADATA_TEXT_MAX;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) {
            text.len--; /* not in the middle of a character */
        }
    }
    if (str_eq(*field, text)) {
        return;
    }
    size_t others = m->bytes - field->len;
    char *copy =
        others + text.len <= METRIC_METADATA_BYTES_MAX ? mem_strndup(text.ptr, text.len) : NULL;
    if (copy != NULL) {
        mem_free((char *)(uintptr_t)field->ptr);
        m->bytes = others + text.len;
        *field = str_make(copy, text.len);
        e->changed = m->changed = true;
    }
}

void metric_metadata_help(struct metric_metadata *m, struct str metric, struct str help)
{
    struct metric_metadata_entry *e = get_entry(m, metric);
    if (e != NULL) {
        set_text(m, e, &e->help, help);
    }
}

void metric_metadata_unit(struct metric_metadata *m, struct str metric, struct str unit)
{
    struct metric_metadata_entry *e = get_entry(m, metric);
    if (e != NULL) {
        set_text(m, e, &e->unit, unit);
    }
}

void metric_metadata_sweep(struct metric_metadata *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct metric_metadata_entry *e = &m->entries[i];
        if (e->told) {
            e->told = false;
            m->entries[kept++] = *e;
        } else {
            m->bytes -= e->metric.len + e->help.len + e->unit.len;
            entry_release(e);
        }
    }
    m->count = kept;
    m->sweeps++;
    if (m->slot_cap > 0) {
        memset(m->slots, 0, m->slot_cap * sizeof(*m->slots));
        for (size_t i = 0; i < kept; i++) {
            m->slots[slot_of(m, m->entries[i].metric)] = (uint32_t)i + 1;
        }
    }
}

const struct metric_metadata_entry *metric_metadata_find(
    const struct metric_metadata *m, struct str metric)
{
    uint32_t index = m->slot_cap == 0 ? 0 : m->slots[slot_of(m, metric)];
    return index == 0 ? NULL : &m->entries[index - 1];
}

const struct metric_metadata_entry *metric_metadata_of_series(
    const struct metric_metadata *m, struct str series_name)
{
    static const struct {
        struct str suffix;
        uint32_t types; /* bits of the types whose series have it */
    } rows[] = {
        {{"_bucket", 7}, 1u << METRIC_TYPE_HISTOGRAM | 1u << METRIC_TYPE_GAUGE_HISTOGRAM},
        {{"_sum", 4}, 1u << METRIC_TYPE_HISTOGRAM | 1u << METRIC_TYPE_SUMMARY},
        {{"_count", 6}, 1u << METRIC_TYPE_HISTOGRAM | 1u << METRIC_TYPE_SUMMARY},
        {{"_gsum", 5}, 1u << METRIC_TYPE_GAUGE_HISTOGRAM},
        {{"_gcount", 7}, 1u << METRIC_TYPE_GAUGE_HISTOGRAM},
        {{"_total", 6}, 1u << METRIC_TYPE_COUNTER},
        {{"_created", 8},
            1u << METRIC_TYPE_COUNTER | 1u << METRIC_TYPE_HISTOGRAM | 1u << METRIC_TYPE_SUMMARY},
        {{"_info", 5}, 1u << METRIC_TYPE_INFO},
    };
    const struct metric_metadata_entry *e = metric_metadata_find(m, series_name);
    for (size_t i = 0; e == NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_ends_with(series_name, rows[i].suffix)) {
            e = metric_metadata_find(
                m, str_make(series_name.ptr, series_name.len - rows[i].suffix.len));
            e = e != NULL && (rows[i].types >> e->type & 1) != 0 ? e : NULL;
        }
    }
    return e;
}
