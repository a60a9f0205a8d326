/* OTLP metrics from JSON: protobuf's JSON mapping with OTLP's exceptions (ids in hex, enums as integers,
 * lowerCamelCase only). 64-bit integers come as text or as numbers, doubles as numbers or as "NaN",
 * "Infinity", "-Infinity". Unknown keys are ignored, null stands for an absent member.
 */
#include <jansson.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "otlp_value.h"

enum { NANOSECONDS = 1000000, FLAG_NO_VALUE = 1 };

struct reader {
    struct arena *arena;
    int status;       /* the first failure */
    const char *what; /* the key it was found at */
};

static bool fail(struct reader *r, int status, const char *what)
{
    if (r->status == 0) {
        r->status = status;
        r->what = what;
    }
    return false;
}

/* The member, or NULL when it is absent or null. */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* ---- Scalars ---- */

static struct str read_text(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = member(object, key);
    if (value == NULL) {
        return STR("");
    }
    if (!json_is_string(value)) {
        (void)fail(r, ERR_CORRUPT, key);
        return STR("");
    }
    size_t size = json_string_length(value);
    char *copy = arena_strndup(r->arena, json_string_value(value), size);
    if (copy == NULL) {
        (void)fail(r, arena_error(r->arena), key);
        return STR("");
    }
    return str_make(copy, size);
}

static bool number_of(struct reader *r, const json_t *value, const char *key, double *number_out)
{
    if (json_is_number(value)) {
        *number_out = json_number_value(value);
        return true;
    }
    struct str text = str_of(json_string_value(value));
    bool minus = str_eq_c(text, "-Infinity");
    if (minus || str_eq_c(text, "Infinity")) {
        text = minus ? STR("-Inf") : STR("+Inf");
    }
    return (text.ptr != NULL && str_to_double(text, number_out) == 0) || fail(r, ERR_CORRUPT, key);
}

static double read_double(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = member(object, key);
    double number = 0;
    return value != NULL && number_of(r, value, key, &number) ? number : 0;
}

static bool unsigned_of(
    struct reader *r, const json_t *value, const char *key, uint64_t *number_out)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *number_out = (uint64_t)json_integer_value(value);
        return true;
    }
    struct str text = str_of(json_string_value(value));
    return (text.ptr != NULL && str_to_u64(text, number_out) == 0) || fail(r, ERR_CORRUPT, key);
}

static uint64_t read_unsigned(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = member(object, key);
    uint64_t number = 0;
    return value != NULL && unsigned_of(r, value, key, &number) ? number : 0;
}

static int64_t read_signed(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = member(object, key);
    int64_t number = 0;
    if (json_is_integer(value)) {
        return json_integer_value(value);
    }
    if (value != NULL) {
        struct str text = str_of(json_string_value(value));
        if (text.ptr == NULL || str_to_i64(text, &number) != 0) {
            (void)fail(r, ERR_CORRUPT, key);
        }
    }
    return number;
}

/* Scales, offsets and enums: 32 bits. */
static int32_t read_small(struct reader *r, const json_t *object, const char *key)
{
    int64_t number = read_signed(r, object, key);
    if (number < INT32_MIN || number > INT32_MAX) {
        (void)fail(r, ERR_CORRUPT, key);
        return 0;
    }
    return (int32_t)number;
}

static int64_t read_time(struct reader *r, const json_t *object, const char *key)
{
    return (int64_t)(read_unsigned(r, object, key) / NANOSECONDS);
}

/* ---- Lists ---- */

/* Room for the elements of an array; *list_out NULL and nothing when it is absent. */
static void *make_array(struct reader *r, const json_t *object, const char *key, size_t size,
    const json_t **list_out, size_t *count_out)
{
    const json_t *list = member(object, key);
    if (list != NULL && !json_is_array(list)) {
        (void)fail(r, ERR_CORRUPT, key);
        list = NULL;
    }
    size_t count = json_array_size(list);
    void *items = arena_calloc(r->arena, count, size);
    if (items == NULL) {
        (void)fail(r, arena_error(r->arena), key);
        count = 0;
    }
    *list_out = list;
    *count_out = count;
    return items;
}

