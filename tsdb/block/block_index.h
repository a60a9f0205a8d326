/* The index of a Prometheus block, format version 2: which series there are, and where their chunks.
 *
 * All numbers are big-endian; uvarint and svarint (zigzag) as in base/bytes.h; a string is a uvarint
 * length and its bytes. Each section is u32 length of its content, the content, u32 CRC-32C of the
 * content. In order:
 *
 *   header            u32 magic 0xbaaad700, u8 version 2
 *   symbols           u32 number; strings, sorted bytewise: every name and value of a label
 *   series            each at a multiple of 16 (zeros between), its reference is offset / 16;
 *                     sorted by labels. uvarint length of the content, content, CRC:
 *                       uvarint labels; for each, by name: uvarint symbol of name, of value
 *                       uvarint chunks; the first: svarint min time, uvarint max - min time, uvarint
 *                       reference (chunk_file.h); each other: uvarint min time - max time before,
 *                       uvarint max - min time, svarint reference - the one before
 *   label indices     a section at a multiple of 4 for each name: u32 1, u32 number, u32 symbols of
 *                     its values (no reader of version 2 needs them)
 *   postings          a section at a multiple of 4 for each name and value, and one for all series:
 *                     u32 number, u32 references, ascending
 *   label offsets     a section: u32 number; for each: uvarint 1, name, uvarint offset of its section
 *   postings offsets  a section: u32 number; for each, sorted: uvarint 2, name, value, uvarint offset.
 *                     All series are the one with empty name and value, the first.
 *   contents          52 bytes at the end: u64 offsets of symbols, series, label indices, label
 *                     offsets, postings, postings offsets, in this order; u32 CRC of them
 *
 * The reader takes what Prometheus writes: symbols in any order, series found through the postings of
 * all series. It checks every checksum on its way and every offset, name and number against what is
 * there.
 */
#ifndef SONDE_BLOCK_BLOCK_INDEX_H
#define SONDE_BLOCK_BLOCK_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"
#include "model/labels.h"

#define BLOCK_INDEX_BYTES_MAX ((size_t)16 << 30)
#define BLOCK_CHUNKS_MAX ((size_t)1 << 24) /* of one series */

struct block_chunk {
    int64_t min_t, max_t; /* of its first and last sample */
    uint64_t reference;
};

/* ---- Reading ---- */

struct block_series {
    uint64_t reference; /* as tombstones name it */
    struct label *labels;
    size_t label_count;
    struct block_chunk *chunks;
    size_t chunk_count;
};

struct block_index {
    struct str bytes;  /* the whole file, borrowed */
    uint64_t *symbols; /* offset of each */
    uint32_t symbol_count;
    uint64_t series_at, series_end;
    struct str postings; /* of all series: u32 references */
    size_t next;
    struct block_series series; /* the current one */
    size_t label_cap, chunk_cap;
};

int block_index_open(struct block_index *index, struct str bytes, struct err *e);
void block_index_release(struct block_index *index);
uint32_t block_index_series_count(const struct block_index *index);
/* 1 and the next series, borrowed until the next call; 0 at the end; ERR_CORRUPT. May be rewound by
 * setting `next` to 0. */
int block_index_next(
    struct block_index *index, const struct block_series **series_out, struct err *e);

/* ---- Writing ---- */

/* What the index of a new block is made of. Labels are borrowed, chunks in order of time. */
struct index_entry {
    const struct labels *labels;
    const struct block_chunk *chunks;
    size_t chunk_count;
};

/* Writes `path`, synced. `entries` are in label order, each with chunks. */
int block_index_write(struct vfs *fs, const char *path, const struct index_entry *entries,
    size_t count, struct err *e);

#endif
