/* An objective -> OpenSLO v1. Texts are double-quoted YAML, whose escapes JSON's are; what the standard lacks
 * goes into annotations, as slo_file.h lists them.
 */
#include "base/fpconv.h"
#include "base/json.h"
#include "model/duration.h"
#include "slo_file.h"

static void add_text(struct strbuf *out, struct str text)
{
    struct json_writer w;
    json_init(&w, out);
    json_string(&w, text);
}

static void add_pair(struct strbuf *out, const char *indent, struct str key, struct str value)
{
    strbuf_add_c(out, indent);
    add_text(out, key);
    strbuf_add_c(out, ": ");
    add_text(out, value);
    strbuf_add_char(out, '\n');
}

static void add_setting(struct strbuf *out, const char *key, struct str value)
{
    strbuf_addf(out, "    \"%s%s\": ", SLO_EXTENSION_PREFIX, key);
    add_text(out, value);
    strbuf_add_char(out, '\n');
}

static void write_tiers(const struct slo_parameters *p, struct strbuf *out)
{
    for (size_t i = 0; i < p->tier_count; i++) {
        const struct slo_tier *t = &p->tiers[i];
        strbuf_addf(out, "%s%s=", i > 0 ? "; " : "", t->name);
        duration_write(t->long_ms, out);
        strbuf_add_char(out, '/');
        duration_write(t->short_ms, out);
        strbuf_add_char(out, '@');
        strbuf_add_double(out, (double)t->share_millionths * 100 / (double)SLO_MILLION);
        strbuf_addf(out, "%%:%s", t->page ? "page" : "ticket");
    }
}

static void write_settings(const struct slo_definition *d, struct strbuf *out)
{
    static const char *const policies[] = {
        [SLO_FREEZE] = "freeze", [SLO_BAD] = "bad", [SLO_GOOD] = "good", [SLO_IGNORE] = "ignore"};
    const struct slo_parameters *p = &d->parameters;
    struct strbuf text = STRBUF_INIT;
    if (d->runbook_url.len > 0) {
        add_setting(out, "runbook-url", d->runbook_url);
    }
    if (d->waived.len > 0) {
        add_setting(out, "runbook-waived", d->waived);
    }
    duration_write(p->step_ms, &text);
    add_setting(out, "step", strbuf_str(&text));
    add_setting(out, "no-data", str_of(policies[p->no_data]));
    strbuf_reset(&text);
    strbuf_add_double(&text, p->min_failures);
    add_setting(out, "min-failures", strbuf_str(&text));
    if (p->budget_guard) {
        add_setting(out, "low-traffic", STR("budget"));
    }
    if (p->keep_firing_ms > 0) {
        strbuf_reset(&text);
        duration_write(p->keep_firing_ms, &text);
        add_setting(out, "keep-firing-for", strbuf_str(&text));
    }
    strbuf_reset(&text);
    write_tiers(p, &text);
    add_setting(out, "tiers", p->tier_count > 0 ? strbuf_str(&text) : STR("none"));
    if (p->composition != SLO_SINGLE) {
        add_setting(
            out, "composite", str_of(p->composition == SLO_PRODUCT ? "product" : "weighted"));
    }
    strbuf_release(&text);
}

static void write_source(struct strbuf *out, const char *key, struct str query)
{
    strbuf_addf(out,
        "            %s:\n              metricSource:\n                type: Prometheus\n"
        "                spec:\n                  query: ",
        key);
    add_text(out, query);
    strbuf_add_char(out, '\n');
}

static void write_histogram(const struct slo_indicator *x, struct strbuf *out)
{
    strbuf_add_c(out, "            good:\n              metricSource:\n                type: "
                      "Prometheus\n                spec:\n                  histogram: ");
    add_text(out, x->part_query);
    strbuf_add_c(out, "\n                  threshold: ");
    strbuf_add_double(out, x->value);
    strbuf_addf(out, "\n                  kind: %s\n", x->native ? "native" : "classic");
}