/* ---- Attributes ---- */

static void write_value(struct strbuf *out, const json_t *value, int depth);

static void write_quoted(struct strbuf *out, const json_t *text)
{
    json_t *copy = json_stringn(json_string_value(text), json_string_length(text));
    char *quoted = json_dumps(copy, JSON_ENCODE_ANY);
    strbuf_add_c(out, quoted != NULL ? quoted : "\"\"");
    mem_free_foreign(quoted);
    json_decref(copy);
}

/* Inside arrays and maps. */
static void write_members(struct strbuf *out, const json_t *list, bool map, int depth)
{
    const json_t *values = member(list, "values");
    strbuf_add_char(out, map ? '{' : '[');
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *item = json_array_get(values, i);
        strbuf_add_c(out, i > 0 ? "," : "");
        if (map) {
            const json_t *key = member(item, "key");
            if (json_is_string(key)) {
                write_quoted(out, key);
            } else {
                strbuf_add_c(out, "\"\"");
            }
            strbuf_add_char(out, ':');
            item = member(item, "value");
        }
        write_value(out, item, depth + 1);
    }
    strbuf_add_char(out, map ? '}' : ']');
}

static void write_number(struct strbuf *out, const json_t *value)
{
    if (json_is_integer(value)) {
        strbuf_add_i64(out, json_integer_value(value));
    } else if (json_is_real(value)) {
        strbuf_add_double(out, json_real_value(value));
    } else {
        const char *text = json_string_value(value);
        strbuf_add_c(out, text != NULL ? text : "");
    }
}

/* AnyValue as JSON; on the top level texts stand for themselves (see otlp_value.c). */
static void write_value(struct strbuf *out, const json_t *value, int depth)
{
    const json_t *part;
    if (depth > OTLP_VALUE_DEPTH_MAX) {
        out->error = ERR_LIMIT;
    } else if ((part = member(value, "stringValue")) != NULL ||
               (part = member(value, "bytesValue")) != NULL) {
        if (json_is_string(part) && depth > 0) {
            write_quoted(out, part);
        } else if (json_is_string(part)) {
            strbuf_add(out, json_string_value(part), json_string_length(part));
        }
    } else if ((part = member(value, "boolValue")) != NULL) {
        strbuf_add_c(out, json_is_true(part) ? "true" : "false");
    } else if ((part = member(value, "intValue")) != NULL ||
               (part = member(value, "doubleValue")) != NULL) {
        write_number(out, part);
    } else if ((part = member(value, "arrayValue")) != NULL) {
        write_members(out, part, false, depth);
    } else if ((part = member(value, "kvlistValue")) != NULL) {
        write_members(out, part, true, depth);
    } else if (depth > 0) {
        strbuf_add_c(out, "null");
    }
}

static void read_attributes(
    struct reader *r, const json_t *object, const char *key, struct otlp_attributes *attributes)
{
    const json_t *list;
    size_t count;
    struct label *items = make_array(r, object, key, sizeof(*items), &list, &count);
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < count && r->status == 0; i++) {
        const json_t *pair = json_array_get(list, i);
        items[i].name = read_text(r, pair, "key");
        strbuf_reset(&text);
        strbuf_add_c(&text, "");
        write_value(&text, member(pair, "value"), 0);
        char *copy =
            strbuf_error(&text) == 0 ? arena_strndup(r->arena, text.data, text.size) : NULL;
        if (copy == NULL) {
            int status = strbuf_error(&text);
            (void)fail(r, status != 0 ? status : arena_error(r->arena), key);
        }
        items[i].value = str_make(copy, text.size);
    }
    strbuf_release(&text);
    *attributes = (struct otlp_attributes){items, r->status == 0 ? count : 0};
}

/* ---- Points ---- */

