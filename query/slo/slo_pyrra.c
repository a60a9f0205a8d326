/* Pyrra's ServiceLevelObjective: one indicator over plain selectors, which is what its `metric` are.
 *
 *   ratio          errors of total
 *   latency        success, a bucket of a classic histogram, of total, its count
 *   latencyNative  up to `latency` of a native histogram, which is in seconds there
 *   bool_gauge     the share of samples that are 1
 *
 * Labels and annotations that begin with "pyrra.dev/" go to alerts without that, as there. Groups of one
 * indicator are not told apart: an objective counts all of them, and a warning says so.
 */
#include "model/duration.h"
#include "slo_file.h"

#define PREFIX "pyrra.dev/"
#define LABEL_SERVICE "service"

/* Of a mapping those with the prefix, without it; of annotations our settings, too. */
static int read_prefixed(struct slo_reading *r, const struct yaml_node *metadata, const char *key,
    struct config_map *map_out)
{
    int status = slo_yaml_map(r, metadata != NULL ? yaml_get(metadata, key) : NULL, map_out);
    size_t kept = 0;
    for (size_t i = 0; status == 0 && i < map_out->count; i++) {
        struct config_pair pair = map_out->items[i];
        struct str name = str_of(pair.key);
        if (str_starts_with(name, STR(PREFIX))) {
            pair.key += sizeof(PREFIX) - 1;
            map_out->items[kept++] = pair;
        } else if (str_starts_with(name, STR(SLO_EXTENSION_PREFIX))) {
            map_out->items[kept++] = pair;
        }
    }
    map_out->count = kept;
    return status;
}

static int read_metadata(
    struct slo_reading *r, const struct yaml_node *root, struct slo_definition *d)
{
    const struct yaml_node *metadata = slo_yaml_mapping(root, "metadata");
    const struct yaml_node *node = metadata != NULL ? metadata : root;
    struct config_map labels = {0}, annotations = {0};
    d->name = slo_yaml_text(metadata, "name");
    d->service = slo_yaml_text(metadata, "namespace");
    int status = read_prefixed(r, metadata, "labels", &labels);
    for (size_t i = 0; status == 0 && i < labels.count; i++) {
        bool service = str_eq_c(str_of(labels.items[i].key), LABEL_SERVICE);
        d->service = service ? str_of(labels.items[i].value) : d->service;
    }
    status = status == 0 ? slo_reading_labels(r, d, node, &labels) : status;
    status = status == 0 ? read_prefixed(r, metadata, "annotations", &annotations) : status;
    return status == 0 ? slo_reading_annotations(r, d, node, &annotations) : status;
}

static struct str metric_of(const struct yaml_node *indicator, const char *key)
{
    return str_trim(slo_yaml_text(slo_yaml_mapping(indicator, key), "metric"));
}

/* f(metric[range]), with any range: expressions of steps put their own. */
static int over_time(struct slo_reading *r, const struct yaml_node *node, const char *function,
    struct str metric, struct str *query_out)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%s(%.*s[1m])", function, STR_ARG(metric));
    char *kept =
        strbuf_error(&text) == 0 ? arena_strndup(r->reader.arena, text.data, text.size) : NULL;
    *query_out = str_make(kept, kept != NULL ? text.size : 0);
    strbuf_release(&text);
    return kept != NULL ? 0 : config_fail(&r->reader, node, "%s", err_text(ERR_NOMEM));
}

static int want_metric(struct slo_reading *r, const struct yaml_node *node, struct str metric)
{
    return metric.len > 0 ? 0 : config_fail(&r->reader, node, "a metric is missing");
}

static int read_ratio(struct slo_reading *r, const struct yaml_node *node, const char *part,
    bool good, struct slo_indicator *x)
{
    x->part_query = metric_of(node, part);
    x->total_query = metric_of(node, "total");
    x->part_is_good = good;
    int status = want_metric(r, node, x->part_query);
    return status == 0 ? want_metric(r, node, x->total_query) : status;
}

