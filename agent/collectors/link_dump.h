/* Asks the kernel for all network interfaces over netlink (RTM_GETLINK). The one file of the
 * collectors that opens a socket. */
#ifndef SONDE_COLLECTORS_LINK_DUMP_H
#define SONDE_COLLECTORS_LINK_DUMP_H

#include "procfs/link_message.h"

struct link_dump;

/* 0, ERR_UNSUPPORTED where netlink is not to be had (sandboxes), ERR_NOMEM. */
int link_dump_open(struct link_dump **dump_out);
/* Accepts NULL. */
void link_dump_close(struct link_dump *dump);

/* Whether a dump carries the counters, which are half of its cost. */
enum link_dump_content { LINK_DUMP_PROPERTIES, LINK_DUMP_ALL };

/* Walks all interfaces: `each(context, link)` for every one; the link's slices live during the call.
 * A non-zero return of `each` stops the walk and is handed back. 0, ERR_IO, ERR_CORRUPT, ERR_LIMIT. */
int link_dump_run(struct link_dump *dump, enum link_dump_content content,
    int (*each)(void *context, const struct procfs_link *link), void *context);

#endif
