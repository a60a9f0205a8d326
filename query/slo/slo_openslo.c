/* OpenSLO v1: an SLO with its indicator inside or in an SLI document of the same file.
 *
 * budgetingMethod Occurrences counts events; RatioTimeslices and Timeslices count slices of `timeSliceWindow`,
 * which become the steps of the ledger. A `thresholdMetric` is a value that is looked at once a slice. Several
 * objectives make a composition, each with an indicator and a weight of its own.
 *
 * A latency objective on a histogram may name it instead of two queries (not in the standard, but a source's
 * `spec` is free):
 *
 *   good: {metricSource: {spec: {histogram: 'latency_seconds{job="api"}', threshold: 0.3}}}
 *
 * is the share of observations up to 0.3: of a classic histogram its bucket le="0.3", with `kind: native` the
 * fraction that a native histogram gives.
 *
 * Alert policies are read over: tiers are made for the period. The standard cannot say that two windows must
 * burn at once, and its own examples compare burn rates with `lte`, which read literally alerts when nothing
 * burns; the reader warns of that.
 */
#include "slo_file.h"

#include <stdio.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "model/duration.h"

static const char *const op_names[] = {
    [SLO_LTE] = "lte", [SLO_GTE] = "gte", [SLO_LT] = "lt", [SLO_GT] = "gt"};

static int want_mapping(struct slo_reading *r, const struct yaml_node *node, const char *key,
    const struct yaml_node **value_out)
{
    *value_out = slo_yaml_mapping(node, key);
    return *value_out != NULL ? 0 : config_fail(&r->reader, node, "%s: expected a mapping", key);
}

/* ---- Indicators ---- */

static int format_into(
    struct slo_reading *r, const struct strbuf *text, const struct yaml_node *node, struct str *out)
{
    char *kept = strbuf_error(text) == 0 && text->data != NULL
                     ? arena_strndup(r->reader.arena, text->data, text->size)
                     : NULL;
    *out = str_make(kept, kept != NULL ? text->size : 0);
    return kept != NULL ? 0 : config_fail(&r->reader, node, "%s", err_text(ERR_NOMEM));
}

/* `name{matchers}` with `suffix` behind the name and `matcher` put in. */
static void write_series(
    struct str selector, const char *suffix, const char *matcher, struct strbuf *out)
{
    ptrdiff_t brace = str_find(selector, '{');
    size_t name = brace < 0 ? selector.len : (size_t)brace;
    struct str inside = brace < 0 ? STR("") : str_trim(str_skip(selector, name + 1));
    inside = str_ends_with(inside, STR("}")) ? str_make(inside.ptr, inside.len - 1) : inside;
    strbuf_add(out, selector.ptr, name);
    strbuf_add_c(out, suffix);
    strbuf_add_char(out, '{');
    strbuf_add_str(out, str_trim(inside));
    strbuf_add_c(out, str_trim(inside).len > 0 && matcher[0] != '\0' ? "," : "");
    strbuf_add_c(out, matcher);
    strbuf_add_char(out, '}');
}

