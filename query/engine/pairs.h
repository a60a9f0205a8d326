/* Two doubles at a time, for loops that compilers do not make vectors of on their own. Written with the
 * vector types that gcc and clang share; every x86-64 and ARM64 processor has registers of this size. */
#ifndef SONDE_QUERY_ENGINE_PAIRS_H
#define SONDE_QUERY_ENGINE_PAIRS_H

#include <stdint.h>
#include <string.h>

typedef double double_pair __attribute__((vector_size(16)));
/* What a comparison gives: all bits set where it holds. */
typedef int64_t mask_pair __attribute__((vector_size(16)));

static inline double_pair pair_load(const double *from)
{
    double_pair pair;
    memcpy(&pair, from, sizeof(pair));
    return pair;
}

static inline void pair_store(double_pair pair, double *to)
{
    memcpy(to, &pair, sizeof(pair));
}

/* Those of the pair where the mask is set, 0 elsewhere. */
static inline double_pair pair_masked(double_pair pair, mask_pair mask)
{
    return (double_pair)((mask_pair)pair & mask);
}

#endif
