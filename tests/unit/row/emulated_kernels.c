/* The eight-lane kernels of tsdb/row compiled without AVX-512, so that any machine can test them. */
#include "emulated_kernels.h"

#define ROW_KERNELS_EMULATED
#include "../../../tsdb/row/kernels_avx512.c"

const struct row_kernels *row_kernels_emulated(void)
{
#if defined(__x86_64__)
    static struct row_kernels kernels;
    widen(&kernels, row_kernels_portable());
    return &kernels;
#else
    return NULL;
#endif
}
