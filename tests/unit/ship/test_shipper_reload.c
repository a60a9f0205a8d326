/* Destinations that come, go and change while samples flow: nobody loses a sample or gets one twice, a
 * place in the queue is kept or forgotten as it should be, and the account holds throughout. */
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

enum { HOSTS = 4, QUEUE_OF_TEST_BYTES = 1 << 20 };

static const char *const names[HOSTS] = {"h0", "h1", "h2", "h3"};
static const char *const urls[HOSTS] = {"http://h0/", "http://h1/", "http://h2/", "http://h3/"};

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct receiver receiver;
    struct receiver_host *hosts[HOSTS];
    struct shipper *shipper;
    struct strbuf labels;
    uint64_t added;
    bool active[HOSTS];
    uint64_t since[HOSTS]; /* its first sample is no later one */
};

/* One destination for each host of `active`, named and addressed by it. */
static struct shipper_options options_of(
    struct world *w, struct vfs *fs, const bool *active, struct sender_options *destinations)
{
    size_t count = 0;
    for (size_t i = 0; i < HOSTS; i++) {
        if (active[i]) {
            destinations[count++] = (struct sender_options){.name = names[i], .url = urls[i]};
        }
    }
    return (struct shipper_options){
        .queue = {.path = "queue",
            .vfs = fs,
            .segment_bytes = 4000,
            .bytes_max = QUEUE_OF_TEST_BYTES,
            .age_max_ms = INT64_MAX / 2},
        .destinations = destinations,
        .destination_count = count,
        .client = &w->receiver.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
}

static void world_init(struct world *w, unsigned active)
{
    const struct label name = {STR("__name__"), STR("x")};
    bool before = mem_fail_exempt(true);
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, 1700000000000);
    receiver_init(&w->receiver);
    for (size_t i = 0; i < HOSTS; i++) {
        w->hosts[i] = receiver_add(&w->receiver, urls[i], 204);
        w->active[i] = (active >> i & 1) != 0;
    }
    strbuf_init(&w->labels, 1000);
    remote_write_encode_labels(&name, 1, &w->labels);
    mem_fail_exempt(before);
}

static int world_open(struct world *w, struct vfs *fs)
{
    struct sender_options destinations[HOSTS];
    struct shipper_options options = options_of(w, fs, w->active, destinations);
    struct err e = ERR_INIT;
    return shipper_open(&options, &w->shipper, &e);
}

static void begin(struct world *w, unsigned active)
{
    world_init(w, active);
    w->disk = sim_vfs_new(test_seed());
    assert_int_equal(world_open(w, sim_vfs_get(w->disk)), 0);
}

static void end(struct world *w)
{
    shipper_close(w->shipper);
    strbuf_release(&w->labels);
    receiver_release(&w->receiver);
    sim_vfs_free(w->disk);
}

static void add(struct world *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++, w->added++) {
        struct sample sample = {(int64_t)w->added, (double)w->added};
        const struct remote_write_series series = {
            .labels_bytes = strbuf_str(&w->labels), .samples = &sample, .sample_count = 1};
        struct intake *intake = shipper_intake(w->shipper);
        intake->add(intake, &series);
    }
}

/* For each: added + found = sent + rejected + waiting + dropped + missed + open + lost. */
static void check_accounts(const struct world *w)
{
    struct shipper_statistics s;
    shipper_statistics(w->shipper, &s);
    for (size_t i = 0; i < shipper_destination_count(w->shipper); i++) {
        struct sender_statistics d;
        shipper_destination_statistics(w->shipper, i, &d);
        uint64_t there = d.sent_samples + d.rejected_samples + d.waiting_samples +
                         d.dropped_samples + d.missed_samples + s.open_samples + s.lost_samples;
        if (there != s.added_samples + d.found_samples) {
            fail_msg("%s: added %zu + found %zu, but sent %zu + rejected %zu + waiting %zu + "
                     "dropped %zu + missed %zu + open %zu + lost %zu",
                shipper_destination_name(w->shipper, i), (size_t)s.added_samples,
                (size_t)d.found_samples, (size_t)d.sent_samples, (size_t)d.rejected_samples,
                (size_t)d.waiting_samples, (size_t)d.dropped_samples, (size_t)d.missed_samples,
                (size_t)s.open_samples, (size_t)s.lost_samples);
        }
    }
}

