/* /proc/mdstat: the software RAID arrays,
 *
 *   Personalities : [raid1] [raid6]
 *   md0 : active raid1 sdb1[1] sda1[0](F) sdc1[2](S)
 *         248896 blocks super 1.2 [2/1] [U_]
 *         [==>..................]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec
 *         bitmap: …
 *   unused devices: <none>
 *
 * Blocks are KiB. "[n/m]" (disks wanted / working) is missing where a level has no redundancy (raid0,
 * linear): then all members count as active. A third line reports recovery, resync, reshape or
 * check, with progress or as "resync=DELAYED" | "PENDING".
 */
#ifndef SONDE_PROCFS_MDSTAT_H
#define SONDE_PROCFS_MDSTAT_H

#include <stdint.h>

#include "base/str.h"

enum procfs_md_state {
    PROCFS_MD_ACTIVE,
    PROCFS_MD_INACTIVE,
    PROCFS_MD_RECOVERING, /* recovery or reshape */
    PROCFS_MD_RESYNCING,
    PROCFS_MD_CHECKING,
};

struct procfs_md {
    struct str name; /* borrowed */
    enum procfs_md_state state;
    uint64_t disks_active;
    uint64_t disks_required;
    uint64_t disks_failed;
    uint64_t disks_spare;
    uint64_t blocks;
    uint64_t blocks_synced; /* all of them while nothing is being synchronised */
};

/* The next array: 1, 0 at the end, ERR_CORRUPT. */
int procfs_mdstat_next(struct str *rest, struct procfs_md *md_out);

#endif
