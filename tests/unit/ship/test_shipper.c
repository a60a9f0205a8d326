/* From samples to destinations: batches, independence, kills, and that every sample is accounted
 * for. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "receiver.h"
#include "ship/shipper.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "wire/remote_write.h"

static const struct sender_options destinations[] = {
    {.name = "one", .url = "http://one/"}, {.name = "two", .url = "http://two/"}};

/* A disk that takes its time: what it is asked for waits until the test lets it happen. */
struct slow_disk {
    struct shipper_background interface;
    void (*work)(void *argument);
    void (*done)(void *argument);
    void *argument;
    size_t asked;
};

static bool begin_slowly(struct shipper_background *self, void (*work)(void *argument),
    void (*done)(void *argument), void *argument)
{
    struct slow_disk *slow = (struct slow_disk *)self;
    slow->work = work;
    slow->done = done;
    slow->argument = argument;
    slow->asked++;
    return true;
}

struct world {
    struct slow_disk slow;
    bool use_slow;
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct receiver receiver;
    struct receiver_host *hosts[2];
    struct shipper *shipper;
    struct strbuf labels;
    uint64_t added;       /* numbers of samples given out */
    uint64_t bytes_max;   /* of the queue; 0 = default */
    uint64_t added_since; /* since the shipper was opened */
    uint64_t waiting_at_open[2];
};

static int open_shipper(struct world *w, struct vfs *fs)
{
    struct err e = ERR_INIT;
    struct shipper_options options = {
        .queue = {.path = "queue",
            .vfs = fs,
            .segment_bytes = 4000,
            .bytes_max = w->bytes_max,
            .age_max_ms = INT64_MAX / 2},
        .destinations = destinations,
        .destination_count = 2,
        .client = &w->receiver.client,
        .background = w->use_slow ? &w->slow.interface : NULL,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    w->shipper = NULL;
    w->added_since = 0;
    int status = shipper_open(&options, &w->shipper, &e);
    for (size_t i = 0; status == 0 && i < 2; i++) {
        struct sender_statistics d;
        shipper_destination_statistics(w->shipper, i, &d);
        w->waiting_at_open[i] = d.waiting_samples;
    }
    return status;
}

static void world_init(struct world *w)
{
    const struct label name = {STR("__name__"), STR("x")};
    bool before = mem_fail_exempt(true);
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, 1700000000000);
    receiver_init(&w->receiver);
    w->hosts[0] = receiver_add(&w->receiver, "http://one/", 204);
    w->hosts[1] = receiver_add(&w->receiver, "http://two/", 204);
    strbuf_init(&w->labels, 1000);
    remote_write_encode_labels(&name, 1, &w->labels);
    mem_fail_exempt(before);
}

static void world_release(struct world *w)
{
    strbuf_release(&w->labels);
    receiver_release(&w->receiver);
    sim_vfs_free(w->disk);
}

static void begin(struct world *w)
{
    world_init(w);
    w->disk = sim_vfs_new(test_seed());
    assert_int_equal(open_shipper(w, sim_vfs_get(w->disk)), 0);
}

static void end(struct world *w)
{
    shipper_close(w->shipper);
    world_release(w);
}

static void add(struct world *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct sample sample = {(int64_t)w->added, (double)w->added};
        const struct remote_write_series series = {
            .labels_bytes = strbuf_str(&w->labels), .samples = &sample, .sample_count = 1};
        struct intake *intake = shipper_intake(w->shipper);
        intake->add(intake, &series);
        w->added++;
        w->added_since++;
    }
}

/* For each destination: added = sent + rejected + waiting + dropped + open + lost. */
static void check_accounts(const struct world *w)
{
    struct shipper_statistics s;
    shipper_statistics(w->shipper, &s);
    assert_int_equal(s.added_samples, w->added_since);
    for (size_t i = 0; i < 2; i++) {
        struct sender_statistics d;
        shipper_destination_statistics(w->shipper, i, &d);
        uint64_t there = d.sent_samples + d.rejected_samples + d.waiting_samples +
                         d.dropped_samples + s.open_samples + s.lost_samples;
        if (there != s.added_samples + w->waiting_at_open[i]) {
            fail_msg("%s: added %zu + %zu, but sent %zu + rejected %zu + waiting %zu + dropped %zu "
                     "+ open %zu + lost %zu",
                shipper_destination_name(w->shipper, i), (size_t)s.added_samples,
                (size_t)w->waiting_at_open[i], (size_t)d.sent_samples, (size_t)d.rejected_samples,
                (size_t)d.waiting_samples, (size_t)d.dropped_samples, (size_t)s.open_samples,
                (size_t)s.lost_samples);
        }
    }
}

