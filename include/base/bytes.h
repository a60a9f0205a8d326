/* Byte order, varints, and a bounded cursor over untrusted bytes.
 *
 * Every number on disk is little-endian. Decoders walk a `struct decbuf`: it never reads past its
 * end, and the first violation sticks, so a decoder checks once at the end of a record.
 */
#ifndef SONDE_BASE_BYTES_H
#define SONDE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/strbuf.h"

static inline void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, (uint16_t)v);
    put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return (uint64_t)get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

/* The bits of a double and back; the only place where the two meet. */
static inline uint64_t double_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static inline double double_from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline uint64_t zigzag_encode(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t zigzag_decode(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* LEB128 as in protobuf: 7 bits a byte, low first, at most VARINT_MAX bytes. */
#define VARINT_MAX 10

/* Writes `v` at `p` (which has VARINT_MAX bytes) and returns how many bytes it took. */
static inline size_t put_uvarint(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

static inline size_t uvarint_size(uint64_t v)
{
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

/* Appending forms for encoders; errors stick in the buffer. */
void strbuf_add_le16(struct strbuf *b, uint16_t v);
void strbuf_add_le32(struct strbuf *b, uint32_t v);
void strbuf_add_le64(struct strbuf *b, uint64_t v);
void strbuf_add_uvarint(struct strbuf *b, uint64_t v);
void strbuf_add_svarint(struct strbuf *b, int64_t v);
/* uvarint length, then the bytes. */
void strbuf_add_sized(struct strbuf *b, struct str s);

struct decbuf {
    const uint8_t *p;
    const uint8_t *end;
    bool failed; /* sticky: a read went past the end or a varint was malformed */
};

static inline struct decbuf decbuf_of(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    return (struct decbuf){p, p ? p + size : p, false};
}

static inline size_t decbuf_left(const struct decbuf *d)
{
    return (size_t)(d->end - d->p);
}

/* Each returns 0 (or an empty slice) once the cursor has failed. */
uint8_t decbuf_u8(struct decbuf *d);
uint16_t decbuf_le16(struct decbuf *d);
uint32_t decbuf_le32(struct decbuf *d);
uint64_t decbuf_le64(struct decbuf *d);
uint64_t decbuf_uvarint(struct decbuf *d);
int64_t decbuf_svarint(struct decbuf *d);
/* `size` bytes of the input, borrowed. */
struct str decbuf_bytes(struct decbuf *d, uint64_t size);
/* uvarint length, then that many bytes, borrowed. */
struct str decbuf_sized(struct decbuf *d);

#endif
