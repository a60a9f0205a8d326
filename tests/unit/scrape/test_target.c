/* One target: when it is asked, what its answers become, how its series end. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sample_log.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_http_client.h"
#include "support/support.h"

#define START_MS ((int64_t)1700000000000)
#define INTERVAL_MS 10000
#define OWN "instance=\"h:1\", job=\"j\""

struct world {
    struct fake_clock clock;
    struct sim_http_client http;
    struct sample_log log;
    struct metric_metadata metadata;
    const struct labels *labels;
    struct target_options options;
    struct target *target;
};

static void world_init(struct world *w)
{
    const struct label own[] = {{STR("job"), STR("j")}, {STR("instance"), STR("h:1")}};
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, START_MS);
    sim_http_client_init(&w->http);
    sample_log_init(&w->log);
    assert_int_equal(labels_new(own, 2, &w->labels, NULL), 0);
    w->options = (struct target_options){
        .labels = w->labels,
        .url = "http://h:1/metrics",
        .interval_ms = INTERVAL_MS,
        .timeout_ms = 5000,
        .honor_timestamps = true,
        .seed = 7,
    };
}

static void begin(struct world *w)
{
    assert_int_equal(target_new(&w->options, &w->clock.clock, &w->http.client, &w->log.intake,
                         &w->metadata, &w->target),
        0);
}

static void world_release(struct world *w)
{
    target_free(w->target, false);
    metric_metadata_release(&w->metadata);
    labels_unref(w->labels);
    sample_log_release(&w->log);
    sim_http_client_release(&w->http);
}

static struct target_status status_of(const struct world *w)
{
    struct target_status status;
    target_status(w->target, &status);
    return status;
}

/* Moves to the next slot and asks; the request is in flight. */
static void ask(struct world *w)
{
    int64_t wait = target_step(w->target);
    assert_true(wait > 0 && wait <= INTERVAL_MS + 1); /* a scrape may be a millisecond early */
    fake_clock_advance_ms(&w->clock, wait);
    w->log.now_ms = w->clock.wall_ms;
    size_t sent = w->http.sent;
    target_step(w->target);
    assert_int_equal(w->http.sent, sent + 1);
}

static void answer(struct world *w, const struct sim_http_answer *a)
{
    sim_http_client_expect(&w->http, a);
    assert_true(sim_http_client_deliver(&w->http));
}

static void scrape(struct world *w, const char *body)
{
    ask(w);
    answer(w, &(struct sim_http_answer){.answer_body = str_of(body)});
}

/* ---- Values ---- */

static void test_a_scrape_becomes_samples_and_five_series(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    ask(&w);
    assert_string_equal(w.http.last.method, "GET");
    assert_string_equal(w.http.last.url, "http://h:1/metrics");
    assert_true(w.http.last.accept_gzip && w.http.last.follow_redirects);
    assert_int_equal(w.http.last.timeout_ms, 5000);
    assert_true(str_eq(
        sim_http_client_last_header(&w.http, "X-Prometheus-Scrape-Timeout-Seconds"), STR("5")));
    assert_non_null(strstr(sim_http_client_last_header(&w.http, "Accept").ptr,
        "application/openmetrics-text;version=1.0.0"));
    fake_clock_advance_ms(&w.clock, 250);
    answer(&w, &(struct sim_http_answer){
                   .answer_body = STR("# TYPE a counter\na 1\nb{x=\"y\"} 2.5\nb{x=\"z\"} NaN\n")});
    sample_log_check(&w.log, "a{" OWN "} 1 @now\n"
                             "b{" OWN ", x=\"y\"} 2.5 @now\n"
                             "b{" OWN ", x=\"z\"} NaN @now\n"
                             "up{" OWN "} 1 @now\n"
                             "scrape_duration_seconds{" OWN "} 0.25 @now\n"
                             "scrape_samples_scraped{" OWN "} 3 @now\n"
                             "scrape_samples_post_metric_relabeling{" OWN "} 3 @now\n"
                             "scrape_series_added{" OWN "} 3 @now\n");
    /* The second time nothing is new. */
    scrape(&w, "a 2\nb{x=\"y\"} 2.5\nc 1\nb{x=\"z\"} NaN\n");
    sample_log_check_last(&w.log, "scrape_series_added", 1);
    sample_log_check_last(&w.log, "scrape_samples_scraped", 4);
    struct target_status status = status_of(&w);
    assert_int_equal(status.health, TARGET_UP);
    assert_int_equal(status.scrapes, 2);
    assert_int_equal(status.failures, 0);
    assert_int_equal(status.last_samples, 4);
    assert_int_equal(status.series, 4);
    assert_string_equal(status.error, "");
    world_release(&w);
}

