/* One destination: what goes over the wire, and what each answer leads to. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ship/sender.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/support.h"

static const char *const cursors[] = {"main"};

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct queue *queue;
    struct sender *sender;
    uint64_t appended; /* records */
};

static void world_init_with_grace(struct world *w, uint64_t seed, int64_t grace_ms)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(seed);
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    struct queue_options queue = {.path = "queue",
        .vfs = sim_vfs_get(w->disk),
        .clock = &w->clock.clock,
        .segment_bytes = 200,
        .cursors = cursors,
        .cursor_count = 1};
    assert_int_equal(queue_open(&queue, &w->queue, NULL), 0);
    static const struct http_client_header own[] = {{"Authorization", "Bearer x"}};
    struct sender_options options = {.name = "main",
        .url = "http://r/api/v1/write",
        .headers = own,
        .header_count = 1,
        .unauthorized_grace_ms = grace_ms,
        .seed = seed};
    assert_int_equal(
        sender_new(&options, w->queue, 0, &w->http.client, &w->clock.clock, &w->sender), 0);
}

static void world_init(struct world *w, uint64_t seed)
{
    world_init_with_grace(w, seed, 0);
}

static void world_release(struct world *w)
{
    sender_free(w->sender);
    queue_close(w->queue);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

/* Record n is the text "request n", with 10 samples. */
static void append(struct world *w)
{
    char text[32];
    int64_t t = (int64_t)++w->appended * 1000;
    int length = snprintf(text, sizeof(text), "request %d", (int)w->appended);
    assert_int_equal(queue_append(w->queue, str_make(text, (size_t)length), 10, t, t + 9), 0);
}

static struct sender_statistics statistics_of(const struct world *w)
{
    struct sender_statistics s;
    sender_statistics(w->sender, &s);
    assert_int_equal(w->appended * 10,
        s.sent_samples + s.rejected_samples + s.waiting_samples + s.dropped_samples);
    return s;
}

static void check_header(const struct world *w, const char *name, const char *expected)
{
    struct str got = sim_http_client_last_header(&w->http, name);
    if ((expected == NULL) != (got.ptr == NULL) || (expected != NULL && !str_eq_c(got, expected))) {
        fail_msg("%s: \"%s\", expected \"%s\"", name, got.ptr != NULL ? got.ptr : "(absent)",
            expected != NULL ? expected : "(absent)");
    }
}

/* Remote write 1.0, "Protocol". */
static void test_the_request(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    assert_int_equal(sender_step(w.sender), -1); /* nothing to send */
    append(&w);
    sim_http_client_expect(&w.http,
        &(struct sim_http_answer){
            .method = "POST", .url = "http://r/api/v1/write", .body = "request 1", .status = 204});
    assert_int_equal(sender_step(w.sender), -1);
    check_header(&w, "Content-Type", "application/x-protobuf");
    check_header(&w, "Content-Encoding", "snappy");
    check_header(&w, "X-Prometheus-Remote-Write-Version", "0.1.0");
    check_header(&w, "Authorization", "Bearer x");
    check_header(&w, "Retry-Attempt", NULL);
    assert_int_equal(w.http.last.timeout_ms, SENDER_TIMEOUT_DEFAULT_MS);
    assert_true(statistics_of(&w).in_flight);
    assert_int_equal(sender_step(w.sender), -1); /* one in flight at most */
    assert_int_equal(w.http.sent, 1);
    assert_true(sim_http_client_deliver(&w.http));
    struct sender_statistics s = statistics_of(&w);
    assert_int_equal(s.sent_samples, 10);
    assert_int_equal(s.sent_requests, 1);
    assert_int_equal(s.sent_bytes, strlen("request 1"));
    assert_int_equal(s.newest_sent_t, 1009);
    assert_int_equal(s.last_status, 204);
    world_release(&w);
}

static void test_answers(void **state)
{
    enum outcome { SENT, RETRIED, REJECTED };
    static const struct {
        int error;
        unsigned status;
        enum outcome outcome;
    } rows[] = {
        {0, 200, SENT},
        {0, 202, SENT},
        {0, 204, SENT},
        {0, 500, RETRIED},
        {0, 502, RETRIED},
        {0, 503, RETRIED},
        {0, 599, RETRIED},
        {0, 429, RETRIED},
        {ERR_IO, 0, RETRIED},
        {ERR_TIMEOUT, 0, RETRIED},
        {0, 301, REJECTED},
        {0, 400, REJECTED},
        {0, 401, REJECTED},
        {0, 404, REJECTED},
        {0, 413, REJECTED},
        {0, 422, REJECTED},
        /* The answer is too long to read, but it is an answer. */
        {ERR_LIMIT, 200, SENT},
        {ERR_LIMIT, 400, REJECTED},
        {ERR_LIMIT, 503, RETRIED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_init(&w, test_seed() + i);
        append(&w);
        append(&w);
        const struct sim_http_answer first = {
            .body = "request 1", .error = rows[i].error, .status = rows[i].status};
        const struct sim_http_answer again = {
            .body = rows[i].outcome == RETRIED ? "request 1" : "request 2", .status = 204};
        sim_http_client_expect(&w.http, &first);
        sim_http_client_expect(&w.http, &again);
        sender_step(w.sender);
        assert_true(sim_http_client_deliver(&w.http));
        struct sender_statistics s = statistics_of(&w);
        enum outcome outcome = s.sent_samples == 10       ? SENT
                               : s.rejected_samples == 10 ? REJECTED
                                                          : RETRIED;
        if (outcome != rows[i].outcome) {
            fail_msg("error %d status %u: outcome %d, expected %d", rows[i].error, rows[i].status,
                outcome, rows[i].outcome);
        }
        assert_int_equal(s.retries, outcome == RETRIED);
        assert_int_equal(s.failing, outcome == RETRIED);
        assert_int_equal(s.last_status, rows[i].status);
        /* The next one goes at once, the same one after a while. */
        assert_int_equal(w.http.in_flight, outcome != RETRIED);
        if (outcome == RETRIED) {
            fake_clock_advance_ms(&w.clock, sender_step(w.sender));
            sender_step(w.sender);
        }
        assert_true(sim_http_client_deliver(&w.http));
        assert_false(statistics_of(&w).failing);
        world_release(&w);
    }
}

/* 100 ms to a ceiling of 200 ms, 400 ms … 30 s, for as long as it takes; each retry says its number. */
static void test_waiting_grows_within_its_bounds(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w;
        int64_t ceiling = 200;
        world_init(&w, test_seed() + seed);
        append(&w);
        sender_step(w.sender);
        for (int attempt = 1; attempt <= 20; attempt++) {
            char number[8];
            sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = 503});
            assert_true(sim_http_client_deliver(&w.http));
            int64_t wait = sender_step(w.sender);
            if (wait < 100 || wait > ceiling) {
                fail_msg("attempt %d waits %lld ms, expected 100 to %lld", attempt, (long long)wait,
                    (long long)ceiling);
            }
            fake_clock_advance_ms(&w.clock, wait - 1);
            assert_int_equal(sender_step(w.sender), 1);
            assert_int_equal(w.http.sent, attempt);
            fake_clock_advance_ms(&w.clock, 1);
            sender_step(w.sender);
            assert_int_equal(w.http.sent, attempt + 1);
            snprintf(number, sizeof(number), "%d", attempt);
            check_header(&w, "Retry-Attempt", number);
            ceiling = ceiling * 2 < SENDER_BACKOFF_MAX_MS ? ceiling * 2 : SENDER_BACKOFF_MAX_MS;
        }
        /* Success forgets the past. */
        append(&w);
        sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = 204});
        assert_true(sim_http_client_deliver(&w.http));
        check_header(&w, "Retry-Attempt", NULL);
        sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = 503});
        assert_true(sim_http_client_deliver(&w.http));
        assert_true(sender_step(w.sender) <= 200);
        world_release(&w);
    }
}

