/* Remote write 2.0 and OTLP towards receivers that answer everything in turn; falling back, partial
 * writes, and that every sample is accounted for. */
#include <stdio.h>
#include <string.h>

#include "ship/sender.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SAMPLES 10

static const char *const cursors[] = {"main"};

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct queue *queue;
    struct sender *sender;
    uint64_t records;
};

static void world_init(struct world *w, const struct sender_options *wanted)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(test_seed());
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    struct queue_options queue = {.path = "queue",
        .vfs = sim_vfs_get(w->disk),
        .clock = &w->clock.clock,
        .cursors = cursors,
        .cursor_count = 1};
    assert_int_equal(queue_open(&queue, &w->queue, NULL), 0);
    struct sender_options options = *wanted;
    options.name = "main";
    options.url = "http://r/";
    options.seed = test_seed();
    assert_int_equal(
        sender_new(&options, w->queue, 0, &w->http.client, &w->clock.clock, &w->sender), 0);
}

static void world_release(struct world *w)
{
    sender_free(w->sender);
    queue_close(w->queue);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

/* A batch of one series for each of SAMPLES samples. */
static void append(struct world *w)
{
    struct strbuf labels = STRBUF_INIT, message = STRBUF_INIT, payload = STRBUF_INIT;
    int64_t t = clock_now_ms(&w->clock.clock);
    for (int i = 0; i < SAMPLES; i++) {
        char name[8];
        snprintf(name, sizeof(name), "m%d", i);
        const struct label pair = {STR("__name__"), str_of(name)};
        const struct sample sample = {t, i};
        strbuf_reset(&labels);
        remote_write_encode_labels(&pair, 1, &labels);
        remote_write_encode_series(strbuf_str(&labels), &sample, 1, &message);
    }
    assert_int_equal(snappy_encode(strbuf_str(&message), &payload), 0);
    assert_int_equal(queue_append(w->queue, strbuf_str(&payload), SAMPLES, t, t), 0);
    w->records++;
    strbuf_release(&labels);
    strbuf_release(&message);
    strbuf_release(&payload);
}

static struct sender_statistics statistics_of(const struct world *w)
{
    struct sender_statistics s;
    sender_statistics(w->sender, &s);
    assert_int_equal(w->records * SAMPLES, s.sent_samples + s.rejected_samples +
                                               s.filtered_samples + s.aged_samples +
                                               s.waiting_samples + s.dropped_samples);
    return s;
}

static void answer(struct world *w, unsigned status, const char *written, struct str body)
{
    struct sim_http_answer a = {.status = status, .answer_body = body};
    if (written != NULL) {
        a.headers[a.header_count++] =
            (struct http_client_header){"X-Prometheus-Remote-Write-Samples-Written", written};
    }
    sim_http_client_expect(&w->http, &a);
    assert_true(sim_http_client_deliver(&w->http));
}

static bool speaks_version(const struct world *w, const char *version)
{
    return str_eq_c(
        sim_http_client_last_header(&w->http, "X-Prometheus-Remote-Write-Version"), version);
}

static void test_answers_to_remote_write_2(void **state)
{
    enum outcome { SENT, AGAIN, FALLS_BACK, REFUSED };
    static const struct {
        bool proven;
        unsigned status;
        const char *written;
        enum outcome outcome;
        uint64_t sent; /* of the ten, once the answer came */
    } rows[] = {
        {false, 204, "10", SENT, 10},
        {false, 200, "7", SENT, 7},        /* the other three it will never take */
        {false, 200, "99", SENT, 10},      /* counts more than it was given */
        {false, 204, NULL, FALLS_BACK, 0}, /* has read nothing it knows */
        {true, 204, NULL, FALLS_BACK, 0},
        {false, 204, "many", FALLS_BACK, 0},
        {false, 415, NULL, FALLS_BACK, 0},
        {true, 415, NULL, FALLS_BACK, 0},
        {false, 400, NULL, FALLS_BACK, 0}, /* an old receiver that cannot read it */
        {true, 400, NULL, REFUSED, 0},     /* it can: this batch is poison */
        {false, 400, "4", REFUSED, 4},     /* a partial write */
        {true, 400, "0", REFUSED, 0},
        {false, 401, NULL, REFUSED, 0},
        {false, 409, NULL, REFUSED, 0},
        {false, 422, NULL, REFUSED, 0},
        {false, 302, NULL, REFUSED, 0},
        {false, 429, NULL, AGAIN, 0},
        {false, 500, NULL, AGAIN, 0},
        {true, 503, NULL, AGAIN, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_init(&w, &(struct sender_options){.protocol = SHIP_REMOTE_WRITE_2});
        uint64_t before = 0;
        if (rows[i].proven) {
            append(&w);
            sender_step(w.sender);
            answer(&w, 204, "10", STR(""));
            before = SAMPLES;
        }
        append(&w);
        append(&w);
        sender_step(w.sender);
        assert_true(speaks_version(&w, "2.0.0"));
        answer(&w, rows[i].status, rows[i].written, STR(""));
        struct sender_statistics s = statistics_of(&w);
        enum outcome outcome = s.fall_backs > 0          ? FALLS_BACK
                               : s.rejected_requests > 0 ? REFUSED
                               : s.retries > 0           ? AGAIN
                                                         : SENT;
        if (outcome != rows[i].outcome || s.sent_samples - before != rows[i].sent) {
            fail_msg("row %zu, status %u: outcome %d, sent %llu; expected %d, %llu", i,
                rows[i].status, outcome, (unsigned long long)(s.sent_samples - before),
                rows[i].outcome, (unsigned long long)rows[i].sent);
        }
        bool done = outcome == SENT || outcome == REFUSED;
        assert_int_equal(s.rejected_samples, done ? SAMPLES - rows[i].sent : 0);
        /* The next request: the next batch, the same as 1.0, or nothing yet. */
        assert_int_equal(w.http.in_flight, outcome != AGAIN);
        if (outcome != AGAIN) {
            assert_true(speaks_version(&w, outcome == FALLS_BACK ? "0.1.0" : "2.0.0"));
        }
        sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = 500});
        if (w.http.in_flight > 0) {
            assert_true(sim_http_client_deliver(&w.http));
        } else {
            fake_clock_advance_ms(&w.clock, 1000);
            sender_step(w.sender);
            assert_true(sim_http_client_deliver(&w.http));
        }
        world_release(&w);
    }
}

