/* Remote write 2.0, reading.
 *
 * Two passes over the top of the message: the first collects the symbols and hashes each once, the
 * second hands out the series. A series is known by the hashes of its symbols in the order of its
 * references: sixteen bytes a symbol, gathered from the table, are its key, so that indexes may differ
 * from message to message, and the labels of a series that the store has seen are never looked at.
 *
 * Everything else is as in 1.0: samples in the form that senders write are taken in one step, arrays
 * are reused from series to series.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "remote_write_decoder.h"

/* Field numbers of Request and TimeSeries. */
enum { FIELD_SYMBOLS = 4, FIELD_TIMESERIES = 5 };
enum {
    FIELD_REFS = 1,
    FIELD_SAMPLES = 2,
    FIELD_HISTOGRAMS = 3,
    FIELD_EXEMPLARS = 4,
    FIELD_METADATA = 5
};

/* Room for the references of most series is there from the begin. */
enum { REFERENCES_FIRST = 256, REFERENCES_MAX = 2 * LABELS_COUNT_MAX, EXEMPLAR_LABELS_MAX = 32 };

/* ---- Symbols ---- */

static int grow_symbols(struct remote_write_decoder *d)
{
    int status = mem_array_grow((void **)&d->symbols, &d->symbol_cap, d->symbol_count + 1,
        sizeof(*d->symbols), REMOTE_WRITE2_SYMBOLS_MAX);
    return status != 0 ? status
                       : mem_array_grow((void **)&d->hashes, &d->hash_cap, d->symbol_cap,
                             sizeof(*d->hashes), REMOTE_WRITE2_SYMBOLS_MAX);
}

static int add_symbol(struct remote_write_decoder *d, struct str text, uint64_t seed)
{
    int status = d->symbol_count == d->symbol_cap ? grow_symbols(d) : 0;
    if (status == 0) {
        d->hashes[d->symbol_count] = hash128(text.ptr, text.len, seed);
        d->symbols[d->symbol_count++] = (struct remote_write_symbol){.text = text};
    }
    return status;
}

/* They may stand anywhere in the message; as every sender writes them in front, the second pass begins where
 * the first series stands. */
static int collect_symbols(
    struct remote_write_decoder *d, struct str message, uint64_t seed, struct err *e)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    const uint8_t *begin = in.p, *first = NULL;
    while (protobuf_next(&in, &f)) {
        if (f.number < FIELD_SYMBOLS) {
            return err_set(e, ERR_CORRUPT, 0,
                "malformed remote-write message: it has fields of remote write 1.0");
        }
        if (f.number != FIELD_SYMBOLS) {
            first = first == NULL ? begin : first;
            begin = in.p;
            continue;
        }
        begin = in.p;
        if (f.type != PROTOBUF_BYTES) {
            in.failed = true;
            break;
        }
        int status = add_symbol(d, f.bytes, seed);
        if (status != 0) {
            return err_set(e, status, -1, "more than %zu symbols in one message: %s",
                REMOTE_WRITE2_SYMBOLS_MAX, err_text(status));
        }
    }
    if (in.failed) {
        size_t at = (size_t)(in.p - (const uint8_t *)message.ptr);
        return err_set(e, ERR_CORRUPT, (int64_t)at,
            "malformed remote-write message: broken field before byte %zu", at);
    }
    d->in.p = first != NULL ? first : d->in.end;
    return 0;
}

