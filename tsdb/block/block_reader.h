/* A block of Prometheus' TSDB, opened for reading: its series, and the samples of their chunks that no
 * tombstone covers. */
#ifndef SONDE_BLOCK_BLOCK_READER_H
#define SONDE_BLOCK_BLOCK_READER_H

#include "base/arena.h"
#include "block/block_index.h"
#include "block/block_meta.h"
#include "block/block_tombstones.h"
#include "block/chunk_file.h"
#include "tsdb/chunk.h"

struct block_reader {
    struct block_meta meta;
    struct block_index index; /* walk it with block_index_next */
    struct chunk_files chunks;
    struct block_tombstones tombstones;
    char *index_bytes;
};

/* `directory` is that of the block. The index is held in memory. On error a sentence that names the
 * directory; nothing is left open. */
int block_reader_open(struct block_reader *r, struct vfs *fs, const char *directory, struct err *e);
void block_reader_close(struct block_reader *r);

/* The samples of one chunk of a series, those that are deleted left out (count may be 0), in the
 * arena. Wrong times are ERR_CORRUPT: what the index says of a chunk must hold. */
int block_reader_samples(struct block_reader *r, const struct block_series *series, size_t chunk,
    struct arena *arena, struct chunk_samples *samples_out, struct err *e);

#endif
