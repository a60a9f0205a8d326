/* What a process, and each of its threads, counts, and how groups of them add it up without ever falling: a
 * group gets what its members have used since the pass before. Private to agent/collectors.
 */
#ifndef SONDE_COLLECTORS_PROCESS_COUNTERS_H
#define SONDE_COLLECTORS_PROCESS_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "procfs/process_files.h"
#include "procfs/process_stat.h"

enum process_counter {
    COUNTER_SYSTEM_TICKS,
    COUNTER_USER_TICKS,
    COUNTER_READ_BYTES,
    COUNTER_WRITE_BYTES,
    COUNTER_MAJOR_FAULTS,
    COUNTER_MINOR_FAULTS,
    COUNTER_NONVOLUNTARY,
    COUNTER_VOLUNTARY,
    PROCESS_COUNTERS,
};

/* As they were read last. */
struct process_counters {
    uint64_t values[PROCESS_COUNTERS];
    bool known[PROCESS_COUNTERS]; /* it could be read at least once */
};

/* `all`: the member has come since the pass before, and what it has used is the group's. */
static inline void process_counters_add(
    struct process_counters *c, enum process_counter which, uint64_t value, bool all, double *sums)
{
    if (all && !c->known[which]) {
        sums[which] += (double)value;
    } else if (c->known[which] && value > c->values[which]) {
        sums[which] += (double)(value - c->values[which]);
    }
    c->values[which] = value;
    c->known[which] = true;
}

static inline void process_counters_stat(
    struct process_counters *c, const struct procfs_process_stat *stat, bool all, double *sums)
{
    process_counters_add(c, COUNTER_USER_TICKS, stat->user_ticks, all, sums);
    process_counters_add(c, COUNTER_SYSTEM_TICKS, stat->system_ticks, all, sums);
    process_counters_add(c, COUNTER_MAJOR_FAULTS, stat->major_faults, all, sums);
    process_counters_add(c, COUNTER_MINOR_FAULTS, stat->minor_faults, all, sums);
}

static inline void process_counters_io(
    struct process_counters *c, const struct procfs_process_io *io, bool all, double *sums)
{
    process_counters_add(c, COUNTER_READ_BYTES, io->read_bytes, all, sums);
    process_counters_add(c, COUNTER_WRITE_BYTES, io->write_bytes, all, sums);
}

static inline void process_counters_switches(
    struct process_counters *c, const struct procfs_process_status *s, bool all, double *sums)
{
    process_counters_add(c, COUNTER_VOLUNTARY, s->voluntary_switches, all, sums);
    process_counters_add(c, COUNTER_NONVOLUNTARY, s->involuntary_switches, all, sums);
}

#endif