/* Time passes; both receivers answer what reaches them. */
static void pass(struct world *w, int64_t ms)
{
    while (ms > 0) {
        int64_t wait;
        do {
            wait = shipper_step(w->shipper); /* as in each turn of the loop */
        } while (receiver_answer(&w->receiver) > 0);
        assert_true(wait >= 0 && wait <= 10000);
        wait = wait < ms ? wait : ms;
        wait = wait > 0 ? wait : 1;
        fake_clock_advance_ms(&w->clock, wait);
        ms -= wait;
        check_accounts(w);
    }
}

static uint64_t missing(const struct world *w, size_t host)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < w->added; i++) {
        count += w->hosts[host]->seen[i] == 0;
    }
    return count;
}

/* A receiver that finds batches too large gets them in parts, each sample once and in order; one that
 * finds a single series too large loses just that. The other destination is not concerned. */
static void test_too_large(void **state)
{
    (void)state;
    static const struct {
        size_t body_max;
        bool fits; /* a series alone */
    } rows[] = {{4000, true}, {200, true}, {40, true}, {10, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        struct sender_statistics d;
        begin(&w);
        w.hosts[0]->body_max = rows[i].body_max;
        add(&w, 1001);
        shipper_flush(w.shipper);
        shipper_step(w.shipper);
        check_accounts(&w);
        while (receiver_answer(&w.receiver) > 0) {
            check_accounts(&w);
        }
        shipper_destination_statistics(w.shipper, 0, &d);
        print_message("at most %zu bytes: %zu requests, %zu halved\n", rows[i].body_max,
            (size_t)w.hosts[0]->requests, (size_t)d.splits);
        assert_int_equal(w.hosts[0]->samples, rows[i].fits ? 1001 : 0);
        assert_int_equal(d.rejected_samples, rows[i].fits ? 0 : 1001);
        assert_int_equal(w.hosts[0]->repeated, 0);
        assert_int_equal(d.waiting_samples, 0);
        assert_true(d.splits > 0);
        assert_int_equal(w.hosts[1]->samples, 1001);
        assert_int_equal(w.hosts[1]->requests, 1);
        end(&w);
    }
}

static void test_batches_close_by_count_bytes_and_age(void **state)
{
    struct world w;
    struct shipper_statistics s;
    begin(&w);
    add(&w, 4999);
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.batches, 0);
    add(&w, 1);
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.batches, 1);
    assert_int_equal(s.open_samples, 0);
    /* A second after its first sample, not after its last. */
    add(&w, 1);
    pass(&w, 899);
    add(&w, 1);
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.batches, 1);
    assert_int_equal(shipper_step(w.shipper), 101); /* it wants to be called just then */
    fake_clock_advance_ms(&w.clock, 101);
    shipper_step(w.shipper);
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.batches, 2);
    /* Or a little before, where the loop is awake. */
    pass(&w, 2000);
    add(&w, 1);
    pass(&w, 899);
    fake_clock_advance_ms(&w.clock, 1);
    shipper_step(w.shipper);
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.batches, 3);
    pass(&w, 1000);
    assert_int_equal(w.hosts[0]->samples, 5003);
    assert_int_equal(w.hosts[0]->largest_request, 5000);
    end(&w);

    /* Long labels: 1 MiB before compression, and the one series that reached it. */
    begin(&w);
    char value[4000];
    memset(value, 'v', sizeof(value));
    const struct label pairs[] = {
        {STR("__name__"), STR("x")}, {STR("l"), str_make(value, sizeof(value))}};
    strbuf_release(&w.labels);
    strbuf_init(&w.labels, 10000);
    remote_write_encode_labels(pairs, 2, &w.labels);
    add(&w, 1000);
    pass(&w, 3000);
    assert_int_equal(missing(&w, 0), 0);
    assert_true(w.hosts[0]->message_bytes_max >= SHIPPER_BATCH_BYTES_MAX);
    assert_true(w.hosts[0]->message_bytes_max <= SHIPPER_BATCH_BYTES_MAX + 4100);
    assert_int_equal(w.hosts[0]->requests, 4); /* 4 MB */
    end(&w);
}

