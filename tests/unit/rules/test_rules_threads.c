/* The manager with its own threads: groups are evaluated while others load, write and delete rules, and ask. What
 * is shown must be right; that nothing races is for the thread sanitizer to say. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"
#include "unit/rules/rules_fixture.h"

#define MINUTE_MS INT64_C(60000)
#define ROUNDS 12

static atomic_uint told;

static int count_alerts(struct alert_sink *self, const struct alert *alerts, size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++) {
        assert_true(labels_count(alerts[i].labels) > 0);
    }
    atomic_fetch_add(&told, (unsigned)count);
    return 0;
}

/* Groups, and how many of them have been evaluated so often. */
static size_t evaluated(struct rules_fixture *f, uint64_t iterations, size_t *groups_out)
{
    struct arena arena;
    struct rule_group_status *groups = NULL;
    size_t done = 0;
    arena_init(&arena, 0);
    assert_int_equal(rules_status(f->rules, &arena, &groups, groups_out), 0);
    for (size_t i = 0; i < *groups_out; i++) {
        done += groups[i].iterations >= iterations;
        for (size_t k = 0; k < groups[i].rule_count; k++) {
            assert_true(groups[i].rules[k].health != RULE_ERROR);
        }
    }
    arena_release(&arena);
    return done;
}

static atomic_bool over;
static char complaint[1024]; /* of the thread that asks, read when it has ended */

static void *ask_on_and_on(void *context)
{
    struct rules_fixture *f = context;
    while (!atomic_load(&over)) {
        struct strbuf text = STRBUF_INIT;
        struct err e = ERR_INIT;
        rules_write_metrics(f->rules, &text);
        if (!rules_have_alerts(f->rules)) {
            (void)err_set(&e, ERR_INTERNAL, -1, "no alerting rules");
        }
        if (rules_write_yaml(f->rules, STR(""), STR(""), &text, &e) != 0 || e.code != 0) {
            (void)snprintf(complaint, sizeof(complaint), "%s", e.message);
        }
        strbuf_release(&text);
    }
    return NULL;
}

static void write_files(struct rules_fixture *f, int round)
{
    char text[512];
    int size = snprintf(text, sizeof(text),
        "groups:\n"
        "- {name: stays, rules: [{record: a, expr: 'x * 2'}, {alert: High, expr: 'a > 1'}]}\n"
        "- {name: changes, rules: [{alert: Other, expr: 'x > %d', for: 1m}]}\n"
        "%s",
        round % 3, round % 2 == 0 ? "- {name: comes, rules: [{record: b, expr: 'a + 1'}]}\n" : "");
    rules_fixture_load(f, text);
    (void)size;
}

static void test_threads(void **state)
{
    (void)state;
    struct rules_fixture f = {0};
    struct err e = ERR_INIT;
    pthread_t asker;
    f.options.threads = 3;
    rules_fixture_open(&f);
    f.sink.sink.send = count_alerts;
    rules_fixture_write(&f, "x", "i", 7);
    write_files(&f, 0);
    assert_int_equal(rules_start(f.rules, &e), 0);
    assert_int_equal(pthread_create(&asker, NULL, ask_on_and_on, &f), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        struct str group = STR("name: g\nrules: [{record: c, expr: 'a * 3'}]\n");
        rules_fixture_write(&f, "x", "i", 7 + round);
        /* The wall clock alone: a minute that passes in the middle of a query would end it. */
        fake_clock_set_wall_ms(&f.clock, FIXTURE_START_MS + round * MINUTE_MS);
        assert_int_equal(rules_write_group(f.rules, STR("team"), group, &e), 0);
        write_files(&f, round);
        if (round % 4 == 3) {
            assert_int_equal(rules_delete_group(f.rules, STR("team"), STR("g"), &e), 0);
        }
        size_t groups = 0;
        while (evaluated(&f, (uint64_t)(round + 1) / 2, &groups) == 0) {
            write_files(&f, round); /* wakes the scheduler */
            (void)sched_yield();
        }
        assert_in_range(groups, 2, 4);
    }
    atomic_store(&over, true);
    (void)pthread_join(asker, NULL);
    assert_string_equal(complaint, "");
    rules_close(f.rules);
    f.rules = NULL;
    assert_true(atomic_load(&told) > 0);
    rules_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
