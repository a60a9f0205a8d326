/* Data points of OTLP, writing. Times and counts are fixed64; what a point does not have is left out. */
#include "otlp_point.h"

#include <math.h>

#include "model/sample.h"
#include "protobuf_wire.h"

enum { NO_RECORDED_VALUE = 1, TEMPORALITY_CUMULATIVE = 2 };
/* Buckets of one side once gaps are filled. */
enum { DENSE_MAX = 1 << 16 };

uint32_t otlp_attributes_field(enum otlp_shape shape)
{
    switch (shape) {
    case OTLP_SHAPE_HISTOGRAM:
        return 9;
    case OTLP_SHAPE_EXPONENTIAL:
        return 1;
    default:
        return 7;
    }
}

uint32_t otlp_shape_field(enum otlp_shape shape)
{
    static const uint32_t fields[] = {[OTLP_SHAPE_GAUGE] = 5,
        [OTLP_SHAPE_SUM] = 7,
        [OTLP_SHAPE_HISTOGRAM] = 9,
        [OTLP_SHAPE_EXPONENTIAL] = 10,
        [OTLP_SHAPE_SUMMARY] = 11};
    return fields[shape];
}

void otlp_put_shape_fields(enum otlp_shape shape, struct strbuf *out)
{
    if (shape == OTLP_SHAPE_SUM || shape == OTLP_SHAPE_HISTOGRAM ||
        shape == OTLP_SHAPE_EXPONENTIAL) {
        protobuf_put_varint(out, 2, TEMPORALITY_CUMULATIVE);
    }
    if (shape == OTLP_SHAPE_SUM) {
        protobuf_put_varint(out, 3, 1);
    }
}

static void put_fixed(struct strbuf *out, uint32_t field, uint64_t value)
{
    protobuf_put_key(out, field, PROTOBUF_FIXED64);
    strbuf_add_le64(out, value);
}

/* Attributes and time, which all points have. */
static void put_head(const struct otlp_part *part, struct strbuf *out)
{
    strbuf_add_str(out, part->attributes);
    put_fixed(out, 3, (uint64_t)part->t_ms * 1000000);
}

/* Not a number and what is below zero count as none. */
static uint64_t whole(double count)
{
    return count >= 1 ? count >= 0x1p63 ? (uint64_t)1 << 63 : (uint64_t)(count + 0.5) : 0;
}

static bool any_stale(const struct otlp_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value = parts[i].histogram != NULL ? parts[i].histogram->sum : parts[i].value;
        if (value_is_stale(value)) {
            return true;
        }
    }
    return false;
}

static void put_number(const struct otlp_part *part, struct strbuf *out)
{
    put_head(part, out);
    if (value_is_stale(part->value)) {
        protobuf_put_varint(out, 8, NO_RECORDED_VALUE);
    } else {
        protobuf_put_double(out, 4, part->value);
    }
}

/* ---- Classic histograms and summaries ---- */

/* Counts of buckets are cumulative in Prometheus, and each one's own in OTLP. The bucket of +Inf has no
 * bound; where it is missing, the count stands in for it. */
static void put_buckets(const struct otlp_part *parts, size_t count, uint64_t total,
    struct strbuf *scratch, struct strbuf *out)
{
    uint64_t before = 0;
    strbuf_reset(scratch);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].role == OTLP_ROLE_BUCKET && !isinf(parts[i].bound)) {
            uint64_t here = whole(parts[i].value);
            strbuf_add_le64(scratch, here > before ? here - before : 0);
            before = here > before ? here : before;
        }
    }
    if (scratch->size > 0) {
        strbuf_add_le64(scratch, total > before ? total - before : 0);
        protobuf_put_bytes(out, 6, strbuf_str(scratch));
    }
    strbuf_reset(scratch);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].role == OTLP_ROLE_BUCKET && !isinf(parts[i].bound)) {
            strbuf_add_le64(scratch, double_bits(parts[i].bound));
        }
    }
    if (scratch->size > 0) {
        protobuf_put_bytes(out, 7, strbuf_str(scratch));
    }
}

static void put_histogram(
    const struct otlp_part *parts, size_t count, struct strbuf *scratch, struct strbuf *out)
{
    put_head(parts, out);
    if (any_stale(parts, count)) {
        protobuf_put_varint(out, 10, NO_RECORDED_VALUE);
        return;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        bool last = parts[i].role == OTLP_ROLE_BUCKET && isinf(parts[i].bound);
        if (parts[i].role == OTLP_ROLE_COUNT || last) {
            total = whole(parts[i].value);
        } else if (parts[i].role == OTLP_ROLE_SUM) {
            protobuf_put_double(out, 5, parts[i].value);
        }
    }
    put_fixed(out, 4, total);
    put_buckets(parts, count, total, scratch, out);
}

