/* The journal's file and its life; see the header for what it is for.
 *
 * Format, all numbers little-endian:
 *
 *   file         = header frame*
 *   header       0  8  "SONDEJRN"
 *                8  4  version, 1
 *               12  4  checksum32 of bytes 0..11
 *   frame        as base/frame_log.h has it, marker "JFRM", payload at most JOURNAL_COMMIT_BYTES_MAX:
 *                one transaction
 *   payload      = change+
 *   change       kind (1 byte: 1 put, 2 delete) · key (uvarint size, bytes) · for a put: value (likewise)
 *
 * A frame is whole or it is not: what is behind the last whole frame is a crash's and is cut off. What
 * is not a whole frame but stands in front of one was damaged later: it is copied to PATH.damaged, where
 * somebody may look at it, and the journal is written anew. Frames carry their own marker and checksums so
 * that one flipped bit costs one transaction and not all that follow.
 *
 * The journal is written anew into PATH.new, which then takes its name (promise 2): when the file has
 * grown to twice what it was after the last time, so that this costs at most two bytes for each byte of
 * changes; after a torn tail or damage; and after a write or a sync failed, since the file's tail is
 * unknown then and the kernel may have dropped what it held (a failed sync is never tried again on the
 * same file).
 */
#include "base/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/frame_log.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/strbuf.h"

static const char MAGIC[8] = {'S', 'O', 'N', 'D', 'E', 'J', 'R', 'N'};
static const struct frame_kind FRAME = {{'J', 'F', 'R', 'M'}, JOURNAL_COMMIT_BYTES_MAX};

enum {
    FORMAT_VERSION = 1,
    FILE_HEADER_SIZE = 16,
    CHANGE_PUT = 1,
    CHANGE_DELETE = 2,
    /* Pairs are written anew in frames of about this size. */
    REWRITE_FRAME_BYTES = 1 << 20,
    /* A file smaller than this is left to grow. */
    REWRITE_BYTES_MIN = 1 << 20,
    COPY_BYTES = 64 << 10,
    PATH_BYTES_MAX = 4096,
};

struct journal {
    struct journal_options options;
    struct vfs *fs;
    char *path;
    struct vfs_file *file;
    bool broken; /* a write or sync failed: the tail is unknown */
    uint64_t file_bytes;
    uint64_t rewrite_at;  /* file_bytes from which it is worth writing it anew */
    struct strbuf change; /* the transaction: room for a frame's header, then its payload */
    struct journal_statistics statistics;
};

struct journal_rewrite {
    struct journal *journal;
    struct vfs_file *file;
    struct strbuf frame;
    uint64_t written;
    int error; /* sticky */
};

/* ---- Frames ---- */

static void frame_add(struct strbuf *frame, uint8_t kind, struct str key, struct str value)
{
    if (key.len > JOURNAL_KEY_BYTES_MAX || value.len > JOURNAL_VALUE_BYTES_MAX) {
        frame->error = frame->error != 0 ? frame->error : ERR_LIMIT;
        return;
    }
    strbuf_add_char(frame, (char)kind);
    strbuf_add_sized(frame, key);
    if (kind == CHANGE_PUT) {
        strbuf_add_sized(frame, value);
    }
}

/* The next change of a payload: 1, 0 at its end, ERR_CORRUPT. */
static int change_next(
    struct decbuf *d, struct str *key_out, struct str *value_out, bool *deleted_out)
{
    if (decbuf_left(d) == 0) {
        return 0;
    }
    uint8_t kind = decbuf_u8(d);
    *key_out = decbuf_sized(d);
    *deleted_out = kind == CHANGE_DELETE;
    *value_out = kind == CHANGE_PUT ? decbuf_sized(d) : (struct str){"", 0};
    bool good = !d->failed && (kind == CHANGE_PUT || kind == CHANGE_DELETE) &&
                key_out->len <= JOURNAL_KEY_BYTES_MAX && value_out->len <= JOURNAL_VALUE_BYTES_MAX;
    return good ? 1 : ERR_CORRUPT;
}

