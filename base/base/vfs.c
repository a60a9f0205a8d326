/* Plain calls of struct vfs, and what is made of them: whole files, atomic replacement, paths.
 *
 * Nothing here knows which filesystem is below, so the helpers are tested on the simulated one,
 * where power can be cut between any two of their calls.
 */
#include "base/vfs.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"

/* Longest path, terminating zero included: Linux' PATH_MAX. */
#define VFS_PATH_MAX 4096
/* First guess at the size of files that do not tell it (procfs says 0). */
#define VFS_READ_GUESS 4096

int vfs_open(struct vfs *fs, const char *path, enum vfs_open_mode mode, struct vfs_file **file_out)
{
    return fs->open(fs, path, mode, file_out);
}

void vfs_close(struct vfs *fs, struct vfs_file *file)
{
    fs->close(fs, file);
}

int vfs_pread(struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer, size_t size,
    size_t *read_out)
{
    return fs->pread(fs, file, offset, buffer, size, read_out);
}

int vfs_pread_some(struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *read_out)
{
    if (fs->pread_some == NULL) {
        return fs->pread(fs, file, offset, buffer, size, read_out);
    }
    return fs->pread_some(fs, file, offset, buffer, size, read_out);
}

int vfs_pread_exact(
    struct vfs *fs, struct vfs_file *file, uint64_t offset, void *buffer, size_t size)
{
    size_t got = 0;
    int status = fs->pread(fs, file, offset, buffer, size, &got);
    if (status != 0) {
        return status;
    }
    return got == size ? 0 : ERR_CORRUPT;
}

int vfs_append(struct vfs *fs, struct vfs_file *file, const void *bytes, size_t size)
{
    return fs->append(fs, file, bytes, size);
}

int vfs_pwrite(
    struct vfs *fs, struct vfs_file *file, uint64_t offset, const void *bytes, size_t size)
{
    return fs->pwrite(fs, file, offset, bytes, size);
}

int vfs_sync(struct vfs *fs, struct vfs_file *file)
{
    return fs->sync(fs, file);
}

int vfs_size(struct vfs *fs, struct vfs_file *file, uint64_t *size_out)
{
    return fs->size(fs, file, size_out);
}

int vfs_truncate(struct vfs *fs, struct vfs_file *file, uint64_t size)
{
    return fs->truncate(fs, file, size);
}

int vfs_preallocate(struct vfs *fs, struct vfs_file *file, uint64_t size)
{
    return fs->preallocate(fs, file, size);
}

int vfs_lock(struct vfs *fs, struct vfs_file *file)
{
    return fs->lock(fs, file);
}

int vfs_rename(struct vfs *fs, const char *from, const char *to)
{
    return fs->rename(fs, from, to);
}

int vfs_link(struct vfs *fs, const char *from, const char *to)
{
    return fs->link(fs, from, to);
}

int vfs_remove(struct vfs *fs, const char *path)
{
    return fs->remove(fs, path);
}

int vfs_mkdir(struct vfs *fs, const char *path)
{
    return fs->mkdir(fs, path);
}

int vfs_sync_dir(struct vfs *fs, const char *path)
{
    return fs->sync_dir(fs, path);
}

int vfs_list(struct vfs *fs, const char *path, vfs_list_callback callback, void *context)
{
    return fs->list(fs, path, callback, context);
}

static int count_entry(void *context, const char *name, bool is_directory)
{
    (void)name, (void)is_directory;
    ++*(uint64_t *)context;
    return 0;
}

int vfs_count(struct vfs *fs, const char *path, uint64_t *count_out)
{
    uint64_t count = 0;
    if (fs->count != NULL) {
        return fs->count(fs, path, count_out);
    }
    int status = fs->list(fs, path, count_entry, &count);
    if (status == 0) {
        *count_out = count;
    }
    return status;
}

int vfs_free_bytes(struct vfs *fs, const char *path, uint64_t *free_out)
{
    return fs->free_bytes(fs, path, free_out);
}

/* Length of `path` without slashes at its end ("/" keeps its one). */
static size_t trimmed_length(const char *path, size_t length)
{
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return length;
}

/* The directory that holds the first `length` bytes of `path`, into `parent`: "." for a bare name,
 * "/" for the root and what lies in it. */
static void parent_of(const char *path, size_t length, char parent[VFS_PATH_MAX])
{
    assert(length < VFS_PATH_MAX);
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    if (length == 0) {
        memcpy(parent, ".", 2);
        return;
    }
    length = trimmed_length(path, length);
    memcpy(parent, path, length);
    parent[length] = '\0';
}

int vfs_sync_parent(struct vfs *fs, const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length >= VFS_PATH_MAX) {
        return ERR_INVALID;
    }
    char parent[VFS_PATH_MAX];
    parent_of(path, length, parent);
    return fs->sync_dir(fs, parent);
}

