/* Reading the protobuf exposition format (prometheus/client_model, metrics.proto).
 *
 *   body            (length varint, MetricFamily) …
 *   MetricFamily    {name 1, help 2, type 3, metric 4, unit 5}
 *   Metric          {label 1 {name 1, value 2}, gauge 2, counter 3, summary 4, untyped 5,
 *                    timestamp_ms 6, histogram 7}
 *   Gauge, Counter, Untyped {value 1 double}
 *   Summary         {count 1, sum 2 double, quantile 3 {quantile 1, value 2 double}}
 *   Histogram       {count 1, sum 2 double, bucket 3 {cumulative_count 1, upper_bound 2 double,
 *                    cumulative_count_float 4}, count_float 4, schema 5 sint32, zero_threshold 6,
 *                    zero_count 7, zero_count_float 8, negative span 9, delta 10, count 11,
 *                    positive span 12, delta 13, count 14 (spans {offset 1 sint32, length 2},
 *                    deltas packed sint64, counts packed double)}
 *
 * Simple values, summaries and classic histograms are rewritten as lines of text, so that one parser,
 * one cache and one set of limits serve all formats. A histogram with spans, a zero threshold or a
 * zero count is native.
 */
#include <math.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "protobuf_wire.h"
#include "wire/exposition.h"

enum { HISTOGRAMS_MAX = 1 << 20, SPANS_MAX = 4096 };

enum family_type {
    TYPE_COUNTER,
    TYPE_GAUGE,
    TYPE_SUMMARY,
    TYPE_UNTYPED,
    TYPE_HISTOGRAM,
    TYPE_GAUGE_HISTOGRAM
};

struct reader {
    struct str body;
    bool classic;
    struct arena *arena;
    struct strbuf *text;
    struct exposition_histogram *histograms; /* the heap's until the end */
    size_t count, cap;
    struct str name; /* of the family */
    enum family_type type;
    struct label labels[EXPOSITION_LABELS_MAX];
    size_t label_count;
    int64_t t_ms; /* INT64_MIN: none */
};

static bool read_labels(struct reader *r, struct str metric)
{
    struct decbuf in = decbuf_of(metric.ptr, metric.len);
    struct protobuf_field f, g;
    r->label_count = 0;
    r->t_ms = INT64_MIN;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 6, PROTOBUF_VARINT)) {
            r->t_ms = (int64_t)f.value;
        }
        if (!protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            continue;
        }
        if (r->label_count == EXPOSITION_LABELS_MAX - 1) { /* one is kept for le */
            return false;
        }
        struct decbuf pair = decbuf_of(f.bytes.ptr, f.bytes.len);
        struct label *label = &r->labels[r->label_count++];
        *label = (struct label){STR(""), STR("")};
        while (protobuf_next(&pair, &g)) {
            if (protobuf_is(&g, 1, PROTOBUF_BYTES)) {
                label->name = g.bytes;
            } else if (protobuf_is(&g, 2, PROTOBUF_BYTES)) {
                label->value = g.bytes;
            }
        }
        if (pair.failed || !str_is_utf8(label->name) || !str_is_utf8(label->value)) {
            return false;
        }
    }
    return !in.failed;
}

/* One line: name and suffix, the metric's labels, and one more where `bound_name` is given. */
static int put_line(
    struct reader *r, const char *suffix, const char *bound_name, double bound, double value)
{
    struct strbuf bound_text = STRBUF_INIT;
    size_t count = r->label_count;
    size_t length = r->name.len + strlen(suffix);
    char *name = arena_alloc(r->arena, length + 1);
    if (name == NULL) {
        return arena_error(r->arena);
    }
    memcpy(name, r->name.ptr, r->name.len);
    memcpy(name + r->name.len, suffix, strlen(suffix) + 1);
    if (bound_name != NULL) {
        strbuf_add_double(&bound_text, bound);
        r->labels[count++] = (struct label){str_of(bound_name), strbuf_str(&bound_text)};
    }
    exposition_write_sample(r->text, str_make(name, length), r->labels, count, value, r->t_ms);
    int status = strbuf_error(&bound_text) != 0 ? strbuf_error(&bound_text) : strbuf_error(r->text);
    strbuf_release(&bound_text);
    return status;
}

