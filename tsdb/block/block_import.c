/* Import of Prometheus' blocks: which of them count, and their samples in portions.
 *
 * A block is imported in portions of at most some two million samples: the series of as many targets
 * as fit; where one target has more, its time is cut instead, and a chunk that lies in two pieces is
 * decoded for both.
 *
 * Left aside are blocks that others were made of (Prometheus deletes them a little later), that are
 * only waiting to be deleted, or that Thanos downsampled: their chunks are aggregates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "block/block_reader.h"
#include "block/import_batch.h"
#include "block/import_wal.h"

enum { BLOCKS_MAX = 1 << 20 };

/* ---- Which blocks ---- */

struct block_list {
    struct vfs *fs;
    const char *directory;
    struct found_block {
        struct block_meta meta;
        char *path;
    } * items;
    size_t count, cap;
    struct err *e;
};

static int add_block(struct block_list *list, const char *path)
{
    struct found_block found = {.path = NULL};
    int status = block_meta_read(list->fs, path, &found.meta, list->e);
    if (status != 0) {
        return status;
    }
    found.path = mem_strdup(path);
    if (found.path == NULL) {
        return ERR_NOMEM;
    }
    status = mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(*list->items), BLOCKS_MAX);
    if (status != 0) {
        mem_free(found.path);
        return status;
    }
    list->items[list->count++] = found;
    return 0;
}

/* Blocks are directories whose names are ULIDs. */
static int note_entry(void *context, const char *name, bool is_directory)
{
    struct block_list *list = context;
    char path[BLOCK_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", list->directory, name);
    if (!is_directory || strlen(name) != ULID_TEXT_SIZE - 1 || strchr(name, '.') != NULL) {
        return 0;
    }
    return written > 0 && written < BLOCK_PATH_MAX ? add_block(list, path) : ERR_LIMIT;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct found_block *x = a, *y = b;
    if (x->meta.min_t != y->meta.min_t) {
        return x->meta.min_t < y->meta.min_t ? -1 : 1;
    }
    return strcmp(x->meta.ulid, y->meta.ulid);
}

/* `directory` itself when it is a block, else those in it. */
static int find_blocks(struct block_list *list)
{
    char path[BLOCK_PATH_MAX];
    struct vfs_file *file = NULL;
    int written = snprintf(path, sizeof(path), "%s/meta.json", list->directory);
    if (written <= 0 || written >= BLOCK_PATH_MAX) {
        return ERR_LIMIT;
    }
    int status = vfs_open(list->fs, path, VFS_READ, &file);
    vfs_close(list->fs, file);
    if (status == 0) {
        return add_block(list, list->directory);
    }
    status = vfs_list(list->fs, list->directory, note_entry, list);
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), compare_blocks);
    }
    return status;
}

/* Was a block that is here made of this one? */
static bool is_replaced(const struct block_list *list, const struct found_block *block)
{
    for (size_t i = 0; i < list->count; i++) {
        if (block_meta_has_parent(&list->items[i].meta, block->meta.ulid)) {
            return true;
        }
    }
    return false;
}

static void release_list(struct block_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        block_meta_release(&list->items[i].meta);
        mem_free(list->items[i].path);
    }
    mem_free(list->items);
}

/* ---- One block ---- */

/* A series of the block, by target. */
struct placed {
    struct series_ref ref;
    uint32_t number; /* in the index */
    uint32_t chunks;
};

struct portion {
    struct block_reader *reader;
    struct import_sink *sink;
    struct import_batch batch;
    struct placed *series;
    size_t count;
    struct arena arena; /* of one chunk of floats */
};

static int place_series(struct portion *p)
{
    const struct block_series *series = NULL;
    int status = 0;
    p->series =
        mem_calloc((size_t)block_index_series_count(&p->reader->index) + 1, sizeof(*p->series));
    if (p->series == NULL) {
        return ERR_NOMEM;
    }
    while ((status = block_index_next(&p->reader->index, &series, p->sink->e)) == 1) {
        struct placed *placed = &p->series[p->count];
        *placed =
            (struct placed){.number = (uint32_t)p->count, .chunks = (uint32_t)series->chunk_count};
        status = import_series(p->sink, series->labels, series->label_count, &placed->ref);
        if (status != 0) {
            return status;
        }
        p->count++;
    }
    return status;
}

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->ref.target != y->ref.target) {
        return x->ref.target < y->ref.target ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static int add_samples(struct portion *p, struct series_ref ref, const struct chunk_samples *s,
    int64_t min_t, int64_t max_t)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->count; i++) {
        struct import_item item = {.ref = ref, .t_ms = s->times[i]};
        if (item.t_ms < min_t || item.t_ms > max_t) {
            continue;
        }
        if (s->values != NULL) {
            item.value = s->values[i];
        } else {
            item.histogram = s->histograms[i];
        }
        status = import_batch_add(&p->batch, &item);
        if (status == 0 && p->batch.count >= IMPORT_BATCH_SAMPLES) {
            status = import_batch_flush(&p->batch, p->sink);
        }
    }
    return status;
}

