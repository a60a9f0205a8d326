/* Several records in the hands of a destination: done in any order, dropped meanwhile, sent again after a
 * kill; and the account of samples, whatever happens in whatever order. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "ship/queue.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

enum { RECORDS_MAX = 4096, PAYLOAD = 100 };

/* Record n holds n, its number from 1, and has n % 7 + 1 samples. */
struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct queue *queue;
    uint64_t random;
    uint64_t appended;      /* records */
    uint64_t found, added;  /* samples: when the queue was opened, and since */
    uint64_t taken;         /* samples of records that are done */
    uint64_t newest;        /* record handed out last since the queue was opened */
    bool done[RECORDS_MAX]; /* ever */
    struct {
        uint64_t sequence, number;
    } held[QUEUE_HELD_MAX];
    size_t held_count;
};

static uint64_t samples_of(uint64_t number)
{
    return number % 7 + 1;
}

static void open_queue(struct world *w)
{
    static const char *const cursors[] = {"a"};
    const struct queue_options options = {.path = "queue",
        .vfs = sim_vfs_get(w->disk),
        .clock = &w->clock.clock,
        .segment_bytes = 1000,
        .cursors = cursors,
        .cursor_count = 1};
    struct queue_cursor_statistics s;
    struct err e = ERR_INIT;
    assert_int_equal(queue_open(&options, &w->queue, &e), 0);
    queue_cursor_statistics(w->queue, 0, &s);
    w->found = s.samples;
    w->added = w->taken = w->newest = 0;
    w->held_count = 0;
}

static void begin(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(seed);
    w->random = seed;
    fake_clock_init(&w->clock, 1000000);
    open_queue(w);
}

static void end(struct world *w)
{
    queue_close(w->queue);
    sim_vfs_free(w->disk);
}

static void append(struct world *w)
{
    uint8_t payload[PAYLOAD] = {0};
    uint64_t number = ++w->appended;
    put_le64(payload, number);
    assert_int_equal(queue_append(w->queue, str_make((char *)payload, sizeof(payload)),
                         (uint32_t)samples_of(number), 1000000, 1000000),
        0);
    w->added += samples_of(number);
}

/* The number of the record that is held now; 0 when there is none, or too many are. */
static uint64_t hold(struct world *w)
{
    struct queue_record record;
    if (!queue_peek(w->queue, 0, &record)) {
        return 0;
    }
    uint64_t number = get_le64((const uint8_t *)record.payload.ptr);
    assert_true(number > w->newest); /* in order, and each once */
    if (!queue_hold(w->queue, 0)) {
        return 0;
    }
    w->newest = number;
    w->held[w->held_count].sequence = record.sequence;
    w->held[w->held_count++].number = number;
    return number;
}

static void finish(struct world *w, size_t index)
{
    queue_done(w->queue, 0, w->held[index].sequence);
    w->taken += samples_of(w->held[index].number);
    w->done[w->held[index].number] = true;
    w->held_count--;
    memmove(&w->held[index], &w->held[index + 1], (w->held_count - index) * sizeof(w->held[0]));
}

/* found + added = taken + waiting + dropped */
static uint64_t check_account(const struct world *w, const char *what)
{
    struct queue_cursor_statistics s;
    uint64_t dropped = 0;
    queue_cursor_statistics(w->queue, 0, &s);
    for (size_t i = 0; i < QUEUE_DROP_COUNT; i++) {
        dropped += s.dropped_samples[i];
    }
    if (w->found + w->added != w->taken + s.samples + dropped) {
        fail_msg("%s: found %zu + added %zu; taken %zu + waiting %zu + dropped %zu", what,
            (size_t)w->found, (size_t)w->added, (size_t)w->taken, (size_t)s.samples,
            (size_t)dropped);
    }
    return dropped;
}

static void test_done_in_any_order(void **state)
{
    (void)state;
    struct world w;
    begin(&w, test_seed());
    for (int i = 0; i < 5; i++) {
        append(&w);
    }
    for (uint64_t n = 1; n <= 4; n++) {
        assert_int_equal(hold(&w), n);
    }
    finish(&w, 2);
    finish(&w, 1);
    (void)check_account(&w, "the middle is done");
    queue_close(w.queue);
    open_queue(&w); /* the first was not done: what came behind it comes again */
    assert_int_equal(w.found, 2 + 3 + 4 + 5 + 6);
    for (uint64_t n = 1; n <= 3; n++) {
        assert_int_equal(hold(&w), n);
    }
    finish(&w, 1);
    finish(&w, 0);
    queue_close(w.queue);
    open_queue(&w); /* the first two are */
    assert_int_equal(w.found, 4 + 5 + 6);
    assert_int_equal(hold(&w), 3);
    end(&w);
}

static void test_no_more_than_so_many(void **state)
{
    (void)state;
    struct world w;
    begin(&w, test_seed());
    for (int i = 0; i < QUEUE_HELD_MAX + 3; i++) {
        append(&w);
    }
    for (uint64_t n = 1; n <= QUEUE_HELD_MAX; n++) {
        assert_int_equal(hold(&w), n);
    }
    assert_int_equal(hold(&w), 0);
    finish(&w, QUEUE_HELD_MAX - 1);
    assert_int_equal(hold(&w), 0); /* the first is what the cursor waits for */
    finish(&w, 0);
    assert_int_equal(hold(&w), QUEUE_HELD_MAX + 1);
    end(&w);
}

static void step(struct world *w)
{
    switch (test_random(&w->random) % 16) {
    case 0:
        queue_set_bounds(w->queue, 500 + test_random(&w->random) % 4000, 0, 0);
        queue_maintain(w->queue);
        break;
    case 1:
        queue_maintain(w->queue);
        break;
    case 2: /* to memory, when a segment would begin */
        sim_vfs_fail_from(w->disk, SIM_CREATE, 1, ERR_IO);
        append(w);
        sim_vfs_fail_clear(w->disk);
        break;
    case 3:
        if (test_random(&w->random) % 4 == 0) {
            queue_close(w->queue);
            open_queue(w);
        }
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        append(w);
        break;
    case 8:
    case 9:
    case 10:
        (void)hold(w);
        break;
    default:
        if (w->held_count > 0) {
            finish(w, test_random(&w->random) % w->held_count);
        }
    }
}

/* Nothing is lost without being counted, whatever happens in whatever order. */
static void test_the_account(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 40; round++) {
        struct world w;
        char what[64];
        begin(&w, seed + round);
        for (int i = 0; i < 400; i++) {
            step(&w);
            snprintf(what, sizeof(what), "seed %zu, step %d", (size_t)(seed + round), i);
            (void)check_account(&w, what);
        }
        queue_set_bounds(w.queue, 0, 0, 0);
        while (hold(&w) != 0 || w.held_count > 0) {
            finish(&w, 0);
        }
        struct queue_cursor_statistics s;
        queue_cursor_statistics(w.queue, 0, &s);
        assert_int_equal(s.samples, 0);
        (void)check_account(&w, "the end");
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done_in_any_order),
        cmocka_unit_test(test_no_more_than_so_many),
        cmocka_unit_test(test_the_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