static void pass(struct world *w, int64_t ms)
{
    while (ms > 0) {
        int64_t wait = shipper_step(w->shipper);
        wait = wait < ms ? wait : ms;
        wait = wait > 0 ? wait : 1;
        receiver_answer(&w->receiver);
        fake_clock_advance_ms(&w->clock, wait);
        ms -= wait;
        check_accounts(w);
    }
}

/* Another set of hosts is in force. One that comes anew has forgotten what it had. */
static int change(struct world *w, struct vfs *fs, const bool *active)
{
    struct sender_options destinations[HOSTS];
    struct shipper_options options = options_of(w, fs, active, destinations);
    struct outbox_change prepared;
    struct err e = ERR_INIT;
    int status = shipper_prepare(w->shipper, &options, &prepared, &e);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < HOSTS; i++) {
        if (active[i] && !w->active[i]) {
            memset(w->hosts[i]->seen, 0, RECEIVER_SAMPLES_MAX);
            w->hosts[i]->newest = -1;
            w->since[i] = w->added;
        }
        w->active[i] = active[i];
    }
    shipper_commit(w->shipper, &prepared);
    check_accounts(w);
    return 0;
}

static void change_to(struct world *w, unsigned active)
{
    bool hosts[HOSTS];
    for (size_t i = 0; i < HOSTS; i++) {
        hosts[i] = (active >> i & 1) != 0;
    }
    assert_int_equal(change(w, sim_vfs_get(w->disk), hosts), 0);
}

static uint64_t missing(const struct world *w, size_t host, uint64_t from)
{
    uint64_t count = 0;
    for (uint64_t i = from; i < w->added; i++) {
        count += w->hosts[host]->seen[i] == 0;
    }
    return count;
}

static size_t cursor_files(struct world *w)
{
    size_t count = 0;
    for (size_t i = 0; i < HOSTS; i++) {
        char path[64];
        snprintf(path, sizeof(path), "queue/%s.cursor", names[i]);
        struct vfs_file *file = NULL;
        if (vfs_open(sim_vfs_get(w->disk), path, VFS_READ, &file) == 0) {
            vfs_close(sim_vfs_get(w->disk), file);
            count++;
        }
    }
    return count;
}

/* Twenty reloads at random moments, with receivers that fail at random. */
static void test_changes_under_load(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 10; round++) {
        struct world w;
        begin(&w, 3);
        for (int reload = 0; reload < 20; reload++) {
            for (uint64_t steps = test_random(&random) % 5; steps > 0; steps--) {
                add(&w, test_random(&random) % 300);
                for (size_t i = 0; i < HOSTS; i++) {
                    static const unsigned answers[] = {204, 204, 503, 0};
                    w.hosts[i]->status = answers[test_random(&random) % 4];
                }
                pass(&w, (int64_t)(test_random(&random) % 1500));
            }
            change_to(&w, 1 + (unsigned)(test_random(&random) % 15));
        }
        for (size_t i = 0; i < HOSTS; i++) {
            w.hosts[i]->status = 204;
        }
        pass(&w, 40000);
        for (size_t i = 0; i < HOSTS; i++) {
            if (w.active[i] && missing(&w, i, w.since[i]) > 0) {
                fail_msg("%s misses %zu samples since it is there", names[i],
                    (size_t)missing(&w, i, w.since[i]));
            }
            assert_int_equal(w.hosts[i]->repeated, 0);
        }
        end(&w);
    }
}