/* Ids in hex; upper case becomes lower. */
static struct str read_id(struct reader *r, const json_t *object, const char *key)
{
    struct str id = read_text(r, object, key);
    char *copy = arena_strndup(r->arena, id.ptr, id.len);
    for (size_t i = 0; copy != NULL && i < id.len; i++) {
        char c = copy[i];
        copy[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        if (!((copy[i] >= '0' && copy[i] <= '9') || (copy[i] >= 'a' && copy[i] <= 'f'))) {
            (void)fail(r, ERR_CORRUPT, key);
        }
    }
    if (copy == NULL) {
        (void)fail(r, arena_error(r->arena), key);
    }
    return str_make(copy, copy != NULL ? id.len : 0);
}

static double read_value(struct reader *r, const json_t *object)
{
    return member(object, "asInt") != NULL ? (double)read_signed(r, object, "asInt")
                                           : read_double(r, object, "asDouble");
}

static void read_exemplars(struct reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    struct otlp_exemplar *items = make_array(r, object, "exemplars", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *x = json_array_get(list, i);
        read_attributes(r, x, "filteredAttributes", &items[i].attributes);
        items[i].t_ms = read_time(r, x, "timeUnixNano");
        items[i].value = read_value(r, x);
        items[i].trace_id = read_id(r, x, "traceId");
        items[i].span_id = read_id(r, x, "spanId");
    }
    point->exemplars = items;
    point->exemplar_count = count;
}

static const uint64_t *read_counts(
    struct reader *r, const json_t *object, const char *key, size_t *count_out)
{
    const json_t *list;
    uint64_t *items = make_array(r, object, key, sizeof(*items), &list, count_out);
    for (size_t i = 0; i < *count_out; i++) {
        (void)unsigned_of(r, json_array_get(list, i), key, &items[i]);
    }
    return items;
}

static void read_buckets(
    struct reader *r, const json_t *object, const char *key, struct otlp_buckets *buckets)
{
    const json_t *side = member(object, key);
    buckets->offset = read_small(r, side, "offset");
    buckets->counts = read_counts(r, side, "bucketCounts", &buckets->count);
}

static void read_bounds(struct reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    double *items = make_array(r, object, "explicitBounds", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        (void)number_of(r, json_array_get(list, i), "explicitBounds", &items[i]);
    }
    point->bounds = items;
    point->bound_count = count;
}

static void read_quantiles(struct reader *r, const json_t *object, struct otlp_point *point)
{
    const json_t *list;
    size_t count;
    struct otlp_quantile *items =
        make_array(r, object, "quantileValues", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        items[i].quantile = read_double(r, json_array_get(list, i), "quantile");
        items[i].value = read_double(r, json_array_get(list, i), "value");
    }
    point->quantiles = items;
    point->quantile_count = count;
}

static void read_point(
    struct reader *r, enum otlp_kind kind, const json_t *object, struct otlp_point *point)
{
    read_attributes(r, object, "attributes", &point->attributes);
    point->start_ms = read_time(r, object, "startTimeUnixNano");
    point->t_ms = read_time(r, object, "timeUnixNano");
    point->no_value = (read_unsigned(r, object, "flags") & FLAG_NO_VALUE) != 0;
    read_exemplars(r, object, point);
    if (kind == OTLP_GAUGE || kind == OTLP_SUM) {
        point->value = read_value(r, object);
        return;
    }
    point->count = read_unsigned(r, object, "count");
    point->has_sum = kind == OTLP_SUMMARY || member(object, "sum") != NULL;
    point->sum = read_double(r, object, "sum");
    if (kind == OTLP_HISTOGRAM) {
        point->bucket_counts = read_counts(r, object, "bucketCounts", &point->bucket_count);
        read_bounds(r, object, point);
    } else if (kind == OTLP_EXPONENTIAL) {
        point->scale = read_small(r, object, "scale");
        point->zero_count = read_unsigned(r, object, "zeroCount");
        point->zero_threshold = read_double(r, object, "zeroThreshold");
        read_buckets(r, object, "positive", &point->positive);
        read_buckets(r, object, "negative", &point->negative);
    } else {
        read_quantiles(r, object, point);
    }
}

/* ---- Metrics, scopes, resources ---- */

static void read_data(
    struct reader *r, enum otlp_kind kind, const json_t *object, struct otlp_metric *metric)
{
    const json_t *list;
    size_t count;
    struct otlp_point *points = make_array(r, object, "dataPoints", sizeof(*points), &list, &count);
    uint64_t temporality = read_unsigned(r, object, "aggregationTemporality");
    metric->kind = kind;
    metric->temporality =
        temporality <= OTLP_CUMULATIVE ? (enum otlp_temporality)temporality : OTLP_UNSPECIFIED;
    metric->monotonic = json_is_true(member(object, "isMonotonic"));
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_point(r, kind, json_array_get(list, i), &points[i]);
    }
    metric->points = points;
    metric->point_count = count;
}