static void test_retry_after_is_a_lower_bound_within_reason(void **state)
{
    static const struct {
        unsigned status;
        int64_t asked_ms, low_ms, high_ms;
        int error;
    } rows[] = {
        {503, 5000, 5000, 5000, ERR_LIMIT}, /* too long to read; its head was read */
        {429, 5000, 5000, 5000, 0},
        {503, 5000, 5000, 5000, 0},
        {503, 1, 100, 200, 0}, /* not sooner than it would */
        {503, 86400000, SENDER_RETRY_AFTER_MAX_MS, SENDER_RETRY_AFTER_MAX_MS, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_init(&w, test_seed());
        append(&w);
        sim_http_client_expect(&w.http, &(struct sim_http_answer){.status = rows[i].status,
                                            .error = rows[i].error,
                                            .retry_after_ms = rows[i].asked_ms});
        sender_step(w.sender);
        assert_true(sim_http_client_deliver(&w.http));
        int64_t wait = sender_step(w.sender);
        if (wait < rows[i].low_ms || wait > rows[i].high_ms) {
            fail_msg("asked for %lld ms: waits %lld, expected %lld to %lld",
                (long long)rows[i].asked_ms, (long long)wait, (long long)rows[i].low_ms,
                (long long)rows[i].high_ms);
        }
        world_release(&w);
    }
}

/* A hundred agents whose receiver answers 429 to all of them for ten minutes, and then takes everything: each has one
 * request on its way at most, asks ever less often, and they do not ask together; it is not asked more than once for
 * each record when it is back. */
static void test_no_storm_of_429(void **state)
{
    enum { AGENTS = 100, SECONDS = 600, STEP_MS = 50, CALM_SECONDS = 60, EACH_MAX = 60 };
    static struct world worlds[AGENTS];
    unsigned asked_in[SECONDS] = {0}, most = 0;
    (void)state;
    for (size_t i = 0; i < AGENTS; i++) {
        world_init(&worlds[i], test_seed() * 1000 + i);
        append(&worlds[i]);
        append(&worlds[i]);
    }
    for (int ms = 0; ms < SECONDS * 1000; ms += STEP_MS) {
        for (size_t i = 0; i < AGENTS; i++) {
            struct world *w = &worlds[i];
            sender_step(w->sender);
            assert_true(w->http.in_flight <= 1);
            if (w->http.in_flight > 0) {
                asked_in[ms / 1000]++;
                sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = 429});
                assert_true(sim_http_client_deliver(&w->http));
            }
            fake_clock_advance_ms(&w->clock, STEP_MS);
        }
    }
    for (int second = CALM_SECONDS; second < SECONDS; second++) {
        most = asked_in[second] > most ? asked_in[second] : most;
    }
    print_message("at most %u of %d agents ask in one second\n", most, AGENTS);
    assert_true(
        most < AGENTS / 4); /* the mean wait is 15 s: 7 a second when they are spread evenly */
    for (size_t i = 0; i < AGENTS; i++) {
        struct world *w = &worlds[i];
        size_t before = w->http.sent;
        assert_true(before <= EACH_MAX);
        fake_clock_advance_ms(&w->clock, SENDER_BACKOFF_MAX_MS);
        sender_step(w->sender);
        for (int record = 0; record < 2; record++) {
            sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = 204});
            assert_true(sim_http_client_deliver(&w->http));
        }
        assert_int_equal(w->http.sent, before + 2);
        assert_int_equal(statistics_of(w).sent_samples, 20);
        world_release(w);
    }
}

