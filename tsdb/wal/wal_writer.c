/* Writing the log: one frame a group of commits, segments, deletion.
 *
 * Two kinds of state. What belongs to the writing thread (the frame under construction, definitions
 * and previous cells) has no lock. What others look at (the list of segments, the current file, how
 * far it is written and synced) is guarded by `lock`, which is never held across a disk call: a
 * syncing thread marks itself in `syncing`, and whoever wants to end the segment waits for it.
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "wal/wal.h"
#include "wal/wal_encode.h"
#include "wal/wal_format.h"
#include "wal/wal_scan.h"
#include "wire/zstd_codec.h"

enum { ZSTD_LEVEL = 1, COMPRESS_FROM = 64, SYNC_INTERVAL_MS = 1000 };

struct segment {
    uint64_t sequence;
    uint64_t last_lsn; /* of its frames; 0 when it has none */
    uint64_t bytes;
};

struct wal {
    struct wal_options options;
    char path[WAL_PATH_MAX];

    /* The writing thread's. */
    struct wal_encoder encoder;
    struct zstd_codec *zstd;
    struct strbuf plain, frame;
    uint64_t frame_lsn;
    bool in_frame;
    bool full; /* the current segment must take no further byte: an append failed */

    struct lock lock; /* guards what follows */
    struct lock_condition changed;
    struct segment *segments; /* ascending; the last one is current when file != NULL */
    size_t segment_count, segment_cap;
    struct vfs_file *file;
    uint64_t next_sequence;
    uint64_t written_lsn, synced_lsn;
    uint64_t unsafe_lsn; /* acknowledged frames up to it may be lost; 0 = none */
    bool syncing;
    bool sync_failed; /* the current file's dirty pages may be gone: never sync it again */
    bool closing;
    struct wal_statistics statistics;

    pthread_t thread;
    bool has_thread;
};

/* ---- Segments ---- */

/* Waits until nobody syncs the current file. Under the lock. */
static void wait_for_sync(struct wal *w)
{
    while (w->syncing) {
        lock_condition_wait(&w->changed, &w->lock);
    }
}

/* Frames up to the last written are acknowledged and perhaps not on the disk. Under the lock. */
static void mark_unsafe(struct wal *w)
{
    if (w->written_lsn > w->synced_lsn) {
        w->unsafe_lsn = w->written_lsn;
    }
}

/* Syncs the current file up to what is written now. Under the lock, which is given up meanwhile. */
static int sync_current(struct wal *w)
{
    wait_for_sync(w);
    struct vfs_file *file = w->file;
    uint64_t lsn = w->written_lsn;
    if (file == NULL || w->synced_lsn >= lsn) {
        return 0;
    }
    if (w->sync_failed) {
        return ERR_IO;
    }
    w->syncing = true;
    lock_give(&w->lock);
    int status = vfs_sync(w->options.vfs, file);
    lock_take(&w->lock);
    w->syncing = false;
    w->statistics.syncs++;
    if (status == 0) {
        w->synced_lsn = lsn;
    } else {
        w->sync_failed = true;
        w->statistics.failed_segments++;
        mark_unsafe(w);
    }
    lock_condition_broadcast(&w->changed);
    return status;
}

/* Ends the current segment: synced whatever the policy, so that a later commit that asks for a sync,
 * or wal_sync, need not come back to it; closed. Under the lock. A failed sync leaves its mark in
 * unsafe_lsn; there is nothing else to do about it here. */
static void end_segment(struct wal *w)
{
    if (w->file != NULL && !w->sync_failed) {
        (void)sync_current(w);
    }
    wait_for_sync(w);
    vfs_close(w->options.vfs, w->file);
    w->file = NULL;
    w->full = false;
    w->sync_failed = false;
}

