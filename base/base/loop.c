/* The event loop: libuv with the few things this house needs.
 *
 * libuv owns a handle until its close callback has run, which is after uv_close returned. Handles
 * therefore live in blocks of their own that the close callback frees, and loop_free turns the loop
 * until all of them are gone.
 *
 * Posts from other threads: a list under a lock and one uv_async_t, which merges wake-ups. The loop
 * takes the whole list at once and runs it outside the lock, so a post made by a post waits for the
 * next turn and cannot starve the loop.
 */
#include "base/loop.h"

#include <assert.h>
#include <string.h>
#include <uv.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"

struct post {
    loop_callback callback;
    void *context;
};

struct post_list {
    struct post *items;
    size_t count, cap;
};

struct loop_signal {
    uv_signal_t handle;
    loop_callback callback;
    void *context;
    struct loop_signal *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    struct loop_signal *signals;
    struct lock lock; /* guards `waiting` */
    struct post_list waiting;
    struct post_list running; /* the loop's own: emptied each turn, its memory is used again */
};

struct loop_timer {
    uv_timer_t handle;
    loop_callback callback;
    void *context;
};

struct loop_turn {
    uv_prepare_t handle;
    struct loop_timer *timer; /* only wakes the loop */
    int64_t (*step)(void *context);
    void *context;
};

struct loop_watch {
    uv_poll_t handle;
    int fd;
    void (*callback)(void *context, int fd, unsigned events);
    void *context;
};

static int from_uv(int status)
{
    return status == 0 ? 0 : status == UV_ENOMEM ? ERR_NOMEM : ERR_IO;
}

/* ---- The loop and its posts ---- */

static void run_posts(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    lock_take(&loop->lock);
    struct post_list taken = loop->waiting;
    loop->waiting = loop->running;
    lock_give(&loop->lock);
    for (size_t i = 0; i < taken.count; i++) {
        taken.items[i].callback(taken.items[i].context);
    }
    taken.count = 0;
    loop->running = taken;
}

int loop_new(struct loop **loop_out)
{
    struct loop *loop = mem_calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return ERR_NOMEM;
    }
    int status = from_uv(uv_loop_init(&loop->uv));
    if (status != 0) {
        mem_free(loop);
        return status;
    }
    status = from_uv(uv_async_init(&loop->uv, &loop->wake, run_posts));
    if (status != 0) {
        (void)uv_loop_close(&loop->uv);
        mem_free(loop);
        return status;
    }
    loop->wake.data = loop;
    lock_init(&loop->lock, LOCK_RANK_LEAF);
    *loop_out = loop;
    return 0;
}

static void free_block(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->signals != NULL) {
        struct loop_signal *s = loop->signals;
        loop->signals = s->next;
        uv_close((uv_handle_t *)&s->handle, free_block);
    }
    uv_close((uv_handle_t *)&loop->wake, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    int status = uv_loop_close(&loop->uv);
    assert(status == 0); /* a timer or a watch was left open */
    (void)status;
    lock_release(&loop->lock);
    mem_free(loop->waiting.items);
    mem_free(loop->running.items);
    mem_free(loop);
}

int loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    return 0;
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

int loop_post(struct loop *loop, loop_callback callback, void *context)
{
    lock_take(&loop->lock);
    struct post_list *list = &loop->waiting;
    int status = mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(list->items[0]), LOOP_POSTS_MAX);
    if (status == 0) {
        list->items[list->count++] = (struct post){callback, context};
    }
    lock_give(&loop->lock);
    if (status == 0) {
        (void)uv_async_send(&loop->wake); /* fails only on a handle that is closing */
    }
    return status;
}

/* ---- Timers ---- */

static void timer_fired(uv_timer_t *handle)
{
    struct loop_timer *timer = handle->data;
    timer->callback(timer->context);
}

int loop_timer_new(
    struct loop *loop, loop_callback callback, void *context, struct loop_timer **timer_out)
{
    struct loop_timer *timer = mem_calloc(1, sizeof(*timer));
    if (timer == NULL) {
        return ERR_NOMEM;
    }
    timer->callback = callback;
    timer->context = context;
    (void)uv_timer_init(&loop->uv, &timer->handle); /* always 0 */
    timer->handle.data = timer;
    *timer_out = timer;
    return 0;
}

