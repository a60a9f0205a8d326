/* Chunks of native histograms, with integer or with float counts.
 *
 *   u16 big-endian   number of samples
 *   u8               enum chunk_reset in the two top bits, the others 0
 *   bits (bit_stream.h)
 *     layout, that of all samples of the chunk:
 *       8 bits zero threshold: 0 is 0; 1..254 is 2^(n - 244); 255: 64 bits of it follow
 *       signed varbit schema
 *       spans, positive then negative: varbit number; for each: varbit length, signed varbit offset
 *       schema -53 only: varbit number of bounds; for each: varbit 1000 x bound + 1 when that is a
 *         whole number up to 33554431, else varbit 0 and its 64 bits
 *     integer counts:
 *       first sample   signed varbit time, varbit count, varbit zero count, 64 bits of the sum,
 *                      a signed varbit for each bucket: its count less that of the bucket before
 *       each other     signed varbit delta of the delta of time, count and zero count (deltas begin
 *                      at 0), xor of the sum, and the same delta of delta for each bucket's number
 *     float counts:
 *       first sample   signed varbit time, 64 bits each: count, zero count, sum, buckets (absolute)
 *       each other     signed varbit delta of the delta of the time, xors of the same
 *     zeros to the end of the byte
 *
 * A stale sample has the stale marker as its sum and no buckets; its counts mean nothing. As the
 * first of a chunk it has an empty layout, and only stale ones may follow it.
 */
#include <assert.h>
#include <math.h>

#include "base/bytes.h"
#include "block/bit_stream.h"
#include "model/sample.h"
#include "tsdb/chunk.h"

enum { THRESHOLD_BIAS = 243, THRESHOLD_PLAIN = 255, EXPONENT_MIN = -242, EXPONENT_MAX = 11 };

/* Bounds up to here go in thousandths. */
#define BOUND_THOUSANDTHS_MAX 33554430.0
/* Whole numbers beyond are not exact in a double. */
#define WHOLE_MAX 9007199254740992.0

static const struct histogram EMPTY = {.schema = 0};

static bool is_stale(const struct histogram *h)
{
    return value_is_stale(h->sum);
}

/* ---- Layout ---- */

static void put_threshold(struct bit_writer *w, double threshold)
{
    int exponent = 0;
    if (double_bits(threshold) == 0) {
        bit_writer_put(w, 0, 8);
    } else if (frexp(threshold, &exponent) == 0.5 && exponent >= EXPONENT_MIN &&
               exponent <= EXPONENT_MAX) {
        bit_writer_put(w, (uint64_t)(exponent + THRESHOLD_BIAS), 8);
    } else {
        bit_writer_put(w, THRESHOLD_PLAIN, 8);
        bit_writer_put(w, double_bits(threshold), 64);
    }
}

static double get_threshold(struct bit_reader *r)
{
    int code = (int)bit_reader_get(r, 8);
    if (code == THRESHOLD_PLAIN) {
        return double_from_bits(bit_reader_get(r, 64));
    }
    return code == 0 ? 0 : ldexp(0.5, code - THRESHOLD_BIAS);
}

static void put_bound(struct bit_writer *w, double bound)
{
    double thousandths = round(bound * 1000);
    if (thousandths >= 0 && thousandths <= BOUND_THOUSANDTHS_MAX &&
        double_bits(thousandths / 1000) == double_bits(bound)) {
        bit_writer_put_varbit(w, (uint64_t)thousandths + 1);
    } else {
        bit_writer_put_varbit(w, 0);
        bit_writer_put(w, double_bits(bound), 64);
    }
}

static double get_bound(struct bit_reader *r)
{
    uint64_t code = bit_reader_get_varbit(r);
    return code == 0 ? double_from_bits(bit_reader_get(r, 64)) : (double)(code - 1) / 1000;
}

static void put_spans(struct bit_writer *w, const struct histogram_buckets *side)
{
    bit_writer_put_varbit(w, side->span_count);
    for (size_t i = 0; i < side->span_count; i++) {
        bit_writer_put_varbit(w, side->spans[i].length);
        bit_writer_put_signed_varbit(w, side->spans[i].offset);
    }
}

static void put_layout(struct bit_writer *w, const struct histogram *h)
{
    put_threshold(w, h->zero_threshold);
    bit_writer_put_signed_varbit(w, h->schema);
    put_spans(w, &h->positive);
    put_spans(w, &h->negative);
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        bit_writer_put_varbit(w, h->custom_count);
        for (size_t i = 0; i < h->custom_count; i++) {
            put_bound(w, h->custom_values[i]);
        }
    }
}