static void test_a_dead_destination_delays_no_other(void **state)
{
    struct world w;
    begin(&w);
    w.hosts[1]->status = 0;
    for (int second = 0; second < 60; second++) {
        add(&w, 100);
        pass(&w, 1000);
        assert_true(missing(&w, 0) <= 200); /* the open batch, and one on its way */
    }
    assert_int_equal(w.hosts[1]->samples, 0);
    /* It comes back: all of it, in order, once. */
    w.hosts[1]->status = 200;
    pass(&w, 32000);
    assert_int_equal(missing(&w, 0), 0);
    assert_int_equal(missing(&w, 1), 0);
    assert_int_equal(w.hosts[1]->repeated, 0);
    struct sender_statistics d;
    shipper_destination_statistics(w.shipper, 1, &d);
    assert_int_equal(d.sent_samples, 6000);
    assert_true(d.retries > 3 && !d.failing);
    end(&w);
}

/* The longest that a sample waited at the first destination while the second answers with a status, in ms; 0: nobody
 * is there. */
static int64_t longest_lag_ms(unsigned status_of_second)
{
    enum { SECONDS = 120, STEP_MS = 10 };
    struct world w;
    int64_t longest = 0;
    begin(&w);
    w.hosts[1]->status = status_of_second;
    for (int second = 0; second < SECONDS; second++) {
        add(&w, 100);
        int64_t lag = 0;
        for (; missing(&w, 0) > 0; lag += STEP_MS) {
            assert_true(lag < 10000);
            pass(&w, STEP_MS);
        }
        longest = lag > longest ? lag : longest;
        pass(&w, lag < 1000 ? 1000 - lag : 1);
    }
    end(&w);
    return longest;
}

static void test_the_lag_of_one_does_not_depend_on_another(void **state)
{
    static const unsigned statuses[] = {0, 400, 413, 415, 429, 500, 503};
    int64_t alone = longest_lag_ms(204);
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        int64_t lag = longest_lag_ms(statuses[i]);
        if (lag > alone + 100 || lag < alone - 100) {
            fail_msg("%lld ms beside status %u, %lld beside one that is well", (long long)lag,
                statuses[i], (long long)alone);
        }
    }
}

/* A backlog goes as fast as the receiver answers, not one request a step. */
static void test_catching_up_does_not_wait_for_steps(void **state)
{
    struct world w;
    begin(&w);
    w.hosts[0]->status = 503;
    for (int i = 0; i < 100; i++) {
        add(&w, 10);
        shipper_flush(w.shipper);
    }
    pass(&w, 1000);
    w.hosts[0]->status = 204;
    pass(&w, 31000 - 1000); /* until the backoff is over */
    while (receiver_answer(&w.receiver) > 0) {
    }
    assert_int_equal(missing(&w, 0), 0);
    end(&w);
}

static void test_refused_batches_are_counted_and_others_arrive(void **state)
{
    struct world w;
    begin(&w);
    w.hosts[0]->status = 400;
    add(&w, 100);
    pass(&w, 2000);
    w.hosts[0]->status = 204;
    add(&w, 50);
    pass(&w, 2000);
    struct sender_statistics d;
    shipper_destination_statistics(w.shipper, 0, &d);
    assert_int_equal(d.rejected_samples, 100);
    assert_int_equal(d.rejected_requests, 1);
    assert_int_equal(d.sent_samples, 50);
    assert_int_equal(missing(&w, 1), 0);
    end(&w);
}

static void test_a_slow_disk_holds_nobody_up(void **state)
{
    struct world w;
    world_init(&w);
    w.disk = sim_vfs_new(test_seed());
    w.slow.interface.run = begin_slowly;
    w.use_slow = true;
    assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
    w.hosts[1]->status = 0; /* what waits for it needs a sync */
    for (int i = 0; i < 10; i++) {
        add(&w, 10);
        pass(&w, 2000);
        if (missing(&w, 0) != 0) {
            fail_msg("%llu samples wait for the disk", (unsigned long long)missing(&w, 0));
        }
    }
    assert_int_equal(w.slow.asked, 1); /* none is piled upon one under way */
    w.hosts[1]->status = 204;
    pass(&w, 32000);
    assert_int_equal(missing(&w, 1), 0);
    w.slow.work(w.slow.argument);
    w.slow.done(w.slow.argument);
    pass(&w, 2000);
    assert_int_equal(w.slow.asked, 1); /* all have everything: nothing to sync */
    w.hosts[0]->status = 0;
    add(&w, 10);
    pass(&w, 3000); /* a second old when it is queued, and a second later still there */
    assert_int_equal(w.slow.asked, 2);
    w.slow.work(w.slow.argument); /* and one is never told about */
    end(&w);
}

