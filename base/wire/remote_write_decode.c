/* Remote write 1.0, reading.
 *
 * One pass over each TimeSeries: samples are decoded, labels only located. When the label fields
 * stand in one run, as every sender writes them, their bytes are handed out as a key; a store that
 * has seen the key before never looks inside. Arrays are reused from series to series and grow to the
 * largest; histograms and exemplars, which are rare, take memory from a small arena of their own that
 * is rewound at each item.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "remote_write_decoder.h"
#include "remote_write_histogram.h"

/* Of one series in one message. */
enum { SAMPLES_MAX = 1 << 20, HISTOGRAMS_MAX = 1 << 16, EXEMPLARS_MAX = 1 << 16 };

/* First bytes of the fields of the hot way: number << 3 | wire type. */
enum { LABEL_KEY = 0x0a, SAMPLE_KEY = 0x12, SAMPLE_VALUE_KEY = 0x09, SAMPLE_TIME_KEY = 0x10 };

static void decoder_release(void *object)
{
    struct remote_write_decoder *d = object;
    arena_release(&d->scratch);
    mem_free(d->samples);
    mem_free(d->labels);
    mem_free(d->histograms);
    mem_free(d->exemplars);
    mem_free(d->symbols);
    mem_free(d->hashes);
    mem_free(d->references);
    mem_free(d->key);
}

int remote_write_decoder_new(
    struct str message, struct arena *arena, struct remote_write_decoder **decoder_out)
{
    if (message.len > REMOTE_WRITE_MESSAGE_MAX) {
        return ERR_LIMIT;
    }
    struct remote_write_decoder *d = arena_calloc(arena, 1, sizeof(*d));
    if (d == NULL) {
        return arena_error(arena);
    }
    d->begin = (const uint8_t *)message.ptr;
    d->in = decbuf_of(message.ptr, message.len);
    d->arena = arena;
    arena_init(&d->scratch, REMOTE_WRITE_MESSAGE_MAX);
    int status = arena_on_release(arena, decoder_release, d);
    if (status == 0) {
        *decoder_out = d;
    }
    return status;
}

int remote_write_malformed(struct err *e, const struct remote_write_item *item, const char *what)
{
    return err_set(e, ERR_CORRUPT, (int64_t)item->offset,
        "malformed remote-write message: %s in the item at byte %zu", what, item->offset);
}

/* Sample{value 1 double, timestamp 2 int64}. */
static bool decode_sample(struct str bytes, struct sample *sample_out)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    *sample_out = (struct sample){0, 0};
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_FIXED64)) {
            sample_out->value = double_from_bits(f.value);
        } else if (protobuf_is(&f, 2, PROTOBUF_VARINT)) {
            sample_out->t_ms = (int64_t)f.value;
        } else if (f.number <= 2) {
            return false;
        }
    }
    return !in.failed;
}

/* Label{name 1, value 2}. */
static bool decode_label(struct str bytes, struct label *label_out)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    *label_out = (struct label){STR(""), STR("")};
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            label_out->name = f.bytes;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            label_out->value = f.bytes;
        } else if (f.number <= 2) {
            return false;
        }
    }
    return !in.failed;
}

/* Exemplar{labels 1, value 2, timestamp 3}. */
static int decode_exemplar(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_exemplar *exemplar_out)
{
    struct label pairs[32];
    size_t count = 0;
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    *exemplar_out = (struct remote_write_exemplar){0};
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            if (count == sizeof(pairs) / sizeof(pairs[0])) {
                return ERR_LIMIT;
            }
            if (!decode_label(f.bytes, &pairs[count++])) {
                return ERR_CORRUPT;
            }
        } else if (protobuf_is(&f, 2, PROTOBUF_FIXED64)) {
            exemplar_out->value = double_from_bits(f.value);
        } else if (protobuf_is(&f, 3, PROTOBUF_VARINT)) {
            exemplar_out->t_ms = (int64_t)f.value;
        } else if (f.number <= 3) {
            return ERR_CORRUPT;
        }
    }
    exemplar_out->labels = arena_dup(&d->scratch, pairs, count * sizeof(pairs[0]));
    exemplar_out->label_count = count;
    return in.failed ? ERR_CORRUPT : exemplar_out->labels == NULL ? arena_error(&d->scratch) : 0;
}