static int write_header(struct wal *w, struct vfs_file *file)
{
    uint8_t header[WAL_SEGMENT_HEADER_SIZE];
    memcpy(header, WAL_SEGMENT_MAGIC, 8);
    put_le32(header + 8, WAL_SEGMENT_VERSION);
    put_le32(header + 12, checksum32(header, 12));
    int status = vfs_append(w->options.vfs, file, header, sizeof(header));
    if (status == 0 && w->options.policy != WAL_SYNC_NEVER) {
        status = vfs_sync(w->options.vfs, file);
    }
    return status == 0 ? vfs_sync_dir(w->options.vfs, w->path) : status;
}

/* Makes the next segment and puts it in place. */
static int start_segment(struct wal *w, struct err *e)
{
    char path[WAL_PATH_MAX];
    struct vfs_file *file = NULL;
    struct vfs *fs = w->options.vfs;
    uint64_t sequence = w->next_sequence++;
    int status = wal_segment_path(path, w->path, sequence);
    if (status == 0) {
        status = mem_array_grow((void **)&w->segments, &w->segment_cap, w->segment_count + 1,
            sizeof(*w->segments), WAL_SEGMENTS_MAX);
    }
    if (status == 0) {
        status = vfs_open(fs, path, VFS_CREATE, &file);
    }
    if (status == 0) {
        status = write_header(w, file);
    }
    if (status != 0) {
        vfs_close(fs, file);
        if (file != NULL) {
            (void)vfs_remove(fs, path); /* an empty segment does no harm when it stays */
        }
        return err_set(e, status, -1, "%s: cannot begin a segment of the write-ahead log: %s", path,
            err_text(status));
    }
    wal_encoder_restart(&w->encoder);
    lock_take(&w->lock);
    w->segments[w->segment_count++] = (struct segment){sequence, 0, WAL_SEGMENT_HEADER_SIZE};
    w->file = file;
    lock_give(&w->lock);
    return 0;
}

/* ---- Frames ---- */

int wal_begin(struct wal *w, uint64_t lsn, struct err *e)
{
    assert(!w->in_frame);
    lock_take(&w->lock);
    bool full =
        w->file != NULL && w->segments[w->segment_count - 1].bytes >= w->options.segment_bytes;
    if (full || w->full || w->sync_failed) {
        end_segment(w);
    }
    bool missing = w->file == NULL;
    lock_give(&w->lock);
    int status = missing ? start_segment(w, e) : 0;
    if (status != 0) {
        return status;
    }
    strbuf_reset(&w->plain);
    w->frame_lsn = lsn;
    w->in_frame = true;
    return 0;
}

void wal_add_row(struct wal *w, uint32_t target, int64_t t_ms, const uint32_t *columns,
    const double *values, size_t count)
{
    wal_encode_row(&w->encoder, &w->plain, target, t_ms, columns, values, count);
}

void wal_add_histogram(
    struct wal *w, uint32_t target, int64_t t_ms, uint32_t column, struct str bytes)
{
    wal_encode_histogram(&w->encoder, &w->plain, target, t_ms, column, bytes);
}

void wal_add_metadata(
    struct wal *w, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    wal_encode_metadata(&w->plain, metric, type, help, unit);
}

void wal_add_exemplar(struct wal *w, uint32_t target, uint32_t column, int64_t t_ms, double value,
    const struct label *labels, size_t count)
{
    wal_encode_exemplar(&w->encoder, &w->plain, target, column, t_ms, value, labels, count);
}

