/* The life of a group, and one evaluation of it:
 *
 *   snapshot → each rule in order, over what those before it wrote → journal → store → notification
 *
 * The journal comes first: a crash behind it costs the samples of one evaluation, never a state; and nobody
 * is told what a restart would not know.
 */
#include "rules/rule_group.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "rules/alert_telling.h"
#include "rules/group_view.h"
#include "rules/rule_import.h"

/* The journal learns the time of an evaluation that changed nothing so often. */
#define JOURNAL_TIME_MS ((int64_t)60 * 1000)

/* ---- Keys ---- */

static struct hash128 group_key(const struct rule_group_definition *d)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_sized(&text, d->file);
    strbuf_add_sized(&text, d->name);
    struct hash128 key = hash128(text.data, text.size, 0);
    strbuf_release(&text);
    return key;
}

static bool same_rule(const struct rule_definition *a, const struct rule_definition *b)
{
    if (a->alerting != b->alerting || !str_eq(a->name, b->name) ||
        a->label_count != b->label_count) {
        return false;
    }
    for (size_t i = 0; i < a->label_count; i++) {
        if (!str_eq(a->labels[i].name, b->labels[i].name) ||
            !str_eq(a->labels[i].value, b->labels[i].value)) {
            return false;
        }
    }
    return true;
}

/* Of file, group, name, labels, and the rank among the rules that have all these. */
static struct hash128 rule_key(const struct rule_group_definition *d, size_t index)
{
    struct strbuf text = STRBUF_INIT;
    const struct rule_definition *rule = &d->rules[index];
    size_t rank = 0;
    for (size_t i = 0; i < index && rule->alerting; i++) {
        rank += same_rule(&d->rules[i], rule);
    }
    strbuf_add_sized(&text, d->file);
    strbuf_add_sized(&text, d->name);
    strbuf_add_sized(&text, rule->name);
    strbuf_add_uvarint(&text, rank);
    for (size_t i = 0; i < rule->label_count; i++) {
        strbuf_add_sized(&text, rule->labels[i].name);
        strbuf_add_sized(&text, rule->labels[i].value);
    }
    struct hash128 key = hash128(text.data, text.size, 0);
    strbuf_release(&text);
    return key;
}

/* ---- Life ---- */

static int prepare_rule(struct rule_group *g, size_t index, struct err *e)
{
    struct rule_run *run = &g->rules[index];
    run->definition = &g->definition->rules[index];
    run->evaluated_at_ms = INT64_MIN;
    if (!run->definition->alerting) {
        return 0;
    }
    run->key = rule_key(g->definition, index);
    int status = rule_texts_new(run->definition, &run->texts, e);
    if (status != 0) {
        err_prefix(e, "%.*s:%zu: group \"%.*s\", rule %zu, \"%.*s\"", STR_ARG(g->definition->file),
            run->definition->line, STR_ARG(g->definition->name), index + 1,
            STR_ARG(run->definition->name));
    }
    return status;
}

int rule_group_new(struct rule_file *file, const struct rule_group_definition *definition,
    const struct rules_environment *env, struct rule_group **group_out, struct err *e)
{
    struct rule_group *g = mem_calloc(1, sizeof(*g));
    if (g == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    g->file = rule_file_ref(file);
    g->definition = definition;
    g->interval_ms = definition->interval_ms != 0 ? definition->interval_ms : env->interval_ms;
    g->query_offset_ms =
        definition->has_query_offset ? definition->query_offset_ms : env->query_offset_ms;
    g->key = group_key(definition);
    g->changes = g->later = (struct state_changes)STATE_CHANGES_INIT;
    g->journaled_at_ms = g->evaluated_at_ms = INT64_MIN;
    lock_init(&g->lock, LOCK_RANK_LEAF);
    g->rules = mem_calloc(definition->rule_count + 1, sizeof(*g->rules));
    int status = g->rules == NULL ? err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM)) : 0;
    for (size_t i = 0; i < definition->rule_count && status == 0; i++) {
        status = prepare_rule(g, i, e);
        g->rule_count++;
    }
    if (status != 0) {
        rule_group_free(g);
        return status;
    }
    *group_out = g;
    return 0;
}

void rule_group_free(struct rule_group *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->rule_count; i++) {
        rule_run_release(&g->rules[i]);
    }
    mem_free(g->rules);
    rule_series_release(&g->gone);
    state_changes_release(&g->changes);
    state_changes_release(&g->later);
    lock_release(&g->lock);
    rule_file_unref(g->file);
    mem_free(g);
}

