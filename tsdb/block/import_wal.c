/* From the records of Prometheus' log to samples.
 *
 * The log is read twice: first for what was deleted, since a deletion stands behind the samples it is
 * about. Samples come as they were written, about in the order of time, and go on as they come.
 */
#include "block/import_wal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "block/block_tombstones.h"
#include "block/chunk_file.h"
#include "block/prometheus_wal.h"

enum { SLOTS_MIN = 1024 };
#define SLOTS_MAX ((size_t)1 << 30)

/* ---- References of the log to our own ---- */

struct reference {
    uint64_t theirs;
    struct series_ref ours;
    struct str metric; /* its name, in the import's arena */
    bool taken;
};

struct reference_map {
    struct reference *slots; /* open addressing */
    size_t slot_count, count;
};

static struct reference *find(const struct reference_map *m, uint64_t theirs)
{
    size_t at = hash_mix64(theirs) & (m->slot_count - 1);
    while (m->slots[at].taken && m->slots[at].theirs != theirs) {
        at = (at + 1) & (m->slot_count - 1);
    }
    return &m->slots[at];
}

static int grow(struct reference_map *m)
{
    struct reference_map larger = {
        .slot_count = m->slot_count > 0 ? m->slot_count * 2 : SLOTS_MIN, .count = m->count};
    larger.slots = larger.slot_count <= SLOTS_MAX
                       ? mem_calloc(larger.slot_count, sizeof(*larger.slots))
                       : NULL;
    if (larger.slots == NULL) {
        return larger.slot_count <= SLOTS_MAX ? ERR_NOMEM : ERR_LIMIT;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].taken) {
            *find(&larger, m->slots[i].theirs) = m->slots[i];
        }
    }
    mem_free(m->slots);
    *m = larger;
    return 0;
}

static int map_put(
    struct reference_map *m, uint64_t theirs, struct series_ref ours, struct str metric)
{
    int status = m->count * 2 >= m->slot_count ? grow(m) : 0;
    if (status == 0) {
        struct reference *slot = find(m, theirs);
        m->count += !slot->taken;
        *slot = (struct reference){theirs, ours, metric, true};
    }
    return status;
}

/* ---- Records ---- */

struct wal_import {
    struct import_sink *sink;
    struct reference_map references;
    struct block_tombstones deleted;
    struct arena names; /* of metrics: what metadata is told by */
    int64_t from;
};

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Sorted, empty values left out, as the appender wants them. */
static size_t normalize(struct label *labels, size_t count)
{
    size_t kept = 0;
    qsort(labels, count, sizeof(*labels), compare_labels);
    for (size_t i = 0; i < count; i++) {
        if (labels[i].value.len > 0) {
            labels[kept++] = labels[i];
        }
    }
    return kept;
}

static int on_series(void *context, uint64_t reference, const struct label *labels, size_t count)
{
    struct wal_import *w = context;
    struct series_ref ours;
    struct label *copy = mem_dup(labels, (count + 1) * sizeof(*labels));
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    struct str metric = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        metric = str_eq_c(labels[i].name, LABEL_METRIC_NAME) ? labels[i].value : metric;
    }
    metric.ptr = arena_strndup(&w->names, metric.ptr != NULL ? metric.ptr : "", metric.len);
    int status = metric.ptr != NULL ? 0 : arena_error(&w->names);
    if (status == 0) {
        status = import_series(w->sink, copy, normalize(copy, count), &ours);
    }
    mem_free(copy);
    return status == 0 ? map_put(&w->references, reference, ours, metric) : status;
}

static int on_metadata(
    void *context, uint64_t reference, enum metric_type type, struct str help, struct str unit)
{
    struct wal_import *w = context;
    const struct reference *slot =
        w->references.slot_count > 0 ? find(&w->references, reference) : NULL;
    return slot != NULL && slot->taken && slot->metric.len > 0
               ? import_metadata(w->sink, slot->metric, type, help, unit)
               : 0;
}

