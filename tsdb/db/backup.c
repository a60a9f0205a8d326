/* Copying stores: backup and restore; see the header.
 *
 * A backup is made under <to>.tmp and renamed. A restore goes to <to>/restore.tmp, since a data directory
 * is often a mount point, and its entries are moved up one by one, MANIFEST first: a store without it
 * would be taken for one that lost it.
 */
#include "tsdb/backup.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "db/manifest_rebuild.h"
#include "db/store_files.h"
#include "exemplar/exemplar_block.h"
#include "span/span_files.h"
#include "tsdb/tsdb.h"
#include "wal/wal_scan.h"

/* What is compared at the end of two parts: their footers. */
#define TAIL_BYTES ((size_t)4096)

#define RESTORE_DIRECTORY "restore.tmp"

struct copy {
    const struct backup_options *options;
    struct vfs *fs;
    struct tsdb source; /* only path, fs and manifest are used, as in the tools */
    uint64_t *segments;
    size_t segment_count;
    char to[DB_PATH_MAX]; /* where files are placed */
    struct strbuf *report;
    struct backup_counts counts;
};

struct span_copy {
    struct copy *copy;
    struct err *e;
};

/* ---- One file ---- */

static int file_size(struct vfs *fs, const char *path, uint64_t *size_out)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    if (status == 0) {
        status = vfs_size(fs, file, size_out);
    }
    vfs_close(fs, file);
    return status;
}

/* The last bytes of a file; *size_out is its size. */
static int read_tail(struct vfs *fs, const char *path, char *tail, uint64_t *size_out)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    if (status == 0) {
        status = vfs_size(fs, file, size_out);
    }
    if (status == 0) {
        uint64_t length = *size_out < TAIL_BYTES ? *size_out : TAIL_BYTES;
        status = vfs_pread_exact(fs, file, *size_out - length, tail, (size_t)length);
    }
    vfs_close(fs, file);
    return status;
}

static bool same_part(struct vfs *fs, const char *a, const char *b)
{
    char tail_a[TAIL_BYTES], tail_b[TAIL_BYTES];
    uint64_t size_a = 0, size_b = 0;
    if (read_tail(fs, a, tail_a, &size_a) != 0 || read_tail(fs, b, tail_b, &size_b) != 0 ||
        size_a != size_b) {
        return false;
    }
    return memcmp(tail_a, tail_b, size_a < TAIL_BYTES ? (size_t)size_a : TAIL_BYTES) == 0;
}

/* A hard link to the earlier backup, or to the source: where it is wanted and can be made. */
static bool link_file(struct copy *c, const char *name, const char *from, const char *to)
{
    char base[DB_PATH_MAX];
    if (c->options->base != NULL) {
        int written = snprintf(base, sizeof(base), "%s/%s", c->options->base, name);
        if (written > 0 && written < DB_PATH_MAX && same_part(c->fs, base, from) &&
            vfs_link(c->fs, base, to) == 0) {
            return true;
        }
    }
    return c->options->link && vfs_link(c->fs, from, to) == 0;
}

/* What lies in folders never changes, but for the logs, which may be cut by the next open, and rules. Small files
 * are small. */
static bool is_immutable(const char *name)
{
    return strchr(name, '/') != NULL && !str_starts_with(str_of(name), STR("wal/")) &&
           !str_starts_with(str_of(name), STR(STORE_RULES_DIRECTORY "/")) &&
           !str_starts_with(str_of(name), STR(SPAN_FILES_DIRECTORY "/log/"));
}

/* Reads a copy back: of a part, of exemplars, of spans. */
static int verify_copy(struct copy *c, const char *name, const char *path)
{
    uint64_t problems = 0;
    int status;
    if (str_starts_with(str_of(name), STR("exemplars/"))) {
        status = exemplar_block_verify(c->fs, path, c->report);
    } else if (str_starts_with(str_of(name), STR(SPAN_FILES_DIRECTORY "/"))) {
        status = span_file_verify(c->fs, path, c->report, &problems);
    } else {
        status = part_verify(c->fs, path, c->report, &problems);
    }
    bool damaged = status == ERR_CORRUPT || status == ERR_UNSUPPORTED;
    c->counts.problems += problems + (damaged && problems == 0);
    return damaged ? 0 : status;
}

static void note_problem(struct copy *c, const char *path, const char *text)
{
    strbuf_addf(c->report, "%s: %s\n", path, text);
    c->counts.problems++;
}