static void read_metric(struct reader *r, const json_t *object, struct otlp_metric *metric)
{
    static const struct {
        const char *key;
        enum otlp_kind kind;
    } kinds[] = {{"gauge", OTLP_GAUGE}, {"sum", OTLP_SUM}, {"histogram", OTLP_HISTOGRAM},
        {"exponentialHistogram", OTLP_EXPONENTIAL}, {"summary", OTLP_SUMMARY}};
    metric->name = read_text(r, object, "name");
    metric->description = read_text(r, object, "description");
    metric->unit = read_text(r, object, "unit");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const json_t *data = member(object, kinds[i].key);
        if (data != NULL) {
            read_data(r, kinds[i].kind, data, metric);
        }
    }
}

static void read_scope(struct reader *r, const json_t *object, struct otlp_scope *scope)
{
    const json_t *list, *head = member(object, "scope");
    size_t count;
    struct otlp_metric *metrics = make_array(r, object, "metrics", sizeof(*metrics), &list, &count);
    scope->name = read_text(r, head, "name");
    scope->version = read_text(r, head, "version");
    read_attributes(r, head, "attributes", &scope->attributes);
    scope->schema_url = read_text(r, object, "schemaUrl");
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_metric(r, json_array_get(list, i), &metrics[i]);
    }
    scope->metrics = metrics;
    scope->metric_count = count;
}

static void read_resource(struct reader *r, const json_t *object, struct otlp_resource *resource)
{
    const json_t *list;
    size_t count;
    struct otlp_scope *scopes =
        make_array(r, object, "scopeMetrics", sizeof(*scopes), &list, &count);
    read_attributes(r, member(object, "resource"), "attributes", &resource->attributes);
    for (size_t i = 0; i < count && r->status == 0; i++) {
        read_scope(r, json_array_get(list, i), &scopes[i]);
    }
    resource->scopes = scopes;
    resource->scope_count = count;
}

int otlp_metrics_decode_json(
    struct str text, struct arena *arena, struct otlp_metrics *metrics_out, struct err *e)
{
    if (text.len > OTLP_JSON_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "the message is larger than %zu bytes of JSON", OTLP_JSON_MAX);
    }
    json_error_t problem;
    json_t *root = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, 0, &problem);
    if (root == NULL) {
        return err_set(e, ERR_CORRUPT, problem.position, "line %d, column %d: %s", problem.line,
            problem.column, problem.text);
    }
    struct reader r = {.arena = arena};
    const json_t *list;
    size_t count;
    struct otlp_resource *resources =
        make_array(&r, root, "resourceMetrics", sizeof(*resources), &list, &count);
    if (!json_is_object(root)) {
        (void)fail(&r, ERR_CORRUPT, "the message");
    }
    for (size_t i = 0; i < count && r.status == 0; i++) {
        read_resource(&r, json_array_get(list, i), &resources[i]);
    }
    json_decref(root);
    switch (r.status) {
    case 0:
        *metrics_out = (struct otlp_metrics){resources, count};
        return 0;
    case ERR_CORRUPT:
        return err_set(
            e, ERR_CORRUPT, -1, "malformed OTLP message: %s is not of the kind expected", r.what);
    default:
        return err_set(e, r.status, -1, "the OTLP message is too large: %s", err_text(r.status));
    }
}
