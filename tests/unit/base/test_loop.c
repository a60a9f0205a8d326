/* The loop: posts from threads, timers, signals, watched descriptors, and freeing from callbacks. */
#include "support/support.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"

struct scene {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_watch *watch;
    size_t count;
    size_t stop_at;
};

static void scene_open(struct scene *s, size_t stop_at)
{
    *s = (struct scene){.stop_at = stop_at};
    assert_int_equal(loop_new(&s->loop), 0);
}

static void count_up(void *context)
{
    struct scene *s = context;
    if (++s->count == s->stop_at) {
        loop_stop(s->loop);
    }
}

static void *post_many(void *context)
{
    struct scene *s = context;
    for (size_t i = 0; i < 1000; i++) {
        if (loop_post(s->loop, count_up, s) != 0) {
            abort();
        }
    }
    return NULL;
}

static void test_posts_from_threads(void **state)
{
    struct scene s;
    scene_open(&s, 4000);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &s), 0);
    }
    assert_int_equal(loop_run(s.loop), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(s.count, 4000);
    loop_free(s.loop);
}

static void post_again(void *context)
{
    struct scene *s = context;
    if (++s->count == s->stop_at) {
        loop_stop(s->loop);
    } else {
        assert_int_equal(loop_post(s->loop, post_again, s), 0);
    }
}

/* A post made by a post waits for the next turn and arrives. */
static void test_post_from_post(void **state)
{
    struct scene s;
    scene_open(&s, 50);
    assert_int_equal(loop_post(s.loop, post_again, &s), 0);
    loop_run(s.loop);
    assert_int_equal(s.count, 50);
    loop_free(s.loop);
}

static void test_post_limit(void **state)
{
    struct scene s;
    scene_open(&s, SIZE_MAX);
    for (size_t i = 0; i < LOOP_POSTS_MAX; i++) {
        assert_int_equal(loop_post(s.loop, count_up, &s), 0);
    }
    assert_int_equal(loop_post(s.loop, count_up, &s), ERR_LIMIT);
    loop_free(s.loop); /* what is left is dropped */
    assert_int_equal(s.count, 0);
}

static void test_timers(void **state)
{
    struct scene s;
    scene_open(&s, 3);
    assert_int_equal(loop_timer_new(s.loop, count_up, &s, &s.timer), 0);
    loop_timer_start(s.timer, 1, 1);
    loop_run(s.loop);
    assert_int_equal(s.count, 3);
    loop_timer_stop(s.timer);
    struct scene once = {.loop = s.loop, .stop_at = 1};
    assert_int_equal(loop_timer_new(s.loop, count_up, &once, &once.timer), 0);
    loop_timer_start(once.timer, -5, 0);
    loop_run(s.loop);
    assert_int_equal(once.count, 1);
    assert_int_equal(s.count, 3);
    loop_timer_free(s.timer);
    loop_timer_free(once.timer);
    loop_timer_free(NULL);
    loop_free(s.loop);
}

static void free_own_timer(void *context)
{
    struct scene *s = context;
    loop_timer_free(s->timer);
    loop_stop(s->loop);
}

static void test_timer_frees_itself(void **state)
{
    struct scene s;
    scene_open(&s, 0);
    assert_int_equal(loop_timer_new(s.loop, free_own_timer, &s, &s.timer), 0);
    loop_timer_start(s.timer, 0, 1);
    loop_run(s.loop);
    loop_free(s.loop);
}

struct turns {
    struct loop *loop;
    size_t posts, steps, seen_at_step; /* posts that the last step saw */
    int64_t wait_ms;
};

static void note_post(void *context)
{
    ((struct turns *)context)->posts++;
}

static int64_t step_and_post(void *context)
{
    struct turns *t = context;
    t->seen_at_step = t->posts;
    if (++t->steps == 4) {
        loop_stop(t->loop);
    } else if (t->steps > 1) {
        assert_int_equal(loop_post(t->loop, note_post, t), 0);
    }
    return t->wait_ms;
}

/* The step comes by itself when its wait is over, and sees at once what else the loop woke up for. */
static void test_turns(void **state)
{
    static const int64_t waits_ms[] = {-1, 0, 1, 3600000};
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        struct turns t = {.wait_ms = waits_ms[i]};
        struct loop_turn *turn;
        assert_int_equal(loop_new(&t.loop), 0);
        assert_int_equal(loop_turn_new(t.loop, step_and_post, &t, &turn), 0);
        if (waits_ms[i] > 1) { /* nobody waits an hour: posts wake it up */
            assert_int_equal(loop_post(t.loop, note_post, &t), 0);
        }
        loop_run(t.loop);
        print_message(
            "wait %lld ms: %zu steps, %zu posts\n", (long long)waits_ms[i], t.steps, t.posts);
        assert_int_equal(t.steps, 4);
        assert_int_equal(t.seen_at_step, waits_ms[i] > 1 ? 3 : 2);
        loop_turn_free(turn);
        loop_turn_free(NULL);
        loop_free(t.loop);
    }
}

static void raise_signal(void *context)
{
    (void)context;
    raise(SIGUSR1);
}

static void test_signal(void **state)
{
    struct scene s;
    scene_open(&s, 1);
    assert_int_equal(loop_on_signal(s.loop, SIGUSR1, count_up, &s), 0);
    assert_int_equal(loop_post(s.loop, raise_signal, NULL), 0);
    loop_run(s.loop);
    assert_int_equal(s.count, 1);
    loop_free(s.loop);
}

static void read_one(void *context, int fd, unsigned events)
{
    struct scene *s = context;
    char byte;
    assert_int_equal(events, LOOP_READABLE);
    assert_int_equal(read(fd, &byte, 1), 1);
    s->count++;
    assert_int_equal(loop_watch_set(s->watch, 0), 0);
    loop_stop(s->loop);
}

static void test_watch(void **state)
{
    struct scene s;
    scene_open(&s, 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_watch_new(s.loop, ends[0], read_one, &s, &s.watch), 0);
    assert_int_equal(loop_watch_set(s.watch, LOOP_READABLE), 0);
    assert_int_equal(write(ends[1], "ab", 2), 2);
    loop_run(s.loop);
    assert_int_equal(s.count, 1);
    /* Nothing more while nothing is asked for; the second byte waits. */
    assert_int_equal(loop_watch_set(s.watch, LOOP_READABLE), 0);
    loop_run(s.loop);
    assert_int_equal(s.count, 2);
    loop_watch_free(s.watch);
    loop_watch_free(NULL);
    loop_free(s.loop);
    close(ends[0]);
    close(ends[1]);
    struct loop *loop;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(loop_watch_new(loop, 9999, read_one, NULL, &s.watch), ERR_IO);
    loop_free(loop);
    loop_free(NULL);
}

static void test_memory_short(void **state)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        mem_fail_nth(n);
        struct scene s = {.stop_at = 1};
        int status = loop_new(&s.loop);
        if (status == 0) {
            status = loop_timer_new(s.loop, count_up, &s, &s.timer);
            status = status != 0 ? status : loop_post(s.loop, count_up, &s);
            status = status != 0 ? status : loop_on_signal(s.loop, SIGUSR2, count_up, &s);
        }
        struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        loop_timer_free(s.timer);
        loop_free(s.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_post_from_post),
        cmocka_unit_test(test_post_limit),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_timer_frees_itself),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