static int place_file(struct copy *c, const char *name, const char *from, const char *to)
{
    uint64_t size = 0;
    bool linked = is_immutable(name) && link_file(c, name, from, to);
    int status = linked ? 0 : store_file_copy(c->fs, from, to);
    if (status == 0 && !linked && is_immutable(name)) {
        status = verify_copy(c, name, to);
    }
    if (status == 0) {
        status = file_size(c->fs, to, &size);
    }
    c->counts.files++;
    c->counts.bytes += size;
    c->counts.linked_files += linked;
    c->counts.linked_bytes += linked ? size : 0;
    return status;
}

static int on_file(void *context, const char *name, struct err *e)
{
    struct copy *c = context;
    char from[DB_PATH_MAX], to[DB_PATH_MAX];
    uint64_t size = 0;
    int status = db_path(&c->source, name, from);
    if (status == 0 && file_size(c->fs, from, &size) == ERR_NOT_FOUND) {
        note_problem(c, from, "listed in the manifest, but not there");
        return 0;
    }
    if (status == 0) {
        status = store_file_place(c->fs, c->to, name, to);
    }
    if (status == 0) {
        status = place_file(c, name, from, to);
    }
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s cannot be copied to %s: %s", from, c->to,
                             err_text(status));
}

/* ---- A store ---- */

static int ignore_entry(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(bool *)context |= strcmp(name, "MANIFEST") == 0 || strcmp(name, "LOCK") == 0;
    return 0;
}

