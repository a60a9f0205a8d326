/* The seed of a run and the random stream from it. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t test_seed(void)
{
    static uint64_t seed;
    if (seed == 0) {
        const char *text = getenv("SONDE_SEED");
        seed = text != NULL ? strtoull(text, NULL, 10) : 1;
        seed = seed != 0 ? seed : 1;
        printf("seed %llu (repeat with SONDE_SEED)\n", (unsigned long long)seed);
    }
    return seed;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
