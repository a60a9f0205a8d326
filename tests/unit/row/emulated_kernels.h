/* The eight-lane kernels of tsdb/row on a machine without AVX-512; what is not of eight lanes is
 * portable. NULL on other architectures. */
#ifndef SONDE_TESTS_EMULATED_KERNELS_H
#define SONDE_TESTS_EMULATED_KERNELS_H

#include "row/kernels.h"

const struct row_kernels *row_kernels_emulated(void);

#endif
