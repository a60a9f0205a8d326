/* Is a trace perhaps in a page? A Bloom filter of trace ids: 16 bits a trace and eight probes, so that one
 * in 1700 absent ids is looked for in vain: ten million spans are some 1200 pages, all of which are asked. Ids come from strangers, so they are mixed first. */
#ifndef SONDE_TSDB_TRACE_BLOOM_H
#define SONDE_TSDB_TRACE_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"
#include "model/span.h"

enum { TRACE_BLOOM_BITS = 16, TRACE_BLOOM_PROBES = 8 };

/* Bytes of a filter for so many traces; at least 8. */
static inline size_t trace_bloom_size(size_t traces)
{
    return (traces * TRACE_BLOOM_BITS + 63) / 64 * 8 + (traces == 0) * 8;
}

static inline uint64_t trace_bloom_bit(struct trace_id id, unsigned probe, size_t size)
{
    uint64_t a = hash_mix64(id.low ^ 0x9e3779b97f4a7c15u), b = hash_mix64(id.high + id.low) | 1;
    return (a + probe * b) % ((uint64_t)size * 8);
}

static inline void trace_bloom_add(uint8_t *filter, size_t size, struct trace_id id)
{
    for (unsigned i = 0; i < TRACE_BLOOM_PROBES; i++) {
        uint64_t bit = trace_bloom_bit(id, i, size);
        filter[bit / 8] = (uint8_t)(filter[bit / 8] | 1u << bit % 8);
    }
}

static inline bool trace_bloom_has(struct str filter, struct trace_id id)
{
    for (unsigned i = 0; i < TRACE_BLOOM_PROBES; i++) {
        uint64_t bit = trace_bloom_bit(id, i, filter.len);
        if (((uint8_t)filter.ptr[bit / 8] >> bit % 8 & 1) == 0) {
            return false;
        }
    }
    return true;
}

#endif
