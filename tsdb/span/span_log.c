/* Segments and frames of the log of spans. */
#include "span/span_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame_log.h"
#include "base/mem.h"
#include "wire/otlp_traces.h"
#include "wire/zstd_codec.h"

/* The fast side of zstd: what is written lives for minutes. */
enum { PACK_LEVEL = -3 };
enum { PATH_BYTES_MAX = 4096, SEGMENTS_MAX = 65536 };

static const struct frame_kind FRAME = {{'S', 'P', 'A', 'N'}, OTLP_TRACES_MAX};

struct span_log {
    struct vfs *fs;
    char *path;
    uint64_t *segments; /* numbers on disk, ascending; the last is written to */
    size_t count, cap;
    struct vfs_file *file; /* NULL: the last one failed */
    uint64_t bytes;        /* of all segments, as far as this process knows */
};

static void segment_path(const struct span_log *log, uint64_t number, char path[PATH_BYTES_MAX])
{
    snprintf(
        path, PATH_BYTES_MAX, "%s/%0*" PRIx64 ".log", log->path, SPAN_SEGMENT_NAME_DIGITS, number);
}

/* ---- Segments ---- */

bool span_segment_name_parse(const char *name, uint64_t *number_out)
{
    char *end = NULL;
    unsigned long long number = strtoull(name, &end, 16);
    if (end != name + SPAN_SEGMENT_NAME_DIGITS || strcmp(end, ".log") != 0) {
        return false;
    }
    *number_out = number;
    return true;
}

static int begin_segment(struct span_log *log)
{
    char path[PATH_BYTES_MAX];
    uint64_t number = log->count > 0 ? log->segments[log->count - 1] + 1 : 1;
    int status = mem_array_grow(
        (void **)&log->segments, &log->cap, log->count + 1, sizeof(*log->segments), SEGMENTS_MAX);
    if (status != 0) {
        return status;
    }
    vfs_close(log->fs, log->file);
    log->file = NULL;
    segment_path(log, number, path);
    status = vfs_open(log->fs, path, VFS_CREATE, &log->file);
    if (status != 0) {
        return status;
    }
    log->segments[log->count++] = number;
    status = vfs_sync_dir(log->fs, log->path);
    if (status != 0) {
        vfs_close(log->fs, log->file);
        log->file = NULL;
    }
    return status;
}

static int note_segment(void *context, const char *name, bool is_directory)
{
    struct span_log *log = context;
    uint64_t number = 0;
    if (is_directory || !span_segment_name_parse(name, &number)) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&log->segments, &log->cap, log->count + 1, sizeof(*log->segments), SEGMENTS_MAX);
    if (status == 0) {
        log->segments[log->count++] = number;
    }
    return status;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* ---- Replay ---- */

struct replay {
    struct vfs *fs;
    span_log_replay callback;
    void *context;
    struct zstd_codec *codec;
    struct strbuf payload, message;
    struct span_log_report report;
    uint64_t bytes; /* of the segments */
};

static int replay_frame(struct replay *r)
{
    strbuf_reset(&r->message);
    int status = zstd_decode(r->codec, strbuf_str(&r->payload), OTLP_TRACES_MAX, &r->message);
    if (status == 0) {
        r->report.messages++;
        status = r->callback(r->context, strbuf_str(&r->message));
    }
    if (status == ERR_CORRUPT || status == ERR_LIMIT) {
        r->report.damaged_bytes += r->payload.size;
        status = 0;
    }
    return status;
}

static int replay_segment(struct replay *r, const char *path)
{
    struct vfs *fs = r->fs;
    struct vfs_file *file = NULL;
    uint64_t size = 0, offset = 0;
    int status = vfs_open(fs, path, VFS_READ, &file);
    status = status == 0 ? vfs_size(fs, file, &size) : status;
    while (status == 0 && offset < size) {
        uint64_t next, found;
        status = frame_read(fs, file, size, offset, &FRAME, &r->payload, &next);
        if (status == 0) {
            status = replay_frame(r);
            offset = next;
        } else if (status == ERR_CORRUPT) {
            status = frame_find(fs, file, size, offset, &FRAME, &r->payload, &found);
            if (status == 0) {
                /* What no frame follows is a crash's. */
                r->report.damaged_bytes += found < size ? found - offset : 0;
                offset = found;
            }
        }
    }
    vfs_close(fs, file);
    r->bytes += size;
    return status;
}

static int replay_init(struct replay *r, struct vfs *fs, span_log_replay callback, void *context)
{
    *r = (struct replay){.fs = fs, .callback = callback, .context = context};
    strbuf_init(&r->payload, OTLP_TRACES_MAX + 1);
    strbuf_init(&r->message, OTLP_TRACES_MAX + 1);
    return zstd_codec_new(&r->codec);
}

static void replay_release(struct replay *r)
{
    zstd_codec_free(r->codec);
    strbuf_release(&r->payload);
    strbuf_release(&r->message);
}

