/* OTLP metrics from protobuf. Each message is walked twice: once to count what repeats in it, so that
 * arrays have their size, once to read.
 *
 *   ExportMetricsServiceRequest{resource_metrics 1}
 *   ResourceMetrics{resource 1, scope_metrics 2}      Resource{attributes 1}
 *   ScopeMetrics{scope 1, metrics 2, schema_url 3}    Scope{name 1, version 2, attributes 3}
 *   Metric{name 1, description 2, unit 3, gauge 5, sum 7, histogram 9, exponential 10, summary 11}
 *   Gauge, Sum, …{points 1, temporality 2, monotonic 3}
 *
 *                 attributes start time exemplars flags  own fields
 *   number             7       2    3      5       8     double 4, integer 6 (sfixed64)
 *   histogram          9       2    3      8      10     count 4, sum 5, counts 6, bounds 7
 *   exponential        1       2    3     11      10     count 4, sum 5, scale 6, zeros 7, +8, −9,
 *                                                        zero threshold 14
 *   summary            7       2    3      -       8     count 4, sum 5, quantiles 6
 *
 *   Buckets{offset 1, counts 2}  ValueAtQuantile{quantile 1, value 2}
 *   Exemplar{time 2, double 3, span 4, trace 5, integer 6, attributes 7}
 *
 * Times are nanoseconds as fixed64; what is beyond milliseconds is cut off.
 */
#include "otlp_value.h"

enum { NANOSECONDS = 1000000, FLAG_NO_VALUE = 1 };

/* Where the fields of a kind of points stand; 0 = has none. */
struct point_layout {
    uint32_t attributes, exemplars, flags;
};

static const struct point_layout layouts[] = {
    [OTLP_GAUGE] = {7, 5, 8},
    [OTLP_SUM] = {7, 5, 8},
    [OTLP_HISTOGRAM] = {9, 8, 10},
    [OTLP_EXPONENTIAL] = {1, 11, 10},
    [OTLP_SUMMARY] = {7, 0, 8},
};

struct reader {
    struct arena *arena;
    int status; /* the first failure */
};

static bool fail(struct reader *r, int status)
{
    if (r->status == 0) {
        r->status = status;
    }
    return false;
}

/* Checks the wire type of a field that was recognised. */
static bool expect(struct reader *r, const struct protobuf_field *f, enum protobuf_wire_type type)
{
    return f->type == type || fail(r, ERR_CORRUPT);
}

/* Room for all the fields `number` of a message. */
static void *make_array(
    struct reader *r, struct str message, uint32_t number, size_t size, size_t *cap_out)
{
    *cap_out = otlp_count_fields(message, number);
    void *items = arena_calloc(r->arena, *cap_out, size);
    if (items == NULL) {
        (void)fail(r, arena_error(r->arena));
    }
    return items;
}

static void read_attributes(
    struct reader *r, struct str message, uint32_t number, struct otlp_attributes *attributes)
{
    int status = otlp_decode_attributes(message, number, r->arena, attributes);
    if (status != 0) {
        (void)fail(r, status);
    }
}

/* The walk over a message: the next field, or false at its end and after a failure. */
static bool next(struct reader *r, struct decbuf *in, struct protobuf_field *f)
{
    if (r->status != 0) {
        return false;
    }
    return protobuf_next(in, f) || (in->failed && fail(r, ERR_CORRUPT));
}

static int64_t milliseconds(uint64_t nanoseconds)
{
    return (int64_t)(nanoseconds / NANOSECONDS);
}

/* ---- Points ---- */

/* Elements of a packed or unpacked list of 8-byte values, counted before. */
static size_t count_fixed64(struct reader *r, struct str message, uint32_t number)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    size_t count = 0;
    while (next(r, &in, &f)) {
        if (f.number != number) {
            continue;
        }
        if (f.type == PROTOBUF_BYTES && f.bytes.len % 8 == 0) {
            count += f.bytes.len / 8;
        } else if (expect(r, &f, PROTOBUF_FIXED64)) {
            count++;
        }
    }
    return count;
}

