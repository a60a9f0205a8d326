/* Lists of CPU numbers as sysfs and cpusets write them: "0-3,8,10-11"; empty for none. */
#ifndef SONDE_PROCFS_CPULIST_H
#define SONDE_PROCFS_CPULIST_H

#include <stdint.h>

#include "base/str.h"

/* No machine has more; a larger number is a broken file. */
#define PROCFS_CPULIST_CPU_MAX 65535

struct procfs_cpu_range {
    uint64_t first;
    uint64_t last; /* included */
};

/* The next range of `*rest` (a trailing newline is ignored): 1, 0 at the end, ERR_CORRUPT. */
int procfs_cpulist_next(struct str *rest, struct procfs_cpu_range *range_out);

#endif
