/* Walking the files of a store, and the directories that take them up. */
#include "db/store_files.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wal/wal_scan.h"

/* <data>/raw/<day>/p-…: a store has no deeper directory. */
enum { DEPTH_MAX = 8 };

/* Replaced as a whole, and possibly not there. */
static const char *const SMALL_FILES[] = {"METADATA", "TOMBSTONES"};

static int join(char *path, const char *directory, const char *name)
{
    int written = snprintf(path, DB_PATH_MAX, "%s/%s", directory, name);
    return written > 0 && written < DB_PATH_MAX ? 0 : ERR_LIMIT;
}

/* ---- The list ---- */

static bool exists(struct vfs *fs, const char *path)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    vfs_close(fs, file);
    return status != ERR_NOT_FOUND; /* what else is wrong is found by whoever reads it */
}

static int each_small_file(
    const struct tsdb *db, store_file_callback callback, void *context, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(SMALL_FILES) / sizeof(char *); i++) {
        char path[DB_PATH_MAX];
        status = db_path(db, SMALL_FILES[i], path);
        if (status == 0 && exists(db->fs, path)) {
            status = callback(context, SMALL_FILES[i], e);
        }
    }
    return status;
}

struct exemplar_walk {
    const struct tsdb *db;
    store_file_callback callback;
    void *context;
    struct err *e;
};

static int on_exemplar_file(void *context, const char *path)
{
    const struct exemplar_walk *w = context;
    return w->callback(w->context, path + strlen(w->db->path) + 1, w->e);
}

static int each_exemplar_file(
    const struct tsdb *db, store_file_callback callback, void *context, struct err *e)
{
    struct exemplar_walk w = {db, callback, context, e};
    return db_exemplars_each_file(db, INT64_MIN, INT64_MAX, on_exemplar_file, &w);
}

struct neighbour_walk {
    const char *prefix; /* of their names */
    bool journals;      /* or all files */
    store_file_callback callback;
    void *context;
    struct err *e;
};

static int on_neighbour(void *context, const char *name, bool is_directory)
{
    const struct neighbour_walk *w = context;
    char below[DB_PATH_MAX];
    bool journal = str_ends_with(str_of(name), STR(".journal"));
    int written = snprintf(below, sizeof(below), "%s%s", w->prefix, name);
    if (is_directory || (w->journals && !journal)) {
        return 0;
    }
    return written > 0 && written < DB_PATH_MAX ? w->callback(w->context, below, w->e) : ERR_LIMIT;
}

int store_neighbours_each(struct vfs *fs, const char *directory, store_file_callback callback,
    void *context, struct err *e)
{
    struct neighbour_walk journals = {"", true, callback, context, e};
    struct neighbour_walk rules = {STORE_RULES_DIRECTORY "/", false, callback, context, e};
    char path[DB_PATH_MAX];
    int status = vfs_list(fs, directory, on_neighbour, &journals);
    status = status == 0 ? join(path, directory, STORE_RULES_DIRECTORY) : status;
    if (status == 0) {
        status = vfs_list(fs, path, on_neighbour, &rules);
        status = status == ERR_NOT_FOUND ? 0 : status;
    }
    return status;
}

/* Read and written at once. */
#define COPY_BYTES ((size_t)1 << 20)

static int copy_bytes(struct vfs *fs, struct vfs_file *from, struct vfs_file *to)
{
    char *buffer = mem_alloc(COPY_BYTES);
    uint64_t offset = 0;
    size_t got = COPY_BYTES;
    int status = buffer == NULL ? ERR_NOMEM : 0;
    while (status == 0 && got == COPY_BYTES) {
        status = vfs_pread(fs, from, offset, buffer, COPY_BYTES, &got);
        if (status == 0 && got > 0) {
            status = vfs_append(fs, to, buffer, got);
        }
        offset += got;
    }
    mem_free(buffer);
    return status == 0 ? vfs_sync(fs, to) : status;
}

int store_file_copy(struct vfs *fs, const char *from_path, const char *to_path)
{
    struct vfs_file *from = NULL, *to = NULL;
    int status = vfs_open(fs, from_path, VFS_READ, &from);
    if (status == 0) {
        status = vfs_open(fs, to_path, VFS_CREATE, &to);
    }
    if (status == 0) {
        status = copy_bytes(fs, from, to);
    }
    vfs_close(fs, from);
    vfs_close(fs, to);
    return status;
}

int store_files_each(const struct tsdb *db, const uint64_t *segments, size_t segment_count,
    store_file_callback callback, void *context, struct err *e)
{
    char path[DB_PATH_MAX];
    size_t prefix = strlen(db->path) + 1;
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < db->manifest.count; i++) {
        status = db_part_path(db, &db->manifest.parts[i], path);
        status = status == 0 ? callback(context, path + prefix, e) : status;
    }
    for (size_t i = 0; status == 0 && i < segment_count; i++) {
        status = wal_segment_path(path, "wal", segments[i]);
        status = status == 0 ? callback(context, path, e) : status;
    }
    if (status == 0) {
        status = each_exemplar_file(db, callback, context, e);
    }
    return status == 0 ? each_small_file(db, callback, context, e) : status;
}

/* ---- Directories ---- */

static int stop_at_entry(void *context, const char *name, bool is_directory)
{
    (void)context, (void)name, (void)is_directory;
    return 1;
}

int store_directory_new(struct vfs *fs, const char *path, struct err *e)
{
    int status = vfs_mkdir_all(fs, path);
    if (status == 0) {
        status = vfs_list(fs, path, stop_at_entry, NULL);
    }
    if (status > 0) {
        return err_set(e, ERR_EXISTS, -1,
            "%s is not empty: name a directory that is empty or not there yet", path);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", path, err_text(status));
}

int store_file_place(struct vfs *fs, const char *directory, const char *name, char *path_out)
{
    char path[DB_PATH_MAX];
    int status = join(path, directory, name);
    for (char *slash = path + strlen(directory) + 1;
         status == 0 && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        status = vfs_mkdir(fs, path);
        *slash = '/';
    }
    if (status == 0) {
        memcpy(path_out, path, strlen(path) + 1);
    }
    return status;
}

struct walk {
    struct vfs *fs;
    const char *path;
    int depth;
    bool remove;
};

static int walk_directory(const struct walk *walk);

static int walk_entry(void *context, const char *name, bool is_directory)
{
    const struct walk *walk = context;
    char path[DB_PATH_MAX];
    int status = join(path, walk->path, name);
    if (status == 0 && is_directory) {
        struct walk below = {walk->fs, path, walk->depth + 1, walk->remove};
        status = walk_directory(&below);
    } else if (status == 0 && walk->remove) {
        status = vfs_remove(walk->fs, path);
    }
    return status;
}

static int walk_directory(const struct walk *walk)
{
    if (walk->depth > DEPTH_MAX) {
        return ERR_LIMIT;
    }
    int status = vfs_list(walk->fs, walk->path, walk_entry, (void *)(uintptr_t)walk);
    if (status != 0) {
        return status;
    }
    return walk->remove ? vfs_remove(walk->fs, walk->path) : vfs_sync_dir(walk->fs, walk->path);
}

int store_directory_sync(struct vfs *fs, const char *path)
{
    struct walk walk = {.fs = fs, .path = path};
    return walk_directory(&walk);
}

int store_directory_remove(struct vfs *fs, const char *path)
{
    struct walk walk = {.fs = fs, .path = path, .remove = true};
    int status = walk_directory(&walk);
    return status == ERR_NOT_FOUND ? 0 : status;
}
