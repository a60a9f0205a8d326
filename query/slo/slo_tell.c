/* Alerts of tiers on their way out: labels, a message that says what it means, the SLO block, links. */
#include <stdlib.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "model/duration.h"
#include "query/template.h"
#include "rules/alert_telling.h"
#include "slo_exemplars.h"
#include "slo_manager.h"

#define SIGNIFICANT_DIGITS 4

/* Four digits, as people read them: without an exponent. */
static void add_number(struct strbuf *out, double value)
{
    char text[400];
    bool large = value >= 1e4 || value <= -1e4;
    (void)snprintf(
        text, sizeof(text), large ? "%.*f" : "%.*g", large ? 0 : SIGNIFICANT_DIGITS, value);
    strbuf_add_c(out, text);
}

void slo_write_message(const struct slo_run *run, size_t tier, struct strbuf *out)
{
    const struct slo_definition *d = run->definition;
    const struct slo_parameters *p = &d->parameters;
    const struct slo_tier *t = &p->tiers[tier];
    const struct slo_tier_value *v = &run->last.tiers[tier];
    int64_t period = slo_window_period_ms(&p->window);
    double spent = v->has_long ? v->burn_long * (double)t->long_ms / (double)period : 0;
    strbuf_add_str(out, d->name);
    strbuf_add_c(out, ": ");
    add_number(out, spent * 100);
    strbuf_add_c(out, " % of the ");
    slo_window_write(&p->window, out);
    strbuf_add_c(out, " error budget was spent within ");
    duration_write(t->long_ms, out);
    strbuf_add_c(out, ", ");
    add_number(out, v->burn_long);
    strbuf_add_c(out, " times as fast as allowed (");
    add_number(out, v->burn_short);
    strbuf_add_c(out, " times in the last ");
    duration_write(t->short_ms, out);
    strbuf_addf(out, "; tier %s alerts above ", t->name);
    add_number(out, slo_tier_factor(t, period));
    double left = run->last.budget_remaining;
    strbuf_add_c(out, left >= 0 ? "). " : "). The budget is spent ");
    add_number(out, left >= 0 ? left * 100 : 1 - left);
    strbuf_add_c(out, left >= 0 ? " % of the budget is left." : " times over.");
}

/* ---- Annotations ---- */

struct annotations {
    struct arena arena;
    struct label items[ALERT_ANNOTATIONS_MAX];
    size_t count;
};

/* A later one of the same name is not taken: the definition's come first. */
static void add_annotation(struct annotations *a, struct str name, struct str value)
{
    for (size_t i = 0; i < a->count; i++) {
        if (str_eq(a->items[i].name, name)) {
            return;
        }
    }
    char *kept = arena_strndup(&a->arena, value.len > 0 ? value.ptr : "", value.len);
    if (kept != NULL && a->count < ALERT_ANNOTATIONS_MAX) {
        a->items[a->count++] = (struct label){name, str_make(kept, value.len)};
    }
}

/* Texts of definitions may be templates, as those of rules. */
static void expand(struct slo_manager *m, const struct labels *labels, double value,
    struct str text, struct annotations *a, struct strbuf *out)
{
    struct err e = ERR_INIT;
    struct template *t = NULL;
    struct strbuf whole = STRBUF_INIT;
    strbuf_add_c(&whole, TEMPLATE_RULE_PREFIX);
    strbuf_add_str(&whole, text);
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_RULES};
    struct template_value root =
        template_rule_data(&a->arena, labels, m->external_labels, str_of(m->external_url), value);
    struct template_hooks hooks = {.clock = m->clock, .external_url = str_of(m->external_url)};
    strbuf_reset(out);
    if (template_parse(STR("__slo"), strbuf_str(&whole), &options, &t, &e) != 0 ||
        template_execute(t, &root, &hooks, NULL, out, &e) != 0) {
        strbuf_reset(out);
        strbuf_addf(out, "<error expanding template: %s>", e.message);
    }
    template_free(t);
    strbuf_release(&whole);
}

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static void make_annotations(struct slo_manager *m, const struct slo_run *run, size_t tier,
    struct str page_url, struct annotations *a)
{
    const struct slo_definition *d = run->definition;
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < d->annotation_count; i++) {
        struct str value = d->annotations[i].value;
        if (memmem(value.ptr, value.len, "{{", 2) != NULL) {
            expand(m, run->labels[tier], run->last.tiers[tier].burn_long, value, a, &text);
            value = strbuf_str(&text);
        }
        add_annotation(a, d->annotations[i].name, value);
    }
    strbuf_reset(&text);
    slo_write_message(run, tier, &text);
    add_annotation(a, STR("summary"), strbuf_str(&text));
    if (d->description.len > 0) {
        add_annotation(a, STR("description"), d->description);
    }
    if (d->runbook_url.len > 0) {
        add_annotation(a, STR("runbook_url"), d->runbook_url);
    }
    add_annotation(a, STR("slo_url"), page_url);
    qsort(a->items, a->count, sizeof(a->items[0]), compare_labels);
    strbuf_release(&text);
}

