/* Mutexes with ranks. A thread may only take a lock of a higher rank than every lock it holds;
 * debug builds stop on a violation, so a deadlock is found by the first test that walks the path,
 * not by two threads at night. Never call out, do I/O or allocate much under a lock.
 */
#ifndef SONDE_BASE_LOCK_H
#define SONDE_BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>

/* Lowest first = taken first. Each says what it guards. */
enum lock_rank {
    LOCK_RANK_NONE,
    LOCK_RANK_OBJECTIVES,  /* one evaluation, load or answer of objectives at a time (query/slo) */
    LOCK_RANK_JOURNAL,     /* a journal of states, while a commit is synced (query/rules) */
    LOCK_RANK_RULES,       /* the list of rule groups and when they are due (query/rules) */
    LOCK_RANK_MAINTENANCE, /* one seal, merge or delete at a time (tsdb/db) */
    LOCK_RANK_COMMIT,      /* order of WAL and head (tsdb/head) */
    LOCK_RANK_VIEW,        /* the current view: list of parts, tombstones (tsdb/db) */
    LOCK_RANK_SERIES,      /* making a series: limits are asked and counts move as one (tsdb/head) */
    LOCK_RANK_INDEX,       /* dictionaries and postings of targets and shapes (tsdb/index) */
    LOCK_RANK_TARGET,      /* rows of one target, or of one stripe of targets (tsdb/head) */
    LOCK_RANK_WAL,         /* the WAL's queue of frames (tsdb/wal) */
    LOCK_RANK_POOL,        /* a work pool's queue */
    LOCK_RANK_LEAF,        /* anything that takes no other lock */
};

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *l, enum lock_rank rank);
void lock_release(struct lock *l);
void lock_take(struct lock *l);
void lock_give(struct lock *l);

/* Condition variable on a ranked lock, with a monotonic deadline. */
struct lock_condition {
    pthread_cond_t condition;
};

void lock_condition_init(struct lock_condition *c);
void lock_condition_release(struct lock_condition *c);
void lock_condition_wait(struct lock_condition *c, struct lock *l);
/* 0, or ERR_TIMEOUT after `timeout_ms`. */
int lock_condition_wait_ms(struct lock_condition *c, struct lock *l, int64_t timeout_ms);
void lock_condition_signal(struct lock_condition *c);
void lock_condition_broadcast(struct lock_condition *c);

#endif
