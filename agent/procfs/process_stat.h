/* /proc/<pid>/stat and /proc/<pid>/task/<tid>/stat: one line,
 *
 *   pid (command) state ppid … <column 20: threads> …
 *
 * The command may hold blanks and parentheses; it ends at the last ')'.
 */
#ifndef SONDE_PROCFS_PROCESS_STAT_H
#define SONDE_PROCFS_PROCESS_STAT_H

#include <stdint.h>

#include "base/str.h"

struct procfs_process_stat {
    uint64_t pid;
    struct str command; /* borrowed */
    char state;         /* R S D Z T t X I … */
    uint64_t threads;
};

/* 0 or ERR_CORRUPT. */
int procfs_process_stat_parse(struct str text, struct procfs_process_stat *stat_out);

#endif
