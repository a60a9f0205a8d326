/* The appending encoders and the bounded cursor that reads what they wrote. */
#include "base/bytes.h"

void strbuf_add_le16(struct strbuf *b, uint16_t v)
{
    uint8_t bytes[2];
    put_le16(bytes, v);
    strbuf_add(b, bytes, sizeof(bytes));
}

void strbuf_add_le32(struct strbuf *b, uint32_t v)
{
    uint8_t bytes[4];
    put_le32(bytes, v);
    strbuf_add(b, bytes, sizeof(bytes));
}

void strbuf_add_le64(struct strbuf *b, uint64_t v)
{
    uint8_t bytes[8];
    put_le64(bytes, v);
    strbuf_add(b, bytes, sizeof(bytes));
}

void strbuf_add_uvarint(struct strbuf *b, uint64_t v)
{
    if (b->error == 0 && b->cap > b->size + VARINT_MAX) {
        b->size += put_uvarint((uint8_t *)b->data + b->size, v);
        b->data[b->size] = '\0';
        return;
    }
    uint8_t bytes[VARINT_MAX];
    strbuf_add(b, bytes, put_uvarint(bytes, v));
}

void strbuf_add_svarint(struct strbuf *b, int64_t v)
{
    strbuf_add_uvarint(b, zigzag_encode(v));
}

void strbuf_add_sized(struct strbuf *b, struct str s)
{
    strbuf_add_uvarint(b, s.len);
    strbuf_add_str(b, s);
}

/* True when `size` more bytes are there; otherwise the cursor fails and stays at its end. */
static bool take(struct decbuf *d, uint64_t size)
{
    if (d->failed || size > decbuf_left(d)) {
        d->failed = true;
        d->p = d->end;
        return false;
    }
    return true;
}

uint8_t decbuf_u8(struct decbuf *d)
{
    return take(d, 1) ? *d->p++ : 0;
}

uint16_t decbuf_le16(struct decbuf *d)
{
    if (!take(d, 2)) {
        return 0;
    }
    d->p += 2;
    return get_le16(d->p - 2);
}

uint32_t decbuf_le32(struct decbuf *d)
{
    if (!take(d, 4)) {
        return 0;
    }
    d->p += 4;
    return get_le32(d->p - 4);
}

uint64_t decbuf_le64(struct decbuf *d)
{
    if (!take(d, 8)) {
        return 0;
    }
    d->p += 8;
    return get_le64(d->p - 8);
}

uint64_t decbuf_uvarint(struct decbuf *d)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!take(d, 1)) {
            return 0;
        }
        uint8_t byte = *d->p++;
        if (shift == 63 && byte > 1) {
            break; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    d->failed = true;
    d->p = d->end;
    return 0;
}

int64_t decbuf_svarint(struct decbuf *d)
{
    return zigzag_decode(decbuf_uvarint(d));
}

struct str decbuf_bytes(struct decbuf *d, uint64_t size)
{
    if (!take(d, size)) {
        return (struct str){NULL, 0};
    }
    struct str s = {(const char *)d->p, (size_t)size};
    d->p += size;
    return s;
}

struct str decbuf_sized(struct decbuf *d)
{
    uint64_t size = decbuf_uvarint(d);
    return decbuf_bytes(d, size);
}
