/* A new block of Prometheus' TSDB: series in label order, chunks in time order, then the rest.
 *
 *   <parent>/<ULID>.tmp/   chunks/000001 ..   index   tombstones   meta.json
 *
 * Chunks go to disk as they come; the index is written at the end from what is kept of each chunk (24
 * bytes) and series. The directory gets its name last, complete and synced: Prometheus takes no notice
 * of names that end in .tmp.
 */
#ifndef SONDE_BLOCK_BLOCK_WRITER_H
#define SONDE_BLOCK_BLOCK_WRITER_H

#include "block/block_index.h"
#include "block/block_meta.h"
#include "block/chunk_file.h"
#include "model/histogram.h"

#define BLOCK_SERIES_MAX ((size_t)1 << 28)

struct block_writer {
    struct vfs *fs;
    char path[BLOCK_PATH_MAX];      /* without .tmp */
    char temporary[BLOCK_PATH_MAX]; /* with */
    char chunks_path[BLOCK_PATH_MAX];
    struct block_meta meta;
    struct chunk_file_writer chunk_file;
    struct block_chunk *chunks;
    size_t chunk_count, chunk_cap;
    struct index_entry *entries; /* `chunks` of them is set at the end: the array moves */
    size_t entry_count, entry_cap;
    struct strbuf data;
};

/* `meta` has the name and the range; the counts are filled in here. */
int block_writer_open(struct block_writer *w, struct vfs *fs, const char *parent,
    const struct block_meta *meta, struct err *e);
/* The series that the next chunks belong to, greater than the one before; borrowed until the writer
 * is closed. One without chunks is left out. */
int block_writer_series(struct block_writer *w, const struct labels *labels);
int block_writer_floats(
    struct block_writer *w, const int64_t *times, const double *values, size_t count);
/* Any number of samples: cut into chunks. `before` is the histogram that came last, or NULL. */
int block_writer_histograms(struct block_writer *w, const int64_t *times,
    const struct histogram *const *histograms, size_t count, const struct histogram *before);
/* Writes index and meta.json and gives the block its name. A block without samples is not made:
 * w->meta.samples says. */
int block_writer_finish(struct block_writer *w, const struct labels *external, struct err *e);
/* Removes what has no name yet; releases everything. */
void block_writer_close(struct block_writer *w);

#endif