/* The request in flight is answered; returns how long the next one waits. */
static int64_t answer(struct world *w, unsigned status)
{
    sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = status});
    assert_true(sim_http_client_deliver(&w->http));
    return sender_step(w->sender);
}

/* 401 and 403 keep samples for the time of grace, asked once a minute; then they are refusals like others until
 * a request was taken. */
static void test_grace_for_a_token_that_is_exchanged(void **state)
{
    enum { GRACE_MS = 10 * SENDER_UNAUTHORIZED_WAIT_MS };
    struct world w;
    (void)state;
    world_init_with_grace(&w, test_seed(), GRACE_MS);
    append(&w);
    append(&w);
    append(&w);
    sender_step(w.sender);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) { /* put right in time */
            assert_int_equal(answer(&w, i % 2 == 0 ? 401 : 403), SENDER_UNAUTHORIZED_WAIT_MS);
            fake_clock_advance_ms(&w.clock, SENDER_UNAUTHORIZED_WAIT_MS);
            sender_step(w.sender);
        }
        answer(&w, 204);
        assert_int_equal(statistics_of(&w).sent_samples, 10 * (round + 1));
        assert_int_equal(statistics_of(&w).rejected_samples, 0);
    }
    for (int i = 0; i < 10; i++) { /* not put right */
        assert_int_equal(answer(&w, 401), SENDER_UNAUTHORIZED_WAIT_MS);
        fake_clock_advance_ms(&w.clock, SENDER_UNAUTHORIZED_WAIT_MS);
        sender_step(w.sender);
    }
    answer(&w, 401);
    assert_int_equal(statistics_of(&w).rejected_samples, 10);
    append(&w);
    sender_step(w.sender);
    answer(&w, 403);
    assert_int_equal(statistics_of(&w).rejected_samples, 20);
    append(&w);
    append(&w);
    sender_step(w.sender);
    answer(&w, 204);
    assert_int_equal(answer(&w, 401), SENDER_UNAUTHORIZED_WAIT_MS); /* a new time of grace */
    world_release(&w);
}

