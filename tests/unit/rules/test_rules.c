/* The manager: groups evaluated by hand over a real store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"
#include "unit/rules/rules_fixture.h"

#define MINUTE_MS INT64_C(60000)

/* Up to the first evaluation less than a minute passes; each minute there is one more. */
static void pass_to_slot(struct rules_fixture *f)
{
    for (int s = 0; s < 60; s++) {
        if (rules_fixture_pass(f, 1000) > 0) {
            return;
        }
    }
    fail_msg("no evaluation within a minute");
}

/* The second in which the evaluation was that has just been made: up to one before now. */
static int64_t evaluated_second(struct rules_fixture *f, const char *since)
{
    int64_t now = (clock_now_ms(&f->clock.clock) - FIXTURE_START_MS) / 1000;
    long long told = strtoll(since, NULL, 10);
    assert_in_range(told, now - 1, now);
    return told;
}

static void test_rules_see_those_before_them(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    rules_fixture_open(&f);
    rules_fixture_load(&f, "groups:\n"
                           "- name: g\n"
                           "  rules:\n"
                           "  - {record: a, expr: 'x * 2'}\n"
                           "  - {record: b, expr: 'a + 1', labels: {tier: one}}\n"
                           "  - {record: c, expr: 'sum(b) / sum(a)'}\n"
                           "  - {record: one, expr: '1'}\n");
    rules_fixture_write(&f, "x", "i", 10);
    pass_to_slot(&f);
    assert_string_equal(rules_fixture_ask(&f, "{__name__=~\"a|b|c|one\"}"),
        "a{instance=\"i\"} 20; b{instance=\"i\", tier=\"one\"} 21; c 1.05; one 1; ");
    rules_fixture_write(&f, "x", "i", 40);
    assert_int_equal(rules_fixture_pass(&f, MINUTE_MS), 1);
    assert_string_equal(rules_fixture_ask(&f, "b"), "b{instance=\"i\", tier=\"one\"} 81; ");
    assert_string_equal(rules_fixture_ask(&f, "c"), "c 1.0125; ");
    rules_fixture_close(&f);
}

static void test_vanished_series_end_at_once(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    rules_fixture_open(&f);
    rules_fixture_load(&f, "groups:\n- name: g\n  rules:\n  - {record: a, expr: 'x > 5'}\n"
                           "  - {record: n, expr: 'count(a) or vector(0)'}\n");
    rules_fixture_write(&f, "x", "i", 10);
    rules_fixture_write(&f, "x", "k", 10);
    pass_to_slot(&f);
    assert_string_equal(rules_fixture_ask(&f, "a"), "a{instance=\"i\"} 10; a{instance=\"k\"} 10; ");
    rules_fixture_write(&f, "x", "i", 1);
    rules_fixture_pass(&f, MINUTE_MS);
    assert_string_equal(rules_fixture_ask(&f, "a"), "a{instance=\"k\"} 10; ");
    assert_string_equal(rules_fixture_ask(&f, "n"), "n 1; "); /* the next rule saw the end */
    /* A rule that is no more: its series end with the group's next evaluation. */
    rules_fixture_load(&f, "groups:\n- name: g\n  rules:\n  - {record: n, expr: 'vector(3)'}\n");
    rules_fixture_pass(&f, MINUTE_MS);
    assert_string_equal(rules_fixture_ask(&f, "a"), "");
    assert_string_equal(rules_fixture_ask(&f, "n"), "n 3; ");
    /* A group that is no more: after two intervals. */
    rules_fixture_load(&f, "groups: []\n");
    rules_fixture_pass(&f, MINUTE_MS);
    assert_string_equal(rules_fixture_ask(&f, "n"), "n 3; ");
    rules_fixture_pass(&f, MINUTE_MS);
    assert_string_equal(rules_fixture_ask(&f, "n"), "");
    rules_fixture_close(&f);
}

