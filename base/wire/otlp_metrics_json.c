/* OTLP metrics from JSON; otlp_json.h says how it is read. */
#include "otlp_json.h"

#include "otlp_value.h"

enum { FLAG_NO_VALUE = 1 };

/* Attributes as text. */
static void read_labels(struct otlp_json_reader *r, const json_t *object, const char *key,
    struct otlp_attributes *labels)
{
    struct attributes list = otlp_json_attributes(r, object, key);
    struct label *items = arena_calloc(r->arena, list.count, sizeof(*items));
    int status = items == NULL ? arena_error(r->arena) : 0;
    for (size_t i = 0; i < list.count && status == 0; i++) {
        items[i].name = list.items[i].key;
        status = otlp_attribute_text(&list.items[i], r->arena, &items[i].value);
    }
    if (status != 0) {
        (void)otlp_json_fail(r, status, key);
    }
    *labels = (struct otlp_attributes){items, status == 0 ? list.count : 0};
}

/* ---- Points ---- */

/* Ids in hex; upper case becomes lower. */
static struct str read_id(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    struct str id = otlp_json_text(r, object, key);
    char *copy = arena_strndup(r->arena, id.ptr, id.len);
    for (size_t i = 0; copy != NULL && i < id.len; i++) {
        char c = copy[i];
        copy[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        if (!((copy[i] >= '0' && copy[i] <= '9') || (copy[i] >= 'a' && copy[i] <= 'f'))) {
            (void)otlp_json_fail(r, ERR_CORRUPT, key);
        }
    }
    if (copy == NULL) {
        (void)otlp_json_fail(r, arena_error(r->arena), key);
    }
    return str_make(copy, copy != NULL ? id.len : 0);
}

static double read_value(struct otlp_json_reader *r, const json_t *object)
{
    return otlp_json_member(object, "asInt") != NULL ? (double)otlp_json_signed(r, object, "asInt")
                                                     : otlp_json_double(r, object, "asDouble");
}

static void read_exemplars(
    struct otlp_json_reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    struct otlp_exemplar *items =
        otlp_json_array(r, object, "exemplars", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *x = json_array_get(list, i);
        read_labels(r, x, "filteredAttributes", &items[i].attributes);
        items[i].t_ms = otlp_json_time(r, x, "timeUnixNano");
        items[i].value = read_value(r, x);
        items[i].trace_id = read_id(r, x, "traceId");
        items[i].span_id = read_id(r, x, "spanId");
    }
    point->exemplars = items;
    point->exemplar_count = count;
}

static const uint64_t *read_counts(
    struct otlp_json_reader *r, const json_t *object, const char *key, size_t *count_out)
{
    const json_t *list;
    uint64_t *items = otlp_json_array(r, object, key, sizeof(*items), &list, count_out);
    for (size_t i = 0; i < *count_out; i++) {
        (void)otlp_json_unsigned_of(r, json_array_get(list, i), key, &items[i]);
    }
    return items;
}

static void read_buckets(
    struct otlp_json_reader *r, const json_t *object, const char *key, struct otlp_buckets *buckets)
{
    const json_t *side = otlp_json_member(object, key);
    buckets->offset = otlp_json_small(r, side, "offset");
    buckets->counts = read_counts(r, side, "bucketCounts", &buckets->count);
}

static void read_bounds(struct otlp_json_reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    double *items = otlp_json_array(r, object, "explicitBounds", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        (void)otlp_json_number_of(r, json_array_get(list, i), "explicitBounds", &items[i]);
    }
    point->bounds = items;
    point->bound_count = count;
}

static void read_quantiles(
    struct otlp_json_reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    struct otlp_quantile *items =
        otlp_json_array(r, object, "quantileValues", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        items[i].quantile = otlp_json_double(r, json_array_get(list, i), "quantile");
        items[i].value = otlp_json_double(r, json_array_get(list, i), "value");
    }
    point->quantiles = items;
    point->quantile_count = count;
}

static void read_point(
    struct otlp_json_reader *r, enum otlp_kind kind, const json_t *object, struct otlp_point *point)
{
    read_labels(r, object, "attributes", &point->attributes);
    point->start_ms = otlp_json_time(r, object, "startTimeUnixNano");
    point->t_ms = otlp_json_time(r, object, "timeUnixNano");
    point->no_value = (otlp_json_unsigned(r, object, "flags") & FLAG_NO_VALUE) != 0;
    read_exemplars(r, object, point);
    if (kind == OTLP_GAUGE || kind == OTLP_SUM) {
        point->value = read_value(r, object);
        return;
    }
    point->count = otlp_json_unsigned(r, object, "count");
    point->has_sum = kind == OTLP_SUMMARY || otlp_json_member(object, "sum") != NULL;
    point->sum = otlp_json_double(r, object, "sum");
    if (kind == OTLP_HISTOGRAM) {
        point->bucket_counts = read_counts(r, object, "bucketCounts", &point->bucket_count);
        read_bounds(r, object, point);
    } else if (kind == OTLP_EXPONENTIAL) {
        point->scale = otlp_json_small(r, object, "scale");
        point->zero_count = otlp_json_unsigned(r, object, "zeroCount");
        point->zero_threshold = otlp_json_double(r, object, "zeroThreshold");
        read_buckets(r, object, "positive", &point->positive);
        read_buckets(r, object, "negative", &point->negative);
    } else {
        read_quantiles(r, object, point);
    }
}

/* ---- Metrics, scopes, resources ---- */

static void read_data(struct otlp_json_reader *r, enum otlp_kind kind, const json_t *object,
    struct otlp_metric *metric)
{
    const json_t *list;
    size_t count;
    struct otlp_point *points =
        otlp_json_array(r, object, "dataPoints", sizeof(*points), &list, &count);
    uint64_t temporality = otlp_json_unsigned(r, object, "aggregationTemporality");
    metric->kind = kind;
    metric->temporality =
        temporality <= OTLP_CUMULATIVE ? (enum otlp_temporality)temporality : OTLP_UNSPECIFIED;
    metric->monotonic = json_is_true(otlp_json_member(object, "isMonotonic"));
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_point(r, kind, json_array_get(list, i), &points[i]);
    }
    metric->points = points;
    metric->point_count = count;
}

