/* Attributes from and to protobuf (opentelemetry/proto/common/v1/common.proto); private to base/wire.
 *
 *   KeyValue{key 1, value 2}
 *   AnyValue{string 1, bool 2, int 3, double 4, array 5, map 6, bytes 7}
 *   ArrayValue{values 1}  KeyValueList{values 1}
 */
#ifndef SONDE_WIRE_OTLP_ATTRIBUTE_H
#define SONDE_WIRE_OTLP_ATTRIBUTE_H

#include "model/span.h"
#include "protobuf_wire.h"

/* How deep arrays and maps may lie in each other. */
enum { OTLP_VALUE_DEPTH_MAX = 16 };

/* Field `number` of a message, repeated: how many there are. */
size_t otlp_count_fields(struct str message, uint32_t number);
/* An AnyValue into kind and value; kinds of later versions are empty. 0 or ERR_CORRUPT. */
int otlp_any_decode(struct str any, struct attribute *value_out);
/* A KeyValue. Texts are slices of it. 0 or ERR_CORRUPT. */
int otlp_attribute_decode(struct str pair, struct attribute *attribute_out);
/* As field `number`. */
void otlp_attribute_encode(struct strbuf *out, uint32_t number, const struct attribute *attribute);
void otlp_attributes_encode(struct strbuf *out, uint32_t number, struct attributes attributes);
/* What is behind key and length of a field of `size` bytes. */
size_t otlp_any_size(const struct attribute *value);
void otlp_any_encode(struct strbuf *out, const struct attribute *value);

/* ---- The usual form ----
 *
 * A KeyValue as everybody writes it: the key, then a value that is a string, bool, int or double, and nothing
 * else. Spans have a dozen each, so it is read here without a loop over fields. Any other form, good or
 * malformed, is for otlp_attribute_decode to judge. */

/* A size in one byte or two at *at, which moves behind it. SIZE_MAX: longer, or cut off. */
static inline size_t otlp_usual_size(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    if (end - p < 2) {
        return SIZE_MAX;
    }
    bool one = p[0] < 0x80;
    *at = p + (one ? 1 : 2);
    return one ? p[0] : p[1] < 0x80 ? (size_t)(p[0] & 0x7f) | (size_t)p[1] << 7 : SIZE_MAX;
}

/* A varint that ends where its message does. */
static inline bool otlp_usual_varint(const uint8_t *p, const uint8_t *end, int64_t *value_out)
{
    uint64_t value = 0;
    if (end - p > VARINT_MAX || (end - p == VARINT_MAX && p[VARINT_MAX - 1] > 1)) {
        return false;
    }
    for (unsigned shift = 0; p < end; shift += 7, p++) {
        value |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80) {
            *value_out = (int64_t)value;
            return p + 1 == end;
        }
    }
    return false;
}

/* False, with *attribute_out as it falls: not the usual form. */
static inline bool otlp_attribute_decode_usual(struct str pair, struct attribute *attribute_out)
{
    enum { KEY = 0x0a, VALUE = 0x12, STRING = 0x0a, BOOL = 0x10, INT = 0x18, DOUBLE = 0x21 };
    const uint8_t *p = (const uint8_t *)pair.ptr, *end = p + pair.len;
    if (pair.len < 2 || *p++ != KEY) {
        return false;
    }
    size_t size = otlp_usual_size(&p, end);
    if (size >= (size_t)(end - p) || p[size] != VALUE) {
        return false;
    }
    attribute_out->key = str_make((const char *)p, size);
    p += size + 1;
    size = otlp_usual_size(&p, end);
    if (size != (size_t)(end - p) || size == 0) {
        return false;
    }
    switch (*p++) {
    case STRING:
        if (p < end && *p == 0) { /* the empty text */
            size = 0;
            p++;
        } else {
            size = otlp_usual_size(&p, end);
        }
        attribute_out->kind = ATTRIBUTE_STRING;
        attribute_out->bytes = str_make((const char *)p, size);
        return size == (size_t)(end - p);
    case BOOL:
        attribute_out->kind = ATTRIBUTE_BOOL;
        attribute_out->boolean = p < end && *p != 0;
        return end - p == 1 && *p <= 1;
    case INT:
        attribute_out->kind = ATTRIBUTE_INT;
        return otlp_usual_varint(p, end, &attribute_out->integer);
    case DOUBLE:
        attribute_out->kind = ATTRIBUTE_DOUBLE;
        if (end - p != 8) {
            return false;
        }
        attribute_out->number = double_from_bits(get_le64(p));
        return true;
    default:
        return false;
    }
}

#endif
