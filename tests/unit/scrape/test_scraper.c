/* All targets: replacing the set, metadata, errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "sample_log.h"
#include "scrape/scraper.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_http_client.h"
#include "support/support.h"

#define START_MS ((int64_t)1700000000000)
#define INTERVAL_MS 10000

struct world {
    struct fake_clock clock;
    struct sim_http_client http;
    struct sample_log log;
    struct scraper *scraper;
};

static int world_init(struct world *w)
{
    bool before = mem_fail_exempt(true);
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, START_MS);
    sim_http_client_init(&w->http);
    sample_log_init(&w->log);
    mem_fail_exempt(before);
    return scraper_new(&w->clock.clock, &w->http.client, &w->log.intake, &w->scraper);
}

static void world_release(struct world *w)
{
    scraper_free(w->scraper);
    sample_log_release(&w->log);
    sim_http_client_release(&w->http);
}

static void expose(void *context, struct strbuf *out)
{
    strbuf_add_c(out, context);
}

/* A target that exposes `body`; the caller owns its labels. */
static struct target_options local(const char *instance, const char *body)
{
    struct label own = {STR("instance"), str_of(instance)};
    struct target_options options = {
        .expose = expose,
        .expose_context = (void *)(uintptr_t)body,
        .interval_ms = INTERVAL_MS,
        .seed = 1,
    };
    bool before = mem_fail_exempt(true);
    assert_int_equal(labels_new(&own, 1, &options.labels, NULL), 0);
    mem_fail_exempt(before);
    return options;
}

static void drop_labels(struct target_options *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        labels_unref(targets[i].labels);
    }
}

/* Time passes, in steps as long as the scraper asks for. */
static void run_for(struct world *w, int64_t left)
{
    while (left > 0) {
        int64_t wait = scraper_step(w->scraper);
        assert_true(wait > 0 && wait <= 10000);
        wait = wait < left ? wait : left;
        fake_clock_advance_ms(&w->clock, wait);
        left -= wait;
    }
}

static void run_interval(struct world *w)
{
    run_for(w, INTERVAL_MS);
}

static void set(struct world *w, const struct target_options *targets, size_t count)
{
    struct err e = ERR_INIT;
    assert_int_equal(scraper_set_targets(w->scraper, targets, count, &e), 0);
    assert_int_equal(scraper_count(w->scraper), count);
}

static void test_replacing_the_set(void **state)
{
    struct world w;
    assert_int_equal(world_init(&w), 0);
    struct target_options targets[] = {
        local("a", "x 1\n"), local("b", "x 1\n"), local("c", "x 1\n")};
    set(&w, targets, 3);
    scraper_step(w.scraper); /* local ones begin at once */
    fake_clock_advance_ms(&w.clock, 1);
    assert_int_equal(sample_log_holding(&w.log, "x{"), 3);
    struct target_status before;
    assert_true(scraper_target(w.scraper, 1, &before)->labels == targets[1].labels);
    /* b stays and changes its place, a goes, c gets a new sample limit, d comes. */
    struct target_options next[] = {local("d", "x 1\n"), targets[1], targets[2]};
    next[2].sample_limit = 5;
    sample_log_reset(&w.log);
    w.log.now_ms = w.clock.wall_ms;
    set(&w, next, 3);
    sample_log_check_series(&w.log, "x{instance=\"a\"} stale @now\nx{instance=\"c\"} stale @now\n");
    struct target_status after;
    scraper_target(w.scraper, 1, &after);
    assert_int_equal(after.scrapes, before.scrapes); /* cache and phase too */
    assert_int_equal(after.series, 1);
    scraper_target(w.scraper, 2, &after);
    assert_int_equal(after.scrapes, 0);
    run_interval(&w);
    assert_int_equal(sample_log_holding(&w.log, "stale"), 0); /* once */
    assert_int_equal(sample_log_holding(&w.log, "x{instance=\"a\"}"), 0);
    assert_int_equal(sample_log_holding(&w.log, "x{instance=\"b\"}"), 1);
    /* The same set again changes nothing. */
    sample_log_reset(&w.log);
    set(&w, next, 3);
    assert_int_equal(w.log.count, 0);
    /* No targets: all end. */
    set(&w, NULL, 0);
    assert_int_equal(sample_log_holding(&w.log, "x{"), 3);
    assert_int_equal(sample_log_holding(&w.log, "up{"), 3);
    drop_labels(targets, 3);
    drop_labels(next, 1);
    world_release(&w);
}

