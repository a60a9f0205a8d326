/* The state machine of alerts against timelines worked out by hand from Prometheus' rules. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/sample.h"
#include "query/alert.h"
#include "rules/alert_states.h"
#include "support/support.h"

#define MINUTE_MS INT64_C(60000)

static const struct labels *make_labels(const char *alertname, const char *instance)
{
    const struct label pairs[] = {
        {STR("alertname"), str_of(alertname)}, {STR("instance"), str_of(instance)}};
    const struct labels *labels = NULL;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    return labels;
}

/* ---- Timelines ---- */

struct timeline {
    const char *what;
    int64_t hold_ms, keep_ms;
    const char *results; /* a minute a character: x = there is a result, . = none */
    const char *states;  /* after each: p, f, i (remembered), - (unknown) */
};

static const struct timeline timelines[] = {
    {"no for: fires at once, ends at once", 0, 0, ".x.x", "-fif"},
    {"for two minutes", 2 * MINUTE_MS, 0, "xxxx.", "ppffi"},
    {"a miss while pending forgets", 2 * MINUTE_MS, 0, "xx.xxx", "pp-ppf"},
    {"a for between two evaluations is rounded up", 90000, 0, "xxx", "ppf"},
    {"keeps firing for two minutes", 0, 2 * MINUTE_MS, "x....", "fffii"},
    {"a result ends the keeping", 0, 2 * MINUTE_MS, "x.x..", "fffff"},
    {"the keeping begins anew", 0, 2 * MINUTE_MS, "x.x....", "fffffii"},
    {"pending is not kept", MINUTE_MS, 5 * MINUTE_MS, "x.xx.", "p-pff"},
    {"remembered a quarter of an hour", 0, 0, "x.................", "fiiiiiiiiiiiiiiii-"},
    {"back within it: a new alert", 2 * MINUTE_MS, 0, "xxx.xxx", "ppfippf"},
};

static char letter(const struct alert_states *s, const struct labels *labels)
{
    const struct alert_instance *i = alert_states_find(s, labels);
    return (char)(i == NULL ? '-' : alert_state_name(i->state)[0]);
}

static void test_timelines(void **state)
{
    (void)state;
    const struct labels *labels = make_labels("Down", "a:1");
    for (size_t k = 0; k < sizeof(timelines) / sizeof(timelines[0]); k++) {
        const struct timeline *t = &timelines[k];
        struct alert_states s = {0};
        char seen[64] = "";
        for (size_t m = 0; t->results[m] != '\0'; m++) {
            const struct alert_result result = {labels, labels_empty(), (double)m};
            const struct alert_step step = {.at_ms = (int64_t)m * MINUTE_MS,
                .hold_ms = t->hold_ms,
                .keep_firing_ms = t->keep_ms,
                .results = &result,
                .result_count = t->results[m] == 'x'};
            assert_int_equal(alert_states_step(&s, &step, NULL), 0);
            seen[m] = letter(&s, labels);
        }
        if (strcmp(seen, t->states) != 0) {
            fail_msg("%s: %s gave %s, wanted %s", t->what, t->results, seen, t->states);
        }
        alert_states_release(&s);
    }
    labels_unref(labels);
}

/* ---- What is told ---- */

static void note_change(
    void *context, const struct alert_instance *instance, enum alert_change change)
{
    static const char letters[] = {[ALERT_BEGAN] = 'b',
        [ALERT_FIRED] = 'F',
        [ALERT_HELD_BACK] = 'h',
        [ALERT_KEPT] = 'k',
        [ALERT_RETURNED] = 'r',
        [ALERT_RESOLVED] = 'R',
        [ALERT_DROPPED] = 'd',
        [ALERT_FORGOTTEN] = 'x'};
    (void)instance;
    char *told = context;
    told[strlen(told)] = letters[change];
}

