/* An outage of the store under load: scraper, shipper and queue as the agent has them, on a clock that is moved by
 * hand and a real disk. 20 targets expose 500 series each second; the receiver is away for a while, then comes back.
 * Nothing is lost, nothing comes out of order, every sample is accounted for at any time, memory stays as it was,
 * and catching up goes at least 20 times as fast as the samples came.
 *
 *   test_agent_outage [SECONDS]    how long the outage is; a minute unless said
 *
 * A value is (number of the scrape) * SERIES_MAX + (number of the series), so that the receiver knows from the
 * values alone what is missing. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/vfs.h"
#include "intake/intake.h"
#include "scrape/scraper.h"
#include "ship/shipper.h"
#include "support/fake_clock.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

enum {
    TARGETS = 20,
    SERIES = 500, /* of a target */
    SERIES_MAX = 100000,
    RATE = TARGETS * SERIES,
    CALM_SECONDS = 30,
    FASTER_MIN = 20,
    GROWTH_MAX = 8 << 20,
    ATTEMPTS_SECONDS = 10, /* in the long run one attempt in so many seconds at most */
};

static int outage_seconds = 60;

/* ---- The receiver ---- */

struct receiver {
    struct http_client client; /* first */
    bool away;
    struct str body; /* of the request in flight; the sender's */
    http_client_done done;
    void *context;
    uint64_t attempts, samples, repeated, lost;
    uint64_t next[TARGETS * SERIES]; /* scrape expected of each series */
};

static int receive(struct http_client *client, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct receiver *r = (struct receiver *)client;
    assert_null(r->done); /* one request in flight */
    r->body = request->body;
    r->done = done;
    r->context = context;
    r->attempts++;
    *call_out = (struct http_client_call *)r;
    return 0;
}

static void take_sample(struct receiver *r, double value)
{
    uint64_t number = (uint64_t)value, series = number % SERIES_MAX, scrape = number / SERIES_MAX;
    if (scrape == 0) {
        return; /* up and its like */
    }
    assert_true(series < TARGETS * SERIES);
    if (scrape < r->next[series]) {
        r->repeated++;
        return;
    }
    r->lost += scrape - r->next[series];
    r->next[series] = scrape + 1;
    r->samples++;
}

static void take_request(struct receiver *r)
{
    struct arena arena;
    struct strbuf message = STRBUF_INIT;
    struct remote_write_decoder *decoder = NULL;
    struct remote_write_item item;
    arena_init(&arena, 0);
    assert_int_equal(snappy_decode(r->body, REMOTE_WRITE_MESSAGE_MAX, &message), 0);
    assert_int_equal(remote_write_decoder_new(strbuf_str(&message), &arena, &decoder), 0);
    while (remote_write_next(decoder, &item, NULL) == 1) {
        for (size_t i = 0; item.kind == REMOTE_WRITE_SERIES && i < item.sample_count; i++) {
            take_sample(r, item.samples[i].value);
        }
    }
    strbuf_release(&message);
    arena_release(&arena);
}

static void end_request(struct receiver *r, int error, unsigned status)
{
    http_client_done done = r->done;
    struct http_client_response response = {
        .error = error, .status = status, .body = STR(""), .retry_after_ms = -1};
    r->done = NULL;
    done(r->context, &response);
}

static void cancel(struct http_client *client, struct http_client_call *call)
{
    (void)call;
    end_request((struct receiver *)client, ERR_CANCELED, 0);
}

/* Answers until nothing is sent any more. */
static void answer(struct receiver *r)
{
    while (r->done != NULL) {
        if (r->away) {
            end_request(r, ERR_IO, 0);
        } else {
            take_request(r);
            end_request(r, 0, 204);
        }
    }
}

/* ---- The agent ---- */

struct source {
    unsigned number;
    uint64_t scrape;
};

struct world {
    struct fake_clock clock;
    struct receiver receiver;
    struct shipper *shipper;
    struct intake_gate gate;
    struct scraper *scraper;
    struct source sources[TARGETS];
    char path[64];
};

