/* Points to samples.
 *
 * For each resource the labels that all its series share are made once (promoted attributes, job,
 * instance, scope); each point copies them, adds its attributes, which win, and then the name and what
 * tells the series of one point apart (le, quantile). job and instance win over everything.
 */
#include "wire/otlp_translate.h"

#include <assert.h>
#include <math.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "otlp_exponential.h"
#include "otlp_labels.h"

/* Of one exemplar, names and values: OpenMetrics' bound of characters, held in bytes. */
enum { EXEMPLAR_BYTES_MAX = 128, EXEMPLAR_LABELS_MAX = 16 };

struct translator {
    const struct otlp_translate_options *options;
    struct otlp_delta_batch *delta;
    const struct otlp_sink *sink;
    struct arena *arena;
    struct otlp_rejected *rejected;
    struct otlp_label_set shared; /* of the resource and scope */
    struct otlp_label_set point;  /* of the point; series of one point put their own in and out */
    struct str name;              /* of the metric */
    const struct otlp_metric *metric;
    struct strbuf key;
};

static void warn(struct translator *t, const char *why)
{
    if (t->rejected->first.code == 0) {
        err_set(&t->rejected->first, ERR_INVALID, -1, "%s", why);
    }
}

static void reject(struct translator *t, const char *why)
{
    t->rejected->points++;
    if (t->rejected->first.code == 0) {
        struct str name = t->metric->name;
        err_set(&t->rejected->first, ERR_INVALID, -1, "%.*s: %s",
            name.len < 100 ? (int)name.len : 100, name.ptr, why);
    }
}

/* What a failure of a point means: 0 after it was rejected, or the status that ends the translation. */
static int judge(struct translator *t, int status)
{
    switch (status) {
    case ERR_INVALID:
        reject(t, "attributes or buckets that cannot be kept");
        return 0;
    case ERR_RANGE:
        reject(t, "a delta that is not newer than the one before");
        return 0;
    case ERR_LIMIT:
        if (t->arena->error == ERR_LIMIT) { /* the translation's memory, not the states */
            return status;
        }
        reject(t, "more series with deltas than are kept");
        return 0;
    default:
        return status;
    }
}

/* ---- Emitting ---- */

static struct hash128 key_of(struct translator *t)
{
    strbuf_reset(&t->key);
    remote_write_encode_labels(t->point.items, t->point.count, &t->key);
    return hash128(t->key.data != NULL ? t->key.data : "", t->key.size, 0);
}

/* One float under `name` + `suffix`, with one more label where `label` is named. Deltas add up. */
static int emit(struct translator *t, const struct otlp_point *point, struct str name,
    struct label label, double value, const struct remote_write_exemplar *exemplars,
    size_t exemplar_count)
{
    struct otlp_label_set *set = &t->point;
    int status = 0;
    otlp_labels_set(set, STR(LABEL_METRIC_NAME), name);
    if (label.name.len > 0) {
        otlp_labels_set(set, label.name, label.value);
    }
    bool delta = t->metric->temporality == OTLP_DELTA && t->metric->kind != OTLP_GAUGE &&
                 t->metric->kind != OTLP_SUMMARY;
    if (delta && !point->no_value) {
        status = otlp_delta_add(t->delta, key_of(t), point->t_ms, value, &value);
    }
    if (status == 0) {
        struct otlp_series series = {.labels = set->items,
            .label_count = set->count,
            .t_ms = point->t_ms,
            .value = point->no_value ? value_stale_marker() : value,
            .exemplars = exemplars,
            .exemplar_count = exemplar_count};
        status = t->sink->series(t->sink->context, &series);
    }
    if (label.name.len > 0) {
        otlp_labels_set(set, label.name, STR(""));
    }
    return status;
}

static int suffixed(struct translator *t, const char *suffix, struct str *name_out)
{
    size_t size = strlen(suffix);
    char *name = arena_alloc(t->arena, t->name.len + size);
    if (name == NULL) {
        return arena_error(t->arena);
    }
    memcpy(name, t->name.ptr, t->name.len);
    memcpy(name + t->name.len, suffix, size);
    *name_out = str_make(name, t->name.len + size);
    return 0;
}

/* ---- Exemplars ---- */

static void add_exemplar_label(
    struct label *pairs, size_t *count, size_t *bytes, struct str name, struct str value)
{
    size_t size = name.len + value.len;
    if (value.len > 0 && *count < EXEMPLAR_LABELS_MAX && *bytes + size <= EXEMPLAR_BYTES_MAX) {
        pairs[(*count)++] = (struct label){name, value};
        *bytes += size;
    }
}

