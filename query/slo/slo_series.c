/* What objectives say, as series for dashboards:
 *
 *   slo_objective_ratio{slo,service}               0.999
 *   slo_error_budget_remaining_ratio{slo,service}  signed
 *   slo_events{slo,service,result="bad|total"}     of its window
 *   slo_coverage_ratio{slo,service}                known steps of its window
 *   slo_burn_rate{slo,service,window="5m"}         nothing where there were no events
 *   slo_tier_firing{slo,service,tier,severity}     0 or 1
 *   ALERTS{…,alertstate="firing"}                  1 while a tier fires, as rules write theirs
 */
#include <math.h>

#include "base/bytes.h"
#include "model/duration.h"
#include "model/sample.h"
#include "slo_manager.h"

struct writing {
    struct appender *appender;
    const struct slo_run *run;
    int status;
};

static void write_sample(struct writing *w, const struct labels *labels, double value)
{
    struct series_ref ref;
    if (w->status == 0) {
        w->status = appender_series(
            w->appender, labels_pairs(labels), labels_count(labels), NULL, &ref, NULL);
    }
    if (w->status == 0) {
        w->status = appender_append(w->appender, ref, w->run->last.at_ms, value);
        /* Of a time before the store's: made up for too late, and no loss. */
        w->status = w->status == ERR_RANGE ? 0 : w->status;
    }
}

/* One sample with up to two labels besides slo and service. */
static void write_value(
    struct writing *w, const char *metric, const struct label *more, size_t count, double value)
{
    const struct labels *labels = NULL;
    struct labels_builder b;
    labels_builder_init(&b);
    labels_builder_set(&b, STR(LABEL_METRIC_NAME), str_of(metric));
    labels_builder_set(&b, STR("slo"), w->run->definition->name);
    labels_builder_set(&b, STR("service"), w->run->definition->service);
    for (size_t i = 0; i < count; i++) {
        labels_builder_set(&b, more[i].name, more[i].value);
    }
    int status = labels_builder_finish(&b, &labels);
    labels_builder_release(&b);
    if (status != 0) {
        w->status = w->status != 0 ? w->status : status;
        return;
    }
    write_sample(w, labels, value);
    labels_unref(labels);
}

static void write_burn(struct writing *w, int64_t window_ms, double burn)
{
    struct strbuf window = STRBUF_INIT;
    duration_write(window_ms, &window);
    struct label label = {STR("window"), strbuf_str(&window)};
    write_value(w, "slo_burn_rate", &label, 1, burn);
    strbuf_release(&window);
}

static void write_tier(struct writing *w, size_t tier)
{
    const struct slo_tier *t = &w->run->definition->parameters.tiers[tier];
    const struct slo_tier_value *v = &w->run->last.tiers[tier];
    const struct alert_states *states = &w->run->states[tier];
    bool firing = alert_states_highest(states) == ALERT_FIRING;
    struct label labels[] = {
        {STR("tier"), str_of(t->name)}, {STR("severity"), str_of(t->page ? "page" : "ticket")}};
    if (v->has_long) {
        write_burn(w, t->long_ms, v->burn_long);
    }
    if (v->has_short) {
        write_burn(w, t->short_ms, v->burn_short);
    }
    write_value(w, "slo_tier_firing", labels, 2, firing);
    for (size_t i = 0; i < states->count; i++) {
        const struct alert_instance *instance = &states->items[i];
        const struct labels *series = NULL;
        /* A stale marker ends the series in the step in which it resolves. */
        bool ends = instance->resolved_at_ms == w->run->last.at_ms;
        if (instance->state != ALERT_FIRING && !ends) {
            continue;
        }
        struct alert_instance shown = *instance;
        shown.state = ALERT_FIRING;
        if (alert_instance_series(&shown, false, &series) == 0) {
            write_sample(w, series, ends ? value_stale_marker() : 1);
            labels_unref(series);
        }
    }
}

int slo_write_series(struct slo_manager *m, struct slo_run *run, struct err *e)
{
    struct writing w = {.run = run};
    int status = appender_open(m->writes, &w.appender, e);
    if (status != 0) {
        return status;
    }
    const struct slo_parameters *p = &run->definition->parameters;
    const struct slo_evaluation *v = &run->last;
    struct label bad = {STR("result"), STR("bad")}, total = {STR("result"), STR("total")};
    write_value(
        &w, "slo_objective_ratio", NULL, 0, 1 - (double)p->budget_billionths / (double)SLO_BILLION);
    write_value(&w, "slo_error_budget_remaining_ratio", NULL, 0, v->budget_remaining);
    write_value(&w, "slo_coverage_ratio", NULL, 0, v->coverage);
    write_value(&w, "slo_events", &bad, 1, v->count.events.bad);
    write_value(&w, "slo_events", &total, 1, v->count.events.total);
    for (size_t i = 0; i < p->tier_count; i++) {
        write_tier(&w, i);
    }
    if (w.status != 0) {
        appender_rollback(w.appender);
        return err_set(e, w.status, -1, "series of an objective: %s", err_text(w.status));
    }
    return appender_commit(w.appender, COMMIT_AS_CONFIGURED, NULL, e);
}
