/* Numbers with the highest byte first, as Prometheus' files have them; ours are little-endian
 * (base/bytes.h). */
#ifndef SONDE_BLOCK_BIG_ENDIAN_H
#define SONDE_BLOCK_BIG_ENDIAN_H

#include "base/bytes.h"

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return __builtin_bswap32(get_le32(p));
}

static inline uint64_t get_be64(const uint8_t *p)
{
    return __builtin_bswap64(get_le64(p));
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
    put_le32(p, __builtin_bswap32(v));
}

static inline void strbuf_add_be32(struct strbuf *b, uint32_t v)
{
    strbuf_add_le32(b, __builtin_bswap32(v));
}

static inline void strbuf_add_be64(struct strbuf *b, uint64_t v)
{
    strbuf_add_le64(b, __builtin_bswap64(v));
}

static inline uint32_t decbuf_be32(struct decbuf *d)
{
    return __builtin_bswap32(decbuf_le32(d));
}

static inline uint64_t decbuf_be64(struct decbuf *d)
{
    return __builtin_bswap64(decbuf_le64(d));
}

#endif
