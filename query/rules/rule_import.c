/* Prometheus' rules for the state of `for`, word for word in arithmetic; see the header. */
#include "rules/rule_import.h"

#include "base/mem.h"
#include "model/sample.h"
#include "query/rule_definition.h"
#include "tsdb/querier.h"

int64_t rule_import_active_at(int64_t active_s, int64_t last_ms, int64_t hold_ms, int64_t at_ms)
{
    int64_t down_at_ms = last_ms / 1000 * 1000; /* whole seconds, as is active_s */
    int64_t active_ms = active_s * 1000;
    int64_t left_ms = hold_ms - (down_at_ms - active_ms);
    if (left_ms <= 0) {
        return active_ms; /* it was firing */
    }
    if (left_ms < RULES_GRACE_MS) {
        return at_ms + RULES_GRACE_MS - hold_ms;
    }
    return active_ms + (at_ms - down_at_ms);
}

/* The last sample of a series. False: it has none, or has ended. */
static int last_sample(
    struct series *series, struct arena *arena, int64_t *t_out, double *value_out, bool *found_out)
{
    struct column_iter *it = NULL;
    struct column_run run;
    struct err e = ERR_INIT;
    int status = series_open(series, arena, &it, &e);
    *found_out = false;
    if (status != 0) {
        return status;
    }
    while ((status = column_iter_next(it, &run, &e)) > 0) {
        if (run.values != NULL) {
            *t_out = run.times[run.count - 1];
            *value_out = run.values[run.count - 1];
            *found_out = !value_is_stale(*value_out);
        }
    }
    column_iter_close(it);
    return status;
}

/* The alert that a series of ALERTS_FOR_STATE speaks of. */
static struct alert_instance *alert_of(
    struct rule_run *rule, const struct labels *series, int *status_out)
{
    const struct str name = STR(LABEL_METRIC_NAME);
    const struct labels *labels = NULL;
    *status_out = labels_restrict(series, &name, 1, false, &labels);
    struct alert_instance *alert =
        *status_out == 0 ? alert_states_find(&rule->states, labels) : NULL;
    labels_unref(labels);
    return alert;
}

static int import_set(struct rule_run *rule, const struct series_set *set, struct arena *arena,
    int64_t at_ms, struct lock *lock, struct state_changes *changes)
{
    for (size_t i = 0; i < set->count; i++) {
        int64_t last_ms;
        double value;
        bool found;
        int status;
        struct alert_instance *alert = alert_of(rule, series_labels(set->series[i]), &status);
        if (status != 0) {
            return status;
        }
        if (alert == NULL || alert->active_at_ms != at_ms || alert->state == ALERT_INACTIVE) {
            continue;
        }
        status = last_sample(set->series[i], arena, &last_ms, &value, &found);
        if (status != 0) {
            return status;
        }
        if (!found || !(value > -1e15 && value < 1e15)) {
            continue;
        }
        int64_t active_at_ms =
            rule_import_active_at((int64_t)value, last_ms, rule->definition->for_ms, at_ms);
        lock_take(lock);
        alert->active_at_ms = active_at_ms;
        lock_give(lock);
        if (changes != NULL) {
            state_changes_put(changes, rule->key, alert);
        }
    }
    return 0;
}

int rule_import(struct rule_run *rule, struct querier *snapshot, int64_t at_ms, struct lock *lock,
    struct state_changes *changes)
{
    const struct rule_definition *d = rule->definition;
    struct matcher *matchers[2] = {NULL, NULL};
    struct series_set *set = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    if (d->for_ms < RULES_GRACE_MS || rule->states.count == 0) {
        return 0;
    }
    arena_init(&arena, 0);
    int status = matcher_new(
        MATCHER_EQUAL, STR(LABEL_METRIC_NAME), STR("ALERTS_FOR_STATE"), &matchers[0], &e);
    if (status == 0) {
        status = matcher_new(MATCHER_EQUAL, STR("alertname"), d->name, &matchers[1], &e);
    }
    if (status == 0) {
        const struct select_request request = {.min_t = at_ms - RULES_OUTAGE_MS,
            .max_t = at_ms,
            .matchers = (const struct matcher *const *)matchers,
            .matcher_count = 2};
        status = querier_select(snapshot, &request, &arena, &set, &e);
    }
    if (status == 0) {
        status = import_set(rule, set, &arena, at_ms, lock, changes);
        series_set_free(set);
    }
    arena_release(&arena);
    matcher_free(matchers[0]);
    matcher_free(matchers[1]);
    return status;
}