/* Gauge, Counter, Untyped. */
static int read_simple(struct reader *r, struct str bytes)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    double value = 0;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_FIXED64)) {
            value = double_from_bits(f.value);
        }
    }
    return in.failed ? ERR_INVALID : put_line(r, "", NULL, 0, value);
}

/* Two doubles, or a count and a double: quantiles and buckets. */
static bool read_pair(struct str bytes, double *first_out, double *second_out)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    *first_out = *second_out = 0;
    while (protobuf_next(&in, &f)) {
        if (f.number == 1) {
            *first_out = f.type == PROTOBUF_VARINT ? (double)f.value : double_from_bits(f.value);
        } else if (protobuf_is(&f, 2, PROTOBUF_FIXED64)) {
            *second_out = double_from_bits(f.value);
        } else if (protobuf_is(&f, 4, PROTOBUF_FIXED64)) {
            *first_out = double_from_bits(f.value); /* cumulative_count_float */
        }
    }
    return !in.failed;
}

static int read_summary(struct reader *r, struct str bytes)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    double count = 0, sum = 0, quantile, value;
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            count = (double)f.value;
        } else if (protobuf_is(&f, 2, PROTOBUF_FIXED64)) {
            sum = double_from_bits(f.value);
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            status = read_pair(f.bytes, &quantile, &value)
                         ? put_line(r, "", "quantile", quantile, value)
                         : ERR_INVALID;
        }
    }
    status = in.failed ? ERR_INVALID : status;
    status = status == 0 ? put_line(r, "_sum", NULL, 0, sum) : status;
    return status == 0 ? put_line(r, "_count", NULL, 0, count) : status;
}

/* ---- Histograms ---- */

/* One side while it is read: a histogram has few spans, and its counts come packed or one by one. */
struct side {
    struct histogram_span *spans;
    double *counts;
    size_t span_count, span_cap, count, cap;
    int64_t running; /* sum of deltas */
};

static int add_span(struct side *s, struct str bytes)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    struct histogram_span span = {0, 0};
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            span.offset = (int32_t)zigzag_decode(f.value);
        } else if (protobuf_is(&f, 2, PROTOBUF_VARINT)) {
            span.length = (uint32_t)f.value;
        }
    }
    int status = in.failed ? ERR_INVALID
                           : mem_array_grow((void **)&s->spans, &s->span_cap, s->span_count + 1,
                                 sizeof(*s->spans), SPANS_MAX);
    if (status == 0) {
        s->spans[s->span_count++] = span;
    }
    return status;
}

static int add_count(struct side *s, double count)
{
    int status = mem_array_grow(
        (void **)&s->counts, &s->cap, s->count + 1, sizeof(*s->counts), HISTOGRAM_BUCKETS_MAX);
    if (status == 0) {
        s->counts[s->count++] = count;
    }
    return status;
}

static int add_delta(struct side *s, uint64_t coded)
{
    s->running = (int64_t)((uint64_t)s->running + (uint64_t)zigzag_decode(coded));
    return add_count(s, (double)s->running);
}

static int add_counts(struct side *s, const struct protobuf_field *f, bool deltas)
{
    struct decbuf in = decbuf_of(f->bytes.ptr, f->bytes.len);
    int status = 0;
    if (f->type != PROTOBUF_BYTES) {
        return deltas ? add_delta(s, f->value) : add_count(s, double_from_bits(f->value));
    }
    while (status == 0 && in.p < in.end && !in.failed) {
        status = deltas ? add_delta(s, protobuf_varint(&in))
                        : add_count(s, double_from_bits(decbuf_le64(&in)));
    }
    return in.failed ? ERR_INVALID : status;
}

struct histogram_parts {
    struct histogram h;
    struct side negative, positive;
    bool native;
};

