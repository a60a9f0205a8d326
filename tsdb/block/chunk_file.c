/* Chunks in and out of their segment files. */
#include "block/chunk_file.h"

#include <stdio.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "tsdb/chunk.h"
#include "tsdb/crc32c.h"

enum { HEADER_SIZE = 8, CRC_SIZE = 4, VERSION = 1 };

static const uint8_t HEADER[HEADER_SIZE] = {0x85, 0xbd, 0x40, 0xdd, VERSION, 0, 0, 0};

/* Read at once for a chunk; most take less. */
#define READ_GUESS ((size_t)1024)
/* Written at once. */
#define WRITE_BYTES ((size_t)1 << 20)

static int file_path(char *path, const char *directory, uint32_t number)
{
    int written = snprintf(path, BLOCK_PATH_MAX, "%s/%06u", directory, number);
    return written > 0 && written < BLOCK_PATH_MAX ? 0 : ERR_LIMIT;
}

/* ---- Reading ---- */

static int check_header(struct vfs *fs, struct vfs_file *file, const char *path, struct err *e)
{
    uint8_t header[HEADER_SIZE] = {0};
    int status = vfs_pread_exact(fs, file, 0, header, sizeof(header));
    if (status == 0 && memcmp(header, HEADER, 4) != 0) {
        status = ERR_CORRUPT;
    }
    if (status != 0) {
        return err_set(e, status, 0, "%s is not a file of chunks: %s", path, err_text(status));
    }
    return header[4] == VERSION
               ? 0
               : err_set(e, ERR_UNSUPPORTED, 4, "%s has format %u; this program reads %d", path,
                     header[4], VERSION);
}

int chunk_files_open(struct chunk_files *c, struct vfs *fs, const char *directory, struct err *e)
{
    int status = 0;
    *c = (struct chunk_files){.fs = fs};
    strbuf_init(&c->buffer, CHUNK_BYTES_MAX + READ_GUESS);
    for (uint32_t number = 1; status == 0 && number <= CHUNK_FILES_MAX; number++) {
        char path[BLOCK_PATH_MAX];
        struct vfs_file *file = NULL;
        status = file_path(path, directory, number);
        if (status == 0) {
            status = vfs_open(fs, path, VFS_READ, &file);
        }
        if (status == ERR_NOT_FOUND) {
            return 0;
        }
        if (status == 0) {
            status = mem_array_grow((void **)&c->files, &c->cap, c->count + 1,
                sizeof(struct vfs_file *), CHUNK_FILES_MAX);
        }
        if (status != 0) {
            vfs_close(fs, file);
            err_set(e, status, -1, "%s cannot be opened: %s", path, err_text(status));
        } else {
            c->files[c->count++] = file;
            status = check_header(fs, file, path, e);
        }
    }
    if (status != 0) {
        chunk_files_close(c);
    }
    return status;
}

void chunk_files_close(struct chunk_files *c)
{
    for (size_t i = 0; i < c->count; i++) {
        vfs_close(c->fs, c->files[i]);
    }
    mem_free(c->files);
    strbuf_release(&c->buffer);
    *c = (struct chunk_files){.fs = c->fs};
}