int remote_write_add_sample(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item)
{
    if (item->sample_count == d->sample_cap) {
        int status = mem_array_grow((void **)&d->samples, &d->sample_cap, item->sample_count + 1,
            sizeof(*d->samples), SAMPLES_MAX);
        if (status != 0) {
            return status;
        }
    }
    return decode_sample(bytes, &d->samples[item->sample_count++]) ? 0 : ERR_CORRUPT;
}

int remote_write_add_histogram(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item)
{
    int status = mem_array_grow((void **)&d->histograms, &d->histogram_cap,
        item->histogram_count + 1, sizeof(*d->histograms), HISTOGRAMS_MAX);
    if (status != 0) {
        return status;
    }
    return remote_write_decode_histogram(
        bytes, &d->scratch, &d->histograms[item->histogram_count++]);
}

struct remote_write_exemplar *remote_write_new_exemplar(
    struct remote_write_decoder *d, struct remote_write_item *item, int *status_out)
{
    *status_out = mem_array_grow((void **)&d->exemplars, &d->exemplar_cap, item->exemplar_count + 1,
        sizeof(*d->exemplars), EXEMPLARS_MAX);
    return *status_out == 0 ? &d->exemplars[item->exemplar_count++] : NULL;
}

static int add_exemplar(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item)
{
    int status;
    struct remote_write_exemplar *exemplar = remote_write_new_exemplar(d, item, &status);
    return exemplar != NULL ? decode_exemplar(d, bytes, exemplar) : status;
}

/* Extends the run of label bytes, or gives the key up when labels are scattered. */
static void locate_label(
    struct remote_write_item *item, const char *field_begin, const char *field_end)
{
    if (item->label_count == 0) {
        item->labels_bytes = str_make(field_begin, (size_t)(field_end - field_begin));
    } else if (item->labels_bytes.ptr != NULL &&
               item->labels_bytes.ptr + item->labels_bytes.len == field_begin) {
        item->labels_bytes.len += (size_t)(field_end - field_begin);
    } else {
        item->labels_bytes = str_make(NULL, 0);
    }
    item->label_count++;
}

/* What senders write: labels first, in one run, each shorter than 128 bytes. Takes what is so; anything
 * else is left to the general loop. */
static void take_label_run(struct decbuf *in, struct remote_write_item *item)
{
    const uint8_t *p = in->p;
    while (in->end - p >= 2 && p[0] == LABEL_KEY && p[1] < 0x80 && in->end - p - 2 >= p[1]) {
        p += 2 + p[1];
        item->label_count++;
    }
    if (item->label_count > 0) {
        item->labels_bytes = str_make((const char *)in->p, (size_t)(p - in->p));
        in->p = p;
    }
}

/* A varint that ends exactly at `end`, of at most ten bytes. */
static bool read_whole_varint(const uint8_t *p, const uint8_t *end, uint64_t *value_out)
{
    uint64_t value = 0;
    if (end == p || end - p > 10 || end[-1] >= 0x80 || (end - p == 10 && end[-1] > 1)) {
        return false;
    }
    for (unsigned shift = 0; p < end; shift += 7, p++) {
        if (p + 1 < end && *p < 0x80) {
            return false;
        }
        value |= (uint64_t)(*p & 0x7f) << shift;
    }
    *value_out = value;
    return true;
}

/* A sample as senders write it: value, then time; a value or time of zero is not there. False, and
 * nothing is taken, for any other form. */
static bool take_plain_sample(struct decbuf *in, struct sample *sample_out)
{
    const uint8_t *p = in->p;
    if (in->end - p < 2 || p[0] != SAMPLE_KEY || p[1] >= 0x80 || in->end - p - 2 < p[1]) {
        return false;
    }
    const uint8_t *end = p + 2 + p[1];
    uint64_t bits = 0, time = 0;
    p += 2;
    if (end - p >= 9 && *p == SAMPLE_VALUE_KEY) {
        bits = get_le64(p + 1);
        p += 9;
    }
    if (end - p >= 2 && *p == SAMPLE_TIME_KEY && read_whole_varint(p + 1, end, &time)) {
        p = end;
    }
    if (p != end) {
        return false;
    }
    *sample_out = (struct sample){.t_ms = (int64_t)time, .value = double_from_bits(bits)};
    in->p = end;
    return true;
}