int slo_reading_histogram(struct slo_reading *r, const struct yaml_node *node, struct str selector,
    bool native, double limit, struct slo_definition *d, struct slo_indicator *x)
{
    char threshold[FP_TEXT_MAX], matcher[FP_TEXT_MAX + 8], step[64];
    struct strbuf duration = STRBUF_INIT;
    x->value = limit;
    x->histogram = true;
    x->native = native;
    x->part_query = selector;
    x->part_is_good = true;
    (void)fp_format_short(x->value, threshold);
    duration_write(d->parameters.step_ms, &duration);
    (void)snprintf(step, sizeof(step), "%s", duration.data != NULL ? duration.data : "1m");
    strbuf_release(&duration);
    struct strbuf good = STRBUF_INIT, total = STRBUF_INIT;
    if (x->native) {
        strbuf_addf(&good,
            "sum(histogram_fraction(-Inf, %s, increase(%.*s[%s] anchored)) * "
            "histogram_count(increase(%.*s[%s] anchored)))",
            threshold, STR_ARG(selector), step, STR_ARG(selector), step);
        strbuf_addf(
            &total, "sum(histogram_count(increase(%.*s[%s] anchored)))", STR_ARG(selector), step);
    } else {
        /* Buckets are written with a point or without: le="1" and le="1.0" are the same. */
        bool whole = strpbrk(threshold, ".e") == NULL;
        (void)snprintf(
            matcher, sizeof(matcher), whole ? "le=~\"%s(\\\\.0)?\"" : "le=\"%s\"", threshold);
        strbuf_add_c(&good, "sum(increase(");
        write_series(selector, "_bucket", matcher, &good);
        strbuf_addf(&good, "[%s] anchored))", step);
        strbuf_add_c(&total, "sum(increase(");
        write_series(selector, "_count", "", &total);
        strbuf_addf(&total, "[%s] anchored))", step);
    }
    int status = format_into(r, &good, node, &x->part);
    if (status == 0) {
        status = format_into(r, &total, node, &x->total);
    }
    strbuf_release(&good);
    strbuf_release(&total);
    return status;
}

static int read_histogram(struct slo_reading *r, const struct yaml_node *spec,
    struct slo_definition *d, struct slo_indicator *x)
{
    struct str kind = slo_yaml_text(spec, "kind");
    double threshold = 0;
    if (str_to_double(slo_yaml_text(spec, "threshold"), &threshold) != 0) {
        return config_fail(&r->reader, spec, "a histogram wants a threshold, a number in its unit");
    }
    if (kind.len > 0 && !str_eq_c(kind, "native") && !str_eq_c(kind, "classic")) {
        return config_fail(&r->reader, spec, "kind: native or classic");
    }
    return slo_reading_histogram(r, spec, str_trim(slo_yaml_text(spec, "histogram")),
        str_eq_c(kind, "native"), threshold, d, x);
}

/* The mapping below `metricSource.spec`. */
static const struct yaml_node *source_spec(const struct yaml_node *part)
{
    return slo_yaml_mapping(slo_yaml_mapping(part, "metricSource"), "spec");
}

static int read_ratio(struct slo_reading *r, const struct yaml_node *ratio,
    struct slo_definition *d, struct slo_indicator *x)
{
    const struct yaml_node *good = slo_yaml_mapping(ratio, "good"),
                           *bad = slo_yaml_mapping(ratio, "bad");
    const struct yaml_node *total = slo_yaml_mapping(ratio, "total"),
                           *raw = slo_yaml_mapping(ratio, "raw");
    if (raw != NULL) {
        x->kind = SLO_RATIO;
        x->part_query = slo_yaml_text(source_spec(raw), "query");
        x->part_is_good = !str_eq_c(slo_yaml_text(ratio, "rawType"), "failure");
        return x->part_query.len > 0
                   ? 0
                   : config_fail(&r->reader, raw, "raw: metricSource.spec.query is missing");
    }
    if ((good != NULL) == (bad != NULL)) {
        return config_fail(&r->reader, ratio, "ratioMetric: one of good and bad is wanted");
    }
    const struct yaml_node *part = good != NULL ? good : bad, *spec = source_spec(part);
    if (spec != NULL && yaml_get(spec, "histogram") != NULL) {
        return good != NULL ? read_histogram(r, spec, d, x)
                            : config_fail(&r->reader, bad, "a histogram gives good events");
    }
    x->part_is_good = good != NULL;
    x->part_query = slo_yaml_text(spec, "query");
    x->total_query = slo_yaml_text(source_spec(total), "query");
    if (x->part_query.len == 0 || x->total_query.len == 0) {
        return config_fail(&r->reader, ratio,
            "ratioMetric: good (or bad) and total have a metricSource.spec.query each");
    }
    return 0;
}

