/* /proc/net/arp: one line an IPv4 neighbour behind a title line,
 *
 *   IP address       HW type     Flags       HW address            Mask     Device
 *   10.0.0.1         0x1         0x2         02:fc:00:00:00:01     *        eth0
 *
 * The kernel leaves entries without need of resolution (NOARP) out of this file itself.
 */
#ifndef SONDE_PROCFS_NET_ARP_H
#define SONDE_PROCFS_NET_ARP_H

#include "base/str.h"

struct procfs_arp_entry {
    struct str address; /* borrowed */
    struct str device;  /* borrowed */
};

/* The next entry (the title is skipped): 1, 0 at the end, ERR_CORRUPT. */
int procfs_net_arp_next(struct str *rest, struct procfs_arp_entry *entry_out);

#endif