static int read_native(struct slo_reading *r, const struct yaml_node *node,
    struct slo_definition *d, struct slo_indicator *x)
{
    int64_t latency_ms = 0;
    if (duration_parse(slo_yaml_text(node, "latency"), &latency_ms, NULL) != 0 || latency_ms <= 0) {
        return config_fail(&r->reader, node, "latency: a duration such as 250ms");
    }
    int status = want_metric(r, node, metric_of(node, "total"));
    return status == 0 ? slo_reading_histogram(r, node, metric_of(node, "total"), true,
                             (double)latency_ms / 1000, d, x)
                       : status;
}

static int read_gauge(struct slo_reading *r, const struct yaml_node *node, struct slo_indicator *x)
{
    struct str metric = str_trim(slo_yaml_text(node, "metric"));
    int status = want_metric(r, node, metric);
    x->part_is_good = true;
    status = status == 0 ? over_time(r, node, "sum_over_time", metric, &x->part_query) : status;
    return status == 0 ? over_time(r, node, "count_over_time", metric, &x->total_query) : status;
}

static int read_indicator(
    struct slo_reading *r, const struct yaml_node *spec, struct slo_definition *d)
{
    const struct yaml_node *indicator = slo_yaml_mapping(spec, "indicator");
    const struct yaml_node *ratio = slo_yaml_mapping(indicator, "ratio");
    const struct yaml_node *latency = slo_yaml_mapping(indicator, "latency");
    const struct yaml_node *native = slo_yaml_mapping(indicator, "latencyNative");
    const struct yaml_node *gauge = slo_yaml_mapping(indicator, "bool_gauge");
    const struct yaml_node *node = ratio != NULL     ? ratio
                                   : latency != NULL ? latency
                                   : native != NULL  ? native
                                                     : gauge;
    if ((ratio != NULL) + (latency != NULL) + (native != NULL) + (gauge != NULL) != 1) {
        return config_fail(&r->reader, indicator != NULL ? indicator : spec,
            "indicator: one of ratio, latency, latencyNative and bool_gauge is wanted");
    }
    const struct yaml_node *grouping = yaml_get(node, "grouping");
    if (grouping != NULL && grouping->count > 0) {
        strbuf_addf(&r->file->warnings,
            "%s:%zu: grouping is not followed: the objective counts all groups together\n",
            r->reader.file, grouping->line);
    }
    struct slo_indicator *x = &d->indicators[0];
    d->indicator_count = 1;
    d->weights[0] = 1;
    x->kind = SLO_EVENTS;
    return ratio != NULL     ? read_ratio(r, node, "errors", false, x)
           : latency != NULL ? read_ratio(r, node, "success", true, x)
           : native != NULL  ? read_native(r, node, d, x)
                             : read_gauge(r, node, x);
}

static bool is_false(const struct yaml_node *node, const char *key)
{
    return str_eq_c(slo_yaml_text(node, key), "false");
}

int slo_read_pyrra(struct slo_reading *r, const struct yaml_node *root)
{
    const struct yaml_node *spec = slo_yaml_mapping(root, "spec");
    if (!str_eq_c(slo_yaml_text(root, "kind"), "ServiceLevelObjective") || spec == NULL) {
        return config_fail(&r->reader, root,
            "of pyrra.dev/v1alpha1 `kind: ServiceLevelObjective` with a spec is read");
    }
    struct slo_definition *d = slo_reading_add(r, root);
    if (d == NULL) {
        return ERR_INVALID;
    }
    struct err e = ERR_INIT;
    struct str target = slo_yaml_text(spec, "target");
    d->description = slo_yaml_text(spec, "description");
    int status = slo_window_parse(slo_yaml_text(spec, "window"), &d->parameters.window, &e);
    if (status != 0) {
        return config_fail(&r->reader, spec, "window: %s", e.message);
    }
    status = read_metadata(r, root, d); /* may set another window */
    if (status == 0) {
        status =
            slo_reading_target(r, spec, target.len > 0 ? target.ptr : NULL, 100, &d->budgets[0]);
    }
    status = status == 0 ? read_indicator(r, spec, d) : status;
    const struct yaml_node *alerting = slo_yaml_mapping(spec, "alerting");
    if (str_eq_c(slo_yaml_text(alerting, "disabled"), "true") || is_false(alerting, "burnrates")) {
        d->parameters.tier_count = 0;
    }
    return status == 0 ? slo_reading_finish(r, d, root) : status;
}
