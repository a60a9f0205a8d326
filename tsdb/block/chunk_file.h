/* The segment files of a block's chunks.
 *
 *   chunks/000001, 000002 ..: numbers in big-endian
 *     4   magic 0x85bd40dd
 *     1   version, 1
 *     3   zeros
 *     chunks, one behind the other:
 *       uvarint size of the data, u8 enum chunk_encoding, data, u32 CRC-32C of encoding and data
 *
 * A reference is (number of the file - 1) << 32 | offset of the chunk in it.
 */
#ifndef SONDE_BLOCK_CHUNK_FILE_H
#define SONDE_BLOCK_CHUNK_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"

#define BLOCK_PATH_MAX 4096
/* A file is ended at this size, as Prometheus does. */
#define CHUNK_FILE_BYTES_MAX ((uint64_t)512 << 20)
#define CHUNK_FILES_MAX 100000

/* ---- Reading ---- */

struct chunk_files {
    struct vfs *fs;
    struct vfs_file **files; /* by number - 1; NULL where it is missing */
    size_t count, cap;
    struct strbuf buffer;
};

/* Opens <directory>/000001 and so on, to the first that is not there. */
int chunk_files_open(struct chunk_files *c, struct vfs *fs, const char *directory, struct err *e);
void chunk_files_close(struct chunk_files *c);
/* `data` is borrowed until the next call. ERR_CORRUPT says where. */
int chunk_files_read(struct chunk_files *c, uint64_t reference, unsigned *encoding_out,
    struct str *data_out, struct err *e);
/* One chunk at the begin of `bytes`: what it is and how many bytes it takes; ERR_CORRUPT, or
 * ERR_RANGE when it goes on behind the end, with the bytes it takes. */
int chunk_frame_decode(
    struct str bytes, unsigned *encoding_out, struct str *data_out, size_t *size_out);

/* ---- Writing ---- */

struct chunk_file_writer {
    struct vfs *fs;
    const char *directory; /* borrowed; is there */
    struct vfs_file *file;
    uint32_t number;
    uint64_t size; /* of the file, what waits in the buffer included */
    uint64_t bytes;
    struct strbuf buffer;
};

void chunk_file_writer_init(struct chunk_file_writer *w, struct vfs *fs, const char *directory);
int chunk_file_writer_add(
    struct chunk_file_writer *w, unsigned encoding, struct str data, uint64_t *reference_out);
/* Writes what waits and syncs. */
int chunk_file_writer_finish(struct chunk_file_writer *w);
void chunk_file_writer_release(struct chunk_file_writer *w);

#endif
