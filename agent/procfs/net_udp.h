/* /proc/net/udp and udp6: one line a socket, of which only the queues are summed here,
 *
 *   sl  local_address rem_address   st tx_queue:rx_queue …
 *   12: 0100007F:0035 00000000:0000 07 00000000:00000000 …
 *
 * all numbers hexadecimal; the first line is a title.
 */
#ifndef SONDE_PROCFS_NET_UDP_H
#define SONDE_PROCFS_NET_UDP_H

#include <stdint.h>

#include "base/str.h"

struct procfs_udp_queues {
    uint64_t transmit_bytes;
    uint64_t receive_bytes;
    uint64_t sockets;
};

/* Sums all sockets. 0 or ERR_CORRUPT. */
int procfs_net_udp_parse(struct str text, struct procfs_udp_queues *queues_out);

#endif
