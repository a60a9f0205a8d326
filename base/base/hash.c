/* The wrapper of xxHash; the one file that includes it. */
#include "base/hash.h"

#include <sys/random.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}

struct hash128 hash128(const void *bytes, size_t size, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, size, seed);
    return (struct hash128){h.low64, h.high64};
}

uint32_t checksum32(const void *bytes, size_t size)
{
    return (uint32_t)XXH3_64bits(bytes, size);
}

uint64_t hash_seed_random(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        /* Only before the entropy pool is ready, at early boot: any seed is better than none. */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = hash_mix64((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32);
    }
    return seed;
}
