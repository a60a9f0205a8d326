/* Frames of one segment that was read into memory. Private to tsdb/wal. */
#ifndef SONDE_WAL_WAL_SCAN_H
#define SONDE_WAL_WAL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"

/* A segment may not be larger than this; a frame that crosses the size wanted is the last. */
#define WAL_SEGMENT_BYTES_MAX ((size_t)1 << 31)
#define WAL_SEGMENTS_MAX 100000

struct wal_frame {
    size_t offset; /* of its header in the file */
    uint64_t lsn;
    uint32_t plain_size;
    struct str payload;
};

struct wal_scan {
    const uint8_t *bytes;
    size_t size;
    size_t offset;    /* where the next frame is expected */
    size_t good_end;  /* behind the last good frame */
    uint64_t skipped; /* gaps between good frames: damaged frames */
    uint64_t skipped_bytes;
    bool
        header_damaged; /* cut short, or gone; what lies before the first frame is none of the gaps */
};

/* Looks at the segment's header. 0, also when it is damaged, since frames are checked one by one;
 * ERR_UNSUPPORTED (a newer version). */
int wal_scan_begin(struct wal_scan *s, const void *bytes, size_t size);
/* The next good frame, searching on behind damaged bytes; false at the end. What lies behind
 * `good_end` then is a torn tail. */
bool wal_scan_next(struct wal_scan *s, struct wal_frame *frame_out);

/* <path>/<sequence>.wal; `buffer` has WAL_PATH_MAX bytes. ERR_LIMIT when it does not fit. */
#define WAL_PATH_MAX 4096
int wal_segment_path(char *buffer, const char *directory, uint64_t sequence);
/* Sequences of the segments of a directory, ascending; the caller's (mem_free). A missing directory
 * has none. */
int wal_list_segments(struct vfs *fs, const char *directory, uint64_t **sequences_out,
    size_t *count_out, struct err *e);

#endif
