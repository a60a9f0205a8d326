/* /proc/net/dev: counters of each network interface, the legacy view of struct rtnl_link_stats64.
 *
 *   Inter-|   Receive                                                |  Transmit
 *    face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
 *     eth0: 8 numbers, 8 numbers
 *
 * Old kernels print no space behind the colon when the number is long. Names may hold colons
 * (aliases), so the name ends at the last colon of the line.
 */
#ifndef SONDE_PROCFS_NET_DEV_H
#define SONDE_PROCFS_NET_DEV_H

#include <stdint.h>

#include "base/str.h"

enum procfs_net_dev_field {
    PROCFS_NET_RECEIVE_BYTES,
    PROCFS_NET_RECEIVE_PACKETS,
    PROCFS_NET_RECEIVE_ERRS,
    PROCFS_NET_RECEIVE_DROP,
    PROCFS_NET_RECEIVE_FIFO,
    PROCFS_NET_RECEIVE_FRAME,
    PROCFS_NET_RECEIVE_COMPRESSED,
    PROCFS_NET_RECEIVE_MULTICAST,
    PROCFS_NET_TRANSMIT_BYTES,
    PROCFS_NET_TRANSMIT_PACKETS,
    PROCFS_NET_TRANSMIT_ERRS,
    PROCFS_NET_TRANSMIT_DROP,
    PROCFS_NET_TRANSMIT_FIFO,
    PROCFS_NET_TRANSMIT_COLLS,
    PROCFS_NET_TRANSMIT_CARRIER,
    PROCFS_NET_TRANSMIT_COMPRESSED,
    PROCFS_NET_DEV_FIELDS,
};

struct procfs_net_dev {
    struct str name; /* borrowed */
    uint64_t fields[PROCFS_NET_DEV_FIELDS];
};

/* The next interface (the two title lines are skipped): 1, 0 at the end, ERR_CORRUPT. */
int procfs_net_dev_next(struct str *rest, struct procfs_net_dev *dev_out);

#endif
