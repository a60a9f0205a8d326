/* Reading the log back: segments in order, each standing alone, damage stepped over and counted. */
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal.h"
#include "wal/wal_decode.h"
#include "wal/wal_format.h"
#include "wal/wal_scan.h"
#include "wire/zstd_codec.h"

struct replay {
    struct vfs *fs;
    const struct wal_handler *handler;
    struct wal_replay_statistics statistics;
    struct wal_decoder *decoder;
    struct zstd_codec *zstd;
    struct strbuf plain;
};

/* One frame's records. Damage inside a frame whose checksum held is a frame of a broken writer:
 * counted like any other. */
static int replay_frame(struct replay *r, const struct wal_frame *frame)
{
    struct str records = frame->payload;
    if (frame->payload.len != frame->plain_size) {
        strbuf_reset(&r->plain);
        int status = zstd_decode(r->zstd, frame->payload, WAL_FRAME_PLAIN_MAX, &r->plain);
        if (status == ERR_NOMEM) {
            return status;
        }
        if (status != 0 || r->plain.size != frame->plain_size) {
            r->statistics.corrupt_frames++;
            return 0;
        }
        records = strbuf_str(&r->plain);
    }
    int status = wal_decode_frame(r->decoder, frame->lsn, records, &r->statistics);
    if (status == ERR_CORRUPT) {
        r->statistics.corrupt_frames++;
        return 0;
    }
    r->statistics.frames++;
    if (frame->lsn > r->statistics.last_lsn) {
        r->statistics.last_lsn = frame->lsn;
    }
    return status;
}

/* Bytes behind the last good frame of the newest segment are a torn write. */
static int cut_tail(struct replay *r, const char *path, size_t size, size_t good_end)
{
    struct vfs_file *file = NULL;
    r->statistics.truncated_bytes += size - good_end;
    int status = vfs_open(r->fs, path, VFS_READWRITE, &file);
    if (status == 0) {
        status = vfs_truncate(r->fs, file, good_end);
    }
    if (status == 0) {
        status = vfs_sync(r->fs, file);
    }
    vfs_close(r->fs, file);
    return status;
}

static int replay_bytes(
    struct replay *r, const char *path, const char *bytes, size_t size, bool newest, bool repair)
{
    struct wal_scan scan;
    struct wal_frame frame;
    int status = wal_scan_begin(&scan, bytes, size);
    while (status == 0 && wal_scan_next(&scan, &frame)) {
        status = replay_frame(r, &frame);
    }
    if (status != 0) {
        return status;
    }
    r->statistics.corrupt_frames += scan.skipped;
    if (scan.header_damaged && scan.good_end == 0) {
        /* A crash right after the segment was made leaves it empty or short; that is no loss. */
        if (!newest || size > WAL_SEGMENT_HEADER_SIZE) {
            r->statistics.corrupt_frames++;
        }
        return 0;
    }
    if (scan.header_damaged) {
        r->statistics.damaged_headers++;
        LOG_WARN("wal: the header of a segment is damaged; its frames were read",
            LOG_S("path", path), LOG_I("bytes", scan.good_end));
    }
    if (scan.good_end == size) {
        return status;
    }
    if (!newest) {
        r->statistics.corrupt_frames++;
        return 0;
    }
    if (repair) {
        return cut_tail(r, path, size, scan.good_end);
    }
    r->statistics.truncated_bytes += size - scan.good_end;
    return 0;
}

static int replay_segment(struct replay *r, const char *directory, uint64_t sequence, bool newest,
    bool repair, struct err *e)
{
    char path[WAL_PATH_MAX];
    char *bytes = NULL;
    size_t size = 0;
    int status = wal_segment_path(path, directory, sequence);
    if (status == 0) {
        status = vfs_read_file(r->fs, path, WAL_SEGMENT_BYTES_MAX, &bytes, &size);
    }
    if (status == 0) {
        wal_decoder_restart(r->decoder);
        r->statistics.segments++;
        if (r->handler->segment != NULL) {
            status = r->handler->segment(r->handler->context, sequence);
        }
    }
    if (status == 0) {
        status = replay_bytes(r, path, bytes, size, newest, repair);
    }
    mem_free(bytes);
    if (status == ERR_UNSUPPORTED) {
        return err_set(e, status, -1,
            "%s was written by a newer version; start that version, or move the file away", path);
    }
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s: cannot be replayed: %s", path, err_text(status));
}

static int replay_init(struct replay *r, struct vfs *fs, const struct wal_handler *handler)
{
    *r = (struct replay){.fs = fs, .handler = handler};
    strbuf_init(&r->plain, WAL_FRAME_PLAIN_MAX);
    int status = wal_decoder_new(handler, &r->decoder);
    return status != 0 ? status : zstd_codec_new(&r->zstd);
}

static void replay_release(struct replay *r)
{
    wal_decoder_free(r->decoder);
    zstd_codec_free(r->zstd);
    strbuf_release(&r->plain);
}

int wal_replay(struct vfs *fs, const char *path, bool repair, const struct wal_handler *handler,
    struct wal_replay_statistics *statistics_out, struct err *e)
{
    struct replay r;
    uint64_t *sequences = NULL;
    size_t count = 0;
    int status = replay_init(&r, fs, handler);
    if (status != 0) {
        err_set(e, status, -1, "out of memory for the replay of %s", path);
    } else {
        status = wal_list_segments(fs, path, &sequences, &count, e);
    }
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = replay_segment(&r, path, sequences[i], i + 1 == count, repair, e);
    }
    if (status == 0) {
        *statistics_out = r.statistics;
    }
    mem_free(sequences);
    replay_release(&r);
    return status;
}

/* ---- Tools ---- */

int wal_segment_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out)
{
    static const struct wal_handler nothing = {.context = NULL};
    struct replay r;
    char *bytes = NULL;
    size_t size = 0;
    int status = replay_init(&r, fs, &nothing);
    if (status == 0) {
        status = vfs_read_file(fs, path, WAL_SEGMENT_BYTES_MAX, &bytes, &size);
    }
    if (status == 0) {
        status = replay_bytes(&r, path, bytes, size, true, false);
    }
    uint64_t problems = r.statistics.corrupt_frames + (r.statistics.truncated_bytes > 0) +
                        (r.statistics.lost_rows > 0);
    if (r.statistics.damaged_headers > 0) {
        strbuf_addf(report, "%s: the header is damaged\n", path);
    }
    if (r.statistics.corrupt_frames > 0) {
        strbuf_addf(report, "%s: %llu damaged frames\n", path,
            (unsigned long long)r.statistics.corrupt_frames);
    }
    if (r.statistics.lost_rows > 0) {
        strbuf_addf(report, "%s: %llu rows lost with them\n", path,
            (unsigned long long)r.statistics.lost_rows);
    }
    if (r.statistics.truncated_bytes > 0) {
        strbuf_addf(report, "%s: %llu bytes behind the last whole frame\n", path,
            (unsigned long long)r.statistics.truncated_bytes);
    }
    if (status != 0) {
        problems++;
        strbuf_addf(report, "%s: %s\n", path, err_text(status));
    }
    mem_free(bytes);
    replay_release(&r);
    *problem_count_out += problems;
    return problems > 0 ? ERR_CORRUPT : 0;
}
