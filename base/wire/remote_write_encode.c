/* Remote write 1.0, writing: series, samples, metadata. Sizes are known before bytes are written, so
 * nothing is moved afterwards. */
#include <string.h>

#include "protobuf_wire.h"
#include "wire/remote_write.h"

static size_t sized_field_size(struct str s)
{
    return 1 + uvarint_size(s.len) + s.len;
}

void remote_write_encode_labels(const struct label *labels, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = sized_field_size(labels[i].name) + sized_field_size(labels[i].value);
        protobuf_put_key(out, 1, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, size);
        protobuf_put_bytes(out, 1, labels[i].name);
        protobuf_put_bytes(out, 2, labels[i].value);
    }
}

/* Key, value; key, timestamp. */
static size_t sample_size(const struct sample *sample)
{
    return 1 + 8 + 1 + uvarint_size((uint64_t)sample->t_ms);
}

/* ---- Samples: the hot way, where room is asked for once and bytes are put straight ---- */

static uint8_t *put_sample(uint8_t *p, const struct sample *sample, size_t size)
{
    *p++ = 2 << 3 | PROTOBUF_BYTES;
    *p++ = (uint8_t)size; /* at most 20 */
    *p++ = 1 << 3 | PROTOBUF_FIXED64;
    put_le64(p, double_bits(sample->value));
    p += 8;
    *p++ = 2 << 3 | PROTOBUF_VARINT;
    return p + put_uvarint(p, (uint64_t)sample->t_ms);
}

void remote_write_encode_sample(const struct sample *sample, struct strbuf *out)
{
    size_t size = sample_size(sample);
    char *room = strbuf_reserve(out, 2 + size);
    if (room != NULL) {
        (void)put_sample((uint8_t *)room, sample, size);
        strbuf_commit(out, 2 + size);
    }
}

void remote_write_encode_series(
    struct str labels_bytes, const struct sample *samples, size_t sample_count, struct strbuf *out)
{
    size_t size = labels_bytes.len;
    for (size_t i = 0; i < sample_count; i++) {
        size += 2 + sample_size(&samples[i]);
    }
    size_t whole = 1 + uvarint_size(size) + size;
    char *room = strbuf_reserve(out, whole);
    if (room == NULL) {
        return;
    }
    uint8_t *p = (uint8_t *)room;
    *p++ = 1 << 3 | PROTOBUF_BYTES;
    p += put_uvarint(p, size);
    if (labels_bytes.len > 0) {
        memcpy(p, labels_bytes.ptr, labels_bytes.len);
        p += labels_bytes.len;
    }
    for (size_t i = 0; i < sample_count; i++) {
        p = put_sample(p, &samples[i], sample_size(&samples[i]));
    }
    strbuf_commit(out, whole);
}

