/* How much memory this process may take, and how much it has: from the kernel's files, through a vfs.
 *
 *   /proc/meminfo                                   MemTotal of the host
 *   /sys/fs/cgroup/<path>/memory.max                cgroup v2; "max" is none
 *   /sys/fs/cgroup/memory/<path>/memory.limit_in_bytes   v1; absurdly high is none
 *   /proc/self/cgroup                               the paths
 *   /proc/self/statm                                pages: size, resident, shared ...
 */
#ifndef SONDE_QUERY_HOST_MEMORY_H
#define SONDE_QUERY_HOST_MEMORY_H

#include <stdint.h>

#include "base/vfs.h"

/* The lowest of all that limit this process; 0 when nothing can be read. */
uint64_t host_memory_ceiling(struct vfs *fs);
/* Resident memory that is not a file's: what counts when the kernel looks for whom to kill. 0,
 * ERR_NOT_FOUND, ERR_CORRUPT. */
int host_memory_used(struct vfs *fs, uint64_t *used_out);

#endif
