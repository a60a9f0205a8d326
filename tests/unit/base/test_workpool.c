/* The pool: order, bounds, closing, and every allocation failing. */
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/workpool.h"

/* A door that jobs wait behind until the test opens it. */
struct gate {
    struct lock lock;
    struct lock_condition changed;
    bool open;
    unsigned waiting;
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){.open = false};
    lock_init(&gate->lock, LOCK_RANK_LEAF);
    lock_condition_init(&gate->changed);
}

static void gate_release(struct gate *gate)
{
    lock_condition_release(&gate->changed);
    lock_release(&gate->lock);
}

static void pass_gate(void *context)
{
    struct gate *gate = context;
    lock_take(&gate->lock);
    gate->waiting++;
    lock_condition_broadcast(&gate->changed);
    while (!gate->open) {
        lock_condition_wait(&gate->changed, &gate->lock);
    }
    lock_give(&gate->lock);
}

static void gate_await(struct gate *gate, unsigned waiting)
{
    lock_take(&gate->lock);
    while (gate->waiting < waiting) {
        lock_condition_wait(&gate->changed, &gate->lock);
    }
    lock_give(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    lock_take(&gate->lock);
    gate->open = true;
    lock_condition_broadcast(&gate->changed);
    lock_give(&gate->lock);
}

static struct workpool *open_pool(unsigned threads, size_t queue_max)
{
    struct workpool *pool = NULL;
    struct workpool_options options = {.name = "test", .threads = threads, .queue_max = queue_max};
    assert_int_equal(workpool_open(&options, &pool), 0);
    return pool;
}

static void a_full_queue_is_busy_and_counts_running_jobs(void **state)
{
    (void)state;
    static const struct {
        unsigned threads;
        size_t queue_max;
    } table[] = {{1, 0}, {1, 1}, {2, 3}, {4, 0}, {3, 16}};
    for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++) {
        struct gate gate;
        gate_init(&gate);
        struct workpool *pool = open_pool(table[t].threads, table[t].queue_max);
        assert_int_equal(workpool_depth(pool), 0);
        size_t accepted = table[t].threads + table[t].queue_max;
        for (size_t i = 0; i < accepted; i++) {
            assert_int_equal(workpool_submit(pool, pass_gate, &gate), 0);
        }
        assert_int_equal(workpool_submit(pool, pass_gate, &gate), ERR_BUSY);
        gate_await(&gate, table[t].threads);
        assert_int_equal(workpool_submit(pool, pass_gate, &gate), ERR_BUSY);
        assert_int_equal(workpool_depth(pool), accepted);
        gate_open(&gate);
        workpool_close(pool);
        assert_int_equal(gate.waiting, accepted);
        gate_release(&gate);
    }
}

struct record {
    unsigned order[64];
    unsigned count;
};

struct numbered {
    struct record *record;
    unsigned number;
};

static void note_number(void *context)
{
    struct numbered *job = context;
    job->record->order[job->record->count++] = job->number; /* one thread: no race */
}

static void one_thread_runs_in_order_of_submission_and_close_drains(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    struct record record = {.count = 0};
    struct numbered jobs[64];
    struct workpool *pool = open_pool(1, 64);
    assert_int_equal(workpool_submit(pool, pass_gate, &gate), 0);
    for (unsigned i = 0; i < 64; i++) {
        jobs[i] = (struct numbered){&record, i};
        assert_int_equal(workpool_submit(pool, note_number, &jobs[i]), 0);
    }
    gate_open(&gate);
    workpool_close(pool);
    assert_int_equal(record.count, 64);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(record.order[i], i);
    }
    gate_release(&gate);
}

/* Clients take turns, each in its own order; jobs of nobody are a client like others. */
static void clients_take_turns(void **state)
{
    (void)state;
    static const unsigned char clients[] = {1, 1, 1, 1, 2, 0, 2, 3, 0, 65}; /* 65 shares with 1 */
    static const unsigned order[] = {0, 4, 7, 5, 1, 6, 8, 2, 3, 9};
    enum { JOBS = sizeof(clients) };
    struct gate gate;
    gate_init(&gate);
    struct record record = {.count = 0};
    struct numbered jobs[JOBS];
    struct workpool *pool = open_pool(1, 64);
    assert_int_equal(workpool_submit(pool, pass_gate, &gate), 0);
    gate_await(&gate, 1);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct numbered){&record, i};
        int status = clients[i] == 0 ? workpool_submit(pool, note_number, &jobs[i])
                                     : workpool_submit_for(pool, clients[i], note_number, &jobs[i]);
        assert_int_equal(status, 0);
    }
    gate_open(&gate);
    workpool_close(pool);
    assert_int_equal(record.count, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(record.order[i], order[i]);
    }
    gate_release(&gate);
}

