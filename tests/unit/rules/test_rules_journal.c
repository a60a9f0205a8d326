/* States on disk: what each rule gets back after a restart, and what is dropped with rules that are no more. */
#include <stdio.h>

#include "rules/alert_states.h"
#include "rules/rules_journal.h"
#include "support/sim_vfs.h"
#include "support/support.h"

#define RULES 20
#define ALERTS 7
#define PATH "rules.journal"

static struct hash128 rule_key(uint64_t rule)
{
    /* Neighbours in both halves, so that a search by prefix may go wrong on either side. */
    return (struct hash128){.low = rule / 3, .high = rule % 3};
}

static struct alert_instance make_alert(uint64_t rule, int alert)
{
    char instance[16];
    int n = snprintf(instance, sizeof(instance), "i%d", alert);
    const struct label pairs[] = {
        {STR("alertname"), STR("Down")}, {STR("instance"), str_make(instance, (size_t)n)}};
    const struct labels *labels = NULL;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    return (struct alert_instance){.labels = labels,
        .annotations = labels_ref(labels_empty()),
        .state = ALERT_FIRING,
        .value = (double)(rule * 100 + (uint64_t)alert),
        .active_at_ms = 1000,
        .fired_at_ms = 2000,
        .resolved_at_ms = ALERT_NEVER,
        .keep_firing_since_ms = ALERT_NEVER,
        .sent_at_ms = ALERT_NEVER};
}

static void put(struct state_changes *c, uint64_t rule, int alert)
{
    struct alert_instance i = make_alert(rule, alert);
    state_changes_put(c, rule_key(rule), &i);
    labels_unref(i.labels);
    labels_unref(i.annotations);
}

static struct rules_journal *open_journal(struct sim_vfs *disk)
{
    struct rules_journal *j;
    struct err e = ERR_INIT;
    assert_int_equal(rules_journal_open(sim_vfs_get(disk), PATH, &j, &e), 0);
    return j;
}

static void commit(struct rules_journal *j, struct state_changes *c)
{
    struct err e = ERR_INIT;
    assert_int_equal(rules_journal_commit(j, c, &e), 0);
    state_changes_release(c);
}

/* How many alerts the rule gets; each has the values of that rule. */
static size_t restore(struct rules_journal *j, uint64_t rule)
{
    struct alert_states s = {0};
    assert_int_equal(rules_journal_restore(j, rule_key(rule), &s), 0);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal((int)s.items[i].value / 100, (int)rule);
    }
    size_t count = s.count;
    alert_states_release(&s);
    return count;
}

static struct sim_vfs *filled_disk(void)
{
    struct sim_vfs *disk = sim_vfs_new(1);
    struct rules_journal *j = open_journal(disk);
    struct state_changes c = STATE_CHANGES_INIT;
    for (int alert = 0; alert < ALERTS; alert++) {
        for (uint64_t rule = 0; rule < RULES; rule++) {
            put(&c, rule, alert);
        }
    }
    state_changes_group(&c, rule_key(3), 12345);
    commit(j, &c);
    rules_journal_close(j);
    return disk;
}

static void test_each_rule_gets_its_own(void **state)
{
    (void)state;
    struct sim_vfs *disk = filled_disk();
    struct rules_journal *j = open_journal(disk);
    for (uint64_t rule = RULES; rule > 0; rule--) {
        assert_int_equal(restore(j, rule - 1), ALERTS);
        assert_int_equal(restore(j, rule - 1), 0); // given once
    }
    assert_int_equal(restore(j, RULES), 0);
    int64_t at_ms = 0;
    assert_true(rules_journal_group(j, rule_key(3), &at_ms));
    assert_int_equal(at_ms, 12345);
    rules_journal_close(j);
    sim_vfs_free(disk);
}

/* Alerts that come and go between two restores move the places of others. */
static void test_changes_between_restores(void **state)
{
    (void)state;
    struct sim_vfs *disk = filled_disk();
    struct rules_journal *j = open_journal(disk);
    assert_int_equal(restore(j, 0), ALERTS);
    struct state_changes c = STATE_CHANGES_INIT;
    struct alert_instance gone = make_alert(5, 2);
    state_changes_delete(&c, rule_key(5), &gone);
    labels_unref(gone.labels);
    labels_unref(gone.annotations);
    put(&c, 7, ALERTS); // a rule's own from now on: not given back
    commit(j, &c);
    assert_int_equal(restore(j, 5), ALERTS - 1);
    assert_int_equal(restore(j, 7), ALERTS);
    assert_int_equal(restore(j, 19), ALERTS);
    rules_journal_close(j);
    sim_vfs_free(disk);
}

static void test_settling_drops_what_nobody_wanted(void **state)
{
    (void)state;
    struct sim_vfs *disk = filled_disk();
    struct rules_journal *j = open_journal(disk);
    struct err e = ERR_INIT;
    assert_int_equal(restore(j, 4), ALERTS);
    assert_int_equal(rules_journal_settle(j, &e), 0);
    rules_journal_close(j);
    j = open_journal(disk);
    assert_int_equal(restore(j, 4), ALERTS);
    assert_int_equal(restore(j, 5), 0);
    rules_journal_close(j);
    sim_vfs_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule_gets_its_own),
        cmocka_unit_test(test_changes_between_restores),
        cmocka_unit_test(test_settling_drops_what_nobody_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
