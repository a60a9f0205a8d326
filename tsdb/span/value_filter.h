/* Does a page perhaps have this value of this attribute? A Bloom filter of hashes of (key, value): of every
 * attribute of its spans, their resources, events and links, and of their names (key SPAN_WANT_NAME).
 *
 *   filter     = bits checksum
 *   bits         10 for each different hash, a multiple of 8 bytes; six are set for a hash h: those numbered
 *                (h + i * d) modulo their count, i = 0 … 5, d = mix64(h) | 1
 *   checksum     checksum32 of the bits, little-endian
 *
 * The hash of a pair mixes that of its key (hash64, seed 0) with its value: of a text hash64 with seed 1, of an
 * integer itself; other kinds of values are one value, VALUE_FILTER_OTHER: whoever asks for a text has to ask
 * for that, too, since it may be the text of a number or of a list.
 */
#ifndef SONDE_TSDB_VALUE_FILTER_H
#define SONDE_TSDB_VALUE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

enum { VALUE_FILTER_BITS = 10, VALUE_FILTER_PROBES = 6, VALUE_FILTER_CHECKSUM = 4 };
#define VALUE_FILTER_OTHER UINT64_C(0x6f74686572000000)

static inline uint64_t value_filter_key(struct str key)
{
    return hash64(key.ptr, key.len, 0);
}

static inline uint64_t value_filter_text(uint64_t key, struct str text)
{
    return hash_mix64(key ^ hash64(text.ptr, text.len, 1));
}

static inline uint64_t value_filter_integer(uint64_t key, int64_t value)
{
    return hash_mix64(key + hash_mix64((uint64_t)value));
}

static inline uint64_t value_filter_other(uint64_t key)
{
    return hash_mix64(key ^ VALUE_FILTER_OTHER);
}

/* Bytes of the bits for so many hashes; at least 8. */
static inline size_t value_filter_size(size_t hashes)
{
    return (hashes * VALUE_FILTER_BITS + 63) / 64 * 8 + (hashes == 0) * 8;
}

static inline void value_filter_add(uint8_t *bits, size_t size, uint64_t hash)
{
    uint64_t step = hash_mix64(hash) | 1;
    for (unsigned i = 0; i < VALUE_FILTER_PROBES; i++, hash += step) {
        uint64_t bit = hash % ((uint64_t)size * 8);
        bits[bit / 8] = (uint8_t)(bits[bit / 8] | 1u << bit % 8);
    }
}

static inline bool value_filter_has(struct str bits, uint64_t hash)
{
    uint64_t step = hash_mix64(hash) | 1;
    for (unsigned i = 0; i < VALUE_FILTER_PROBES; i++, hash += step) {
        uint64_t bit = hash % ((uint64_t)bits.len * 8);
        if (((uint8_t)bits.ptr[bit / 8] >> bit % 8 & 1) == 0) {
            return false;
        }
    }
    return true;
}

#endif