static void expose(void *context, struct strbuf *out)
{
    struct source *source = context;
    source->scrape++;
    for (unsigned i = 0; i < SERIES; i++) {
        if (i % 5 == 0) {
            strbuf_addf(out, "# TYPE component_requests_%u_total counter\n", i / 5);
        }
        strbuf_addf(out,
            "component_requests_%u_total{code=\"%u\",handler=\"/api/v1/items\"} %llu\n", i / 5,
            200 + i % 5,
            (unsigned long long)(source->scrape * SERIES_MAX + source->number * SERIES + i));
    }
}

static void set_targets(struct world *w)
{
    struct target_options targets[TARGETS];
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < TARGETS; i++) {
        char instance[32];
        snprintf(instance, sizeof(instance), "127.0.0.%u:9100", i + 1);
        const struct label own[] = {{STR("instance"), str_of(instance)}, {STR("job"), STR("app")}};
        w->sources[i].number = i;
        targets[i] = (struct target_options){
            .expose = expose, .expose_context = &w->sources[i], .interval_ms = 1000, .seed = 1};
        assert_int_equal(labels_new(own, 2, &targets[i].labels, NULL), 0);
    }
    assert_int_equal(scraper_set_targets(w->scraper, targets, TARGETS, &e), 0);
    for (unsigned i = 0; i < TARGETS; i++) {
        labels_unref(targets[i].labels);
    }
}

static void world_open(struct world *w)
{
    static const struct sender_options destination = {.name = "store", .url = "http://store/"};
    struct err e = ERR_INIT;
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, 1700000000000);
    w->receiver.client = (struct http_client){.send = receive, .cancel = cancel};
    for (size_t i = 0; i < TARGETS * SERIES; i++) {
        w->receiver.next[i] = 1;
    }
    snprintf(w->path, sizeof(w->path), "/tmp/sonde-outage-%d", (int)getpid());
    const struct shipper_options options = {
        .queue = {.path = w->path, .vfs = vfs_posix(), .free_floor_bytes = 1},
        .destinations = &destination,
        .destination_count = 1,
        .client = &w->receiver.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    assert_int_equal(shipper_open(&options, &w->shipper, &e), 0);
    intake_gate_init(&w->gate, "scrape", shipper_intake(w->shipper));
    assert_int_equal(
        scraper_new(&w->clock.clock, &w->receiver.client, &w->gate.intake, &w->scraper), 0);
    set_targets(w);
}

static int remove_file(void *context, const char *name, bool is_directory)
{
    char path[512];
    (void)is_directory;
    snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    (void)unlink(path);
    return 0;
}

static void world_close(struct world *w)
{
    scraper_free(w->scraper);
    shipper_close(w->shipper);
    (void)vfs_list(vfs_posix(), w->path, remove_file, w->path);
    (void)rmdir(w->path);
}

/* Scraped = sent + waiting + dropped (by any reason) + in the open batch + lost. */
static void check_account(const struct world *w)
{
    struct shipper_statistics s;
    struct sender_statistics d;
    shipper_statistics(w->shipper, &s);
    shipper_destination_statistics(w->shipper, 0, &d);
    uint64_t there = d.sent_samples + d.waiting_samples + d.dropped_samples + d.rejected_samples +
                     d.aged_samples + d.filtered_samples + s.open_samples + s.lost_samples;
    if (w->gate.samples != there) {
        fail_msg("scraped %llu, but sent %llu + waiting %llu + dropped %llu + rejected %llu + "
                 "open %llu + lost %llu",
            (unsigned long long)w->gate.samples, (unsigned long long)d.sent_samples,
            (unsigned long long)d.waiting_samples, (unsigned long long)d.dropped_samples,
            (unsigned long long)d.rejected_samples, (unsigned long long)s.open_samples,
            (unsigned long long)s.lost_samples);
    }
}

static void pass_seconds(struct world *w, int seconds)
{
    for (int64_t left = (int64_t)seconds * 1000; left > 0;) {
        int64_t scrape = scraper_step(w->scraper), ship = shipper_step(w->shipper);
        int64_t wait = scrape < ship ? scrape : ship;
        wait = wait > 0 ? wait : 1;
        answer(&w->receiver);
        fake_clock_advance_ms(&w->clock, wait);
        left -= wait;
        check_account(w);
    }
}