int chunk_frame_decode(
    struct str bytes, unsigned *encoding_out, struct str *data_out, size_t *size_out)
{
    struct decbuf d = decbuf_of(bytes.ptr, bytes.len);
    uint64_t size = decbuf_uvarint(&d);
    if (d.failed || size > CHUNK_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    const uint8_t *start = d.p;
    *size_out = (size_t)(start - (const uint8_t *)bytes.ptr) + 1 + (size_t)size + CRC_SIZE;
    unsigned encoding = decbuf_u8(&d);
    struct str data = decbuf_bytes(&d, size);
    struct str crc = decbuf_bytes(&d, CRC_SIZE);
    if (d.failed) {
        return ERR_RANGE;
    }
    uint32_t expected = crc32c(0, start, 1 + data.len);
    if (get_be32((const uint8_t *)crc.ptr) != expected) {
        return ERR_CORRUPT;
    }
    *encoding_out = encoding;
    *data_out = data;
    return 0;
}

static int read_frame(struct chunk_files *c, struct vfs_file *file, uint64_t offset, size_t want,
    unsigned *encoding_out, struct str *data_out, size_t *size_out)
{
    strbuf_reset(&c->buffer);
    char *at = strbuf_reserve(&c->buffer, want);
    size_t got = 0;
    int status =
        at != NULL ? vfs_pread(c->fs, file, offset, at, want, &got) : strbuf_error(&c->buffer);
    if (status == 0) {
        strbuf_commit(&c->buffer, got);
        status = chunk_frame_decode(strbuf_str(&c->buffer), encoding_out, data_out, size_out);
    }
    return status;
}

int chunk_files_read(struct chunk_files *c, uint64_t reference, unsigned *encoding_out,
    struct str *data_out, struct err *e)
{
    uint64_t index = reference >> 32, offset = reference & UINT32_MAX;
    size_t size = 0;
    if (index >= c->count || offset < HEADER_SIZE) {
        return err_set(e, ERR_CORRUPT, (int64_t)offset,
            "the index refers to file %llu of chunks at %llu, which is not there",
            (unsigned long long)index + 1, (unsigned long long)offset);
    }
    struct vfs_file *file = c->files[index];
    int status = read_frame(c, file, offset, READ_GUESS, encoding_out, data_out, &size);
    if (status == ERR_RANGE && size > READ_GUESS) {
        status = read_frame(c, file, offset, size, encoding_out, data_out, &size);
    }
    if (status != 0) {
        status = status == ERR_RANGE ? ERR_CORRUPT : status;
        err_set(e, status, (int64_t)offset, "the chunk at %llu in file %06llu: %s",
            (unsigned long long)offset, (unsigned long long)index + 1, err_text(status));
    }
    return status;
}

/* ---- Writing ---- */

void chunk_file_writer_init(struct chunk_file_writer *w, struct vfs *fs, const char *directory)
{
    *w = (struct chunk_file_writer){.fs = fs, .directory = directory};
    strbuf_init(&w->buffer, WRITE_BYTES + CHUNK_BYTES_MAX + READ_GUESS);
}

static int flush(struct chunk_file_writer *w)
{
    int status = strbuf_error(&w->buffer);
    if (status == 0 && w->buffer.size > 0) {
        status = vfs_append(w->fs, w->file, w->buffer.data, w->buffer.size);
    }
    strbuf_reset(&w->buffer);
    return status;
}

static int end_file(struct chunk_file_writer *w)
{
    int status = 0;
    if (w->file != NULL) {
        status = flush(w);
        status = status == 0 ? vfs_sync(w->fs, w->file) : status;
        vfs_close(w->fs, w->file);
        w->file = NULL;
    }
    return status;
}

static int begin_file(struct chunk_file_writer *w)
{
    char path[BLOCK_PATH_MAX];
    int status = end_file(w);
    if (status == 0) {
        status = file_path(path, w->directory, ++w->number);
    }
    if (status == 0) {
        status = vfs_open(w->fs, path, VFS_CREATE, &w->file);
    }
    if (status == 0) {
        strbuf_add(&w->buffer, HEADER, sizeof(HEADER));
        w->size = sizeof(HEADER);
    }
    return status;
}

int chunk_file_writer_add(
    struct chunk_file_writer *w, unsigned encoding, struct str data, uint64_t *reference_out)
{
    int status = 0;
    if (w->file == NULL || w->size + data.len > CHUNK_FILE_BYTES_MAX) {
        status = begin_file(w);
    }
    if (status == 0 && w->buffer.size >= WRITE_BYTES) {
        status = flush(w);
    }
    if (status != 0) {
        return status;
    }
    uint8_t kind = (uint8_t)encoding;
    size_t before = w->buffer.size;
    *reference_out = (uint64_t)(w->number - 1) << 32 | w->size;
    strbuf_add_uvarint(&w->buffer, data.len);
    strbuf_add_char(&w->buffer, (char)kind);
    strbuf_add_str(&w->buffer, data);
    strbuf_add_be32(&w->buffer, crc32c(crc32c(0, &kind, 1), data.ptr, data.len));
    w->size += w->buffer.size - before;
    w->bytes += w->buffer.size - before;
    return strbuf_error(&w->buffer);
}

int chunk_file_writer_finish(struct chunk_file_writer *w)
{
    int status = end_file(w);
    return status == 0 ? vfs_sync_dir(w->fs, w->directory) : status;
}

void chunk_file_writer_release(struct chunk_file_writer *w)
{
    vfs_close(w->fs, w->file);
    strbuf_release(&w->buffer);
    w->file = NULL;
}