/* Fixed64 or double: both as the eight bytes they are. */
static const void *read_fixed64_list(
    struct reader *r, struct str message, uint32_t number, size_t *count_out)
{
    size_t count = count_fixed64(r, message, number), at = 0;
    uint64_t *items = arena_calloc(r->arena, count, sizeof(*items));
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    if (items == NULL) {
        (void)fail(r, arena_error(r->arena));
    }
    while (next(r, &in, &f)) {
        if (f.number == number && f.type == PROTOBUF_FIXED64) {
            items[at++] = f.value;
        } else if (f.number == number) {
            for (size_t i = 0; i < f.bytes.len; i += 8) {
                items[at++] = get_le64((const uint8_t *)f.bytes.ptr + i);
            }
        }
    }
    *count_out = r->status == 0 ? count : 0;
    return items;
}

/* Buckets: an offset and a list of varints, packed or not. */
static void read_buckets(struct reader *r, struct str message, struct otlp_buckets *buckets)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    /* A varint is a byte at least, so that the message is never shorter than its counts. */
    uint64_t *counts = arena_calloc(r->arena, message.len, sizeof(*counts));
    size_t count = 0;
    if (counts == NULL) {
        (void)fail(r, arena_error(r->arena));
    }
    while (next(r, &in, &f)) {
        if (f.number == 1 && expect(r, &f, PROTOBUF_VARINT)) {
            buckets->offset = (int32_t)zigzag_decode((uint32_t)f.value);
        } else if (f.number == 2 && f.type == PROTOBUF_VARINT) {
            counts[count++] = f.value;
        } else if (f.number == 2 && expect(r, &f, PROTOBUF_BYTES)) {
            struct decbuf run = decbuf_of(f.bytes.ptr, f.bytes.len);
            while (run.p < run.end && !run.failed) {
                counts[count++] = protobuf_varint(&run);
            }
            if (run.failed) {
                (void)fail(r, ERR_CORRUPT);
            }
        }
    }
    buckets->counts = counts;
    buckets->count = count;
}

static void read_exemplar(struct reader *r, struct str message, struct otlp_exemplar *x)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    read_attributes(r, message, 7, &x->attributes);
    x->trace_id = x->span_id = STR("");
    while (next(r, &in, &f)) {
        if (f.number == 2 && expect(r, &f, PROTOBUF_FIXED64)) {
            x->t_ms = milliseconds(f.value);
        } else if (f.number == 3 && expect(r, &f, PROTOBUF_FIXED64)) {
            x->value = double_from_bits(f.value);
        } else if (f.number == 6 && expect(r, &f, PROTOBUF_FIXED64)) {
            x->value = (double)(int64_t)f.value;
        } else if ((f.number == 4 || f.number == 5) && expect(r, &f, PROTOBUF_BYTES)) {
            struct str hex = otlp_hex(f.bytes, r->arena);
            *(f.number == 4 ? &x->span_id : &x->trace_id) = hex;
            if (hex.ptr == NULL) {
                (void)fail(r, arena_error(r->arena));
            }
        }
    }
}