static void test_openmetrics_by_content_type(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    ask(&w);
    answer(&w,
        &(struct sim_http_answer){.answer_body = STR("# TYPE a counter\na_total 1 1.5\n# EOF\n"),
            .headers = {{"Content-Type", "application/openmetrics-text; version=1.0.0"}},
            .header_count = 1});
    sample_log_check_series(&w.log, "a_total{" OWN "} 1 @1500\n");
    /* Without its end it is cut short, and not taken. */
    ask(&w);
    answer(&w, &(struct sim_http_answer){.answer_body = STR("a_total 2\n"),
                   .headers = {{"Content-Type", "application/openmetrics-text"}},
                   .header_count = 1});
    assert_int_equal(status_of(&w).health, TARGET_DOWN);
    assert_non_null(strstr(status_of(&w).error, "# EOF"));
    world_release(&w);
}

static void test_labels_of_both_sides(void **state)
{
    static const struct {
        const char *name, *line, *expected;
        bool honor;
    } rows[] = {
        {"the target's win", "a{instance=\"x\"} 1\n",
            "a{exported_instance=\"x\", " OWN "} 1 @now\n", false},
        {"the body's win", "a{instance=\"x\"} 1\n", "a{instance=\"x\", job=\"j\"} 1 @now\n", true},
        {"a taken name gets another prefix", "a{instance=\"x\",exported_instance=\"y\"} 1\n",
            "a{exported_exported_instance=\"x\", exported_instance=\"y\", " OWN "} 1 @now\n",
            false},
        {"empty asks for no label", "a{instance=\"\"} 1\n", "a{job=\"j\"} 1 @now\n", true},
        {"empty is absent", "a{instance=\"\"} 1\n", "a{" OWN "} 1 @now\n", false},
        {"names in quotes", "{\"a.b\",\"c d\"=\"e\"} 1\n",
            "{\"a.b\", \"c d\"=\"e\", " OWN "} 1 @now\n", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        print_message("%s\n", rows[i].name);
        world_init(&w);
        w.options.honor_labels = rows[i].honor;
        begin(&w);
        scrape(&w, rows[i].line);
        sample_log_check_series(&w.log, rows[i].expected);
        world_release(&w);
    }
}

static void test_times_of_the_body(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1 123000\nb 2\n");
    sample_log_check_series(&w.log, "a{" OWN "} 1 @123000\nb{" OWN "} 2 @now\n");
    /* Samples with times of their own get no stale marker. */
    scrape(&w, "");
    sample_log_check_series(&w.log, "b{" OWN "} stale @now\n");
    /* Several points of a series are one each. */
    scrape(&w, "a 1 123000\na 2 124000\n");
    sample_log_check_series(&w.log, "a{" OWN "} 1 @123000\na{" OWN "} 2 @124000\n");
    world_release(&w);

    world_init(&w);
    w.options.honor_timestamps = false;
    begin(&w);
    scrape(&w, "a 1 123000\n");
    sample_log_check_series(&w.log, "a{" OWN "} 1 @now\n");
    scrape(&w, "");
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\n");
    world_release(&w);
}

/* ---- Staleness ---- */

static void test_vanished_series_end_once_and_may_return(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\nb 1\nc 1\n");
    sample_log_reset(&w.log);
    scrape(&w, "a 2\nc 2\n");
    sample_log_check_series(
        &w.log, "a{" OWN "} 2 @now\nb{" OWN "} stale @now\nc{" OWN "} 2 @now\n");
    for (int i = 0; i < 5; i++) {
        scrape(&w, "a 3\nc 3\n");
        sample_log_check_series(&w.log, "a{" OWN "} 3 @now\nc{" OWN "} 3 @now\n");
    }
    assert_int_equal(status_of(&w).series, 2); /* b is forgotten */
    scrape(&w, "a 4\nb 4\nc 4\n");
    sample_log_check_last(&w.log, "scrape_series_added", 1);
    sample_log_check_series(&w.log, "a{" OWN "} 4 @now\nb{" OWN "} 4 @now\nc{" OWN "} 4 @now\n");
    scrape(&w, "");
    sample_log_check_series(
        &w.log, "a{" OWN "} stale @now\nb{" OWN "} stale @now\nc{" OWN "} stale @now\n");
    world_release(&w);
}

/* Series are rewritten, dropped and given external labels; a dropped one is counted, not sent, and
 * leaves no stale marker. */
static void test_relabelling(void **state)
{
    const char *name[] = {"__name__"}, *code[] = {"code"};
    const struct relabel_rule rules[] = {
        {.action = "drop",
            .source_labels = {name, 1},
            .separator = ";",
            .regex = "debug_.*",
            .target_label = "",
            .replacement = "$1"},
        {.action = "replace",
            .source_labels = {code, 1},
            .separator = ";",
            .regex = "(.)..",
            .target_label = "class",
            .replacement = "${1}xx"},
    };
    struct world w;
    const struct label external[] = {{STR("site"), STR("north")}, {STR("class"), STR("none")}};
    world_init(&w);
    assert_int_equal(relabel_new(rules, 2, &w.options.metric_relabel, NULL), 0);
    assert_int_equal(labels_new(external, 2, &w.options.external, NULL), 0);
    begin(&w);
    scrape(&w, "a{code=\"503\"} 1\nb 2\ndebug_x 3\ndebug_y 4\n");
    sample_log_check_series(&w.log,
        "a{class=\"5xx\", code=\"503\", " OWN ", site=\"north\"} 1 @now\n"
        "b{class=\"none\", " OWN ", site=\"north\"} 2 @now\n");
    scrape(&w, "b 5\ndebug_x 6\n");
    sample_log_check_last(&w.log, "scrape_samples_scraped", 2);
    sample_log_check_last(&w.log, "scrape_samples_post_metric_relabeling", 1);
    sample_log_check_series(&w.log,
        "a{class=\"5xx\", code=\"503\", " OWN ", site=\"north\"} stale @now\n"
        "b{class=\"none\", " OWN ", site=\"north\"} 5 @now\n");
    struct target_options used = w.options;
    world_release(&w);
    relabel_unref(used.metric_relabel);
    labels_unref(used.external);
}

static void test_failures_take_nothing_and_end_all_once(void **state)
{
    static const struct {
        const char *name;
        struct sim_http_answer answer;
        const char *error; /* part of the sentence */
        int read;          /* samples before the failure */
    } rows[] = {
        {"status", {.status = 500, .answer_body = {"a 9\n", 4}}, "HTTP status 500", 0},
        {"only 200 is success", {.status = 204}, "HTTP status 204", 0},
        {"timeout", {.error = ERR_TIMEOUT}, "within 5 s", 0},
        {"network", {.error = ERR_IO}, "", 0},
        {"parse error on the last line", {.answer_body = {"a 9\nb 9\nd 9\nc\n", 14}}, "line 4", 3},
        {"labels that do not parse", {.answer_body = {"a 9\nd{x=1} 9\n", 13}}, "line 2", 1},
        {"a label twice", {.answer_body = {"a 9\nd{x=\"1\",x=\"2\"} 9\n", 22}}, "line 2", 1},
        {"no name", {.answer_body = {"a 9\n{x=\"1\"} 9\n", 14}}, "no metric name", 1},
        {"too large", {.answer_body = {"a 9\nb 9\nc 9\n#                       \n", 37}},
            "larger than 36 bytes", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        print_message("%s\n", rows[i].name);
        world_init(&w);
        w.options.body_max = 36;
        begin(&w);
        scrape(&w, "a 1\nb 1\nc 1\n");
        sample_log_reset(&w.log);
        for (int again = 0; again < 4; again++) {
            ask(&w);
            answer(&w, &rows[i].answer);
            sample_log_check_last(&w.log, "up", 0);
            sample_log_check_last(&w.log, "scrape_samples_scraped", rows[i].read);
            sample_log_check_last(&w.log, "scrape_series_added", 0);
            sample_log_check_series(&w.log, again > 0 ? ""
                                                      : "a{" OWN "} stale @now\nb{" OWN
                                                        "} stale @now\nc{" OWN "} stale @now\n");
            struct target_status status = status_of(&w);
            assert_int_equal(status.health, TARGET_DOWN);
            assert_int_equal(status.failures, again + 1);
            if (strstr(status.error, rows[i].error) == NULL || status.error[0] == '\0') {
                fail_msg("\"%s\" does not say \"%s\"", status.error, rows[i].error);
            }
        }
        scrape(&w, "a 2\nb 2\nc 2\n");
        sample_log_check_last(&w.log, "up", 1);
        sample_log_check_last(&w.log, "scrape_series_added", 3);
        sample_log_check_series(
            &w.log, "a{" OWN "} 2 @now\nb{" OWN "} 2 @now\nc{" OWN "} 2 @now\n");
        assert_string_equal(status_of(&w).error, "");
        world_release(&w);
    }
}

/* What a failed scrape said of times does not count either. */
static void test_a_failed_body_leaves_no_mark(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\n");
    sample_log_reset(&w.log);
    scrape(&w, "a 1 123000\nbroken\n");
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\n");
    world_release(&w);
}

static void test_bodies_that_fail_with_new_series_are_forgotten(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\n");
    for (int i = 0; i < 100; i++) {
        char body[64];
        snprintf(body, sizeof(body), "new_%d 1\nbroken\n", i);
        scrape(&w, body);
    }
    assert_true(status_of(&w).series <= 5);
    world_release(&w);
}

static void test_a_series_that_comes_twice_counts_once(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    for (int i = 0; i < 3; i++) {
        scrape(&w, "a 1\na 2\nb 1\na 3\n");
        /* What was exposed is told as it was, as in Prometheus. */
        sample_log_check_last(&w.log, "scrape_samples_scraped", 4);
        sample_log_check_last(&w.log, "scrape_samples_post_metric_relabeling", 4);
        sample_log_check_last(&w.log, "scrape_series_added", i == 0 ? 2 : 0);
        sample_log_check_series(&w.log, "a{" OWN "} 1 @now\nb{" OWN "} 1 @now\n");
    }
    world_release(&w);
}

/* Ten minutes ahead of the scrape a sample may lie, no more; all others of the body are taken. */
static void test_samples_from_the_future(void **state)
{
    struct world w;
    char body[128];
    (void)state;
    world_init(&w);
    begin(&w);
    ask(&w);
    int64_t edge = w.log.now_ms + TARGET_FUTURE_MS_MAX;
    snprintf(body, sizeof(body), "a 1 %lld\nb 2 %lld\nc 3\n", (long long)edge + 1, (long long)edge);
    answer(&w, &(struct sim_http_answer){.answer_body = str_of(body)});
    char expected[200];
    snprintf(
        expected, sizeof(expected), "b{" OWN "} 2 @%lld\nc{" OWN "} 3 @now\n", (long long)edge);
    sample_log_check_last(&w.log, "up", 1);
    sample_log_check_last(&w.log, "scrape_samples_scraped", 3);
    sample_log_check_last(&w.log, "scrape_series_added", 2);
    sample_log_check_series(&w.log, expected);
    world_release(&w);
}

static void test_sample_limit(void **state)
{
    struct world w;
    world_init(&w);
    w.options.sample_limit = 2;
    begin(&w);
    scrape(&w, "a 1\nb 1\n");
    sample_log_check_series(&w.log, "a{" OWN "} 1 @now\nb{" OWN "} 1 @now\n");
    scrape(&w, "a 1\nb 1\nc 1\n");
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\nb{" OWN "} stale @now\n");
    assert_non_null(strstr(status_of(&w).error, "sample_limit (2)"));
    world_release(&w);
}

static void test_a_target_that_goes_ends_its_series(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\nb 1\n");
    scrape(&w, "a 1\n");
    sample_log_reset(&w.log);
    ask(&w); /* one in flight is given up */
    target_free(w.target, true);
    w.target = NULL;
    sample_log_check(&w.log, "a{" OWN "} stale @now\n"
                             "up{" OWN "} stale @now\n"
                             "scrape_duration_seconds{" OWN "} stale @now\n"
                             "scrape_samples_scraped{" OWN "} stale @now\n"
                             "scrape_samples_post_metric_relabeling{" OWN "} stale @now\n"
                             "scrape_series_added{" OWN "} stale @now\n");
    assert_int_equal(w.http.in_flight, 0);
    world_release(&w);

    /* Right after a scrape: not at the time of its samples. */
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\n");
    sample_log_reset(&w.log);
    w.log.now_ms++;
    target_free(w.target, true);
    w.target = NULL;
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\n");
    world_release(&w);

    /* Never scraped, nothing to end; and at a shutdown nothing ends. */
    world_init(&w);
    begin(&w);
    target_free(w.target, true);
    w.target = NULL;
    sample_log_check(&w.log, "");
    begin(&w);
    scrape(&w, "a 1\n");
    sample_log_reset(&w.log);
    target_free(w.target, false);
    w.target = NULL;
    sample_log_check(&w.log, "");
    world_release(&w);
}

/* ---- Schedule ---- */

/* The time of the first scrape of a target that is new at `now_ms`. */
static int64_t first_scrape(struct world *w, int64_t now_ms)
{
    fake_clock_set_wall_ms(&w->clock, now_ms);
    begin(w);
    int64_t wait = target_step(w->target);
    assert_true(wait > 0 && wait <= INTERVAL_MS);
    target_free(w->target, false);
    w->target = NULL;
    return now_ms + wait;
}

static void test_the_phase_is_kept_over_a_restart(void **state)
{
    struct world w;
    uint64_t random = test_seed();
    world_init(&w);
    int64_t first = first_scrape(&w, START_MS);
    for (int i = 0; i < 100; i++) {
        int64_t later = START_MS + (int64_t)(test_random(&random) % 100000000);
        int64_t again = first_scrape(&w, later);
        assert_int_equal((again - first) % INTERVAL_MS, 0);
    }
    w.options.seed++; /* another host has another */
    assert_int_not_equal((first_scrape(&w, START_MS) - first) % INTERVAL_MS, 0);
    world_release(&w);
}

static void test_phases_spread(void **state)
{
    enum { TARGETS = 1000, BINS = 10 };
    size_t bins[BINS] = {0};
    struct world w;
    world_init(&w);
    for (int i = 0; i < TARGETS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "h:%d", i);
        const struct label own = {STR("instance"), str_of(name)};
        labels_unref(w.labels);
        assert_int_equal(labels_new(&own, 1, &w.labels, NULL), 0);
        w.options.labels = w.labels;
        bins[(first_scrape(&w, START_MS) - START_MS - 1) * BINS / INTERVAL_MS]++;
    }
    for (size_t i = 0; i < BINS; i++) {
        /* 100 expected; five standard deviations are 47. */
        if (bins[i] < 53 || bins[i] > 147) {
            fail_msg("%zu of %d targets in tenth %zu of the interval", bins[i], TARGETS, i);
        }
    }
    world_release(&w);
}

static void test_times_snap_to_the_slot(void **state)
{
    static const struct {
        int64_t interval_ms, late_ms, stamp_late_ms;
    } rows[] = {
        {10000, 0, 0}, {10000, 1, 0}, {10000, 2, 0}, {10000, 3, 3}, {10000, 500, 500}, {150, 1, 0},
        {150, 2, 2}, /* one hundredth of the interval is less than 2 ms */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_init(&w);
        w.options.interval_ms = rows[i].interval_ms;
        begin(&w);
        int64_t wait = target_step(w.target);
        int64_t due = w.clock.wall_ms + wait;
        fake_clock_advance_ms(&w.clock, wait + rows[i].late_ms);
        int64_t next = target_step(w.target);
        answer(&w, &(struct sim_http_answer){.answer_body = STR("a 1\n")});
        w.log.now_ms = due + rows[i].stamp_late_ms;
        if (status_of(&w).last_scrape_ms != w.log.now_ms) {
            fail_msg("%lld ms late: stamped %lld ms late, expected %lld",
                (long long)rows[i].late_ms, (long long)(status_of(&w).last_scrape_ms - due),
                (long long)rows[i].stamp_late_ms);
        }
        /* Lateness does not move the next slot. */
        assert_int_equal(w.clock.wall_ms + next, due + rows[i].interval_ms);
        world_release(&w);
    }
}

static void test_missed_slots_are_counted_not_replayed(void **state)
{
    struct world w;
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\n");
    int64_t wait = target_step(w.target);
    fake_clock_advance_ms(&w.clock, wait + 5 * INTERVAL_MS + 100); /* the machine slept */
    size_t sent = w.http.sent;
    assert_int_equal(target_step(w.target), INTERVAL_MS - 100);
    assert_int_equal(w.http.sent, sent + 1);
    answer(&w, &(struct sim_http_answer){.answer_body = STR("a 1\n")});
    assert_int_equal(target_step(w.target), INTERVAL_MS - 100);
    assert_int_equal(w.http.sent, sent + 1);
    assert_int_equal(status_of(&w).skipped, 5);

    /* An answer that comes late costs the slots it covers. */
    ask(&w);
    for (int i = 1; i <= 3; i++) {
        fake_clock_advance_ms(&w.clock, INTERVAL_MS);
        target_step(w.target);
        assert_int_equal(w.http.in_flight, 1);
        assert_int_equal(status_of(&w).skipped, 5 + i);
    }
    answer(&w, &(struct sim_http_answer){.answer_body = STR("a 1\n")});
    ask(&w);
    answer(&w, &(struct sim_http_answer){.answer_body = STR("a 1\n")});
    world_release(&w);
}

static void test_wall_clock_jumps(void **state)
{
    static const int64_t jumps[] = {-86400000, -INTERVAL_MS, -3000, -1, 1, 3000, 86400000};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct world w;
        world_init(&w);
        begin(&w);
        scrape(&w, "a 1\n");
        int64_t phase = w.clock.wall_ms % INTERVAL_MS;
        fake_clock_set_wall_ms(&w.clock, w.clock.wall_ms + jumps[i]);
        /* It goes on within an interval, and from then on in its phase again. */
        int64_t wait = target_step(w.target);
        if (wait > INTERVAL_MS + 1) {
            fail_msg("jump by %lld ms: next scrape in %lld", (long long)jumps[i], (long long)wait);
        }
        if (w.http.in_flight > 0) {
            answer(&w, &(struct sim_http_answer){.answer_body = STR("a 1\n")});
        }
        scrape(&w, "a 1\n");
        assert_int_equal(w.clock.wall_ms % INTERVAL_MS, phase);
        world_release(&w);
    }
}

