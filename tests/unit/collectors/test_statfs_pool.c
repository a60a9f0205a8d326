/* statfs on side threads: answers, errors, calls that hang, and closing while one hangs. The calls
 * hang on a lock of the test, so nothing here depends on time but the waits that are expected to run
 * out, which are one millisecond. */
#include "collectors/statfs_pool.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/lock.h"
#include "support/support.h"

/* A world of paths: "/hang…" hangs until released, "/fail" fails, all others answer. */
struct world {
    struct lock lock;
    struct lock_condition changed;
    bool released;
    _Atomic int hanging;
    _Atomic int calls;
    _Atomic int hung_calls; /* of those, calls that hung */
    struct clock clock;
    _Atomic int64_t now_ns;
};

static int64_t world_monotonic_ns(struct clock *self)
{
    struct world *w = (struct world *)((char *)self - offsetof(struct world, clock));
    return w->now_ns;
}

static int world_call(void *context, const char *path, struct statfs_space *space_out)
{
    struct world *w = context;
    lock_take(&w->lock);
    w->calls++;
    if (strncmp(path, "/hang", 5) == 0) {
        w->hanging++;
        w->hung_calls++;
        lock_condition_broadcast(&w->changed);
        while (!w->released) {
            lock_condition_wait(&w->changed, &w->lock);
        }
        w->hanging--;
        lock_condition_broadcast(&w->changed);
    }
    lock_give(&w->lock);
    if (strcmp(path, "/fail") == 0) {
        return EACCES;
    }
    *space_out = (struct statfs_space){.block_bytes = 4096, .blocks = strlen(path)};
    return 0;
}

static void world_init(struct world *w)
{
    *w = (struct world){.clock = {.monotonic_ns = world_monotonic_ns}};
    lock_init(&w->lock, LOCK_RANK_LEAF);
    lock_condition_init(&w->changed);
}

static void world_release_calls(struct world *w)
{
    lock_take(&w->lock);
    w->released = true;
    lock_condition_broadcast(&w->changed);
    while (w->hanging > 0) {
        lock_condition_wait(&w->changed, &w->lock);
    }
    lock_give(&w->lock);
}

static void world_free(struct world *w)
{
    lock_condition_release(&w->changed);
    lock_release(&w->lock);
}

static struct statfs_pool *open_pool(struct world *w, int64_t wait_ms)
{
    struct statfs_pool_options options = {
        .clock = &w->clock, .wait_ms = wait_ms, .stuck_ms = 5000, .call = world_call, .context = w};
    struct statfs_pool *pool;
    assert_int_equal(statfs_pool_open(&options, &pool), 0);
    return pool;
}

static struct statfs_request *request_of(
    struct statfs_pool *pool, enum statfs_lane lane, const char *path)
{
    struct statfs_request *request;
    assert_int_equal(statfs_request_new(pool, lane, path, &request), 0);
    return request;
}

/* A patient wait for tests in which everything answers. */
#define PATIENT_MS 60000

static void answers_and_errors(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct statfs_pool *pool = open_pool(&w, PATIENT_MS);
    struct statfs_request *good = request_of(pool, STATFS_LOCAL, "/four");
    struct statfs_request *bad = request_of(pool, STATFS_NETWORK, "/fail");
    assert_int_equal(statfs_request_result(pool, good).answer, STATFS_NONE);
    for (int pass = 0; pass < 100; pass++) {
        assert_int_equal(statfs_submit(pool, good), 0);
        assert_int_equal(statfs_submit(pool, bad), 0);
        statfs_wait(pool);
        struct statfs_result result = statfs_request_result(pool, good);
        assert_int_equal(result.answer, STATFS_SPACE);
        assert_int_equal(result.space.blocks, 5);
        result = statfs_request_result(pool, bad);
        assert_int_equal(result.answer, STATFS_FAILED);
        assert_int_equal(result.errno_value, EACCES);
    }
    assert_int_equal(w.calls, 200);
    statfs_request_free(pool, good);
    statfs_request_free(pool, bad);
    statfs_pool_close(pool);
    world_free(&w);
}

