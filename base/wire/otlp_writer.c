/* OTLP metrics, writing: collecting parts of points and putting them in order.
 *
 * A series of Prometheus is a part of a point: a bucket, a sum, a count, or all of it. Parts are
 * collected with their attributes encoded already, sorted so that those of one point, one metric and
 * one resource stand together, and written in one pass. What a point looks like on the wire is said in
 * otlp_point.c.
 */
#include "wire/otlp_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "otlp_point.h"
#include "protobuf_wire.h"

struct otlp_writer {
    struct otlp_part *parts;
    size_t count, cap;
    struct arena arena;
    struct strbuf attributes, point, points, metric, metrics, resource;
    int error;
};

int otlp_writer_new(struct otlp_writer **writer_out)
{
    struct otlp_writer *w = mem_calloc(1, sizeof(*w));
    if (w == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&w->arena, REMOTE_WRITE_MESSAGE_MAX * 2);
    struct strbuf *all[] = {
        &w->attributes, &w->point, &w->points, &w->metric, &w->metrics, &w->resource};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        strbuf_init(all[i], REMOTE_WRITE_MESSAGE_MAX);
    }
    *writer_out = w;
    return 0;
}

void otlp_writer_free(struct otlp_writer *w)
{
    if (w == NULL) {
        return;
    }
    struct strbuf *all[] = {
        &w->attributes, &w->point, &w->points, &w->metric, &w->metrics, &w->resource};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        strbuf_release(all[i]);
    }
    arena_release(&w->arena);
    mem_free(w->parts);
    mem_free(w);
}

void otlp_writer_reset(struct otlp_writer *w)
{
    arena_release(&w->arena);
    w->count = 0;
    w->error = 0;
}

/* ---- Parts ---- */

static struct str keep(struct otlp_writer *w, struct str text)
{
    char *copy = arena_strndup(&w->arena, text.ptr, text.len);
    if (copy == NULL) {
        w->error = arena_error(&w->arena);
        return STR("");
    }
    return str_make(copy, text.len);
}

/* KeyValue{key 1, value 2 AnyValue{string_value 1}} as field `field`. */
static void put_attribute(
    struct strbuf *out, uint32_t field, struct str key, struct str value, struct strbuf *scratch)
{
    size_t any = 1 + uvarint_size(value.len) + value.len;
    strbuf_reset(scratch);
    protobuf_put_bytes(scratch, 1, key);
    protobuf_put_key(scratch, 2, PROTOBUF_BYTES);
    strbuf_add_uvarint(scratch, any);
    protobuf_put_bytes(scratch, 1, value);
    protobuf_put_bytes(out, field, strbuf_str(scratch));
}

/* What a series is to its point. */
static enum otlp_role role_of(const struct otlp_writer_series *s, struct str name)
{
    bool summary = s->type == METRIC_TYPE_SUMMARY;
    bool histogram = s->type == METRIC_TYPE_HISTOGRAM || s->type == METRIC_TYPE_GAUGE_HISTOGRAM;
    if (!summary && !histogram) {
        return OTLP_ROLE_VALUE;
    }
    if (str_ends_with(name, STR("_sum")) || str_ends_with(name, STR("_gsum"))) {
        return OTLP_ROLE_SUM;
    }
    if (str_ends_with(name, STR("_count")) || str_ends_with(name, STR("_gcount"))) {
        return OTLP_ROLE_COUNT;
    }
    if (histogram && str_ends_with(name, STR("_bucket"))) {
        return OTLP_ROLE_BUCKET;
    }
    return summary && str_eq(name, s->metric) ? OTLP_ROLE_QUANTILE : OTLP_ROLE_VALUE;
}

static enum otlp_shape shape_of(const struct otlp_writer_series *s, enum otlp_role role)
{
    if (role != OTLP_ROLE_VALUE) {
        return s->type == METRIC_TYPE_SUMMARY ? OTLP_SHAPE_SUMMARY : OTLP_SHAPE_HISTOGRAM;
    }
    return s->type == METRIC_TYPE_COUNTER ? OTLP_SHAPE_SUM : OTLP_SHAPE_GAUGE;
}

