/* Ranked locks: order is enforced in debug builds, conditions wake and time out. */
#include "support/support.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/lock.h"

static void rising_ranks_are_taken_and_given_in_any_order(void **state)
{
    (void)state;
    struct lock low, middle, high;
    lock_init(&low, LOCK_RANK_COMMIT);
    lock_init(&middle, LOCK_RANK_WAL);
    lock_init(&high, LOCK_RANK_LEAF);
    for (int round = 0; round < 3; round++) {
        lock_take(&low);
        lock_take(&middle);
        lock_take(&high);
        lock_give(&middle);
        lock_give(&low);
        lock_give(&high);
    }
    lock_take(&high);
    lock_give(&high);
    lock_take(&low);
    lock_give(&low);
    lock_release(&low);
    lock_release(&middle);
    lock_release(&high);
}

#ifndef NDEBUG

static void take_inverted(void)
{
    struct lock low, high;
    lock_init(&low, LOCK_RANK_VIEW);
    lock_init(&high, LOCK_RANK_TARGET);
    lock_take(&high);
    lock_take(&low);
}

static void take_same_rank_twice(void)
{
    struct lock a, b;
    lock_init(&a, LOCK_RANK_LEAF);
    lock_init(&b, LOCK_RANK_LEAF);
    lock_take(&a);
    lock_take(&b);
}

static void give_what_is_not_held(void)
{
    struct lock a;
    lock_init(&a, LOCK_RANK_POOL);
    lock_give(&a);
}

/* Runs `mistake` in a child and returns what it wrote to standard error before SIGABRT. */
static void aborts_with(void (*mistake)(void), const char *expected)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        mistake();
        _exit(0);
    }
    close(ends[1]);
    char text[1024];
    size_t size = 0;
    ssize_t got;
    while (size < sizeof(text) - 1 &&
           (got = read(ends[0], text + size, sizeof(text) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    if (strstr(text, expected) == NULL) {
        fail_msg("standard error is \"%s\", expected \"%s\"", text, expected);
    }
}

static void mistakes_stop_a_debug_build(void **state)
{
    (void)state;
    aborts_with(take_inverted, "lock: rank VIEW taken while holding rank TARGET; ranks must rise");
    aborts_with(take_same_rank_twice, "lock: rank LEAF taken while holding rank LEAF");
    aborts_with(give_what_is_not_held, "lock: rank POOL given or waited on by a thread");
}

#endif

static void waiting_times_out_not_before_its_deadline(void **state)
{
    (void)state;
    struct lock lock;
    struct lock_condition condition;
    lock_init(&lock, LOCK_RANK_LEAF);
    lock_condition_init(&condition);
    lock_take(&lock);
    int64_t before_ns = clock_monotonic_ns(clock_real());
    int status;
    do { /* a condition may wake for no reason */
        status = lock_condition_wait_ms(&condition, &lock, 5);
    } while (status == 0);
    assert_int_equal(status, ERR_TIMEOUT);
    assert_true(clock_monotonic_ns(clock_real()) - before_ns >= 5000000);
    assert_int_equal(lock_condition_wait_ms(&condition, &lock, -1), ERR_TIMEOUT);
    lock_give(&lock);
    lock_condition_release(&condition);
    lock_release(&lock);
}

struct ping {
    struct lock lock;
    struct lock_condition changed;
    int turn; /* 0: main's, 1: thread's */
    int rounds;
};

enum { ROUNDS = 1000 };

static void *answer(void *argument)
{
    struct ping *ping = argument;
    lock_take(&ping->lock);
    while (ping->rounds < ROUNDS) {
        while (ping->turn != 1) {
            lock_condition_wait(&ping->changed, &ping->lock);
        }
        ping->rounds++;
        ping->turn = 0;
        lock_condition_signal(&ping->changed);
    }
    lock_give(&ping->lock);
    return NULL;
}

static void two_threads_hand_a_turn_to_and_fro(void **state)
{
    (void)state;
    struct ping ping = {.turn = 0};
    lock_init(&ping.lock, LOCK_RANK_LEAF);
    lock_condition_init(&ping.changed);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer, &ping), 0);
    lock_take(&ping.lock);
    for (int i = 0; i < ROUNDS; i++) {
        ping.turn = 1;
        lock_condition_broadcast(&ping.changed);
        while (ping.turn != 0) {
            (void)lock_condition_wait_ms(&ping.changed, &ping.lock, INT64_MAX);
        }
    }
    lock_give(&ping.lock);
    pthread_join(thread, NULL);
    assert_int_equal(ping.rounds, ROUNDS);
    lock_condition_release(&ping.changed);
    lock_release(&ping.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rising_ranks_are_taken_and_given_in_any_order),
#ifndef NDEBUG
        cmocka_unit_test(mistakes_stop_a_debug_build),
#endif
        cmocka_unit_test(waiting_times_out_not_before_its_deadline),
        cmocka_unit_test(two_threads_hand_a_turn_to_and_fro),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