/* trace_id and span_id first, then attributes as long as there is room. */
static int translate_exemplar(
    struct translator *t, const struct otlp_exemplar *from, struct remote_write_exemplar *to)
{
    struct label *pairs = arena_calloc(t->arena, EXEMPLAR_LABELS_MAX, sizeof(*pairs));
    size_t count = 0, bytes = 0;
    if (pairs == NULL) {
        return arena_error(t->arena);
    }
    add_exemplar_label(pairs, &count, &bytes, STR("trace_id"), from->trace_id);
    add_exemplar_label(pairs, &count, &bytes, STR("span_id"), from->span_id);
    for (size_t i = 0; i < from->attributes.count; i++) {
        struct str name;
        const struct label *attribute = &from->attributes.items[i];
        int status = otlp_label_name(attribute->name, t->options->naming, t->arena, &name);
        if (status == 0) {
            add_exemplar_label(pairs, &count, &bytes, name, attribute->value);
        } else if (status != ERR_INVALID) {
            return status;
        }
    }
    *to = (struct remote_write_exemplar){pairs, count, from->value, from->t_ms};
    return 0;
}

static int translate_exemplars(struct translator *t, const struct otlp_point *point,
    struct remote_write_exemplar **exemplars_out)
{
    struct remote_write_exemplar *items =
        arena_calloc(t->arena, point->exemplar_count, sizeof(*items));
    int status = items == NULL ? arena_error(t->arena) : 0;
    for (size_t i = 0; status == 0 && i < point->exemplar_count; i++) {
        status = translate_exemplar(t, &point->exemplars[i], &items[i]);
    }
    *exemplars_out = items;
    return status;
}

/* ---- Points by kind ---- */

static const struct label no_label;

static int translate_number(struct translator *t, const struct otlp_point *point)
{
    struct remote_write_exemplar *exemplars;
    int status = translate_exemplars(t, point, &exemplars);
    return status != 0
               ? status
               : emit(t, point, t->name, no_label, point->value, exemplars, point->exemplar_count);
}

/* Those of the bucket (lower, upper], moved to the front of what is left; the array is used up. */
static size_t take_exemplars(
    struct remote_write_exemplar *exemplars, size_t count, size_t taken, double upper)
{
    size_t found = 0;
    for (size_t i = taken; i < count; i++) {
        if (exemplars[i].value <= upper || (isinf(upper) && upper > 0)) {
            struct remote_write_exemplar moving = exemplars[i];
            exemplars[i] = exemplars[taken + found];
            exemplars[taken + found++] = moving;
        }
    }
    return found;
}