static void test_changes_are_told(void **state)
{
    (void)state;
    static const struct {
        int64_t hold_ms;
        bool result;
        const char *told; /* all so far */
    } steps[] = {{60000, true, "b"}, {60000, false, "bd"}, {60000, true, "bdb"},
        {60000, true, "bdbF"}, {60000, true, "bdbF"}, {600000, true, "bdbFh"},
        {60000, true, "bdbFhF"}, {60000, false, "bdbFhFk"}, {60000, true, "bdbFhFkr"},
        {60000, false, "bdbFhFkrk"}, {60000, false, "bdbFhFkrkR"}};
    const struct labels *labels = make_labels("Down", "a:1");
    struct alert_states s = {0};
    char told[64] = "";
    int64_t t = 0;
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++, t += MINUTE_MS) {
        const struct alert_result result = {labels, labels_empty(), 1};
        const struct alert_step step = {.at_ms = t,
            .hold_ms = steps[k].hold_ms,
            .keep_firing_ms = MINUTE_MS,
            .results = &result,
            .result_count = steps[k].result,
            .changed = note_change,
            .context = told};
        assert_int_equal(alert_states_step(&s, &step, NULL), 0);
        assert_string_equal(told, steps[k].told);
    }
    /* Forgotten when it has been told long enough. */
    const struct alert_step later = {
        .at_ms = t - MINUTE_MS + ALERT_REMEMBERED_MS + 1, .changed = note_change, .context = told};
    assert_int_equal(alert_states_step(&s, &later, NULL), 0);
    assert_string_equal(told, "bdbFhFkrkRx");
    assert_int_equal(s.count, 0);
    alert_states_release(&s);
    labels_unref(labels);
}

/* ---- Refusals ---- */

static void test_equal_results_change_nothing(void **state)
{
    (void)state;
    const struct labels *a = make_labels("Down", "a:1"), *b = make_labels("Down", "b:1");
    struct alert_states s = {0};
    struct err e = ERR_INIT;
    const struct alert_result one[] = {{a, labels_empty(), 1}};
    const struct alert_result twice[] = {
        {b, labels_empty(), 2}, {a, labels_empty(), 2}, {b, labels_empty(), 3}};
    struct alert_step step = {.at_ms = 0, .hold_ms = MINUTE_MS, .results = one, .result_count = 1};
    assert_int_equal(alert_states_step(&s, &step, NULL), 0);
    step = (struct alert_step){
        .at_ms = MINUTE_MS, .hold_ms = MINUTE_MS, .results = twice, .result_count = 3};
    assert_int_equal(alert_states_step(&s, &step, &e), ERR_INVALID);
    assert_string_equal(
        e.message, "vector contains metrics with the same labelset after applying alert labels");
    assert_int_equal(s.count, 1);
    assert_null(alert_states_find(&s, b));
    const struct alert_instance *i = alert_states_find(&s, a);
    assert_non_null(i);
    assert_int_equal(i->state, ALERT_PENDING);
    assert_true(i->value == 1);
    /* And the next step is as if it had not been. */
    step.result_count = 2;
    assert_int_equal(alert_states_step(&s, &step, NULL), 0);
    assert_int_equal(alert_states_find(&s, a)->state, ALERT_FIRING);
    assert_int_equal(alert_states_find(&s, b)->state, ALERT_PENDING);
    alert_states_release(&s);
    labels_unref(a);
    labels_unref(b);
}

static void test_limit_forgets_all(void **state)
{
    (void)state;
    const struct labels *labels[3] = {
        make_labels("Down", "a:1"), make_labels("Down", "b:1"), make_labels("Down", "c:1")};
    struct alert_states s = {0};
    struct err e = ERR_INIT;
    char told[64] = "";
    struct alert_result results[3];
    for (size_t k = 0; k < 3; k++) {
        results[k] = (struct alert_result){labels[k], labels_empty(), 1};
    }
    struct alert_step step = {.at_ms = 0, .limit = 2, .results = results, .result_count = 2};
    assert_int_equal(alert_states_step(&s, &step, NULL), 0);
    assert_int_equal(s.count, 2);
    step.at_ms = MINUTE_MS;
    step.result_count = 3;
    step.changed = note_change;
    step.context = told;
    assert_int_equal(alert_states_step(&s, &step, &e), ERR_LIMIT);
    assert_string_equal(e.message, "exceeded limit of 2 with 3 alerts");
    assert_string_equal(told, "bFxxx");
    assert_int_equal(s.count, 0);
    alert_states_release(&s);
    for (size_t k = 0; k < 3; k++) {
        labels_unref(labels[k]);
    }
}

