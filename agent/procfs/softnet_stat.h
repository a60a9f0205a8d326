/* /proc/net/softnet_stat: packet processing of each online CPU, one line of hexadecimal columns,
 *
 *   0 processed  1 dropped  2 time_squeeze  3-7 always 0  8 cpu_collision  9 received_rps (2.6.35)
 *   10 flow_limit_count (3.11)  11 backlog length  12 cpu (5.10)  13 14 queue lengths (6.x)
 *
 * Columns a kernel lacks read as 0; where the CPU column is missing the row number stands in, which
 * is wrong only when CPUs are offline.
 */
#ifndef SONDE_PROCFS_SOFTNET_STAT_H
#define SONDE_PROCFS_SOFTNET_STAT_H

#include <stdint.h>

#include "base/str.h"

struct procfs_softnet {
    uint64_t cpu;
    uint64_t processed;
    uint64_t dropped;
    uint64_t times_squeezed;
    uint64_t cpu_collisions;
    uint64_t received_rps;
    uint64_t flow_limit_count;
    uint64_t backlog_length;
};

/* The next CPU; `row` is the number of lines read before it. 1, 0 at the end, ERR_CORRUPT. */
int procfs_softnet_next(struct str *rest, uint64_t row, struct procfs_softnet *softnet_out);

#endif