/* Buckets, sum and count of one histogram travel in one request. */
static void test_a_histogram_stays_together(void **state)
{
    static const struct {
        const char *before, *after; /* names of the last series of a full batch, and of the next */
        bool together;
    } rows[] = {{"h_bucket", "h_bucket", true}, {"h_bucket", "h_sum", true},
        {"h_sum", "h_count", true}, {"h_count", "g_bucket", false}, {"h_count", "h", false},
        {"x", "x", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        struct shipper_statistics s;
        begin(&w);
        add(&w, SHIPPER_BATCH_SAMPLES_MAX - 1);
        for (int k = 0; k < 2; k++) {
            const struct label name = {
                STR("__name__"), str_of(k == 0 ? rows[i].before : rows[i].after)};
            strbuf_reset(&w.labels);
            remote_write_encode_labels(&name, 1, &w.labels);
            add(&w, 1);
        }
        shipper_statistics(w.shipper, &s);
        uint64_t open = rows[i].together ? SHIPPER_BATCH_SAMPLES_MAX + 1 : 1;
        if (s.open_samples != open) {
            fail_msg("%s then %s: %llu samples in the open batch, expected %llu", rows[i].before,
                rows[i].after, (unsigned long long)s.open_samples, (unsigned long long)open);
        }
        add(&w, SHIPPER_BATCH_SAMPLES_MAX); /* but not for ever */
        shipper_statistics(w.shipper, &s);
        assert_true(s.open_samples < 2 * SHIPPER_BATCH_SAMPLES_MAX);
        end(&w);
    }
}

static void test_metadata_arrives(void **state)
{
    struct world w;
    begin(&w);
    for (int i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        struct intake *intake = shipper_intake(w.shipper);
        intake->add_metadata(intake, METRIC_TYPE_COUNTER, str_of(name), STR("help"), STR(""));
    }
    pass(&w, 2000);
    assert_int_equal(w.hosts[0]->metadata, 3000);
    assert_int_equal(w.hosts[1]->metadata, 3000);
    assert_int_equal(w.hosts[0]->samples, 0);
    end(&w);
}

/* Over its bounds the queue drops the oldest, exactly counted, for the destination that is behind
 * alone. */
static void test_bounds_are_accounted_for_each_destination(void **state)
{
    struct world w;
    world_init(&w);
    w.disk = sim_vfs_new(test_seed());
    w.bytes_max = 20000;
    assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
    w.hosts[1]->status = 503;
    for (int second = 0; second < 100; second++) {
        add(&w, 200);
        pass(&w, 1000);
    }
    struct sender_statistics d;
    shipper_destination_statistics(w.shipper, 1, &d);
    assert_true(d.dropped_samples > 1000);
    shipper_destination_statistics(w.shipper, 0, &d);
    assert_int_equal(d.dropped_samples, 0);
    pass(&w, 2000);
    assert_int_equal(missing(&w, 0), 0);
    w.hosts[1]->status = 204;
    pass(&w, 32000);
    shipper_destination_statistics(w.shipper, 1, &d);
    assert_int_equal(d.waiting_samples, 0);
    assert_int_equal(missing(&w, 1), d.dropped_samples);
    end(&w);
}

/* The process dies: nothing it would do at a proper end reaches the disk. */
static void kill_shipper(struct world *w)
{
    sim_vfs_fail_from(w->disk, SIM_CHANGES, 1, ERR_IO);
    shipper_close(w->shipper);
    sim_vfs_fail_clear(w->disk);
}

static void test_kills_lose_no_flushed_sample(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 10; round++) {
        struct world w;
        uint64_t lost = 0;
        begin(&w);
        for (int life = 0; life < 8; life++) {
            for (uint64_t steps = test_random(&random) % 8; steps > 0; steps--) {
                add(&w, test_random(&random) % 300);
                w.hosts[0]->status = test_random(&random) % 3 == 0 ? 503 : 204;
                w.hosts[1]->status = test_random(&random) % 3 == 0 ? 0 : 200;
                pass(&w, (int64_t)(test_random(&random) % 1500));
            }
            struct shipper_statistics s;
            shipper_statistics(w.shipper, &s);
            assert_false(s.queue.in_memory);
            lost += s.open_samples; /* the open batch, and no more */
            kill_shipper(&w);
            assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
        }
        w.hosts[0]->status = w.hosts[1]->status = 204;
        pass(&w, 40000);
        for (size_t host = 0; host < 2; host++) { /* less where the last write came through */
            if (missing(&w, host) > lost) {
                fail_msg("%zu samples missing, at most %zu were not flushed",
                    (size_t)missing(&w, host), (size_t)lost);
            }
        }
        end(&w);
    }
}

