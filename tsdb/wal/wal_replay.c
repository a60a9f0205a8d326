/* Reading the log back: segments in order, each standing alone, damage stepped over and counted.
 *
 * A log of more than a few megabytes is read, checked and unpacked ahead by other threads (wal_ahead.h);
 * a short one is not worth them.
 */
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal.h"
#include "wal/wal_ahead.h"
#include "wal/wal_decode.h"
#include "wal/wal_format.h"

/* From a segment of this size on the others are read ahead. */
#define AHEAD_SEGMENT_BYTES_MIN ((size_t)4 << 20)

struct replay {
    struct vfs *fs;
    const char *directory;
    const struct wal_handler *handler;
    struct wal_replay_statistics statistics;
    struct wal_decoder *decoder;
    struct wal_reader reader;
    struct wal_ahead *ahead; /* NULL: the reader reads */
};

/* One frame's records. Damage inside a frame whose checksum held is a frame of a broken writer:
 * counted like any other. */
static int replay_frame(struct replay *r, const struct wal_records *frame)
{
    int status = frame->damaged
                     ? ERR_CORRUPT
                     : wal_decode_frame(r->decoder, frame->lsn, frame->plain, &r->statistics);
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

/* All frames of the segment that is open, or at turn. */
static int replay_frames(struct replay *r, struct wal_segment_end *end_out)
{
    struct wal_records frame;
    int more = 1, status = 0;
    while (status == 0 && more == 1) {
        more = r->ahead != NULL ? wal_ahead_next(r->ahead, &frame, end_out)
                                : wal_reader_next(&r->reader, &frame, end_out);
        status = more == 1 ? replay_frame(r, &frame) : more;
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

/* Judges what was found of a segment. */
static int end_segment(
    struct replay *r, const char *path, const struct wal_segment_end *end, bool newest, bool repair)
{
    r->statistics.corrupt_frames += end->skipped;
    if (end->header_damaged && end->good_end == 0) {
        /* A crash right after the segment was made leaves it empty or short; that is no loss. */
        if (!newest || end->size > WAL_SEGMENT_HEADER_SIZE) {
            r->statistics.corrupt_frames++;
        }
        return 0;
    }
    if (end->header_damaged) {
        r->statistics.damaged_headers++;
        r->statistics.corrupt_frames++;
        LOG_WARN("wal: the header of a segment is damaged; its frames were read",
            LOG_S("path", path), LOG_I("bytes", end->good_end));
    }
    if (end->good_end == end->size) {
        return 0;
    }
    if (!newest) {
        r->statistics.corrupt_frames++;
        return 0;
    }
    if (repair) {
        return cut_tail(r, path, end->size, end->good_end);
    }
    r->statistics.truncated_bytes += end->size - end->good_end;
    return 0;
}

/* Opens a segment, unless it is read ahead. After a large one others read what follows. */
static int open_segment(struct replay *r, const char *path, const uint64_t *sequences, size_t count,
    struct wal_ahead **ahead_out)
{
    if (r->ahead != NULL) {
        return 0;
    }
    int status = wal_reader_open(&r->reader, path);
    if (status == 0 && count > 1 && r->reader.scan.size >= AHEAD_SEGMENT_BYTES_MIN) {
        status = wal_ahead_new(r->fs, r->directory, sequences + 1, count - 1, ahead_out);
        status = status == ERR_LIMIT ? 0 : status; // no threads: one after the other
    }
    return status;
}

/* The first of `count` segments; *ahead_out reads those behind it. */
static int replay_segment(struct replay *r, const uint64_t *sequences, size_t count, bool repair,
    struct wal_ahead **ahead_out, struct err *e)
{
    char path[WAL_PATH_MAX];
    struct wal_segment_end end;
    int status = wal_segment_path(path, r->directory, sequences[0]);
    if (status == 0) {
        status = open_segment(r, path, sequences, count, ahead_out);
    }
    if (status == 0) {
        wal_decoder_restart(r->decoder);
        r->statistics.segments++;
        if (r->handler->segment != NULL) {
            status = r->handler->segment(r->handler->context, sequences[0]);
        }
    }
    if (status == 0) {
        status = replay_frames(r, &end);
    }
    if (status == 0) {
        status = end_segment(r, path, &end, count == 1, repair);
    }
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
    int status = wal_reader_init(&r->reader, fs);
    return status != 0 ? status : wal_decoder_new(handler, &r->decoder);
}

static void replay_release(struct replay *r)
{
    wal_ahead_free(r->ahead);
    wal_decoder_free(r->decoder);
    wal_reader_release(&r->reader);
}

static int replay_all(
    struct replay *r, const uint64_t *sequences, size_t count, bool repair, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct wal_ahead *ahead = r->ahead;
        status = replay_segment(r, sequences + i, count - i, repair, &ahead, e);
        r->ahead = ahead; // from the next one on
    }
    return status;
}

int wal_replay(struct vfs *fs, const char *path, bool repair, const struct wal_handler *handler,
    struct wal_replay_statistics *statistics_out, struct err *e)
{
    struct replay r;
    uint64_t *sequences = NULL;
    size_t count = 0;
    int status = replay_init(&r, fs, handler);
    r.directory = path;
    if (status != 0) {
        err_set(e, status, -1, "out of memory for the replay of %s", path);
    } else {
        status = wal_list_segments(fs, path, &sequences, &count, e);
    }
    if (status == 0) {
        status = replay_all(&r, sequences, count, repair, e);
    }
    if (status == 0) {
        *statistics_out = r.statistics;
    }
    replay_release(&r);
    mem_free(sequences);
    return status;
}

/* ---- Tools ---- */

int wal_segment_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out)
{
    static const struct wal_handler nothing = {.context = NULL};
    struct replay r;
    struct wal_segment_end end;
    int status = replay_init(&r, fs, &nothing);
    if (status == 0) {
        status = wal_reader_open(&r.reader, path);
    }
    if (status == 0) {
        status = replay_frames(&r, &end);
    }
    if (status == 0) {
        status = end_segment(&r, path, &end, true, false);
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
    replay_release(&r);
    *problem_count_out += problems;
    return problems > 0 ? ERR_CORRUPT : 0;
}
