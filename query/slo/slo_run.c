/* An objective at work. */
#include "slo_run.h"

#include <string.h>

#include "base/mem.h"

static int make_labels(struct slo_run *run, size_t tier)
{
    const struct slo_definition *d = run->definition;
    const struct slo_tier *t = &d->parameters.tiers[tier];
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; i < d->label_count; i++) {
        labels_builder_set(&b, d->labels[i].name, d->labels[i].value);
    }
    labels_builder_set(&b, STR("alertname"), STR("SLOErrorBudgetBurn"));
    labels_builder_set(&b, STR("slo"), d->name);
    labels_builder_set(&b, STR("service"), d->service);
    labels_builder_set(&b, STR("tier"), str_of(t->name));
    labels_builder_set(&b, STR("severity"), str_of(t->page ? "page" : "ticket"));
    int status = labels_builder_finish(&b, &run->labels[tier]);
    labels_builder_release(&b);
    return status;
}

int slo_run_open(struct slo_run *run, const struct slo_definition *definition, int64_t from_ms)
{
    const struct slo_parameters *p = &definition->parameters;
    *run = (struct slo_run){.definition = definition};
    int64_t from = slo_run_floor(run, from_ms);
    int64_t first = slo_run_floor(run, from - slo_reach_ms(p, from)) + p->step_ms;
    for (size_t i = 0; i < definition->indicator_count; i++) {
        run->components[i].budget_billionths = definition->budgets[i];
        run->components[i].weight = definition->weights[i];
        slo_ledger_init(&run->components[i].ledger, p->step_ms, first, p->no_data);
    }
    int status = 0;
    for (size_t i = 0; i < p->tier_count && status == 0; i++) {
        status = make_labels(run, i);
    }
    if (status != 0) {
        slo_run_release(run);
    }
    return status;
}

void slo_run_release(struct slo_run *run)
{
    for (size_t i = 0; i < SLO_COMPONENTS_MAX; i++) {
        slo_ledger_release(&run->components[i].ledger);
    }
    for (size_t i = 0; i < SLO_TIERS_MAX; i++) {
        alert_states_release(&run->states[i]);
        labels_unref(run->labels[i]);
    }
    *run = (struct slo_run){0};
}

int64_t slo_run_floor(const struct slo_run *run, int64_t time_ms)
{
    int64_t step = run->definition->parameters.step_ms;
    return (time_ms / step - (time_ms % step < 0)) * step;
}

struct exclusion_list {
    const struct slo_exclusion *items;
    size_t count;
    struct str slo;
};

static bool is_excluded(void *context, int64_t end_ms)
{
    const struct exclusion_list *list = context;
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq(list->items[i].slo, list->slo) && slo_exclusion_holds(&list->items[i], end_ms)) {
            return true;
        }
    }
    return false;
}

void slo_run_exclude(
    struct slo_run *run, const struct slo_exclusion *exclusions, size_t exclusion_count)
{
    struct exclusion_list list = {exclusions, exclusion_count, run->definition->name};
    for (size_t i = 0; i < run->definition->indicator_count; i++) {
        slo_ledger_exclude(&run->components[i].ledger, is_excluded, &list);
    }
}

static bool counts_the_same(const struct slo_definition *a, const struct slo_definition *b)
{
    bool same =
        a->indicator_count == b->indicator_count && a->parameters.step_ms == b->parameters.step_ms;
    for (size_t i = 0; i < a->indicator_count && same; i++) {
        const struct slo_indicator *x = &a->indicators[i], *y = &b->indicators[i];
        same = x->kind == y->kind && str_eq(x->part, y->part) && str_eq(x->total, y->total) &&
               x->part_is_good == y->part_is_good && x->op == y->op && x->value == y->value &&
               x->slice_target == y->slice_target;
    }
    return same;
}

int slo_run_adopt(struct slo_run *run, const struct slo_run *from, int64_t until_ms)
{
    int status = 0;
    if (!counts_the_same(run->definition, from->definition)) {
        return 0;
    }
    run->read_late_ms = from->read_late_ms;
    for (size_t i = 0; i < run->definition->indicator_count && status == 0; i++) {
        status =
            slo_ledger_adopt(&run->components[i].ledger, &from->components[i].ledger, until_ms);
    }
    return status;
}

/* Each stretch that nothing is known of is asked for by itself; of many the whole they lie in. */
static int fill_gaps(const struct slo_store *store, const struct slo_indicator *x,
    struct slo_ledger *l, struct err *e)
{
    int64_t from = l->first_ms, first, last, gaps = 0;
    int status = 0;
    while (status == 0 && slo_ledger_gap(l, from, &first, &last)) {
        last = ++gaps < SLO_GAPS_MAX ? last : slo_ledger_end_ms(l);
        status = slo_fill(store, x, l, first, last, e);
        from = last + l->step_ms;
    }
    return status;
}

