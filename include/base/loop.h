/* The event loop: timers, signals, file descriptors, and a door for other threads. The wrapper of
 * libuv; the one file that includes it is base/base/loop.c.
 *
 * One thread runs a loop and owns all that hangs on it; every function but loop_post is for that
 * thread alone. Logic that is worth testing is kept out of here: it is written as state machines
 * that take the time as an argument, and the loop only calls them.
 */
#ifndef SONDE_BASE_LOOP_H
#define SONDE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_turn;
struct loop_watch;

typedef void (*loop_callback)(void *context);

int loop_new(struct loop **loop_out);
/* Everything that hangs on it must be gone; closes what is left of posts. Accepts NULL. */
void loop_free(struct loop *loop);
/* Until loop_stop. Returns 0. */
int loop_run(struct loop *loop);
/* From the loop's thread or a signal callback. */
void loop_stop(struct loop *loop);

/* Runs `callback(context)` on the loop's thread soon. From any thread. ERR_LIMIT when
 * LOOP_POSTS_MAX are waiting, ERR_NOMEM. */
#define LOOP_POSTS_MAX 65536
int loop_post(struct loop *loop, loop_callback callback, void *context);

/* Fires after `after_ms`, then each `repeat_ms` (0 = once). Stays allocated until freed. One that is started again for
 * 0 ms by its own callback fires at once, before anything else has its turn; for LOOP_TURN_MS it does not. */
#define LOOP_TURN_MS 1
int loop_timer_new(
    struct loop *loop, loop_callback callback, void *context, struct loop_timer **timer_out);
void loop_timer_start(struct loop_timer *timer, int64_t after_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls `step` in each turn, after all that happened in it and before the loop waits again: it does what
 * is due and returns in how many milliseconds the loop is to turn again at the latest (at least 1).
 * Whatever else wakes the loop so costs no wake-up of its own to look at what follows from it. */
int loop_turn_new(
    struct loop *loop, int64_t (*step)(void *context), void *context, struct loop_turn **turn_out);
void loop_turn_free(struct loop_turn *turn);

/* Calls back on the loop when the signal arrives. For the loop's life. */
int loop_on_signal(struct loop *loop, int signal_number, loop_callback callback, void *context);

/* Watches a file descriptor it does not own. */
enum loop_events { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
int loop_watch_new(struct loop *loop, int fd,
    void (*callback)(void *context, int fd, unsigned events), void *context,
    struct loop_watch **watch_out);
int loop_watch_set(struct loop_watch *watch, unsigned events);
void loop_watch_free(struct loop_watch *watch);

#endif
