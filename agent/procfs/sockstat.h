/* /proc/net/sockstat and sockstat6: sockets in use by protocol,
 *
 *   sockets: used 15
 *   TCP: inuse 1 orphan 0 tw 1 alloc 1 mem 242
 *
 * where mem counts pages. sockstat6 has no "sockets" line.
 */
#ifndef SONDE_PROCFS_SOCKSTAT_H
#define SONDE_PROCFS_SOCKSTAT_H

#include "base/str.h"

struct procfs_sockstat_value {
    struct str protocol; /* borrowed */
    struct str field;    /* borrowed */
    double value;
};

/* A walk over all values. Set `rest` to the text and the others to zero. */
struct procfs_sockstat_iter {
    struct str rest;
    struct str protocol;
    struct str line; /* pairs of the current line not yet handed out */
};

static inline struct procfs_sockstat_iter procfs_sockstat_iter_of(struct str text)
{
    return (struct procfs_sockstat_iter){.rest = text};
}

/* The next value: 1, 0 at the end, ERR_CORRUPT. */
int procfs_sockstat_next(
    struct procfs_sockstat_iter *iter, struct procfs_sockstat_value *value_out);

#endif
