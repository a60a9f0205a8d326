/* What is shown: a copy of every group, made under its lock, in the arena of whoever asks. */
#include "rules/rules_manager.h"

static void release_labels(void *labels)
{
    labels_unref(labels);
}

static void release_file(void *file)
{
    rule_file_unref(file);
}

static const struct labels *hold(struct arena *arena, const struct labels *labels)
{
    (void)labels_ref(labels);
    if (arena_on_release(arena, release_labels, (void *)(uintptr_t)labels) != 0) {
        labels_unref(labels);
        return NULL;
    }
    return labels;
}

static int copy_alerts(struct arena *arena, const struct alert_states *states,
    const struct rule_alert **alerts_out, size_t *count_out)
{
    struct rule_alert *alerts = arena_calloc(arena, states->count + 1, sizeof(*alerts));
    size_t count = 0;
    if (alerts == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < states->count; i++) {
        const struct alert_instance *from = &states->items[i];
        if (from->state == ALERT_INACTIVE) {
            continue;
        }
        struct rule_alert *to = &alerts[count++];
        *to = (struct rule_alert){.labels = hold(arena, from->labels),
            .annotations = hold(arena, from->annotations),
            .firing = from->state == ALERT_FIRING,
            .value = from->value,
            .active_at_ms = from->active_at_ms,
            .keep_firing_since_ms = from->keep_firing_since_ms};
        if (to->labels == NULL || to->annotations == NULL) {
            return arena_error(arena);
        }
    }
    *alerts_out = alerts;
    *count_out = count;
    return 0;
}

static int copy_rule(struct arena *arena, const struct rule_run *from, struct rule_status *to)
{
    *to = (struct rule_status){.definition = from->definition,
        .health = from->health,
        .evaluated_at_ms = from->evaluated_at_ms,
        .evaluation_ns = from->evaluation_ns};
    if (from->last_error != NULL) {
        struct str text = str_of(from->last_error);
        to->last_error = str_make(arena_strndup(arena, text.ptr, text.len), text.len);
        if (to->last_error.ptr == NULL) {
            return arena_error(arena);
        }
    }
    return copy_alerts(arena, &from->states, &to->alerts, &to->alert_count);
}

static int copy_group(struct arena *arena, struct rule_group *from, struct rule_group_status *to)
{
    struct rule_status *rules = arena_calloc(arena, from->rule_count + 1, sizeof(*rules));
    if (rules == NULL) {
        return arena_error(arena);
    }
    int status = arena_on_release(arena, release_file, from->file);
    if (status != 0) {
        return status;
    }
    (void)rule_file_ref(from->file);
    lock_take(&from->lock);
    *to = (struct rule_group_status){.definition = from->definition,
        .interval_ms = from->interval_ms,
        .evaluated_at_ms = from->evaluated_at_ms,
        .evaluation_ns = from->evaluation_ns,
        .iterations = from->iterations,
        .missed = from->missed,
        .evaluations = from->evaluations,
        .failures = from->failures,
        .samples = from->samples,
        .rules = rules,
        .rule_count = from->rule_count};
    for (size_t i = 0; i < from->rule_count && status == 0; i++) {
        status = copy_rule(arena, &from->rules[i], &rules[i]);
    }
    lock_give(&from->lock);
    return status;
}

int rules_status(
    struct rules *r, struct arena *arena, struct rule_group_status **groups_out, size_t *count_out)
{
    int status = 0;
    lock_take(&r->lock);
    struct rule_group_status *groups = arena_calloc(arena, r->group_count + 1, sizeof(*groups));
    status = groups == NULL ? arena_error(arena) : 0;
    for (size_t i = 0; i < r->group_count && status == 0; i++) {
        status = copy_group(arena, r->groups[i], &groups[i]);
    }
    *count_out = r->group_count;
    lock_give(&r->lock);
    if (status == 0) {
        *groups_out = groups;
    }
    return status;
}

bool rules_have_alerts(struct rules *r)
{
    bool found = false;
    lock_take(&r->lock);
    for (size_t i = 0; i < r->group_count && !found; i++) {
        for (size_t k = 0; k < r->groups[i]->rule_count && !found; k++) {
            found = r->groups[i]->rules[k].definition->alerting;
        }
    }
    lock_give(&r->lock);
    return found;
}
