/* Hashes and checksums: the wrapper of xxHash (XXH3). The one file that includes it is
 * base/base/hash.c (MD5 and HMAC are nettle's, in hash_nettle.c). All results are the same
 * on every machine.
 */
#ifndef SONDE_BASE_HASH_H
#define SONDE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* On disk and in identities that must be stable: seed 0. In tables fed by strangers: a random seed,
 * from hash_seed_random. */
uint64_t hash64(const void *bytes, size_t size, uint64_t seed);

struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* Wide enough to stand for the bytes themselves (collisions are not expected in the life of the
 * universe, given a secret seed). */
struct hash128 hash128(const void *bytes, size_t size, uint64_t seed);

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

/* The checksum of every record, run and section on disk: the low 32 bits of XXH3-64 with seed 0. */
uint32_t checksum32(const void *bytes, size_t size);

/* MD5, for formats that prescribe it (relabelling's hashmod). No protection against anybody. */
#define HASH_MD5_SIZE 16
void hash_md5(const void *bytes, size_t size, uint8_t sum_out[HASH_MD5_SIZE]);

/* HMAC-SHA256 (RFC 2104) of the parts one after the other: signatures. */
#define HASH_SHA256_SIZE 32
void hash_hmac_sha256(
    struct str key, const struct str *parts, size_t count, uint8_t sum_out[HASH_SHA256_SIZE]);

/* A cheap bijective mixer for integers used as keys. */
static inline uint64_t hash_mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
}

/* From the kernel's entropy. */
uint64_t hash_seed_random(void);

#endif