int remote_write2_decoder_new(struct str message, uint64_t key_seed, struct arena *arena,
    struct remote_write_decoder **decoder_out, struct err *e)
{
    struct remote_write_decoder *d;
    int status = remote_write_decoder_new(message, arena, &d);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    d->by_reference = true;
    status = mem_array_grow((void **)&d->references, &d->reference_cap, REFERENCES_FIRST,
        sizeof(*d->references), REFERENCES_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    status = collect_symbols(d, message, key_seed, e);
    if (status == 0) {
        *decoder_out = d;
    }
    return status;
}

/* Reference 0 is the empty text, whatever stands there. */
static bool optional_text(
    const struct remote_write_decoder *d, uint64_t reference, struct str *text_out)
{
    *text_out = STR("");
    if (reference >= d->symbol_count) {
        return reference == 0;
    }
    if (reference > 0) {
        *text_out = d->symbols[reference].text;
    }
    return true;
}

/* ---- References ---- */

static void blame(struct remote_write_decoder *d, enum reference_fault fault, uint64_t reference)
{
    if (d->fault == REFERENCES_GOOD) {
        d->fault = fault;
        d->faulty_reference = reference > UINT32_MAX ? UINT32_MAX : (uint32_t)reference;
    }
}

/* A fault is the series' alone: it is noted, and the message goes on. */
static int add_reference(struct remote_write_decoder *d, uint64_t reference)
{
    if (reference >= d->symbol_count) {
        blame(d, REFERENCES_OUTSIDE, reference);
        return 0;
    }
    if (d->reference_count == d->reference_cap) {
        int status = mem_array_grow((void **)&d->references, &d->reference_cap,
            d->reference_count + 1, sizeof(*d->references), REFERENCES_MAX);
        if (status == ERR_LIMIT) {
            blame(d, REFERENCES_TOO_MANY, 0);
            return 0;
        }
        if (status != 0) {
            return status;
        }
    }
    d->references[d->reference_count++] = (uint32_t)reference;
    return 0;
}

/* A packed run with room for all of it: a reference is a byte at least. What is not in order is left to
 * the general way. */
static bool take_plain_references(struct remote_write_decoder *d, struct str run)
{
    const uint8_t *p = (const uint8_t *)run.ptr, *end = p + run.len;
    uint32_t *out = d->references + d->reference_count;
    while (p < end) {
        uint32_t reference = *p++;
        for (unsigned shift = 7; reference >> shift & 1; shift += 7) {
            if (p == end || shift > 14) {
                return false;
            }
            reference = (reference & ~(UINT32_C(1) << shift)) | (uint32_t)*p++ << shift;
        }
        if (reference >= d->symbol_count) {
            return false;
        }
        *out++ = reference;
    }
    d->reference_count = (size_t)(out - d->references);
    return true;
}

/* A packed run, or a single one. */
static int add_references(struct remote_write_decoder *d, const struct protobuf_field *f)
{
    if (f->type == PROTOBUF_VARINT) {
        return add_reference(d, f->value);
    }
    if (f->type != PROTOBUF_BYTES) {
        return ERR_CORRUPT;
    }
    size_t room = d->reference_count + f->bytes.len;
    if (room <= d->reference_cap && take_plain_references(d, f->bytes)) {
        return 0;
    }
    struct decbuf in = decbuf_of(f->bytes.ptr, f->bytes.len);
    int status = 0;
    while (status == 0 && in.p < in.end) {
        status = add_reference(d, protobuf_varint(&in));
    }
    return in.failed ? ERR_CORRUPT : status;
}

/* Gathers the hashes of the references. */
static int make_key(struct remote_write_decoder *d, struct remote_write_item *item)
{
    if (d->reference_count % 2 != 0) {
        blame(d, REFERENCES_ODD, 0);
    }
    item->label_count = d->reference_count / 2;
    if (d->fault != REFERENCES_GOOD || d->reference_count == 0) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&d->key, &d->key_cap, d->reference_count, sizeof(*d->key), REFERENCES_MAX);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < d->reference_count; i++) {
        d->key[i] = d->hashes[d->references[i]];
    }
    item->labels_bytes = str_make((const char *)d->key, d->reference_count * sizeof(*d->key));
    return 0;
}

static int complain(
    const struct remote_write_decoder *d, const struct remote_write_item *item, struct err *e)
{
    switch (d->fault) {
    case REFERENCES_ODD:
        return err_set(e, ERR_INVALID, (int64_t)item->offset,
            "series at byte %zu: an odd number of label references", item->offset);
    case REFERENCES_OUTSIDE:
        return err_set(e, ERR_INVALID, (int64_t)item->offset,
            "series at byte %zu: label reference %u is outside of the %zu symbols", item->offset,
            d->faulty_reference, d->symbol_count);
    default:
        return err_set(e, ERR_INVALID, (int64_t)item->offset,
            "series at byte %zu: more than %d labels", item->offset, LABELS_COUNT_MAX);
    }
}

