/* Bodies that are large: no turn sends more than its share, and nothing of a body is sent before its end. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "scrape/scraper.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/support.h"

#define INTERVAL_MS 10000
#define SYNTHETIC 5

/* Counts, by what the values are. */
struct counting {
    struct intake intake; /* first */
    size_t samples, stale, adds;
    double sum;
};

struct world {
    struct fake_clock clock;
    struct sim_http_client http;
    struct counting counting;
    struct scraper *scraper;
    const struct labels *labels;
};

static void count(struct intake *self, const struct remote_write_series *series)
{
    struct counting *c = (struct counting *)self;
    c->adds++;
    for (size_t i = 0; i < series->sample_count; i++) {
        bool stale = value_is_stale(series->samples[i].value);
        c->stale += stale;
        c->samples += !stale;
        c->sum += stale ? 0 : series->samples[i].value;
    }
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
}

static enum intake_pressure pressure(const struct intake *self)
{
    return INTAKE_EASY;
}

static void begin(struct world *w, struct intake *intake, struct target_options options)
{
    const struct label job = {STR("job"), STR("j")};
    struct err e = ERR_INIT;
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    assert_int_equal(labels_new(&job, 1, &w->labels, &e), 0);
    options.labels = w->labels;
    options.url = "http://a/metrics";
    options.interval_ms = INTERVAL_MS;
    options.honor_timestamps = true;
    assert_int_equal(scraper_new(&w->clock.clock, &w->http.client, intake, &w->scraper), 0);
    assert_int_equal(scraper_set_targets(w->scraper, &options, 1, &e), 0);
}

static void begin_counting(struct world *w, struct target_options options)
{
    memset(w, 0, sizeof(*w));
    w->counting.intake =
        (struct intake){.add = count, .add_metadata = add_metadata, .pressure = pressure};
    begin(w, &w->counting.intake, options);
}

static void end(struct world *w)
{
    scraper_free(w->scraper);
    sim_http_client_release(&w->http);
    labels_unref(w->labels);
}

/* Turns until the request is out. */
static void ask(struct world *w)
{
    size_t sent = w->http.sent;
    for (int turns = 0; w->http.sent == sent; turns++) {
        assert_true(turns < 1000);
        int64_t wait = scraper_step(w->scraper);
        fake_clock_advance_ms(&w->clock, w->http.sent != sent ? 0 : wait);
    }
}

static void answer(struct world *w, struct sim_http_answer a)
{
    assert_true(sim_http_client_answer(&w->http, "metrics", &a));
}

/* `series` series from number `first` on, each with its number as value; with times of their own, or not. */
static void make_body(struct strbuf *out, size_t first, size_t series, bool times)
{
    strbuf_reset(out);
    for (size_t i = first; i < first + series; i++) {
        strbuf_addf(out, "m{s=\"%zu\"} %zu%s\n", i, i, times ? " 1699999999999" : "");
    }
}

/* Turns until the target is at rest again; none of them sends more than its share. */
static void turn(struct world *w)
{
    for (int turns = 0; turns < 1000; turns++) {
        size_t before = w->counting.adds;
        int64_t wait = scraper_step(w->scraper);
        assert_true(w->counting.adds - before <= TARGET_SENT_AT_ONCE + SYNTHETIC);
        if (wait > 0) {
            return;
        }
    }
    fail_msg("it never comes to rest");
}

static double sum_of(size_t first, size_t series)
{
    return (double)series * (2 * (double)first + (double)series - 1) / 2;
}

static void check(struct world *w, size_t samples, double sum, size_t stale, bool up)
{
    struct target_status status;
    (void)scraper_target(w->scraper, 0, &status);
    assert_int_equal(status.health == TARGET_UP, up);
    assert_int_equal(w->counting.samples, samples + SYNTHETIC);
    assert_int_equal(w->counting.stale, stale);
    double synthetic = (up ? 1 : 0) + status.last_duration_s + (double)status.last_samples +
                       (double)status.last_kept;
    assert_true(w->counting.sum >= sum + synthetic - 0.5);
    w->counting.samples = w->counting.stale = w->counting.adds = 0;
    w->counting.sum = 0;
}