/* One of a thousand targets is replaced in the middle of an interval, by another, by none, and back: the others miss no
 * scrape, and the series that go end once. */
static void test_one_of_a_thousand_changes(void **state)
{
    enum { COUNT = 1000, ROUNDS = 6, CHANGED = 500 };
    static struct target_options targets[COUNT];
    struct world w;
    (void)state;
    assert_int_equal(world_init(&w), 0);
    for (int i = 0; i < COUNT; i++) {
        char instance[16];
        snprintf(instance, sizeof(instance), "t%d", i);
        targets[i] = local(instance, "x 1\n");
    }
    struct target_options other = local("other", "x 1\n"), before = targets[CHANGED];
    set(&w, targets, COUNT);
    run_interval(&w); /* each one once at the beginning, and once in its phase */
    for (int round = 1; round <= ROUNDS; round++) {
        run_for(&w, INTERVAL_MS / 2);
        sample_log_reset(&w.log);
        targets[CHANGED] = round % 2 == 1 ? other : before;
        set(&w, targets, COUNT);
        assert_int_equal(
            sample_log_holding(&w.log, "stale"), 6); /* x and the five of each scrape */
        run_interval(&w);
        assert_int_equal(sample_log_holding(&w.log, "stale"), 6);
        run_for(&w, INTERVAL_MS / 2);
        for (size_t i = 0; i < COUNT; i++) {
            struct target_status s;
            scraper_target(w.scraper, i, &s);
            assert_int_equal(s.skipped, 0);
            if (i != CHANGED && s.scrapes != 2 + 2 * (uint64_t)round) {
                fail_msg("target %zu has %llu scrapes after %d intervals", i,
                    (unsigned long long)s.scrapes, 1 + 2 * round);
            }
        }
    }
    targets[CHANGED] = before;
    drop_labels(targets, COUNT);
    drop_labels(&other, 1);
    world_release(&w);
}

/* What a request borrows lives on when the set is replaced. */
static void test_a_kept_target_keeps_its_request(void **state)
{
    struct world w;
    assert_int_equal(world_init(&w), 0);
    char url[] = "http://h:1/metrics";
    struct target_options targets[] = {local("a", ""), local("b", "x 1\n")};
    targets[0].expose = NULL;
    targets[0].expose_context = NULL;
    targets[0].url = url;
    set(&w, targets, 2);
    struct target_options same = targets[0];
    labels_ref(same.labels);
    drop_labels(targets, 2);
    while (w.http.in_flight == 0) {
        fake_clock_advance_ms(&w.clock, scraper_step(w.scraper));
    }
    set(&w, &same, 1);
    url[7] = 'X'; /* the caller's own */
    labels_unref(same.labels);
    assert_int_equal(w.http.in_flight, 1);
    sample_log_reset(&w.log);
    sim_http_client_expect(&w.http, &(struct sim_http_answer){.answer_body = STR("y 1\n")});
    assert_true(sim_http_client_deliver(&w.http));
    assert_int_equal(sample_log_holding(&w.log, "y{instance=\"a\"} 1"), 1);
    struct target_status status;
    assert_string_equal(scraper_target(w.scraper, 0, &status)->url, "http://h:1/metrics");
    world_release(&w);
}

/* Other settings while a scrape is on its way: it is asked anew at once, not in the next slot, and its samples are
 * behind the stale markers of what was before. */
