/* Answers of the kernel to a dump of sockets (sock_diag(7), SOCK_DIAG_BY_FAMILY): messages framed as in
 * netlink_message.h, each with struct inet_diag_msg (72 bytes) and attributes,
 *
 *   u8 family | u8 state | u8 timer | u8 retransmits | 48 bytes of identity | u32 expires |
 *   u32 receive queue | u32 send queue | u32 user | u32 inode
 */
#ifndef SONDE_PROCFS_DIAG_MESSAGE_H
#define SONDE_PROCFS_DIAG_MESSAGE_H

#include <stdint.h>

#include "base/str.h"
#include "procfs/netlink_message.h"

struct procfs_socket {
    uint8_t state; /* TCP_ESTABLISHED = 1 … */
    uint32_t receive_queue;
    uint32_t send_queue;
};

/* The next socket of `*rest`: a procfs_netlink_result, or a code as procfs_netlink_next. */
int procfs_socket_next(struct str *rest, struct procfs_socket *socket_out);

#endif
