/* The queue on disk: order, restart, damage, bounds, failing disks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "ship/queue.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

/* Record n holds n, its number, in `size` bytes; it has n % 7 + 1 samples at time n * 1000. */
struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct queue *queue;
    uint64_t appended;
};

static const char *const two_cursors[] = {"a", "b"};

static struct queue_options options_of(struct world *w)
{
    return (struct queue_options){
        .path = "data/queue",
        .vfs = sim_vfs_get(w->disk),
        .clock = &w->clock.clock,
        .segment_bytes = 2000,
        .cursors = two_cursors,
        .cursor_count = 2,
    };
}

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(seed);
    fake_clock_init(&w->clock, 1000000);
}

static int reopen(struct world *w)
{
    struct queue_options options = options_of(w);
    struct err e = ERR_INIT;
    return queue_open(&options, &w->queue, &e);
}

static int append(struct world *w)
{
    uint8_t payload[100] = {0};
    uint64_t n = w->appended + 1;
    put_le64(payload, n);
    int64_t t = (int64_t)n * 1000;
    int status = queue_append(
        w->queue, str_make((char *)payload, sizeof(payload)), (uint32_t)(n % 7 + 1), t, t + 5);
    w->appended += status == 0;
    return status;
}

/* The number of the record at a cursor, 0 when there is none. */
static uint64_t peek(struct world *w, size_t cursor)
{
    struct queue_record record;
    if (!queue_peek(w->queue, cursor, &record)) {
        return 0;
    }
    uint64_t n = get_le64((const uint8_t *)record.payload.ptr);
    assert_int_equal(record.payload.len, 100);
    assert_int_equal(record.samples, n % 7 + 1);
    assert_int_equal(record.min_t, n * 1000);
    assert_int_equal(record.max_t, n * 1000 + 5);
    return n;
}

static void test_two_destinations_read_all_in_order(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(reopen(&w), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(append(&w), 0);
    }
    for (uint64_t n = 1; n <= 100; n++) {
        assert_int_equal(peek(&w, 0), n);
        assert_int_equal(peek(&w, 0), n); /* peeking takes nothing */
        queue_advance(w.queue, 0);
        if (n == 40) {
            queue_close(w.queue); /* a clean restart in the middle */
            assert_int_equal(reopen(&w), 0);
        }
    }
    assert_int_equal(peek(&w, 0), 0);
    assert_int_equal(peek(&w, 1), 1);
    struct queue_statistics s;
    queue_maintain(w.queue);
    queue_statistics(w.queue, &s);
    assert_int_equal(s.records, 100); /* the slower destination counts */
    assert_true(s.segments > 3);
    for (uint64_t n = 1; n <= 100; n++) {
        assert_int_equal(peek(&w, 1), n);
        queue_advance(w.queue, 1);
    }
    queue_maintain(w.queue);
    queue_statistics(w.queue, &s);
    assert_int_equal(s.records, 0);
    assert_true(s.segments <= 1);
    assert_int_equal(append(&w), 0);
    assert_int_equal(peek(&w, 0), 101);
    queue_close(w.queue);
    sim_vfs_free(w.disk);
}

static void test_numbers_go_on_when_everything_was_taken(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(reopen(&w), 0);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(append(&w), 0);
        for (size_t c = 0; c < 2; c++) {
            assert_int_equal(peek(&w, c), w.appended);
            queue_advance(w.queue, c);
        }
        queue_maintain(w.queue);
        queue_close(w.queue);
        assert_int_equal(reopen(&w), 0);
    }
    queue_close(w.queue);
    sim_vfs_free(w.disk);
}