int slo_run_read(
    struct slo_run *run, const struct slo_store *store, int64_t until_ms, struct err *e)
{
    const struct slo_definition *d = run->definition;
    int status = 0;
    for (size_t i = 0; i < d->indicator_count && status == 0; i++) {
        struct slo_ledger *l = &run->components[i].ledger;
        status = slo_ledger_extend(l, until_ms);
        status = status == 0 ? fill_gaps(store, &d->indicators[i], l, e)
                             : err_set(e, status, -1, "%s", err_text(status));
    }
    return status;
}

/* What is new, and what may have changed: the end, and each hour more of it and what is missing. */
static int read_on(
    struct slo_run *run, const struct slo_store *store, int64_t until_ms, bool late, struct err *e)
{
    const struct slo_definition *d = run->definition;
    int64_t again = slo_run_floor(run, late ? SLO_READ_LATE_MS : SLO_READ_AGAIN_MS);
    int status = 0;
    for (size_t i = 0; i < d->indicator_count && status == 0; i++) {
        struct slo_ledger *l = &run->components[i].ledger;
        int64_t from = slo_ledger_end_ms(l) + d->parameters.step_ms - again;
        if (late) {
            status = fill_gaps(store, &d->indicators[i], l, e);
        }
        if (status == 0) {
            status = slo_fill(store, &d->indicators[i], l, from, until_ms, e);
        }
    }
    return status;
}

int slo_run_fill(struct slo_run *run, const struct slo_store *store, int64_t until_ms,
    const struct slo_exclusion *exclusions, size_t exclusion_count, struct err *e)
{
    const struct slo_definition *d = run->definition;
    /* Questions about the last day are answered from it, too. */
    int64_t oldest = until_ms - SLO_LOOK_BACK_MS;
    int64_t keep = slo_run_floor(run, oldest - slo_reach_ms(&d->parameters, oldest));
    bool longer = slo_ledger_end_ms(&run->components[0].ledger) < until_ms;
    bool late = until_ms >= run->read_late_ms;
    int status = read_on(run, store, until_ms, late, e);
    if (status != 0) {
        return status;
    }
    run->read_late_ms = late ? until_ms + SLO_READ_LATE_EACH_MS : run->read_late_ms;
    for (size_t i = 0; i < d->indicator_count; i++) {
        struct slo_ledger *l = &run->components[i].ledger;
        /* Moved together at times, a tenth of the window at once. */
        if (keep - l->first_ms > (until_ms - keep) / 10) {
            slo_ledger_drop(l, keep);
        }
    }
    if (longer && exclusion_count > 0) {
        slo_run_exclude(run, exclusions, exclusion_count);
    }
    return 0;
}

void slo_run_look(struct slo_run *run, int64_t at_ms, struct slo_evaluation *out)
{
    const struct slo_definition *d = run->definition;
    slo_evaluate(&d->parameters, run->components, d->indicator_count, at_ms, out);
}

bool slo_run_pace(const struct slo_run *run, const struct slo_evaluation *v, double *burn_out)
{
    if (run->definition->parameters.tier_count == 0 || !v->tiers[0].has_long) {
        return false;
    }
    *burn_out = v->tiers[0].burn_long;
    return true;
}

struct step_context {
    const struct slo_run *run;
    size_t tier;
    int64_t at_ms;
    slo_changed changed;
    void *context;
};

static void pass_on(void *context, const struct alert_instance *instance, enum alert_change change)
{
    const struct step_context *c = context;
    (void)instance;
    if (c->changed != NULL) {
        c->changed(c->context, c->run, c->tier, c->at_ms, change);
    }
}

