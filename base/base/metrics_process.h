/* process_* of this process, for metrics.c; private to base/base. */
#ifndef SONDE_BASE_METRICS_PROCESS_H
#define SONDE_BASE_METRICS_PROCESS_H

#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"

/* What /proc/self/stat and /proc/stat say of a process. */
struct process_stat {
    uint64_t start_ticks; /* after boot */
    uint64_t virtual_bytes;
    uint64_t resident_pages;
};

/* One line of proc(5)'s "stat"; ERR_CORRUPT when it is not one. */
int process_stat_parse(struct str line, struct process_stat *stat_out);
/* The "btime" line of /proc/stat: boot time in seconds since 1970. ERR_CORRUPT without one. */
int process_boot_time_parse(struct str text, uint64_t *seconds_out);

/* Appends the metrics that the client libraries of the field write, from getrusage, getrlimit and
 * procfs as seen through `fs`. What cannot be read is left out. */
void metrics_process_write(struct strbuf *out, struct vfs *fs);

#endif
