/* Native histograms on the wire (prometheus.Histogram):
 *
 *   1 count_int u64 | 2 count_float double      9 negative_deltas  sint64, packed
 *   3 sum double                               10 negative_counts  double, packed
 *   4 schema sint32                            11 positive_spans   BucketSpan
 *   5 zero_threshold double                    12 positive_deltas  sint64, packed
 *   6 zero_count_int u64 | 7 …_float double    13 positive_counts  double, packed
 *   8 negative_spans BucketSpan                14 reset_hint enum
 *                                              15 timestamp int64   16 custom_values double, packed
 *   BucketSpan{offset 1 sint32, length 2 u32}
 *
 * Integer histograms carry deltas from bucket to bucket, float ones absolute counts; both become
 * absolute counts here. Packed fields may also come unpacked, one element a field.
 */
#include "remote_write_histogram.h"

#include "base/mem.h"
#include "protobuf_wire.h"

enum { SPANS_MAX = 4096, CUSTOM_VALUES_MAX = HISTOGRAM_BUCKETS_MAX };

/* A growing array of doubles and spans in malloc memory, moved to the arena at the end. */
struct doubles {
    double *items;
    size_t count, cap;
};

struct side {
    struct histogram_span *spans;
    size_t span_count, span_cap;
    struct doubles deltas, counts;
};

static int add_double(struct doubles *list, double value)
{
    int status = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
        sizeof(*list->items), HISTOGRAM_BUCKETS_MAX);
    if (status == 0) {
        list->items[list->count++] = value;
    }
    return status;
}

/* One double, or a packed run of them. */
static int add_doubles(struct doubles *list, const struct protobuf_field *f)
{
    if (f->type == PROTOBUF_FIXED64) {
        return add_double(list, double_from_bits(f->value));
    }
    if (f->type != PROTOBUF_BYTES || f->bytes.len % 8 != 0) {
        return ERR_CORRUPT;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < f->bytes.len; i += 8) {
        status = add_double(list, double_from_bits(get_le64((const uint8_t *)f->bytes.ptr + i)));
    }
    return status;
}

/* One zigzag varint, or a packed run of them; kept as doubles, exact up to 2^53. */
static int add_deltas(struct doubles *list, const struct protobuf_field *f)
{
    if (f->type == PROTOBUF_VARINT) {
        return add_double(list, (double)zigzag_decode(f->value));
    }
    if (f->type != PROTOBUF_BYTES) {
        return ERR_CORRUPT;
    }
    struct decbuf in = decbuf_of(f->bytes.ptr, f->bytes.len);
    int status = 0;
    while (status == 0 && in.p < in.end) {
        status = add_double(list, (double)decbuf_svarint(&in));
    }
    return in.failed ? ERR_CORRUPT : status;
}

static int add_span(struct side *side, const struct protobuf_field *f)
{
    if (f->type != PROTOBUF_BYTES) {
        return ERR_CORRUPT;
    }
    int status = mem_array_grow((void **)&side->spans, &side->span_cap, side->span_count + 1,
        sizeof(*side->spans), SPANS_MAX);
    if (status != 0) {
        return status;
    }
    struct histogram_span span = {0, 0};
    struct decbuf in = decbuf_of(f->bytes.ptr, f->bytes.len);
    struct protobuf_field part;
    while (protobuf_next(&in, &part)) {
        if (protobuf_is(&part, 1, PROTOBUF_VARINT)) {
            span.offset = (int32_t)zigzag_decode((uint32_t)part.value);
        } else if (protobuf_is(&part, 2, PROTOBUF_VARINT)) {
            span.length = (uint32_t)part.value;
        }
    }
    side->spans[side->span_count++] = span;
    return in.failed ? ERR_CORRUPT : 0;
}

struct draft {
    struct histogram h;
    int64_t t_ms;
    struct side positive, negative;
    struct doubles custom;
};

