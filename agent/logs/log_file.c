/* Following one file; the rules are in the header. Identity is asked of the path with stat(2), which the
 * seam for files has no call for: the file is opened through the seam, and the path is asked again, so that
 * a rename in between is seen. */
#include "logs/log_file.h"

#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/mem.h"

/* Hashes of beginnings are kept on disk: the seed must not change. */
#define HEAD_SEED 0x6c6f6768656164u

struct log_file {
    struct vfs *vfs;
    char *path;
    struct vfs_file *file; /* NULL: none yet */
    struct log_bookmark at;
    struct log_bookmark wanted; /* where to go on, when the file that comes is this one */
    bool has_wanted;
    bool skip_existing; /* follow the first file that is seen from its end */
    bool skipping;      /* inside a line that is too long */
    struct log_file_statistics statistics;
};

static bool identify(const char *path, uint64_t *device_out, uint64_t *inode_out)
{
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISREG(found.st_mode)) {
        return false;
    }
    *device_out = (uint64_t)found.st_dev;
    *inode_out = (uint64_t)found.st_ino;
    return true;
}

int log_file_open(struct vfs *vfs, const char *path, const struct log_bookmark *bookmark,
    bool from_beginning, struct log_file **file_out)
{
    struct log_file *f = mem_calloc(1, sizeof(*f));
    if (f == NULL || (f->path = mem_strdup(path)) == NULL) {
        mem_free(f);
        return ERR_NOMEM;
    }
    uint64_t device, inode;
    f->vfs = vfs;
    f->has_wanted = bookmark != NULL;
    f->wanted = bookmark != NULL ? *bookmark : (struct log_bookmark){0};
    f->skip_existing = bookmark == NULL && !from_beginning && identify(path, &device, &inode);
    *file_out = f;
    return 0;
}

void log_file_close(struct log_file *f)
{
    if (f != NULL) {
        vfs_close(f->vfs, f->file);
        mem_free(f->path);
        mem_free(f);
    }
}

const char *log_file_path(const struct log_file *f)
{
    return f->path;
}

bool log_file_is_there(const struct log_file *f)
{
    uint64_t device, inode;
    return identify(f->path, &device, &inode);
}

/* ---- Which file ---- */

static int hash_head(struct log_file *f, uint64_t size, uint64_t *hash_out)
{
    char head[LOG_FILE_HEAD_BYTES];
    int status = vfs_pread_exact(f->vfs, f->file, 0, head, (size_t)size);
    *hash_out = hash64(head, (size_t)size, HEAD_SEED);
    return status;
}

/* Whether the open file begins as `mark` says its file did. */
static bool begins_as(struct log_file *f, const struct log_bookmark *mark, uint64_t size)
{
    uint64_t hash;
    return size >= mark->head_size && mark->head_size <= LOG_FILE_HEAD_BYTES &&
           hash_head(f, mark->head_size, &hash) == 0 && hash == mark->head_hash;
}

/* What has been written at the beginning since: more of it tells files apart better. */
static void learn_head(struct log_file *f)
{
    uint64_t size = f->at.offset < LOG_FILE_HEAD_BYTES ? f->at.offset : LOG_FILE_HEAD_BYTES, hash;
    if (size > f->at.head_size && hash_head(f, size, &hash) == 0) {
        f->at.head_size = size;
        f->at.head_hash = hash;
    }
}

static void begin_at(struct log_file *f, uint64_t offset)
{
    f->at.offset = offset;
    f->at.head_size = 0;
    f->at.head_hash = hash64("", 0, HEAD_SEED);
    f->skipping = false;
    learn_head(f);
}