/* Labels to resource, attributes and bound. */
static void take_labels(
    struct otlp_writer *w, const struct otlp_writer_series *s, struct otlp_part *part)
{
    struct str bound_name = part->role == OTLP_ROLE_BUCKET     ? STR("le")
                            : part->role == OTLP_ROLE_QUANTILE ? STR("quantile")
                                                               : STR("");
    uint32_t field = otlp_attributes_field(part->shape);
    strbuf_reset(&w->attributes);
    for (size_t i = 0; i < s->label_count; i++) {
        struct label pair = s->labels[i];
        if (str_eq(pair.name, STR("job"))) {
            part->job = keep(w, pair.value);
        } else if (str_eq(pair.name, STR("instance"))) {
            part->instance = keep(w, pair.value);
        } else if (bound_name.len > 0 && str_eq(pair.name, bound_name)) {
            (void)str_to_double(pair.value, &part->bound); /* what is no number counts as 0 */
        } else if (!str_eq(pair.name, STR(LABEL_METRIC_NAME))) {
            put_attribute(&w->attributes, field, pair.name, pair.value, &w->point);
            w->error = w->error != 0 ? w->error : strbuf_error(&w->point);
        }
    }
    part->attributes = keep(w, strbuf_str(&w->attributes));
    w->error = w->error != 0 ? w->error : strbuf_error(&w->attributes);
}

static struct otlp_part *add_part(struct otlp_writer *w, const struct otlp_part *part)
{
    int status = mem_array_grow(
        (void **)&w->parts, &w->cap, w->count + 1, sizeof(*w->parts), OTLP_WRITER_POINTS_MAX);
    if (status != 0) {
        w->error = status;
        return NULL;
    }
    w->parts[w->count] = *part;
    return &w->parts[w->count++];
}

static struct str name_of(const struct otlp_writer_series *s)
{
    for (size_t i = 0; i < s->label_count; i++) {
        if (str_eq(s->labels[i].name, STR(LABEL_METRIC_NAME))) {
            return s->labels[i].value;
        }
    }
    return STR("");
}

static void add_samples(struct otlp_writer *w, const struct otlp_writer_series *s)
{
    struct str name = name_of(s);
    struct otlp_part part = {.role = role_of(s, name)};
    part.shape = shape_of(s, part.role);
    part.name = keep(w, part.role == OTLP_ROLE_VALUE ? name : s->metric);
    part.help = keep(w, s->help);
    part.unit = keep(w, s->unit);
    take_labels(w, s, &part);
    for (size_t i = 0; w->error == 0 && i < s->sample_count; i++) {
        part.t_ms = s->samples[i].t_ms;
        part.value = s->samples[i].value;
        (void)add_part(w, &part);
    }
}

static void add_histograms(struct otlp_writer *w, const struct otlp_writer_series *s)
{
    for (size_t i = 0; w->error == 0 && i < s->histogram_count; i++) {
        const struct histogram *h = s->histograms[i].histogram;
        struct otlp_part part = {.role = OTLP_ROLE_NATIVE,
            .shape = h->schema == HISTOGRAM_SCHEMA_CUSTOM ? OTLP_SHAPE_HISTOGRAM
                                                          : OTLP_SHAPE_EXPONENTIAL,
            .t_ms = s->histograms[i].t_ms,
            .name = keep(w, name_of(s)),
            .help = keep(w, s->help),
            .unit = keep(w, s->unit)};
        take_labels(w, s, &part);
        part.histogram = histogram_dup(h, &w->arena);
        if (part.histogram == NULL) {
            w->error = arena_error(&w->arena);
            return;
        }
        (void)add_part(w, &part);
    }
}

void otlp_writer_add(struct otlp_writer *w, const struct otlp_writer_series *s)
{
    if (w->error == 0 && s->sample_count > 0) {
        add_samples(w, s);
    }
    if (w->error == 0 && s->histogram_count > 0) {
        add_histograms(w, s);
    }
}

/* ---- Order ---- */

static int compare_resource(const struct otlp_part *a, const struct otlp_part *b)
{
    int order = str_cmp(a->job, b->job);
    return order != 0 ? order : str_cmp(a->instance, b->instance);
}

static int compare_metric(const struct otlp_part *a, const struct otlp_part *b)
{
    int order = compare_resource(a, b);
    order = order != 0 ? order : str_cmp(a->name, b->name);
    return order != 0 ? order : (a->shape > b->shape) - (a->shape < b->shape);
}

static int compare_point(const struct otlp_part *a, const struct otlp_part *b)
{
    int order = compare_metric(a, b);
    order = order != 0 ? order : str_cmp(a->attributes, b->attributes);
    return order != 0 ? order : (a->t_ms > b->t_ms) - (a->t_ms < b->t_ms);
}