/* The `spec` of an indicator: inside, or of the SLI document that is referred to. */
static int find_indicator(
    struct slo_reading *r, const struct yaml_node *node, const struct yaml_node **spec_out)
{
    const struct yaml_node *inside = slo_yaml_mapping(node, "indicator");
    struct str reference = slo_yaml_text(node, "indicatorRef");
    if (inside != NULL) {
        return want_mapping(r, inside, "spec", spec_out);
    }
    for (size_t i = 0; i < r->indicator_count; i++) {
        if (str_eq(
                slo_yaml_text(slo_yaml_mapping(r->indicators[i], "metadata"), "name"), reference)) {
            return want_mapping(r, r->indicators[i], "spec", spec_out);
        }
    }
    return reference.len > 0
               ? config_fail(&r->reader, node, "no SLI \"%.*s\" in this file", STR_ARG(reference))
               : config_fail(&r->reader, node, "an indicator or an indicatorRef is wanted");
}

static int read_slices(struct slo_reading *r, const struct yaml_node *objective,
    struct slo_definition *d, struct slo_indicator *x, struct str method)
{
    int64_t slice = 0;
    struct str window = slo_yaml_text(objective, "timeSliceWindow");
    bool has_window = window.len > 0;
    if (has_window && (duration_parse(window, &slice, NULL) != 0 || slice < SLO_STEP_MS_MIN ||
                          slice > SLO_STEP_MS_MAX || (24 * 3600000) % slice != 0)) {
        return config_fail(
            &r->reader, objective, "timeSliceWindow: a duration from 1s to 1h that divides a day");
    }
    d->parameters.step_ms = has_window ? slice : d->parameters.step_ms;
    if (x->kind == SLO_EVENTS && !str_eq_c(method, "Occurrences")) {
        struct str target = slo_yaml_text(objective, "timeSliceTarget");
        x->kind = SLO_SLICES_RATIO;
        if (str_to_double(target, &x->slice_target) != 0 || !(x->slice_target > 0) ||
            x->slice_target > 1) {
            return config_fail(
                &r->reader, objective, "timeSliceTarget: a share above 0, at most 1");
        }
    }
    return 0;
}

static int read_threshold(struct slo_reading *r, const struct yaml_node *objective,
    const struct yaml_node *metric, struct slo_indicator *x)
{
    struct str op = slo_yaml_text(objective, "op");
    x->kind = SLO_SLICES_VALUE;
    x->total_query = slo_yaml_text(source_spec(metric), "query");
    for (int i = SLO_LTE; i <= SLO_GT; i++) {
        if (str_eq_c(op, op_names[i])) {
            x->op = (enum slo_op)i;
            return str_to_double(slo_yaml_text(objective, "value"), &x->value) == 0 &&
                           x->total_query.len > 0
                       ? 0
                       : config_fail(&r->reader, objective,
                             "a thresholdMetric wants metricSource.spec.query, and its objective a "
                             "value");
        }
    }
    return config_fail(&r->reader, objective, "op: lte, gte, lt or gt");
}

/* ---- Objectives ---- */

