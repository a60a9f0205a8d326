/* statfs(2) on side threads, because it can hang for ever: a dead NFS server, a stopped FUSE daemon.
 *
 * Each mount is one request: a self-contained object that the pool and its owner share by reference
 * count, at most once in flight. Requests go through one of two lanes, local and network, each with
 * threads of its own, so that network mounts never wait in front of local ones. Normally a lane has
 * one thread. When a call hangs, the lane gets another thread for the requests behind it (up to
 * STATFS_LANE_THREADS_MAX), the request is *stuck* and is not tried again until its call returns.
 *
 *   submit each request → start → (other work) → wait, a few milliseconds at most → ask each request
 *
 * An answer that comes too late for its pass is given in the next one.
 */
#ifndef SONDE_COLLECTORS_STATFS_POOL_H
#define SONDE_COLLECTORS_STATFS_POOL_H

#include <stdint.h>

#include "base/clock.h"

/* Calls of one lane that may hang before its later mounts count as stuck too. */
#define STATFS_LANE_THREADS_MAX 4
/* A call that took longer is stuck; the same time as node_exporter's. */
#define STATFS_STUCK_MS 5000
/* How long a pass waits for one more answer. Local filesystems answer in microseconds. */
#define STATFS_WAIT_MS 5

enum statfs_lane { STATFS_LOCAL, STATFS_NETWORK, STATFS_LANES };

struct statfs_space {
    uint64_t block_bytes;
    uint64_t blocks;
    uint64_t blocks_free;
    uint64_t blocks_available; /* to users without privilege */
    uint64_t files;
    uint64_t files_free;
};

struct statfs_pool;
struct statfs_request;

struct statfs_pool_options {
    struct clock *clock;
    int64_t wait_ms;
    int64_t stuck_ms;
    /* What the threads call: 0, or an errno value. NULL = statfs(2). Tests hang here. */
    int (*call)(void *context, const char *path, struct statfs_space *space_out);
    void *context;
};

/* 0 or ERR_NOMEM. Threads start with the first request of their lane. */
int statfs_pool_open(const struct statfs_pool_options *options, struct statfs_pool **pool_out);
/* Ends all threads but those that hang; these end, and free what is theirs, when their call returns.
 * Requests must have been freed. Accepts NULL. */
void statfs_pool_close(struct statfs_pool *pool);

/* `path` is copied. 0 or ERR_NOMEM. */
int statfs_request_new(struct statfs_pool *pool, enum statfs_lane lane, const char *path,
    struct statfs_request **request_out);
/* At any time, in flight too. Accepts NULL. */
void statfs_request_free(struct statfs_pool *pool, struct statfs_request *request);

/* Puts the request into its lane; nothing happens while it is in flight. 0, or ERR_LIMIT when no
 * thread could be started. */
int statfs_submit(struct statfs_pool *pool, struct statfs_request *request);
/* Wakes the threads for what was submitted. */
void statfs_start(struct statfs_pool *pool);
/* Until every request submitted since the last wait is answered, or it takes too long. Starts what was
 * not started. */
void statfs_wait(struct statfs_pool *pool);

enum statfs_answer {
    STATFS_NONE,   /* not answered yet, and not stuck either */
    STATFS_SPACE,  /* `space` is the newest answer */
    STATFS_FAILED, /* the call returned `errno_value` */
    STATFS_STUCK,  /* in flight for longer than stuck_ms */
};

struct statfs_result {
    enum statfs_answer answer;
    int errno_value;
    struct statfs_space space;
};

struct statfs_result statfs_request_result(
    struct statfs_pool *pool, const struct statfs_request *request);

#endif