/* ---- Sending ---- */

static int outside_labels(
    struct slo_manager *m, const struct labels *labels, const struct labels **labels_out)
{
    struct labels_builder b;
    labels_builder_init_from(&b, m->external_labels);
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        labels_builder_set(&b, pair.name, pair.value);
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

static struct alert_slo block_of(struct slo_run *run, size_t tier, struct str window)
{
    const struct slo_definition *d = run->definition;
    const struct slo_parameters *p = &d->parameters;
    const struct slo_tier_value *v = &run->last.tiers[tier];
    double pace = 0;
    bool has_pace = slo_run_pace(run, &run->last, &pace);
    return (struct alert_slo){.name = d->name,
        .objective = 1 - (double)p->budget_billionths / (double)SLO_BILLION,
        .window = window,
        .tier = str_of(p->tiers[tier].name),
        .factor = slo_tier_factor(&p->tiers[tier], slo_window_period_ms(&p->window)),
        .burn_long = v->burn_long,
        .burn_short = v->burn_short,
        .budget_remaining = run->last.budget_remaining,
        .exhausts_at_ms =
            has_pace ? slo_forecast(p, run->components, d->indicator_count, run->last.at_ms, pace)
                     : 0};
}

/* The page that draws how fast the budget burns. */
static void write_page_url(
    const struct slo_manager *m, const struct slo_definition *d, struct strbuf *out)
{
    const struct label pairs[] = {
        {STR(LABEL_METRIC_NAME), STR("slo_burn_rate")}, {STR("slo"), d->name}};
    const struct labels *series = NULL;
    struct strbuf expr = STRBUF_INIT;
    if (labels_new(pairs, sizeof(pairs) / sizeof(pairs[0]), &series, NULL) == 0) {
        labels_write(series, &expr);
        alert_generator_url(str_of(m->external_url), strbuf_str(&expr), out);
    }
    labels_unref(series);
    strbuf_release(&expr);
}

static void send(struct slo_manager *m, struct slo_run *run, size_t tier, struct alert_instance *i)
{
    struct annotations *a = mem_calloc(1, sizeof(*a));
    struct strbuf url = STRBUF_INIT, window = STRBUF_INIT;
    const struct labels *labels = NULL;
    if (a == NULL || outside_labels(m, i->labels, &labels) != 0) {
        mem_free(a);
        return;
    }
    arena_init(&a->arena, 0);
    write_page_url(m, run->definition, &url);
    slo_window_write(&run->definition->parameters.window, &window);
    make_annotations(m, run, tier, strbuf_str(&url), a);
    struct alert_exemplar exemplars[ALERT_EXEMPLARS_MAX];
    size_t exemplar_count = slo_find_exemplars(&m->store, run->definition,
        run->last.at_ms - run->definition->parameters.tiers[tier].long_ms, run->last.at_ms,
        &a->arena, exemplars);
    struct alert_slo block = block_of(run, tier, strbuf_str(&window));
    int64_t before = i->sent_at_ms, believed = i->believed_until_ms;
    alert_instance_note_sent(i, run->last.at_ms, run->definition->parameters.step_ms);
    bool resolved = i->resolved_at_ms != ALERT_NEVER;
    struct alert alert = {.labels = labels,
        .annotations = a->items,
        .annotation_count = a->count,
        .starts_at_ms = i->fired_at_ms,
        .ends_at_ms = resolved ? i->resolved_at_ms : i->believed_until_ms,
        .resolved = resolved,
        .generator_url = strbuf_str(&url),
        .has_value = true,
        .value = run->last.tiers[tier].burn_long,
        .slo = &block,
        .exemplars = exemplars,
        .exemplar_count = exemplar_count};
    if (m->sink->send(m->sink, &alert, 1) != 0) {
        i->sent_at_ms = before;
        i->believed_until_ms = believed;
    }
    labels_unref(labels);
    strbuf_release(&url);
    strbuf_release(&window);
    arena_release(&a->arena);
    mem_free(a);
}

void slo_tell(struct slo_manager *m, struct slo_run *run)
{
    for (size_t i = 0; i < run->definition->parameters.tier_count && m->sink != NULL; i++) {
        for (size_t k = 0; k < run->states[i].count; k++) {
            struct alert_instance *instance = &run->states[i].items[k];
            if (alert_instance_is_due(instance, run->last.at_ms)) {
                send(m, run, i, instance);
            }
        }
    }
}
