/* To and from Prometheus: its data directory into an appender, a querier into its blocks.
 *
 * What is copied is every sample bit for bit (stale markers, payloads of NaN, negative zeros), native
 * histograms with integer and with float counts, and exemplars on the way in. Both work on any source
 * and sink: the tool hands in a store, tests a twin. Formats: tsdb/block/README.md.
 */
#ifndef SONDE_TSDB_BLOCK_H
#define SONDE_TSDB_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vfs.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/appender.h"
#include "tsdb/querier.h"

/* ---- Import ---- */

struct block_import_options {
    struct vfs *fs; /* NULL = vfs_posix() */
    /* Prometheus' data directory (blocks, wal, wbl), a snapshot of it, or one block. It must not be
     * in use: stop Prometheus, or import a snapshot. Nothing in it is changed. */
    const char *directory;
    struct appender_source *sink;
    /* After each commit, for housekeeping of the store that fills; may be NULL. */
    int (*committed)(void *context, struct err *e);
    void *context;
};

struct block_import_counts {
    uint64_t blocks, blocks_skipped; /* skipped: replaced by others, or downsampled */
    uint64_t wal_segments, wal_torn, wal_records_skipped;
    uint64_t series, samples, histograms, exemplars; /* taken */
    uint64_t
        deleted; /* covered by tombstones in the log: not taken. Those in blocks are not counted */
    uint64_t refused; /* times or values the sink does not take */
};

/* Blocks by time, then the log from where the blocks end. What overlaps is written twice, which
 * changes nothing. ERR_NOT_FOUND: neither blocks nor a log; ERR_CORRUPT names the block: what was
 * imported before it stays. */
int block_import(const struct block_import_options *options, struct block_import_counts *counts_out,
    struct err *e);

/* ---- Export ---- */

/* Length of a block, and what its times are aligned to. */
#define BLOCK_RANGE_SHORT_MS ((int64_t)2 * 3600 * 1000)
#define BLOCK_RANGE_LONG_MS ((int64_t)24 * 3600 * 1000)

/* Selections that are taken together; more are ERR_LIMIT. */
#define BLOCK_SELECTIONS_MAX 64
/* Series that all matchers hold for. */
struct block_selection {
    const struct matcher *const *matchers;
    size_t count;
};

struct block_export_options {
    struct vfs *fs; /* NULL = vfs_posix() */
    struct querier_source *source;
    const char *directory;                    /* made when missing */
    int64_t min_t, max_t;                     /* both included */
    const struct block_selection *selections; /* series that any of them names; none = all series */
    size_t selection_count;
    bool tiers;       /* where samples are gone, the last one of each bucket that is left */
    int64_t range_ms; /* one of the two above */
    const struct labels *external; /* of whom the blocks are, for Thanos and Mimir; or NULL */
    int64_t now_ms;                /* for the names of the blocks */
    uint64_t seed;                 /* likewise */
};

struct block_export_counts {
    uint64_t blocks, series, samples, chunks;
};

/* What a tier alone still has is left out, unless `tiers` is said: then a series goes on into the past as
 * the last sample of each bucket, at its own time. These are true samples, so counters keep their rates
 * over windows of several buckets; least, greatest, sum and sketch have no place in such a block. A range
 * without samples makes no block.
 * A block is there complete or not at all; on error those before it stay. */
int block_export(const struct block_export_options *options, struct block_export_counts *counts_out,
    struct err *e);

#endif
