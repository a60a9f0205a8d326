/* One record of a Prometheus log. */
#include "block/big_endian.h"
#include "block/prometheus_wal.h"

enum record_type {
    RECORD_SERIES = 1,
    RECORD_SAMPLES = 2,
    RECORD_TOMBSTONES = 3,
    RECORD_EXEMPLARS = 4,
    RECORD_MAPPED_CHUNKS = 5,
    RECORD_METADATA = 6,
    RECORD_HISTOGRAMS = 7,
    RECORD_FLOAT_HISTOGRAMS = 8,
    RECORD_CUSTOM_HISTOGRAMS = 9,
    RECORD_CUSTOM_FLOAT_HISTOGRAMS = 10,
    RECORD_MIN_VALID_TIME = 14,
};

struct record {
    struct decbuf d;
    const struct prometheus_wal_handler *handler;
    struct arena *arena;
    uint64_t reference; /* of the first; the others count from it */
    int64_t time;
};

static double get_double(struct decbuf *d)
{
    return double_from_bits(decbuf_be64(d));
}

/* Labels into the arena; *labels_out NULL when that fails. */
static int get_labels(struct record *r, const struct label **labels_out, size_t *count_out)
{
    uint64_t count = decbuf_uvarint(&r->d);
    if (count > LABELS_COUNT_MAX || count > decbuf_left(&r->d)) {
        return ERR_CORRUPT;
    }
    struct label *labels = arena_calloc(r->arena, (size_t)count + 1, sizeof(*labels));
    if (labels == NULL) {
        return arena_error(r->arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        labels[i].name = decbuf_sized(&r->d);
        labels[i].value = decbuf_sized(&r->d);
    }
    *labels_out = labels;
    *count_out = (size_t)count;
    return r->d.failed ? ERR_CORRUPT : 0;
}

static int read_series(struct record *r)
{
    const struct label *labels = NULL;
    size_t count = 0;
    uint64_t reference = decbuf_be64(&r->d);
    int status = get_labels(r, &labels, &count);
    if (status == 0 && r->handler->series != NULL) {
        status = r->handler->series(r->handler->context, reference, labels, count);
    }
    return status;
}

/* Reference and time of one of many. */
static void get_place(struct record *r, uint64_t *reference_out, int64_t *t_out)
{
    *reference_out = r->reference + (uint64_t)decbuf_svarint(&r->d);
    *t_out = (int64_t)((uint64_t)r->time + (uint64_t)decbuf_svarint(&r->d));
}

static int read_sample(struct record *r)
{
    uint64_t reference;
    int64_t t;
    get_place(r, &reference, &t);
    double value = get_double(&r->d);
    return r->d.failed || r->handler->sample == NULL
               ? 0
               : r->handler->sample(r->handler->context, reference, t, value);
}

static int read_exemplar(struct record *r)
{
    uint64_t reference;
    int64_t t;
    const struct label *labels = NULL;
    size_t count = 0;
    get_place(r, &reference, &t);
    double value = get_double(&r->d);
    int status = get_labels(r, &labels, &count);
    if (status == 0 && r->handler->exemplar != NULL) {
        status = r->handler->exemplar(r->handler->context, reference, t, value, labels, count);
    }
    return status;
}

static int read_tombstone(struct record *r)
{
    uint64_t reference = decbuf_be64(&r->d);
    int64_t min_t = decbuf_svarint(&r->d);
    int64_t max_t = decbuf_svarint(&r->d);
    return r->d.failed || r->handler->tombstone == NULL
               ? 0
               : r->handler->tombstone(r->handler->context, reference, min_t, max_t);
}

/* ---- Histograms ---- */

static int get_spans(struct record *r, struct histogram_buckets *side)
{
    uint64_t count = decbuf_uvarint(&r->d);
    if (count > HISTOGRAM_BUCKETS_MAX || count > decbuf_left(&r->d)) {
        return ERR_CORRUPT;
    }
    struct histogram_span *spans = arena_calloc(r->arena, (size_t)count + 1, sizeof(*spans));
    if (spans == NULL) {
        return arena_error(r->arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        spans[i].offset = (int32_t)decbuf_svarint(&r->d);
        spans[i].length = (uint32_t)decbuf_uvarint(&r->d);
    }
    side->spans = spans;
    side->span_count = (size_t)count;
    return 0;
}

static int get_counts(struct record *r, bool floats, struct histogram_buckets *side)
{
    uint64_t count = decbuf_uvarint(&r->d), sum = 0;
    if (count > HISTOGRAM_BUCKETS_MAX || count > decbuf_left(&r->d)) {
        return ERR_CORRUPT;
    }
    double *counts = arena_calloc(r->arena, (size_t)count + 1, sizeof(*counts));
    if (counts == NULL) {
        return arena_error(r->arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        sum += floats ? 0 : (uint64_t)decbuf_svarint(&r->d);
        counts[i] = floats ? get_double(&r->d) : (double)(int64_t)sum;
    }
    side->counts = counts;
    side->count = (size_t)count;
    return 0;
}

static int get_bounds(struct record *r, struct histogram *h)
{
    uint64_t count = decbuf_uvarint(&r->d);
    if (count > HISTOGRAM_BUCKETS_MAX || count > decbuf_left(&r->d)) {
        return ERR_CORRUPT;
    }
    double *bounds = arena_calloc(r->arena, (size_t)count + 1, sizeof(*bounds));
    if (bounds == NULL) {
        return arena_error(r->arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        bounds[i] = get_double(&r->d);
    }
    h->custom_values = bounds;
    h->custom_count = (size_t)count;
    return 0;
}

static int get_histogram(struct record *r, bool floats, struct histogram *h)
{
    *h = (struct histogram){.integer = !floats};
    h->reset_hint = (enum histogram_reset_hint)(decbuf_u8(&r->d) & 3);
    int64_t schema = decbuf_svarint(&r->d);
    if (schema < INT32_MIN || schema > INT32_MAX) {
        return ERR_CORRUPT;
    }
    h->schema = (int32_t)schema;
    h->zero_threshold = get_double(&r->d);
    h->zero_count = floats ? get_double(&r->d) : (double)decbuf_uvarint(&r->d);
    h->count = floats ? get_double(&r->d) : (double)decbuf_uvarint(&r->d);
    h->sum = get_double(&r->d);
    int status = get_spans(r, &h->positive);
    status = status == 0 ? get_spans(r, &h->negative) : status;
    status = status == 0 ? get_counts(r, floats, &h->positive) : status;
    status = status == 0 ? get_counts(r, floats, &h->negative) : status;
    if (status == 0 && h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        status = get_bounds(r, h);
    }
    return status == 0 && r->d.failed ? ERR_CORRUPT : status;
}

static int read_histogram(struct record *r, bool floats)
{
    uint64_t reference;
    int64_t t;
    struct histogram h;
    get_place(r, &reference, &t);
    int status = get_histogram(r, floats, &h);
    if (status == 0 && r->handler->histogram != NULL) {
        status = r->handler->histogram(r->handler->context, reference, t, &h);
    }
    return status;
}

static int read_integer_histogram(struct record *r)
{
    return read_histogram(r, false);
}

static int read_float_histogram(struct record *r)
{
    return read_histogram(r, true);
}

static int read_metadata(struct record *r)
{
    uint64_t reference = decbuf_uvarint(&r->d);
    unsigned type = decbuf_u8(&r->d);
    uint64_t fields = decbuf_uvarint(&r->d);
    struct str help = {NULL, 0}, unit = {NULL, 0};
    if (fields > decbuf_left(&r->d)) {
        return ERR_CORRUPT;
    }
    for (uint64_t i = 0; i < fields && !r->d.failed; i++) {
        struct str name = decbuf_sized(&r->d), text = decbuf_sized(&r->d);
        help = str_eq_c(name, "HELP") ? text : help;
        unit = str_eq_c(name, "UNIT") ? text : unit;
    }
    if (r->d.failed) {
        return ERR_CORRUPT;
    }
    enum metric_type known =
        type <= METRIC_TYPE_STATESET ? (enum metric_type)type : METRIC_TYPE_UNKNOWN;
    return r->handler->metadata != NULL
               ? r->handler->metadata(r->handler->context, reference, known, help, unit)
               : 0;
}

/* ---- The record ---- */

/* What one of the many in a record is read by, and whether they count from a first place. */
static int (*reader_of(unsigned type, bool *has_base_out))(struct record *r)
{
    *has_base_out = type != RECORD_SERIES && type != RECORD_TOMBSTONES && type != RECORD_METADATA;
    switch (type) {
    case RECORD_SERIES:
        return read_series;
    case RECORD_SAMPLES:
        return read_sample;
    case RECORD_TOMBSTONES:
        return read_tombstone;
    case RECORD_EXEMPLARS:
        return read_exemplar;
    case RECORD_METADATA:
        return read_metadata;
    case RECORD_HISTOGRAMS:
    case RECORD_CUSTOM_HISTOGRAMS:
        return read_integer_histogram;
    case RECORD_FLOAT_HISTOGRAMS:
    case RECORD_CUSTOM_FLOAT_HISTOGRAMS:
        return read_float_histogram;
    default:
        return NULL;
    }
}

int prometheus_wal_record(struct str record, const struct prometheus_wal_handler *handler,
    struct arena *arena, struct prometheus_wal_counts *counts)
{
    struct record r = {.d = decbuf_of(record.ptr, record.len), .handler = handler, .arena = arena};
    bool has_base = false;
    unsigned type = decbuf_u8(&r.d);
    int (*read)(struct record * r) = reader_of(type, &has_base);
    counts->records++;
    if (read == NULL) {
        counts->skipped += type != RECORD_MAPPED_CHUNKS && type != RECORD_MIN_VALID_TIME;
        return 0;
    }
    if (has_base && decbuf_left(&r.d) > 0) {
        r.reference = decbuf_be64(&r.d);
        r.time = (int64_t)decbuf_be64(&r.d);
    }
    int status = 0;
    while (status == 0 && !r.d.failed && decbuf_left(&r.d) > 0) {
        struct arena_mark mark = arena_mark(arena);
        status = read(&r);
        arena_rewind(arena, mark);
    }
    return status == 0 && r.d.failed ? ERR_CORRUPT : status;
}
