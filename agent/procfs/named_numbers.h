/* Tables of "word number number …" lines, whose columns are known by the word and their place:
 * /proc/net/rpc/nfs, /proc/net/rpc/nfsd and the stats files of XFS.
 *
 *   rpc 18628 3 1 2 0
 *   th 8 0 0.000 0.000 …
 *
 * Numbers that are no whole ones end the part of a line that is read.
 */
#ifndef SONDE_PROCFS_NAMED_NUMBERS_H
#define SONDE_PROCFS_NAMED_NUMBERS_H

#include <stdint.h>

#include "base/str.h"

/* Columns of a line that are read; the longest line of these files has fewer. */
#define PROCFS_NAMED_NUMBERS_MAX 128

struct procfs_named_numbers {
    struct str name; /* borrowed */
    int count;
    uint64_t numbers[PROCFS_NAMED_NUMBERS_MAX];
};

/* The next line: 1, 0 at the end, ERR_CORRUPT for a line that is empty or was cut. */
int procfs_named_numbers_next(struct str *rest, struct procfs_named_numbers *line_out);

/* The first line of that name: 1, 0 when there is none, ERR_CORRUPT for a line that was cut before it.
 * Lines before it are not taken apart. */
int procfs_named_numbers_find(
    struct str text, struct str name, struct procfs_named_numbers *line_out);

#endif
