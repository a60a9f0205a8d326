/* A bounded pool of threads with a bounded queue. Overload is an answer (ERR_BUSY), not a pile. */
#ifndef SONDE_BASE_WORKPOOL_H
#define SONDE_BASE_WORKPOOL_H

#include <stddef.h>
#include <stdint.h>

struct workpool;

struct workpool_options {
    const char *name; /* thread names and metrics; at most 15 bytes; borrowed for the pool's life */
    unsigned threads;
    size_t queue_max; /* waiting jobs beyond the running ones */
};

/* 0, ERR_NOMEM, or ERR_LIMIT when a thread cannot be made. */
int workpool_open(const struct workpool_options *options, struct workpool **pool_out);
/* Runs what was accepted, then joins the threads. Accepts NULL. */
void workpool_close(struct workpool *pool);
/* Runs `work(context)` on a pool thread, in order of submission. ERR_BUSY when the queue is full,
 * ERR_CLOSED while closing. From any thread. */
int workpool_submit(struct workpool *pool, void (*work)(void *context), void *context);
/* Jobs waiting and running now. */
size_t workpool_depth(struct workpool *pool);

#endif