static int compare_parts(const void *x, const void *y)
{
    const struct otlp_part *a = x, *b = y;
    int order = compare_point(a, b);
    order = order != 0 ? order : (a->role > b->role) - (a->role < b->role);
    return order != 0 ? order : (a->bound > b->bound) - (a->bound < b->bound);
}

/* Parts from `from` on that `compare` finds equal to the first. */
static size_t run_length(const struct otlp_writer *w, size_t from,
    int (*compare)(const struct otlp_part *a, const struct otlp_part *b))
{
    size_t n = 1;
    while (from + n < w->count && compare(&w->parts[from], &w->parts[from + n]) == 0) {
        n++;
    }
    return n;
}

/* ---- Writing ---- */

/* `from` as field `field` of `to`; what went wrong in it is kept, since it is reused. */
static void put_message(
    struct otlp_writer *w, struct strbuf *to, uint32_t field, const struct strbuf *from)
{
    w->error = w->error != 0 ? w->error : strbuf_error(from);
    protobuf_put_bytes(to, field, strbuf_str(from));
}

/* Metric{name 1, description 2, unit 3, …} of the parts from `from` on, into w->metrics. */
static size_t put_metric(struct otlp_writer *w, size_t from)
{
    const struct otlp_part *first = &w->parts[from];
    size_t count = run_length(w, from, compare_metric);
    strbuf_reset(&w->points);
    for (size_t i = 0; i < count;) {
        size_t parts = run_length(w, from + i, compare_point);
        bool plain = first->shape == OTLP_SHAPE_GAUGE || first->shape == OTLP_SHAPE_SUM;
        parts = plain || first->role == OTLP_ROLE_NATIVE ? 1 : parts;
        strbuf_reset(&w->point);
        otlp_put_point(&w->parts[from + i], parts, &w->attributes, &w->point);
        w->error = w->error != 0 ? w->error : strbuf_error(&w->attributes);
        put_message(w, &w->points, 1, &w->point);
        i += parts;
    }
    otlp_put_shape_fields(first->shape, &w->points);
    strbuf_reset(&w->metric);
    protobuf_put_bytes(&w->metric, 1, first->name);
    if (first->help.len > 0) {
        protobuf_put_bytes(&w->metric, 2, first->help);
    }
    if (first->unit.len > 0) {
        protobuf_put_bytes(&w->metric, 3, first->unit);
    }
    put_message(w, &w->metric, otlp_shape_field(first->shape), &w->points);
    put_message(w, &w->metrics, 2, &w->metric);
    return count;
}

/* ResourceMetrics{resource 1 {attributes 1}, scope_metrics 2 {metrics 2}} as field 1 of the message. */
static size_t put_resource(struct otlp_writer *w, size_t from, struct strbuf *out)
{
    const struct otlp_part *first = &w->parts[from];
    size_t count = run_length(w, from, compare_resource);
    strbuf_reset(&w->metrics);
    for (size_t i = 0; i < count;) {
        i += put_metric(w, from + i);
    }
    strbuf_reset(&w->metric);
    if (first->job.len > 0) {
        put_attribute(&w->metric, 1, STR("service.name"), first->job, &w->point);
    }
    if (first->instance.len > 0) {
        put_attribute(&w->metric, 1, STR("service.instance.id"), first->instance, &w->point);
    }
    w->error = w->error != 0 ? w->error : strbuf_error(&w->point);
    strbuf_reset(&w->resource);
    put_message(w, &w->resource, 1, &w->metric);
    put_message(w, &w->resource, 2, &w->metrics);
    put_message(w, out, 1, &w->resource);
    return count;
}

int otlp_writer_finish(struct otlp_writer *w, struct strbuf *out)
{
    if (w->error == 0 && w->count > 1) {
        qsort(w->parts, w->count, sizeof(*w->parts), compare_parts);
    }
    for (size_t i = 0; w->error == 0 && i < w->count;) {
        i += put_resource(w, i, out);
        const struct strbuf *all[] = {
            &w->attributes, &w->point, &w->points, &w->metric, &w->metrics, &w->resource, out};
        for (size_t k = 0; w->error == 0 && k < sizeof(all) / sizeof(all[0]); k++) {
            w->error = strbuf_error(all[k]);
        }
    }
    return w->error;
}
