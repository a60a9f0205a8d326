/* The frame of netlink (netlink(7)): a datagram holds messages one behind the other, each
 *
 *   u32 length (header included) | u16 type | u16 flags | u32 sequence | u32 port | payload
 *
 * padded to 4 bytes, all in the byte order of this machine. A dump goes over as many datagrams as it
 * takes and ends with a message of type NLMSG_DONE.
 */
#ifndef SONDE_PROCFS_NETLINK_MESSAGE_H
#define SONDE_PROCFS_NETLINK_MESSAGE_H

#include <stdint.h>

#include "base/str.h"

enum procfs_netlink_result {
    PROCFS_NETLINK_END = 0,  /* the datagram is used up; the dump goes on in the next one */
    PROCFS_NETLINK_ROW = 1,  /* a message of the type that was asked for */
    PROCFS_NETLINK_DONE = 2, /* the dump is complete */
};

/* The payload of the next message of `type` in `*rest`: a procfs_netlink_result; ERR_CORRUPT for lengths
 * that do not fit; ERR_NOT_FOUND (the kernel has no such thing) or ERR_IO for an error message. Messages
 * of other types are skipped. */
int procfs_netlink_next(struct str *rest, uint16_t type, struct str *payload_out);

/* Bytes of a length with its padding. */
static inline size_t procfs_netlink_padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

static inline uint16_t procfs_netlink_u16(const char *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static inline uint32_t procfs_netlink_u32(const char *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

#endif