static const char alerting[] =
    "groups:\n"
    "- name: g\n"
    "  rules:\n"
    "  - alert: High\n"
    "    expr: x > 5\n"
    "    for: 2m\n"
    "    keep_firing_for: 3m\n"
    "    labels: {severity: page, load: '{{ $value | printf \"%.0f\" }}s'}\n"
    "    annotations: {summary: '{{ $labels.instance }} has {{ $value }}', plain: text}\n";

static void test_an_alert_lives(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    rules_fixture_open(&f);
    rules_fixture_load(&f, alerting);
    rules_fixture_write(&f, "x", "i", 7);
    pass_to_slot(&f);
    char wanted[256];
    int64_t began = evaluated_second(&f, strstr(rules_fixture_alerts(&f), "pending ") + 8);
    snprintf(wanted, sizeof(wanted),
        "{alertname=\"High\", instance=\"i\", load=\"7s\", severity=\"page\"} pending %lld; ",
        (long long)began);
    assert_string_equal(rules_fixture_alerts(&f), wanted);
    assert_string_equal(rules_fixture_ask(&f, "ALERTS"),
        "ALERTS{alertname=\"High\", alertstate=\"pending\", instance=\"i\", load=\"7s\", "
        "severity=\"page\"} 1; ");
    snprintf(wanted, sizeof(wanted),
        "ALERTS_FOR_STATE{alertname=\"High\", instance=\"i\", load=\"7s\", severity=\"page\"} "
        "%lld; ",
        (long long)(FIXTURE_START_MS / 1000 + began));
    assert_string_equal(rules_fixture_ask(&f, "ALERTS_FOR_STATE"), wanted);
    rules_fixture_pass(&f, MINUTE_MS);
    assert_int_equal(f.sink.lines.size, 0);
    rules_fixture_pass(&f, MINUTE_MS); /* fires */
    assert_string_equal(rules_fixture_ask(&f, "ALERTS"),
        "ALERTS{alertname=\"High\", alertstate=\"firing\", instance=\"i\", load=\"7s\", "
        "severity=\"page\"} 1; ");
    snprintf(wanted, sizeof(wanted),
        "{alertname=\"High\", instance=\"i\", load=\"7s\", severity=\"page\"} firing %lld..%lld "
        "plain=\"text\" summary=\"i has 7\" /graph?g0.expr=x+%%3E+5&g0.tab=1\n",
        (long long)began + 120, (long long)began + 120 + 240);
    assert_string_equal(f.sink.lines.data, wanted);
    strbuf_reset(&f.sink.lines);
    rules_fixture_write(&f, "x", "i", 1); /* not true any more: kept for three minutes */
    rules_fixture_pass(&f, MINUTE_MS);
    assert_non_null(strstr(rules_fixture_ask(&f, "ALERTS"), "firing"));
    rules_fixture_pass(&f, MINUTE_MS);
    rules_fixture_pass(&f, MINUTE_MS);
    assert_non_null(strstr(rules_fixture_ask(&f, "ALERTS"), "firing"));
    strbuf_reset(&f.sink.lines);
    rules_fixture_pass(&f, MINUTE_MS);
    assert_string_equal(rules_fixture_ask(&f, "ALERTS"), "");
    assert_string_equal(rules_fixture_ask(&f, "ALERTS_FOR_STATE"), "");
    assert_string_equal(rules_fixture_alerts(&f), "");
    assert_non_null(strstr(f.sink.lines.data, "resolved"));
    rules_fixture_close(&f);
}

