/* Tables, and the way from labels to columns; views and statistics. */
#include "head/head.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "head/head_private.h"

/* ---- The WAL's questions ---- */

static struct head *head_of(struct wal_dictionary *dictionary)
{
    return (struct head *)((char *)dictionary - offsetof(struct head, dictionary));
}

static const struct labels *dictionary_target(struct wal_dictionary *dictionary, uint32_t id)
{
    struct head *h = head_of(dictionary);
    return index_labels(h->options.index, INDEX_TARGETS, head_table(h, id)->target);
}

static const struct labels *dictionary_shape(struct wal_dictionary *dictionary, uint32_t id)
{
    return index_labels(head_of(dictionary)->options.index, INDEX_SHAPES, id);
}

static void dictionary_columns(struct wal_dictionary *dictionary, uint32_t id, uint32_t first,
    uint32_t count, struct column *columns_out)
{
    struct table *t = head_table(head_of(dictionary), id);
    lock_take(&t->lock);
    assert(first + count <= t->column_count);
    memcpy(columns_out, t->columns + first, count * sizeof(*columns_out));
    lock_give(&t->lock);
}

struct wal_dictionary *head_dictionary(struct head *h)
{
    return &h->dictionary;
}

/* ---- Life ---- */

int head_new(const struct head_options *options, struct head **head_out)
{
    struct head *h = mem_calloc(1, sizeof(*h));
    struct key_cache *cache = key_cache_new();
    if (h == NULL || cache == NULL || limits_init(&h->limits) != 0 ||
        overflow_init(
            &h->overflow, clock_now_ms(options->clock), clock_monotonic_ms(options->clock)) != 0) {
        if (h != NULL) {
            limits_release(&h->limits);
            overflow_release(&h->overflow);
        }
        mem_free(h);
        key_cache_unref(cache);
        return ERR_NOMEM;
    }
    h->cache = cache;
    lock_init(&h->cache_lock, LOCK_RANK_LEAF);
    h->options = *options;
    h->source = (struct appender_source){head_appender_open, hash_seed_random()};
    h->dictionary =
        (struct wal_dictionary){dictionary_target, dictionary_shape, dictionary_columns};
    metadata_init(&h->metadata);
    lock_init(&h->registry_lock, LOCK_RANK_INDEX);
    lock_init(&h->commit_lock, LOCK_RANK_COMMIT);
    lock_init(&h->view_lock, LOCK_RANK_LEAF);
    change_log_init(&h->changes);
    lock_condition_init(&h->commit_done);
    stable_array_init(&h->tables, sizeof(struct table * _Atomic));
    stable_array_init(&h->targets, sizeof(struct target_tables));
    *head_out = h;
    return 0;
}

void head_free(struct head *h)
{
    if (h == NULL) {
        return;
    }
    assert(h->views_first == NULL);
    uint32_t count = atomic_load_explicit(&h->table_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        table_free(head_table(h, i));
    }
    head_free_leaving(h, UINT64_MAX);
    stable_array_release(&h->tables);
    stable_array_release(&h->targets);
    series_map_release(&h->spread);
    schema_pool_release(&h->schemas);
    key_cache_unref(h->cache);
    lock_release(&h->cache_lock);
    metadata_release(&h->metadata);
    limits_release(&h->limits);
    overflow_release(&h->overflow);
    lock_condition_release(&h->commit_done);
    lock_release(&h->view_lock);
    change_log_release(&h->changes);
    lock_release(&h->commit_lock);
    lock_release(&h->registry_lock);
    mem_free(h);
}

struct key_cache *head_cache(struct head *h)
{
    lock_take(&h->cache_lock);
    struct key_cache *cache = key_cache_ref(h->cache);
    lock_give(&h->cache_lock);
    return cache;
}

void head_start(struct head *h, struct wal *wal, uint64_t lsn)
{
    h->wal = wal;
    h->last_lsn = lsn;
    h->limits.old_targets = index_count(h->options.index, INDEX_TARGETS);
    h->limits.old_shapes = index_count(h->options.index, INDEX_SHAPES);
    atomic_store_explicit(&h->visible_lsn, lsn, memory_order_release);
}

struct appender_source *head_appender_source(struct head *h)
{
    return &h->source;
}

struct change_log *head_changes(struct head *h)
{
    return &h->changes;
}

struct metadata *head_metadata(struct head *h)
{
    return &h->metadata;
}

uint32_t head_slice(const struct labels *target_labels)
{
    return (uint32_t)(labels_hash(target_labels) % HEAD_SLICES);
}

/* ---- Targets to tables; the registry lock is held ---- */

static int reserve_target(struct head *h, uint32_t target)
{
    while (h->target_count <= target) {
        int status = stable_array_reserve(&h->targets, h->target_count);
        if (status != 0) {
            return status;
        }
        h->target_count++;
    }
    return 0;
}

