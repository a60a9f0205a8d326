/* Walking the messages of a netlink datagram; the frame is in the header. */
#include "procfs/netlink_message.h"

#include <errno.h>

#include "base/err.h"

/* Numbers of the kernel's interface (linux/netlink.h), which never change. */
enum { HEADER_BYTES = 16, TYPE_OFFSET = 4, MESSAGE_ERROR = 2, MESSAGE_DONE = 3 };

/* struct nlmsgerr begins with a negative errno value. */
static int error_code(struct str payload)
{
    if (payload.len < sizeof(uint32_t)) {
        return ERR_CORRUPT;
    }
    int32_t error = (int32_t)procfs_netlink_u32(payload.ptr);
    return error == -ENOENT || error == -EOPNOTSUPP ? ERR_NOT_FOUND : ERR_IO;
}

int procfs_netlink_next(struct str *rest, uint16_t type, struct str *payload_out)
{
    while (rest->len > 0) {
        if (rest->len < HEADER_BYTES) {
            return ERR_CORRUPT;
        }
        size_t length = procfs_netlink_u32(rest->ptr);
        uint16_t found = procfs_netlink_u16(rest->ptr + TYPE_OFFSET);
        if (length < HEADER_BYTES || length > rest->len) {
            return ERR_CORRUPT;
        }
        struct str payload = str_make(rest->ptr + HEADER_BYTES, length - HEADER_BYTES);
        *rest = str_skip(*rest, procfs_netlink_padded(length));
        if (found == type) {
            *payload_out = payload;
            return PROCFS_NETLINK_ROW;
        }
        if (found == MESSAGE_DONE) {
            return PROCFS_NETLINK_DONE;
        }
        if (found == MESSAGE_ERROR) {
            return error_code(payload);
        }
    }
    return PROCFS_NETLINK_END;
}