/* The chunks of one series that touch [min_t, max_t]. */
static int add_series(struct portion *p, const struct placed *placed, int64_t min_t, int64_t max_t)
{
    const struct block_series *series = NULL;
    p->reader->index.next = placed->number;
    int status = block_index_next(&p->reader->index, &series, p->sink->e);
    status = status > 0 ? 0 : status;
    for (size_t i = 0; status == 0 && i < series->chunk_count; i++) {
        struct chunk_samples samples = {.count = 0};
        if (series->chunks[i].max_t < min_t || series->chunks[i].min_t > max_t) {
            continue;
        }
        status = block_reader_samples(p->reader, series, i, &p->batch.arena, &samples, p->sink->e);
        if (status == 0) {
            status = add_samples(p, placed->ref, &samples, min_t, max_t);
        }
        if (status == 0 && p->batch.arena.used > IMPORT_ARENA_BYTES) {
            status = import_batch_flush(&p->batch, p->sink);
        }
    }
    return status;
}

/* Series [from, to), whose samples are about `expected`: in as many pieces of time as that takes. */
static int import_portion(struct portion *p, size_t from, size_t to, uint64_t expected)
{
    const struct block_meta *meta = &p->reader->meta;
    uint64_t pieces = expected / IMPORT_BATCH_SAMPLES + 1;
    uint64_t length = ((uint64_t)meta->max_t - (uint64_t)meta->min_t) / pieces + 1;
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < pieces; i++) {
        /* The outer pieces take what the block's own range leaves out. */
        int64_t min_t = i == 0 ? INT64_MIN : meta->min_t + (int64_t)(i * length);
        int64_t max_t = i + 1 == pieces ? INT64_MAX : meta->min_t + (int64_t)((i + 1) * length) - 1;
        for (size_t j = from; status == 0 && j < to; j++) {
            status = add_series(p, &p->series[j], min_t, max_t);
        }
        if (status == 0) {
            status = import_batch_flush(&p->batch, p->sink);
        }
    }
    return status;
}

/* Whole targets, as many as fit a batch; one that does not fit alone. */
static int import_portions(struct portion *p)
{
    int status = 0;
    for (size_t from = 0, to; status == 0 && from < p->count; from = to) {
        uint64_t expected = 0;
        to = from;
        while (to < p->count) {
            size_t end = to;
            uint64_t more = 0;
            while (end < p->count && p->series[end].ref.target == p->series[to].ref.target) {
                more += (uint64_t)p->series[end++].chunks * CHUNK_SAMPLES_MAX;
            }
            if (to > from && expected + more > IMPORT_BATCH_SAMPLES) {
                break;
            }
            expected += more;
            to = end;
        }
        status = import_portion(p, from, to, expected);
    }
    return status;
}

static int import_block(struct import_sink *sink, struct vfs *fs, const char *path)
{
    struct block_reader reader;
    int status = block_reader_open(&reader, fs, path, sink->e);
    if (status != 0) {
        return status;
    }
    struct portion p = {.reader = &reader, .sink = sink};
    arena_init(&p.batch.arena, 0);
    status = place_series(&p);
    if (status == 0) {
        qsort(p.series, p.count, sizeof(*p.series), compare_placed);
        status = import_portions(&p);
    }
    status = status == 0 ? import_commit(sink) : status;
    import_batch_release(&p.batch);
    mem_free(p.series);
    block_reader_close(&reader);
    if (status != 0) {
        if (sink->e->code != status) {
            err_set(sink->e, status, -1, "%s", err_text(status));
        }
        err_prefix(sink->e, "%s", path);
    }
    return status;
}

/* ---- The face ---- */

static int import_blocks(struct import_sink *sink, const struct block_list *list)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        const struct found_block *block = &list->items[i];
        if (block->meta.deletable || block->meta.resolution_ms != 0 || is_replaced(list, block)) {
            sink->counts->blocks_skipped++;
            continue;
        }
        status = import_block(sink, list->fs, block->path);
        sink->counts->blocks += status == 0;
    }
    return status;
}

/* Where blocks of samples that came in order end: the log's samples before it are in them, or were
 * deleted from them. */
static int64_t blocks_end(const struct block_list *list)
{
    int64_t end = INT64_MIN;
    for (size_t i = 0; i < list->count; i++) {
        const struct block_meta *m = &list->items[i].meta;
        if (!m->out_of_order && m->resolution_ms == 0 && m->max_t > end) {
            end = m->max_t;
        }
    }
    return end;
}

int block_import(const struct block_import_options *options, struct block_import_counts *counts_out,
    struct err *e)
{
    struct err local = ERR_INIT;
    struct block_import_counts counts = {.blocks = 0};
    struct block_list list = {.fs = options->fs != NULL ? options->fs : vfs_posix(),
        .directory = options->directory,
        .e = &local};
    struct import_sink sink = {.options = options, .counts = &counts, .e = &local};
    int status = find_blocks(&list);
    if (status == 0) {
        status = import_blocks(&sink, &list);
    }
    if (status == 0) {
        status = import_wal(&sink, list.fs, options->directory, blocks_end(&list));
    }
    if (status == 0 && list.count == 0 && counts.wal_segments == 0) {
        status = err_set(&local, ERR_NOT_FOUND, -1,
            "%s holds neither blocks nor a write-ahead log of Prometheus", options->directory);
    }
    import_abandon(&sink);
    release_list(&list);
    *counts_out = counts;
    if (status != 0 && local.code != status) {
        err_set(&local, status, -1, "%s: %s", options->directory, err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}