int64_t rule_group_slot(const struct rule_group *g, int64_t now_ms)
{
    int64_t spread = (int64_t)(g->key.low % (uint64_t)g->interval_ms);
    int64_t shifted = now_ms - spread, behind = shifted % g->interval_ms;
    return now_ms - (behind < 0 ? behind + g->interval_ms : behind);
}

/* ---- Inheriting ---- */

static void forget_alerts(struct rule_group *g, const struct rule_run *run)
{
    for (size_t i = 0; i < run->states.count; i++) {
        state_changes_delete(&g->changes, run->key, &run->states.items[i]);
    }
}

int rule_group_take_over(struct rule_group *g, struct rule_group *from)
{
    bool *taken = mem_calloc(from->rule_count + 1, sizeof(*taken));
    if (taken == NULL) {
        return ERR_NOMEM;
    }
    g->evaluated_at_ms = from->evaluated_at_ms;
    g->evaluation_ns = from->evaluation_ns;
    g->journaled_at_ms = from->journaled_at_ms;
    g->journal_behind = from->journal_behind;
    int status = rule_series_absorb(&g->gone, &from->gone);
    for (size_t i = 0; i < g->rule_count && status == 0; i++) {
        struct rule_run *run = &g->rules[i];
        for (size_t k = 0; k < from->rule_count; k++) {
            if (taken[k] || !same_rule(run->definition, from->rules[k].definition)) {
                continue;
            }
            taken[k] = true;
            run->series = from->rules[k].series;
            run->states = from->rules[k].states;
            from->rules[k].series = (struct rule_series){0};
            from->rules[k].states = (struct alert_states){0};
            break;
        }
    }
    for (size_t k = 0; k < from->rule_count && status == 0; k++) {
        if (!taken[k]) {
            forget_alerts(g, &from->rules[k]);
            status = rule_series_absorb(&g->gone, &from->rules[k].series);
        }
    }
    mem_free(taken);
    return status;
}

/* The series that the alert may have had at the last evaluation, which was at `at_ms`: a crash may have come
 * before those that ended then were ended. */
static int remember_series(struct rule_run *run, const struct alert_instance *alert, int64_t at_ms)
{
    bool just_fired = alert->fired_at_ms == at_ms && run->definition->for_ms > 0;
    bool just_ended = alert->state == ALERT_INACTIVE && alert->resolved_at_ms == at_ms;
    bool never_fired = alert->fired_at_ms == ALERT_NEVER;
    if (alert->state == ALERT_INACTIVE && !just_ended && !never_fired) {
        return 0;
    }
    const struct {
        bool was;
        bool for_state;
        enum alert_state state;
    } rows[] = {{true, true, ALERT_PENDING}, {never_fired || just_fired, false, ALERT_PENDING},
        {!never_fired, false, ALERT_FIRING}};
    int status = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && status == 0; i++) {
        struct alert_instance then = *alert;
        const struct labels *labels = NULL;
        then.state = rows[i].state;
        if (rows[i].was) {
            status = alert_instance_series(&then, rows[i].for_state, &labels);
            status = status != 0 ? status : rule_series_remember(&run->series, labels);
            labels_unref(labels);
        }
    }
    return status;
}

/* How long ago the evaluation was that the journal knows of. */
static int64_t since_journaled(const struct rule_group *g, int64_t now_ms)
{
    return g->journaled_at_ms == INT64_MIN ? INT64_MAX : now_ms - g->journaled_at_ms;
}

/* Is the alert to go on, from what the journal has? */
static bool goes_on(const struct rule_group *g, const struct alert_instance *alert, int64_t now_ms)
{
    bool outage = since_journaled(g, now_ms) > RULES_OUTAGE_MS;
    bool dropped = alert->state == ALERT_INACTIVE && alert->fired_at_ms == ALERT_NEVER;
    return !dropped && !(outage && alert->state == ALERT_PENDING);
}

static int restore_rule(
    struct rule_group *g, struct rule_run *run, struct rules_journal *journal, int64_t now_ms)
{
    struct alert_states found = {0};
    int status = rules_journal_restore(journal, run->key, &found);
    for (size_t i = 0; i < found.count && status == 0; i++) {
        const struct alert_instance *alert = &found.items[i];
        status = remember_series(run, alert, g->journaled_at_ms);
        if (status != 0) {
            break;
        }
        if (goes_on(g, alert, now_ms)) {
            status = alert_states_put(&run->states, alert);
        } else {
            state_changes_delete(&g->later, run->key, alert);
        }
    }
    alert_states_release(&found);
    return status;
}

