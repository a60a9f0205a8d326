/* Threads of grouped processes, by their names, and what they wait for: what process_exporter gives with
 * -threads. Subgroups of threads live as groups do: their counters never fall, and they stay when their last
 * thread has gone. Private to agent/collectors.
 *
 * Reads four files of each thread: for hosts whose processes are few.
 */
#ifndef SONDE_COLLECTORS_PROCESS_THREADS_H
#define SONDE_COLLECTORS_PROCESS_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/collect.h"

/* Threads of one pass; more are left out. */
#define THREADS_MAX 262144
/* Subgroups by group and name; threads of further ones are counted under an overflow name. */
#define THREAD_GROUPS_MAX 5000
/* Places where threads of a group wait, over all groups; further ones are left out. */
#define THREAD_WAITS_MAX 5000

struct process_threads;

int process_threads_new(struct process_threads **threads_out);
/* Accepts NULL. */
void process_threads_free(struct process_threads *t);
/* A pass over all processes, in order of their numbers, begins. */
void process_threads_begin(struct process_threads *t);
/* The threads of a process of a group, whose name lives as long as `t`. Processes of one thread count only in
 * what is waited for, as in process_exporter. 0 or ERR_NOMEM. */
int process_threads_see(
    struct process_threads *t, struct collect *c, uint64_t pid, const char *group);
/* The families. */
void process_threads_give(struct process_threads *t, struct collect *c, double ticks_per_second);

#endif
