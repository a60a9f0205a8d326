/* Ranked mutexes.
 *
 * Debug builds keep, per thread, the locks it holds in the order it took them. Ranks must rise, so
 * the newest is the highest and one comparison decides. A violation prints one line that names both
 * ranks and aborts: it is always our own mistake, and it shows on the first walk of the path, not
 * only when two threads meet.
 */
#include "base/lock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

/* A pthread call on a live, well-made object fails only by our own mistake. */
static void must(int result)
{
    assert(result == 0);
    (void)result;
}

#ifndef NDEBUG

/* As many as there are ranks: with rising ranks a thread cannot hold more. */
enum { HELD_MAX = LOCK_RANK_LEAF };

static _Thread_local struct {
    const struct lock *lock[HELD_MAX];
    unsigned count;
} held;

static const char *rank_name(enum lock_rank rank)
{
    static const char *const names[] = {"NONE", "OBJECTIVES", "JOURNAL", "RULES", "MAINTENANCE",
        "COMMIT", "VIEW", "SERIES", "INDEX", "TARGET", "WAL", "POOL", "LEAF"};
    static_assert(sizeof(names) / sizeof(names[0]) == LOCK_RANK_LEAF + 1, "a name for each rank");
    return names[rank];
}

static void held_push(const struct lock *l)
{
    if (held.count > 0 && held.lock[held.count - 1]->rank >= l->rank) {
        fprintf(stderr, "lock: rank %s taken while holding rank %s; ranks must rise\n",
            rank_name(l->rank), rank_name(held.lock[held.count - 1]->rank));
        abort();
    }
    assert(held.count < HELD_MAX);
    held.lock[held.count++] = l;
}

/* Locks may be given back in any order. */
static unsigned held_index(const struct lock *l)
{
    for (unsigned i = held.count; i > 0; i--) {
        if (held.lock[i - 1] == l) {
            return i - 1;
        }
    }
    fprintf(stderr, "lock: rank %s given or waited on by a thread that does not hold it\n",
        rank_name(l->rank));
    abort();
}

static void held_pop(const struct lock *l)
{
    for (unsigned i = held_index(l); i + 1 < held.count; i++) {
        held.lock[i] = held.lock[i + 1];
    }
    held.count--;
}

static void held_check(const struct lock *l)
{
    (void)held_index(l);
}

#else

static void held_push(const struct lock *l)
{
    (void)l;
}

static void held_pop(const struct lock *l)
{
    (void)l;
}

static void held_check(const struct lock *l)
{
    (void)l;
}

#endif

void lock_init(struct lock *l, enum lock_rank rank)
{
    assert(rank > LOCK_RANK_NONE && rank <= LOCK_RANK_LEAF);
    must(pthread_mutex_init(&l->mutex, NULL));
    l->rank = rank;
}

void lock_release(struct lock *l)
{
    must(pthread_mutex_destroy(&l->mutex));
}

void lock_take(struct lock *l)
{
    held_push(l); /* before it can block, so that the mistake is told instead of hanging */
    must(pthread_mutex_lock(&l->mutex));
}

void lock_give(struct lock *l)
{
    held_pop(l);
    must(pthread_mutex_unlock(&l->mutex));
}

void lock_condition_init(struct lock_condition *c)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->condition, &attributes));
    must(pthread_condattr_destroy(&attributes));
}

void lock_condition_release(struct lock_condition *c)
{
    must(pthread_cond_destroy(&c->condition));
}

void lock_condition_wait(struct lock_condition *c, struct lock *l)
{
    held_check(l);
    must(pthread_cond_wait(&c->condition, &l->mutex));
}

int lock_condition_wait_ms(struct lock_condition *c, struct lock *l, int64_t timeout_ms)
{
    held_check(l);
    int64_t now_ns = clock_monotonic_ns(clock_real());
    int64_t deadline_ns;
    if (timeout_ms < 0) {
        timeout_ms = 0;
    }
    if (__builtin_mul_overflow(timeout_ms, (int64_t)1000000, &deadline_ns) ||
        __builtin_add_overflow(deadline_ns, now_ns, &deadline_ns)) {
        deadline_ns = INT64_MAX;
    }
    struct timespec deadline = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    int result = pthread_cond_timedwait(&c->condition, &l->mutex, &deadline);
    assert(result == 0 || result == ETIMEDOUT);
    return result == ETIMEDOUT ? ERR_TIMEOUT : 0;
}

void lock_condition_signal(struct lock_condition *c)
{
    must(pthread_cond_signal(&c->condition));
}

void lock_condition_broadcast(struct lock_condition *c)
{
    must(pthread_cond_broadcast(&c->condition));
}