/* Header and payload into w->frame. */
static int seal_frame(struct wal *w)
{
    struct str plain = strbuf_str(&w->plain);
    strbuf_reset(&w->frame);
    strbuf_add_le32(&w->frame, WAL_FRAME_MAGIC);
    for (int i = 0; i < 5; i++) {
        strbuf_add_le32(&w->frame, 0);
    }
    int status = strbuf_error(&w->frame);
    if (status == 0 && plain.len >= COMPRESS_FROM) {
        status = zstd_encode(w->zstd, plain, ZSTD_LEVEL, &w->frame);
    }
    if (status != 0) {
        return status;
    }
    if (plain.len < COMPRESS_FROM || w->frame.size - WAL_FRAME_HEADER_SIZE >= plain.len) {
        strbuf_truncate(&w->frame, WAL_FRAME_HEADER_SIZE);
        strbuf_add_str(&w->frame, plain);
        if (strbuf_error(&w->frame) != 0) {
            return strbuf_error(&w->frame);
        }
    }
    uint8_t *header = (uint8_t *)w->frame.data;
    put_le32(header + 8, (uint32_t)(w->frame.size - WAL_FRAME_HEADER_SIZE));
    put_le32(header + 12, (uint32_t)plain.len);
    put_le64(header + 16, w->frame_lsn);
    put_le32(header + 4,
        checksum32(header + WAL_FRAME_CHECKSUM_FROM, w->frame.size - WAL_FRAME_CHECKSUM_FROM));
    return 0;
}

/* Under the lock: it moves when older ones are deleted. */
static struct segment *current_segment(struct wal *w)
{
    return &w->segments[w->segment_count - 1];
}

/* Appends w->frame and keeps the books. */
static int append_frame(struct wal *w, bool sync)
{
    lock_take(&w->lock);
    uint64_t before = current_segment(w)->bytes, synced_before = w->synced_lsn,
             written_before = w->written_lsn;
    lock_give(&w->lock);
    int status = vfs_append(w->options.vfs, w->file, w->frame.data, w->frame.size);
    if (status != 0) {
        /* Cut what may stand of the frame, and let no byte follow: the disk may refuse the cut. */
        bool cut = vfs_truncate(w->options.vfs, w->file, before) == 0 &&
                   vfs_sync(w->options.vfs, w->file) == 0;
        w->full = true;
        lock_take(&w->lock);
        w->sync_failed = w->sync_failed || !cut;
        w->statistics.failed_segments++;
        lock_give(&w->lock);
        return status;
    }
    lock_take(&w->lock);
    struct segment *s = current_segment(w);
    s->bytes += w->frame.size;
    s->last_lsn = w->frame_lsn;
    w->written_lsn = w->frame_lsn;
    w->statistics.frames++;
    w->statistics.plain_bytes += w->plain.size;
    w->statistics.written_bytes += w->frame.size;
    w->statistics.memory = w->encoder.memory + w->plain.cap + w->frame.cap;
    status = sync ? sync_current(w) : 0;
    if (status != 0) {
        /* The commit fails, so its frame must not come back; those before it stay unsafe. */
        current_segment(w)->bytes = before;
        w->written_lsn = written_before;
        w->unsafe_lsn = written_before > synced_before ? written_before : 0;
    }
    lock_give(&w->lock);
    if (status != 0) {
        (void)vfs_truncate(w->options.vfs, w->file, before);
    }
    return status;
}

int wal_write(struct wal *w, bool sync, struct err *e)
{
    assert(w->in_frame);
    int status = w->encoder.error != 0 ? w->encoder.error : strbuf_error(&w->plain);
    if (status == 0 && w->plain.size > WAL_FRAME_PLAIN_MAX) {
        status = ERR_LIMIT;
    }
    if (status == 0 && w->plain.size > 0) {
        status = seal_frame(w);
    }
    if (status != 0) {
        wal_cancel(w);
        return err_set(e, status, -1, "a commit cannot be logged: %s", err_text(status));
    }
    w->in_frame = false;
    if (w->plain.size == 0) {
        return 0;
    }
    status = append_frame(w, sync || w->options.policy == WAL_SYNC_ALWAYS);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: the write-ahead log cannot be %s: %s", w->path,
                             status == ERR_NO_SPACE ? "extended" : "written", err_text(status));
}

void wal_cancel(struct wal *w)
{
    /* Definitions and previous cells have moved on with the frame, so the segment ends here. */
    w->in_frame = false;
    lock_take(&w->lock);
    end_segment(w);
    lock_give(&w->lock);
}

/* ---- From any thread ---- */