int remote_write2_labels(
    struct remote_write_decoder *d, struct remote_write_item *item, struct err *e)
{
    if (d->fault != REFERENCES_GOOD) {
        return complain(d, item, e);
    }
    size_t count = d->reference_count / 2;
    for (size_t i = 0; i < count; i++) {
        d->labels[i] = (struct label){
            d->symbols[d->references[2 * i]].text, d->symbols[d->references[2 * i + 1]].text};
    }
    int status = remote_write_check_labels(d->labels, &count, e);
    if (status != 0) {
        err_prefix(e, "series at byte %zu", item->offset);
        return status;
    }
    item->labels = d->labels;
    item->label_count = count;
    return 0;
}

/* ---- Exemplars ---- */

/* The text of both symbols of each pair; an exemplar that refers to nothing has no labels. */
static int exemplar_labels(struct remote_write_decoder *d, const uint32_t *references, size_t count,
    struct remote_write_exemplar *exemplar_out)
{
    struct label pairs[EXEMPLAR_LABELS_MAX];
    for (size_t i = 0; i < count / 2; i++) {
        if (references[2 * i] >= d->symbol_count || references[2 * i + 1] >= d->symbol_count) {
            return ERR_CORRUPT;
        }
        pairs[i] = (struct label){
            d->symbols[references[2 * i]].text, d->symbols[references[2 * i + 1]].text};
    }
    exemplar_out->labels = arena_dup(&d->scratch, pairs, count / 2 * sizeof(pairs[0]));
    exemplar_out->label_count = count / 2;
    return exemplar_out->labels == NULL ? arena_error(&d->scratch) : 0;
}

static bool take_exemplar_references(
    const struct protobuf_field *f, uint32_t *references, size_t *count)
{
    struct decbuf in = decbuf_of(f->bytes.ptr, f->bytes.len);
    while (in.p < in.end) {
        uint64_t reference = protobuf_varint(&in);
        if (in.failed || *count == 2 * EXEMPLAR_LABELS_MAX || reference > UINT32_MAX) {
            return false;
        }
        references[(*count)++] = (uint32_t)reference;
    }
    return true;
}

static int add_exemplar(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item)
{
    uint32_t references[2 * EXEMPLAR_LABELS_MAX];
    size_t count = 0;
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    struct remote_write_exemplar exemplar = {0};
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            if (count == 2 * EXEMPLAR_LABELS_MAX || f.value > UINT32_MAX) {
                return ERR_CORRUPT;
            }
            references[count++] = (uint32_t)f.value;
        } else if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            if (!take_exemplar_references(&f, references, &count)) {
                return ERR_CORRUPT;
            }
        } else if (protobuf_is(&f, 2, PROTOBUF_FIXED64)) {
            exemplar.value = double_from_bits(f.value);
        } else if (protobuf_is(&f, 3, PROTOBUF_VARINT)) {
            exemplar.t_ms = (int64_t)f.value;
        } else if (f.number <= 3) {
            return ERR_CORRUPT;
        }
    }
    int status;
    struct remote_write_exemplar *room = remote_write_new_exemplar(d, item, &status);
    if (room == NULL) {
        return status;
    }
    *room = exemplar;
    return in.failed || count % 2 != 0 ? ERR_CORRUPT : exemplar_labels(d, references, count, room);
}

/* ---- Metadata ---- */

/* The name under which metadata are kept: series of histograms and summaries share one. */
static struct str family_of(struct str metric, enum metric_type type)
{
    static const struct str suffixes[] = {STR("_bucket"), STR("_count"), STR("_sum")};
    bool histogram = type == METRIC_TYPE_HISTOGRAM || type == METRIC_TYPE_GAUGE_HISTOGRAM;
    if (!histogram && type != METRIC_TYPE_SUMMARY) {
        return metric;
    }
    for (size_t i = histogram ? 0 : 1; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (metric.len > suffixes[i].len && str_ends_with(metric, suffixes[i])) {
            return str_make(metric.ptr, metric.len - suffixes[i].len);
        }
    }
    return metric;
}