/* The queue drops the record that is on its way: it counts as sent, and its successor is sent. */
static void test_a_record_dropped_in_flight_costs_no_other(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    append(&w);
    sender_step(w.sender);
    while (w.appended < 40) {
        append(&w);
    }
    fake_clock_set_wall_ms(&w.clock, QUEUE_AGE_MAX_MS_DEFAULT + 20000); /* too old: 1 to about 20 */
    queue_maintain(w.queue);
    struct sender_statistics s = statistics_of(&w);
    assert_true(s.dropped_samples >= 100 && s.dropped_samples <= 250);
    uint64_t dropped = s.dropped_samples / 10;
    char next[32];
    snprintf(next, sizeof(next), "request %d", (int)dropped + 1);
    sim_http_client_expect(&w.http, &(struct sim_http_answer){.body = "request 1"});
    sim_http_client_expect(&w.http, &(struct sim_http_answer){.body = next});
    assert_true(sim_http_client_deliver(&w.http));
    s = statistics_of(&w);
    assert_int_equal(s.sent_samples, 10);
    assert_int_equal(s.dropped_samples, (dropped - 1) * 10);
    assert_true(sim_http_client_deliver(&w.http));
    statistics_of(&w);
    world_release(&w);
}

static void on_nothing(void *context, const struct http_client_response *response)
{
    (void)context;
    assert_int_equal(response->error, ERR_CANCELED);
}

static void test_a_client_that_is_busy_is_asked_again(void **state)
{
    struct world w;
    world_init(&w, test_seed());
    append(&w);
    w.http.in_flight_max = 1;
    struct http_client_call *other = NULL;
    const struct http_client_request request = {.method = "GET", .url = "http://o/"};
    assert_int_equal(w.http.client.send(&w.http.client, &request, on_nothing, NULL, &other), 0);
    int64_t wait = sender_step(w.sender);
    assert_true(wait >= 100 && wait <= 200);
    w.http.client.cancel(&w.http.client, other);
    fake_clock_advance_ms(&w.clock, wait);
    sim_http_client_expect(&w.http, &(struct sim_http_answer){.body = "request 1", .status = 204});
    sender_step(w.sender);
    assert_true(sim_http_client_deliver(&w.http));
    assert_int_equal(statistics_of(&w).sent_samples, 10);
    world_release(&w);
}

static void test_without_memory_it_tries_again(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct world w;
        world_init(&w, test_seed());
        append(&w);
        mem_fail_nth(nth);
        sender_step(w.sender);
        bool untouched = mem_fail_pending();
        mem_fail_nth(0);
        sim_http_client_expect(
            &w.http, &(struct sim_http_answer){.body = "request 1", .status = 204});
        for (int i = 0; i < 3 && w.http.in_flight == 0; i++) {
            fake_clock_advance_ms(&w.clock, 200);
            sender_step(w.sender);
        }
        assert_true(sim_http_client_deliver(&w.http));
        assert_int_equal(statistics_of(&w).sent_samples, 10);
        world_release(&w);
        if (untouched || nth >= 4) {
            break; /* later ones are the twin's own */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_waiting_grows_within_its_bounds),
        cmocka_unit_test(test_retry_after_is_a_lower_bound_within_reason),
        cmocka_unit_test(test_no_storm_of_429),
        cmocka_unit_test(test_grace_for_a_token_that_is_exchanged),
        cmocka_unit_test(test_a_record_dropped_in_flight_costs_no_other),
        cmocka_unit_test(test_a_client_that_is_busy_is_asked_again),
        cmocka_unit_test(test_without_memory_it_tries_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