static int read_objective(struct slo_reading *r, const struct yaml_node *spec,
    const struct yaml_node *objective, struct slo_definition *d)
{
    if (d->indicator_count == SLO_COMPONENTS_MAX) {
        return config_fail(&r->reader, objective, "more than %d objectives", SLO_COMPONENTS_MAX);
    }
    size_t index = d->indicator_count++;
    struct slo_indicator *x = &d->indicators[index];
    struct str method = slo_yaml_text(spec, "budgetingMethod");
    method = method.len > 0 ? method : STR("Occurrences");
    if (!str_eq_c(method, "Occurrences") && !str_eq_c(method, "Timeslices") &&
        !str_eq_c(method, "RatioTimeslices")) {
        return config_fail(
            &r->reader, spec, "budgetingMethod: Occurrences, Timeslices or RatioTimeslices");
    }
    const struct yaml_node *percent = yaml_get(objective, "targetPercent");
    const struct yaml_node *target = percent != NULL ? percent : yaml_get(objective, "target");
    int status = slo_reading_target(r, target != NULL ? target : objective,
        target != NULL && target->kind == YAML_SCALAR ? target->text.ptr : NULL,
        percent != NULL ? 100 : 1, &d->budgets[index]);
    const struct yaml_node *holder =
        yaml_get(objective, "indicator") != NULL || yaml_get(objective, "indicatorRef") != NULL
            ? objective
            : spec;
    const struct yaml_node *indicator = NULL;
    if (status == 0) {
        status = find_indicator(r, holder, &indicator);
    }
    const struct yaml_node *ratio = slo_yaml_mapping(indicator, "ratioMetric");
    const struct yaml_node *threshold = slo_yaml_mapping(indicator, "thresholdMetric");
    if (status == 0 && (ratio != NULL) == (threshold != NULL)) {
        status =
            config_fail(&r->reader, indicator, "one of ratioMetric and thresholdMetric is wanted");
    }
    if (status == 0) {
        status = read_slices(r, objective, d, x, method);
    }
    if (status == 0) {
        status =
            ratio != NULL ? read_ratio(r, ratio, d, x) : read_threshold(r, objective, threshold, x);
    }
    d->weights[index] = 1;
    struct str weight = slo_yaml_text(objective, "compositeWeight");
    if (status == 0 && weight.len > 0 &&
        (str_to_double(weight, &d->weights[index]) != 0 || !(d->weights[index] > 0))) {
        status = config_fail(&r->reader, objective, "compositeWeight: a number above 0");
    }
    return status;
}

/* ---- Windows ---- */

static bool parse_start(struct str text, struct civil_time *t)
{
    char copy[32], rest = '\0';
    int year = 0;
    if (text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    int fields = sscanf(copy, "%4d-%2d-%2d %2d:%2d:%2d%c", &year, &t->month, &t->day, &t->hour,
        &t->minute, &t->second, &rest);
    if (fields < 6) {
        fields = sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d%c", &year, &t->month, &t->day, &t->hour,
            &t->minute, &t->second, &rest);
    }
    t->year = year;
    bool right = (fields == 6 || (fields == 7 && rest == 'Z')) && year >= 1970 && t->month >= 1 &&
                 t->month <= 12 && t->day >= 1 && t->hour >= 0 && t->hour < 24 && t->minute >= 0 &&
                 t->minute < 60 && t->second >= 0 && t->second < 60;
    return right && t->day <= civil_days_in_month(t->year, t->month);
}

static int read_calendar(
    struct slo_reading *r, const struct yaml_node *calendar, struct slo_definition *d)
{
    struct slo_window *w = &d->parameters.window;
    struct slo_file *f = r->file;
    d->calendar_start = slo_yaml_text(calendar, "startTime");
    d->zone_name = slo_yaml_text(calendar, "timeZone");
    if (!parse_start(d->calendar_start, &w->start)) {
        return config_fail(&r->reader, calendar, "startTime: as in \"2026-01-01 00:00:00\"");
    }
    struct zone *zone = NULL;
    struct err e = ERR_INIT;
    if (zone_open(r->fs, d->zone_name, &zone, &e) != 0) {
        return config_fail(&r->reader, calendar, "timeZone: %s", e.message);
    }
    if (mem_array_grow((void **)&f->zones, &f->zone_cap, f->zone_count + 1, sizeof(*f->zones),
            SLO_DEFINITIONS_MAX) != 0) {
        zone_free(zone);
        return config_fail(&r->reader, calendar, "%s", err_text(ERR_NOMEM));
    }
    f->zones[f->zone_count++] = zone;
    w->zone = zone;
    w->calendar = true;
    return 0;
}

static int read_window(
    struct slo_reading *r, const struct yaml_node *spec, struct slo_definition *d)
{
    const struct yaml_node *list = yaml_get(spec, "timeWindow");
    if (list == NULL || list->kind != YAML_SEQUENCE || list->count != 1 ||
        list->entries[0].value->kind != YAML_MAPPING) {
        return config_fail(
            &r->reader, list != NULL ? list : spec, "timeWindow: expected a list of one mapping");
    }
    const struct yaml_node *window = list->entries[0].value;
    const struct yaml_node *calendar = slo_yaml_mapping(window, "calendar");
    struct err e = ERR_INIT;
    if (slo_window_parse(slo_yaml_text(window, "duration"), &d->parameters.window, &e) != 0) {
        return config_fail(&r->reader, window, "duration: %s", e.message);
    }
    bool rolling = str_eq_c(slo_yaml_text(window, "isRolling"), "true");
    if (rolling == (calendar != NULL)) {
        return config_fail(&r->reader, window, "one of `isRolling: true` and calendar is wanted");
    }
    return calendar != NULL ? read_calendar(r, calendar, d) : 0;
}

