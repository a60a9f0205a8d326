/* The files of a store of traces, seen from outside: which there are, whether they are sound, what is in
 * them. For backups and for tools; the store is at rest, or a snapshot.
 */
#ifndef SONDE_TSDB_SPAN_FILES_H
#define SONDE_TSDB_SPAN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/vfs.h"

/* The store of traces of a data directory lies in <data>/spans. */
#define SPAN_FILES_DIRECTORY "spans"
/* "log/00000001.log", "0000000000000001.spans": no name is longer. */
#define SPAN_FILE_NAME_MAX 64

/* `name` within the store's directory. Not 0 stops. */
typedef int (*span_file_callback)(void *context, const char *name);
/* Every block, by number, then every segment of the log, by number; none when there is no such directory. */
int span_files_each(
    struct vfs *fs, const char *directory, span_file_callback callback, void *context);

/* Reads all of a block or a segment: checksums, bounds, each span, and that the block's footer says what
 * its pages hold. Findings are lines in `report`. ERR_IO, ERR_NOMEM; damage is no error. */
int span_file_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out);
/* What is in one, a line for each page or message, `with_spans` one for each span. ERR_CORRUPT … */
int span_file_dump(
    struct vfs *fs, const char *path, bool with_spans, struct strbuf *out, struct err *e);
/* A line for each block and for all: spans, traces, bytes, and what sections take of them. */
int span_files_stats(struct vfs *fs, const char *directory, struct strbuf *out, struct err *e);

#endif
