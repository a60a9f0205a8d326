/* Native histograms as bytes: the form in which WAL, head and parts keep one.
 *
 *   u8      version, 1
 *   u8      flags: 1 numbers are integers, 2 zero bucket not all zeros, 4 negative side, 8 custom bounds,
 *           bits 4-5 reset hint, 64 the histogram came with integer counts
 *   svarint schema
 *   u64 le  bits of sum
 *   number  count
 *   [2]     u64 le bits of zero threshold, number zero_count
 *   side    positive
 *   [4]     side negative
 *   [8]     uvarint n, n × u64 le bits of bounds
 *
 *   side:   uvarint spans, spans × (svarint offset, uvarint length), then one number a bucket
 *   number: with flag 1 an svarint, in buckets the difference to the bucket before;
 *           else u64 le bits
 *
 * Validity: every length is checked against the bytes left before anything is allocated; spans must
 * add up to at most HISTOGRAM_BUCKETS_MAX; the schema is known and bucket indexes fit 32 bits; nothing
 * may follow the last field.
 */
#include <math.h>

#include "base/bytes.h"
#include "model/histogram.h"

enum {
    CODEC_VERSION = 1,
    FLAG_INTEGER = 1,
    FLAG_ZERO = 2,
    FLAG_NEGATIVE = 4,
    FLAG_CUSTOM = 8,
    HINT_SHIFT = 4,
    FLAG_CAME_AS_INTEGER = 64,
};

/* Counts that fit an svarint exactly; anything else forces the float form. */
static bool is_integer_value(double v)
{
    return v >= -9007199254740992.0 && v <= 9007199254740992.0 && v == floor(v) &&
           !(v == 0 && signbit(v));
}

static bool side_is_integer(const struct histogram_buckets *side)
{
    for (size_t i = 0; i < side->count; i++) {
        if (!is_integer_value(side->counts[i])) {
            return false;
        }
    }
    return true;
}

static bool counts_are_integer(const struct histogram *h)
{
    return is_integer_value(h->count) && is_integer_value(h->zero_count) &&
           side_is_integer(&h->positive) && side_is_integer(&h->negative);
}

static void put_number(struct strbuf *out, bool integer, double value)
{
    if (integer) {
        strbuf_add_svarint(out, (int64_t)value);
    } else {
        strbuf_add_le64(out, double_bits(value));
    }
}

static void put_side(struct strbuf *out, bool integer, const struct histogram_buckets *side)
{
    strbuf_add_uvarint(out, side->span_count);
    for (size_t i = 0; i < side->span_count; i++) {
        strbuf_add_svarint(out, side->spans[i].offset);
        strbuf_add_uvarint(out, side->spans[i].length);
    }
    /* Differences in integers: that of two doubles is exact up to 2^53 only. */
    int64_t before = 0;
    for (size_t i = 0; i < side->count; i++) {
        if (integer) {
            int64_t count = (int64_t)side->counts[i];
            strbuf_add_svarint(out, count - before);
            before = count;
        } else {
            strbuf_add_le64(out, double_bits(side->counts[i]));
        }
    }
}

void histogram_encode(const struct histogram *h, struct strbuf *out)
{
    bool integer = counts_are_integer(h);
    /* By their bits: a negative zero comes back as one. */
    bool zero = double_bits(h->zero_count) != 0 || double_bits(h->zero_threshold) != 0;
    bool negative = h->negative.span_count > 0 || h->negative.count > 0;
    unsigned flags = (zero ? FLAG_ZERO : 0u) | (negative ? FLAG_NEGATIVE : 0u) |
                     (h->custom_count > 0 ? FLAG_CUSTOM : 0u) |
                     (unsigned)h->reset_hint << HINT_SHIFT;
    flags |= (integer ? FLAG_INTEGER : 0u) | (h->integer ? FLAG_CAME_AS_INTEGER : 0u);
    strbuf_add_char(out, CODEC_VERSION);
    strbuf_add_char(out, (char)flags);
    strbuf_add_svarint(out, h->schema);
    strbuf_add_le64(out, double_bits(h->sum));
    put_number(out, integer, h->count);
    if (zero) {
        strbuf_add_le64(out, double_bits(h->zero_threshold));
        put_number(out, integer, h->zero_count);
    }
    put_side(out, integer, &h->positive);
    if (negative) {
        put_side(out, integer, &h->negative);
    }
    if (h->custom_count > 0) {
        strbuf_add_uvarint(out, h->custom_count);
        for (size_t i = 0; i < h->custom_count; i++) {
            strbuf_add_le64(out, double_bits(h->custom_values[i]));
        }
    }
}