static int read_histogram_field(struct histogram_parts *p, const struct protobuf_field *f)
{
    switch (f->number) {
    case 1:
        p->h.count = f->type == PROTOBUF_VARINT ? (double)f->value : p->h.count;
        return 0;
    case 2:
        p->h.sum = double_from_bits(f->value);
        return 0;
    case 4:
        p->h.count = double_from_bits(f->value);
        p->h.integer = p->h.integer && f->value == 0;
        return 0;
    case 5:
        p->h.schema = (int32_t)zigzag_decode(f->value);
        return 0;
    case 6:
        p->h.zero_threshold = double_from_bits(f->value);
        p->native = p->native || p->h.zero_threshold > 0;
        return 0;
    case 7:
        p->h.zero_count = (double)f->value;
        p->native = p->native || f->value > 0;
        return 0;
    case 8:
        p->h.zero_count = double_from_bits(f->value);
        p->native = p->native || p->h.zero_count > 0;
        return 0;
    case 9:
    case 12:
        p->native = true;
        return add_span(f->number == 9 ? &p->negative : &p->positive, f->bytes);
    case 10:
    case 13:
        return add_counts(f->number == 10 ? &p->negative : &p->positive, f, true);
    case 11:
    case 14:
        p->h.integer = false;
        return add_counts(f->number == 11 ? &p->negative : &p->positive, f, false);
    default:
        return 0;
    }
}

static struct histogram_buckets buckets_of(const struct side *s)
{
    return (struct histogram_buckets){s->spans, s->span_count, s->counts, s->count};
}

/* The text of the series, as a line of text would have it. */
static int series_text(struct reader *r, struct str *text_out)
{
    struct strbuf line;
    strbuf_init(&line, LABELS_BYTES_MAX * 2);
    exposition_write_sample(&line, r->name, r->labels, r->label_count, 0, INT64_MIN);
    int status = strbuf_error(&line);
    size_t length = line.size >= 3 ? line.size - 3 : 0; /* without " 0" and the end of the line */
    char *copy = status == 0 ? arena_strndup(r->arena, line.data, length) : NULL;
    strbuf_release(&line);
    *text_out = str_make(copy, length);
    return status != 0 ? status : copy == NULL ? arena_error(r->arena) : 0;
}

static int keep_native(struct reader *r, struct histogram_parts *p)
{
    struct exposition_histogram item = {
        .has_timestamp = r->t_ms != INT64_MIN, .t_ms = r->t_ms != INT64_MIN ? r->t_ms : 0};
    p->h.reset_hint = r->type == TYPE_GAUGE_HISTOGRAM ? HISTOGRAM_GAUGE : HISTOGRAM_RESET_UNKNOWN;
    p->h.negative = buckets_of(&p->negative);
    p->h.positive = buckets_of(&p->positive);
    int status = histogram_validate(&p->h, NULL);
    status = status == 0 ? series_text(r, &item.series_text) : status;
    if (status == 0) {
        item.histogram = histogram_dup(&p->h, r->arena);
        status = item.histogram == NULL ? arena_error(r->arena) : 0;
    }
    if (status == 0) {
        status = mem_array_grow(
            (void **)&r->histograms, &r->cap, r->count + 1, sizeof(*r->histograms), HISTOGRAMS_MAX);
    }
    if (status == 0) {
        r->histograms[r->count++] = item;
    }
    return status;
}

/* Classic buckets as lines; the one of +Inf is made where the sender left it to the count. */
static int put_classic(struct reader *r, struct str bytes, const struct histogram *h)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    double count, bound;
    bool infinite = false;
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            status = read_pair(f.bytes, &count, &bound) ? put_line(r, "_bucket", "le", bound, count)
                                                        : ERR_INVALID;
            infinite = infinite || isinf(bound);
        }
    }
    if (status == 0 && !infinite) {
        status = put_line(r, "_bucket", "le", (double)INFINITY, h->count);
    }
    status = status == 0 ? put_line(r, "_sum", NULL, 0, h->sum) : status;
    return status == 0 ? put_line(r, "_count", NULL, 0, h->count) : status;
}

