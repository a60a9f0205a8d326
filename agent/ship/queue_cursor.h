/* How far a destination has come, on disk. Private to agent/ship.
 *
 * File <name>.cursor: two slots of 64 bytes, written in turn, so that a torn write leaves the other.
 *   0   4  magic   4  4  checksum32 of bytes 8..31   8  8  generation   16  8  next sequence
 *  24   8  reserved, 0; the rest is zero
 * The good slot of the higher generation counts. After a crash the cursor may stand a little behind:
 * what is sent again is the same samples, which changes nothing at the receiver.
 */
#ifndef SONDE_SHIP_QUEUE_CURSOR_H
#define SONDE_SHIP_QUEUE_CURSOR_H

#include <stdint.h>

#include "base/err.h"
#include "base/vfs.h"

struct queue_cursor_file {
    struct vfs *vfs;
    struct vfs_file *file;
    char *path;
    uint64_t generation;
    uint64_t synced_generation; /* kept by whoever syncs it */
    uint64_t written;           /* sequence as last written */
};

/* Opens or makes it. `*sequence_out` is 0 when nothing was ever written. */
int queue_cursor_open(struct queue_cursor_file *c, struct vfs *fs, const char *directory,
    const char *name, uint64_t *sequence_out, struct err *e);
/* Writes when it moved; not synced. */
int queue_cursor_write(struct queue_cursor_file *c, uint64_t sequence);
void queue_cursor_close(struct queue_cursor_file *c);

#endif
