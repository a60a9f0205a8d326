/* A ring of jobs, a lock, and threads that take from it.
 *
 * Accepted and unfinished jobs are at most threads + queue_max: whether a thread has woken up yet
 * makes no difference to what is accepted. Pool threads block the signals that a process is steered
 * by, so that these reach the thread that waits for them.
 */
#include "base/workpool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"

/* Far above what a machine has use for; a larger number is a mistake in a configuration table. */
enum { THREADS_MAX = 1024, QUEUE_MAX = 1 << 20 };

struct job {
    void (*work)(void *context);
    void *context;
};

struct workpool {
    struct lock lock;              /* guards all below but `threads` */
    struct lock_condition waiting; /* a job came, or the pool closes */
    struct job *ring;
    size_t ring_cap;
    size_t first;
    size_t queued;
    size_t running;
    bool closing;
    const char *name;
    unsigned thread_count;
    pthread_t threads[];
};

/* The next job in order of submission; false when the pool closes and nothing is left. */
static bool take_job(struct workpool *pool, struct job *job_out)
{
    while (pool->queued == 0 && !pool->closing) {
        lock_condition_wait(&pool->waiting, &pool->lock);
    }
    if (pool->queued == 0) {
        return false;
    }
    *job_out = pool->ring[pool->first];
    pool->first = (pool->first + 1) % pool->ring_cap;
    pool->queued--;
    pool->running++;
    return true;
}

static void *run_thread(void *argument)
{
    struct workpool *pool = argument;
    struct job job;
    lock_take(&pool->lock);
    while (take_job(pool, &job)) {
        lock_give(&pool->lock);
        job.work(job.context);
        lock_take(&pool->lock);
        pool->running--;
    }
    lock_give(&pool->lock);
    return NULL;
}

/* Blocks everything but what the kernel raises about the thread itself. */
static void block_signals(sigset_t *before_out)
{
    sigset_t blocked;
    sigfillset(&blocked);
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigdelset(&blocked, own[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, before_out);
}

static int start_threads(struct workpool *pool, unsigned count)
{
    sigset_t before;
    block_signals(&before);
    int status = 0;
    for (unsigned i = 0; i < count && status == 0; i++) {
        if (pthread_create(&pool->threads[i], NULL, run_thread, pool) != 0) {
            status = ERR_LIMIT;
            break;
        }
        pthread_setname_np(pool->threads[i], pool->name); /* for people; nothing depends on it */
        pool->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int workpool_open(const struct workpool_options *options, struct workpool **pool_out)
{
    assert(options->threads > 0 && options->threads <= THREADS_MAX);
    assert(options->queue_max <= QUEUE_MAX);
    assert(options->name != NULL);
    struct workpool *pool =
        mem_calloc(1, sizeof(*pool) + options->threads * sizeof(pool->threads[0]));
    if (pool == NULL) {
        return ERR_NOMEM;
    }
    lock_init(&pool->lock, LOCK_RANK_POOL);
    lock_condition_init(&pool->waiting);
    pool->name = options->name;
    pool->ring_cap = options->threads + options->queue_max;
    pool->ring = mem_calloc(pool->ring_cap, sizeof(pool->ring[0]));
    int status = pool->ring != NULL ? start_threads(pool, options->threads) : ERR_NOMEM;
    if (status != 0) {
        workpool_close(pool);
        return status;
    }
    *pool_out = pool;
    return 0;
}

void workpool_close(struct workpool *pool)
{
    if (pool == NULL) {
        return;
    }
    lock_take(&pool->lock);
    pool->closing = true;
    lock_condition_broadcast(&pool->waiting);
    lock_give(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        assert(!pthread_equal(pool->threads[i], pthread_self()));
        pthread_join(pool->threads[i], NULL);
    }
    assert(pool->queued == 0 && pool->running == 0);
    lock_condition_release(&pool->waiting);
    lock_release(&pool->lock);
    mem_free(pool->ring);
    mem_free(pool);
}

int workpool_submit(struct workpool *pool, void (*work)(void *context), void *context)
{
    assert(work != NULL);
    int status = 0;
    lock_take(&pool->lock);
    if (pool->closing) {
        status = ERR_CLOSED;
    } else if (pool->queued + pool->running == pool->ring_cap) {
        status = ERR_BUSY;
    } else {
        size_t last = (pool->first + pool->queued) % pool->ring_cap;
        pool->ring[last] = (struct job){work, context};
        pool->queued++;
        lock_condition_signal(&pool->waiting);
    }
    lock_give(&pool->lock);
    return status;
}

size_t workpool_depth(struct workpool *pool)
{
    lock_take(&pool->lock);
    size_t depth = pool->queued + pool->running;
    lock_give(&pool->lock);
    return depth;
}