/* One client that asks without end leaves half of the places, and a thread, to others. */
static void one_client_leaves_room(void **state)
{
    (void)state;
    enum { THREADS = WORKPOOL_RESERVE_THREADS_MIN, WAITING = 10 };
    struct gate gate, other;
    gate_init(&gate);
    gate_init(&other);
    struct workpool *pool = open_pool(THREADS, WAITING);
    for (unsigned i = 0; i < THREADS + WAITING / 2; i++) {
        assert_int_equal(workpool_submit_for(pool, 7, pass_gate, &gate), 0);
    }
    assert_int_equal(workpool_submit_for(pool, 7, pass_gate, &gate), ERR_BUSY);
    gate_await(&gate, THREADS - 1);
    for (unsigned i = 0; i < WAITING / 2; i++) {
        assert_int_equal(workpool_submit_for(pool, 8, pass_gate, &other), 0);
    }
    gate_await(&other, 1); /* runs, while the first client has all it may */
    assert_int_equal(workpool_submit_for(pool, 9, pass_gate, &other), ERR_BUSY);
    assert_int_equal(workpool_submit(pool, pass_gate, &other), ERR_BUSY);
    lock_take(&gate.lock);
    assert_int_equal(gate.waiting, THREADS - 1);
    lock_give(&gate.lock);
    gate_open(&gate);
    gate_open(&other);
    workpool_close(pool);
    assert_int_equal(gate.waiting, THREADS + WAITING / 2);
    assert_int_equal(other.waiting, WAITING / 2);
    gate_release(&gate);
    gate_release(&other);
}

struct resubmit {
    struct workpool *pool;
    struct gate *gate;
    int status;
};

static void submit_behind_the_gate(void *context)
{
    struct resubmit *job = context;
    pass_gate(job->gate);
    while ((job->status = workpool_submit(job->pool, pass_gate, job->gate)) == 0) {
        /* until the closing thread has set its mark */
    }
}

static void closing_refuses_new_jobs(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    struct resubmit job = {.gate = &gate, .status = 1};
    job.pool = open_pool(1, 1 << 20);
    assert_int_equal(workpool_submit(job.pool, submit_behind_the_gate, &job), 0);
    gate_open(&gate);
    workpool_close(job.pool);
    /* The queue may have filled before the close came. */
    assert_true(job.status == ERR_CLOSED || job.status == ERR_BUSY);
    gate_release(&gate);
}

static void add_one(void *context)
{
    atomic_fetch_add((_Atomic unsigned *)context, 1);
}

enum { SUBMITTERS = 4, JOBS_EACH = 5000 };

struct submitter {
    struct workpool *pool;
    _Atomic unsigned *sum;
};

static void *submit_many(void *argument)
{
    struct submitter *submitter = argument;
    for (int i = 0; i < JOBS_EACH; i++) {
        while (workpool_submit(submitter->pool, add_one, (void *)submitter->sum) == ERR_BUSY) {
            sched_yield();
        }
    }
    return NULL;
}

static void many_threads_submit_and_every_job_runs_once(void **state)
{
    (void)state;
    _Atomic unsigned sum = 0;
    struct submitter submitter = {.pool = open_pool(3, 8), .sum = &sum};
    pthread_t threads[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitter), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    workpool_close(submitter.pool);
    assert_int_equal(atomic_load(&sum), SUBMITTERS * JOBS_EACH);
}

static void note_thread(void *context)
{
    char *name = context;
    assert_int_equal(pthread_getname_np(pthread_self(), name, 16), 0);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    name[16] = (char)(sigismember(&blocked, SIGTERM) && !sigismember(&blocked, SIGSEGV));
}

static void threads_have_the_name_and_leave_signals_to_others(void **state)
{
    (void)state;
    char name[17] = "";
    struct workpool *pool = open_pool(1, 0);
    /* The name is set from the opening thread; a job accepted after open sees it. */
    assert_int_equal(workpool_submit(pool, note_thread, name), 0);
    workpool_close(pool);
    assert_string_equal(name, "test");
    assert_int_equal(name[16], 1);
}

static void opening_unwinds_when_memory_is_short(void **state)
{
    (void)state;
    struct workpool_options options = {.name = "short", .threads = 2, .queue_max = 4};
    for (uint64_t n = 1;; n++) {
        struct workpool *pool = NULL;
        mem_fail_nth(n);
        int status = workpool_open(&options, &pool);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        if (!struck) {
            assert_int_equal(status, 0);
            workpool_close(pool);
            assert_true(n > 1);
            break;
        }
        assert_int_equal(status, ERR_NOMEM);
        assert_null(pool);
    }
    workpool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_is_busy_and_counts_running_jobs),
        cmocka_unit_test(one_thread_runs_in_order_of_submission_and_close_drains),
        cmocka_unit_test(clients_take_turns),
        cmocka_unit_test(one_client_leaves_room),
        cmocka_unit_test(closing_refuses_new_jobs),
        cmocka_unit_test(many_threads_submit_and_every_job_runs_once),
        cmocka_unit_test(threads_have_the_name_and_leave_signals_to_others),
        cmocka_unit_test(opening_unwinds_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