static void test_no_turn_sends_more_than_its_share(void **state)
{
    enum { SERIES = 50000 };
    for (int times = 0; times < 2; times++) {
        struct world w;
        struct strbuf body = STRBUF_INIT;
        begin_counting(&w, (struct target_options){.track_timestamps = true});
        make_body(&body, 0, SERIES, times == 1);
        for (int round = 0; round < 3; round++) {
            ask(&w);
            answer(&w, (struct sim_http_answer){.answer_body = strbuf_str(&body)});
            assert_true(w.counting.adds <= TARGET_SENT_AT_ONCE);
            assert_int_equal(scraper_step(w.scraper), 0); /* there is more, and it is due */
            turn(&w);
            check(&w, SERIES, sum_of(0, SERIES), 0, true);
        }
        /* Half of it vanishes, as much is new. */
        make_body(&body, SERIES / 2, SERIES, times == 1);
        ask(&w);
        answer(&w, (struct sim_http_answer){.answer_body = strbuf_str(&body)});
        turn(&w);
        check(&w, SERIES, sum_of(SERIES / 2, SERIES), SERIES / 2, true);
        /* All of it ends. */
        ask(&w);
        answer(&w, (struct sim_http_answer){.status = 500});
        turn(&w);
        check(&w, 0, 0, SERIES, false);
        ask(&w);
        answer(&w, (struct sim_http_answer){.answer_body = strbuf_str(&body)});
        turn(&w);
        check(&w, SERIES, sum_of(SERIES / 2, SERIES), 0, true);
        strbuf_release(&body);
        end(&w);
    }
}

/* A scrape that is still being sent is neither lost nor cut by what comes then. */
static void test_what_comes_while_it_is_sent(void **state)
{
    enum { SERIES = 30000 };
    struct strbuf body = STRBUF_INIT;
    make_body(&body, 0, SERIES, false);
    for (int what = 0; what < 3; what++) {
        struct world w;
        struct err e = ERR_INIT;
        begin_counting(&w, (struct target_options){0});
        ask(&w);
        answer(&w, (struct sim_http_answer){.answer_body = strbuf_str(&body)});
        assert_true(w.counting.samples < SERIES);
        if (what == 0) { /* the next slot: it waits */
            size_t sent = w.http.sent;
            fake_clock_advance_ms(&w.clock, INTERVAL_MS);
            assert_int_equal(scraper_step(w.scraper), 0);
            assert_int_equal(w.http.sent, sent);
            turn(&w);
            check(&w, SERIES, sum_of(0, SERIES), 0, true);
            assert_int_equal(w.http.sent, sent + 1); /* as soon as there is time */
        } else if (what == 1) {                      /* the target is removed: whole, then ended */
            assert_int_equal(scraper_set_targets(w.scraper, NULL, 0, &e), 0);
            assert_int_equal(w.counting.samples, SERIES + SYNTHETIC);
            assert_int_equal(w.counting.stale, SERIES + SYNTHETIC);
        }
        end(&w);
        if (what == 2) { /* shutdown: whole */
            assert_int_equal(w.counting.samples, SERIES + SYNTHETIC);
            assert_int_equal(w.counting.stale, 0);
        }
    }
    strbuf_release(&body);
}

/* Body after body that breaks off: what was read of it is never sent, and does not stay. */
static void test_bodies_that_break_off(void **state)
{
    enum { SERIES = 20000 };
    struct world w;
    struct strbuf body = STRBUF_INIT;
    struct target_status status;
    begin_counting(&w, (struct target_options){.sample_limit = SERIES});
    for (size_t round = 0; round < 8; round++) {
        make_body(&body, round * SERIES, SERIES, round % 2 == 1);
        ask(&w);
        assert_true(sim_http_client_feed(&w.http, "metrics", strbuf_str(&body)));
        assert_int_equal(w.counting.adds, 0); /* not before its end */
        if (round % 4 < 2) {
            answer(&w, (struct sim_http_answer){.error = ERR_IO});
        } else {
            assert_true(sim_http_client_feed(&w.http, "metrics",
                round % 4 == 2 ? STR("broken\n") : STR("one{too=\"many\"} 1\n")));
        }
        turn(&w);
        check(&w, 0, 0, 0, false);
        (void)scraper_target(w.scraper, 0, &status);
        assert_true(status.series <= 4 * SERIES);
        assert_int_equal(status.last_samples, round % 4 < 2 ? 0 : SERIES + round % 4 - 2);
    }
    strbuf_release(&body);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_turn_sends_more_than_its_share),
        cmocka_unit_test(test_what_comes_while_it_is_sent),
        cmocka_unit_test(test_bodies_that_break_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
