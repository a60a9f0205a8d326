/* Answers of the kernel to RTM_GETLINK (rtnetlink(7)): one message a network interface, framed as in
 * netlink_message.h. The payload of RTM_NEWLINK is struct ifinfomsg (16 bytes) and then attributes,
 * each u16 length (header included) | u16 type | value, padded to 4 bytes. IFLA_STATS64 is a row of
 * u64 counters that has grown over time: 23 up to 4.5, rx_nohandler from 4.6, more later. Everything
 * is in the byte order of this machine.
 */
#ifndef SONDE_PROCFS_LINK_MESSAGE_H
#define SONDE_PROCFS_LINK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "procfs/netlink_message.h"

/* In the order of struct rtnl_link_stats64. */
enum procfs_link_stat {
    PROCFS_LINK_RX_PACKETS,
    PROCFS_LINK_TX_PACKETS,
    PROCFS_LINK_RX_BYTES,
    PROCFS_LINK_TX_BYTES,
    PROCFS_LINK_RX_ERRORS,
    PROCFS_LINK_TX_ERRORS,
    PROCFS_LINK_RX_DROPPED,
    PROCFS_LINK_TX_DROPPED,
    PROCFS_LINK_MULTICAST,
    PROCFS_LINK_COLLISIONS,
    PROCFS_LINK_RX_LENGTH_ERRORS,
    PROCFS_LINK_RX_OVER_ERRORS,
    PROCFS_LINK_RX_CRC_ERRORS,
    PROCFS_LINK_RX_FRAME_ERRORS,
    PROCFS_LINK_RX_FIFO_ERRORS,
    PROCFS_LINK_RX_MISSED_ERRORS,
    PROCFS_LINK_TX_ABORTED_ERRORS,
    PROCFS_LINK_TX_CARRIER_ERRORS,
    PROCFS_LINK_TX_FIFO_ERRORS,
    PROCFS_LINK_TX_HEARTBEAT_ERRORS,
    PROCFS_LINK_TX_WINDOW_ERRORS,
    PROCFS_LINK_RX_COMPRESSED,
    PROCFS_LINK_TX_COMPRESSED,
    PROCFS_LINK_RX_NOHANDLER,
    PROCFS_LINK_STATS,
};

/* Counters of the oldest kernel that has the attribute. */
#define PROCFS_LINK_STATS_MIN 23

/* Attributes of which a message may have none; bits of procfs_link.present. */
enum procfs_link_attribute {
    PROCFS_LINK_HAS_CARRIER = 1,
    PROCFS_LINK_HAS_CARRIER_CHANGES = 2,
    PROCFS_LINK_HAS_CARRIER_UPS = 4,
    PROCFS_LINK_HAS_CARRIER_DOWNS = 8,
    PROCFS_LINK_HAS_GROUP = 16,
    PROCFS_LINK_HAS_LINK = 32,
    PROCFS_LINK_HAS_LINK_MODE = 64,
    PROCFS_LINK_HAS_MTU = 128,
    PROCFS_LINK_HAS_OPERSTATE = 256,
    PROCFS_LINK_HAS_QUEUE_LENGTH = 512,
    PROCFS_LINK_HAS_PROMISCUITY = 1024,
    PROCFS_LINK_HAS_ALLMULTI = 2048,
};

struct procfs_link {
    int32_t index;
    uint16_t hardware_type; /* ARPHRD number */
    uint32_t flags;         /* IFF bits as the kernel shows them to users */
    unsigned present;       /* which of the numbers below the message had */
    uint32_t carrier;
    uint32_t carrier_changes;
    uint32_t carrier_ups;
    uint32_t carrier_downs;
    uint32_t group;
    uint32_t link; /* index of the interface below this one */
    uint32_t link_mode;
    uint32_t mtu;
    uint32_t operstate; /* RFC 2863, see procfs_link_operstate */
    uint32_t queue_length;
    uint32_t promiscuity; /* users that want all packets */
    uint32_t allmulti;    /* users that want all multicast */
    struct str name;      /* borrowed, without its terminating zero */
    struct str alias;     /* the same; empty when none is set */
    struct str address;   /* bytes, borrowed */
    struct str broadcast; /* bytes, borrowed */
    int stat_count;       /* counters this kernel sends; 0 when the message had none */
    uint64_t stats[PROCFS_LINK_STATS];
};

/* "up", "down" … as /sys/class/net/<if>/operstate prints the number. */
const char *procfs_link_operstate(uint32_t operstate);

/* The next interface of `*rest`: a procfs_netlink_result, or a code as procfs_netlink_next. */
int procfs_link_next(struct str *rest, struct procfs_link *link_out);

#endif