static void a_hung_mount_delays_nobody(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct statfs_pool *pool = open_pool(&w, 1);
    struct statfs_request *hung = request_of(pool, STATFS_LOCAL, "/hang");
    struct statfs_request *good = request_of(pool, STATFS_LOCAL, "/good");
    assert_int_equal(statfs_submit(pool, hung), 0);
    assert_int_equal(statfs_submit(pool, good), 0);
    // The lane gets a second thread, however slowly this machine starts one.
    while (statfs_request_result(pool, good).answer != STATFS_SPACE) {
        statfs_wait(pool);
    }
    assert_int_equal(statfs_request_result(pool, hung).answer, STATFS_NONE);
    w.now_ns = 4999000000;
    assert_int_equal(statfs_request_result(pool, hung).answer, STATFS_NONE);
    w.now_ns = 5000000000;
    assert_int_equal(statfs_request_result(pool, hung).answer, STATFS_STUCK);
    // Not asked again while it hangs; the others are.
    int calls = w.calls;
    assert_int_equal(statfs_submit(pool, hung), 0);
    assert_int_equal(statfs_submit(pool, good), 0);
    while (w.calls == calls) {
        statfs_wait(pool);
    }
    assert_int_equal(statfs_request_result(pool, hung).answer, STATFS_STUCK);
    // When the call returns its answer counts, and it is asked again.
    world_release_calls(&w);
    while (statfs_request_result(pool, hung).answer != STATFS_SPACE) {
        assert_int_equal(statfs_submit(pool, hung), 0);
        statfs_wait(pool);
    }
    statfs_request_free(pool, hung);
    statfs_request_free(pool, good);
    statfs_pool_close(pool);
    world_free(&w);
}

static void hanging_calls_are_bounded_and_leave_the_other_lane_alone(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct statfs_pool *pool = open_pool(&w, 1);
    struct statfs_request *hung[STATFS_LANE_THREADS_MAX + 2];
    const int count = STATFS_LANE_THREADS_MAX + 2;
    for (int i = 0; i < count; i++) {
        hung[i] = request_of(pool, STATFS_NETWORK, "/hang");
        assert_int_equal(statfs_submit(pool, hung[i]), 0);
    }
    while (w.hanging < STATFS_LANE_THREADS_MAX) {
        statfs_wait(pool);
    }
    struct statfs_request *good = request_of(pool, STATFS_LOCAL, "/good");
    while (statfs_request_result(pool, good).answer != STATFS_SPACE) {
        assert_int_equal(statfs_submit(pool, good), 0);
        statfs_wait(pool);
    }
    w.now_ns = 6000000000;
    for (int i = 0; i < count; i++) {
        assert_int_equal(statfs_request_result(pool, hung[i]).answer, STATFS_STUCK);
    }
    /* The good one may have been asked twice, where its answer came just after the wait. */
    assert_int_equal(w.hung_calls, STATFS_LANE_THREADS_MAX);
    world_release_calls(&w);
    for (int i = 0; i < count; i++) {
        while (statfs_request_result(pool, hung[i]).answer != STATFS_SPACE) {
            statfs_wait(pool);
        }
        statfs_request_free(pool, hung[i]);
    }
    statfs_request_free(pool, good);
    statfs_pool_close(pool);
    world_free(&w);
}

static void closing_leaves_a_hung_call_behind(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct statfs_pool *pool = open_pool(&w, 1);
    struct statfs_request *hung = request_of(pool, STATFS_LOCAL, "/hang");
    struct statfs_request *queued = request_of(pool, STATFS_LOCAL, "/hang-too");
    assert_int_equal(statfs_submit(pool, hung), 0);
    lock_take(&w.lock);
    while (w.hanging == 0) {
        lock_condition_wait(&w.changed, &w.lock);
    }
    lock_give(&w.lock);
    assert_int_equal(statfs_submit(pool, queued), 0);
    statfs_request_free(pool, hung);
    statfs_request_free(pool, queued);
    statfs_pool_close(pool); // returns although the call has not
    world_release_calls(&w);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_errors),
        cmocka_unit_test(a_hung_mount_delays_nobody),
        cmocka_unit_test(hanging_calls_are_bounded_and_leave_the_other_lane_alone),
        cmocka_unit_test(closing_leaves_a_hung_call_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