static void test_the_timeout_stays_within_the_interval(void **state)
{
    static const struct {
        int64_t timeout_ms, sent_ms;
        const char *header;
    } rows[] = {{0, INTERVAL_MS, "10"}, {20000, INTERVAL_MS, "10"}, {1500, 1500, "1.5"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_init(&w);
        w.options.timeout_ms = rows[i].timeout_ms;
        begin(&w);
        scrape(&w, "");
        assert_int_equal(w.http.last.timeout_ms, rows[i].sent_ms);
        assert_string_equal(
            sim_http_client_last_header(&w.http, "X-Prometheus-Scrape-Timeout-Seconds").ptr,
            rows[i].header);
        world_release(&w);
    }
    struct world w;
    world_init(&w);
    w.options.interval_ms = 0;
    assert_int_equal(target_new(&w.options, &w.clock.clock, &w.http.client, &w.log.intake,
                         &w.metadata, &w.target),
        ERR_INVALID);
    world_release(&w);
}

static void ignore_answer(void *context, const struct http_client_response *response)
{
}

static void test_a_request_that_cannot_be_sent_is_a_failed_scrape(void **state)
{
    struct world w;
    struct http_client_request other = {.method = "GET", .url = "http://other/"};
    world_init(&w);
    begin(&w);
    scrape(&w, "a 1\n");
    sample_log_reset(&w.log);
    fake_clock_advance_ms(&w.clock, target_step(w.target));
    w.log.now_ms = w.clock.wall_ms;
    w.http.in_flight_max = 1;
    assert_int_equal(w.http.client.send(&w.http.client, &other, ignore_answer, NULL, NULL), 0);
    target_step(w.target);
    sample_log_check_last(&w.log, "up", 0);
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\n");
    answer(&w, &(struct sim_http_answer){.status = 200});
    scrape(&w, "a 1\n");
    sample_log_check_series(&w.log, "a{" OWN "} 1 @now\n");
    world_release(&w);
}

/* ---- Local targets ---- */

static void expose(void *context, struct strbuf *out)
{
    strbuf_add_c(out, *(const char **)context);
}

static void test_local_targets_begin_at_once(void **state)
{
    struct world w;
    const char *body = "a 1\n";
    world_init(&w);
    w.options.url = NULL;
    w.options.expose = expose;
    w.options.expose_context = &body;
    begin(&w);
    w.log.now_ms = w.clock.wall_ms;
    int64_t wait = target_step(w.target);
    sample_log_check_series(&w.log, "a{" OWN "} 1 @now\n");
    assert_int_equal(w.http.sent, 0);
    fake_clock_advance_ms(&w.clock, wait);
    w.log.now_ms = w.clock.wall_ms;
    body = "b 1\n";
    assert_int_equal(target_step(w.target), INTERVAL_MS);
    sample_log_check_series(&w.log, "a{" OWN "} stale @now\nb{" OWN "} 1 @now\n");
    world_release(&w);
}

/* ---- The fast path ---- */

enum { UNIVERSE = 60, BODIES = 300 };

/* Some of the series, mostly in order, some twice. */
static void random_body(uint64_t *random, struct strbuf *body, bool *present)
{
    size_t order[UNIVERSE];
    strbuf_reset(body);
    for (size_t i = 0; i < UNIVERSE; i++) {
        order[i] = i;
    }
    for (size_t swaps = test_random(random) % 4; swaps > 0; swaps--) {
        size_t a = test_random(random) % UNIVERSE, b = test_random(random) % UNIVERSE;
        size_t kept = order[a];
        order[a] = order[b];
        order[b] = kept;
    }
    uint64_t missing = test_random(random) % 8;
    memset(present, 0, UNIVERSE * sizeof(*present));
    for (size_t i = 0; i < UNIVERSE; i++) {
        uint64_t dice = test_random(random) % 16;
        if (dice < missing) {
            continue;
        }
        for (int times = dice == 15 ? 2 : 1; times > 0; times--) {
            strbuf_addf(body, "m%zu{l=\"%zu\"} %zu\n", order[i] / 10, order[i],
                (size_t)(test_random(random) % 1000));
        }
        present[order[i]] = true;
    }
}

static void add_vanished(struct strbuf *out, const bool *before, const bool *present)
{
    for (size_t i = 0; i < UNIVERSE; i++) {
        if (before[i] && !present[i]) {
            strbuf_addf(out, "m%zu{" OWN ", l=\"%zu\"} stale @now\n", i / 10, i);
        }
    }
}

/* A cache that has seen other bodies gives what an empty one gives, and stale markers for exactly
 * what the body before had and this one has not. */
static void test_the_cache_changes_nothing(void **state)
{
    struct world w;
    struct strbuf body = STRBUF_INIT, expected = STRBUF_INIT;
    const char *text = "";
    uint64_t random = test_seed();
    bool present[UNIVERSE], before[UNIVERSE] = {false};
    world_init(&w);
    w.options.url = NULL;
    w.options.expose = expose;
    w.options.expose_context = &text;
    begin(&w);
    struct target *warm = w.target;
    for (int i = 0; i < BODIES; i++) {
        fake_clock_advance_ms(&w.clock, target_step(warm));
        sample_log_reset(&w.log);
        w.log.now_ms = w.clock.wall_ms;
        random_body(&random, &body, present);
        text = body.data;
        begin(&w); /* one that knows nothing */
        target_step(w.target);
        target_free(w.target, false);
        strbuf_reset(&expected);
        sample_log_take_series(&w.log, &expected);
        add_vanished(&expected, before, present);
        target_step(warm); /* and one that has a past */
        sample_log_check_series(&w.log, expected.data);
        memcpy(before, present, sizeof(before));
    }
    w.target = warm;
    strbuf_release(&body);
    strbuf_release(&expected);
    world_release(&w);
}

/* ---- Without memory ---- */

/* Whatever allocation fails: a scrape is whole (up 1, all series) or nothing (up 0, all ended). */
static int scrape_under_fire(void *context, struct vfs *fs)
{
    static const char *const bodies[] = {"# HELP a x\n# TYPE a counter\na 1\nb{x=\"\\n\"} 1\n",
        "b{x=\"\\n\"} 2\na 2\n", "a 3\nb{x=\"\\n\"} 3\n"};
    struct world w;
    const char *text = "";
    int status = 0;
    bool before = mem_fail_exempt(true);
    world_init(&w);
    mem_fail_exempt(before);
    w.options.url = NULL;
    w.options.expose = expose;
    w.options.expose_context = &text;
    if (target_new(&w.options, &w.clock.clock, &w.http.client, &w.log.intake, &w.metadata,
            &w.target) != 0) {
        status = ERR_NOMEM;
    }
    for (size_t i = 0; status == 0 && i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        text = bodies[i];
        fake_clock_advance_ms(&w.clock, target_step(w.target));
        bool up = sample_log_last(&w.log, "up") == 1;
        for (int series = 0; series < 2; series++) {
            const char *name = series == 0 ? "a" : "b";
            if (up) {
                sample_log_check_last(&w.log, name, (double)i + 1);
            } else {
                assert_true(isnan(sample_log_last(&w.log, name))); /* ended, or never begun */
            }
        }
        if (up) {
            sample_log_check_last(&w.log, "scrape_samples_scraped", 2);
        }
    }
    world_release(&w);
    return status;
}

static void test_each_failing_allocation(void **state)
{
    struct fault_scenario scenario = {.name = "scrape", .run = scrape_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_scrape_becomes_samples_and_five_series),
        cmocka_unit_test(test_openmetrics_by_content_type),
        cmocka_unit_test(test_labels_of_both_sides),
        cmocka_unit_test(test_times_of_the_body),
        cmocka_unit_test(test_vanished_series_end_once_and_may_return),
        cmocka_unit_test(test_relabelling),
        cmocka_unit_test(test_failures_take_nothing_and_end_all_once),
        cmocka_unit_test(test_a_failed_body_leaves_no_mark),
        cmocka_unit_test(test_bodies_that_fail_with_new_series_are_forgotten),
        cmocka_unit_test(test_a_series_that_comes_twice_counts_once),
        cmocka_unit_test(test_samples_from_the_future),
        cmocka_unit_test(test_sample_limit),
        cmocka_unit_test(test_a_target_that_goes_ends_its_series),
        cmocka_unit_test(test_the_phase_is_kept_over_a_restart),
        cmocka_unit_test(test_phases_spread),
        cmocka_unit_test(test_times_snap_to_the_slot),
        cmocka_unit_test(test_missed_slots_are_counted_not_replayed),
        cmocka_unit_test(test_wall_clock_jumps),
        cmocka_unit_test(test_the_timeout_stays_within_the_interval),
        cmocka_unit_test(test_a_request_that_cannot_be_sent_is_a_failed_scrape),
        cmocka_unit_test(test_local_targets_begin_at_once),
        cmocka_unit_test(test_the_cache_changes_nothing),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
