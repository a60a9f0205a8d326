/* /proc/vmstat: one "name value" a line. Also the form of /sys/devices/system/node/nodeN/numastat and
 * of many small tables. A value may be negative for a moment where the kernel sums per-CPU
 * counters. */
#ifndef SONDE_PROCFS_VMSTAT_H
#define SONDE_PROCFS_VMSTAT_H

#include "base/str.h"

struct procfs_vmstat_line {
    struct str name; /* borrowed */
    double value;
};

/* The next line: 1, 0 at the end, ERR_CORRUPT. */
int procfs_vmstat_next(struct str *rest, struct procfs_vmstat_line *line_out);

#endif
