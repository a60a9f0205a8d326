/* /proc/net/stat/nf_conntrack: counters of connection tracking, a title line and then one line of
 * hexadecimal columns a CPU,
 *
 *   0 entries  1 searched|clashres  2 found  3 new  4 invalid  5 ignore  6 delete
 *   7 delete_list|chainlength  8 insert  9 insert_failed  10 drop  11 early_drop  12 icmp_error
 *   13 expect_new  14 expect_create  15 expect_delete  16 search_restart
 *
 * Columns that later kernels no longer count are printed as 0 or were renamed in place; the ones
 * read here have kept theirs since 2.6.29.
 */
#ifndef SONDE_PROCFS_NF_CONNTRACK_STAT_H
#define SONDE_PROCFS_NF_CONNTRACK_STAT_H

#include <stdint.h>

#include "base/str.h"

struct procfs_conntrack {
    uint64_t found;
    uint64_t invalid;
    uint64_t ignore;
    uint64_t insert;
    uint64_t insert_failed;
    uint64_t drop;
    uint64_t early_drop;
    uint64_t search_restart;
};

/* Sums over all CPUs. 0 or ERR_CORRUPT. */
int procfs_conntrack_parse(struct str text, struct procfs_conntrack *conntrack_out);

#endif
