/* Pages and runs as bytes, both ways. Private to tsdb/part; pure functions on buffers. */
#ifndef SONDE_PART_PART_PAGE_H
#define SONDE_PART_PART_PAGE_H

#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "part/part.h"
#include "part/part_reference.h"
#include "wire/zstd_codec.h"

/* ---- Times page ---- */

/* Row counts and times of each table of a group; equal streams are stored once. Without checksum. */
int part_times_encode(
    const int64_t *const *times, const uint32_t *rows, uint32_t table_count, struct strbuf *out);

/* A times page taken apart. Streams are borrowed from it. */
struct part_times {
    uint32_t stream_count;
    uint32_t rows[PART_GROUP_TARGETS_MAX]; /* of each stream */
    struct str streams[PART_GROUP_TARGETS_MAX];
    uint8_t stream_of[PART_GROUP_TARGETS_MAX]; /* by table */
    bool has_extents;
    int64_t first[PART_GROUP_TARGETS_MAX], last[PART_GROUP_TARGETS_MAX]; /* of each stream */
};

/* ERR_CORRUPT when the page does not hold together. */
int part_times_parse(struct str page, uint32_t table_count, struct part_times *times_out);

/* ---- Runs ---- */

/* What is known of a long block without decoding it. */
struct part_checkpoint {
    double first, last;
    double increase; /* corrected for resets */
};

/* Makes the checkpoint of a block; false when it gets none. `presence` NULL = all present. */
bool part_checkpoint_make(const double *values, const uint64_t *presence, uint32_t rows,
    struct part_checkpoint *checkpoint_out);

/* Collects the blocks of one run. */
struct part_run_writer {
    struct strbuf blocks;
    uint64_t lengths[PART_GROUP_TARGETS_MAX];
    uint32_t count;
    size_t last_offset, last_size; /* of the last block that was stored */
    bool has_checkpoint[PART_GROUP_TARGETS_MAX];
    struct part_checkpoint checkpoints[PART_GROUP_TARGETS_MAX];
};

void part_run_begin(struct part_run_writer *w);
/* Ends the block that was appended to w->blocks since the last call; folds it into the one before
 * when the bytes are equal. `checkpoint` may be NULL. */
void part_run_end_block(struct part_run_writer *w, const struct part_checkpoint *checkpoint);
/* The run of `column`, onto `out`. */
void part_run_finish(struct part_run_writer *w, uint32_t column,
    const struct part_references *references, struct strbuf *out);
/* A run taken apart: what it leans on (earlier columns), and the block of each table, borrowed. */
struct part_run {
    struct part_references references;
    const char *blocks;
    uint32_t offsets[PART_GROUP_TARGETS_MAX], sizes[PART_GROUP_TARGETS_MAX];
    uint32_t table_count;
    const uint8_t *checkpoints; /* their bits; NULL: there are none */
};

int part_run_parse(struct str run, uint32_t column, uint32_t table_count, struct part_run *run_out);

/* The checkpoint of a table; false when it has none. */
bool part_run_checkpoint(
    const struct part_run *run, uint32_t table, struct part_checkpoint *checkpoint_out);

/* Run `index` of a value page. */
int part_page_run(struct str page, uint32_t index, uint32_t *run_count_out, struct str *run_out);

/* ---- Histogram blocks ---- */

int part_histograms_encode(struct zstd_codec *zstd, const struct str *cells,
    const uint64_t *presence, uint32_t rows, struct strbuf *scratch, struct strbuf *out);
/* Cells point into `scratch`, which must outlive them. */
int part_histograms_decode(struct zstd_codec *zstd, struct str block, uint32_t rows,
    struct strbuf *scratch, struct str *cells_out, uint64_t *presence_out);

/* ---- Checksums ---- */

/* A page with its checksum in front: the page alone, or ERR_CORRUPT. */
int part_page_check(struct str stored, struct str *page_out);

#endif