int slo_run_step(struct slo_run *run, int64_t at_ms, slo_changed changed, void *context)
{
    const struct slo_parameters *p = &run->definition->parameters;
    slo_run_look(run, at_ms, &run->last);
    run->evaluated = true;
    for (size_t i = 0; i < p->tier_count; i++) {
        const struct slo_tier_value *v = &run->last.tiers[i];
        bool firing = alert_states_highest(&run->states[i]) == ALERT_FIRING;
        /* Without data whatever was true stays so. */
        bool burning = v->verdict == SLO_BURNING || (v->verdict == SLO_NO_DATA && firing);
        struct alert_result result = {run->labels[i], labels_empty(), v->burn_long};
        struct step_context c = {run, i, at_ms, changed, context};
        struct alert_step step = {.at_ms = at_ms,
            .keep_firing_ms = p->keep_firing_ms,
            .results = &result,
            .result_count = burning,
            .changed = pass_on,
            .context = &c};
        int status = alert_states_step(&run->states[i], &step, NULL);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Going back in time: has each tier been quiet for so long, at some time, that it had no alert whatever was
 * before? */
static bool all_were_quiet(
    const struct slo_parameters *p, const struct slo_evaluation *v, int64_t quiet_ms[SLO_TIERS_MAX])
{
    bool all = true;
    for (size_t i = 0; i < p->tier_count; i++) {
        bool over = quiet_ms[i] > p->keep_firing_ms;
        bool quiet = v->tiers[i].verdict == SLO_QUIET;
        quiet_ms[i] = over ? quiet_ms[i] : quiet ? quiet_ms[i] + p->step_ms : 0;
        all &= quiet_ms[i] > p->keep_firing_ms;
    }
    return all;
}

int slo_run_step_to(struct slo_run *run, int64_t at_ms)
{
    const struct slo_parameters *p = &run->definition->parameters;
    int64_t quiet_ms[SLO_TIERS_MAX] = {0};
    struct slo_evaluation v;
    int64_t from_ms = at_ms;
    for (; at_ms - from_ms < SLO_LOOK_BACK_MS; from_ms -= p->step_ms) {
        slo_run_look(run, from_ms, &v);
        if (all_were_quiet(p, &v, quiet_ms)) {
            break;
        }
    }
    int status = 0;
    for (int64_t t = from_ms; t <= at_ms && status == 0; t += p->step_ms) {
        status = slo_run_step(run, t, NULL, NULL);
    }
    return status;
}

/* ---- Back-test ---- */

struct episodes {
    struct slo_episode *items;
    size_t count, cap;
    int status;
};

static void note_change(
    void *context, const struct slo_run *run, size_t tier, int64_t at_ms, enum alert_change change)
{
    struct episodes *list = context;
    (void)run;
    if (change == ALERT_FIRED && list->status == 0) {
        list->status = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
            sizeof(*list->items), SLO_EPISODES_MAX);
        if (list->status == 0) {
            list->items[list->count++] = (struct slo_episode){tier, at_ms, INT64_MAX, 0};
        }
    }
    for (size_t i = list->count; change == ALERT_RESOLVED && i > 0; i--) {
        struct slo_episode *episode = &list->items[i - 1];
        if (episode->tier == tier && episode->end_ms == INT64_MAX) {
            episode->end_ms = at_ms;
            break;
        }
    }
}

/* Of each episode the share of a period's budget that its bad events are. */
static void measure(struct slo_run *run, struct episodes *list, int64_t end_ms)
{
    const struct slo_parameters *p = &run->definition->parameters;
    for (size_t i = 0; i < list->count; i++) {
        struct slo_episode *episode = &list->items[i];
        int64_t until = episode->end_ms < end_ms ? episode->end_ms : end_ms;
        int64_t begin = episode->start_ms - p->tiers[episode->tier].short_ms;
        size_t n = run->definition->indicator_count;
        struct slo_count during = slo_count_window(p, run->components, n, begin, until).events;
        int64_t from = slo_window_start_ms(&p->window, until);
        struct slo_count window = slo_count_window(p, run->components, n, from, until).events;
        double allowed = window.total * (double)p->budget_billionths / (double)SLO_BILLION;
        double share = p->composition == SLO_SINGLE
                           ? 1
                           : (double)(until - begin) / (double)slo_window_period_ms(&p->window);
        episode->budget_spent = allowed > 0 ? during.bad * share / allowed : 0;
    }
}

int slo_backtest(const struct slo_store *store, const struct slo_definition *definition,
    const struct slo_exclusion *exclusions, size_t exclusion_count, int64_t start_ms,
    int64_t end_ms, struct slo_episode **episodes_out, size_t *count_out, struct err *e)
{
    struct slo_run run;
    struct episodes list = {0};
    int status = slo_run_open(&run, definition, start_ms);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    int64_t step = definition->parameters.step_ms;
    int64_t first = slo_run_floor(&run, start_ms + step - 1), last = slo_run_floor(&run, end_ms);
    status = slo_run_read(&run, store, last, e);
    if (status == 0) {
        slo_run_exclude(&run, exclusions, exclusion_count);
    }
    for (int64_t t = first; t <= last && status == 0; t += step) {
        status = slo_run_step(&run, t, note_change, &list);
        status = status != 0 ? status : list.status;
        if (status != 0) {
            (void)err_set(e, status, -1, "%s", err_text(status));
        }
    }
    if (status == 0) {
        measure(&run, &list, last);
        *episodes_out = list.items;
        *count_out = list.count;
    } else {
        mem_free(list.items);
    }
    slo_run_release(&run);
    return status;
}
