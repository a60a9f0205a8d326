/* Housekeeping.
 *
 * The thread runs at nice 10, not in the idle class: it takes the store's locks for moments, and a
 * thread that may be kept from the CPU for ever while it holds one would stop those who answer.
 */
#include "server/maintenance.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum {
    PERIOD_MS = 1000,
    NICE = 10,
    /* Failures in a row that are logged, then one in so many. */ LOGGED_FAILURES = 3,
    LOGGED_EACH = 60
};

struct maintenance {
    struct tsdb *db;
    struct span_store *spans;
    struct memory_guard *guard; /* may be NULL */
    pthread_t thread;
    struct lock lock; /* guards stopping */
    struct lock_condition changed;
    bool stopping;
};

static struct metric failures = {.name = "sonde_maintenance_failures_total",
    .help = "Steps of housekeeping that failed; they are tried again.",
    .kind = METRIC_COUNTER};

static bool is_stopping(struct maintenance *m)
{
    lock_take(&m->lock);
    bool stopping = m->stopping;
    lock_give(&m->lock);
    return stopping;
}

static int run_span_steps(struct maintenance *m, struct err *e)
{
    int more = 1;
    span_store_set_disk_level(m->spans, tsdb_disk_level(m->db));
    while (more == 1 && !is_stopping(m)) {
        more = span_store_maintain(m->spans, e);
    }
    return more < 0 ? more : 0;
}

static int run_sample_steps(struct maintenance *m, struct err *e)
{
    bool more = true;
    if (m->guard != NULL && memory_guard_wants_relief(m->guard)) {
        int status = tsdb_relieve(m->db, e);
        if (status != 0) {
            return status;
        }
    }
    while (more && !is_stopping(m)) {
        more = false;
        int status = tsdb_maintain(m->db, &more, e);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Until there is nothing more to do, or something fails: one store's failure is not the other's. */
static int run_steps(struct maintenance *m, struct err *e)
{
    struct err of_spans = ERR_INIT;
    int status = run_sample_steps(m, e);
    int span_status = run_span_steps(m, &of_spans);
    if (status == 0 && span_status != 0) {
        *e = of_spans;
    }
    return status != 0 ? status : span_status;
}

static void *run(void *context)
{
    struct maintenance *m = context;
    unsigned failed = 0;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); /* only a courtesy */
    while (!is_stopping(m)) {
        struct err e = ERR_INIT;
        if (run_steps(m, &e) == 0) {
            failed = 0;
        } else {
            metric_add(&failures, 1);
            if (failed < LOGGED_FAILURES || failed % LOGGED_EACH == 0) {
                LOG_ERROR("maintenance: step failed", LOG_S("error", e.message));
            }
            failed++;
        }
        lock_take(&m->lock);
        if (!m->stopping) {
            (void)lock_condition_wait_ms(&m->changed, &m->lock, PERIOD_MS);
        }
        lock_give(&m->lock);
    }
    return NULL;
}

/* Signals are for the thread that waits for them. */
static int start_thread(struct maintenance *m)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&m->thread, NULL, run, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error != 0 ? ERR_LIMIT : 0;
}

static void release(struct maintenance *m)
{
    lock_condition_release(&m->changed);
    lock_release(&m->lock);
    mem_free(m);
}

int maintenance_start(struct tsdb *db, struct span_store *spans, struct memory_guard *guard,
    struct maintenance **maintenance_out)
{
    struct maintenance *m = mem_calloc(1, sizeof(*m));
    if (m == NULL) {
        return ERR_NOMEM;
    }
    m->db = db;
    m->spans = spans;
    m->guard = guard;
    lock_init(&m->lock, LOCK_RANK_LEAF);
    lock_condition_init(&m->changed);
    (void)metrics_register(&failures); /* a full registry shows less and breaks nothing */
    int status = start_thread(m);
    if (status != 0) {
        release(m);
        return status;
    }
    *maintenance_out = m;
    return 0;
}

void maintenance_stop(struct maintenance *m)
{
    if (m == NULL) {
        return;
    }
    lock_take(&m->lock);
    m->stopping = true;
    lock_condition_broadcast(&m->changed);
    lock_give(&m->lock);
    (void)pthread_join(m->thread, NULL);
    release(m);
}