static int add_table(struct head *h, uint32_t target, struct table **table_out)
{
    uint32_t id = atomic_load_explicit(&h->table_count, memory_order_relaxed);
    if (id >= HEAD_TABLES_MAX) {
        return ERR_LIMIT;
    }
    int status = stable_array_reserve(&h->tables, id);
    struct table *t = NULL;
    if (status == 0) {
        status = table_new(id, target, &t);
    }
    if (status != 0) {
        return status;
    }
    head_set_table(h, id, t);
    atomic_store_explicit(&h->table_count, id + 1, memory_order_release);
    struct target_tables *tables = stable_array_at(&h->targets, target);
    if (tables->count > 0) {
        head_table(h, tables->last - 1)->next_of_target = id + 1;
    }
    tables->first = tables->first != 0 ? tables->first : id + 1;
    tables->last = id + 1;
    tables->count++;
    *table_out = t;
    return 0;
}

/* The first table of a target is full: from now on the map finds its series. */
static int spread_target(struct head *h, struct table *t)
{
    int status = 0;
    lock_take(&t->lock);
    for (uint32_t i = 0; status == 0 && i < t->column_count; i++) {
        struct series_ref ref = {t->id, i};
        status =
            series_map_add(&h->spread, t->target, t->columns[i].shape, t->columns[i].kind, ref);
    }
    lock_give(&t->lock);
    return status;
}

static bool find_series(struct head *h, const struct target_tables *tables, uint32_t target,
    uint32_t shape, enum column_kind kind, struct series_ref *ref_out)
{
    if (tables->count > 1) {
        return series_map_find(&h->spread, target, shape, kind, ref_out);
    }
    if (tables->count == 0) {
        return false;
    }
    struct table *t = head_table(h, tables->first - 1);
    lock_take(&t->lock);
    uint32_t column = table_find_column(t, shape, kind);
    lock_give(&t->lock);
    *ref_out = (struct series_ref){t->id, column};
    return column != UINT32_MAX;
}

static uint32_t column_limit(const struct head *h, uint32_t target)
{
    const struct labels *labels = index_labels(h->options.index, INDEX_TARGETS, target);
    return labels_count(labels) == 0 ? PSEUDO_TABLE_COLUMNS_MAX : TABLE_COLUMNS_MAX;
}

static int add_series(struct head *h, struct target_tables *tables, uint32_t target, uint32_t shape,
    enum column_kind kind, struct series_ref *ref_out)
{
    uint32_t limit = column_limit(h, target);
    struct table *t = tables->count > 0 ? head_table(h, tables->last - 1) : NULL;
    int status = 0;
    if (t != NULL && t->column_count >= limit) {
        /* Only this lock's holder adds columns, so the count may be read without the table's. */
        status = tables->count == 1 ? spread_target(h, t) : 0;
        t = NULL;
    }
    if (status == 0 && t == NULL) {
        status = add_table(h, target, &t);
    }
    if (status != 0) {
        return status;
    }
    uint32_t column = 0;
    lock_take(&t->lock);
    status = table_add_column(t, shape, kind, limit, &column);
    lock_give(&t->lock);
    *ref_out = (struct series_ref){t->id, column};
    if (status == 0 && tables->count > 1) {
        status = series_map_add(&h->spread, target, shape, kind, *ref_out);
    }
    return status;
}

/* A series is new when neither of its columns is there. */
static int find_or_add(struct head *h, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref *ref_out, bool *new_out)
{
    enum column_kind other = kind == COLUMN_FLOAT ? COLUMN_HISTOGRAM : COLUMN_FLOAT;
    struct series_ref ignored;
    int status = reserve_target(h, target);
    if (status != 0) {
        return status;
    }
    struct target_tables *tables = stable_array_at(&h->targets, target);
    *new_out = false;
    if (find_series(h, tables, target, shape, kind, ref_out)) {
        return 0;
    }
    *new_out = !find_series(h, tables, target, shape, other, &ignored);
    return add_series(h, tables, target, shape, kind, ref_out);
}

int head_column(struct head *h, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref *ref_out)
{
    bool new = false;
    lock_take(&h->registry_lock);
    int status = find_or_add(h, target, shape, kind, ref_out, &new);
    lock_give(&h->registry_lock);
    if (status == 0 && new) {
        index_count_series(h->options.index, target, shape);
    }
    return status;
}

bool head_find_column(struct head *h, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref *ref_out)
{
    bool found = false;
    lock_take(&h->registry_lock);
    if (target < h->target_count) {
        found = find_series(h, stable_array_at(&h->targets, target), target, shape, kind, ref_out);
    }
    lock_give(&h->registry_lock);
    return found;
}

/* ---- Describing ---- */

bool head_describe(struct head *h, struct series_ref ref, uint32_t *target_out, uint32_t *shape_out)
{
    lock_take(&h->registry_lock);
    struct table *t = head_table(h, ref.target);
    if (t != NULL) {
        lock_take(&t->lock);
        *shape_out = t->columns[ref.column].shape;
        lock_give(&t->lock);
        *target_out = t->target;
    }
    lock_give(&h->registry_lock);
    return t != NULL;
}

