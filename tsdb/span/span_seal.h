/* Spans in memory into a block, as they came: nothing is decoded but once, by the page they end in. */
#ifndef SONDE_TSDB_SPAN_SEAL_H
#define SONDE_TSDB_SPAN_SEAL_H

#include "span/span_source.h"

/* Traces of all sources, which are in memory, in the order of a block; a span that came twice is kept once,
 * and traces whose latest span starts before `oldest_ns` are left out. *spans_out 0: nothing was left, and
 * there is no block. ERR_IO …, ERR_NOMEM. */
int span_seal(const struct span_sources *sources, struct vfs *fs, const char *path,
    const struct span_block_options *options, uint64_t oldest_ns, uint64_t *spans_out,
    struct err *e);

#endif
