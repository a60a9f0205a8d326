/* Frames in a file that only grows: what logs of small records are made of (the journal, the log of spans).
 * A frame is whole or it is not; what is behind the last whole one is a crash's; damage costs the frames it
 * is in and no other, since a reader finds the next by its marker and checksums.
 *
 * A frame, numbers little-endian:
 *
 *    0  4  marker, chosen by whose log it is
 *    4  4  size of the payload, 1 …
 *    8  4  checksum32 of the payload
 *   12  4  checksum32 of bytes 0 … 11
 *   16  …  payload
 */
#ifndef SONDE_BASE_FRAME_LOG_H
#define SONDE_BASE_FRAME_LOG_H

#include <stdint.h>

#include "base/strbuf.h"
#include "base/vfs.h"

enum { FRAME_HEADER_SIZE = 16 };

/* Which frames are looked for. */
struct frame_kind {
    uint8_t marker[4];
    uint32_t payload_max;
};

/* Empties `frame` and leaves room for the header; the payload is appended by the caller, then sealed. */
void frame_begin(struct strbuf *frame);
/* Nothing was appended, and nothing failed. */
bool frame_is_empty(const struct strbuf *frame);
/* Fills in the header. The buffer has no error. */
void frame_seal(struct strbuf *frame, const struct frame_kind *kind);

/* Reads the frame at `offset` of a file of `file_size` bytes; `payload` is replaced by what it holds. 0 and
 * where the next begins, ERR_CORRUPT when there is no whole one, ERR_IO …, ERR_NOMEM. */
int frame_read(struct vfs *fs, struct vfs_file *file, uint64_t file_size, uint64_t offset,
    const struct frame_kind *kind, struct strbuf *payload, uint64_t *next_out);
/* The first offset at or behind `from` where a whole frame begins; `file_size` when there is none.
 * `payload` is used for trying. 0, ERR_IO …, ERR_NOMEM. */
int frame_find(struct vfs *fs, struct vfs_file *file, uint64_t file_size, uint64_t from,
    const struct frame_kind *kind, struct strbuf *payload, uint64_t *found_out);

#endif