/* The symbol of the series' name; NULL when it has none. */
static struct remote_write_symbol *name_symbol(struct remote_write_decoder *d)
{
    for (size_t i = 0; i + 1 < d->reference_count; i += 2) {
        if (str_eq(d->symbols[d->references[i]].text, STR(LABEL_METRIC_NAME))) {
            return &d->symbols[d->references[i + 1]];
        }
    }
    return NULL;
}

/* Metadata{type 1, help_ref 3, unit_ref 4}; hands out what this name has not had in this message. */
static int take_metadata(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item)
{
    uint64_t type = 0, help = 0, unit = 0;
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        if (f.number == 1 || f.number == 3 || f.number == 4) {
            if (f.type != PROTOBUF_VARINT) {
                return ERR_CORRUPT;
            }
            *(f.number == 1 ? &type : f.number == 3 ? &help : &unit) = f.value;
        }
    }
    struct remote_write_symbol *name = d->fault == REFERENCES_GOOD ? name_symbol(d) : NULL;
    if (in.failed || !optional_text(d, help, &item->help) || !optional_text(d, unit, &item->unit)) {
        return ERR_CORRUPT;
    }
    uint64_t mark = hash_mix64(type << 56 ^ help << 28 ^ unit) | 1;
    if (name == NULL || (type | help | unit) == 0 || name->metadata_mark == mark) {
        return 0;
    }
    name->metadata_mark = mark;
    item->has_metadata = true;
    item->type = type <= METRIC_TYPE_STATESET ? (enum metric_type)type : METRIC_TYPE_UNKNOWN;
    item->metric_family = family_of(name->text, item->type);
    return 0;
}

/* ---- Series ---- */

static int take_field(struct remote_write_decoder *d, const struct protobuf_field *f,
    struct remote_write_item *item, struct str *metadata_out)
{
    if (f->number == FIELD_REFS) {
        return add_references(d, f);
    }
    if (f->number > FIELD_METADATA) {
        return 0; /* a field of a later version */
    }
    if (f->type != PROTOBUF_BYTES) {
        return ERR_CORRUPT;
    }
    switch (f->number) {
    case FIELD_SAMPLES:
        return remote_write_add_sample(d, f->bytes, item);
    case FIELD_HISTOGRAMS:
        return remote_write_add_histogram(d, f->bytes, item);
    case FIELD_EXEMPLARS:
        return add_exemplar(d, f->bytes, item);
    default:
        *metadata_out = f->bytes;
        return 0;
    }
}

static int decode_series(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item, struct err *e)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    struct str metadata = {NULL, 0};
    int status = 0;
    d->reference_count = 0;
    d->fault = REFERENCES_GOOD;
    while (status == 0 && protobuf_next(&in, &f)) {
        status = take_field(d, &f, item, &metadata);
        if (status == 0) {
            status = remote_write_take_plain_samples(d, &in, item);
        }
    }
    if (status == 0) {
        status = make_key(d, item);
    }
    if (status == 0 && metadata.ptr != NULL) {
        status = take_metadata(d, metadata, item);
    }
    item->samples = d->samples;
    item->histograms = d->histograms;
    item->exemplars = d->exemplars;
    return remote_write_series_status(item, status, in.failed, e);
}

int remote_write2_next(
    struct remote_write_decoder *d, struct remote_write_item *item_out, struct err *e)
{
    struct protobuf_field f;
    for (;;) {
        remote_write_begin_item(item_out, (size_t)(d->in.p - d->begin));
        if (!protobuf_next(&d->in, &f)) {
            assert(!d->in.failed); /* the pass for symbols went over all of it */
            return 0;
        }
        if (f.number != FIELD_TIMESERIES) {
            continue; /* symbols, or a field of a later version */
        }
        if (f.type != PROTOBUF_BYTES) {
            return remote_write_malformed(e, item_out, "field of the wrong type");
        }
        item_out->kind = REMOTE_WRITE_SERIES;
        int status = decode_series(d, f.bytes, item_out, e);
        return status != 0 ? status : 1;
    }
}
