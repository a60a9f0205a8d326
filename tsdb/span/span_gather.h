/* Spans of many pages, trace by trace: what merging writes and opening a trace shows.
 *
 * A span that is there twice, byte for byte, is handed out once: a message that was sent again, or one that
 * is in the log and in a block. Equal ids alone are no reason: client and server of Zipkin's old model
 * share one.
 */
#ifndef SONDE_TSDB_SPAN_GATHER_H
#define SONDE_TSDB_SPAN_GATHER_H

#include "span/span_retention.h"
#include "span/span_source.h"

/* Sorts by start, then id, and leaves out what is there twice. *count_out: how many are left. 0,
 * ERR_NOMEM. */
int span_gather_order(struct otlp_span *spans, size_t count, size_t *count_out);

/* Writes all spans of the sources into one block. Memory is bounded: pages are opened as traces need them,
 * few at a time. Damaged pages are left out and, when that is new,
 * counted; their blocks get a second name (SPAN_BLOCK_DAMAGED). Left out are traces, too, that were kept long enough, but for those of
 * more spans than are sorted at once. *spans_out: how many were written; with 0 there is no file. *damaged_out is written in
 * any case. */
int span_gather_merge(const struct span_sources *sources, struct vfs *fs, const char *path,
    const struct span_block_options *options, const struct span_keep *keep, uint64_t *spans_out,
    uint64_t *damaged_out, struct err *e);

#endif