int remote_write_take_plain_samples(
    struct remote_write_decoder *d, struct decbuf *in, struct remote_write_item *item)
{
    for (;;) {
        if (item->sample_count == d->sample_cap) {
            int status = mem_array_grow((void **)&d->samples, &d->sample_cap,
                item->sample_count + 1, sizeof(*d->samples), SAMPLES_MAX);
            if (status != 0) {
                return status;
            }
        }
        if (!take_plain_sample(in, &d->samples[item->sample_count])) {
            return 0;
        }
        item->sample_count++;
    }
}

int remote_write_series_status(
    const struct remote_write_item *item, int status, bool cut_short, struct err *e)
{
    if (status == ERR_CORRUPT || cut_short) {
        return remote_write_malformed(e, item, "broken time series");
    }
    if (status != 0) {
        return err_set(e, status, (int64_t)item->offset,
            "the time series at byte %zu is too large: %s", item->offset, err_text(status));
    }
    return 0;
}

static int decode_series(
    struct remote_write_decoder *d, struct remote_write_item *item, struct err *e)
{
    struct decbuf in = decbuf_of(d->series.ptr, d->series.len);
    struct protobuf_field f;
    take_label_run(&in, item);
    int status = remote_write_take_plain_samples(d, &in, item);
    const uint8_t *field_begin = in.p;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            locate_label(item, (const char *)field_begin, (const char *)in.p);
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            status = remote_write_add_sample(d, f.bytes, item);
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            status = add_exemplar(d, f.bytes, item);
        } else if (protobuf_is(&f, 4, PROTOBUF_BYTES)) {
            status = remote_write_add_histogram(d, f.bytes, item);
        } else if (f.number <= 4) {
            status = ERR_CORRUPT;
        }
        field_begin = in.p;
    }
    item->samples = d->samples;
    item->histograms = d->histograms;
    item->exemplars = d->exemplars;
    return remote_write_series_status(item, status, in.failed, e);
}

/* MetricMetadata{type 1, metric_family_name 2, help 4, unit 5}. */
static int decode_metadata(struct str bytes, struct remote_write_item *item, struct err *e)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    item->has_metadata = true;
    item->type = METRIC_TYPE_UNKNOWN;
    item->metric_family = item->help = item->unit = STR("");
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            item->type =
                f.value <= METRIC_TYPE_STATESET ? (enum metric_type)f.value : METRIC_TYPE_UNKNOWN;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            item->metric_family = f.bytes;
        } else if (protobuf_is(&f, 4, PROTOBUF_BYTES)) {
            item->help = f.bytes;
        } else if (protobuf_is(&f, 5, PROTOBUF_BYTES)) {
            item->unit = f.bytes;
        }
    }
    return in.failed ? remote_write_malformed(e, item, "broken metadata") : 0;
}

/* Field by field: zeroing the whole item costs as much as decoding a series of one sample. What belongs
 * to metadata is set by decode_metadata. */
void remote_write_begin_item(struct remote_write_item *item, size_t offset)
{
    item->labels_bytes = str_make(NULL, 0);
    item->labels = NULL;
    item->label_count = 0;
    item->sample_count = 0;
    item->histogram_count = 0;
    item->exemplar_count = 0;
    item->has_metadata = false;
    item->offset = offset;
}

int remote_write_next(
    struct remote_write_decoder *d, struct remote_write_item *item_out, struct err *e)
{
    struct protobuf_field f;
    if (d->scratch.used > 0) {
        arena_release(&d->scratch);
    }
    if (d->by_reference) {
        return remote_write2_next(d, item_out, e);
    }
    for (;;) {
        remote_write_begin_item(item_out, (size_t)(d->in.p - d->begin));
        if (!protobuf_next(&d->in, &f)) {
            return d->in.failed ? remote_write_malformed(e, item_out, "broken field") : 0;
        }
        int status = 0;
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            item_out->kind = REMOTE_WRITE_SERIES;
            d->series = f.bytes;
            status = decode_series(d, item_out, e);
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            item_out->kind = REMOTE_WRITE_METADATA;
            status = decode_metadata(f.bytes, item_out, e);
        } else if (f.number == 1 || f.number == 3) {
            return remote_write_malformed(e, item_out, "field of the wrong type");
        } else {
            continue; /* a field of a later version */
        }
        return status != 0 ? status : 1;
    }
}

