/* /proc/stat: ticks of each CPU by mode, and the kernel's global counters.
 *
 *   cpu  <sum of the lines below>
 *   cpu<N> user nice system idle iowait irq softirq steal guest guest_nice
 *   intr <total> <one number per interrupt>
 *   ctxt <n>   btime <s since 1970>   processes <forks>   procs_running <n>   procs_blocked <n>
 *   softirq <total> <hi timer net_tx net_rx block irq_poll tasklet sched hrtimer rcu>
 *
 * Columns grew with the kernel: 7 up to 2.6.10, steal from 2.6.11, guest from 2.6.24, guest_nice from
 * 2.6.33; softirq from 2.6.31. Columns that a kernel lacks read as 0. Lines of unknown name (page,
 * swap, disk_io of old kernels) are skipped. CPUs that are offline have no line.
 */
#ifndef SONDE_PROCFS_STAT_H
#define SONDE_PROCFS_STAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum procfs_cpu_mode {
    PROCFS_CPU_USER,
    PROCFS_CPU_NICE,
    PROCFS_CPU_SYSTEM,
    PROCFS_CPU_IDLE,
    PROCFS_CPU_IOWAIT,
    PROCFS_CPU_IRQ,
    PROCFS_CPU_SOFTIRQ,
    PROCFS_CPU_STEAL,
    PROCFS_CPU_GUEST,      /* inside user as well */
    PROCFS_CPU_GUEST_NICE, /* inside nice as well */
    PROCFS_CPU_MODES,
};

/* Fewest columns of a CPU line any kernel has printed. */
#define PROCFS_CPU_MODES_MIN 4

#define PROCFS_SOFTIRQ_VECTORS 10

struct procfs_stat {
    struct str cpu_lines; /* the cpuN lines, for procfs_stat_next_cpu; borrowed from the text */
    uint64_t interrupts;
    uint64_t context_switches;
    uint64_t boot_time_s;
    uint64_t forks;
    uint64_t processes_running;
    uint64_t processes_blocked;
    bool has_softirqs;
    uint64_t softirqs_total;
    uint64_t softirqs[PROCFS_SOFTIRQ_VECTORS];
};

struct procfs_cpu {
    uint64_t cpu;
    uint64_t ticks[PROCFS_CPU_MODES]; /* in USER_HZ, 100 a second on every supported machine */
};

/* 0, or ERR_CORRUPT when a line is malformed or one of the counters is missing. */
int procfs_stat_parse(struct str text, struct procfs_stat *stat_out);

/* The next CPU of `*cpu_lines`: 1, 0 at the end, ERR_CORRUPT. */
int procfs_stat_next_cpu(struct str *cpu_lines, struct procfs_cpu *cpu_out);

#endif
