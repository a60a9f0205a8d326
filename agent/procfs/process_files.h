/* Files of a process beside its stat, each with names and numbers on lines:
 *
 *   /proc/<pid>/io            read_bytes: 4096
 *   /proc/<pid>/status        VmSwap:\t     12 kB        voluntary_ctxt_switches:\t7
 *   /proc/<pid>/smaps_rollup  Pss:                1234 kB (behind a line that names the range)
 *   /proc/<pid>/limits        Max open files            1024                 524288               files
 *
 * Each reader takes the numbers it knows and leaves the other lines, whatever they hold. A number that
 * is not there reads as 0: kernel threads have no memory, old kernels no counters of switches.
 */
#ifndef SONDE_PROCFS_PROCESS_FILES_H
#define SONDE_PROCFS_PROCESS_FILES_H

#include <stdint.h>

#include "base/str.h"

struct procfs_process_io {
    uint64_t read_bytes, write_bytes; /* of storage */
};

struct procfs_process_status {
    uint64_t swap_bytes;
    uint64_t voluntary_switches, involuntary_switches;
};

struct procfs_process_smaps {
    uint64_t proportional_bytes, proportional_swap_bytes;
};

/* 0 or ERR_CORRUPT: a line that was cut, or a number that is none. */
int procfs_process_io_parse(struct str text, struct procfs_process_io *io_out);
int procfs_process_status_parse(struct str text, struct procfs_process_status *status_out);
int procfs_process_smaps_parse(struct str text, struct procfs_process_smaps *smaps_out);
/* The soft limit on open files; UINT64_MAX = unlimited. ERR_CORRUPT also when it is not there. */
int procfs_process_open_files_parse(struct str text, uint64_t *limit_out);

#endif
