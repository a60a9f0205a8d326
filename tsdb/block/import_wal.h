/* Import of what is in Prometheus' log and in no block yet. */
#ifndef SONDE_BLOCK_IMPORT_WAL_H
#define SONDE_BLOCK_IMPORT_WAL_H

#include "block/import_batch.h"

/* <directory>/wal from time `from` on, and all of <directory>/wbl; commits. Either may be missing. */
int import_wal(struct import_sink *sink, struct vfs *fs, const char *directory, int64_t from);

#endif
