/* Remote write 1.0, writing: series, samples, metadata. Sizes are known before bytes are written, so
 * nothing is moved afterwards. */
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

void remote_write_encode_series(
    struct str labels_bytes, const struct sample *samples, size_t sample_count, struct strbuf *out)
{
    size_t size = labels_bytes.len;
    for (size_t i = 0; i < sample_count; i++) {
        size_t inner = sample_size(&samples[i]);
        size += 1 + uvarint_size(inner) + inner;
    }
    protobuf_put_key(out, 1, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    strbuf_add_str(out, labels_bytes);
    for (size_t i = 0; i < sample_count; i++) {
        protobuf_put_key(out, 2, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, sample_size(&samples[i]));
        protobuf_put_double(out, 1, samples[i].value);
        protobuf_put_varint(out, 2, (uint64_t)samples[i].t_ms);
    }
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