static int check_store(struct vfs *fs, const char *path, struct err *e)
{
    bool is_store = false;
    int status = vfs_list(fs, path, ignore_entry, &is_store);
    if (status == 0 && !is_store) {
        return err_set(e, ERR_NOT_FOUND, -1, "%s is not the folder of a store", path);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
}

static int open_source(struct copy *c, struct err *e)
{
    char path[DB_PATH_MAX];
    int status = check_store(c->fs, c->options->from, e);
    if (status == 0 && c->options->base != NULL) {
        status = check_store(c->fs, c->options->base, e);
    }
    if (status == 0) {
        status = db_path(&c->source, "MANIFEST", path);
    }
    if (status == 0) {
        status = manifest_load(c->fs, path, &c->source.manifest, e);
        if (status == ERR_CORRUPT || status == ERR_NOT_FOUND) {
            if (status == ERR_CORRUPT) {
                note_problem(c, path, "damaged: made anew from the parts");
            }
            status = manifest_rebuild(c->fs, c->source.path, &c->source.manifest, e);
        }
    }
    if (status == 0) {
        status = db_path(&c->source, "wal", path);
    }
    return status == 0 ? wal_list_segments(c->fs, path, &c->segments, &c->segment_count, e)
                       : status;
}

static int on_span_file(void *context, const char *name)
{
    struct span_copy *s = context;
    char path[DB_PATH_MAX];
    int written = snprintf(path, sizeof(path), SPAN_FILES_DIRECTORY "/%s", name);
    return written > 0 && written < DB_PATH_MAX ? on_file(s->copy, path, s->e) : ERR_LIMIT;
}

static int copy_spans(struct copy *c, struct err *e)
{
    struct span_copy s = {c, e};
    char path[DB_PATH_MAX];
    int status = db_path(&c->source, SPAN_FILES_DIRECTORY, path);
    return status == 0 ? span_files_each(c->fs, path, on_span_file, &s) : status;
}

/* All files and the manifest in c->to, synced. */
static int copy_store(struct copy *c, struct err *e)
{
    char path[DB_PATH_MAX];
    int status = store_directory_new(c->fs, c->to, e);
    if (status == 0) {
        status = store_file_place(c->fs, c->to, "wal/", path);
    }
    if (status == 0) {
        status = store_files_each(&c->source, c->segments, c->segment_count, on_file, c, e);
    }
    status = status == 0 ? copy_spans(c, e) : status;
    if (status == 0) {
        status = store_neighbours_each(c->fs, c->source.path, on_file, c, e);
    }
    if (status == 0) {
        status = store_file_place(c->fs, c->to, "MANIFEST", path);
    }
    if (status == 0) {
        status = manifest_store(c->fs, path, &c->source.manifest, e);
    }
    return status == 0 ? store_directory_sync(c->fs, c->to) : status;
}

static int copy_init(struct copy *c, const struct backup_options *options, struct strbuf *report)
{
    *c = (struct copy){.options = options,
        .fs = options->fs != NULL ? options->fs : vfs_posix(),
        .report = report};
    manifest_init(&c->source.manifest);
    c->source.fs = c->fs;
    c->source.path = mem_strdup(options->from);
    return c->source.path != NULL ? 0 : ERR_NOMEM;
}

static void copy_release(struct copy *c)
{
    manifest_release(&c->source.manifest);
    mem_free(c->source.path);
    mem_free(c->segments);
}

static int set_place(struct copy *c, const char *suffix)
{
    int written = snprintf(c->to, sizeof(c->to), "%s%s", c->options->to, suffix);
    return written > 0 && written < DB_PATH_MAX ? 0 : ERR_LIMIT;
}

static int finish(struct copy *c, int status, struct backup_counts *counts_out,
    const struct err *local, struct err *e)
{
    *counts_out = c->counts;
    copy_release(c);
    if (status != 0 && e != NULL) {
        *e = *local;
        if (local->code != status) {
            err_set(e, status, -1, "%s: %s", c->options->to, err_text(status));
        }
    }
    return status;
}

/* ---- Backup ---- */

int tsdb_backup(const struct backup_options *options, struct strbuf *report,
    struct backup_counts *counts_out, struct err *e)
{
    struct copy c;
    struct err local = ERR_INIT;
    int status = copy_init(&c, options, report);
    status = status == 0 ? set_place(&c, ".tmp") : status;
    status = status == 0 ? open_source(&c, &local) : status;
    status = status == 0 ? store_directory_new(c.fs, options->to, &local) : status;
    if (status == 0) {
        status = store_directory_remove(c.fs, c.to); /* what a crash left */
        status = status == 0 ? copy_store(&c, &local) : status;
        if (status == 0) {
            status = vfs_rename(c.fs, c.to, options->to); /* the empty directory gives way */
        }
        if (status == 0) {
            status = vfs_sync_parent(c.fs, options->to);
        }
        if (status != 0) {
            (void)store_directory_remove(c.fs, c.to);
            (void)vfs_remove(c.fs, options->to); /* goes when it is empty */
        }
    }
    return finish(&c, status, counts_out, &local, e);
}

/* ---- Restore ---- */

static int verify_backup(struct copy *c, struct err *e)
{
    const struct tsdb_options options = {.path = c->options->from, .vfs = c->fs};
    uint64_t problems = 0;
    int status = tsdb_verify(&options, c->report, &problems, e);
    c->counts.problems += problems;
    if (status == 0 && problems > 0 && !c->options->force) {
        return err_set(e, ERR_CORRUPT, -1,
            "%s is damaged (%llu problems): take another backup, or restore what is left of it "
            "with "
            "--force",
            c->options->from, (unsigned long long)problems);
    }
    return status;
}

/* Names of parts must never be used again, also not by whoever else is restored from this backup. */
static void jump_ahead(struct manifest *m)
{
    m->next_sequence += 1 + (hash_seed_random() >> 32);
}

struct move {
    struct vfs *fs;
    const char *from, *to;
};

static int move_up(void *context, const char *name, bool is_directory)
{
    const struct move *m = context;
    char from[DB_PATH_MAX], to[DB_PATH_MAX];
    (void)is_directory;
    int a = snprintf(from, sizeof(from), "%s/%s", m->from, name);
    int b = snprintf(to, sizeof(to), "%s/%s", m->to, name);
    if (a <= 0 || a >= DB_PATH_MAX || b <= 0 || b >= DB_PATH_MAX) {
        return ERR_LIMIT;
    }
    return vfs_rename(m->fs, from, to);
}

static int move_all(struct copy *c)
{
    struct move move = {c->fs, c->to, c->options->to};
    int status = move_up(&move, "MANIFEST", false);
    status = status == 0 ? vfs_list(c->fs, c->to, move_up, &move) : status;
    status = status == 0 ? vfs_remove(c->fs, c->to) : status;
    return status == 0 ? vfs_sync_dir(c->fs, c->options->to) : status;
}

int tsdb_restore(const struct backup_options *options, struct strbuf *report,
    struct backup_counts *counts_out, struct err *e)
{
    struct copy c;
    struct err local = ERR_INIT;
    struct backup_options without_base = *options;
    without_base.base = NULL;
    int status = copy_init(&c, &without_base, report);
    status = status == 0 ? set_place(&c, "/" RESTORE_DIRECTORY) : status;
    status = status == 0 ? open_source(&c, &local) : status;
    status = status == 0 ? store_directory_new(c.fs, options->to, &local) : status;
    status = status == 0 ? verify_backup(&c, &local) : status;
    if (status == 0) {
        jump_ahead(&c.source.manifest);
        status = copy_store(&c, &local);
        if (status == 0) {
            status = move_all(&c);
        } else {
            (void)store_directory_remove(c.fs, c.to);
        }
    }
    return finish(&c, status, counts_out, &local, e);
}

int tsdb_backup_remove(struct vfs *fs, const char *path, struct err *e)
{
    int status = store_directory_remove(fs != NULL ? fs : vfs_posix(), path);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s cannot be removed: %s", path, err_text(status));
}