int wal_sync(struct wal *w, struct err *e)
{
    lock_take(&w->lock);
    int status = sync_current(w);
    if (status == 0 && w->unsafe_lsn != 0) {
        status = ERR_IO;
    }
    lock_give(&w->lock);
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s: the write-ahead log cannot be synced", w->path);
}

int wal_rotate(struct wal *w, struct err *e)
{
    assert(!w->in_frame);
    lock_take(&w->lock);
    end_segment(w);
    int status = w->unsafe_lsn != 0 ? ERR_IO : 0;
    lock_give(&w->lock);
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s: the write-ahead log cannot be synced", w->path);
}

/* Takes the oldest segment off the list when it is ended and covered. Under the lock. */
static bool take_covered(struct wal *w, uint64_t lsn, uint64_t *sequence_out)
{
    bool ended = w->segment_count > (w->file != NULL ? 1u : 0u);
    if (!ended || w->segments[0].last_lsn > lsn) {
        return false;
    }
    *sequence_out = w->segments[0].sequence;
    w->segment_count--;
    memmove(w->segments, w->segments + 1, w->segment_count * sizeof(*w->segments));
    return true;
}

int wal_delete_through(struct wal *w, uint64_t lsn, struct err *e)
{
    int status = 0;
    uint64_t sequence;
    bool deleted = false;
    lock_take(&w->lock);
    if (w->unsafe_lsn <= lsn) {
        w->unsafe_lsn = 0;
    }
    while (status == 0 && take_covered(w, lsn, &sequence)) {
        char path[WAL_PATH_MAX];
        lock_give(&w->lock);
        status = wal_segment_path(path, w->path, sequence);
        if (status == 0) {
            status = vfs_remove(w->options.vfs, path);
        }
        status = status == ERR_NOT_FOUND ? 0 : status;
        deleted = true;
        lock_take(&w->lock);
    }
    lock_give(&w->lock);
    if (status == 0 && deleted) {
        status = vfs_sync_dir(w->options.vfs, w->path);
    }
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: a covered segment cannot be deleted: %s",
                             w->path, err_text(status));
}

bool wal_unsafe(struct wal *w)
{
    lock_take(&w->lock);
    bool unsafe = w->unsafe_lsn != 0;
    lock_give(&w->lock);
    return unsafe;
}

void wal_statistics(struct wal *w, struct wal_statistics *statistics_out)
{
    lock_take(&w->lock);
    struct wal_statistics s = w->statistics;
    s.segments = w->segment_count;
    s.bytes = 0;
    for (size_t i = 0; i < w->segment_count; i++) {
        s.bytes += w->segments[i].bytes;
    }
    s.last_lsn = w->written_lsn;
    s.synced_lsn = w->synced_lsn;
    lock_give(&w->lock);
    *statistics_out = s;
}

/* ---- Opening and closing ---- */

/* Syncs each second what was written since. */
static void *sync_thread(void *context)
{
    struct wal *w = context;
    lock_take(&w->lock);
    while (!w->closing) {
        (void)lock_condition_wait_ms(&w->changed, &w->lock, SYNC_INTERVAL_MS);
        if (!w->closing && !w->sync_failed) {
            (void)sync_current(w); /* a failure is kept in unsafe_lsn and seen by the next commit */
        }
    }
    lock_give(&w->lock);
    return NULL;
}

/* Size and last LSN of a segment that a former run left. */
static int survey_segment(struct wal *w, uint64_t sequence, struct segment *segment_out)
{
    char path[WAL_PATH_MAX];
    char *bytes = NULL;
    size_t size = 0;
    struct wal_scan scan;
    struct wal_frame frame;
    *segment_out = (struct segment){sequence, 0, 0};
    int status = wal_segment_path(path, w->path, sequence);
    if (status == 0) {
        status = vfs_read_file(w->options.vfs, path, WAL_SEGMENT_BYTES_MAX, &bytes, &size);
    }
    segment_out->bytes = size;
    if (status == 0 && wal_scan_begin(&scan, bytes, size) == 0) {
        while (wal_scan_next(&scan, &frame)) {
            if (frame.lsn > segment_out->last_lsn) {
                segment_out->last_lsn = frame.lsn;
            }
        }
    }
    mem_free(bytes);
    return status;
}

