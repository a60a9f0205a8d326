/* /proc/net/ip_vs and ip_vs_stats: the kernel's load balancer (IPVS).
 *
 *   IP Virtual Server version 1.2.1 (size=4096)
 *   Prot LocalAddress:Port Scheduler Flags
 *     -> RemoteAddress:Port Forward Weight ActiveConn InActConn
 *   TCP  C0A80016:0CEA wlc                                            a service, and behind it
 *     -> C0A85216:0CEA      Tunnel  100    248        2               its backends
 *   UDP  [2620:0000:0000:0000:0000:0000:0000:0001]:0050 sh
 *   FWM  10001000 wlc                                                 a service by firewall mark
 *
 * Addresses and ports are hexadecimal. ip_vs_stats has two lines of titles and then the totals:
 * connections, packets in and out, bytes in and out, hexadecimal too.
 */
#ifndef SONDE_PROCFS_IP_VS_H
#define SONDE_PROCFS_IP_VS_H

#include <stdint.h>

#include "base/str.h"

struct procfs_ip_vs_address {
    uint8_t bytes[16];
    int length; /* 4, 16, or 0 for none */
    uint64_t port;
};

struct procfs_ip_vs_backend {
    struct str protocol; /* TCP UDP SCTP FWM; borrowed */
    struct str mark;     /* of a service by firewall mark, as printed; else empty */
    struct procfs_ip_vs_address local;
    struct procfs_ip_vs_address remote;
    uint64_t weight;
    uint64_t active_connections;
    uint64_t inactive_connections;
};

/* A walk over all backends. Set `rest` to the text and the others to zero. */
struct procfs_ip_vs_iter {
    struct str rest;
    struct procfs_ip_vs_backend service; /* the part of the service is valid */
};

/* The next backend: 1, 0 at the end, ERR_CORRUPT. */
int procfs_ip_vs_next(struct procfs_ip_vs_iter *iter, struct procfs_ip_vs_backend *backend_out);

struct procfs_ip_vs_totals {
    uint64_t connections;
    uint64_t incoming_packets;
    uint64_t outgoing_packets;
    uint64_t incoming_bytes;
    uint64_t outgoing_bytes;
};

/* 0 or ERR_CORRUPT. */
int procfs_ip_vs_totals_parse(struct str text, struct procfs_ip_vs_totals *totals_out);

#endif