/* ---- Telling again ---- */

static void test_resending(void **state)
{
    (void)state;
    struct alert_instance i = {
        .state = ALERT_PENDING, .resolved_at_ms = ALERT_NEVER, .sent_at_ms = ALERT_NEVER};
    assert_false(alert_instance_is_due(&i, 0));
    i.state = ALERT_FIRING;
    assert_true(alert_instance_is_due(&i, 0));
    alert_instance_note_sent(&i, 0, 15000);
    assert_int_equal(i.believed_until_ms, 4 * 60000); /* the longer of interval and a minute */
    assert_false(alert_instance_is_due(&i, 60000));
    assert_true(alert_instance_is_due(&i, 60001));
    alert_instance_note_sent(&i, 60001, 300000);
    assert_int_equal(i.believed_until_ms, 60001 + 4 * 300000);
    /* Its end is told at once, and again. */
    i.state = ALERT_INACTIVE;
    i.resolved_at_ms = 60002;
    assert_true(alert_instance_is_due(&i, 60002));
    alert_instance_note_sent(&i, 60002, 15000);
    assert_false(alert_instance_is_due(&i, 60003));
    assert_true(alert_instance_is_due(&i, 120003));
}

/* ---- Bytes and series ---- */

static void test_records_round_trip(void **state)
{
    (void)state;
    const struct label note = {STR("summary"), STR("it \"burns\"\n")};
    const struct labels *annotations = NULL, *labels = make_labels("Down", "a:1");
    assert_int_equal(labels_new(&note, 1, &annotations, NULL), 0);
    struct alert_states from = {0}, to = {0};
    const struct alert_instance instances[] = {
        {labels, annotations, ALERT_PENDING, -0.0, 17, ALERT_NEVER, ALERT_NEVER, ALERT_NEVER,
            ALERT_NEVER, ALERT_NEVER, false},
        {labels, annotations, ALERT_FIRING, value_nan(), -5, 20, ALERT_NEVER, 25, ALERT_NEVER,
            ALERT_NEVER, false},
        {labels, labels_empty(), ALERT_INACTIVE, 1e300, 0, 1, 2, ALERT_NEVER, ALERT_NEVER,
            ALERT_NEVER, false},
    };
    for (size_t k = 0; k < 3; k++) {
        struct strbuf bytes = STRBUF_INIT;
        struct err e = ERR_INIT;
        alert_instance_encode(&instances[k], &bytes);
        if (alert_states_restore(&to, strbuf_str(&bytes), &e) != 0) {
            fail_msg("%zu: %s", k, e.message);
        }
        const struct alert_instance *i = alert_states_find(&to, labels);
        assert_non_null(i);
        assert_int_equal(to.count, 1);
        assert_int_equal(i->state, instances[k].state);
        assert_memory_equal(&i->value, &instances[k].value, sizeof(double));
        assert_int_equal(i->active_at_ms, instances[k].active_at_ms);
        assert_int_equal(i->fired_at_ms, instances[k].fired_at_ms);
        assert_int_equal(i->resolved_at_ms, instances[k].resolved_at_ms);
        assert_int_equal(i->keep_firing_since_ms, instances[k].keep_firing_since_ms);
        assert_true(labels_eq(i->annotations, instances[k].annotations));
        /* Cut anywhere, it is refused and changes nothing. */
        for (size_t size = 0; size < bytes.size; size++) {
            assert_int_equal(
                alert_states_restore(&from, str_make(bytes.data, size), NULL), ERR_CORRUPT);
        }
        assert_int_equal(from.count, 0);
        strbuf_release(&bytes);
    }
    alert_states_release(&to);
    alert_states_release(&from);
    labels_unref(labels);
    labels_unref(annotations);
}