static void test_a_scrape_on_its_way_is_made_good(void **state)
{
    struct world w;
    assert_int_equal(world_init(&w), 0);
    struct target_options target = local("a", "");
    target.expose = NULL;
    target.expose_context = NULL;
    target.url = "http://h:1/metrics";
    const struct sim_http_answer answer = {.answer_body = STR("x 1\n")};
    set(&w, &target, 1);
    for (int scrape = 0; scrape < 2; scrape++) {
        for (int ms = 0; ms < 2 * INTERVAL_MS && w.http.in_flight == 0; ms++) {
            (void)scraper_step(w.scraper);
            fake_clock_advance_ms(&w.clock, 1);
        }
        assert_int_equal(w.http.in_flight, 1);
        if (scrape == 0) {
            sim_http_client_expect(&w.http, &answer);
            assert_true(sim_http_client_deliver(&w.http));
        }
    }
    struct target_options other = target;
    other.sample_limit = 5;
    sample_log_reset(&w.log);
    set(&w, &other, 1);
    assert_int_equal(w.http.in_flight, 0);
    assert_int_equal(sample_log_holding(&w.log, "x{instance=\"a\"}"), 1); /* it ends */
    run_for(&w, 5);
    assert_int_equal(w.http.in_flight, 1);
    sim_http_client_expect(&w.http, &answer);
    assert_true(sim_http_client_deliver(&w.http));
    assert_int_equal(sample_log_holding(&w.log, "x{instance=\"a\"} 1"), 1);
    struct target_status status;
    (void)scraper_target(w.scraper, 0, &status);
    int64_t now = clock_now_ms(&w.clock.clock);
    assert_true(status.last_scrape_ms > now - 6 && status.last_scrape_ms <= now);
    /* One that nobody was asked about waits for its slot. */
    run_for(&w, 100);
    set(&w, &target, 1);
    run_for(&w, 5);
    assert_int_equal(w.http.in_flight, 0);
    drop_labels(&target, 1);
    world_release(&w);
}

static void test_metadata_once_a_minute_and_when_it_changes(void **state)
{
    struct world w;
    assert_int_equal(world_init(&w), 0);
    char body[] = "# HELP x first\n# TYPE x counter\nx 1\n";
    struct target_options target = local("a", body);
    set(&w, &target, 1);
    scraper_step(w.scraper);
    assert_int_equal(w.log.metadata_count, 1); /* at once: it is new */
    assert_true(str_eq(strbuf_str(&w.log.metadata), STR("x counter first|")));
    for (int i = 0; i < 5; i++) {
        run_interval(&w);
        assert_int_equal(w.log.metadata_count, 1);
    }
    run_interval(&w);
    scraper_step(w.scraper);
    assert_int_equal(w.log.metadata_count, 2);
    memcpy(body + 9, "other", 5);
    run_interval(&w);
    assert_int_equal(w.log.metadata_count, 3);
    assert_non_null(strstr(w.log.metadata.data, "x counter other|"));
    drop_labels(&target, 1);
    world_release(&w);
}

/* Names that are not exposed any more are not sent for ever, and those that are stay known though their comments are
 * only hashed. */
static void test_metadata_of_what_is_gone_are_forgotten(void **state)
{
    struct world w;
    (void)state;
    assert_int_equal(world_init(&w), 0);
    char body[] = "# HELP a_gone one\n# TYPE a_gone counter\na_gone 1\n# HELP stays two\nstays 1\n";
    struct target_options target = local("a", body);
    set(&w, &target, 1);
    scraper_step(w.scraper);
    memset(body, '#', 46); /* what is exposed is a comment now, and "stays" */
    run_for(&w, 3 * METRIC_METADATA_SWEEP_MS);
    strbuf_reset(&w.log.metadata);
    w.log.metadata_count = 0;
    run_for(&w, 2 * SCRAPER_METADATA_MS);
    assert_true(w.log.metadata_count >= 1 && w.log.metadata_count <= 2);
    assert_null(strstr(w.log.metadata.data, "gone"));
    assert_non_null(strstr(w.log.metadata.data, "stays"));
    drop_labels(&target, 1);
    world_release(&w);
}

