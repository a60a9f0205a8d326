/* Samples on their way into a store, put into the order it likes best: all series of a target, time
 * after time. In a block they stand series after series, metric by metric. */
#ifndef SONDE_BLOCK_IMPORT_BATCH_H
#define SONDE_BLOCK_IMPORT_BATCH_H

#include "base/arena.h"
#include "tsdb/block.h"
#include "tsdb/chunk.h"

/* Samples that are sorted together, 32 bytes each. */
#define IMPORT_BATCH_SAMPLES ((size_t)2 << 20)
/* Samples and histograms of one commit. */
#define IMPORT_COMMIT_SAMPLES ((size_t)1 << 17)
/* Histograms of a batch. */
#define IMPORT_ARENA_BYTES ((size_t)256 << 20)

struct import_item {
    struct series_ref ref;
    int64_t t_ms;
    double value;
    const struct histogram *histogram; /* or NULL */
};

/* A transaction that commits itself when it is large. */
struct import_sink {
    const struct block_import_options *options;
    struct block_import_counts *counts;
    struct appender *appender;
    size_t pending;
    struct err *e;
};

int import_series(
    struct import_sink *sink, const struct label *labels, size_t count, struct series_ref *ref_out);
/* Refusals are counted, not returned. */
int import_item(struct import_sink *sink, const struct import_item *item);
int import_exemplar(struct import_sink *sink, struct series_ref ref, const struct label *labels,
    size_t count, double value, int64_t t_ms);
/* What the sink cannot keep is counted as refused. */
int import_metadata(struct import_sink *sink, struct str metric, enum metric_type type,
    struct str help, struct str unit);
/* Commits what is pending. */
int import_commit(struct import_sink *sink);
/* Rolls back what is pending. */
void import_abandon(struct import_sink *sink);

struct import_batch {
    struct import_item *items;
    size_t count, cap;
    struct arena arena; /* of the histograms */
};

int import_batch_add(struct import_batch *b, const struct import_item *item);
/* Sorts and hands over, and empties. */
int import_batch_flush(struct import_batch *b, struct import_sink *sink);
void import_batch_release(struct import_batch *b);

#endif