/* A close is not a kill: the open batch is kept. */
static void test_a_proper_end_loses_nothing(void **state)
{
    struct world w;
    begin(&w);
    add(&w, 77);
    shipper_close(w.shipper);
    assert_int_equal(open_shipper(&w, sim_vfs_get(w.disk)), 0);
    pass(&w, 2000);
    assert_int_equal(missing(&w, 0) + missing(&w, 1), 0);
    end(&w);
}

/* The disk fails in the middle and comes back: everything still arrives, in order. */
static void test_a_failing_disk_loses_nothing(void **state)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct world w;
        begin(&w);
        w.hosts[1]->status = 0; /* the queue is needed */
        add(&w, 50);
        pass(&w, 1500);
        sim_vfs_fail_from(w.disk, SIM_WRITES | SIM_CREATE | SIM_SYNCS, nth, ERR_NO_SPACE);
        for (int second = 0; second < 8; second++) {
            add(&w, 300);
            pass(&w, 1000);
        }
        sim_vfs_fail_clear(w.disk);
        w.hosts[1]->status = 204;
        for (int second = 0; second < 40; second++) {
            add(&w, 5);
            pass(&w, 1000);
        }
        pass(&w, 3000);
        struct shipper_statistics s;
        shipper_statistics(w.shipper, &s);
        if (missing(&w, 0) + missing(&w, 1) + s.lost_samples > 0 || s.queue.in_memory) {
            fail_msg("disk full from call %zu: missing %zu and %zu, lost %zu, in memory %d",
                (size_t)nth, (size_t)missing(&w, 0), (size_t)missing(&w, 1), (size_t)s.lost_samples,
                s.queue.in_memory);
        }
        end(&w);
    }
}

static int ship_under_fire(void *context, struct vfs *fs)
{
    struct world w;
    world_init(&w);
    int status = open_shipper(&w, fs);
    for (int second = 0; status == 0 && second < 3; second++) {
        add(&w, 20);
        pass(&w, 1000);
    }
    if (status == 0) {
        pass(&w, 3000);
        struct shipper_statistics s;
        shipper_statistics(w.shipper, &s);
        assert_true(missing(&w, 0) <= s.lost_samples + s.open_samples);
    }
    shipper_close(w.shipper);
    world_release(&w);
    return status;
}

static void test_each_failing_call(void **state)
{
    struct fault_scenario scenario = {.name = "shipper", .run = ship_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION | FAULT_WRITE | FAULT_SYNC | FAULT_NAME | FAULT_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_batches_close_by_count_bytes_and_age),
        cmocka_unit_test(test_a_dead_destination_delays_no_other),
        cmocka_unit_test(test_the_lag_of_one_does_not_depend_on_another),
        cmocka_unit_test(test_catching_up_does_not_wait_for_steps),
        cmocka_unit_test(test_refused_batches_are_counted_and_others_arrive),
        cmocka_unit_test(test_a_slow_disk_holds_nobody_up),
        cmocka_unit_test(test_a_histogram_stays_together),
        cmocka_unit_test(test_metadata_arrives),
        cmocka_unit_test(test_bounds_are_accounted_for_each_destination),
        cmocka_unit_test(test_kills_lose_no_flushed_sample),
        cmocka_unit_test(test_a_proper_end_loses_nothing),
        cmocka_unit_test(test_a_failing_disk_loses_nothing),
        cmocka_unit_test(test_each_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