/* Each evaluation is followed by a crash; what is shown is what is shown without one. */
static void test_crashes_change_nothing(void **state)
{
    (void)state;
    static const double values[] = {7, 7, 7, 7, 1, 1, 7, 1, 1, 1, 1, 7, 1, 7};
    struct rules_fixture calm = {0}, crashing = {0};
    rules_fixture_open(&calm);
    rules_fixture_open(&crashing);
    rules_fixture_load(&calm, alerting);
    rules_fixture_load(&crashing, alerting);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char wanted[1024];
        /* Both labels differ with the value: keep it the same while it is high. */
        rules_fixture_write(&calm, "x", "i", values[i]);
        rules_fixture_write(&crashing, "x", "i", values[i]);
        rules_fixture_crash(&crashing);
        assert_int_equal(
            rules_fixture_pass(&calm, MINUTE_MS), rules_fixture_pass(&crashing, MINUTE_MS));
        snprintf(wanted, sizeof(wanted), "%s", rules_fixture_alerts(&calm));
        rules_fixture_crash(&crashing);
        assert_string_equal(rules_fixture_alerts(&crashing), wanted);
        snprintf(wanted, sizeof(wanted), "%s", rules_fixture_ask(&calm, "ALERTS"));
        assert_string_equal(rules_fixture_ask(&crashing, "ALERTS"), wanted);
    }
    rules_fixture_close(&calm);
    rules_fixture_close(&crashing);
}

/* The n-th call that writes fails during an evaluation, whether the journal's or the store's: alerts are what
 * they are without the failure, and after the next evaluation so durable that a crash changes nothing. */
static void test_failing_writes_change_nothing(void **state)
{
    (void)state;
    enum { STEPS = 9, FAILING_MAX = 40, TEXT_MAX = 512 };
    static const double values[STEPS] = {7, 1, 7, 7, 1, 1, 7, 1, 1};
    static char wanted[STEPS][2][TEXT_MAX];
    bool struck = true;
    for (uint64_t n = 0; struck; n++) {
        struct rules_fixture f = {0};
        rules_fixture_open(&f);
        rules_fixture_load(&f, alerting);
        struck = n == 0;
        for (size_t i = 0; i < STEPS; i++) {
            rules_fixture_write(&f, "x", "i", values[i]);
            if (n > 0) {
                sim_vfs_fail_nth(f.sim, SIM_CHANGES, n, ERR_IO);
            }
            for (size_t k = 0; k < 2; k++) {
                rules_fixture_pass(&f, MINUTE_MS);
                struck = struck || (k == 0 && !sim_vfs_fail_pending(f.sim));
                sim_vfs_fail_clear(f.sim);
                if (n == 0) {
                    snprintf(wanted[i][k], TEXT_MAX, "%s", rules_fixture_alerts(&f));
                }
                assert_string_equal(rules_fixture_alerts(&f), wanted[i][k]);
            }
            rules_fixture_crash(&f);
            assert_string_equal(rules_fixture_alerts(&f), wanted[i][1]);
        }
        rules_fixture_close(&f);
        assert_true(n < FAILING_MAX);
        assert_true(struck || n > 2); // the journal's write and the store's failed, at least
    }
}

/* What was dropped before a crash and begins again after it is there after the next one. */
static void test_begins_again_after_a_crash(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    rules_fixture_open(&f);
    rules_fixture_load(&f, alerting);
    rules_fixture_write(&f, "x", "i", 7);
    pass_to_slot(&f);
    rules_fixture_write(&f, "x", "i", 1);
    rules_fixture_pass(&f, MINUTE_MS); /* dropped */
    rules_fixture_crash(&f);
    assert_string_equal(rules_fixture_alerts(&f), "");
    rules_fixture_write(&f, "x", "i", 7);
    rules_fixture_pass(&f, MINUTE_MS); /* begins */
    char since[256];
    snprintf(since, sizeof(since), "%s", rules_fixture_alerts(&f));
    assert_non_null(strstr(since, "pending"));
    rules_fixture_pass(&f, MINUTE_MS); /* goes on: what was left to delete is deleted */
    rules_fixture_crash(&f);
    assert_string_equal(rules_fixture_alerts(&f), since);
    rules_fixture_close(&f);
}

