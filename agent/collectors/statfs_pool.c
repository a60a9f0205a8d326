/* Lanes, threads and requests of statfs.
 *
 * One lock guards everything but a request's path, which never changes; threads hold it only around
 * the call. The pool counts its owner and its threads, a request its owner and its flight, and
 * whoever drops the last count frees. So a thread that hangs past the end of the pool still has all
 * that it touches when it comes back.
 */
#include "collectors/statfs_pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"

/* The threads call little; sanitizers need more than the system's minimum. */
#define THREAD_STACK_BYTES ((size_t)256 << 10)

struct statfs_request {
    char *path;
    enum statfs_lane lane;
    unsigned references;
    bool in_flight;
    uint64_t wave; /* of the last submit */
    int64_t submitted_ns;
    struct statfs_result result; /* of the last call that returned */
    struct statfs_request *next; /* in the lane's queue */
};

struct lane {
    struct statfs_request *first;
    struct statfs_request *last;
    struct lock_condition work; /* the queue is no longer empty, or the pool closes */
    unsigned threads;
    unsigned idle;    /* waiting for work */
    unsigned calling; /* inside the call */
};

struct statfs_pool {
    struct statfs_pool_options options;
    struct lock lock;               /* guards all below */
    struct lock_condition answered; /* no request of the wave is in flight, or a thread ended */
    struct lane lanes[STATFS_LANES];
    unsigned references; /* owner and threads */
    uint64_t wave;       /* counts waits */
    unsigned waiting;    /* requests of this wave in flight */
    bool closing;
};

/* What a thread is started with. */
struct thread_start {
    struct statfs_pool *pool;
    enum statfs_lane lane;
};

static int system_statfs(void *context, const char *path, struct statfs_space *space_out)
{
    (void)context;
    struct statfs answer;
    int result;
    do {
        result = statfs(path, &answer);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        return errno;
    }
    *space_out = (struct statfs_space){
        .block_bytes = (uint64_t)answer.f_bsize,
        .blocks = answer.f_blocks,
        .blocks_free = answer.f_bfree,
        .blocks_available = answer.f_bavail,
        .files = answer.f_files,
        .files_free = answer.f_ffree,
    };
    return 0;
}

int statfs_pool_open(const struct statfs_pool_options *options, struct statfs_pool **pool_out)
{
    struct statfs_pool *pool = mem_calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return ERR_NOMEM;
    }
    pool->options = *options;
    if (pool->options.call == NULL) {
        pool->options.call = system_statfs;
    }
    pool->references = 1;
    lock_init(&pool->lock, LOCK_RANK_POOL);
    for (int i = 0; i < STATFS_LANES; i++) {
        lock_condition_init(&pool->lanes[i].work);
    }
    lock_condition_init(&pool->answered);
    *pool_out = pool;
    return 0;
}

static void drop_request(struct statfs_request *request)
{
    assert(request->references > 0);
    if (--request->references == 0) {
        mem_free(request->path);
        mem_free(request);
    }
}

/* Gives the lock, and frees the pool with the last reference. */
static void drop_pool_and_give(struct statfs_pool *pool)
{
    assert(pool->references > 0);
    bool last = --pool->references == 0;
    lock_give(&pool->lock);
    if (last) {
        for (int i = 0; i < STATFS_LANES; i++) {
            lock_condition_release(&pool->lanes[i].work);
        }
        lock_condition_release(&pool->answered);
        lock_release(&pool->lock);
        mem_free(pool);
    }
}

static struct statfs_request *take_first(struct lane *lane)
{
    struct statfs_request *request = lane->first;
    if (request != NULL) {
        lane->first = request->next;
        lane->last = lane->first != NULL ? lane->last : NULL;
        request->next = NULL;
    }
    return request;
}

static void land(struct statfs_pool *pool, struct statfs_request *request)
{
    request->in_flight = false;
    if (request->wave == pool->wave) {
        assert(pool->waiting > 0);
        pool->waiting--;
        if (pool->waiting == 0) {
            lock_condition_broadcast(&pool->answered);
        }
    }
    drop_request(request);
}

static void answer(struct statfs_pool *pool, struct lane *lane, struct statfs_request *request)
{
    struct statfs_result result = {.answer = STATFS_SPACE};
    lane->calling++;
    lock_give(&pool->lock);
    result.errno_value = pool->options.call(pool->options.context, request->path, &result.space);
    result.answer = result.errno_value == 0 ? STATFS_SPACE : STATFS_FAILED;
    lock_take(&pool->lock);
    lane->calling--;
    request->result = result;
    land(pool, request);
}

/* Works until the pool closes, or until there is nothing to do and another thread idles already. */
static void *serve_lane(void *context)
{
    struct thread_start start = *(struct thread_start *)context;
    struct statfs_pool *pool = start.pool;
    struct lane *lane = &pool->lanes[start.lane];
    mem_free(context);
    lock_take(&pool->lock);
    while (!pool->closing) {
        struct statfs_request *request = take_first(lane);
        if (request != NULL) {
            answer(pool, lane, request);
        } else if (lane->idle > 0) {
            break;
        } else {
            lane->idle++;
            lock_condition_wait(&lane->work, &pool->lock);
            lane->idle--;
        }
    }
    lane->threads--;
    lock_condition_broadcast(&pool->answered);
    drop_pool_and_give(pool);
    return NULL;
}

