/* Threads that help queries; see crew.h.
 *
 * Tasks with pieces to be had stand in a list. A thread takes the first that has room for one more,
 * moves it to the end, and does one piece of it: so tasks take turns piece by piece. A task without
 * pieces leaves the list until it is offered again. `help` is called without the lock: offers are
 * counted, so that one that comes meanwhile is not lost.
 */
#include "crew.h"

#include <assert.h>
#include <signal.h>

static void list(struct crew *crew, struct crew_task *task)
{
    task->before = crew->last;
    task->next = NULL;
    *(crew->last != NULL ? &crew->last->next : &crew->first) = task;
    crew->last = task;
    task->listed = true;
}

static void unlist(struct crew *crew, struct crew_task *task)
{
    *(task->before != NULL ? &task->before->next : &crew->first) = task->next;
    *(task->next != NULL ? &task->next->before : &crew->last) = task->before;
    task->listed = false;
}

/* The next task that has room, at the end of the list now; NULL when the crew ends. */
static struct crew_task *next_task(struct crew *crew)
{
    for (;;) {
        struct crew_task *task = crew->first;
        while (task != NULL && task->helpers == task->helpers_max) {
            task = task->next;
        }
        if (crew->ending) {
            return NULL;
        }
        if (task != NULL) {
            unlist(crew, task);
            list(crew, task);
            return task;
        }
        lock_condition_wait(&crew->wanted, &crew->lock);
    }
}

static void *run_helper(void *argument)
{
    struct crew *crew = argument;
    struct crew_task *task;
    lock_take(&crew->lock);
    while ((task = next_task(crew)) != NULL) {
        unsigned offers = task->offers;
        task->helpers++;
        lock_give(&crew->lock);
        bool any = task->help(task);
        lock_take(&crew->lock);
        if (!any && task->listed && task->offers == offers) {
            unlist(crew, task);
        }
        task->helpers--;
        lock_condition_broadcast(&crew->left);
    }
    lock_give(&crew->lock);
    return NULL;
}

/* Blocks everything but what the kernel raises about the thread itself: signals that a process is
 * steered by shall reach who waits for them. */
static void block_signals(sigset_t *before_out)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigdelset(&blocked, own[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, before_out);
}

/* With the lock: once in the life of a crew. */
static void start_threads(struct crew *crew)
{
    sigset_t before;
    block_signals(&before);
    while (crew->count < crew->size &&
           pthread_create(&crew->threads[crew->count], NULL, run_helper, crew) == 0) {
        pthread_setname_np(crew->threads[crew->count++], "query-help");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    crew->started = true;
}

void crew_init(struct crew *crew, unsigned size)
{
    assert(size <= CREW_THREADS_MAX);
    *crew = (struct crew){.size = size};
    lock_init(&crew->lock, LOCK_RANK_POOL);
    lock_condition_init(&crew->wanted);
    lock_condition_init(&crew->left);
}

void crew_release(struct crew *crew)
{
    lock_take(&crew->lock);
    assert(crew->first == NULL);
    crew->ending = true;
    lock_condition_broadcast(&crew->wanted);
    lock_give(&crew->lock);
    for (unsigned i = 0; i < crew->count; i++) {
        pthread_join(crew->threads[i], NULL);
    }
    lock_condition_release(&crew->left);
    lock_condition_release(&crew->wanted);
    lock_release(&crew->lock);
}

void crew_offer(struct crew *crew, struct crew_task *task)
{
    if (crew->size == 0 || task->helpers_max == 0) {
        return;
    }
    lock_take(&crew->lock);
    if (!crew->started) {
        start_threads(crew);
    }
    task->offers++;
    if (!task->listed && crew->count > 0) {
        list(crew, task);
        lock_condition_broadcast(&crew->wanted);
    }
    lock_give(&crew->lock);
}

void crew_withdraw(struct crew *crew, struct crew_task *task)
{
    lock_take(&crew->lock);
    if (task->listed) {
        unlist(crew, task);
    }
    while (task->helpers > 0) {
        lock_condition_wait(&crew->left, &crew->lock);
    }
    lock_give(&crew->lock);
}