/* A figure of a page of metrics by the beginning of its line. */
static double figure(const char *beginning)
{
    struct strbuf page = STRBUF_INIT;
    metrics_write(&page);
    strbuf_add_char(&page, '\0');
    const char *at = strstr(page.data, beginning);
    double value = at == NULL ? 0 : strtod(at + strlen(beginning), NULL);
    strbuf_release(&page);
    return value;
}

static void test_lateness_is_told(void **state)
{
    struct world w;
    (void)state;
    assert_int_equal(world_init(&w), 0);
    struct target_options target = local("a", "x 1\n");
    set(&w, &target, 1);
    scraper_step(w.scraper);
    double count = figure("agent_scrape_lateness_seconds_count "),
           sum = figure("agent_scrape_lateness_seconds_sum "),
           quick = figure("agent_scrape_lateness_seconds_bucket{le=\"0.02\"} ");
    run_for(&w, 3 * INTERVAL_MS); /* on time */
    assert_true(figure("agent_scrape_lateness_seconds_count ") == count + 3);
    assert_true(figure("agent_scrape_lateness_seconds_sum ") == sum);
    fake_clock_advance_ms(&w.clock, scraper_step(w.scraper) + 30);
    scraper_step(w.scraper);
    assert_true(fabs(figure("agent_scrape_lateness_seconds_sum ") - sum - 0.030) < 1e-9);
    assert_true(figure("agent_scrape_lateness_seconds_bucket{le=\"0.02\"} ") == quick + 3);
    assert_true(figure("agent_scrape_lateness_seconds_bucket{le=\"0.05\"} ") == count + 4);
    drop_labels(&target, 1);
    world_release(&w);
}

static void test_too_many_targets_are_refused(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    assert_int_equal(world_init(&w), 0);
    struct target_options target = local("a", "x 1\n");
    set(&w, &target, 1);
    assert_int_equal(
        scraper_set_targets(w.scraper, &target, SCRAPER_TARGETS_MAX + 1, &e), ERR_LIMIT);
    assert_non_null(strstr(e.message, "100001 targets"));
    assert_int_equal(scraper_count(w.scraper), 1);
    drop_labels(&target, 1);
    world_release(&w);
}

/* On an error nothing has changed: the old set goes on, and no series ends. */
static int replace_under_fire(void *context, struct vfs *fs)
{
    struct world w;
    struct err e = ERR_INIT;
    struct target_options targets[] = {
        local("a", "x 1\n"), local("b", "x 1\n"), local("c", "x 1\n")};
    int status = world_init(&w);
    if (status == 0) {
        status = scraper_set_targets(w.scraper, targets, 2, &e);
        assert_int_equal(scraper_count(w.scraper), status == 0 ? 2 : 0);
    }
    if (status == 0) {
        status = scraper_set_targets(w.scraper, targets + 1, 2, &e);
        struct target_status unused;
        assert_int_equal(scraper_count(w.scraper), 2);
        const struct target_options *first = scraper_target(w.scraper, 0, &unused);
        assert_true(first->labels == targets[status == 0 ? 1 : 0].labels);
    }
    assert_true(status == 0 || e.code == 0 || e.message[0] != '\0');
    drop_labels(targets, 3);
    world_release(&w);
    return status;
}

static void test_each_failing_allocation(void **state)
{
    struct fault_scenario scenario = {.name = "targets", .run = replace_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replacing_the_set),
        cmocka_unit_test(test_one_of_a_thousand_changes),
        cmocka_unit_test(test_a_kept_target_keeps_its_request),
        cmocka_unit_test(test_a_scrape_on_its_way_is_made_good),
        cmocka_unit_test(test_metadata_once_a_minute_and_when_it_changes),
        cmocka_unit_test(test_metadata_of_what_is_gone_are_forgotten),
        cmocka_unit_test(test_lateness_is_told),
        cmocka_unit_test(test_too_many_targets_are_refused),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
