/* One segment as unpacked frames, in order. Private to tsdb/wal. One thread. */
#ifndef SONDE_WAL_WAL_READER_H
#define SONDE_WAL_WAL_READER_H

#include "base/strbuf.h"
#include "wal/wal_scan.h"
#include "wire/zstd_codec.h"

struct wal_reader {
    struct vfs *fs;
    struct zstd_codec *zstd;
    struct strbuf plain; /* of the last frame, when it was compressed */
    char *bytes;         /* of the segment */
    struct wal_scan scan;
};

/* Records of one frame, borrowed from the reader until the next call. */
struct wal_records {
    uint64_t lsn;
    struct str plain;
    bool damaged; /* its checksum holds, and yet it cannot be unpacked */
};

/* What is known of a segment behind its last frame. */
struct wal_segment_end {
    size_t size, good_end;
    uint64_t skipped; /* damaged gaps between good frames */
    bool header_damaged;
};

int wal_reader_init(struct wal_reader *r, struct vfs *fs);
void wal_reader_release(struct wal_reader *r);
/* Reads the file of a segment, in place of the one before. ERR_UNSUPPORTED (a newer version), ERR_IO,
 * ERR_NOMEM. */
int wal_reader_open(struct wal_reader *r, const char *path);
/* 1 and a frame, 0 and the end, ERR_NOMEM. */
int wal_reader_next(
    struct wal_reader *r, struct wal_records *records_out, struct wal_segment_end *end_out);

#endif
