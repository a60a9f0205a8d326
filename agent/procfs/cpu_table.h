/* Tables with a column for each online CPU: /proc/interrupts and /proc/softirqs.
 *
 *              CPU0       CPU3
 *     0:         17          0  IR-IO-APIC   2-edge      timer
 *   NMI:          2          3  Non-maskable interrupts
 *   ERR:          0
 *
 * The title names the CPUs; behind the counters stand words that describe the row. Rows such as ERR and
 * MIS have one number for the whole machine. On some machines a name is followed by its first counter
 * without a blank.
 */
#ifndef SONDE_PROCFS_CPU_TABLE_H
#define SONDE_PROCFS_CPU_TABLE_H

#include <stdint.h>

#include "base/str.h"

struct procfs_cpu_table {
    struct str title; /* names of the CPUs, for procfs_cpu_table_next_cpu */
    int cpus;
    struct str rest;
};

struct procfs_cpu_table_row {
    struct str name; /* without the colon; borrowed */
    int count;       /* counters, at most `cpus` of the table */
    struct str counters;
    struct str description; /* without blanks at its ends; empty when there is none */
};

/* Reads the title. 0 or ERR_CORRUPT. */
int procfs_cpu_table_begin(struct str text, struct procfs_cpu_table *table_out);
/* The next row: 1, 0 at the end, ERR_CORRUPT. */
int procfs_cpu_table_next(struct procfs_cpu_table *table, struct procfs_cpu_table_row *row_out);
/* The next CPU of a copy of the title, and its counter from a copy of a row's counters: 1, 0 when
 * either is used up. */
int procfs_cpu_table_next_cpu(
    struct str *title, struct str *counters, struct str *cpu_out, uint64_t *value_out);

#endif