/* 1 when a sample counts, and its series. */
static bool accept(
    struct wal_import *w, uint64_t reference, int64_t t_ms, struct series_ref *ref_out)
{
    const struct block_tombstone *stones = NULL;
    size_t count = 0;
    const struct reference *slot =
        w->references.slot_count > 0 ? find(&w->references, reference) : NULL;
    if (slot == NULL || !slot->taken || t_ms < w->from) {
        return false; /* of a series that is gone, or in a block already */
    }
    if (block_tombstones_find(&w->deleted, reference, &stones, &count) &&
        block_tombstones_cover(stones, count, t_ms)) {
        w->sink->counts->deleted++;
        return false;
    }
    *ref_out = slot->ours;
    return true;
}

static int on_sample(void *context, uint64_t reference, int64_t t_ms, double value)
{
    struct wal_import *w = context;
    struct import_item item = {.t_ms = t_ms, .value = value};
    return accept(w, reference, t_ms, &item.ref) ? import_item(w->sink, &item) : 0;
}

static int on_histogram(
    void *context, uint64_t reference, int64_t t_ms, const struct histogram *histogram)
{
    struct wal_import *w = context;
    struct import_item item = {.t_ms = t_ms, .histogram = histogram};
    return accept(w, reference, t_ms, &item.ref) ? import_item(w->sink, &item) : 0;
}

static int on_exemplar(void *context, uint64_t reference, int64_t t_ms, double value,
    const struct label *labels, size_t count)
{
    struct wal_import *w = context;
    struct series_ref ref;
    if (!accept(w, reference, t_ms, &ref)) {
        return 0;
    }
    struct label *copy = mem_dup(labels, (count + 1) * sizeof(*labels));
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    int status = import_exemplar(w->sink, ref, copy, normalize(copy, count), value, t_ms);
    mem_free(copy);
    return status;
}

static int on_tombstone(void *context, uint64_t reference, int64_t min_t, int64_t max_t)
{
    struct wal_import *w = context;
    return block_tombstones_add(&w->deleted, (struct block_tombstone){reference, min_t, max_t});
}

/* ---- Logs ---- */

static int read_log(struct wal_import *w, struct vfs *fs, const char *directory, const char *name,
    const struct prometheus_wal_handler *handler, struct prometheus_wal_counts *counts)
{
    char path[BLOCK_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (written <= 0 || written >= BLOCK_PATH_MAX) {
        return ERR_LIMIT;
    }
    return prometheus_wal_read(fs, path, handler, counts, w->sink->e);
}

int import_wal(struct import_sink *sink, struct vfs *fs, const char *directory, int64_t from)
{
    struct wal_import w = {.sink = sink, .from = from};
    struct prometheus_wal_counts first = {.segments = 0}, counts = {.segments = 0};
    const struct prometheus_wal_handler deletions = {.context = &w, .tombstone = on_tombstone};
    const struct prometheus_wal_handler samples = {.context = &w,
        .series = on_series,
        .sample = on_sample,
        .histogram = on_histogram,
        .exemplar = on_exemplar,
        .metadata = on_metadata};
    arena_init(&w.names, 0);
    int status = read_log(&w, fs, directory, "wal", &deletions, &first);
    if (status == 0) {
        block_tombstones_sort(&w.deleted);
        status = read_log(&w, fs, directory, "wal", &samples, &counts);
    }
    if (status == 0) {
        w.from = INT64_MIN; /* samples out of order lie before the end of the blocks */
        status = read_log(&w, fs, directory, "wbl", &samples, &counts);
    }
    if (status == 0) {
        status = import_commit(sink);
    }
    sink->counts->wal_segments = counts.segments;
    sink->counts->wal_torn = counts.torn;
    sink->counts->wal_records_skipped = counts.skipped;
    mem_free(w.references.slots);
    arena_release(&w.names);
    block_tombstones_release(&w.deleted);
    return status;
}