static bool payload_is_sound(const uint8_t *payload, size_t size)
{
    struct decbuf d = decbuf_of(payload, size);
    struct str key, value;
    bool deleted;
    int status;
    while ((status = change_next(&d, &key, &value, &deleted)) == 1) {
    }
    return status == 0;
}

/* Reads the frame at `offset`. ERR_CORRUPT: there is no whole one. */
static int read_frame(
    struct journal *j, uint64_t offset, struct strbuf *payload, uint64_t *next_out)
{
    int status = frame_read(j->fs, j->file, j->file_bytes, offset, &FRAME, payload, next_out);
    bool sound = status == 0 && payload_is_sound((const uint8_t *)payload->data, payload->size);
    return status == 0 && !sound ? ERR_CORRUPT : status;
}

static int payload_replay(const struct journal *j, const struct strbuf *payload, uint64_t *changes)
{
    struct decbuf d = decbuf_of(payload->data, payload->size);
    struct str key, value;
    bool deleted;
    int status;
    while ((status = change_next(&d, &key, &value, &deleted)) == 1) {
        status = j->options.replay(j->options.context, key, value, deleted);
        if (status != 0) {
            return status;
        }
        (*changes)++;
    }
    return status;
}

/* ---- Writing anew ---- */

static void rewrite_flush(struct journal_rewrite *to)
{
    if (to->error == 0) {
        to->error = strbuf_error(&to->frame);
    }
    if (to->error != 0 || frame_is_empty(&to->frame)) {
        return;
    }
    frame_seal(&to->frame, &FRAME);
    to->error = vfs_append(to->journal->fs, to->file, to->frame.data, to->frame.size);
    to->written += to->frame.size;
    frame_begin(&to->frame);
}

void journal_rewrite_put(struct journal_rewrite *to, struct str key, struct str value)
{
    if (to->error != 0) {
        return;
    }
    frame_add(&to->frame, CHANGE_PUT, key, value);
    if (to->frame.size >= REWRITE_FRAME_BYTES || strbuf_error(&to->frame) != 0) {
        rewrite_flush(to);
    }
}

static void write_file_header(struct journal_rewrite *to)
{
    uint8_t header[FILE_HEADER_SIZE];
    memcpy(header, MAGIC, sizeof(MAGIC));
    put_le32(header + 8, FORMAT_VERSION);
    put_le32(header + 12, checksum32(header, 12));
    to->error = vfs_append(to->journal->fs, to->file, header, sizeof(header));
    to->written = sizeof(header);
}

/* Puts a file with what is alive in the place of the old one. On failure the old one stays. */
static int rewrite(struct journal *j)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s.new", j->path);
    struct journal_rewrite to = {.journal = j};
    strbuf_init(&to.frame, JOURNAL_COMMIT_BYTES_MAX);
    (void)vfs_remove(j->fs, path); /* of a crash; creating tells when it could not be removed */
    int status = vfs_open(j->fs, path, VFS_CREATE, &to.file);
    if (status != 0) {
        goto done;
    }
    write_file_header(&to);
    frame_begin(&to.frame);
    j->options.list(j->options.context, &to);
    rewrite_flush(&to);
    status = to.error;
    status = status != 0 ? status : vfs_lock(j->fs, to.file);
    status = status != 0 ? status : vfs_sync(j->fs, to.file);
    status = status != 0 ? status : vfs_rename(j->fs, path, j->path);
    if (status != 0) {
        goto done;
    }
    /* From here on the new file is the journal, whether its name is durable yet or not. */
    vfs_close(j->fs, j->file);
    j->file = to.file;
    to.file = NULL;
    j->file_bytes = to.written;
    j->rewrite_at = 2 * to.written + REWRITE_BYTES_MIN;
    j->statistics.rewrites++;
    status = vfs_sync_parent(j->fs, j->path);
    j->broken = status != 0;
done:
    vfs_close(j->fs, to.file);
    strbuf_release(&to.frame);
    return status;
}

/* ---- Opening ---- */

