/* Jobs in queues, a lock, and threads that take from them.
 *
 * Clients are told apart by the place of their hash in a small table: two that share a place share a
 * turn. A thread looks for the next place that has a job and may run one; submit() without a client has
 * a place of its own, without limits.
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
/* Places: the first is nobody's. */
enum { CLIENTS = 64, PLACES = CLIENTS + 1, NONE = UINT32_MAX };

struct job {
    void (*work)(void *context);
    void *context;
    uint32_t next; /* in its place's queue, or among the free */
};

struct place {
    uint32_t first, last; /* NONE when empty */
    size_t queued, running;
};

struct workpool {
    struct lock lock;              /* guards all below but `threads` */
    struct lock_condition waiting; /* a job came, or the pool closes */
    struct job *jobs;
    size_t job_cap;
    uint32_t free; /* first unused job */
    struct place places[PLACES];
    size_t turn; /* the place that was last served */
    size_t queued;
    size_t running;
    bool closing;
    const char *name;
    unsigned threads_wanted; /* constant, while thread_count grows at the start */
    unsigned thread_count;
    pthread_t threads[];
};

/* May this place run one more? While closing all are run, whoever asked. */
static bool may_run(const struct workpool *pool, size_t place)
{
    bool limited = place != 0 && pool->threads_wanted >= WORKPOOL_RESERVE_THREADS_MIN;
    return pool->closing || !limited || pool->places[place].running + 1 < pool->threads_wanted;
}

/* The next place in turn with a job that may run, or PLACES. */
static size_t next_place(const struct workpool *pool)
{
    for (size_t i = 1; pool->queued > 0 && i <= PLACES; i++) {
        size_t place = (pool->turn + i) % PLACES;
        if (pool->places[place].queued > 0 && may_run(pool, place)) {
            return place;
        }
    }
    return PLACES;
}

/* The next job and its place; false when the pool closes and nothing is left. */
static bool take_job(struct workpool *pool, struct job *job_out, size_t *place_out)
{
    size_t at;
    while ((at = next_place(pool)) == PLACES) {
        if (pool->closing) {
            return false;
        }
        lock_condition_wait(&pool->waiting, &pool->lock);
    }
    struct place *place = &pool->places[at];
    uint32_t index = place->first;
    struct job *job = &pool->jobs[index];
    *job_out = *job;
    place->first = job->next;
    place->queued--;
    place->running++;
    job->next = pool->free;
    pool->free = index;
    pool->turn = at;
    pool->queued--;
    pool->running++;
    *place_out = at;
    return true;
}

static void *run_thread(void *argument)
{
    struct workpool *pool = argument;
    struct job job;
    size_t place;
    lock_take(&pool->lock);
    while (take_job(pool, &job, &place)) {
        lock_give(&pool->lock);
        job.work(job.context);
        lock_take(&pool->lock);
        pool->running--;
        pool->places[place].running--;
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
    pool->threads_wanted = options->threads;
    pool->job_cap = options->threads + options->queue_max;
    pool->jobs = mem_calloc(pool->job_cap, sizeof(pool->jobs[0]));
    for (size_t i = 0; pool->jobs != NULL && i < pool->job_cap; i++) {
        pool->jobs[i].next = i + 1 < pool->job_cap ? (uint32_t)i + 1 : NONE;
    }
    for (size_t i = 0; i < PLACES; i++) {
        pool->places[i] = (struct place){.first = NONE, .last = NONE};
    }
    int status = pool->jobs != NULL ? start_threads(pool, options->threads) : ERR_NOMEM;
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
    mem_free(pool->jobs);
    mem_free(pool);
}

/* Appends to a place's queue; there is a free job. */
static void enqueue(struct workpool *pool, size_t at, void (*work)(void *context), void *context)
{
    struct place *place = &pool->places[at];
    uint32_t index = pool->free;
    assert(index != NONE);
    pool->free = pool->jobs[index].next;
    pool->jobs[index] = (struct job){work, context, NONE};
    if (place->queued > 0) {
        pool->jobs[place->last].next = index;
    } else {
        place->first = index;
    }
    place->last = index;
    place->queued++;
    pool->queued++;
    lock_condition_signal(&pool->waiting);
}

static int submit(struct workpool *pool, size_t place, void (*work)(void *context), void *context)
{
    assert(work != NULL);
    int status = 0;
    lock_take(&pool->lock);
    /* Half, and all of a pool that has but one place to wait. */
    bool many = place != 0 && pool->places[place].queued + pool->places[place].running >=
                                  pool->job_cap - (pool->job_cap - pool->threads_wanted) / 2;
    if (pool->closing) {
        status = ERR_CLOSED;
    } else if (many || pool->queued + pool->running == pool->job_cap) {
        status = ERR_BUSY;
    } else {
        enqueue(pool, place, work, context);
    }
    lock_give(&pool->lock);
    return status;
}

int workpool_submit(struct workpool *pool, void (*work)(void *context), void *context)
{
    return submit(pool, 0, work, context);
}

int workpool_submit_for(
    struct workpool *pool, uint64_t client, void (*work)(void *context), void *context)
{
    return submit(pool, 1 + client % CLIENTS, work, context);
}

size_t workpool_depth(struct workpool *pool)
{
    lock_take(&pool->lock);
    size_t depth = pool->queued + pool->running;
    lock_give(&pool->lock);
    return depth;
}