static int get_spans(struct bit_reader *r, struct arena *arena, struct histogram_buckets *side)
{
    uint64_t count = bit_reader_get_varbit(r);
    uint64_t buckets = 0;
    if (count > HISTOGRAM_BUCKETS_MAX || count > bit_reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct histogram_span *spans = arena_calloc(arena, (size_t)count + 1, sizeof(*spans));
    if (spans == NULL) {
        return arena_error(arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = bit_reader_get_varbit(r);
        int64_t offset = bit_reader_get_signed_varbit(r);
        buckets += length <= HISTOGRAM_BUCKETS_MAX ? length : HISTOGRAM_BUCKETS_MAX + 1;
        if (buckets > HISTOGRAM_BUCKETS_MAX || offset < INT32_MIN || offset > INT32_MAX) {
            return ERR_CORRUPT;
        }
        spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    *side = (struct histogram_buckets){
        .spans = spans, .span_count = (size_t)count, .count = (size_t)buckets};
    return r->failed ? ERR_CORRUPT : 0;
}

static int get_bounds(struct bit_reader *r, struct arena *arena, struct histogram *layout)
{
    uint64_t count = bit_reader_get_varbit(r);
    if (count > HISTOGRAM_BUCKETS_MAX || count > bit_reader_left(r)) {
        return ERR_CORRUPT;
    }
    double *bounds = arena_calloc(arena, (size_t)count + 1, sizeof(*bounds));
    if (bounds == NULL) {
        return arena_error(arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        bounds[i] = get_bound(r);
    }
    layout->custom_values = bounds;
    layout->custom_count = (size_t)count;
    return 0;
}

static int get_layout(struct bit_reader *r, struct arena *arena, struct histogram *layout)
{
    layout->zero_threshold = get_threshold(r);
    int64_t schema = bit_reader_get_signed_varbit(r);
    if ((schema < HISTOGRAM_SCHEMA_MIN || schema > HISTOGRAM_SCHEMA_MAX) &&
        schema != HISTOGRAM_SCHEMA_CUSTOM) {
        return r->failed ? ERR_CORRUPT : ERR_UNSUPPORTED;
    }
    layout->schema = (int32_t)schema;
    int status = get_spans(r, arena, &layout->positive);
    if (status == 0) {
        status = get_spans(r, arena, &layout->negative);
    }
    if (status == 0 && schema == HISTOGRAM_SCHEMA_CUSTOM) {
        status = get_bounds(r, arena, layout);
    }
    return status;
}

/* ---- What goes together ---- */

static bool same_spans(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    bool same = a->span_count == b->span_count;
    for (size_t i = 0; same && i < a->span_count; i++) {
        same = a->spans[i].offset == b->spans[i].offset && a->spans[i].length == b->spans[i].length;
    }
    return same;
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    bool same = a->custom_count == b->custom_count;
    for (size_t i = 0; same && i < a->custom_count; i++) {
        same = double_bits(a->custom_values[i]) == double_bits(b->custom_values[i]);
    }
    return same;
}

static bool same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema &&
           double_bits(a->zero_threshold) == double_bits(b->zero_threshold) &&
           same_spans(&a->positive, &b->positive) && same_spans(&a->negative, &b->negative) &&
           same_bounds(a, b);
}

struct bucket_cursor {
    const struct histogram_buckets *side;
    size_t span, position;
    uint32_t in_span;
    int64_t index;
};

/* The next bucket that is not empty; false at the end. */
static bool next_bucket(struct bucket_cursor *c, int64_t *index_out, double *count_out)
{
    while (c->span < c->side->span_count) {
        const struct histogram_span *span = &c->side->spans[c->span];
        if (c->in_span == 0) {
            c->index += span->offset;
        }
        if (c->in_span == span->length) {
            c->span++;
            c->in_span = 0;
            continue;
        }
        c->in_span++;
        *index_out = c->index++;
        *count_out = c->side->counts[c->position++];
        if (*count_out != 0) {
            return true;
        }
    }
    return false;
}

/* Has a bucket of `a` shrunk in `b`? */
static bool side_fell(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    struct bucket_cursor x = {.side = a}, y = {.side = b};
    int64_t xi = 0, yi = INT64_MIN;
    double xc = 0, yc = 0;
    bool more = true;
    while (next_bucket(&x, &xi, &xc)) {
        while (more && yi < xi) {
            more = next_bucket(&y, &yi, &yc);
        }
        if (!more || yi != xi || yc < xc) {
            return true;
        }
    }
    return false;
}

enum chunk_reset histogram_chunk_reset(const struct histogram *before, const struct histogram *h)
{
    if (h->reset_hint == HISTOGRAM_GAUGE) {
        return CHUNK_RESET_GAUGE;
    }
    if (h->reset_hint == HISTOGRAM_RESET_YES) {
        return CHUNK_RESET_YES;
    }
    if (before == NULL || before->reset_hint == HISTOGRAM_GAUGE || is_stale(before) ||
        is_stale(h)) {
        return CHUNK_RESET_UNKNOWN;
    }
    if (h->count < before->count) {
        return CHUNK_RESET_YES;
    }
    if (h->schema != before->schema || h->zero_threshold != before->zero_threshold ||
        !same_bounds(before, h)) {
        return CHUNK_RESET_UNKNOWN; /* the query will compare them in full */
    }
    bool fell = h->zero_count < before->zero_count || side_fell(&before->positive, &h->positive) ||
                side_fell(&before->negative, &h->negative);
    return fell ? CHUNK_RESET_YES : CHUNK_RESET_NO;
}

size_t histogram_chunk_fit(const struct histogram *const *histograms, size_t count)
{
    size_t fit = 1;
    for (; fit < count && fit < CHUNK_SAMPLES_MAX; fit++) {
        const struct histogram *before = histograms[fit - 1], *h = histograms[fit];
        if (is_stale(h)) {
            continue;
        }
        bool gauge = h->reset_hint == HISTOGRAM_GAUGE;
        if (is_stale(before) || gauge != (before->reset_hint == HISTOGRAM_GAUGE) ||
            h->integer != before->integer || !same_layout(before, h) ||
            (!gauge && histogram_chunk_reset(before, h) != CHUNK_RESET_NO)) {
            break;
        }
    }
    return fit;
}

static bool is_whole(double v)
{
    return v >= -WHOLE_MAX && v <= WHOLE_MAX && v == trunc(v) && !(v == 0 && signbit(v));
}

static bool side_is_whole(const struct histogram_buckets *side)
{
    bool whole = true;
    for (size_t i = 0; whole && i < side->count; i++) {
        whole = is_whole(side->counts[i]);
    }
    return whole;
}

enum chunk_encoding histogram_chunk_encoding(
    const struct histogram *const *histograms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct histogram *h = histograms[i];
        bool whole = is_stale(h) || (h->integer && is_whole(h->count) && h->count >= 0 &&
                                        is_whole(h->zero_count) && h->zero_count >= 0 &&
                                        side_is_whole(&h->positive) && side_is_whole(&h->negative));
        if (!whole) {
            return CHUNK_FLOAT_HISTOGRAM;
        }
    }
    return CHUNK_HISTOGRAM;
}

/* ---- Integer counts ---- */

/* A number that is coded by the change of its change. */
struct tracked {
    uint64_t value, delta; /* of two's complement: what does not fit wraps around and back */
};

static void put_tracked(struct bit_writer *w, struct tracked *t, uint64_t value)
{
    uint64_t delta = value - t->value;
    bit_writer_put_signed_varbit(w, (int64_t)(delta - t->delta));
    *t = (struct tracked){value, delta};
}

static uint64_t get_tracked(struct bit_reader *r, struct tracked *t)
{
    t->delta += (uint64_t)bit_reader_get_signed_varbit(r);
    t->value += t->delta;
    return t->value;
}

/* Of one series of histograms: time, count, zero count, sum, and each bucket less the one before. */
struct integer_state {
    struct tracked time, count, zero_count;
    struct xor_state sum;
    struct tracked *buckets; /* positive, then negative */
};

static void put_integer_side(
    struct bit_writer *w, struct tracked *buckets, const struct histogram_buckets *side, bool first)
{
    int64_t before = 0;
    for (size_t i = 0; i < side->count; i++) {
        int64_t count = (int64_t)side->counts[i];
        uint64_t difference = (uint64_t)(count - before);
        before = count;
        if (first) {
            bit_writer_put_signed_varbit(w, (int64_t)difference);
            buckets[i] = (struct tracked){.value = difference};
        } else {
            put_tracked(w, &buckets[i], difference);
        }
    }
}

static void put_integers(
    struct bit_writer *w, struct integer_state *s, int64_t t, const struct histogram *h, bool first)
{
    uint64_t count = (uint64_t)h->count, zero_count = (uint64_t)h->zero_count;
    if (first) {
        bit_writer_put_signed_varbit(w, t);
        bit_writer_put_varbit(w, count);
        bit_writer_put_varbit(w, zero_count);
        bit_writer_put(w, double_bits(h->sum), 64);
        s->time.value = (uint64_t)t;
        s->count.value = count;
        s->zero_count.value = zero_count;
        s->sum.bits = double_bits(h->sum);
    } else {
        put_tracked(w, &s->time, (uint64_t)t);
        put_tracked(w, &s->count, count);
        put_tracked(w, &s->zero_count, zero_count);
        xor_put(w, &s->sum, h->sum);
    }
    put_integer_side(w, s->buckets, &h->positive, first);
    put_integer_side(w, s->buckets + h->positive.count, &h->negative, first);
}

static const double *get_integer_side(
    struct bit_reader *r, struct tracked *buckets, size_t count, bool first, struct arena *arena)
{
    double *counts = arena_alloc(arena, (count + 1) * sizeof(*counts));
    uint64_t sum = 0;
    for (size_t i = 0; counts != NULL && i < count; i++) {
        if (first) {
            buckets[i].value = (uint64_t)bit_reader_get_signed_varbit(r);
        } else {
            (void)get_tracked(r, &buckets[i]);
        }
        sum += buckets[i].value;
        counts[i] = (double)(int64_t)sum;
    }
    return counts;
}

static int64_t get_integers(struct bit_reader *r, struct integer_state *s, struct histogram *h,
    bool first, struct arena *arena)
{
    h->integer = true;
    if (first) {
        s->time.value = (uint64_t)bit_reader_get_signed_varbit(r);
        s->count.value = bit_reader_get_varbit(r);
        s->zero_count.value = bit_reader_get_varbit(r);
        s->sum.bits = bit_reader_get(r, 64);
        h->sum = double_from_bits(s->sum.bits);
    } else {
        (void)get_tracked(r, &s->time);
        (void)get_tracked(r, &s->count);
        (void)get_tracked(r, &s->zero_count);
        h->sum = xor_get(r, &s->sum);
    }
    h->count = (double)s->count.value;
    h->zero_count = (double)s->zero_count.value;
    if (!is_stale(h)) {
        size_t positive = h->positive.count;
        h->positive.counts = get_integer_side(r, s->buckets, positive, first, arena);
        h->negative.counts =
            get_integer_side(r, s->buckets + positive, h->negative.count, first, arena);
    }
    return (int64_t)s->time.value;
}

/* ---- Float counts ---- */

struct float_state {
    struct tracked time;
    struct xor_state count, zero_count, sum;
    struct xor_state *buckets;
};

static void put_float(struct bit_writer *w, struct xor_state *s, double value, bool first)
{
    if (first) {
        s->bits = double_bits(value);
        bit_writer_put(w, s->bits, 64);
    } else {
        xor_put(w, s, value);
    }
}

static double get_float(struct bit_reader *r, struct xor_state *s, bool first)
{
    if (!first) {
        return xor_get(r, s);
    }
    s->bits = bit_reader_get(r, 64);
    return double_from_bits(s->bits);
}

static void put_floats(
    struct bit_writer *w, struct float_state *s, int64_t t, const struct histogram *h, bool first)
{
    if (first) {
        bit_writer_put_signed_varbit(w, t);
        s->time.value = (uint64_t)t;
    } else {
        put_tracked(w, &s->time, (uint64_t)t);
    }
    put_float(w, &s->count, h->count, first);
    put_float(w, &s->zero_count, h->zero_count, first);
    put_float(w, &s->sum, h->sum, first);
    for (size_t i = 0; i < h->positive.count; i++) {
        put_float(w, &s->buckets[i], h->positive.counts[i], first);
    }
    for (size_t i = 0; i < h->negative.count; i++) {
        put_float(w, &s->buckets[h->positive.count + i], h->negative.counts[i], first);
    }
}

static const double *get_float_side(
    struct bit_reader *r, struct xor_state *buckets, size_t count, bool first, struct arena *arena)
{
    double *counts = arena_alloc(arena, (count + 1) * sizeof(*counts));
    for (size_t i = 0; counts != NULL && i < count; i++) {
        counts[i] = get_float(r, &buckets[i], first);
    }
    return counts;
}

static int64_t get_floats(struct bit_reader *r, struct float_state *s, struct histogram *h,
    bool first, struct arena *arena)
{
    if (first) {
        s->time.value = (uint64_t)bit_reader_get_signed_varbit(r);
    } else {
        (void)get_tracked(r, &s->time);
    }
    h->count = get_float(r, &s->count, first);
    h->zero_count = get_float(r, &s->zero_count, first);
    h->sum = get_float(r, &s->sum, first);
    if (!is_stale(h)) {
        size_t positive = h->positive.count;
        h->positive.counts = get_float_side(r, s->buckets, positive, first, arena);
        h->negative.counts =
            get_float_side(r, s->buckets + positive, h->negative.count, first, arena);
    }
    return (int64_t)s->time.value;
}

/* ---- Chunks ---- */

void histogram_chunk_encode(enum chunk_encoding encoding, enum chunk_reset reset,
    const int64_t *times, const struct histogram *const *histograms, size_t count,
    struct strbuf *out)
{
    assert(count > 0 && count <= CHUNK_SAMPLES_MAX);
    struct bit_writer w = {.out = out};
    const struct histogram *first = is_stale(histograms[0]) ? &EMPTY : histograms[0];
    size_t buckets = first->positive.count + first->negative.count;
    struct arena arena;
    arena_init(&arena, 0);
    struct integer_state integers = {
        .buckets = arena_calloc(&arena, buckets + 1, sizeof(struct tracked))};
    struct float_state floats = {
        .buckets = arena_calloc(&arena, buckets + 1, sizeof(struct xor_state))};
    if (integers.buckets == NULL || floats.buckets == NULL) {
        out->error = out->error != 0 ? out->error : ERR_NOMEM;
        count = 0;
    } else {
        bit_writer_put(&w, count, 16);
        bit_writer_put(&w, (uint64_t)reset, 8);
        put_layout(&w, first);
    }
    for (size_t i = 0; i < count; i++) {
        struct histogram stale = {.sum = value_stale_marker()};
        const struct histogram *h = is_stale(histograms[i]) ? &stale : histograms[i];
        if (encoding == CHUNK_HISTOGRAM) {
            put_integers(&w, &integers, times[i], h, i == 0);
        } else {
            put_floats(&w, &floats, times[i], h, i == 0);
        }
    }
    bit_writer_finish(&w);
    arena_release(&arena);
}

static enum histogram_reset_hint hint_of(unsigned header, size_t index)
{
    if (header == CHUNK_RESET_GAUGE) {
        return HISTOGRAM_GAUGE;
    }
    if (index > 0) {
        return HISTOGRAM_RESET_NO; /* a reset begins a chunk */
    }
    /* "No reset" is about the chunk before, which may be gone: unknown. */
    return header == CHUNK_RESET_YES ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_UNKNOWN;
}

/* A stale sample is its sum and nothing else. */
static void strip_stale(struct histogram *h)
{
    if (is_stale(h)) {
        *h = (struct histogram){.sum = h->sum, .integer = h->integer};
    }
}

int histogram_chunk_decode(
    unsigned encoding, struct str data, struct arena *arena, struct chunk_samples *samples_out)
{
    struct bit_reader r = bit_reader_of(data);
    struct histogram layout = EMPTY;
    size_t count = (size_t)bit_reader_get(&r, 16);
    unsigned header = (unsigned)bit_reader_get(&r, 8) & 0xc0;
    if (count == 0 || count > bit_reader_left(&r)) {
        return ERR_CORRUPT;
    }
    int status = get_layout(&r, arena, &layout);
    if (status != 0) {
        return status;
    }
    size_t buckets = layout.positive.count + layout.negative.count;
    struct integer_state integers = {
        .buckets = arena_calloc(arena, buckets + 1, sizeof(struct tracked))};
    struct float_state floats = {
        .buckets = arena_calloc(arena, buckets + 1, sizeof(struct xor_state))};
    int64_t *times = arena_alloc(arena, count * sizeof(*times));
    struct histogram *histograms = arena_calloc(arena, count, sizeof(*histograms));
    const struct histogram **pointers = arena_calloc(arena, count, sizeof(struct histogram *));
    if (integers.buckets == NULL || floats.buckets == NULL || times == NULL || histograms == NULL ||
        pointers == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < count; i++) {
        struct histogram *h = &histograms[i];
        *h = layout;
        times[i] = encoding == CHUNK_HISTOGRAM ? get_integers(&r, &integers, h, i == 0, arena)
                                               : get_floats(&r, &floats, h, i == 0, arena);
        if (r.failed || (i > 0 && times[i] <= times[i - 1])) {
            return ERR_CORRUPT;
        }
        if (!is_stale(h) && (h->positive.counts == NULL || h->negative.counts == NULL)) {
            return arena_error(arena);
        }
        h->reset_hint = hint_of(header, i);
        strip_stale(h);
        pointers[i] = h;
    }
    *samples_out = (struct chunk_samples){.count = count, .times = times, .histograms = pointers};
    return 0;
}
