/* Seam: files and directories. Production is `vfs_posix`; tests put `sim_vfs` in its place (torn
 * writes, ENOSPC, the n-th call failing, power cuts between syncs).
 *
 * Paths are relative to nothing: callers pass whole paths. All functions return 0 or a negative
 * code (ERR_NOT_FOUND, ERR_NO_SPACE, ERR_PERMISSION, ERR_IO …). Files are opened with O_CLOEXEC.
 * Calls on different files may come from any thread; one file has one writer at a time, and pread
 * may run beside it. After a failed sync the file must be treated as lost (the kernel may have
 * dropped the dirty pages): close it, never sync it again.
 */
#ifndef SONDE_BASE_VFS_H
#define SONDE_BASE_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct vfs_file;

enum vfs_open_mode {
    VFS_READ,      /* must exist */
    VFS_CREATE,    /* must not exist; read and write */
    VFS_APPEND,    /* exists or is made; read and write, writes go to the end */
    VFS_READWRITE, /* exists or is made; read and write at offsets */
};

/* Called for each entry of a directory ("." and ".." left out), in no order; stop by returning
 * non-zero, which vfs_list hands back. `name` lives during the call. */
typedef int (*vfs_list_callback)(void *context, const char *name, bool is_directory);

struct vfs {
    int (*open)(
        struct vfs *self, const char *path, enum vfs_open_mode mode, struct vfs_file **file_out);
    void (*close)(struct vfs *self, struct vfs_file *file); /* accepts NULL */
    /* Reads up to `size` bytes at `offset`; `*read_out` < size only at the end of the file. */
    int (*pread)(struct vfs *self, struct vfs_file *file, uint64_t offset, void *buffer,
        size_t size, size_t *read_out);
    /* One read: what is ready, possibly fewer bytes than there are. For kernel files, where a second
     * read to see the end costs as much as the first. NULL = as pread. */
    int (*pread_some)(struct vfs *self, struct vfs_file *file, uint64_t offset, void *buffer,
        size_t size, size_t *read_out);
    /* All bytes or an error; after an error the file's tail is unknown. */
    int (*append)(struct vfs *self, struct vfs_file *file, const void *bytes, size_t size);
    int (*pwrite)(
        struct vfs *self, struct vfs_file *file, uint64_t offset, const void *bytes, size_t size);
    /* Data and the metadata needed to read it back (fdatasync). */
    int (*sync)(struct vfs *self, struct vfs_file *file);
    int (*size)(struct vfs *self, struct vfs_file *file, uint64_t *size_out);
    int (*truncate)(struct vfs *self, struct vfs_file *file, uint64_t size);
    /* Reserves disk space without changing the size; 0 also where the filesystem cannot. */
    int (*preallocate)(struct vfs *self, struct vfs_file *file, uint64_t size);
    /* Exclusive advisory lock held until close; ERR_LOCKED when another process holds it. */
    int (*lock)(struct vfs *self, struct vfs_file *file);

    int (*rename)(struct vfs *self, const char *from, const char *to); /* replaces `to` */
    int (*link)(struct vfs *self, const char *from, const char *to);   /* hard link */
    int (*remove)(struct vfs *self, const char *path);                 /* file or empty directory */
    int (*mkdir)(struct vfs *self, const char *path);                  /* 0 when it exists */
    /* Makes renames, creations and removals inside the directory durable. */
    int (*sync_dir)(struct vfs *self, const char *path);
    int (*list)(struct vfs *self, const char *path, vfs_list_callback callback, void *context);
    /* NULL: list is used for it. */
    int (*count)(struct vfs *self, const char *path, uint64_t *count_out);
    /* Bytes free for this process on the filesystem of `path`. */
    int (*free_bytes)(struct vfs *self, const char *path, uint64_t *free_out);
};

/* Plain calls, so that users read `vfs_append(fs, file, …)`. */
int vfs_open(struct vfs *fs, const char *path, enum vfs_open_mode mode, struct vfs_file **file_out);
void vfs_close(struct vfs *fs, struct vfs_file *file);
int vfs_pread(struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer, size_t size,
    size_t *read_out);
int vfs_pread_some(struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *read_out);
/* As pread, but fewer bytes than asked are ERR_CORRUPT. */
int vfs_pread_exact(
    struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer, size_t size);
int vfs_append(struct vfs *fs, struct vfs_file *file, const void *bytes, size_t size);
int vfs_pwrite(
    struct vfs *fs, struct vfs_file *file, uint64_t offset, const void *bytes, size_t size);
int vfs_sync(struct vfs *fs, struct vfs_file *file);
int vfs_size(struct vfs *fs, struct vfs_file *file, uint64_t *size_out);
int vfs_truncate(struct vfs *fs, struct vfs_file *file, uint64_t size);
int vfs_preallocate(struct vfs *fs, struct vfs_file *file, uint64_t size);
int vfs_lock(struct vfs *fs, struct vfs_file *file);
int vfs_rename(struct vfs *fs, const char *from, const char *to);
int vfs_link(struct vfs *fs, const char *from, const char *to);
int vfs_remove(struct vfs *fs, const char *path);
int vfs_mkdir(struct vfs *fs, const char *path);
/* Makes every missing directory of `path`. */
int vfs_mkdir_all(struct vfs *fs, const char *path);
int vfs_sync_dir(struct vfs *fs, const char *path);
/* The directory that `path` is in: what makes its own name durable. Also ERR_INVALID: empty or too long. */
int vfs_sync_parent(struct vfs *fs, const char *path);
int vfs_list(struct vfs *fs, const char *path, vfs_list_callback callback, void *context);
/* How many entries a directory has, without looking at them: links are not followed. */
int vfs_count(struct vfs *fs, const char *path, uint64_t *count_out);
int vfs_free_bytes(struct vfs *fs, const char *path, uint64_t *free_out);

/* The whole file, at most `limit` bytes (ERR_LIMIT beyond), zero-terminated; *data_out is the
 * caller's (mem_free). */
int vfs_read_file(
    struct vfs *fs, const char *path, size_t limit, char **data_out, size_t *size_out);
/* Replaces `path` atomically and durably: temporary name beside it, sync, rename, sync_dir. */
int vfs_write_file_atomic(struct vfs *fs, const char *path, const void *bytes, size_t size);

struct vfs *vfs_posix(void);

#endif
