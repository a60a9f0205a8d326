/* /proc/<pid>/mountinfo: one line a mount,
 *
 *   36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw,errors=remount-ro
 *   id parent major:minor root mountpoint options optional… - type source super-options
 *
 * separated by exactly one space, because the source may be empty. Space, tab, newline, backslash
 * and # inside a field are written as a backslash and three octal digits.
 */
#ifndef SONDE_PROCFS_MOUNTINFO_H
#define SONDE_PROCFS_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct procfs_mount {
    uint64_t id;
    uint64_t major;
    uint64_t minor;
    struct str mountpoint;    /* escaped, as all slices here; borrowed */
    struct str options;       /* of this mount */
    struct str type;          /* ext4, nfs4, fuse.sshfs … */
    struct str source;        /* device, export, or what the mounter wrote */
    struct str super_options; /* of the filesystem */
};

/* The next mount: 1, 0 at the end, ERR_CORRUPT. */
int procfs_mountinfo_next(struct str *rest, struct procfs_mount *mount_out);

/* True when the comma-separated `options` hold exactly `option`. */
bool procfs_mount_has_option(struct str options, struct str option);

/* Writes `escaped` with its octal escapes resolved to `buffer`, which has at least escaped.len bytes;
 * returns the slice of it. What is no escape stays as it is. */
struct str procfs_unescape(struct str escaped, char *buffer);

#endif
