/* The protobuf wire format in a few inline lines, for the hot messages. Private to base/wire.
 *
 * A field is a key (number << 3 | wire type) and a value: varint (0), 8 bytes (1), length-delimited
 * (2), 4 bytes (5). Groups (3, 4) are long dead and refused.
 */
#ifndef SONDE_WIRE_PROTOBUF_WIRE_H
#define SONDE_WIRE_PROTOBUF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str.h"
#include "base/strbuf.h"

enum protobuf_wire_type {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2,
    PROTOBUF_FIXED32 = 5,
};

struct protobuf_field {
    uint32_t number;
    enum protobuf_wire_type type;
    uint64_t value; /* varint, fixed64, fixed32 */
    struct str bytes;
};

/* Varints of one and two bytes are nearly all of them; the rest takes the checked road. */
static inline uint64_t protobuf_varint(struct decbuf *d)
{
    if (d->p < d->end && *d->p < 0x80) {
        return *d->p++;
    }
    if (d->end - d->p >= 2 && d->p[1] < 0x80) {
        uint64_t value = (uint64_t)(d->p[0] & 0x7f) | (uint64_t)d->p[1] << 7;
        d->p += 2;
        return value;
    }
    struct decbuf rest = *d; /* a copy, so that the cursor of who calls can stay in registers */
    uint64_t value = decbuf_uvarint(&rest);
    *d = rest;
    return value;
}

/* The next `size` bytes; empty, and the cursor fails, when there are fewer. */
static inline struct str protobuf_bytes(struct decbuf *d, uint64_t size)
{
    d->failed = d->failed || size > decbuf_left(d);
    size = d->failed ? 0 : size;
    struct str bytes = str_make((const char *)d->p, (size_t)size);
    d->p += size;
    return bytes;
}

/* Reads one field; what its type has none of is zero. False at the end of the input or, with d->failed set, on malformed bytes. */
static inline bool protobuf_next(struct decbuf *d, struct protobuf_field *field)
{
    if (d->failed || d->p == d->end) {
        return false;
    }
    uint64_t key = protobuf_varint(d);
    field->number = (uint32_t)(key >> 3);
    field->type = (enum protobuf_wire_type)(key & 7);
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff) {
        d->failed = true;
        return false;
    }
    field->value = 0;
    field->bytes = str_make(NULL, 0);
    switch (field->type) {
    case PROTOBUF_VARINT:
        field->value = protobuf_varint(d);
        break;
    case PROTOBUF_FIXED64: {
        struct str bytes = protobuf_bytes(d, 8);
        field->value = bytes.len == 8 ? get_le64((const uint8_t *)bytes.ptr) : 0;
        break;
    }
    case PROTOBUF_BYTES: {
        uint64_t size = protobuf_varint(d);
        field->bytes = protobuf_bytes(d, size);
        break;
    }
    case PROTOBUF_FIXED32: {
        struct str bytes = protobuf_bytes(d, 4);
        field->value = bytes.len == 4 ? get_le32((const uint8_t *)bytes.ptr) : 0;
        break;
    }
    default:
        d->failed = true;
    }
    return !d->failed;
}

/* Is this the field of that number and type? Wrong types of known numbers are malformed. */
static inline bool protobuf_is(
    const struct protobuf_field *f, uint32_t number, enum protobuf_wire_type type)
{
    return f->number == number && f->type == type;
}

static inline void protobuf_put_key(
    struct strbuf *out, uint32_t number, enum protobuf_wire_type type)
{
    strbuf_add_uvarint(out, (uint64_t)number << 3 | type);
}

static inline void protobuf_put_bytes(struct strbuf *out, uint32_t number, struct str bytes)
{
    protobuf_put_key(out, number, PROTOBUF_BYTES);
    strbuf_add_sized(out, bytes);
}

static inline void protobuf_put_varint(struct strbuf *out, uint32_t number, uint64_t value)
{
    protobuf_put_key(out, number, PROTOBUF_VARINT);
    strbuf_add_uvarint(out, value);
}

static inline void protobuf_put_double(struct strbuf *out, uint32_t number, double value)
{
    protobuf_put_key(out, number, PROTOBUF_FIXED64);
    strbuf_add_le64(out, double_bits(value));
}

#endif
