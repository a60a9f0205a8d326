/* A segment in memory, frame by frame unpacked; see the header. */
#include "wal/wal_reader.h"

#include "base/mem.h"
#include "wal/wal.h"

int wal_reader_init(struct wal_reader *r, struct vfs *fs)
{
    *r = (struct wal_reader){.fs = fs};
    strbuf_init(&r->plain, WAL_FRAME_PLAIN_MAX);
    return zstd_codec_new(&r->zstd);
}

static void close_segment(struct wal_reader *r)
{
    mem_free(r->bytes);
    r->bytes = NULL;
    r->scan = (struct wal_scan){.bytes = NULL};
}

void wal_reader_release(struct wal_reader *r)
{
    close_segment(r);
    strbuf_release(&r->plain);
    zstd_codec_free(r->zstd);
    r->zstd = NULL;
}

int wal_reader_open(struct wal_reader *r, const char *path)
{
    size_t size = 0;
    close_segment(r);
    int status = vfs_read_file(r->fs, path, WAL_SEGMENT_BYTES_MAX, &r->bytes, &size);
    return status == 0 ? wal_scan_begin(&r->scan, r->bytes, size) : status;
}

static int unpack(
    struct wal_reader *r, const struct wal_frame *frame, struct wal_records *records_out)
{
    *records_out = (struct wal_records){.lsn = frame->lsn, .plain = frame->payload};
    if (frame->payload.len == frame->plain_size) {
        return 1;
    }
    strbuf_reset(&r->plain);
    int status = zstd_decode(r->zstd, frame->payload, WAL_FRAME_PLAIN_MAX, &r->plain);
    if (status == ERR_NOMEM) {
        return status;
    }
    records_out->damaged = status != 0 || r->plain.size != frame->plain_size;
    records_out->plain = strbuf_str(&r->plain);
    return 1;
}

int wal_reader_next(
    struct wal_reader *r, struct wal_records *records_out, struct wal_segment_end *end_out)
{
    struct wal_frame frame;
    if (wal_scan_next(&r->scan, &frame)) {
        return unpack(r, &frame, records_out);
    }
    *end_out = (struct wal_segment_end){.size = r->scan.size,
        .good_end = r->scan.good_end,
        .skipped = r->scan.skipped,
        .header_damaged = r->scan.header_damaged};
    return 0;
}