static void write_indicator(const struct slo_indicator *x, struct strbuf *out)
{
    strbuf_add_c(out, "      indicator:\n        spec:\n");
    if (x->kind == SLO_SLICES_VALUE) {
        strbuf_add_c(out,
            "          thresholdMetric:\n            metricSource:\n"
            "              type: Prometheus\n              spec:\n                query: ");
        add_text(out, x->total_query);
        strbuf_add_char(out, '\n');
        return;
    }
    strbuf_add_c(out, "          ratioMetric:\n            counter: true\n");
    if (x->histogram) {
        write_histogram(x, out);
    } else if (x->kind == SLO_RATIO) {
        strbuf_addf(out, "            rawType: %s\n", x->part_is_good ? "success" : "failure");
        write_source(out, "raw", x->part_query);
    } else {
        write_source(out, x->part_is_good ? "good" : "bad", x->part_query);
        write_source(out, "total", x->total_query);
    }
}

static void write_objective(const struct slo_definition *d, size_t i, struct strbuf *out)
{
    static const char *const ops[] = {
        [SLO_LTE] = "lte", [SLO_GTE] = "gte", [SLO_LT] = "lt", [SLO_GT] = "gt"};
    const struct slo_indicator *x = &d->indicators[i];
    int64_t target = SLO_BILLION - d->budgets[i];
    strbuf_addf(out, "    - target: 0.%09lld\n", (long long)target);
    if (d->indicator_count > 1) {
        strbuf_add_c(out, "      compositeWeight: ");
        strbuf_add_double(out, d->weights[i]);
        strbuf_add_char(out, '\n');
    }
    if (x->kind == SLO_SLICES_VALUE) {
        strbuf_addf(out, "      op: %s\n      value: ", ops[x->op]);
        strbuf_add_double(out, x->value);
        strbuf_add_char(out, '\n');
    }
    if (x->kind == SLO_SLICES_RATIO) {
        strbuf_add_c(out, "      timeSliceTarget: ");
        strbuf_add_double(out, x->slice_target);
        strbuf_add_char(out, '\n');
    }
    write_indicator(x, out);
}

void slo_openslo_write(const struct slo_definition *d, struct strbuf *out)
{
    const struct slo_window *w = &d->parameters.window;
    bool slices = d->indicator_count > 0 && d->indicators[0].kind == SLO_SLICES_RATIO;
    strbuf_add_c(out, "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n");
    add_pair(out, "  ", STR("name"), d->name);
    if (d->display_name.len > 0) {
        add_pair(out, "  ", STR("displayName"), d->display_name);
    }
    strbuf_add_c(out, d->label_count > 0 ? "  labels:\n" : "");
    for (size_t i = 0; i < d->label_count; i++) {
        add_pair(out, "    ", d->labels[i].name, d->labels[i].value);
    }
    strbuf_add_c(out, "  annotations:\n");
    for (size_t i = 0; i < d->annotation_count; i++) {
        add_pair(out, "    ", d->annotations[i].name, d->annotations[i].value);
    }
    write_settings(d, out);
    strbuf_add_c(out, "spec:\n");
    add_pair(out, "  ", STR("service"), d->service);
    if (d->description.len > 0) {
        add_pair(out, "  ", STR("description"), d->description);
    }
    strbuf_addf(out, "  budgetingMethod: %s\n  timeWindow:\n    - duration: ",
        slices ? "RatioTimeslices" : "Occurrences");
    slo_window_write(w, out);
    if (w->calendar) {
        strbuf_add_c(out, "\n      isRolling: false\n      calendar:\n");
        add_pair(out, "        ", STR("startTime"), d->calendar_start);
        add_pair(out, "        ", STR("timeZone"), d->zone_name);
    } else {
        strbuf_add_c(out, "\n      isRolling: true\n");
    }
    strbuf_add_c(out, "  objectives:\n");
    for (size_t i = 0; i < d->indicator_count; i++) {
        write_objective(d, i, out);
    }
}
