/* Segments read and unpacked ahead of the replay, in threads of their own. Private to tsdb/wal.
 *
 * Segments need nothing of one another, so each helper takes every n-th of them: it reads the file,
 * checks and unpacks its frames, and queues them. What they say is applied by one thread, in the order
 * of the log, since of two values for one time the later counts.
 *
 * Opened, asked and freed by one thread.
 */
#ifndef SONDE_WAL_WAL_AHEAD_H
#define SONDE_WAL_WAL_AHEAD_H

#include "wal/wal_reader.h"

/* Helpers; each holds one segment and WAL_AHEAD_BYTES_MAX of unpacked frames, or one larger frame. */
#define WAL_AHEAD_HELPERS_MAX 3
#define WAL_AHEAD_BYTES_MAX ((size_t)8 << 20)
#define WAL_AHEAD_FRAMES_MAX 64

struct wal_ahead;

/* Begins with the first of `sequences`, which outlive it, as `directory` does. ERR_NOMEM; ERR_LIMIT: no
 * thread could be made. */
int wal_ahead_new(struct vfs *fs, const char *directory, const uint64_t *sequences, size_t count,
    struct wal_ahead **ahead_out);
/* Stops the helpers wherever they are. Accepts NULL. */
void wal_ahead_free(struct wal_ahead *a);
/* As wal_reader_next, of the segment that is at turn; after its end, or an error, the next one is. Also
 * what wal_reader_open returns. The records are good until the next call. */
int wal_ahead_next(
    struct wal_ahead *a, struct wal_records *records_out, struct wal_segment_end *end_out);

#endif
