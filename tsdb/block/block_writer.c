/* Making a block; see the header for the order of things. */
#include "block/block_writer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "block/block_tombstones.h"
#include "tsdb/chunk.h"

static int join(char *path, const char *directory, const char *name)
{
    int written = snprintf(path, BLOCK_PATH_MAX, "%s%s", directory, name);
    return written > 0 && written < BLOCK_PATH_MAX ? 0 : ERR_LIMIT;
}

int block_writer_open(struct block_writer *w, struct vfs *fs, const char *parent,
    const struct block_meta *meta, struct err *e)
{
    *w = (struct block_writer){.fs = fs, .meta = {.min_t = meta->min_t, .max_t = meta->max_t}};
    memcpy(w->meta.ulid, meta->ulid, sizeof(w->meta.ulid));
    strbuf_init(&w->data, (size_t)1 << 30);
    chunk_file_writer_init(&w->chunk_file, fs, w->chunks_path);
    int written = snprintf(w->path, sizeof(w->path), "%s/%s", parent, meta->ulid);
    int status = written > 0 && written < BLOCK_PATH_MAX ? 0 : ERR_LIMIT;
    status = status == 0 ? join(w->temporary, w->path, ".tmp") : status;
    status = status == 0 ? join(w->chunks_path, w->temporary, "/chunks") : status;
    status = status == 0 ? vfs_mkdir_all(fs, w->chunks_path) : status;
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s cannot be made: %s", w->chunks_path, err_text(status));
}

int block_writer_series(struct block_writer *w, const struct labels *labels)
{
    if (w->entry_count > 0 && w->entries[w->entry_count - 1].chunk_count == 0) {
        w->entry_count--; /* nothing came of it */
    }
    assert(w->entry_count == 0 || labels_cmp(w->entries[w->entry_count - 1].labels, labels) < 0);
    int status = mem_array_grow((void **)&w->entries, &w->entry_cap, w->entry_count + 1,
        sizeof(*w->entries), BLOCK_SERIES_MAX);
    if (status == 0) {
        w->entries[w->entry_count++] = (struct index_entry){.labels = labels};
    }
    return status;
}

/* What is in w->data. */
static int add_chunk(struct block_writer *w, unsigned encoding, const int64_t *times, size_t count)
{
    struct block_chunk chunk = {.min_t = times[0], .max_t = times[count - 1]};
    int status = strbuf_error(&w->data);
    if (status == 0) {
        status =
            chunk_file_writer_add(&w->chunk_file, encoding, strbuf_str(&w->data), &chunk.reference);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&w->chunks, &w->chunk_cap, w->chunk_count + 1,
            sizeof(*w->chunks), SIZE_MAX / sizeof(*w->chunks));
    }
    if (status == 0) {
        w->chunks[w->chunk_count++] = chunk;
        w->entries[w->entry_count - 1].chunk_count++;
        w->meta.samples += count;
    }
    strbuf_reset(&w->data);
    return status;
}

int block_writer_floats(
    struct block_writer *w, const int64_t *times, const double *values, size_t count)
{
    int status = 0;
    for (size_t at = 0, size; status == 0 && at < count; at += size) {
        size = count - at < CHUNK_SAMPLES_MAX ? count - at : CHUNK_SAMPLES_MAX;
        xor_chunk_encode(times + at, values + at, size, &w->data);
        status = add_chunk(w, CHUNK_XOR, times + at, size);
    }
    return status;
}

int block_writer_histograms(struct block_writer *w, const int64_t *times,
    const struct histogram *const *histograms, size_t count, const struct histogram *before)
{
    int status = 0;
    for (size_t at = 0, size; status == 0 && at < count; at += size) {
        size = histogram_chunk_fit(histograms + at, count - at);
        enum chunk_encoding encoding = histogram_chunk_encoding(histograms + at, size);
        histogram_chunk_encode(encoding, histogram_chunk_reset(before, histograms[at]), times + at,
            histograms + at, size, &w->data);
        status = add_chunk(w, encoding, times + at, size);
        before = histograms[at + size - 1];
    }
    return status;
}

/* ---- The end ---- */

static int write_index(struct block_writer *w, struct err *e)
{
    char path[BLOCK_PATH_MAX];
    size_t at = 0;
    for (size_t i = 0; i < w->entry_count; i++) {
        w->entries[i].chunks = w->chunks + at;
        at += w->entries[i].chunk_count;
    }
    int status = join(path, w->temporary, "/index");
    return status == 0 ? block_index_write(w->fs, path, w->entries, w->entry_count, e) : status;
}

static int write_small(struct block_writer *w, const char *name, struct strbuf *content)
{
    char path[BLOCK_PATH_MAX];
    int status = strbuf_error(content);
    status = status == 0 ? join(path, w->temporary, name) : status;
    status =
        status == 0 ? vfs_write_file_atomic(w->fs, path, content->data, content->size) : status;
    strbuf_reset(content);
    return status;
}

static int publish(struct block_writer *w)
{
    char parent[BLOCK_PATH_MAX];
    size_t length = strlen(w->path) - (ULID_TEXT_SIZE - 1) - 1;
    memcpy(parent, w->path, length);
    parent[length] = '\0';
    int status = vfs_sync_dir(w->fs, w->temporary);
    status = status == 0 ? vfs_rename(w->fs, w->temporary, w->path) : status;
    if (status == 0) {
        w->temporary[0] = '\0';
        status = vfs_sync_dir(w->fs, parent);
    }
    return status;
}

int block_writer_finish(struct block_writer *w, const struct labels *external, struct err *e)
{
    if (w->entry_count > 0 && w->entries[w->entry_count - 1].chunk_count == 0) {
        w->entry_count--;
    }
    w->meta.series = w->entry_count;
    w->meta.chunks = w->chunk_count;
    if (w->meta.samples == 0) {
        return 0;
    }
    struct err local = ERR_INIT;
    int status = chunk_file_writer_finish(&w->chunk_file);
    status = status == 0 ? write_index(w, &local) : status;
    if (status == 0) {
        block_tombstones_encode_none(&w->data);
        status = write_small(w, "/tombstones", &w->data);
    }
    if (status == 0) {
        block_meta_encode(&w->meta, external, &w->data);
        status = write_small(w, "/meta.json", &w->data);
    }
    status = status == 0 ? publish(w) : status;
    if (status != 0 && local.code != status) {
        err_set(&local, status, -1, "%s cannot be written: %s", w->path, err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}

struct removal {
    struct vfs *fs;
    const char *directory;
};

static int remove_file(void *context, const char *name, bool is_directory)
{
    const struct removal *r = context;
    char path[BLOCK_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", r->directory, name);
    if (!is_directory && written > 0 && written < BLOCK_PATH_MAX) {
        (void)vfs_remove(r->fs, path); /* what stays is a .tmp that nobody reads */
    }
    return 0;
}

void block_writer_close(struct block_writer *w)
{
    chunk_file_writer_release(&w->chunk_file);
    if (w->temporary[0] != '\0') {
        struct removal chunks = {w->fs, w->chunks_path}, files = {w->fs, w->temporary};
        (void)vfs_list(w->fs, w->chunks_path, remove_file, &chunks);
        (void)vfs_remove(w->fs, w->chunks_path);
        (void)vfs_list(w->fs, w->temporary, remove_file, &files);
        (void)vfs_remove(w->fs, w->temporary);
    }
    strbuf_release(&w->data);
    mem_free(w->chunks);
    mem_free(w->entries);
}
