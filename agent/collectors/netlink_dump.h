/* Dumps over netlink: interfaces (RTM_GETLINK) and TCP sockets (SOCK_DIAG_BY_FAMILY). The one file of
 * the collectors that opens a socket. */
#ifndef SONDE_COLLECTORS_NETLINK_DUMP_H
#define SONDE_COLLECTORS_NETLINK_DUMP_H

#include "procfs/diag_message.h"
#include "procfs/link_message.h"

struct netlink_dump;

/* A socket of one of the kernel's families. */
enum netlink_family { NETLINK_FAMILY_LINKS, NETLINK_FAMILY_SOCKETS };

/* 0, ERR_UNSUPPORTED where netlink is not to be had (sandboxes), ERR_NOMEM. */
int netlink_dump_open(enum netlink_family family, struct netlink_dump **dump_out);
/* Accepts NULL. */
void netlink_dump_close(struct netlink_dump *dump);

/* Whether a dump of interfaces carries the counters, which are half of its cost. */
enum netlink_link_content { NETLINK_LINKS_WITHOUT_STATS, NETLINK_LINKS_WITH_STATS };

/* Walks all interfaces: `each(context, link)` for every one; the link's slices live during the call.
 * A non-zero return of `each` stops the walk and is handed back. 0, ERR_IO, ERR_CORRUPT, ERR_LIMIT. */
int netlink_dump_links(struct netlink_dump *dump, enum netlink_link_content content,
    int (*each)(void *context, const struct procfs_link *link), void *context);

/* The same for the TCP sockets of a family of addresses (AF_INET, AF_INET6). ERR_NOT_FOUND where the
 * kernel cannot tell. */
int netlink_dump_tcp(struct netlink_dump *dump, int address_family,
    int (*each)(void *context, const struct procfs_socket *socket), void *context);

#endif