static void test_failures_are_told(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    rules_fixture_open(&f);
    rules_fixture_load(&f, "groups:\n- name: g\n  limit: 1\n  rules:\n"
                           "  - {record: a, expr: 'x'}\n"
                           "  - {record: b, expr: 'x', labels: {instance: same}}\n"
                           "  - {record: c, expr: '\"text\"'}\n"
                           "  - {record: d, expr: 'vector(1)'}\n"
                           "  - {record: d, expr: 'vector(2)'}\n"
                           "  - {alert: e, expr: 'x', labels: {instance: ''}}\n");
    rules_fixture_write(&f, "x", "i", 1);
    rules_fixture_write(&f, "x", "k", 2);
    pass_to_slot(&f);
    static const char *const errors[] = {"exceeded limit of 1 with 2 series",
        "vector contains metrics with the same labelset after applying rule labels",
        "rule result is not a vector or scalar", "", "duplicate sample for timestamp",
        "vector contains metrics with the same labelset after applying alert labels"};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_string_equal(rules_fixture_error(&f, i), errors[i]);
    }
    assert_string_equal(rules_fixture_ask(&f, "{__name__=~\"[a-f]\"}"), "d 1; ");
    rules_fixture_close(&f);
}

static void test_missed_evaluations(void **state)
{
    (void)state;
    for (int made_up = 0; made_up <= 1; made_up++) {
        struct rules_fixture f = {.options.catch_up_ms = made_up ? 5 * MINUTE_MS : 0};
        struct arena arena;
        struct rule_group_status *groups = NULL;
        size_t count;
        rules_fixture_open(&f);
        rules_fixture_load(&f, "groups:\n- name: g\n  rules:\n  - {record: t, expr: 'time()'}\n");
        pass_to_slot(&f);
        assert_int_equal(rules_fixture_pass(&f, 4 * MINUTE_MS), 1);
        arena_init(&arena, 0);
        assert_int_equal(rules_status(f.rules, &arena, &groups, &count), 0);
        assert_int_equal(groups[0].iterations, 5);
        assert_int_equal(groups[0].missed, made_up ? 0 : 3);
        arena_release(&arena);
        assert_string_equal(
            rules_fixture_ask(&f, "count_over_time(t[10m])"), made_up ? "{} 5; " : "{} 2; ");
        rules_fixture_close(&f);
    }
}

static void test_a_refused_file_changes_nothing(void **state)
{
    (void)state;
    static const char *const patterns[] = {"r.yml", "bad.yml"};
    struct rules_fixture f = {0};
    struct err e = ERR_INIT;
    rules_fixture_open(&f);
    rules_fixture_load(&f, alerting);
    rules_fixture_write(&f, "x", "i", 7);
    pass_to_slot(&f);
    char before[1024];
    snprintf(before, sizeof(before), "%s", rules_fixture_alerts(&f));
    assert_int_equal(rules_load(f.rules, patterns, 2, &e), ERR_NOT_FOUND);
    static const char bad[] =
        "groups:\n- name: h\n  rules:\n  - {alert: a, expr: x, annotations: {b: "
        "'{{ nothing }}'}}\n";
    assert_int_equal(vfs_write_file_atomic(sim_vfs_get(f.sim), "bad.yml", bad, strlen(bad)), 0);
    assert_int_equal(rules_load(f.rules, patterns, 2, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "bad.yml:4:42: annotations \"b\": could not parse template"));
    assert_non_null(strstr(e.message, "(group \"h\", rule 1, \"a\")"));
    assert_string_equal(rules_fixture_alerts(&f), before);
    assert_int_equal(rules_fixture_pass(&f, MINUTE_MS), 1);
    assert_string_equal(rules_fixture_alerts(&f), before);
    rules_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules_see_those_before_them),
        cmocka_unit_test(test_vanished_series_end_at_once), cmocka_unit_test(test_an_alert_lives),
        cmocka_unit_test(test_crashes_change_nothing),
        cmocka_unit_test(test_failing_writes_change_nothing),
        cmocka_unit_test(test_begins_again_after_a_crash), cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_missed_evaluations),
        cmocka_unit_test(test_a_refused_file_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