static void test_bounds_drop_the_oldest_and_count(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    struct queue_options options = options_of(&w);
    options.bytes_max = 10000;
    assert_int_equal(queue_open(&options, &w.queue, NULL), 0);
    uint64_t samples = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(append(&w), 0);
        samples += w.appended % 7 + 1;
        queue_maintain(w.queue);
    }
    struct queue_statistics s;
    queue_statistics(w.queue, &s);
    assert_true(s.bytes <= 10000);
    assert_int_equal(s.dropped_samples[QUEUE_DROP_SIZE] + s.samples, samples);
    uint64_t first = peek(&w, 0);
    assert_true(first > 100);
    /* A day later all of it is too old. */
    fake_clock_advance_ms(&w.clock, 2 * QUEUE_AGE_MAX_MS_DEFAULT);
    queue_maintain(w.queue);
    queue_statistics(w.queue, &s);
    assert_int_equal(
        s.dropped_samples[QUEUE_DROP_SIZE] + s.dropped_samples[QUEUE_DROP_AGE], samples);
    assert_int_equal(peek(&w, 0), 0);
    queue_close(w.queue);
    sim_vfs_free(w.disk);
}

static void test_a_full_disk_moves_to_memory_and_back(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(reopen(&w), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(append(&w), 0);
    }
    sim_vfs_fail_from(w.disk, SIM_APPEND | SIM_CREATE, 1, ERR_NO_SPACE);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(append(&w), 0);
    }
    struct queue_statistics s;
    queue_maintain(w.queue);
    queue_statistics(w.queue, &s);
    assert_true(s.in_memory);
    sim_vfs_fail_clear(w.disk);
    queue_maintain(w.queue);
    queue_statistics(w.queue, &s);
    assert_false(s.in_memory);
    assert_int_equal(append(&w), 0);
    for (uint64_t n = 1; n <= 21; n++) {
        assert_int_equal(peek(&w, 0), n);
        queue_advance(w.queue, 0);
    }
    queue_close(w.queue);
    sim_vfs_free(w.disk);
}

/* The first write of a segment fails while an older one is still wanted: the file that its records
 * get in the end is not taken for the one that failed, and not deleted with it. */
static void test_a_segment_that_began_badly_is_no_second_one(void **state)
{
    for (uint64_t nth = 1; nth <= 40; nth++) {
        struct world w;
        world_init(&w, test_seed() + nth);
        assert_int_equal(reopen(&w), 0);
        for (uint64_t i = 1; i <= 60; i++) { /* a segment has about 14 */
            if (i == nth) {
                sim_vfs_fail_nth(w.disk, SIM_APPEND, 1, ERR_NO_SPACE);
            }
            assert_int_equal(append(&w), 0);
            queue_maintain(w.queue);
        }
        for (uint64_t n = 1; n <= 60; n++) {
            for (size_t c = 0; c < 2; c++) {
                assert_int_equal(peek(&w, c), n);
                queue_advance(w.queue, c);
            }
            queue_maintain(w.queue);
        }
        struct queue_cursor_statistics s;
        queue_cursor_statistics(w.queue, 0, &s);
        assert_int_equal(s.samples, 0);
        queue_close(w.queue);
        sim_vfs_free(w.disk);
    }
}

/* A flipped bit anywhere in the queue costs the record it hits, no other, and never the start. */
static void test_damage_costs_only_what_it_hits(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 200; round++) {
        struct world w;
        world_init(&w, test_random(&random));
        assert_int_equal(reopen(&w), 0);
        for (int i = 0; i < 12; i++) { /* 12 records of 140 bytes: one segment */
            assert_int_equal(append(&w), 0);
        }
        queue_close(w.queue);
        uint64_t bit = test_random(&random) % (12 * 140 * 8);
        uint64_t hit = bit / 8 / 140 + 1;
        assert_int_equal(sim_vfs_flip_bit(w.disk, "data/queue/0000000000000001.queue", bit), 0);
        assert_int_equal(reopen(&w), 0);
        for (uint64_t n = 1; n <= 12; n++) {
            if (n != hit) {
                assert_int_equal(peek(&w, 0), n);
                queue_advance(w.queue, 0);
            }
        }
        assert_int_equal(peek(&w, 0), 0);
        queue_close(w.queue);
        sim_vfs_free(w.disk);
    }
}