/* One directory and the entry for it, durable. */
static int make_one(struct vfs *fs, const char *path)
{
    int status = fs->mkdir(fs, path);
    if (status != 0) {
        return status;
    }
    status = vfs_sync_parent(fs, path);
    /* A parent that may be written but not read cannot be synced; that is its owner's wish. */
    return status == ERR_PERMISSION ? 0 : status;
}

int vfs_mkdir_all(struct vfs *fs, const char *path)
{
    size_t length = trimmed_length(path, strlen(path));
    if (length == 0 || length >= VFS_PATH_MAX) {
        return ERR_INVALID;
    }
    char part[VFS_PATH_MAX];
    memcpy(part, path, length);
    part[length] = '\0';
    if (length == 1 && part[0] == '/') {
        return 0;
    }
    /* Up to the first directory that is there or can be made … */
    int status = make_one(fs, part);
    while (status == ERR_NOT_FOUND) {
        char parent[VFS_PATH_MAX];
        parent_of(part, strlen(part), parent);
        if (strcmp(parent, ".") == 0 || strcmp(parent, "/") == 0) {
            return ERR_NOT_FOUND;
        }
        memcpy(part, parent, strlen(parent) + 1);
        status = make_one(fs, part);
    }
    /* … and down again, one component more each time. */
    while (status == 0 && strlen(part) < length) {
        size_t end = strlen(part);
        while (path[end] == '/') {
            end++;
        }
        while (end < length && path[end] != '/') {
            end++;
        }
        memcpy(part, path, end);
        part[end] = '\0';
        status = make_one(fs, part);
    }
    return status;
}

/* Reads to the end of the file, which may have another size than it says (procfs, or a file that
 * grows). */
static int read_to_end(struct vfs *fs, struct vfs_file *file, size_t guess, size_t limit,
    char **data_out, size_t *size_out)
{
    char *data = NULL;
    size_t cap = 0;
    size_t size = 0;
    int status = 0;
    for (size_t room = guess;; room = cap) {
        /* One byte beyond what is expected shows the end, one more holds the zero. */
        status = mem_array_grow((void **)&data, &cap, size + room + 2, 1, SIZE_MAX);
        if (status != 0) {
            break;
        }
        size_t asked = cap - 1 - size;
        size_t got = 0;
        status = fs->pread(fs, file, size, data + size, asked, &got);
        if (status != 0) {
            break;
        }
        size += got;
        if (size > limit) {
            status = ERR_LIMIT;
            break;
        }
        if (got < asked) {
            data[size] = '\0';
            *data_out = data;
            *size_out = size;
            return 0;
        }
    }
    mem_free(data);
    return status;
}

int vfs_read_file(struct vfs *fs, const char *path, size_t limit, char **data_out, size_t *size_out)
{
    assert(limit < SIZE_MAX / 4);
    struct vfs_file *file = NULL;
    int status = fs->open(fs, path, VFS_READ, &file);
    if (status != 0) {
        return status;
    }
    uint64_t size = 0;
    status = fs->size(fs, file, &size);
    if (status == 0 && size > limit) {
        status = ERR_LIMIT;
    }
    if (status == 0) {
        size_t guess = size > VFS_READ_GUESS ? (size_t)size : VFS_READ_GUESS;
        status = read_to_end(fs, file, guess < limit ? guess : limit, limit, data_out, size_out);
    }
    fs->close(fs, file);
    return status;
}

/* Fills and syncs a new file; what a crash left under its name is thrown away first. */
static int write_new_file(struct vfs *fs, const char *path, const void *bytes, size_t size)
{
    int status = fs->remove(fs, path);
    if (status != 0 && status != ERR_NOT_FOUND) {
        return status;
    }
    struct vfs_file *file = NULL;
    status = fs->open(fs, path, VFS_CREATE, &file);
    if (status != 0) {
        return status;
    }
    if (size > 0) {
        status = fs->append(fs, file, bytes, size);
    }
    if (status == 0) {
        status = fs->sync(fs, file);
    }
    fs->close(fs, file);
    return status;
}

int vfs_write_file_atomic(struct vfs *fs, const char *path, const void *bytes, size_t size)
{
    static const char suffix[] = ".tmp";
    size_t length = strlen(path);
    if (length == 0 || length + sizeof(suffix) > VFS_PATH_MAX) {
        return ERR_INVALID;
    }
    char temporary[VFS_PATH_MAX];
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof(suffix));
    int status = write_new_file(fs, temporary, bytes, size);
    if (status == 0) {
        status = fs->rename(fs, temporary, path);
    }
    if (status != 0) {
        (void)fs->remove(fs, temporary); /* a leftover is thrown away by the next write */
        return status;
    }
    return vfs_sync_parent(fs, path);
}
