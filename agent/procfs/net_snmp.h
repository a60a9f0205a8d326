/* /proc/net/snmp, /proc/net/netstat and /proc/net/snmp6: counters of the network protocols.
 *
 * snmp and netstat come as pairs of lines with equally many columns,
 *
 *   TcpExt: SyncookiesSent SyncookiesRecv …
 *   TcpExt: 0 0 …
 *
 * snmp6 as one "Ip6InReceives   123" a line, where the protocol ends behind the first digit 6 (Ip6,
 * Icmp6, Udp6, UdpLite6). Values may be negative (Tcp MaxConn is -1).
 */
#ifndef SONDE_PROCFS_NET_SNMP_H
#define SONDE_PROCFS_NET_SNMP_H

#include "base/str.h"

struct procfs_snmp_value {
    struct str protocol; /* borrowed */
    struct str field;    /* borrowed */
    double value;
};

/* A walk over the columns of all pairs. Set `rest` to the text and the others to zero. */
struct procfs_snmp_iter {
    struct str rest;
    struct str protocol;
    struct str names; /* columns not yet handed out */
    struct str values;
};

static inline struct procfs_snmp_iter procfs_snmp_iter_of(struct str text)
{
    return (struct procfs_snmp_iter){.rest = text};
}

/* The next value: 1, 0 at the end, ERR_CORRUPT when lines or columns do not pair. */
int procfs_snmp_next(struct procfs_snmp_iter *iter, struct procfs_snmp_value *value_out);

/* The next line of snmp6: 1, 0 at the end, ERR_CORRUPT. Lines without a 6 in their name have an empty
 * protocol. */
int procfs_snmp6_next(struct str *rest, struct procfs_snmp_value *value_out);

#endif