static void test_series(void **state)
{
    (void)state;
    const struct labels *labels = make_labels("Down", "a:1"), *series = NULL;
    const struct alert_instance i = {.labels = labels, .state = ALERT_FIRING};
    struct strbuf text = STRBUF_INIT;
    assert_int_equal(alert_instance_series(&i, false, &series), 0);
    labels_write(series, &text);
    labels_unref(series);
    assert_string_equal(
        text.data, "ALERTS{alertname=\"Down\", alertstate=\"firing\", instance=\"a:1\"}");
    strbuf_reset(&text);
    assert_int_equal(alert_instance_series(&i, true, &series), 0);
    labels_write(series, &text);
    labels_unref(series);
    assert_string_equal(text.data, "ALERTS_FOR_STATE{alertname=\"Down\", instance=\"a:1\"}");
    strbuf_release(&text);
    labels_unref(labels);
}

/* ---- Many, and no memory ---- */

/* Against a table of plain arrays: who was there at which minutes. */
static void test_many_alerts(void **state)
{
    (void)state;
    enum { ALERTS = 300, MINUTES = 40 };
    static const struct labels *labels[ALERTS];
    static int64_t since[ALERTS];
    uint64_t random = test_seed();
    struct alert_states s = {0};
    for (size_t k = 0; k < ALERTS; k++) {
        char name[16];
        snprintf(name, sizeof(name), "i%zu", k);
        labels[k] = make_labels("Many", name);
        since[k] = -1;
    }
    for (int64_t minute = 0; minute < MINUTES; minute++) {
        struct alert_result results[ALERTS];
        size_t count = 0;
        for (size_t k = 0; k < ALERTS; k++) {
            if (test_random(&random) % 4 != 0) {
                results[count++] = (struct alert_result){labels[k], labels_empty(), (double)k};
                since[k] = since[k] < 0 ? minute : since[k];
            } else {
                since[k] = -1;
            }
        }
        const struct alert_step step = {.at_ms = minute * MINUTE_MS,
            .hold_ms = 3 * MINUTE_MS,
            .results = results,
            .result_count = count};
        assert_int_equal(alert_states_step(&s, &step, NULL), 0);
        for (size_t k = 0; k < ALERTS; k++) {
            const struct alert_instance *i = alert_states_find(&s, labels[k]);
            bool active = i != NULL && i->state != ALERT_INACTIVE;
            assert_int_equal(active, since[k] >= 0);
            if (active) {
                assert_int_equal(i->active_at_ms, since[k] * MINUTE_MS);
                assert_int_equal(i->state, minute - since[k] >= 3 ? ALERT_FIRING : ALERT_PENDING);
                assert_true(i->value == (double)k);
            }
        }
    }
    alert_states_release(&s);
    for (size_t k = 0; k < ALERTS; k++) {
        labels_unref(labels[k]);
    }
}

static void test_no_memory_changes_nothing(void **state)
{
    (void)state;
    const struct labels *a = make_labels("Down", "a:1");
    const struct alert_result result = {a, labels_empty(), 1};
    const struct alert_step step = {.at_ms = 0, .results = &result, .result_count = 1};
    for (uint64_t nth = 1;; nth++) {
        struct alert_states s = {0};
        mem_fail_nth(nth);
        int status = alert_states_step(&s, &step, NULL);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        assert_int_equal(s.count, struck ? 0 : 1);
        alert_states_release(&s);
        if (!struck) {
            break;
        }
    }
    labels_unref(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_timelines),
        cmocka_unit_test(test_changes_are_told),
        cmocka_unit_test(test_equal_results_change_nothing),
        cmocka_unit_test(test_limit_forgets_all), cmocka_unit_test(test_resending),
        cmocka_unit_test(test_records_round_trip), cmocka_unit_test(test_series),
        cmocka_unit_test(test_many_alerts), cmocka_unit_test(test_no_memory_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
