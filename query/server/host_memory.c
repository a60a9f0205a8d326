/* Small text files of the kernel, which have no size of their own: read until they end. */
#include "server/host_memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

enum { FILE_MAX = 16384, PATH_MAX_HERE = 1024 };

/* v1 says "no limit" by a number near 2^63. */
#define CGROUP_LIMIT_MAX ((uint64_t)1 << 60)

static int read_text(struct vfs *fs, const char *path, char text[FILE_MAX], struct str *out)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    size_t size = 0, got = 1;
    if (status != 0) {
        return status;
    }
    while (status == 0 && got > 0 && size < FILE_MAX) {
        status = vfs_pread_some(fs, file, size, text + size, FILE_MAX - size, &got);
        size += status == 0 ? got : 0;
    }
    vfs_close(fs, file);
    *out = str_make(text, size);
    return status;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* A file with one number; 0 when there is none, or it says "max". */
static uint64_t read_limit(struct vfs *fs, const char *path)
{
    char text[FILE_MAX];
    struct str content;
    uint64_t limit = 0;
    if (read_text(fs, path, text, &content) != 0 || str_to_u64(str_trim(content), &limit) != 0) {
        return 0;
    }
    return limit < CGROUP_LIMIT_MAX ? limit : 0;
}

static uint64_t limit_of(struct vfs *fs, const char *root, struct str group, const char *name)
{
    char path[PATH_MAX_HERE];
    int n = snprintf(path, sizeof(path), "%s%.*s/%s", root, STR_ARG(group), name);
    return n > 0 && n < PATH_MAX_HERE ? read_limit(fs, path) : 0;
}

/* "4:memory:/docker/1f" or "0::/user.slice": hierarchy, controllers, path. Inside a container the path
 * may be the host's, and the limit stands at the root that is mounted. */
static uint64_t cgroup_limit(struct vfs *fs)
{
    char text[FILE_MAX];
    struct str rest = STR("");
    uint64_t limit = lower(limit_of(fs, "/sys/fs/cgroup", STR(""), "memory.max"),
        limit_of(fs, "/sys/fs/cgroup/memory", STR(""), "memory.limit_in_bytes"));
    if (read_text(fs, "/proc/self/cgroup", text, &rest) != 0) {
        return limit;
    }
    while (rest.len > 0) {
        struct str path = str_split(&rest, '\n');
        struct str hierarchy = str_split(&path, ':');
        struct str controllers = str_split(&path, ':');
        if (str_eq_c(hierarchy, "0") && controllers.len == 0) {
            limit = lower(limit, limit_of(fs, "/sys/fs/cgroup", path, "memory.max"));
        } else if (str_eq_c(controllers, "memory")) {
            limit =
                lower(limit, limit_of(fs, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
        }
    }
    return limit;
}

static uint64_t host_total(struct vfs *fs)
{
    char text[FILE_MAX];
    struct str rest;
    uint64_t kib = 0;
    if (read_text(fs, "/proc/meminfo", text, &rest) != 0) {
        return 0;
    }
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (str_eq_c(str_trim(str_split(&line, ':')), "MemTotal")) {
            line = str_trim(line);
            return str_to_u64(str_split(&line, ' '), &kib) == 0 ? kib * 1024 : 0;
        }
    }
    return 0;
}

uint64_t host_memory_ceiling(struct vfs *fs)
{
    return lower(host_total(fs), cgroup_limit(fs));
}

int host_memory_used(struct vfs *fs, uint64_t *used_out)
{
    char text[FILE_MAX];
    struct str rest;
    uint64_t size = 0, resident = 0, shared = 0;
    int status = read_text(fs, "/proc/self/statm", text, &rest);
    if (status != 0) {
        return status;
    }
    if (str_to_u64(str_split(&rest, ' '), &size) != 0 ||
        str_to_u64(str_split(&rest, ' '), &resident) != 0 ||
        str_to_u64(str_split(&rest, ' '), &shared) != 0 || shared > resident) {
        return ERR_CORRUPT;
    }
    *used_out = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
