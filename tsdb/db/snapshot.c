/* A snapshot: a directory that is itself a store, made of hard links.
 *
 *     hold writes · end the log's segment · note the ended segments · let writes go on
 *     link parts, segments, metadata into <dest>.tmp · write MANIFEST · sync · rename to <dest>
 *
 * Parts and ended segments never change, so a link is a copy that costs nothing; the manifest is
 * written as it stands. Maintenance waits meanwhile: no part leaves the manifest and no segment is
 * deleted. Writers wait for the end of a segment alone, one sync. What was acknowledged before the
 * call is in the snapshot, what began after it is not. The store of traces, if there is one beside, links
 * its own files into <dest>.tmp/spans in the same way. Journals and rule files that others keep in the folder are
 * copied.
 *
 * Opening the snapshot leaves the linked files alone (new log goes to a new segment); only the torn
 * frame at the end of a segment, which nobody was told of, would be cut off for both.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/store_files.h"
#include "span/span_files.h"
#include "tsdb/span_store.h"
#include "wal/wal_scan.h"

struct snapshot {
    struct tsdb *db;
    char path[DB_PATH_MAX]; /* <dest>.tmp */
    const struct tsdb_snapshot_options *options;
    uint64_t *segments; /* ended before the snapshot */
    size_t segment_count;
};

static int note_segments(struct snapshot *s, struct err *e)
{
    char path[DB_PATH_MAX];
    struct tsdb *db = s->db;
    int status = db_path(db, "wal", path);
    if (db->wal == NULL) {
        return status == 0 ? wal_list_segments(db->fs, path, &s->segments, &s->segment_count, e)
                           : status;
    }
    head_hold_writes(db->head);
    if (status == 0) {
        status = wal_rotate(db->wal, e);
    }
    if (status == 0) {
        status = wal_list_segments(db->fs, path, &s->segments, &s->segment_count, e);
    }
    head_release_writes(db->head);
    return status;
}

static int link_file(void *context, const char *name, struct err *e)
{
    const struct snapshot *s = context;
    char from[DB_PATH_MAX], to[DB_PATH_MAX];
    int status = db_path(s->db, name, from);
    if (status == 0) {
        status = store_file_place(s->db->fs, s->path, name, to);
    }
    if (status == 0) {
        status = vfs_link(s->db->fs, from, to);
    }
    if (status == ERR_NOT_FOUND) {
        /* Listed and lost: the snapshot says the same as the store, and verifying it names the part. */
        LOG_WARN("tsdb: snapshot lacks a file that the store lacks", LOG_S("path", from));
        return 0;
    }
    return status == 0
               ? 0
               : err_set(e, status, -1,
                     "%s cannot be linked to %s: %s (a snapshot lies on the disk of its store)",
                     from, to, err_text(status));
}

static int copy_neighbour(void *context, const char *name, struct err *e)
{
    const struct snapshot *s = context;
    char from[DB_PATH_MAX], to[DB_PATH_MAX];
    int status = db_path(s->db, name, from);
    status = status == 0 ? store_file_place(s->db->fs, s->path, name, to) : status;
    status = status == 0 ? store_file_copy(s->db->fs, from, to) : status;
    if (status == ERR_NOT_FOUND) {
        return 0; /* a rule file that was taken away just now */
    }
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s cannot be copied to %s: %s", from, to,
                             err_text(status));
}

static int link_spans(struct snapshot *s, struct err *e)
{
    char path[DB_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/" SPAN_FILES_DIRECTORY, s->path);
    return written > 0 && written < DB_PATH_MAX
               ? span_store_snapshot(s->options->spans, path, !s->options->parts_only, e)
               : ERR_LIMIT;
}

static int write_snapshot(struct snapshot *s, struct err *e)
{
    struct vfs *fs = s->db->fs;
    char path[DB_PATH_MAX];
    int status = store_directory_remove(fs, s->path); /* what a crash left */
    if (status == 0) {
        status = store_directory_new(fs, s->path, e);
    }
    if (status == 0) {
        status = store_file_place(fs, s->path, "wal/", path);
    }
    if (status == 0) {
        status = store_files_each(s->db, s->segments, s->segment_count, link_file, s, e);
    }
    if (status == 0) {
        status = store_file_place(fs, s->path, "MANIFEST", path);
    }
    if (status == 0) {
        status = manifest_store(fs, path, &s->db->manifest, e);
    }
    if (status == 0 && s->options->spans != NULL) {
        status = link_spans(s, e);
    }
    if (status == 0) {
        status = store_neighbours_each(fs, s->db->path, copy_neighbour, s, e);
    }
    return status == 0 ? store_directory_sync(fs, s->path) : status;
}

static int take_snapshot(struct snapshot *s, const char *dest, struct err *e)
{
    int status = s->options->parts_only ? 0 : note_segments(s, e);
    if (status == 0) {
        status = write_snapshot(s, e);
    }
    if (status == 0) {
        status = vfs_rename(s->db->fs, s->path, dest); /* the empty directory gives way */
    }
    if (status == 0) {
        status = vfs_sync_parent(s->db->fs, dest);
    }
    if (status != 0) {
        (void)store_directory_remove(s->db->fs, s->path); /* the next snapshot tries again */
        (void)vfs_remove(s->db->fs, dest);                /* goes when it is empty */
    }
    return status;
}

int tsdb_snapshot(
    struct tsdb *db, const char *dest, const struct tsdb_snapshot_options *options, struct err *e)
{
    struct err local = ERR_INIT;
    const struct tsdb_snapshot_options all = {.spans = NULL};
    struct snapshot s = {.db = db, .options = options != NULL ? options : &all};
    int written = snprintf(s.path, sizeof(s.path), "%s.tmp", dest);
    if (written <= 0 || written >= DB_PATH_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the name of the snapshot is too long");
    }
    lock_take(&db->maintenance_lock);
    int status = store_directory_new(db->fs, dest, &local);
    status = status == 0 ? take_snapshot(&s, dest, &local) : status;
    lock_give(&db->maintenance_lock);
    mem_free(s.segments);
    if (status != 0 && local.code != status) {
        err_set(&local, status, -1, "snapshot %s: %s", dest, err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}
