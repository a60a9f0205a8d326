/* /proc/loadavg: "0.12 0.06 0.04 2/92 8779" - load over 1, 5 and 15 minutes, runnable/all scheduling
 * entities, last process id. */
#ifndef SONDE_PROCFS_LOADAVG_H
#define SONDE_PROCFS_LOADAVG_H

#include <stdint.h>

#include "base/str.h"

struct procfs_loadavg {
    double load1;
    double load5;
    double load15;
    uint64_t runnable;
    uint64_t entities;
};

/* 0 or ERR_CORRUPT. */
int procfs_loadavg_parse(struct str text, struct procfs_loadavg *loadavg_out);

#endif