/* Where the next transaction begins behind damage at `from`; file_bytes when there is none. */
static int find_frame(struct journal *j, uint64_t from, struct strbuf *payload, uint64_t *found_out)
{
    int status = 0;
    uint64_t next, found = from;
    do {
        status = frame_find(j->fs, j->file, j->file_bytes, found, &FRAME, payload, &found);
        if (status != 0 || found == j->file_bytes) {
            break;
        }
        status = read_frame(j, found, payload, &next);
        found += status == ERR_CORRUPT; /* checksums right, changes wrong: a newer program's */
    } while (status == ERR_CORRUPT);
    if (status == 0) {
        *found_out = found;
    }
    return status;
}

/* Keeps damaged bytes where somebody may look at them. Failing to do so stops nobody. */
static void keep_damaged(struct journal *j, uint64_t from, uint64_t end)
{
    char path[PATH_BYTES_MAX];
    struct vfs_file *kept = NULL;
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    snprintf(path, sizeof(path), "%s.damaged", j->path);
    if (bytes == NULL || vfs_open(j->fs, path, VFS_APPEND, &kept) != 0) {
        mem_free(bytes);
        return;
    }
    while (from < end) {
        size_t size = end - from < COPY_BYTES ? (size_t)(end - from) : COPY_BYTES;
        if (vfs_pread_exact(j->fs, j->file, from, bytes, size) != 0 ||
            vfs_append(j->fs, kept, bytes, size) != 0) {
            break;
        }
        from += size;
    }
    (void)vfs_sync(j->fs, kept); /* best effort, as all of it */
    vfs_close(j->fs, kept);
    mem_free(bytes);
}

static int replay_all(struct journal *j, uint64_t offset, struct journal_report *report)
{
    struct strbuf payload;
    strbuf_init(&payload, JOURNAL_COMMIT_BYTES_MAX + 1);
    int status = 0;
    while (status == 0 && offset < j->file_bytes) {
        uint64_t next;
        status = read_frame(j, offset, &payload, &next);
        if (status == 0) {
            status = payload_replay(j, &payload, &report->changes);
            offset = next;
            continue;
        }
        if (status != ERR_CORRUPT) {
            break;
        }
        uint64_t found;
        status = find_frame(j, offset, &payload, &found);
        if (status == 0 && found == j->file_bytes) {
            report->torn_bytes = found - offset;
        } else if (status == 0) {
            report->damaged_bytes += found - offset;
            keep_damaged(j, offset, found);
        }
        offset = status == 0 ? found : offset;
    }
    strbuf_release(&payload);
    return status;
}

/* 0 with the offset of the first frame; a damaged header is a reason to search, not to give up. */
static int read_file_header(
    struct journal *j, struct journal_report *report, uint64_t *offset_out, struct err *e)
{
    uint8_t header[FILE_HEADER_SIZE] = {0};
    size_t size;
    int status = vfs_pread(j->fs, j->file, 0, header, sizeof(header), &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", j->path, err_text(status));
    }
    bool sound = size == sizeof(header) && memcmp(header, MAGIC, sizeof(MAGIC)) == 0 &&
                 get_le32(header + 12) == checksum32(header, 12);
    if (sound && get_le32(header + 8) != FORMAT_VERSION) {
        return err_set(e, ERR_INVALID, 8,
            "%s: written in version %" PRIu32 " of the format, this program reads version %d",
            j->path, get_le32(header + 8), FORMAT_VERSION);
    }
    *offset_out = FILE_HEADER_SIZE;
    if (sound || j->file_bytes == 0) {
        *offset_out = sound ? FILE_HEADER_SIZE : 0;
        return 0;
    }
    struct strbuf payload;
    strbuf_init(&payload, JOURNAL_COMMIT_BYTES_MAX + 1);
    uint64_t found = 0;
    status = find_frame(j, 0, &payload, &found);
    strbuf_release(&payload);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", j->path, err_text(status));
    }
    if (found == j->file_bytes) {
        return err_set(e, ERR_INVALID, 0, "%s: not a journal", j->path);
    }
    report->damaged_bytes += found;
    keep_damaged(j, 0, found);
    *offset_out = found;
    return 0;
}