static void read_exemplars(
    struct reader *r, struct str message, uint32_t number, struct otlp_point *point)
{
    size_t cap, count = 0;
    struct otlp_exemplar *items = make_array(r, message, number, sizeof(*items), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (next(r, &in, &f)) {
        if (f.number == number && expect(r, &f, PROTOBUF_BYTES)) {
            read_exemplar(r, f.bytes, &items[count++]);
        }
    }
    point->exemplars = items;
    point->exemplar_count = count;
}

static void read_quantiles(struct reader *r, struct str message, struct otlp_point *point)
{
    size_t cap, count = 0;
    struct otlp_quantile *items = make_array(r, message, 6, sizeof(*items), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f, part;
    while (next(r, &in, &f)) {
        if (f.number != 6 || !expect(r, &f, PROTOBUF_BYTES)) {
            continue;
        }
        struct otlp_quantile *q = &items[count++];
        struct decbuf pair = decbuf_of(f.bytes.ptr, f.bytes.len);
        while (next(r, &pair, &part)) {
            if (part.number <= 2 && expect(r, &part, PROTOBUF_FIXED64)) {
                *(part.number == 1 ? &q->quantile : &q->value) = double_from_bits(part.value);
            }
        }
    }
    point->quantiles = items;
    point->quantile_count = count;
}

/* Fields 4 and up of a gauge's or sum's point. */
static void read_number_field(
    struct reader *r, const struct protobuf_field *f, struct otlp_point *point)
{
    if (f->number == 4 && expect(r, f, PROTOBUF_FIXED64)) {
        point->value = double_from_bits(f->value);
    } else if (f->number == 6 && expect(r, f, PROTOBUF_FIXED64)) {
        point->value = (double)(int64_t)f->value;
    }
}

/* Fields 4 to 14 of the kinds with a count and a sum. */
static void read_distribution_field(
    struct reader *r, enum otlp_kind kind, const struct protobuf_field *f, struct otlp_point *point)
{
    bool exponential = kind == OTLP_EXPONENTIAL;
    if (f->number == 4 && expect(r, f, PROTOBUF_FIXED64)) {
        point->count = f->value;
    } else if (f->number == 5 && expect(r, f, PROTOBUF_FIXED64)) {
        point->sum = double_from_bits(f->value);
        point->has_sum = true;
    } else if (exponential && f->number == 6 && expect(r, f, PROTOBUF_VARINT)) {
        point->scale = (int32_t)zigzag_decode((uint32_t)f->value);
    } else if (exponential && f->number == 7 && expect(r, f, PROTOBUF_FIXED64)) {
        point->zero_count = f->value;
    } else if (exponential && f->number == 8 && expect(r, f, PROTOBUF_BYTES)) {
        read_buckets(r, f->bytes, &point->positive);
    } else if (exponential && f->number == 9 && expect(r, f, PROTOBUF_BYTES)) {
        read_buckets(r, f->bytes, &point->negative);
    } else if (exponential && f->number == 14 && expect(r, f, PROTOBUF_FIXED64)) {
        point->zero_threshold = double_from_bits(f->value);
    }
}

static void read_point(
    struct reader *r, enum otlp_kind kind, struct str message, struct otlp_point *point)
{
    const struct point_layout *layout = &layouts[kind];
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    point->has_sum = kind == OTLP_SUMMARY;
    read_attributes(r, message, layout->attributes, &point->attributes);
    if (layout->exemplars != 0) {
        read_exemplars(r, message, layout->exemplars, point);
    }
    if (kind == OTLP_HISTOGRAM) {
        point->bucket_counts = read_fixed64_list(r, message, 6, &point->bucket_count);
        point->bounds = read_fixed64_list(r, message, 7, &point->bound_count);
    } else if (kind == OTLP_SUMMARY) {
        read_quantiles(r, message, point);
    }
    while (next(r, &in, &f)) {
        if (f.number == layout->attributes || f.number == layout->exemplars) {
            continue; /* read already */
        }
        if (f.number == 2 && expect(r, &f, PROTOBUF_FIXED64)) {
            point->start_ms = milliseconds(f.value);
        } else if (f.number == 3 && expect(r, &f, PROTOBUF_FIXED64)) {
            point->t_ms = milliseconds(f.value);
        } else if (f.number == layout->flags && expect(r, &f, PROTOBUF_VARINT)) {
            point->no_value = (f.value & FLAG_NO_VALUE) != 0;
        } else if (kind == OTLP_GAUGE || kind == OTLP_SUM) {
            read_number_field(r, &f, point);
        } else {
            read_distribution_field(r, kind, &f, point);
        }
    }
}

/* ---- Metrics, scopes, resources ---- */

/* Gauge, Sum and so on: points, temporality, monotonic. */
static void read_data(
    struct reader *r, enum otlp_kind kind, struct str message, struct otlp_metric *metric)
{
    size_t cap, count = 0;
    struct otlp_point *points = make_array(r, message, 1, sizeof(*points), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    metric->kind = kind;
    while (next(r, &in, &f)) {
        if (f.number == 1 && expect(r, &f, PROTOBUF_BYTES)) {
            read_point(r, kind, f.bytes, &points[count++]);
        } else if (f.number == 2 && expect(r, &f, PROTOBUF_VARINT)) {
            metric->temporality =
                f.value <= OTLP_CUMULATIVE ? (enum otlp_temporality)f.value : OTLP_UNSPECIFIED;
        } else if (f.number == 3 && expect(r, &f, PROTOBUF_VARINT)) {
            metric->monotonic = f.value != 0;
        }
    }
    metric->points = points;
    metric->point_count = count;
}

static enum otlp_kind kind_of(uint32_t number)
{
    switch (number) {
    case 5:
        return OTLP_GAUGE;
    case 7:
        return OTLP_SUM;
    case 9:
        return OTLP_HISTOGRAM;
    case 10:
        return OTLP_EXPONENTIAL;
    case 11:
        return OTLP_SUMMARY;
    default:
        return OTLP_EMPTY;
    }
}

static void read_metric(struct reader *r, struct str message, struct otlp_metric *metric)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    metric->name = metric->description = metric->unit = STR("");
    while (next(r, &in, &f)) {
        enum otlp_kind kind = kind_of(f.number);
        if ((f.number > 3 && kind == OTLP_EMPTY) || !expect(r, &f, PROTOBUF_BYTES)) {
            continue;
        }
        if (kind != OTLP_EMPTY) {
            read_data(r, kind, f.bytes, metric);
        } else {
            *(f.number == 1     ? &metric->name
                : f.number == 2 ? &metric->description
                                : &metric->unit) = f.bytes;
        }
    }
}

static void read_scope_head(struct reader *r, struct str message, struct otlp_scope *scope)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    read_attributes(r, message, 3, &scope->attributes);
    while (next(r, &in, &f)) {
        if (f.number <= 2 && expect(r, &f, PROTOBUF_BYTES)) {
            *(f.number == 1 ? &scope->name : &scope->version) = f.bytes;
        }
    }
}

static void read_scope(struct reader *r, struct str message, struct otlp_scope *scope)
{
    size_t cap, count = 0;
    struct otlp_metric *metrics = make_array(r, message, 2, sizeof(*metrics), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    scope->name = scope->version = scope->schema_url = STR("");
    while (next(r, &in, &f)) {
        if (f.number > 3 || !expect(r, &f, PROTOBUF_BYTES)) {
            continue;
        }
        if (f.number == 1) {
            read_scope_head(r, f.bytes, scope);
        } else if (f.number == 2) {
            read_metric(r, f.bytes, &metrics[count++]);
        } else {
            scope->schema_url = f.bytes;
        }
    }
    scope->metrics = metrics;
    scope->metric_count = count;
}

static void read_resource(struct reader *r, struct str message, struct otlp_resource *resource)
{
    size_t cap, count = 0;
    struct otlp_scope *scopes = make_array(r, message, 2, sizeof(*scopes), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (next(r, &in, &f)) {
        if (f.number == 1 && expect(r, &f, PROTOBUF_BYTES)) {
            read_attributes(r, f.bytes, 1, &resource->attributes);
        } else if (f.number == 2 && expect(r, &f, PROTOBUF_BYTES)) {
            read_scope(r, f.bytes, &scopes[count++]);
        }
    }
    resource->scopes = scopes;
    resource->scope_count = count;
}

int otlp_metrics_decode(
    struct str message, struct arena *arena, struct otlp_metrics *metrics_out, struct err *e)
{
    if (message.len > OTLP_MESSAGE_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the message is larger than %zu bytes", OTLP_MESSAGE_MAX);
    }
    struct reader r = {.arena = arena};
    size_t cap, count = 0;
    struct otlp_resource *resources = make_array(&r, message, 1, sizeof(*resources), &cap);
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    size_t at = 0;
    while (next(&r, &in, &f)) {
        if (f.number == 1 && expect(&r, &f, PROTOBUF_BYTES)) {
            read_resource(&r, f.bytes, &resources[count++]);
        }
        at = r.status == 0 ? (size_t)(in.p - (const uint8_t *)message.ptr) : at;
    }
    switch (r.status) {
    case 0:
        *metrics_out = (struct otlp_metrics){resources, count};
        return 0;
    case ERR_CORRUPT:
        return err_set(
            e, ERR_CORRUPT, (int64_t)at, "malformed OTLP message: in the item at byte %zu", at);
    default:
        return err_set(
            e, r.status, (int64_t)at, "the OTLP message is too large: %s", err_text(r.status));
    }
}