static uint64_t waiting(const struct world *w)
{
    struct sender_statistics d;
    shipper_destination_statistics(w->shipper, 0, &d);
    return d.waiting_samples;
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_an_outage_costs_nothing(void **state)
{
    static struct world w;
    (void)state;
    world_open(&w);
    pass_seconds(&w, CALM_SECONDS);
    assert_int_equal(waiting(&w), 0);
    int64_t before = resident_bytes();

    w.receiver.away = true;
    uint64_t attempts = w.receiver.attempts;
    pass_seconds(&w, outage_seconds);
    attempts = w.receiver.attempts - attempts;
    int64_t grown = resident_bytes() - before;
    uint64_t backlog = waiting(&w);
    assert_true(backlog >= (uint64_t)(outage_seconds - 2) * RATE);
    assert_true(attempts <= (uint64_t)outage_seconds / ATTEMPTS_SECONDS + 20);

    w.receiver.away = false;
    uint64_t samples = w.receiver.samples;
    double cpu = cpu_seconds();
    int seconds = 0;
    for (; waiting(&w) > 0 && seconds < 120; seconds++) {
        pass_seconds(&w, 1);
    }
    cpu = cpu_seconds() - cpu;
    samples = w.receiver.samples - samples;
    int64_t grown_after = resident_bytes() - before;
    pass_seconds(&w, 2);
    printf(
        "outage of %d s at %d samples/s: %llu samples waited, %llu attempts; caught up %d s after "
        "it, "
        "%.0f times as fast as they came (receiver included); memory grew by %.1f MiB, then %.1f\n",
        outage_seconds, RATE, (unsigned long long)backlog, (unsigned long long)attempts, seconds,
        (double)samples / cpu / RATE, (double)grown / 1048576, (double)grown_after / 1048576);
    assert_int_equal(w.receiver.lost, 0);
    assert_int_equal(w.receiver.repeated, 0);
    for (size_t i = 0; i < TARGETS * SERIES; i++) {
        assert_true(w.receiver.next[i] > w.sources[i / SERIES].scrape - 2);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown < GROWTH_MAX && grown_after < GROWTH_MAX);
#endif
    /* The wait before the attempt that finds it back is the longest backoff. */
    assert_true(seconds <= SENDER_BACKOFF_MAX_MS / 1000 + 2);
    world_close(&w);
}

/* Somebody sets the wall clock, forwards and back, by seconds and by days: scrapes go on within an interval, all that was
 * scraped arrives, once, and is accounted for. */
static void test_the_clock_jumps(void **state)
{
    enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };
    static const int64_t jumps[] = {
        5 * SECOND, -5 * SECOND, HOUR, -2 * HOUR, 20 * DAY, -24 * DAY, 1, -1};
    static struct world w;
    (void)state;
    world_open(&w);
    pass_seconds(&w, 3);
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        uint64_t before[TARGETS];
        for (size_t t = 0; t < TARGETS; t++) {
            before[t] = w.sources[t].scrape;
        }
        fake_clock_set_wall_ms(&w.clock, clock_now_ms(&w.clock.clock) + jumps[i]);
        pass_seconds(&w, 6);
        for (size_t t = 0; t < TARGETS; t++) {
            uint64_t scrapes = w.sources[t].scrape - before[t];
            if (scrapes < 5 || scrapes > 7) {
                fail_msg("target %zu was scraped %llu times in 6 s after a jump of %lld ms", t,
                    (unsigned long long)scrapes, (long long)jumps[i]);
            }
        }
    }
    pass_seconds(&w, 2);
    assert_int_equal(w.receiver.lost, 0);
    assert_int_equal(w.receiver.repeated, 0);
    for (size_t i = 0; i < TARGETS * SERIES; i++) {
        assert_true(w.receiver.next[i] > w.sources[i / SERIES].scrape - 2);
    }
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_jumps),
        cmocka_unit_test(test_an_outage_costs_nothing),
    };
    outage_seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : outage_seconds;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
