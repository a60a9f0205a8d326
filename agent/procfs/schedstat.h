/* /proc/schedstat: how long tasks ran and waited on each CPU.
 *
 *   version 15 | 16 | 17
 *   timestamp <jiffies>
 *   cpu<N> f1 … f6 <running ns> <waiting ns> <timeslices>
 *   domain<N> …                          (one line a scheduling domain, skipped)
 *
 * The last three columns of a CPU line have kept their place in every version since 15 (2.6.28);
 * the six before them have changed meaning and are not read. The file needs CONFIG_SCHEDSTATS.
 */
#ifndef SONDE_PROCFS_SCHEDSTAT_H
#define SONDE_PROCFS_SCHEDSTAT_H

#include <stdint.h>

#include "base/str.h"

struct procfs_schedstat_cpu {
    uint64_t cpu;
    uint64_t running_ns;
    uint64_t waiting_ns;
    uint64_t timeslices;
};

/* The next CPU of the text: 1, 0 at the end, ERR_CORRUPT. */
int procfs_schedstat_next(struct str *rest, struct procfs_schedstat_cpu *cpu_out);

#endif