static double get_number(struct decbuf *in, bool integer)
{
    return integer ? (double)decbuf_svarint(in) : double_from_bits(decbuf_le64(in));
}

static int get_side(
    struct decbuf *in, bool integer, struct arena *arena, struct histogram_buckets *side_out)
{
    uint64_t span_count = decbuf_uvarint(in);
    if (in->failed || span_count > decbuf_left(in) / 2) {
        return ERR_CORRUPT;
    }
    struct histogram_span *spans = arena_calloc(arena, span_count, sizeof(*spans));
    if (spans == NULL) {
        return arena_error(arena);
    }
    uint64_t count = 0;
    for (uint64_t i = 0; i < span_count; i++) {
        int64_t offset = decbuf_svarint(in);
        uint64_t length = decbuf_uvarint(in);
        if (offset < INT32_MIN || offset > INT32_MAX || length > HISTOGRAM_BUCKETS_MAX) {
            return ERR_CORRUPT;
        }
        spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
        count += length;
    }
    if (in->failed || count > HISTOGRAM_BUCKETS_MAX || count > decbuf_left(in)) {
        return ERR_CORRUPT;
    }
    double *counts = arena_calloc(arena, count, sizeof(*counts));
    if (counts == NULL) {
        return arena_error(arena);
    }
    uint64_t running = 0; /* unsigned: hostile differences may wrap */
    for (uint64_t i = 0; i < count; i++) {
        if (integer) {
            running += (uint64_t)decbuf_svarint(in);
            counts[i] = (double)(int64_t)running;
        } else {
            counts[i] = double_from_bits(decbuf_le64(in));
        }
    }
    *side_out = (struct histogram_buckets){spans, (size_t)span_count, counts, (size_t)count};
    return in->failed ? ERR_CORRUPT : 0;
}

static int get_custom(struct decbuf *in, struct arena *arena, struct histogram *h)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count > decbuf_left(in) / 8) {
        return ERR_CORRUPT;
    }
    double *bounds = arena_calloc(arena, count, sizeof(*bounds));
    if (bounds == NULL) {
        return arena_error(arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        bounds[i] = double_from_bits(decbuf_le64(in));
    }
    h->custom_values = bounds;
    h->custom_count = (size_t)count;
    return 0;
}

int histogram_decode(struct str bytes, struct arena *arena, struct histogram **histogram_out)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    uint8_t version = decbuf_u8(&in);
    uint8_t flags = decbuf_u8(&in);
    if (in.failed || version != CODEC_VERSION) {
        return ERR_CORRUPT;
    }
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    if (h == NULL) {
        return arena_error(arena);
    }
    bool integer = (flags & FLAG_INTEGER) != 0;
    int64_t schema = decbuf_svarint(&in);
    h->schema = schema >= INT32_MIN && schema <= INT32_MAX ? (int32_t)schema : INT32_MIN;
    h->integer = (flags & FLAG_CAME_AS_INTEGER) != 0;
    h->reset_hint = (enum histogram_reset_hint)(flags >> HINT_SHIFT & 3);
    h->sum = double_from_bits(decbuf_le64(&in));
    h->count = get_number(&in, integer);
    if ((flags & FLAG_ZERO) != 0) {
        h->zero_threshold = double_from_bits(decbuf_le64(&in));
        h->zero_count = get_number(&in, integer);
    }
    int status = get_side(&in, integer, arena, &h->positive);
    if (status == 0 && (flags & FLAG_NEGATIVE) != 0) {
        status = get_side(&in, integer, arena, &h->negative);
    }
    if (status == 0 && (flags & FLAG_CUSTOM) != 0) {
        status = get_custom(&in, arena, h);
    }
    if (status == 0 && (in.failed || decbuf_left(&in) != 0)) {
        status = ERR_CORRUPT;
    }
    if (status == 0 && !histogram_can_be_walked(h)) {
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        *histogram_out = h;
    }
    return status;
}