/* ---- Replay ---- */

int head_replay_row(struct head *h, uint64_t lsn, uint32_t table, int64_t t_ms, uint32_t *columns,
    double *values, uint32_t count)
{
    struct table_undo undo;
    atomic_fetch_add_explicit(&h->samples_appended, count, memory_order_relaxed);
    return table_place(head_table(h, table), lsn, lsn - 1, t_ms, columns, values, &count, &undo);
}

int head_replay_histogram(
    struct head *h, uint64_t lsn, uint32_t table, int64_t t_ms, uint32_t column, struct str bytes)
{
    struct table_undo undo;
    atomic_fetch_add_explicit(&h->samples_appended, 1, memory_order_relaxed);
    return table_place_histogram(head_table(h, table), lsn, lsn - 1, t_ms, column, bytes, &undo);
}

/* ---- Views ---- */

uint64_t head_visible_lsn(struct head *h)
{
    return atomic_load_explicit(&h->visible_lsn, memory_order_acquire);
}

void head_view_open(struct head *h, uint64_t version, struct head_view *view_out)
{
    lock_take(&h->view_lock);
    *view_out = (struct head_view){.point = {.lsn = head_visible_lsn(h), .version = version},
        .number = h->views_opened++,
        .previous = h->views_last};
    if (h->views_last != NULL) {
        h->views_last->next = view_out;
    } else {
        h->views_first = view_out;
    }
    h->views_last = view_out;
    lock_give(&h->view_lock);
}

void head_view_close(struct head *h, struct head_view *view)
{
    lock_take(&h->view_lock);
    if (view->previous != NULL) {
        view->previous->next = view->next;
    } else {
        h->views_first = view->next;
    }
    if (view->next != NULL) {
        view->next->previous = view->previous;
    } else {
        h->views_last = view->previous;
    }
    lock_give(&h->view_lock);
}

/* LSNs and versions only grow, and views are listed in order of opening: the first is the oldest. */
uint64_t head_horizon(struct head *h)
{
    lock_take(&h->view_lock);
    uint64_t lsn = h->views_first != NULL ? h->views_first->point.lsn : head_visible_lsn(h);
    lock_give(&h->view_lock);
    return lsn;
}

uint64_t head_oldest_version(struct head *h)
{
    lock_take(&h->view_lock);
    uint64_t version = h->views_first != NULL ? h->views_first->point.version : UINT64_MAX;
    lock_give(&h->view_lock);
    return version;
}

/* ---- Statistics ---- */

static void count_state(const struct table_state *s, struct head_statistics *out)
{
    out->cell_memory += s->memory;
    out->min_t = s->min_t < out->min_t ? s->min_t : out->min_t;
    out->max_t = s->max_t > out->max_t ? s->max_t : out->max_t;
}

static void count_table(struct table *t, struct head_statistics *out)
{
    lock_take(&t->lock);
    out->tables++;
    out->columns += t->column_count;
    out->rows += t->active.row_count;
    out->cells += t->active.cell_count;
    out->memory += sizeof(*t) + t->hint_count;
    if (t->schema == NULL) {
        out->memory +=
            t->column_cap * sizeof(struct column) + ((size_t)t->slot_mask + 1) * sizeof(uint16_t);
    }
    count_state(&t->active, out);
    for (const struct frozen_state *f = t->frozen; f != NULL; f = f->older) {
        count_state(&f->state, out);
    }
    lock_give(&t->lock);
}

/* Tables that are counted before the registry is given back for a moment. */
enum { TABLES_AT_ONCE = 256 };

void head_statistics(struct head *h, struct head_statistics *out)
{
    uint32_t count = atomic_load_explicit(&h->table_count, memory_order_acquire);
    *out = (struct head_statistics){.min_t = INT64_MAX, .max_t = INT64_MIN};
    for (uint32_t first = 0; first < count; first += TABLES_AT_ONCE) {
        lock_take(&h->registry_lock);
        for (uint32_t i = first; i < count && i - first < TABLES_AT_ONCE; i++) {
            struct table *t = head_table(h, i);
            if (t != NULL) {
                count_table(t, out);
            }
        }
        lock_give(&h->registry_lock);
    }
    struct key_cache *cache = head_cache(h);
    out->memory += out->cell_memory + key_cache_memory(cache);
    key_cache_unref(cache);
    out->samples_appended = atomic_load_explicit(&h->samples_appended, memory_order_relaxed);
    out->samples_repeated = atomic_load_explicit(&h->samples_repeated, memory_order_relaxed);
    out->samples_refused = atomic_load_explicit(&h->samples_refused, memory_order_relaxed);
    for (int i = 0; i < SERIES_LIMIT_COUNT; i++) {
        out->limit_refused[i] = atomic_load_explicit(&h->limits.refused[i], memory_order_relaxed);
    }
}