static int open_file(struct journal *j, struct journal_report *report, struct err *e)
{
    uint64_t offset = 0;
    int status = vfs_open(j->fs, j->path, VFS_APPEND, &j->file);
    status = status != 0 ? status : vfs_lock(j->fs, j->file);
    status = status != 0 ? status : vfs_size(j->fs, j->file, &j->file_bytes);
    if (status == 0 && j->file_bytes > JOURNAL_FILE_BYTES_MAX) {
        status = ERR_LIMIT;
    }
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", j->path, err_text(status));
    }
    status = read_file_header(j, report, &offset, e);
    if (status != 0) {
        return status;
    }
    status = replay_all(j, offset, report);
    bool fresh = j->file_bytes == 0;
    j->rewrite_at = 2 * j->file_bytes + REWRITE_BYTES_MIN;
    if (status == 0 && (fresh || report->torn_bytes > 0 || report->damaged_bytes > 0)) {
        status = rewrite(j);
        if (status != 0 && status != ERR_NOMEM && !fresh) {
            /* What was read is good, and a full disk is no reason to stay away. */
            j->broken = true;
            status = 0;
        }
    }
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", j->path, err_text(status));
}

int journal_open(const char *path, const struct journal_options *options,
    struct journal **journal_out, struct journal_report *report_out, struct err *e)
{
    assert(options->replay != NULL && options->list != NULL);
    if (strlen(path) + sizeof(".damaged") > PATH_BYTES_MAX) {
        return err_set(e, ERR_INVALID, -1, "%s: the path is too long", path);
    }
    struct journal *j = mem_calloc(1, sizeof(*j));
    char *copy = mem_strdup(path);
    if (j == NULL || copy == NULL) {
        mem_free(copy);
        mem_free(j);
        return err_set(e, ERR_NOMEM, -1, "%s: %s", path, err_text(ERR_NOMEM));
    }
    j->options = *options;
    j->fs = options->fs != NULL ? options->fs : vfs_posix();
    j->path = copy;
    strbuf_init(&j->change, JOURNAL_COMMIT_BYTES_MAX + FRAME_HEADER_SIZE);
    frame_begin(&j->change);
    struct journal_report report = {0};
    int status = open_file(j, &report, e);
    if (status != 0) {
        journal_close(j);
        return status;
    }
    *report_out = report;
    *journal_out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j == NULL) {
        return;
    }
    vfs_close(j->fs, j->file);
    strbuf_release(&j->change);
    mem_free(j->path);
    mem_free(j);
}

/* ---- Changes ---- */

void journal_put(struct journal *j, struct str key, struct str value)
{
    frame_add(&j->change, CHANGE_PUT, key, value);
}

void journal_delete(struct journal *j, struct str key)
{
    frame_add(&j->change, CHANGE_DELETE, key, (struct str){"", 0});
}

static int append_change(struct journal *j)
{
    int status = strbuf_error(&j->change);
    if (status != 0) {
        return status;
    }
    if (j->file_bytes + j->change.size > JOURNAL_FILE_BYTES_MAX) {
        return ERR_LIMIT;
    }
    frame_seal(&j->change, &FRAME);
    status = vfs_append(j->fs, j->file, j->change.data, j->change.size);
    status = status != 0 ? status : vfs_sync(j->fs, j->file);
    if (status == 0) {
        j->file_bytes += j->change.size;
    }
    return status;
}

int journal_commit(struct journal *j, struct err *e)
{
    int status = 0;
    if (j->broken) {
        status = rewrite(j);
    } else if (!frame_is_empty(&j->change)) {
        status = append_change(j);
        j->broken = status != 0;
        if (status == 0 && j->file_bytes >= j->rewrite_at && rewrite(j) != 0) {
            /* The change is durable in the old file either way. Not now again: disks are full for
             * longer than a commit. */
            j->statistics.failures++;
            j->rewrite_at = j->file_bytes + REWRITE_BYTES_MIN;
        }
    } else {
        return 0;
    }
    frame_begin(&j->change);
    if (status != 0) {
        j->statistics.failures++;
        return err_set(e, status, -1, "%s: %s", j->path, err_text(status));
    }
    j->statistics.commits++;
    return 0;
}

void journal_statistics(const struct journal *j, struct journal_statistics *statistics_out)
{
    *statistics_out = j->statistics;
    statistics_out->file_bytes = j->file_bytes;
}