int rule_group_restore(struct rule_group *g, struct rules_journal *journal, int64_t now_ms)
{
    g->import = !rules_journal_group(journal, g->key, &g->journaled_at_ms);
    int status = 0;
    for (size_t i = 0; i < g->rule_count && status == 0; i++) {
        if (g->rules[i].definition->alerting) {
            status = restore_rule(g, &g->rules[i], journal, now_ms);
        }
    }
    return status;
}

/* ---- One evaluation ---- */

struct evaluation {
    struct rule_group *group;
    const struct rules_environment *env;
    int64_t at_ms;
    struct rule_run *rule; /* under way */
    struct group_view view;
};

static void on_change(
    void *context, const struct alert_instance *instance, enum alert_change change)
{
    struct evaluation *v = context;
    if (v->env->journal != NULL) {
        if (change == ALERT_FORGOTTEN) {
            state_changes_delete(&v->group->changes, v->rule->key, instance);
        } else if (change == ALERT_DROPPED) {
            struct alert_instance dropped = *instance;
            dropped.state = ALERT_INACTIVE;
            dropped.resolved_at_ms = v->at_ms;
            state_changes_put(&v->group->changes, v->rule->key, &dropped);
            state_changes_delete(&v->group->later, v->rule->key, instance);
        } else {
            state_changes_put(&v->group->changes, v->rule->key, instance);
        }
    }
    if (v->env->changed != NULL) {
        v->env->changed(v->env->context, v->rule->definition, instance, change, v->at_ms);
    }
}

static void on_began(void *context, struct rule_run *rule)
{
    struct evaluation *v = context;
    struct state_changes *changes = v->env->journal != NULL ? &v->group->changes : NULL;
    int status = rule_import(rule, v->view.snapshot, v->at_ms, &v->group->lock, changes);
    if (status != 0) {
        LOG_WARN("rules: ALERTS_FOR_STATE could not be read; the wait begins anew",
            LOG_STR("alert", rule->definition->name), LOG_S("error", err_text(status)));
    }
}

/* What is shown of a rule after its evaluation, or after its samples were lost. */
static void note_result(
    struct rule_group *g, struct rule_run *rule, int status, const struct err *e)
{
    char *sentence = NULL;
    if (status != 0) {
        const char *text = e->message[0] != '\0' ? e->message : err_text(status);
        sentence = mem_strdup(text);
        if (rule->last_error == NULL || strcmp(rule->last_error, text) != 0) {
            LOG_WARN("rules: a rule failed", LOG_STR("file", g->definition->file),
                LOG_STR("group", g->definition->name), LOG_STR("rule", rule->definition->name),
                LOG_S("error", text));
        }
    }
    lock_take(&g->lock);
    char *before = rule->last_error;
    rule->last_error = sentence;
    rule->health = status == 0 ? RULE_OK : RULE_ERROR;
    g->failures += status != 0;
    lock_give(&g->lock);
    mem_free(before);
}

static size_t evaluate_rule(struct evaluation *v, struct rule_run *rule,
    const struct rule_world *world, struct group_writes *writes)
{
    struct rule_group *g = v->group;
    struct err e = ERR_INIT;
    struct rule_evaluation one = {.at_ms = v->at_ms,
        .query_offset_ms = g->query_offset_ms,
        .limit = g->definition->limit,
        .writes = writes,
        .changed = on_change,
        .began = g->import ? on_began : NULL,
        .context = v};
    int64_t wall_ms = clock_now_ms(v->env->clock), begun = clock_monotonic_ns(v->env->clock);
    v->rule = rule;
    int status = rule_run_evaluate(rule, world, &one, &e);
    note_result(g, rule, status, &e);
    lock_take(&g->lock);
    rule->evaluated_at_ms = wall_ms;
    rule->evaluation_ns = clock_monotonic_ns(v->env->clock) - begun;
    g->evaluations++;
    lock_give(&g->lock);
    return one.samples;
}

static bool has_active(const struct rule_group *g)
{
    for (size_t i = 0; i < g->rule_count; i++) {
        if (g->rules[i].states.count > 0) {
            return true;
        }
    }
    return false;
}

/* After memory was short: nobody knows which changes were lost. */
static void write_all_states(struct rule_group *g)
{
    state_changes_release(&g->changes);
    g->changes = (struct state_changes)STATE_CHANGES_INIT;
    for (size_t i = 0; i < g->rule_count; i++) {
        for (size_t k = 0; k < g->rules[i].states.count; k++) {
            state_changes_put(&g->changes, g->rules[i].key, &g->rules[i].states.items[k]);
        }
    }
}