/* Do the bounds ascend? Two that are equal would be one series twice. */
static bool bounds_ascend(const struct otlp_point *point)
{
    for (size_t i = 0; i < point->bound_count; i++) {
        if (isnan(point->bounds[i]) || (i > 0 && point->bounds[i] <= point->bounds[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Cumulative buckets; a bound without a count counts nothing. The last is all, and needs no bound. */
static int translate_buckets(struct translator *t, const struct otlp_point *point)
{
    size_t bounds = point->bound_count;
    bounds -= bounds > 0 && point->bounds[bounds - 1] == (double)INFINITY;
    struct remote_write_exemplar *exemplars;
    struct str name;
    char text[FP_PLAIN_TEXT_MAX];
    size_t taken = 0;
    uint64_t below = 0;
    int status = translate_exemplars(t, point, &exemplars);
    status = status == 0 ? suffixed(t, "_bucket", &name) : status;
    for (size_t i = 0; status == 0 && i <= bounds; i++) {
        bool last = i == bounds;
        double upper = last ? (double)INFINITY : point->bounds[i];
        below += i < point->bucket_count ? point->bucket_counts[i] : 0;
        size_t own = take_exemplars(exemplars, point->exemplar_count, taken, upper);
        struct str le = last ? STR("+Inf") : str_make(text, fp_format_plain(upper, text));
        status = emit(t, point, name, (struct label){STR("le"), le},
            (double)(last ? point->count : below), exemplars + taken, own);
        taken += own;
    }
    return status;
}

static int translate_histogram(struct translator *t, const struct otlp_point *point)
{
    struct str name;
    if (!bounds_ascend(point)) {
        reject(t, "its bounds do not ascend");
        return 0;
    }
    int status = suffixed(t, "_count", &name);
    status = status == 0 ? emit(t, point, name, no_label, (double)point->count, NULL, 0) : status;
    if (status == 0 && point->has_sum) {
        status = suffixed(t, "_sum", &name);
        status = status == 0 ? emit(t, point, name, no_label, point->sum, NULL, 0) : status;
    }
    return status == 0 ? translate_buckets(t, point) : status;
}

static int native_of(
    struct translator *t, const struct otlp_point *point, const struct histogram **histogram_out)
{
    struct otlp_exponential *x = NULL;
    if (t->metric->temporality == OTLP_DELTA) {
        return otlp_delta_add_exponential(t->delta, key_of(t), point, t->arena, histogram_out);
    }
    int status = otlp_exponential_add(NULL, point, HISTOGRAM_BUCKETS_MAX, &x);
    if (status == 0) {
        status = otlp_exponential_to_native(x, t->arena, histogram_out);
    }
    mem_free(x);
    return status;
}

/* Why a point of an exponential histogram cannot be taken; NULL when it can. */
static const char *unusable_exponential(const struct otlp_point *point)
{
    if (point->no_value) {
        return NULL;
    }
    return point->scale < HISTOGRAM_SCHEMA_MIN ? "its scale is below -4, the least there is here"
           : !otlp_exponential_counts_fit(point)
               ? "its count is not that of the observations in its buckets"
               : NULL;
}

static int translate_exponential(struct translator *t, const struct otlp_point *point)
{
    const char *why = unusable_exponential(point);
    if (why != NULL) {
        reject(t, why);
        return 0;
    }
    static const struct histogram stale_base = {.integer = true};
    struct histogram stale = stale_base;
    const struct histogram *histogram = &stale;
    struct remote_write_exemplar *exemplars;
    int status = translate_exemplars(t, point, &exemplars);
    if (status != 0) {
        return status;
    }
    stale.sum = value_stale_marker();
    otlp_labels_set(&t->point, STR(LABEL_METRIC_NAME), t->name);
    if (!point->no_value) {
        status = native_of(t, point, &histogram);
    }
    if (status != 0) {
        return status;
    }
    struct otlp_series series = {.labels = t->point.items,
        .label_count = t->point.count,
        .t_ms = point->t_ms,
        .histogram = histogram,
        .exemplars = exemplars,
        .exemplar_count = point->exemplar_count};
    return t->sink->series(t->sink->context, &series);
}

static int translate_summary(struct translator *t, const struct otlp_point *point)
{
    struct str name;
    char text[FP_PLAIN_TEXT_MAX];
    int status = suffixed(t, "_sum", &name);
    status = status == 0 ? emit(t, point, name, no_label, point->sum, NULL, 0) : status;
    status = status == 0 ? suffixed(t, "_count", &name) : status;
    status = status == 0 ? emit(t, point, name, no_label, (double)point->count, NULL, 0) : status;
    for (size_t i = 0; status == 0 && i < point->quantile_count; i++) {
        struct str quantile = str_make(text, fp_format_plain(point->quantiles[i].quantile, text));
        status = emit(t, point, t->name, (struct label){STR("quantile"), quantile},
            point->quantiles[i].value, NULL, 0);
    }
    return status;
}

/* ---- Metrics ---- */

static bool is_text(const struct otlp_label_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!str_is_utf8(set->items[i].name) || !str_is_utf8(set->items[i].value)) {
            return false;
        }
    }
    return true;
}

static int point_labels(struct translator *t, const struct otlp_point *point)
{
    struct otlp_label_set *set = &t->point;
    set->count = 0;
    int status = otlp_labels_add_attributes(
        set, &point->attributes, t->options->naming, NULL, NULL, t->arena);
    for (size_t i = 0; status == 0 && i < t->shared.count; i++) {
        const struct label *label = &t->shared.items[i];
        if (str_eq_c(label->name, "job") || str_eq_c(label->name, "instance")) {
            otlp_labels_set(set, label->name, label->value);
        } else {
            otlp_labels_set_default(set, label->name, label->value);
        }
    }
    return status == 0 && !is_text(set) ? ERR_INVALID : status;
}

static int translate_point(struct translator *t, const struct otlp_point *point)
{
    int status = point_labels(t, point);
    if (status != 0) {
        return status;
    }
    switch (t->metric->kind) {
    case OTLP_GAUGE:
    case OTLP_SUM:
        return translate_number(t, point);
    case OTLP_HISTOGRAM:
        return translate_histogram(t, point);
    case OTLP_EXPONENTIAL:
        return translate_exponential(t, point);
    default:
        return translate_summary(t, point);
    }
}

static enum metric_type type_of(const struct otlp_metric *metric)
{
    switch (metric->kind) {
    case OTLP_GAUGE:
        return METRIC_TYPE_GAUGE;
    case OTLP_SUM:
        return metric->monotonic ? METRIC_TYPE_COUNTER : METRIC_TYPE_GAUGE;
    case OTLP_HISTOGRAM:
    case OTLP_EXPONENTIAL:
        return METRIC_TYPE_HISTOGRAM;
    case OTLP_SUMMARY:
        return METRIC_TYPE_SUMMARY;
    default:
        return METRIC_TYPE_UNKNOWN;
    }
}

/* Why no point of the metric can be taken; NULL when they can. */
static const char *unusable(const struct translator *t, const struct otlp_metric *metric)
{
    bool temporal = metric->kind == OTLP_SUM || metric->kind == OTLP_HISTOGRAM ||
                    metric->kind == OTLP_EXPONENTIAL;
    if (temporal && metric->temporality == OTLP_UNSPECIFIED) {
        return "its temporality is neither delta nor cumulative";
    }
    if (temporal && metric->temporality == OTLP_DELTA && t->delta == NULL) {
        return "delta temporality is not taken here; send cumulative";
    }
    return NULL;
}

static int translate_metric(struct translator *t, const struct otlp_metric *metric)
{
    t->metric = metric;
    const char *why = unusable(t, metric);
    int status = otlp_metric_name(metric, t->options->naming, t->arena, &t->name);
    if (status == ERR_INVALID || (status == 0 && !str_is_utf8(t->name))) {
        why = "its name cannot be kept";
    } else if (status != 0) {
        return status;
    }
    for (size_t i = 0; why != NULL && i < metric->point_count; i++) {
        reject(t, why);
    }
    if (why != NULL || metric->point_count == 0) {
        return 0;
    }
    status = t->sink->metadata(
        t->sink->context, t->name, type_of(metric), metric->description, metric->unit);
    for (size_t i = 0; status == 0 && i < metric->point_count; i++) {
        struct arena_mark mark = arena_mark(t->arena);
        status = judge(t, translate_point(t, &metric->points[i]));
        arena_rewind(t->arena, mark);
    }
    return status;
}

/* ---- Resources ---- */

static bool is_not_promoted(const void *context, struct str name)
{
    const struct otlp_translate_options *options = context;
    for (size_t i = 0; i < options->promoted_count; i++) {
        if (str_eq_c(name, options->promoted[i]) || str_eq_c(STR("*"), options->promoted[i])) {
            return false;
        }
    }
    return true;
}

/* otel_scope_name, otel_scope_version, otel_scope_schema_url and the scope's attributes. */
static int add_scope(struct translator *t, const struct otlp_scope *scope)
{
    struct otlp_label_set *set = &t->shared;
    otlp_labels_set(set, STR("otel_scope_name"), scope->name);
    otlp_labels_set(set, STR("otel_scope_version"), scope->version);
    otlp_labels_set(set, STR("otel_scope_schema_url"), scope->schema_url);
    if (scope->attributes.count > OTLP_ATTRIBUTES_MAX / 2) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < scope->attributes.count; i++) {
        const struct label *attribute = &scope->attributes.items[i];
        struct strbuf name = STRBUF_INIT;
        struct str label;
        strbuf_add_c(&name, "otel_scope_");
        strbuf_add_str(&name, attribute->name);
        int status = strbuf_error(&name);
        char *copy = status == 0 ? arena_strndup(t->arena, name.data, name.size) : NULL;
        if (copy != NULL) {
            status =
                otlp_label_name(str_make(copy, name.size), t->options->naming, t->arena, &label);
        } else if (status == 0) {
            status = arena_error(t->arena);
        }
        strbuf_release(&name);
        if (status != 0) {
            return status;
        }
        otlp_labels_set(set, label, attribute->value);
    }
    return 0;
}

static int shared_labels(
    struct translator *t, const struct otlp_resource *resource, const struct otlp_scope *scope)
{
    t->shared.count = 0;
    int status = 0;
    if (t->options->promoted_count > 0) {
        status = otlp_labels_add_attributes(&t->shared, &resource->attributes, t->options->naming,
            is_not_promoted, t->options, t->arena);
    }
    if (status == 0 && t->options->promote_scope) {
        status = add_scope(t, scope);
    }
    return status == 0 ? otlp_labels_set_identity(&t->shared, &resource->attributes, t->arena)
                       : status;
}

static int64_t newest_point(const struct otlp_resource *resource)
{
    int64_t newest = INT64_MIN;
    for (size_t s = 0; s < resource->scope_count; s++) {
        for (size_t m = 0; m < resource->scopes[s].metric_count; m++) {
            const struct otlp_metric *metric = &resource->scopes[s].metrics[m];
            for (size_t p = 0; p < metric->point_count; p++) {
                newest = metric->points[p].t_ms > newest ? metric->points[p].t_ms : newest;
            }
        }
    }
    return newest;
}

/* target_info: what else the resource says, at the time of its newest point. There is none when the
 * resource says nothing else, or nothing that a series could be joined on. */
static int translate_resource_info(struct translator *t, const struct otlp_resource *resource)
{
    static const struct otlp_metric info = {.name = {"target_info", 11}, .kind = OTLP_GAUGE};
    struct otlp_label_set *set = &t->point;
    struct otlp_point point = {.t_ms = newest_point(resource)};
    set->count = 0;
    int status = otlp_labels_add_attributes(
        set, &resource->attributes, t->options->naming, otlp_is_identifying, NULL, t->arena);
    if (status != 0 || set->count == 0 || point.t_ms == INT64_MIN) {
        return status;
    }
    set->count = 0;
    status = otlp_labels_add_attributes(set, &resource->attributes, t->options->naming,
        t->options->keep_identifying ? NULL : otlp_is_identifying, NULL, t->arena);
    if (status == 0) {
        status = otlp_labels_set_identity(set, &resource->attributes, t->arena);
    }
    bool joined = otlp_labels_has(set, STR("job")) || otlp_labels_has(set, STR("instance"));
    if (status != 0 || !joined) {
        return status;
    }
    if (!is_text(set)) {
        return ERR_INVALID;
    }
    t->metric = &info;
    status = t->sink->metadata(
        t->sink->context, info.name, METRIC_TYPE_GAUGE, STR("Target metadata"), STR(""));
    return status == 0 ? emit(t, &point, info.name, no_label, 1, NULL, 0) : status;
}

static int translate_scope(
    struct translator *t, const struct otlp_resource *resource, const struct otlp_scope *scope)
{
    int status = shared_labels(t, resource, scope);
    if (status == ERR_INVALID) {
        for (size_t m = 0; m < scope->metric_count; m++) {
            t->metric = &scope->metrics[m];
            for (size_t p = 0; p < scope->metrics[m].point_count; p++) {
                reject(t, "attributes of its resource or scope that cannot be kept");
            }
        }
        return 0;
    }
    for (size_t m = 0; status == 0 && m < scope->metric_count; m++) {
        status = translate_metric(t, &scope->metrics[m]);
    }
    return status;
}

int otlp_translate(const struct otlp_metrics *metrics, const struct otlp_translate_options *options,
    struct otlp_delta_batch *delta, const struct otlp_sink *sink, struct arena *arena,
    struct otlp_rejected *rejected_out)
{
    struct arena_mark mark = arena_mark(arena);
    struct translator *t = arena_calloc(arena, 1, sizeof(*t));
    if (t == NULL) {
        return arena_error(arena);
    }
    *rejected_out = (struct otlp_rejected){.first = ERR_INIT};
    t->options = options;
    t->delta = delta;
    t->sink = sink;
    t->arena = arena;
    t->rejected = rejected_out;
    strbuf_init(&t->key, STRBUF_LIMIT_DEFAULT);
    int status = 0;
    for (size_t r = 0; status == 0 && r < metrics->resource_count; r++) {
        const struct otlp_resource *resource = &metrics->resources[r];
        for (size_t s = 0; status == 0 && s < resource->scope_count; s++) {
            status = translate_scope(t, resource, &resource->scopes[s]);
        }
        if (status == 0) {
            status = translate_resource_info(t, resource);
        }
        if (status == ERR_INVALID) {
            status = 0;
            warn(t, "target_info is left out: attributes of the resource that cannot be kept");
        }
    }
    strbuf_release(&t->key);
    arena_rewind(arena, mark);
    return status;
}