static int read_histogram(struct reader *r, struct str bytes)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    struct histogram_parts parts = {.h.integer = true};
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        status = read_histogram_field(&parts, &f);
    }
    status = in.failed ? ERR_INVALID : status;
    if (status == 0 && parts.native) {
        status = keep_native(r, &parts);
    }
    if (status == 0 && (!parts.native || r->classic)) {
        status = put_classic(r, bytes, &parts.h);
    }
    mem_free(parts.negative.spans);
    mem_free(parts.negative.counts);
    mem_free(parts.positive.spans);
    mem_free(parts.positive.counts);
    return status;
}

/* ---- Families ---- */

static int read_metric(struct reader *r, struct str metric)
{
    struct decbuf in = decbuf_of(metric.ptr, metric.len);
    struct protobuf_field f;
    int status = read_labels(r, metric) ? 0 : ERR_INVALID;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (f.type != PROTOBUF_BYTES) {
            continue;
        }
        if (f.number == 2 || f.number == 3 || f.number == 5) {
            status = read_simple(r, f.bytes);
        } else if (f.number == 4) {
            status = read_summary(r, f.bytes);
        } else if (f.number == 7) {
            status = read_histogram(r, f.bytes);
        }
    }
    return in.failed ? ERR_INVALID : status;
}

static int read_family(struct reader *r, struct str family)
{
    static const enum metric_type types[] = {METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE,
        METRIC_TYPE_SUMMARY, METRIC_TYPE_UNKNOWN, METRIC_TYPE_HISTOGRAM,
        METRIC_TYPE_GAUGE_HISTOGRAM};
    struct decbuf in = decbuf_of(family.ptr, family.len);
    struct protobuf_field f;
    struct str help = STR("");
    r->name = STR("");
    r->type = TYPE_COUNTER; /* the zero of the enum: left out on the wire */
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            r->name = f.bytes;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            help = f.bytes;
        } else if (protobuf_is(&f, 3, PROTOBUF_VARINT)) {
            r->type = f.value <= TYPE_GAUGE_HISTOGRAM ? (enum family_type)f.value : TYPE_UNTYPED;
        }
    }
    if (in.failed || r->name.len == 0 || !str_is_utf8(r->name) || !str_is_utf8(help)) {
        return ERR_INVALID;
    }
    if (help.len > 0) {
        exposition_write_help(r->text, r->name, help);
    }
    exposition_write_type(r->text, r->name, types[r->type]);
    in = decbuf_of(family.ptr, family.len);
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 4, PROTOBUF_BYTES)) {
            status = read_metric(r, f.bytes);
        }
    }
    return status;
}

int exposition_read_protobuf(struct str body, bool classic, struct arena *arena,
    struct strbuf *text_out, struct exposition_histograms *histograms_out, struct err *e)
{
    struct reader r = {.body = body, .classic = classic, .arena = arena, .text = text_out};
    struct decbuf in = decbuf_of(body.ptr, body.len);
    int status = 0;
    size_t offset = 0;
    while (status == 0 && in.p < in.end) {
        offset = (size_t)(in.p - (const uint8_t *)body.ptr);
        struct str family = decbuf_bytes(&in, protobuf_varint(&in));
        status = in.failed ? ERR_INVALID : read_family(&r, family);
    }
    status = status == 0 ? strbuf_error(text_out) : status;
    if (status == 0) {
        const struct exposition_histogram *kept =
            arena_dup(arena, r.histograms, r.count * sizeof(*r.histograms));
        status = kept == NULL && r.count > 0 ? arena_error(arena) : 0;
        *histograms_out = (struct exposition_histograms){kept, r.count};
    }
    mem_free(r.histograms);
    if (status == 0) {
        return 0;
    }
    return err_set(e, status, (int64_t)offset, "the metric family at byte %zu cannot be read: %s",
        offset, status == ERR_INVALID ? "it is malformed" : err_text(status));
}
