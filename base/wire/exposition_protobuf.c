/* Writing the protobuf exposition format (io.prometheus.client, as /federate gives it to who asks):
 *
 *   MetricFamily{name 1, help 2, type 3, metric 4}
 *   Metric{label 1{name 1, value 2}, untyped 5{value 1}, timestamp_ms 6, histogram 7}
 *   Histogram{count 1 u64, sum 2, count_float 4, schema 5, zero_threshold 6, zero_count 7 u64,
 *             zero_count_float 8, negative_span 9, negative_delta 10, negative_count 11,
 *             positive_span 12, positive_delta 13, positive_count 14}
 *   BucketSpan{offset 1 sint32, length 2 u32}
 */
#include "protobuf_wire.h"
#include "wire/exposition.h"

static void put_label(struct strbuf *out, struct str name, struct str value)
{
    size_t size = 1 + uvarint_size(name.len) + name.len + 1 + uvarint_size(value.len) + value.len;
    protobuf_put_key(out, 1, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    protobuf_put_bytes(out, 1, name);
    protobuf_put_bytes(out, 2, value);
}

/* Spans as field `field`, counts as doubles as `field + 2`: every count is one exactly. */
static void put_side(uint32_t field, const struct histogram_buckets *side, struct strbuf *out)
{
    for (size_t i = 0; i < side->span_count; i++) {
        uint64_t offset = zigzag_encode(side->spans[i].offset);
        protobuf_put_key(out, field, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, 2 + uvarint_size(offset) + uvarint_size(side->spans[i].length));
        protobuf_put_varint(out, 1, offset);
        protobuf_put_varint(out, 2, side->spans[i].length);
    }
    if (side->count > 0) {
        protobuf_put_key(out, field + 2, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, 8 * side->count);
        for (size_t i = 0; i < side->count; i++) {
            strbuf_add_le64(out, double_bits(side->counts[i]));
        }
    }
}

static void put_histogram(const struct histogram *h, struct strbuf *out)
{
    protobuf_put_double(out, 2, h->sum);
    protobuf_put_double(out, 4, h->count);
    protobuf_put_varint(out, 5, zigzag_encode(h->schema));
    protobuf_put_double(out, 6, h->zero_threshold);
    protobuf_put_double(out, 8, h->zero_count);
    put_side(9, &h->negative, out);
    put_side(12, &h->positive, out);
}

void exposition_protobuf_metric(const struct label *labels, size_t label_count, double value,
    const struct histogram *histogram, int64_t t_ms, struct strbuf *scratch, struct strbuf *out)
{
    struct strbuf inner = STRBUF_INIT;
    strbuf_reset(scratch);
    for (size_t i = 0; i < label_count; i++) {
        put_label(scratch, labels[i].name, labels[i].value);
    }
    if (histogram != NULL) {
        put_histogram(histogram, &inner);
        protobuf_put_bytes(scratch, 7, strbuf_str(&inner));
    } else {
        protobuf_put_double(&inner, 1, value);
        protobuf_put_bytes(scratch, 5, strbuf_str(&inner));
    }
    protobuf_put_varint(scratch, 6, (uint64_t)t_ms);
    int status = strbuf_error(&inner) != 0 ? strbuf_error(&inner) : strbuf_error(scratch);
    if (status != 0) {
        out->error = status;
    } else {
        protobuf_put_bytes(out, 4, strbuf_str(scratch));
    }
    strbuf_release(&inner);
}

void exposition_protobuf_family(
    struct str name, enum exposition_family type, struct str metrics, struct strbuf *out)
{
    strbuf_add_uvarint(out, 1 + uvarint_size(name.len) + name.len + 2 + metrics.len);
    protobuf_put_bytes(out, 1, name);
    protobuf_put_varint(out, 3, (uint64_t)type);
    strbuf_add_str(out, metrics);
}