/* A store moves: the new address gets what the old one had not, and nothing that it had. */
static void test_one_in_place_of_another_goes_on_where_it_stood(void **state)
{
    struct world w;
    begin(&w, 1);
    add(&w, 100);
    pass(&w, 2000);
    assert_int_equal(missing(&w, 0, 0), 0);
    w.hosts[0]->status = 0;
    add(&w, 500);
    pass(&w, 3000);
    change_to(&w, 2);
    pass(&w, 2000);
    assert_int_equal(missing(&w, 1, 100), 0);
    assert_int_equal(w.hosts[1]->samples, 500);
    assert_int_equal(w.hosts[0]->samples, 100);
    end(&w);
}

/* Beside others that have everything a new one begins with what comes now. */
static void test_a_new_one_is_not_told_what_nobody_waits_for(void **state)
{
    struct world w;
    begin(&w, 1);
    add(&w, 100);
    pass(&w, 2000);
    change_to(&w, 3);
    add(&w, 10);
    pass(&w, 2000);
    assert_int_equal(w.hosts[1]->samples, 10);
    struct sender_statistics d;
    shipper_destination_statistics(w.shipper, 1, &d);
    assert_int_equal(d.missed_samples, 100);
    assert_int_equal(d.found_samples, 0);
    end(&w);
}

/* The one that is gone has no file; when it comes again it is a stranger. What only it waited for goes. */
static void test_one_that_is_gone_is_forgotten(void **state)
{
    struct world w;
    begin(&w, 3);
    w.hosts[1]->status = 0;
    add(&w, 2000);
    pass(&w, 3000);
    assert_int_equal(cursor_files(&w), 2);
    change_to(&w, 1);
    assert_int_equal(cursor_files(&w), 1);
    w.hosts[1]->status = 204;
    add(&w, 10);
    pass(&w, 3000);
    struct shipper_statistics s;
    shipper_statistics(w.shipper, &s);
    assert_int_equal(s.queue.samples, 0);
    change_to(&w, 3);
    add(&w, 5);
    pass(&w, 3000);
    assert_int_equal(w.hosts[1]->samples, 5);
    end(&w);
}

/* A request on its way is neither repeated nor forgotten. */
static void test_what_is_on_its_way_counts(void **state)
{
    struct world w;
    begin(&w, 1);
    add(&w, 100);
    fake_clock_advance_ms(&w.clock, 1001);
    (void)shipper_step(w.shipper);
    (void)shipper_step(w.shipper);
    struct sender_statistics d;
    shipper_destination_statistics(w.shipper, 0, &d);
    assert_true(d.in_flight);
    change_to(&w, 5);
    pass(&w, 2000);
    shipper_destination_statistics(w.shipper, 0, &d);
    assert_int_equal(d.sent_samples, 100);
    assert_int_equal(w.hosts[0]->requests, 1);
    assert_int_equal(
        w.hosts[2]->samples, 100); /* it was not answered yet: somebody waited for it */
    end(&w);
}

/* The same receiver is not asked sooner for a reload; another one at once. */
static void test_a_pause_ends_with_another_receiver_only(void **state)
{
    struct world w;
    struct sender_options destinations[HOSTS], moved = {.name = "h0", .url = "http://h1/"};
    begin(&w, 1);
    w.hosts[0]->status = 503;
    add(&w, 100);
    pass(&w, 60000); /* pauses are long by now */
    struct sender_statistics before, after;
    shipper_destination_statistics(w.shipper, 0, &before);
    change_to(&w, 1);
    shipper_step(w.shipper);
    shipper_destination_statistics(w.shipper, 0, &after);
    assert_int_equal(after.in_flight, before.in_flight);
    struct outbox_change prepared;
    struct shipper_options options = options_of(&w, sim_vfs_get(w.disk), w.active, destinations);
    options.destinations = &moved;
    options.destination_count = 1;
    assert_int_equal(shipper_prepare(w.shipper, &options, &prepared, NULL), 0);
    shipper_commit(w.shipper, &prepared);
    pass(&w, 300);
    assert_int_equal(w.hosts[1]->samples, 100);
    shipper_destination_statistics(w.shipper, 0, &after);
    assert_int_equal(after.sent_samples, 100);
    assert_false(after.failing);
    end(&w);
}