/* Opens what is at the path now. 0 also when there is nothing. */
static int open_current(struct log_file *f)
{
    uint64_t device, inode, again_device, again_inode, size = 0;
    if (!identify(f->path, &device, &inode)) {
        f->skip_existing = false; // what comes now is new
        return 0;
    }
    int status = vfs_open(f->vfs, f->path, VFS_READ, &f->file);
    if (status == ERR_NOT_FOUND) {
        return 0;
    }
    if (status == 0 && (!identify(f->path, &again_device, &again_inode) || again_device != device ||
                           again_inode != inode)) {
        vfs_close(f->vfs, f->file); // it was replaced this moment: next time
        f->file = NULL;
        return 0;
    }
    status = status == 0 ? vfs_size(f->vfs, f->file, &size) : status;
    if (status != 0) {
        return status;
    }
    f->at.device = device;
    f->at.inode = inode;
    bool is_wanted = f->has_wanted && f->wanted.device == device && f->wanted.inode == inode &&
                     size >= f->wanted.offset && begins_as(f, &f->wanted, size);
    uint64_t offset = is_wanted ? f->wanted.offset : f->skip_existing ? size : 0;
    f->has_wanted = f->skip_existing = false;
    begin_at(f, offset);
    return 0;
}

/* The open file was cut and written again from its beginning. */
static bool was_truncated(struct log_file *f, uint64_t size)
{
    return size < f->at.offset || !begins_as(f, &f->at, size);
}

/* ---- Lines ---- */

/* Whole lines of what was read, moved to the front of the buffer. */
static struct str take_lines(struct log_file *f, char *buffer, size_t size)
{
    const char *last = memrchr(buffer, '\n', size);
    size_t begin = 0;
    if (last == NULL) {
        if (size == LOG_FILE_READ_BYTES) {
            f->statistics.long_lines += !f->skipping;
            f->skipping = true;
            f->at.offset += size;
        }
        return STR("");
    }
    size_t end = (size_t)(last - buffer) + 1;
    if (f->skipping) {
        begin = (size_t)((const char *)memchr(buffer, '\n', end) - buffer) + 1;
        f->skipping = false;
    }
    f->at.offset += end;
    f->statistics.bytes += end - begin;
    return str_make(buffer + begin, end - begin);
}

static void leave(struct log_file *f)
{
    vfs_close(f->vfs, f->file);
    f->file = NULL;
}

int log_file_read(struct log_file *f, char *buffer, struct str *lines_out, bool *more_out)
{
    uint64_t size = 0, device, inode;
    size_t got = 0;
    int status = f->file == NULL ? open_current(f) : 0;
    *lines_out = STR("");
    *more_out = false;
    if (status == 0 && f->file != NULL) {
        status = vfs_size(f->vfs, f->file, &size);
    }
    if (status == 0 && f->file != NULL && was_truncated(f, size)) {
        f->statistics.truncations++;
        begin_at(f, 0);
    }
    if (status == 0 && f->file != NULL && size > f->at.offset) {
        status = vfs_pread(f->vfs, f->file, f->at.offset, buffer, LOG_FILE_READ_BYTES, &got);
    }
    if (status != 0) {
        f->statistics.errors++;
        if (f->file != NULL) {
            f->wanted = f->at; // where to go on when it can be read again
            f->has_wanted = true;
            leave(f);
        }
        return status;
    }
    if (got > 0) {
        *lines_out = take_lines(f, buffer, got);
        learn_head(f);
    }
    *more_out = got == LOG_FILE_READ_BYTES;
    if (f->file != NULL && !*more_out && identify(f->path, &device, &inode) &&
        (device != f->at.device || inode != f->at.inode)) {
        *more_out = true; // there is another; this one is left when no whole line comes any more
        if (lines_out->len == 0) {
            f->statistics.rotations++;
            leave(f);
        }
    }
    return 0;
}

bool log_file_bookmark(const struct log_file *f, struct log_bookmark *bookmark_out)
{
    if (f->file == NULL) {
        *bookmark_out = f->wanted;
        return f->has_wanted;
    }
    *bookmark_out = f->at;
    return true;
}

const struct log_file_statistics *log_file_statistics(const struct log_file *f)
{
    return &f->statistics;
}