void remote_write_encode_metadata(enum metric_type type, struct str metric_family, struct str help,
    struct str unit, struct strbuf *out)
{
    size_t size = 1 + uvarint_size((uint64_t)type) + sized_field_size(metric_family) +
                  sized_field_size(help) + sized_field_size(unit);
    protobuf_put_key(out, 3, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    protobuf_put_varint(out, 1, (uint64_t)type);
    protobuf_put_bytes(out, 2, metric_family);
    protobuf_put_bytes(out, 4, help);
    protobuf_put_bytes(out, 5, unit);
}

/* ---- Histograms ---- */

/* A side's spans as field `field`, then its counts as `field + 1` (deltas) or `field + 2` (doubles). */
static void put_side(uint32_t field, const struct histogram_buckets *side, bool integer,
    struct strbuf *scratch, struct strbuf *out)
{
    for (size_t i = 0; i < side->span_count; i++) {
        uint64_t offset = zigzag_encode(side->spans[i].offset);
        protobuf_put_key(out, field, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, 2 + uvarint_size(offset) + uvarint_size(side->spans[i].length));
        protobuf_put_varint(out, 1, offset);
        protobuf_put_varint(out, 2, side->spans[i].length);
    }
    if (side->count == 0) {
        return;
    }
    strbuf_reset(scratch);
    int64_t before = 0;
    for (size_t i = 0; i < side->count; i++) {
        if (integer) {
            int64_t count = (int64_t)side->counts[i];
            strbuf_add_svarint(scratch, count - before);
            before = count;
        } else {
            strbuf_add_le64(scratch, double_bits(side->counts[i]));
        }
    }
    protobuf_put_bytes(out, integer ? field + 1 : field + 2, strbuf_str(scratch));
}

static void put_custom_values(const struct histogram *h, struct strbuf *scratch, struct strbuf *out)
{
    if (h->custom_count == 0) {
        return;
    }
    strbuf_reset(scratch);
    for (size_t i = 0; i < h->custom_count; i++) {
        strbuf_add_le64(scratch, double_bits(h->custom_values[i]));
    }
    protobuf_put_bytes(out, 16, strbuf_str(scratch));
}

/* Counts of integer histograms are exact up to 2^53; beyond, or when one is no whole number (a stale
 * marker has none at all), the histogram goes as one of floats. */
static bool is_whole(double count)
{
    return count >= 0 && count <= 9007199254740992.0 && count == (double)(int64_t)count;
}

static bool side_is_whole(const struct histogram_buckets *side)
{
    for (size_t i = 0; i < side->count; i++) {
        if (!is_whole(side->counts[i])) {
            return false;
        }
    }
    return true;
}

static void put_histogram_body(
    const struct remote_write_histogram *histogram, struct strbuf *scratch, struct strbuf *out)
{
    const struct histogram *h = histogram->histogram;
    bool integer = h->integer && is_whole(h->count) && is_whole(h->zero_count) &&
                   side_is_whole(&h->positive) && side_is_whole(&h->negative);
    if (integer) {
        protobuf_put_varint(out, 1, (uint64_t)h->count);
    } else {
        protobuf_put_double(out, 2, h->count);
    }
    protobuf_put_double(out, 3, h->sum);
    protobuf_put_varint(out, 4, zigzag_encode(h->schema));
    protobuf_put_double(out, 5, h->zero_threshold);
    if (integer) {
        protobuf_put_varint(out, 6, (uint64_t)h->zero_count);
    } else {
        protobuf_put_double(out, 7, h->zero_count);
    }
    put_side(8, &h->negative, integer, scratch, out);
    put_side(11, &h->positive, integer, scratch, out);
    if (h->reset_hint != HISTOGRAM_RESET_UNKNOWN) {
        protobuf_put_varint(out, 14, (uint64_t)h->reset_hint);
    }
    protobuf_put_varint(out, 15, (uint64_t)histogram->t_ms);
    put_custom_values(h, scratch, out);
}

void remote_write_encode_histogram(uint32_t field, const struct remote_write_histogram *histogram,
    struct strbuf *scratch, struct strbuf *out)
{
    struct strbuf body;
    strbuf_init(&body, REMOTE_WRITE_MESSAGE_MAX);
    put_histogram_body(histogram, scratch, &body);
    if (strbuf_error(&body) != 0) {
        out->error = strbuf_error(&body);
    } else {
        protobuf_put_bytes(out, field, strbuf_str(&body));
    }
    strbuf_release(&body);
}

/* ---- Whole series ---- */

/* Exemplar{labels 1, value 2, timestamp 3} as field 3 of the TimeSeries in `out`. */
static void put_exemplar(
    const struct remote_write_exemplar *exemplar, struct strbuf *scratch, struct strbuf *out)
{
    strbuf_reset(scratch);
    remote_write_encode_labels(exemplar->labels, exemplar->label_count, scratch);
    protobuf_put_double(scratch, 2, exemplar->value);
    protobuf_put_varint(scratch, 3, (uint64_t)exemplar->t_ms);
    protobuf_put_bytes(out, 3, strbuf_str(scratch));
}

void remote_write_encode_whole_series(
    const struct remote_write_series *series, struct strbuf *scratch, struct strbuf *out)
{
    if (series->histogram_count == 0 && series->exemplar_count == 0) {
        remote_write_encode_series(
            series->labels_bytes, series->samples, series->sample_count, out);
        return;
    }
    struct strbuf body;
    strbuf_init(&body, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_add_str(&body, series->labels_bytes);
    for (size_t i = 0; i < series->sample_count; i++) {
        remote_write_encode_sample(&series->samples[i], &body);
    }
    for (size_t i = 0; i < series->exemplar_count; i++) {
        put_exemplar(&series->exemplars[i], scratch, &body);
    }
    for (size_t i = 0; i < series->histogram_count; i++) {
        remote_write_encode_histogram(4, &series->histograms[i], scratch, &body);
    }
    int error = strbuf_error(&body) != 0 ? strbuf_error(&body) : strbuf_error(scratch);
    if (error != 0) {
        out->error = error;
    } else {
        protobuf_put_bytes(out, 1, strbuf_str(&body));
    }
    strbuf_release(&body);
}
