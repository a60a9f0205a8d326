/* /proc/meminfo: one "Name:   <number> kB" or "Name:   <number>" a line.
 *
 * Names may hold parentheses: "Active(anon)". Lines with the unit kB are kibibytes; lines without
 * one (HugePages_Total …) are plain counts. The files of NUMA nodes have another form and are not
 * read here.
 */
#ifndef SONDE_PROCFS_MEMINFO_H
#define SONDE_PROCFS_MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct procfs_meminfo_line {
    struct str name; /* as printed, without the colon; borrowed */
    uint64_t value;
    bool is_kib; /* the line said kB */
};

/* The next line: 1, 0 at the end, ERR_CORRUPT. */
int procfs_meminfo_next(struct str *rest, struct procfs_meminfo_line *line_out);

#endif