/* Signals belong to the loop's thread, so all are blocked while the thread is made. */
static int create_detached(struct thread_start *start)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        return ERR_NOMEM;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, &attributes, serve_lane, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return result == 0 ? 0 : ERR_LIMIT;
}

/* With the lock held. */
static int start_thread(struct statfs_pool *pool, enum statfs_lane lane)
{
    struct thread_start *start = mem_alloc(sizeof(*start));
    if (start == NULL) {
        return ERR_NOMEM;
    }
    *start = (struct thread_start){pool, lane};
    pool->references++;
    pool->lanes[lane].threads++;
    int status = create_detached(start);
    if (status != 0) {
        pool->references--;
        pool->lanes[lane].threads--;
        mem_free(start);
    }
    return status;
}

void statfs_pool_close(struct statfs_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    lock_take(&pool->lock);
    pool->closing = true;
    for (int i = 0; i < STATFS_LANES; i++) {
        struct statfs_request *request;
        while ((request = take_first(&pool->lanes[i])) != NULL) {
            land(pool, request);
        }
    }
    for (int i = 0; i < STATFS_LANES; i++) {
        lock_condition_broadcast(&pool->lanes[i].work);
        while (pool->lanes[i].threads > pool->lanes[i].calling) {
            lock_condition_wait(&pool->answered, &pool->lock);
        }
    }
    drop_pool_and_give(pool);
}

int statfs_request_new(struct statfs_pool *pool, enum statfs_lane lane, const char *path,
    struct statfs_request **request_out)
{
    (void)pool;
    struct statfs_request *request = mem_calloc(1, sizeof(*request));
    char *copy = mem_strdup(path);
    if (request == NULL || copy == NULL) {
        mem_free(request);
        mem_free(copy);
        return ERR_NOMEM;
    }
    request->path = copy;
    request->lane = lane;
    request->references = 1;
    *request_out = request;
    return 0;
}

void statfs_request_free(struct statfs_pool *pool, struct statfs_request *request)
{
    if (request != NULL) {
        lock_take(&pool->lock);
        drop_request(request);
        lock_give(&pool->lock);
    }
}

int statfs_submit(struct statfs_pool *pool, struct statfs_request *request)
{
    int status = 0;
    lock_take(&pool->lock);
    struct lane *lane = &pool->lanes[request->lane];
    if (!request->in_flight) {
        status = lane->threads == 0 ? start_thread(pool, request->lane) : 0;
        if (status == 0) {
            request->in_flight = true;
            request->references++;
            request->wave = pool->wave;
            request->submitted_ns = clock_monotonic_ns(pool->options.clock);
            pool->waiting++;
            if (lane->last != NULL) {
                lane->last->next = request;
            } else {
                lane->first = request;
            }
            lane->last = request;
        }
    }
    lock_give(&pool->lock);
    return status;
}

/* A lane whose threads all hang gets one more for the requests that queue behind. True when a thread
 * was started. */
static bool relieve_lanes(struct statfs_pool *pool)
{
    bool started = false;
    for (int i = 0; i < STATFS_LANES; i++) {
        struct lane *lane = &pool->lanes[i];
        if (lane->first != NULL && lane->calling == lane->threads &&
            lane->threads < STATFS_LANE_THREADS_MAX) {
            started = start_thread(pool, (enum statfs_lane)i) == 0 || started;
        }
    }
    return started;
}

/* With the lock held. */
static void wake_lanes(struct statfs_pool *pool)
{
    // Threads that hang since an earlier pass may be all a lane has.
    (void)relieve_lanes(pool);
    for (int i = 0; i < STATFS_LANES; i++) {
        if (pool->lanes[i].first != NULL) {
            lock_condition_signal(&pool->lanes[i].work);
        }
    }
}

void statfs_start(struct statfs_pool *pool)
{
    lock_take(&pool->lock);
    wake_lanes(pool);
    lock_give(&pool->lock);
}

void statfs_wait(struct statfs_pool *pool)
{
    lock_take(&pool->lock);
    wake_lanes(pool);
    bool patient = true;
    while (pool->waiting > 0 && patient) {
        unsigned before = pool->waiting;
        int status = lock_condition_wait_ms(&pool->answered, &pool->lock, pool->options.wait_ms);
        if (status == ERR_TIMEOUT && pool->waiting == before) {
            patient = relieve_lanes(pool);
        }
    }
    pool->wave++;
    pool->waiting = 0;
    lock_give(&pool->lock);
}

struct statfs_result statfs_request_result(
    struct statfs_pool *pool, const struct statfs_request *request)
{
    lock_take(&pool->lock);
    struct statfs_result result = request->result;
    if (request->in_flight && clock_monotonic_ns(pool->options.clock) - request->submitted_ns >=
                                  pool->options.stuck_ms * 1000000) {
        result = (struct statfs_result){.answer = STATFS_STUCK};
    }
    lock_give(&pool->lock);
    return result;
}
