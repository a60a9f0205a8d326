/* A bounded pool of threads with a bounded queue. Overload is an answer (ERR_BUSY), not a pile.
 *
 * Jobs may be submitted for a client. Clients take turns, so that whoever asks much waits behind itself;
 * one client has at most half of the waiting places, and in a pool of WORKPOOL_RESERVE_THREADS_MIN or
 * more threads never all of them.
 */
#ifndef SONDE_BASE_WORKPOOL_H
#define SONDE_BASE_WORKPOOL_H

#include <stddef.h>
#include <stdint.h>

struct workpool;

/* From so many threads on, one is kept from any single client. */
#define WORKPOOL_RESERVE_THREADS_MIN 4

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
/* The same for a client, by a hash of its name: jobs of one client in order of submission, clients in
 * turn. ERR_BUSY also when this client has too many waiting. */
int workpool_submit_for(
    struct workpool *pool, uint64_t client, void (*work)(void *context), void *context);
/* Jobs waiting and running now. */
size_t workpool_depth(struct workpool *pool);

#endif
