/* Opening the files of a block, and samples out of them. */
#include "block/block_reader.h"

#include <stdio.h>

#include "base/mem.h"

#define TOMBSTONE_BYTES_MAX ((size_t)1 << 30)

static int read_file(struct vfs *fs, const char *directory, const char *name, size_t limit,
    char **data_out, size_t *size_out)
{
    char path[BLOCK_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (written <= 0 || written >= BLOCK_PATH_MAX) {
        return ERR_LIMIT;
    }
    return vfs_read_file(fs, path, limit, data_out, size_out);
}

static int open_index(struct block_reader *r, struct vfs *fs, const char *directory, struct err *e)
{
    size_t size = 0;
    int status = read_file(fs, directory, "index", BLOCK_INDEX_BYTES_MAX, &r->index_bytes, &size);
    if (status != 0) {
        return err_set(e, status, -1, "the index cannot be read: %s", err_text(status));
    }
    return block_index_open(&r->index, str_make(r->index_bytes, size), e);
}

static int open_chunks(struct block_reader *r, struct vfs *fs, const char *directory, struct err *e)
{
    char path[BLOCK_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/chunks", directory);
    if (written <= 0 || written >= BLOCK_PATH_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the path is too long");
    }
    return chunk_files_open(&r->chunks, fs, path, e);
}

static int open_tombstones(
    struct block_reader *r, struct vfs *fs, const char *directory, struct err *e)
{
    char *bytes = NULL;
    size_t size = 0;
    int status = read_file(fs, directory, "tombstones", TOMBSTONE_BYTES_MAX, &bytes, &size);
    if (status == ERR_NOT_FOUND) {
        return 0; /* nothing was deleted */
    }
    if (status != 0) {
        return err_set(e, status, -1, "the tombstones cannot be read: %s", err_text(status));
    }
    status = block_tombstones_decode(str_make(bytes, size), &r->tombstones, e);
    mem_free(bytes);
    return status;
}

int block_reader_open(struct block_reader *r, struct vfs *fs, const char *directory, struct err *e)
{
    struct err local = ERR_INIT;
    *r = (struct block_reader){.chunks = {.fs = fs}};
    int status = block_meta_read(fs, directory, &r->meta, &local);
    if (status != 0) {
        if (e != NULL) {
            *e = local; /* names the directory already */
        }
        return status;
    }
    status = open_index(r, fs, directory, &local);
    status = status == 0 ? open_chunks(r, fs, directory, &local) : status;
    status = status == 0 ? open_tombstones(r, fs, directory, &local) : status;
    if (status != 0) {
        block_reader_close(r);
        err_prefix(&local, "%s", directory);
        if (e != NULL) {
            *e = local;
        }
    }
    return status;
}

void block_reader_close(struct block_reader *r)
{
    block_meta_release(&r->meta);
    block_index_release(&r->index);
    chunk_files_close(&r->chunks);
    block_tombstones_release(&r->tombstones);
    mem_free(r->index_bytes);
    r->index_bytes = NULL;
}

/* Leaves out what is deleted; the arrays are the arena's, made for this chunk. */
static int filter(const struct block_reader *r, const struct block_series *series,
    struct arena *arena, struct chunk_samples *s)
{
    const struct block_tombstone *stones = NULL;
    size_t stone_count = 0, kept = 0;
    if (!block_tombstones_find(&r->tombstones, series->reference, &stones, &stone_count)) {
        return 0;
    }
    int64_t *times = arena_alloc(arena, s->count * sizeof(*times));
    double *values = arena_alloc(arena, s->count * sizeof(*values));
    const struct histogram **histograms = arena_alloc(arena, s->count * sizeof(struct histogram *));
    if (times == NULL || values == NULL || histograms == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!block_tombstones_cover(stones, stone_count, s->times[i])) {
            times[kept] = s->times[i];
            if (s->values != NULL) {
                values[kept] = s->values[i];
            } else {
                histograms[kept] = s->histograms[i];
            }
            kept++;
        }
    }
    *s = (struct chunk_samples){.count = kept,
        .times = times,
        .values = s->values != NULL ? values : NULL,
        .histograms = s->values != NULL ? NULL : histograms};
    return 0;
}

int block_reader_samples(struct block_reader *r, const struct block_series *series, size_t chunk,
    struct arena *arena, struct chunk_samples *samples_out, struct err *e)
{
    const struct block_chunk *c = &series->chunks[chunk];
    struct chunk_samples samples = {.count = 0};
    unsigned encoding = 0;
    struct str data;
    int status = chunk_files_read(&r->chunks, c->reference, &encoding, &data, e);
    if (status != 0) {
        return status;
    }
    status = chunk_decode(encoding, data, arena, &samples);
    if (status == 0 &&
        (samples.times[0] != c->min_t || samples.times[samples.count - 1] != c->max_t)) {
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        status = filter(r, series, arena, &samples);
    }
    if (status != 0) {
        return err_set(e, status, -1, "the chunk at %llu (encoding %u): %s",
            (unsigned long long)c->reference, encoding, err_text(status));
    }
    *samples_out = samples;
    return 0;
}