/* What 1.0 does not take either is poison, and only that batch is lost; an hour later 2.0 is offered
 * again. */
static void test_falling_back_and_asking_again(void **state)
{
    struct world w;
    world_init(&w, &(struct sender_options){.protocol = SHIP_REMOTE_WRITE_2});
    append(&w);
    append(&w);
    sender_step(w.sender);
    answer(&w, 415, NULL, STR(""));
    answer(&w, 400, NULL, STR("bad"));
    assert_int_equal(statistics_of(&w).rejected_samples, SAMPLES);
    assert_true(speaks_version(&w, "0.1.0"));
    answer(&w, 200, NULL, STR(""));
    assert_int_equal(statistics_of(&w).sent_samples, SAMPLES);
    assert_int_equal(statistics_of(&w).protocol, SHIP_REMOTE_WRITE_1);
    fake_clock_advance_ms(&w.clock, SENDER_FALL_BACK_MS - 1);
    append(&w);
    sender_step(w.sender);
    assert_true(speaks_version(&w, "0.1.0"));
    answer(&w, 200, NULL, STR(""));
    fake_clock_advance_ms(&w.clock, 1);
    append(&w);
    sender_step(w.sender);
    assert_true(speaks_version(&w, "2.0.0"));
    answer(&w, 200, "10", STR(""));
    struct sender_statistics s = statistics_of(&w);
    assert_int_equal(s.sent_samples, 3 * SAMPLES);
    assert_int_equal(s.fall_backs, 1);
    world_release(&w);
}

static void test_answers_to_otlp(void **state)
{
    static const struct {
        unsigned status;
        struct str body;
        uint64_t sent, rejected;
    } rows[] = {
        {200, {"", 0}, 10, 0},
        {200, {"\x0a\x02\x08\x03", 4}, 7, 3}, /* partial success: three rejected */
        {200, {"\x0a\x02\x08\x7f", 4}, 0, 10},
        {200, {"\xff\xff", 2}, 10, 0}, /* what cannot be read says nothing */
        {400, {"", 0}, 0, 10},
        {500, {"", 0}, 0, 10}, /* not to be retried, unlike remote write */
        {502, {"", 0}, 0, 0},
        {503, {"", 0}, 0, 0},
        {504, {"", 0}, 0, 0},
        {429, {"", 0}, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_init(&w, &(struct sender_options){.protocol = SHIP_OTLP});
        append(&w);
        sender_step(w.sender);
        assert_true(
            sim_http_client_last_header(&w.http, "X-Prometheus-Remote-Write-Version").ptr == NULL);
        assert_true(str_eq_c(sim_http_client_last_header(&w.http, "Content-Encoding"), "gzip"));
        answer(&w, rows[i].status, NULL, rows[i].body);
        struct sender_statistics s = statistics_of(&w);
        if (s.sent_samples != rows[i].sent || s.rejected_samples != rows[i].rejected) {
            fail_msg("row %zu, status %u: sent %llu rejected %llu", i, rows[i].status,
                (unsigned long long)s.sent_samples, (unsigned long long)s.rejected_samples);
        }
        world_release(&w);
    }
}

static void test_own_limits(void **state)
{
    struct world w;
    world_init(&w, &(struct sender_options){.samples_max = 3,
                       .sample_age_max_ms = 60000,
                       .backoff_min_ms = 40,
                       .backoff_max_ms = 50});
    append(&w);
    fake_clock_advance_ms(&w.clock, 60001);
    append(&w); /* the first is too old by now */
    sender_step(w.sender);
    assert_int_equal(statistics_of(&w).aged_samples, SAMPLES);
    for (uint64_t sent = 0; sent < SAMPLES;) { /* 10 in pieces of at most 3 */
        answer(&w, 200, NULL, STR(""));
        uint64_t now = statistics_of(&w).sent_samples;
        assert_true(now > sent && now - sent <= 3);
        sent = now;
    }
    append(&w);
    sender_step(w.sender);
    for (int i = 0; i < 5; i++) {
        answer(&w, 503, NULL, STR(""));
        int64_t wait = sender_step(w.sender);
        assert_true(wait >= 40 && wait <= 50);
        fake_clock_advance_ms(&w.clock, wait);
        sender_step(w.sender);
    }
    assert_int_equal(statistics_of(&w).waiting_samples, SAMPLES);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_to_remote_write_2),
        cmocka_unit_test(test_falling_back_and_asking_again),
        cmocka_unit_test(test_answers_to_otlp),
        cmocka_unit_test(test_own_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