static void put_summary(
    const struct otlp_part *parts, size_t count, struct strbuf *scratch, struct strbuf *out)
{
    put_head(parts, out);
    if (any_stale(parts, count)) {
        protobuf_put_varint(out, 8, NO_RECORDED_VALUE);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].role == OTLP_ROLE_COUNT) {
            put_fixed(out, 4, whole(parts[i].value));
        } else if (parts[i].role == OTLP_ROLE_SUM) {
            protobuf_put_double(out, 5, parts[i].value);
        } else {
            strbuf_reset(scratch);
            protobuf_put_double(scratch, 1, parts[i].bound);
            protobuf_put_double(scratch, 2, parts[i].value);
            protobuf_put_bytes(out, 6, strbuf_str(scratch));
        }
    }
}

/* ---- Native histograms ---- */

/* Calls for each bucket of a side with its index, gaps filled with zeros; false when there would be
 * too many. */
static bool put_dense(
    const struct histogram_buckets *side, bool fixed, int32_t *first_out, struct strbuf *out)
{
    size_t at = 0, written = 0;
    strbuf_reset(out);
    *first_out = side->span_count > 0 ? side->spans[0].offset : 0;
    for (size_t s = 0; s < side->span_count; s++) {
        size_t gap = s > 0 && side->spans[s].offset > 0 ? (size_t)side->spans[s].offset : 0;
        if (written + gap + side->spans[s].length > DENSE_MAX) {
            return false;
        }
        for (size_t i = 0; i < gap + side->spans[s].length; i++) {
            uint64_t value = i < gap || at >= side->count ? 0 : whole(side->counts[at++]);
            if (fixed) {
                strbuf_add_le64(out, value);
            } else {
                strbuf_add_uvarint(out, value);
            }
            written++;
        }
    }
    return true;
}

/* Buckets{offset 1 sint32, bucket_counts 2 packed uint64}. Bucket i of Prometheus ends where bucket i
 * of OTLP begins: the index is one less. */
static void put_side(const struct histogram_buckets *side, uint32_t field, struct strbuf *scratch,
    struct strbuf *out)
{
    int32_t first = 0;
    if (side->count == 0 || !put_dense(side, false, &first, scratch)) {
        return;
    }
    size_t counts = scratch->size;
    uint64_t offset = zigzag_encode((int64_t)first - 1);
    protobuf_put_key(out, field, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, 1 + uvarint_size(offset) + 1 + uvarint_size(counts) + counts);
    protobuf_put_varint(out, 1, offset);
    protobuf_put_bytes(out, 2, strbuf_str(scratch));
}

static void put_exponential(
    const struct otlp_part *part, struct strbuf *scratch, struct strbuf *out)
{
    const struct histogram *h = part->histogram;
    put_head(part, out);
    if (any_stale(part, 1)) {
        protobuf_put_varint(out, 10, NO_RECORDED_VALUE);
        return;
    }
    put_fixed(out, 4, whole(h->count));
    protobuf_put_double(out, 5, h->sum);
    protobuf_put_varint(out, 6, zigzag_encode(h->schema));
    put_fixed(out, 7, whole(h->zero_count));
    put_side(&h->positive, 8, scratch, out);
    put_side(&h->negative, 9, scratch, out);
    protobuf_put_double(out, 14, h->zero_threshold);
}

/* Custom bounds: bucket i ends at the i-th bound, the one behind them at +Inf. */
static void put_custom(const struct otlp_part *part, struct strbuf *scratch, struct strbuf *out)
{
    const struct histogram *h = part->histogram;
    int32_t first = 0;
    put_head(part, out);
    if (any_stale(part, 1)) {
        protobuf_put_varint(out, 10, NO_RECORDED_VALUE);
        return;
    }
    put_fixed(out, 4, whole(h->count));
    protobuf_put_double(out, 5, h->sum);
    if (!put_dense(&h->positive, true, &first, scratch) || first < 0) {
        return;
    }
    size_t got = scratch->size / 8, all = h->custom_count + 1;
    size_t before = (size_t)first < all ? (size_t)first : all;
    size_t here = got < all - before ? got : all - before;
    protobuf_put_key(out, 6, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, all * 8);
    for (size_t i = 0; i < before; i++) {
        strbuf_add_le64(out, 0);
    }
    strbuf_add(out, scratch->data, here * 8);
    for (size_t i = before + here; i < all; i++) {
        strbuf_add_le64(out, 0);
    }
    strbuf_reset(scratch);
    for (size_t i = 0; i < h->custom_count; i++) {
        strbuf_add_le64(scratch, double_bits(h->custom_values[i]));
    }
    protobuf_put_bytes(out, 7, strbuf_str(scratch));
}

void otlp_put_point(
    const struct otlp_part *parts, size_t count, struct strbuf *scratch, struct strbuf *out)
{
    switch (parts->shape) {
    case OTLP_SHAPE_GAUGE:
    case OTLP_SHAPE_SUM:
        put_number(parts, out);
        break;
    case OTLP_SHAPE_HISTOGRAM:
        if (parts->role == OTLP_ROLE_NATIVE) {
            put_custom(parts, scratch, out);
        } else {
            put_histogram(parts, count, scratch, out);
        }
        break;
    case OTLP_SHAPE_EXPONENTIAL:
        put_exponential(parts, scratch, out);
        break;
    case OTLP_SHAPE_SUMMARY:
        put_summary(parts, count, scratch, out);
        break;
    }
}