static int replay_all(struct span_log *log, uint64_t covered, span_log_replay callback,
    void *context, struct span_log_report *report)
{
    struct replay r;
    int status = replay_init(&r, log->fs, callback, context);
    for (size_t i = 0; status == 0 && i < log->count; i++) {
        char path[PATH_BYTES_MAX];
        segment_path(log, log->segments[i], path);
        /* A covered one may be left that could not be removed. */
        status = log->segments[i] > covered ? replay_segment(&r, path) : 0;
    }
    replay_release(&r);
    log->bytes += r.bytes;
    *report = r.report;
    return status;
}

int span_log_read(struct vfs *fs, const char *path, span_log_replay replay, void *context,
    struct span_log_report *report_out)
{
    struct replay r;
    int status = replay_init(&r, fs, replay, context);
    status = status == 0 ? replay_segment(&r, path) : status;
    replay_release(&r);
    *report_out = r.report;
    return status;
}

/* ---- Life ---- */

int span_log_open(struct vfs *fs, const char *path, uint64_t covered, span_log_replay replay,
    void *context, struct span_log **log_out, struct span_log_report *report_out, struct err *e)
{
    struct span_log *log = mem_calloc(1, sizeof(*log));
    if (log == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    log->fs = fs;
    log->path = mem_strdup(path);
    int status = log->path == NULL ? ERR_NOMEM : vfs_mkdir_all(fs, path);
    status = status == 0 ? vfs_list(fs, path, note_segment, log) : status;
    if (status == 0) {
        if (log->count > 0) {
            qsort(log->segments, log->count, sizeof(*log->segments), by_number);
        }
        span_log_forget(log, covered);
        status = replay_all(log, covered, replay, context, report_out);
    }
    if (status == 0 && log->count == 0 && covered > 0) {
        /* Numbers go on behind those that blocks cover. */
        status = mem_array_grow((void **)&log->segments, &log->cap, 1, sizeof(*log->segments), 1);
        if (status == 0) {
            log->segments[log->count++] = covered;
        }
    }
    status = status == 0 ? begin_segment(log) : status;
    if (status != 0) {
        (void)err_set(e, status, -1, "%s: %s", path, err_text(status));
        span_log_close(log);
        return status;
    }
    *log_out = log;
    return 0;
}

void span_log_close(struct span_log *log)
{
    if (log != NULL) {
        vfs_close(log->fs, log->file);
        mem_free(log->segments);
        mem_free(log->path);
        mem_free(log);
    }
}

/* ---- Appending ---- */

int span_log_pack(struct zstd_codec *codec, struct str message, struct strbuf *frame)
{
    frame_begin(frame);
    int status = zstd_encode(codec, message, PACK_LEVEL, frame);
    status = status == 0 ? strbuf_error(frame) : status;
    if (status == 0) {
        frame_seal(frame, &FRAME);
    }
    return status;
}

int span_log_append(struct span_log *log, const struct strbuf *frame)
{
    int status = log->file == NULL ? begin_segment(log) : 0;
    status = status == 0 ? vfs_append(log->fs, log->file, frame->data, frame->size) : status;
    if (status != 0) {
        if (log->file != NULL) {
            (void)vfs_sync(
                log->fs, log->file); /* what was acknowledged before, as far as it goes */
        }
        vfs_close(log->fs, log->file);
        log->file = NULL;
        return status;
    }
    log->bytes += frame->size;
    return 0;
}

int span_log_sync(struct span_log *log)
{
    int status = log->file == NULL ? 0 : vfs_sync(log->fs, log->file);
    if (status != 0) {
        vfs_close(log->fs, log->file);
        log->file = NULL;
    }
    return status;
}

int span_log_cut(struct span_log *log, uint64_t *covered_out)
{
    uint64_t covered = log->segments[log->count - 1];
    int status = span_log_sync(log);
    status = status == 0 ? begin_segment(log) : status;
    if (status == 0) {
        *covered_out = covered;
    }
    return status;
}

void span_log_forget(struct span_log *log, uint64_t covered)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        char path[PATH_BYTES_MAX];
        segment_path(log, log->segments[i], path);
        uint64_t size = 0;
        struct vfs_file *file = NULL;
        if (log->segments[i] <= covered && vfs_open(log->fs, path, VFS_READ, &file) == 0) {
            (void)vfs_size(log->fs, file, &size); /* 0 then: the count is for people */
            vfs_close(log->fs, file);
        }
        /* One that cannot be removed is tried again at the next cut. */
        int status = log->segments[i] <= covered ? vfs_remove(log->fs, path) : ERR_BUSY;
        if (status == 0) {
            log->bytes -= size < log->bytes ? size : log->bytes;
        } else if (status != ERR_NOT_FOUND) {
            log->segments[kept++] = log->segments[i];
        }
    }
    log->count = kept;
}

uint64_t span_log_bytes(const struct span_log *log)
{
    return log->bytes;
}