/* States are durable before anybody hears of them. */
static void commit_states(struct evaluation *v)
{
    struct rule_group *g = v->group;
    struct err e = ERR_INIT;
    if (v->env->journal == NULL) {
        return;
    }
    if (strbuf_error(&g->changes.bytes) != 0) {
        write_all_states(g);
    }
    bool time_is_due = has_active(g) && since_journaled(g, v->at_ms) >= JOURNAL_TIME_MS;
    if (!state_changes_empty(&g->changes) || time_is_due || g->import) {
        state_changes_group(&g->changes, g->key, v->at_ms);
        int status = rules_journal_commit(v->env->journal, &g->changes, &e);
        if (status == 0) {
            g->journaled_at_ms = v->at_ms;
            g->import = false;
        } else if (!g->journal_behind) {
            LOG_ERROR("rules: states of alerts are not durable now",
                LOG_STR("group", g->definition->name), LOG_S("error", e.message));
        }
        g->journal_behind = status != 0;
    }
}

static void commit_samples(struct evaluation *v, struct group_writes *writes)
{
    struct rule_group *g = v->group;
    struct err e = ERR_INIT;
    uint64_t refused = 0;
    int status =
        v->env->writes != NULL ? group_writes_commit(writes, v->env->writes, &refused, &e) : 0;
    for (size_t i = 0; i < g->rule_count; i++) {
        if (status != 0) {
            note_result(g, &g->rules[i], status, &e);
        } else {
            rule_series_learn(&g->rules[i].series, writes);
        }
    }
    if (refused > 0) {
        LOG_WARN("rules: the store refused samples of rules", LOG_STR("group", g->definition->name),
            LOG_I("count", refused));
    }
}

static size_t evaluate_rules(struct evaluation *v, struct group_writes *writes)
{
    struct rule_group *g = v->group;
    const struct rules_environment *env = v->env;
    const struct rule_world world = {.engine = env->engine,
        .source = &v->view.source,
        .query = &env->query,
        .clock = env->clock,
        .fs = env->fs,
        .external_labels = env->external_labels,
        .external_url = env->external_url,
        .path_prefix = env->path_prefix,
        .lock = &g->lock};
    size_t samples = 0;
    for (size_t i = 0; i < g->rule_count; i++) {
        samples += evaluate_rule(v, &g->rules[i], &world, writes);
    }
    struct err e = ERR_INIT;
    if (rule_series_end_missed(&g->gone, writes, v->at_ms - g->query_offset_ms, &e) != 0) {
        LOG_WARN("rules: series of old rules could not be ended", LOG_S("error", e.message));
    }
    return samples;
}

static void tell_alerts(const struct evaluation *v)
{
    const struct rule_group *g = v->group;
    const struct alert_telling telling = {.sink = v->env->sink,
        .external_labels = v->env->external_labels,
        .external_url = v->env->external_url,
        .at_ms = v->at_ms,
        .interval_ms = g->interval_ms};
    size_t refused = 0;
    for (size_t i = 0; i < g->rule_count && telling.sink != NULL; i++) {
        refused += alerts_tell(&telling, &g->rules[i]);
    }
    if (refused > 0) {
        LOG_WARN("rules: alerts were not taken; they are sent again",
            LOG_STR("group", g->definition->name), LOG_I("count", refused));
    }
}

void rule_group_evaluate(struct rule_group *g, const struct rules_environment *env, int64_t at_ms)
{
    struct evaluation v = {.group = g, .env = env, .at_ms = at_ms};
    struct group_writes writes;
    struct arena arena;
    struct err e = ERR_INIT;
    int64_t wall_ms = clock_now_ms(env->clock), begun = clock_monotonic_ns(env->clock);
    size_t samples = 0;
    arena_init(&arena, 0);
    group_writes_init(&writes, &arena);
    /* In front of what this evaluation changes: an alert that was dropped may begin again. */
    state_changes_append(&g->changes, &g->later);
    int status = group_view_open(&v.view, env->reads, &writes, &e);
    for (size_t i = 0; i < g->rule_count && status != 0; i++) {
        note_result(g, &g->rules[i], status, &e);
    }
    if (status == 0) {
        samples = evaluate_rules(&v, &writes);
        group_view_close(&v.view);
        commit_states(&v);
        commit_samples(&v, &writes);
        tell_alerts(&v);
    }
    group_writes_release(&writes);
    arena_release(&arena);
    lock_take(&g->lock);
    g->evaluated_at_ms = wall_ms;
    g->evaluation_ns = clock_monotonic_ns(env->clock) - begun;
    g->iterations++;
    g->samples = samples;
    lock_give(&g->lock);
}