/* ---- Labels, on demand ---- */

int remote_write_decode_labels(
    struct str labels_bytes, struct label *labels, size_t cap, size_t *count_out)
{
    struct decbuf in = decbuf_of(labels_bytes.ptr, labels_bytes.len);
    struct protobuf_field f;
    size_t count = 0;
    while (protobuf_next(&in, &f)) {
        if (count == cap) {
            return ERR_LIMIT;
        }
        if (!protobuf_is(&f, 1, PROTOBUF_BYTES) || !decode_label(f.bytes, &labels[count++])) {
            return ERR_CORRUPT;
        }
    }
    *count_out = count;
    return in.failed ? ERR_CORRUPT : 0;
}

struct str remote_write_find_label(struct str labels_bytes, struct str name)
{
    struct decbuf in = decbuf_of(labels_bytes.ptr, labels_bytes.len);
    struct protobuf_field f;
    struct label pair;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES) && decode_label(f.bytes, &pair) &&
            str_eq(pair.name, name)) {
            return pair.value;
        }
    }
    return STR("");
}

/* Names are sorted by nearly every sender; otherwise by insertion, on a few entries. */
static void sort_labels(struct label *labels, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label moving = labels[i];
        size_t at = i;
        while (at > 0 && str_cmp(labels[at - 1].name, moving.name) > 0) {
            labels[at] = labels[at - 1];
            at--;
        }
        labels[at] = moving;
    }
}

int remote_write_check_labels(struct label *labels, size_t *count, struct err *e)
{
    size_t kept = 0;
    bool named = false;
    for (size_t i = 0; i < *count; i++) {
        if (labels[i].name.len == 0) {
            return err_set(e, ERR_INVALID, -1, "a label has an empty name");
        }
        if (!str_is_utf8(labels[i].name) || !str_is_utf8(labels[i].value)) {
            return err_set(
                e, ERR_INVALID, -1, "label \"%.*s\" is not valid UTF-8", STR_ARG(labels[i].name));
        }
        if (labels[i].value.len == 0) {
            continue; /* an empty value is an absent label */
        }
        named = named || str_eq(labels[i].name, STR(LABEL_METRIC_NAME));
        labels[kept++] = labels[i];
    }
    sort_labels(labels, kept);
    for (size_t i = 1; i < kept; i++) {
        if (str_eq(labels[i - 1].name, labels[i].name)) {
            return err_set(
                e, ERR_INVALID, -1, "label name \"%.*s\" is not unique", STR_ARG(labels[i].name));
        }
    }
    if (!named) {
        return err_set(e, ERR_INVALID, -1, "the series has no metric name (label __name__)");
    }
    *count = kept;
    return 0;
}

int remote_write_labels(
    struct remote_write_decoder *d, struct remote_write_item *item, struct err *e)
{
    assert(item->kind == REMOTE_WRITE_SERIES);
    if (item->label_count > LABELS_COUNT_MAX) {
        return err_set(e, ERR_INVALID, (int64_t)item->offset,
            "the series at byte %zu has %zu labels, the limit is %d", item->offset,
            item->label_count, LABELS_COUNT_MAX);
    }
    int status = mem_array_grow((void **)&d->labels, &d->label_cap, item->label_count,
        sizeof(*d->labels), LABELS_COUNT_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "out of memory for labels");
    }
    if (d->by_reference) {
        return remote_write2_labels(d, item, e);
    }
    struct decbuf in = decbuf_of(d->series.ptr, d->series.len);
    struct protobuf_field f;
    size_t count = 0;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES) && !decode_label(f.bytes, &d->labels[count++])) {
            return remote_write_malformed(e, item, "broken label");
        }
    }
    status = remote_write_check_labels(d->labels, &count, e);
    if (status != 0) {
        err_prefix(e, "series at byte %zu", item->offset);
        return status;
    }
    item->labels = d->labels;
    item->label_count = count;
    return 0;
}
