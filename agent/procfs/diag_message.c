/* Parser of socket dumps; the format is in the header. */
#include "procfs/diag_message.h"

#include "base/err.h"
#include "procfs/netlink_message.h"

/* Numbers of the kernel's interface (linux/sock_diag.h, linux/inet_diag.h). */
enum {
    MESSAGE_DIAG_BY_FAMILY = 20,
    DIAG_BYTES = 72,
    STATE_OFFSET = 1,
    RECEIVE_QUEUE_OFFSET = 56,
    SEND_QUEUE_OFFSET = 60,
};

int procfs_socket_next(struct str *rest, struct procfs_socket *socket_out)
{
    struct str payload;
    int result = procfs_netlink_next(rest, MESSAGE_DIAG_BY_FAMILY, &payload);
    if (result != PROCFS_NETLINK_ROW) {
        return result;
    }
    if (payload.len < DIAG_BYTES) {
        return ERR_CORRUPT;
    }
    *socket_out = (struct procfs_socket){
        .state = (uint8_t)payload.ptr[STATE_OFFSET],
        .receive_queue = procfs_netlink_u32(payload.ptr + RECEIVE_QUEUE_OFFSET),
        .send_queue = procfs_netlink_u32(payload.ptr + SEND_QUEUE_OFFSET),
    };
    return PROCFS_NETLINK_ROW;
}
