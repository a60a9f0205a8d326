/* /proc/<pid>/stat and /proc/<pid>/task/<tid>/stat: one line,
 *
 *   pid (command) state ppid … <10: minor faults> · <12: major faults> · <14: user> <15: system> …
 *   <20: threads> · <22: start> <23: virtual bytes> <24: resident pages> …
 *
 * Times are in clock ticks, the start is counted from boot. The command may hold blanks and parentheses;
 * it ends at the last ')'.
 */
#ifndef SONDE_PROCFS_PROCESS_STAT_H
#define SONDE_PROCFS_PROCESS_STAT_H

#include <stdint.h>

#include "base/str.h"

struct procfs_process_stat {
    uint64_t pid;
    struct str command; /* borrowed */
    char state;         /* R S D Z T t X I … */
    uint64_t minor_faults, major_faults;
    uint64_t user_ticks, system_ticks;
    uint64_t threads;
    uint64_t start_ticks;
    uint64_t virtual_bytes;
    uint64_t resident_pages;
};

/* 0 or ERR_CORRUPT. */
int procfs_process_stat_parse(struct str text, struct procfs_process_stat *stat_out);

#endif