/* Each disk call fails in turn, then power goes: what was appended and synced is there, in order. */
static void test_each_failing_call_and_power_cut(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct world w;
        world_init(&w, test_seed() + nth);
        sim_vfs_fail_nth(w.disk, SIM_CHANGES, nth, ERR_IO);
        uint64_t synced = 0;
        if (reopen(&w) == 0) {
            for (int i = 0; i < 40; i++) {
                assert_int_equal(append(&w), 0);
                if (i % 5 == 4) {
                    queue_maintain(w.queue);
                    struct queue_statistics s;
                    queue_statistics(w.queue, &s);
                    synced = queue_sync(w.queue) == 0 && !s.in_memory ? w.appended : synced;
                }
            }
        } else {
            w.queue = NULL;
        }
        bool untouched = sim_vfs_fail_pending(w.disk);
        sim_vfs_fail_clear(w.disk);
        sim_vfs_power_cut(w.disk, nth);
        queue_close(w.queue);
        assert_int_equal(reopen(&w), 0);
        uint64_t last = 0, n;
        for (uint64_t i = 0; (n = peek(&w, 0)) != 0; i++) {
            assert_true(n > last && i < 100);
            last = n;
            queue_advance(w.queue, 0);
        }
        queue_close(w.queue);
        sim_vfs_free(w.disk);
        if (untouched) {
            assert_true(last >= synced); /* no call failed: all that was synced is back */
            break;
        }
    }
}

/* Records come and are taken, now and then power goes: what somebody waited for at the last sync is there, and
 * what all have had costs no sync. */
static void test_what_all_have_is_not_synced(void **state)
{
    uint64_t random = test_seed();
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct world w;
        uint64_t taken = 0, safe = 0; /* newest record that was waited for and synced */
        world_init(&w, test_random(&random));
        assert_int_equal(reopen(&w), 0);
        for (int i = 0; i < 30; i++) {
            for (uint64_t k = test_random(&random) % 3; k > 0; k--) {
                assert_int_equal(append(&w), 0);
            }
            bool all = test_random(&random) % 2 == 0;
            for (uint64_t n; (n = peek(&w, 0)) != 0 && (all || test_random(&random) % 2 == 0);) {
                taken = n;
                queue_advance(w.queue, 0);
                assert_int_equal(peek(&w, 1), n);
                queue_advance(w.queue, 1);
            }
            uint64_t syncs = sim_vfs_call_count(w.disk, SIM_SYNC);
            queue_maintain(w.queue);
            assert_int_equal(queue_sync(w.queue), 0);
            if (taken == w.appended) {
                assert_int_equal(sim_vfs_call_count(w.disk, SIM_SYNC), syncs);
            } else {
                safe = w.appended;
            }
        }
        sim_vfs_power_cut(w.disk, (uint64_t)round);
        queue_close(w.queue);
        assert_int_equal(reopen(&w), 0);
        uint64_t next = taken < safe ? taken + 1 : 0, n;
        while ((n = peek(&w, 0)) != 0 && next != 0 && next <= safe) {
            if (n > next) {
                fail_msg("record %llu follows on %llu, of which %llu were taken and all up to %llu "
                         "are safe",
                    (unsigned long long)n, (unsigned long long)next, (unsigned long long)taken,
                    (unsigned long long)safe);
            }
            next += n == next;
            queue_advance(w.queue, 0);
        }
        assert_true(next == 0 || next > safe);
        queue_close(w.queue);
        sim_vfs_free(w.disk);
    }
}

static void test_refuses_a_second_agent(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(reopen(&w), 0);
    struct queue_options options = options_of(&w);
    struct queue *second = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(queue_open(&options, &second, &e), ERR_LOCKED);
    assert_non_null(strstr(e.message, "another agent"));
    queue_close(w.queue);
    sim_vfs_free(w.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_destinations_read_all_in_order),
        cmocka_unit_test(test_numbers_go_on_when_everything_was_taken),
        cmocka_unit_test(test_bounds_drop_the_oldest_and_count),
        cmocka_unit_test(test_a_full_disk_moves_to_memory_and_back),
        cmocka_unit_test(test_a_segment_that_began_badly_is_no_second_one),
        cmocka_unit_test(test_damage_costs_only_what_it_hits),
        cmocka_unit_test(test_each_failing_call_and_power_cut),
        cmocka_unit_test(test_what_all_have_is_not_synced),
        cmocka_unit_test(test_refuses_a_second_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