void loop_timer_start(struct loop_timer *timer, int64_t after_ms, int64_t repeat_ms)
{
    assert(repeat_ms >= 0);
    /* The loop's time is from the beginning of this turn; a long callback would shorten the wait. */
    uv_update_time(timer->handle.loop);
    int status = uv_timer_start(
        &timer->handle, timer_fired, after_ms > 0 ? (uint64_t)after_ms : 0, (uint64_t)repeat_ms);
    assert(status == 0);
    (void)status;
}

void loop_timer_stop(struct loop_timer *timer)
{
    (void)uv_timer_stop(&timer->handle); /* always 0 */
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL) {
        uv_close((uv_handle_t *)&timer->handle, free_block);
    }
}

/* ---- Turns ---- */

static void wake_up(void *context)
{
    (void)context; /* the turn's step comes after all timers */
}

static void turn_ends(uv_prepare_t *handle)
{
    struct loop_turn *turn = handle->data;
    int64_t wait_ms = turn->step(turn->context);
    loop_timer_start(turn->timer, wait_ms > 0 ? wait_ms : 1, 0);
}

int loop_turn_new(
    struct loop *loop, int64_t (*step)(void *context), void *context, struct loop_turn **turn_out)
{
    struct loop_turn *turn = mem_calloc(1, sizeof(*turn));
    if (turn == NULL) {
        return ERR_NOMEM;
    }
    if (loop_timer_new(loop, wake_up, NULL, &turn->timer) != 0) {
        mem_free(turn);
        return ERR_NOMEM;
    }
    turn->step = step;
    turn->context = context;
    (void)uv_prepare_init(&loop->uv, &turn->handle);  /* always 0 */
    (void)uv_prepare_start(&turn->handle, turn_ends); /* 0 with a callback */
    turn->handle.data = turn;
    *turn_out = turn;
    return 0;
}

void loop_turn_free(struct loop_turn *turn)
{
    if (turn != NULL) {
        loop_timer_free(turn->timer);
        uv_close((uv_handle_t *)&turn->handle, free_block);
    }
}

/* ---- Signals ---- */

static void signal_arrived(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    struct loop_signal *s = handle->data;
    s->callback(s->context);
}

int loop_on_signal(struct loop *loop, int signal_number, loop_callback callback, void *context)
{
    struct loop_signal *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->callback = callback;
    s->context = context;
    int status = from_uv(uv_signal_init(&loop->uv, &s->handle));
    if (status != 0) {
        mem_free(s);
        return status;
    }
    s->handle.data = s;
    s->next = loop->signals;
    loop->signals = s;
    return from_uv(uv_signal_start(&s->handle, signal_arrived, signal_number));
}

/* ---- File descriptors ---- */

static void watch_ready(uv_poll_t *handle, int status, int events)
{
    struct loop_watch *watch = handle->data;
    unsigned ready = 0;
    if (status < 0) {
        /* An error shows on the next read or write: let the owner find it there. */
        ready = LOOP_READABLE | LOOP_WRITABLE;
    } else {
        ready |= events & UV_READABLE ? LOOP_READABLE : 0;
        ready |= events & UV_WRITABLE ? LOOP_WRITABLE : 0;
    }
    watch->callback(watch->context, watch->fd, ready);
}

int loop_watch_new(struct loop *loop, int fd,
    void (*callback)(void *context, int fd, unsigned events), void *context,
    struct loop_watch **watch_out)
{
    struct loop_watch *watch = mem_calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return ERR_NOMEM;
    }
    watch->fd = fd;
    watch->callback = callback;
    watch->context = context;
    int status = from_uv(uv_poll_init(&loop->uv, &watch->handle, fd));
    if (status != 0) {
        mem_free(watch);
        return status;
    }
    watch->handle.data = watch;
    *watch_out = watch;
    return 0;
}

int loop_watch_set(struct loop_watch *watch, unsigned events)
{
    int wanted = 0;
    wanted |= events & LOOP_READABLE ? UV_READABLE : 0;
    wanted |= events & LOOP_WRITABLE ? UV_WRITABLE : 0;
    return from_uv(wanted != 0 ? uv_poll_start(&watch->handle, wanted, watch_ready)
                               : uv_poll_stop(&watch->handle));
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch != NULL) {
        uv_close((uv_handle_t *)&watch->handle, free_block);
    }
}
