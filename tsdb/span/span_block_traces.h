/* Does a block perhaps have spans of a trace? One Bloom filter (trace_bloom.h) over the traces of all its pages,
 * in memory: asking each page's own costs thirty microseconds for ten million spans.
 *
 * It is made when it is first asked for, from the lists of traces of the pages, and lives as long as the block:
 * 2 bytes a trace. Any thread; two that want it at once make it twice.
 */
#ifndef SONDE_TSDB_SPAN_BLOCK_TRACES_H
#define SONDE_TSDB_SPAN_BLOCK_TRACES_H

#include "span/span_source.h"

/* False: it has none. Damage, and memory that is short, are no proof. */
bool span_block_may_have(
    struct span_source *source, struct trace_id id, struct span_unpacker *unpacker);

#endif
