/* Threads that help queries: a fixed number for all queries of an engine together.
 *
 * Who has work in pieces offers it; a thread that is idle does one piece, and then looks for the next
 * among all that is offered, in turn. Nobody waits for help: who asks does pieces too, so work gets
 * done when every thread is busy elsewhere, or when there is none. Threads start with the first offer.
 */
#ifndef SONDE_QUERY_ENGINE_CREW_H
#define SONDE_QUERY_ENGINE_CREW_H

#include <pthread.h>
#include <stdbool.h>

#include "base/lock.h"

#define CREW_THREADS_MAX 15

/* Work that is offered. Its memory is the caller's, and stays until crew_withdraw. */
struct crew_task {
    /* Does one piece, in a thread of the crew; false when there is none to be had now. */
    bool (*help)(struct crew_task *task);
    unsigned helpers_max; /* threads of the crew at it at once */
    /* The crew's own. */
    struct crew_task *next, *before;
    bool listed;
    unsigned helpers, offers;
};

struct crew {
    struct lock lock;             /* guards the lists of tasks and what is the crew's own in them */
    struct lock_condition wanted; /* a task was listed, or the crew ends */
    struct lock_condition left;   /* a thread has left a task */
    struct crew_task *first, *last;
    bool ending, started;
    unsigned size;  /* threads it may have */
    unsigned count; /* threads it has */
    pthread_t threads[CREW_THREADS_MAX];
};

/* `size` threads at most; 0 = nobody ever helps. */
void crew_init(struct crew *crew, unsigned size);
/* Nothing may be offered any more. Joins the threads. */
void crew_release(struct crew *crew);
/* There are pieces, or there are again. Harmless when it is offered already. Where no thread can be
 * started nobody helps. */
void crew_offer(struct crew *crew, struct crew_task *task);
/* Nobody begins a piece any more; returns when nobody is at one. Also for what was never offered. */
void crew_withdraw(struct crew *crew, struct crew_task *task);

#endif