static void read_metric(
    struct otlp_json_reader *r, const json_t *object, struct otlp_metric *metric)
{
    static const struct {
        const char *key;
        enum otlp_kind kind;
    } kinds[] = {{"gauge", OTLP_GAUGE}, {"sum", OTLP_SUM}, {"histogram", OTLP_HISTOGRAM},
        {"exponentialHistogram", OTLP_EXPONENTIAL}, {"summary", OTLP_SUMMARY}};
    metric->name = otlp_json_text(r, object, "name");
    metric->description = otlp_json_text(r, object, "description");
    metric->unit = otlp_json_text(r, object, "unit");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const json_t *data = otlp_json_member(object, kinds[i].key);
        if (data != NULL) {
            read_data(r, kinds[i].kind, data, metric);
        }
    }
}

static void read_scope(struct otlp_json_reader *r, const json_t *object, struct otlp_scope *scope)
{
    const json_t *list, *head = otlp_json_member(object, "scope");
    size_t count;
    struct otlp_metric *metrics =
        otlp_json_array(r, object, "metrics", sizeof(*metrics), &list, &count);
    scope->name = otlp_json_text(r, head, "name");
    scope->version = otlp_json_text(r, head, "version");
    read_labels(r, head, "attributes", &scope->attributes);
    scope->schema_url = otlp_json_text(r, object, "schemaUrl");
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_metric(r, json_array_get(list, i), &metrics[i]);
    }
    scope->metrics = metrics;
    scope->metric_count = count;
}

static void read_resource(
    struct otlp_json_reader *r, const json_t *object, struct otlp_resource *resource)
{
    const json_t *list;
    size_t count;
    struct otlp_scope *scopes =
        otlp_json_array(r, object, "scopeMetrics", sizeof(*scopes), &list, &count);
    read_labels(r, otlp_json_member(object, "resource"), "attributes", &resource->attributes);
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_scope(r, json_array_get(list, i), &scopes[i]);
    }
    resource->scopes = scopes;
    resource->scope_count = count;
}

int otlp_metrics_decode_json(
    struct str text, struct arena *arena, struct otlp_metrics *metrics_out, struct err *e)
{
    json_t *root = NULL;
    int status = otlp_json_load(text, &root, e);
    if (status != 0) {
        return status;
    }
    struct otlp_json_reader r = {.arena = arena};
    const json_t *list;
    size_t count;
    struct otlp_resource *resources =
        otlp_json_array(&r, root, "resourceMetrics", sizeof(*resources), &list, &count);
    if (!json_is_object(root)) {
        (void)otlp_json_fail(&r, ERR_CORRUPT, "the message");
    }
    for (size_t i = 0; i < count && r.status == 0; i++) {
        read_resource(&r, json_array_get(list, i), &resources[i]);
    }
    json_decref(root);
    status = otlp_json_result(&r, e);
    if (status == 0) {
        *metrics_out = (struct otlp_metrics){resources, count};
    }
    return status;
}