static void test_bounds_change(void **state)
{
    struct world w;
    begin(&w, 1);
    w.hosts[0]->status = 0;
    for (int second = 0; second < 20; second++) {
        add(&w, 1000);
        pass(&w, 1100);
    }
    struct sender_options destinations[HOSTS];
    struct shipper_options options = options_of(&w, sim_vfs_get(w.disk), w.active, destinations);
    struct shipper_statistics s;
    shipper_statistics(w.shipper, &s);
    assert_true(s.queue.bytes > 20000);
    options.queue.bytes_max = 10000;
    struct outbox_change prepared;
    assert_int_equal(shipper_prepare(w.shipper, &options, &prepared, NULL), 0);
    shipper_commit(w.shipper, &prepared);
    pass(&w, 2000);
    shipper_statistics(w.shipper, &s);
    assert_true(s.queue.bytes <= 10000);
    assert_true(s.queue.dropped_samples[QUEUE_DROP_SIZE] > 0);
    end(&w);
}

/* A change that is refused, or abandoned, changes nothing. */
static void test_a_change_that_is_abandoned(void **state)
{
    struct world w;
    struct sender_options destinations[HOSTS];
    static const bool all[HOSTS] = {true, true, true, true};
    begin(&w, 1);
    add(&w, 100);
    struct shipper_options options = options_of(&w, sim_vfs_get(w.disk), all, destinations);
    struct outbox_change prepared;
    assert_int_equal(shipper_prepare(w.shipper, &options, &prepared, NULL), 0);
    assert_int_equal(cursor_files(&w), 4);
    shipper_abandon(w.shipper, &prepared);
    assert_int_equal(cursor_files(&w), 1);
    assert_int_equal(shipper_destination_count(w.shipper), 1);
    pass(&w, 3000);
    assert_int_equal(missing(&w, 0, 0), 0);
    assert_int_equal(w.hosts[1]->samples, 0);
    options.destination_count = OUTBOX_DESTINATIONS_MAX + 1;
    struct sender_options many[OUTBOX_DESTINATIONS_MAX + 1] = {{.name = "x", .url = "http://x/"}};
    options.destinations = many;
    assert_int_equal(shipper_prepare(w.shipper, &options, &prepared, NULL), ERR_INVALID);
    end(&w);
}

static int change_under_fire(void *context, struct vfs *fs)
{
    static const bool sets[][HOSTS] = {
        {true, true, false, false}, {false, true, true, true}, {true, false, false, true}};
    struct world w;
    world_init(&w, 1);
    int status = world_open(&w, fs);
    for (size_t i = 0; status == 0 && i < sizeof(sets) / sizeof(sets[0]); i++) {
        (void)change(&w, fs, sets[i]); /* one that fails leaves what was */
        add(&w, 20);
        pass(&w, 1500);
    }
    if (status == 0) {
        pass(&w, 3000);
        struct shipper_statistics s;
        shipper_statistics(w.shipper, &s);
        for (size_t i = 0; i < HOSTS; i++) {
            assert_true(
                !w.active[i] || missing(&w, i, w.since[i]) <= s.lost_samples + s.open_samples);
        }
    }
    shipper_close(w.shipper);
    strbuf_release(&w.labels);
    receiver_release(&w.receiver);
    return status;
}

static void test_each_failing_call(void **state)
{
    struct fault_scenario scenario = {.name = "shipper_reload", .run = change_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION | FAULT_WRITE | FAULT_SYNC | FAULT_NAME | FAULT_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_under_load),
        cmocka_unit_test(test_one_in_place_of_another_goes_on_where_it_stood),
        cmocka_unit_test(test_a_new_one_is_not_told_what_nobody_waits_for),
        cmocka_unit_test(test_one_that_is_gone_is_forgotten),
        cmocka_unit_test(test_what_is_on_its_way_counts),
        cmocka_unit_test(test_a_pause_ends_with_another_receiver_only),
        cmocka_unit_test(test_bounds_change),
        cmocka_unit_test(test_a_change_that_is_abandoned),
        cmocka_unit_test(test_each_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