static int read_scalar(struct draft *draft, const struct protobuf_field *f)
{
    struct histogram *h = &draft->h;
    bool fixed = f->type == PROTOBUF_FIXED64, varint = f->type == PROTOBUF_VARINT;
    switch (f->number) {
    case 1:
        h->integer = true;
        h->count = (double)f->value;
        return varint ? 0 : ERR_CORRUPT;
    case 2:
        h->count = double_from_bits(f->value);
        return fixed ? 0 : ERR_CORRUPT;
    case 3:
        h->sum = double_from_bits(f->value);
        return fixed ? 0 : ERR_CORRUPT;
    case 4:
        h->schema = (int32_t)zigzag_decode((uint32_t)f->value);
        return varint ? 0 : ERR_CORRUPT;
    case 5:
        h->zero_threshold = double_from_bits(f->value);
        return fixed ? 0 : ERR_CORRUPT;
    case 6:
        h->integer = true;
        h->zero_count = (double)f->value;
        return varint ? 0 : ERR_CORRUPT;
    case 7:
        h->zero_count = double_from_bits(f->value);
        return fixed ? 0 : ERR_CORRUPT;
    case 14:
        h->reset_hint = f->value <= HISTOGRAM_GAUGE ? (enum histogram_reset_hint)f->value
                                                    : HISTOGRAM_RESET_UNKNOWN;
        return varint ? 0 : ERR_CORRUPT;
    case 15:
        draft->t_ms = (int64_t)f->value;
        return varint ? 0 : ERR_CORRUPT;
    default:
        return 0;
    }
}

static int read_field(struct draft *draft, const struct protobuf_field *f)
{
    switch (f->number) {
    case 8:
        return add_span(&draft->negative, f);
    case 9:
        return add_deltas(&draft->negative.deltas, f);
    case 10:
        return add_doubles(&draft->negative.counts, f);
    case 11:
        return add_span(&draft->positive, f);
    case 12:
        return add_deltas(&draft->positive.deltas, f);
    case 13:
        return add_doubles(&draft->positive.counts, f);
    case 16:
        return add_doubles(&draft->custom, f);
    default:
        return read_scalar(draft, f);
    }
}

/* Deltas become absolute counts; both lists at once make no sense. */
static int finish_side(struct side *side, struct arena *arena, struct histogram_buckets *out)
{
    if (side->deltas.count > 0 && side->counts.count > 0) {
        return ERR_CORRUPT;
    }
    struct doubles *list = side->deltas.count > 0 ? &side->deltas : &side->counts;
    for (size_t i = 1; list == &side->deltas && i < list->count; i++) {
        list->items[i] += list->items[i - 1];
    }
    out->spans = arena_dup(arena, side->spans, side->span_count * sizeof(*side->spans));
    out->span_count = side->span_count;
    out->counts = arena_dup(arena, list->items, list->count * sizeof(*list->items));
    out->count = list->count;
    return out->spans == NULL || out->counts == NULL ? arena_error(arena) : 0;
}

static int finish(
    struct draft *draft, struct arena *arena, struct remote_write_histogram *histogram_out)
{
    struct histogram *h = &draft->h;
    int status = finish_side(&draft->positive, arena, &h->positive);
    if (status == 0) {
        status = finish_side(&draft->negative, arena, &h->negative);
    }
    if (status != 0) {
        return status;
    }
    h->custom_values =
        arena_dup(arena, draft->custom.items, draft->custom.count * sizeof(*draft->custom.items));
    h->custom_count = draft->custom.count;
    struct histogram *kept = arena_dup(arena, h, sizeof(*h));
    if (h->custom_values == NULL || kept == NULL) {
        return arena_error(arena);
    }
    *histogram_out = (struct remote_write_histogram){draft->t_ms, kept};
    return 0;
}

static void draft_release(struct draft *draft)
{
    mem_free(draft->positive.spans);
    mem_free(draft->positive.deltas.items);
    mem_free(draft->positive.counts.items);
    mem_free(draft->negative.spans);
    mem_free(draft->negative.deltas.items);
    mem_free(draft->negative.counts.items);
    mem_free(draft->custom.items);
}

int remote_write_decode_histogram(
    struct str bytes, struct arena *arena, struct remote_write_histogram *histogram_out)
{
    struct draft draft = {0};
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        status = read_field(&draft, &f);
    }
    if (status == 0) {
        status = in.failed ? ERR_CORRUPT : finish(&draft, arena, histogram_out);
    }
    draft_release(&draft);
    return status;
}