/* ---- The document ---- */

static int read_metadata(
    struct slo_reading *r, const struct yaml_node *root, struct slo_definition *d)
{
    const struct yaml_node *metadata = NULL;
    struct config_map labels = {0}, annotations = {0};
    int status = want_mapping(r, root, "metadata", &metadata);
    if (status == 0) {
        d->name = slo_yaml_text(metadata, "name");
        d->display_name = slo_yaml_text(metadata, "displayName");
        status = slo_yaml_map(r, yaml_get(metadata, "labels"), &labels);
    }
    if (status == 0) {
        status = slo_reading_labels(r, d, metadata, &labels);
    }
    if (status == 0) {
        status = slo_yaml_map(r, yaml_get(metadata, "annotations"), &annotations);
    }
    return status != 0 ? status : slo_reading_annotations(r, d, metadata, &annotations);
}

static int read_slo(struct slo_reading *r, const struct yaml_node *root)
{
    const struct yaml_node *spec = NULL;
    struct slo_definition *d = slo_reading_add(r, root);
    if (d == NULL) {
        return ERR_INVALID;
    }
    int status = read_metadata(r, root, d);
    if (status == 0) {
        status = want_mapping(r, root, "spec", &spec);
    }
    if (status == 0) {
        d->service = slo_yaml_text(spec, "service");
        d->description = slo_yaml_text(spec, "description");
        status = read_window(r, spec, d);
    }
    const struct yaml_node *objectives = spec != NULL ? yaml_get(spec, "objectives") : NULL;
    if (status == 0 && (objectives == NULL || objectives->kind != YAML_SEQUENCE)) {
        status = config_fail(&r->reader, spec, "objectives: expected a list");
    }
    for (size_t i = 0; status == 0 && i < objectives->count; i++) {
        const struct yaml_node *objective = objectives->entries[i].value;
        status = objective->kind == YAML_MAPPING
                     ? read_objective(r, spec, objective, d)
                     : config_fail(&r->reader, objective, "expected a mapping");
    }
    return status != 0 ? status : slo_reading_finish(r, d, root);
}

/* Nothing of it is used; a comparison that alerts when nothing burns is told. */
static void read_over_condition(struct slo_reading *r, const struct yaml_node *root)
{
    const struct yaml_node *condition =
        slo_yaml_mapping(slo_yaml_mapping(root, "spec"), "condition");
    struct str op = slo_yaml_text(condition, "op");
    if (str_eq_c(op, "lte") || str_eq_c(op, "lt")) {
        strbuf_addf(&r->file->warnings,
            "%s:%zu: op %.*s of a burn rate alerts while little burns; alerts are made of tiers "
            "anyway\n",
            r->reader.file, condition->line, STR_ARG(op));
    }
}

int slo_read_openslo(struct slo_reading *r, const struct yaml_node *root)
{
    static const char *const others[] = {
        "SLI", "Service", "DataSource", "AlertPolicy", "AlertNotificationTarget"};
    struct str kind = slo_yaml_text(root, "kind");
    if (str_eq_c(kind, "SLO")) {
        return read_slo(r, root);
    }
    if (str_eq_c(kind, "AlertCondition")) {
        read_over_condition(r, root);
        return 0;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (str_eq_c(kind, others[i])) {
            return 0;
        }
    }
    return config_fail(&r->reader, root, "kind \"%.*s\" is none of OpenSLO v1",
        (int)(kind.len < 64 ? kind.len : 64), kind.ptr);
}