static int survey(struct wal *w, struct err *e)
{
    uint64_t *sequences = NULL;
    size_t count = 0;
    int status = wal_list_segments(w->options.vfs, w->path, &sequences, &count, e);
    if (status != 0) {
        return status;
    }
    status = mem_array_grow(
        (void **)&w->segments, &w->segment_cap, count, sizeof(*w->segments), WAL_SEGMENTS_MAX);
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = survey_segment(w, sequences[i], &w->segments[w->segment_count]);
        w->segment_count += status == 0;
        w->next_sequence = sequences[i] + 1;
    }
    mem_free(sequences);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: the write-ahead log cannot be read: %s",
                             w->path, err_text(status));
}

static int open_parts(struct wal *w, struct err *e)
{
    int status = vfs_mkdir_all(w->options.vfs, w->path);
    if (status != 0) {
        return err_set(e, status, -1, "%s: cannot be made: %s", w->path, err_text(status));
    }
    status = survey(w, e);
    if (status == 0 && zstd_codec_new(&w->zstd) != 0) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for the write-ahead log");
    }
    if (status == 0 && w->options.background_sync) {
        w->has_thread = pthread_create(&w->thread, NULL, sync_thread, w) == 0;
        if (!w->has_thread) {
            status = err_set(e, ERR_LIMIT, -1, "no thread for syncing the write-ahead log");
        }
    }
    return status;
}

static void release(struct wal *w)
{
    if (w->has_thread) {
        lock_take(&w->lock);
        w->closing = true;
        lock_condition_broadcast(&w->changed);
        lock_give(&w->lock);
        pthread_join(w->thread, NULL);
    }
    vfs_close(w->options.vfs, w->file);
    wal_encoder_release(&w->encoder);
    zstd_codec_free(w->zstd);
    strbuf_release(&w->plain);
    strbuf_release(&w->frame);
    mem_free(w->segments);
    lock_condition_release(&w->changed);
    lock_release(&w->lock);
    mem_free(w);
}

int wal_open(const struct wal_options *options, struct wal **wal_out, struct err *e)
{
    struct wal *w = mem_calloc(1, sizeof(*w));
    if (w == NULL || strlen(options->path) >= sizeof(w->path)) {
        int status = w == NULL ? ERR_NOMEM : ERR_LIMIT;
        mem_free(w);
        return err_set(e, status, -1, "the write-ahead log cannot be opened: %s", err_text(status));
    }
    w->options = *options;
    if (w->options.segment_bytes == 0) {
        w->options.segment_bytes = WAL_SEGMENT_BYTES_DEFAULT;
    }
    memcpy(w->path, options->path, strlen(options->path) + 1);
    w->next_sequence = 1;
    w->written_lsn = w->synced_lsn = options->first_lsn > 0 ? options->first_lsn - 1 : 0;
    lock_init(&w->lock, LOCK_RANK_WAL);
    lock_condition_init(&w->changed);
    wal_encoder_init(&w->encoder, options->dictionary);
    strbuf_init(&w->plain, WAL_FRAME_PLAIN_MAX);
    strbuf_init(&w->frame, WAL_FRAME_PLAIN_MAX + (WAL_FRAME_PLAIN_MAX >> 6));
    int status = open_parts(w, e);
    if (status != 0) {
        release(w);
        return status;
    }
    *wal_out = w;
    return 0;
}

void wal_close(struct wal *w)
{
    if (w == NULL) {
        return;
    }
    lock_take(&w->lock);
    end_segment(w);
    lock_give(&w->lock);
    release(w);
}

void wal_abandon(struct wal *w)
{
    if (w != NULL) {
        release(w);
    }
}
