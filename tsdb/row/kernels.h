/* The inner loops of the room, in a portable form, one for AVX2 and one for AVX-512, chosen at run
 * time.
 *
 * All give the same bits for every input, garbage included; test_row_kernels.c compares them. The
 * tables are read-only; each call of row_kernels() costs two loads and a test.
 */
#ifndef SONDE_ROW_KERNELS_H
#define SONDE_ROW_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row/decimal.h"

/* Bytes past the last value that `unpack` may read. */
#define UNPACK_OVERREAD 32
/* Widest values that unpack into 32-bit lanes: seven bits of misalignment beside them. */
#define NARROW_BITS_MAX 25
/* Residuals of at most so many bits can be summed eight at a time in 32-bit lanes. */
#define NARROW_SUM_BITS 27
/* Widths of a miniblock: bytes, padded with zeros. */
#define KERNEL_WIDTHS 128
#define KERNEL_WIDTHS_STEP 32
#define KERNEL_WIDEST 64

/* What one look at a column says. */
struct column_scan {
    bool varies; /* some value differs from the first, to the bit */
    bool stale;  /* some value is a stale marker */
};

struct row_kernels {
    const char *name;

    /* `count` values of `width` bits as bitpack.h packs them: width 1..57, or 1..NARROW_BITS_MAX. */
    void (*unpack)(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out);
    void (*unpack_narrow)(const uint8_t *bytes, size_t count, unsigned width, uint32_t *values_out);
    /* From 32-bit residuals below 2^NARROW_SUM_BITS: out[i] = values[i] + base, and as below. The
     * sums return the last one, `start` where there is none. */
    void (*add_narrow)(const uint32_t *values, size_t count, int64_t base, int64_t *out);
    int64_t (*accumulate_narrow)(
        const uint32_t *values, size_t count, int64_t start, int64_t step, int64_t *out);
    int64_t (*accumulate_zigzag_narrow)(
        const uint32_t *values, size_t count, int64_t start, int64_t *out);
    /* values[i] += base */
    void (*add)(int64_t *values, size_t count, int64_t base);
    /* values[i] = start + the sum of values[0..i] + (i + 1) * step */
    void (*accumulate)(int64_t *values, size_t count, int64_t start, int64_t step);
    /* The same with zigzag_decode(values[i]), and no step. */
    void (*accumulate_zigzag)(int64_t *values, size_t count, int64_t start);
    /* number_map_apply, for all mappings but bits. */
    void (*to_doubles)(
        const struct number_map *map, const int64_t *integers, size_t count, double *values_out);

    void (*fill)(double *values_out, size_t count, double value);

    struct column_scan (*scan)(const double *values, size_t count);
    /* Integers of `values` at an exponent (0..12) and method. Returns how many from the first on
     * are exact; integers after those are not set. */
    size_t (*to_integers)(const double *values, size_t count, unsigned method, unsigned exponent,
        int64_t *integers_out);
    /* The smallest value; count > 0. */
    int64_t (*minimum)(const int64_t *values, size_t count);
    /* out[i] = values[i] - base */
    void (*subtract)(const int64_t *values, size_t count, int64_t base, uint64_t *out);
    /* steps[i] = values[i + 1] - values[i], count - 1 of them. Returns how many are not zero. */
    size_t (*steps)(const int64_t *values, size_t count, int64_t *steps_out);
    /* out[i] = zigzag_encode(values[i]) */
    void (*zigzag)(const int64_t *values, size_t count, uint64_t *out);
    /* The bits of each of at most KERNEL_WIDTHS values, in any order; the rest of `widths_out` is
     * zeroed up to a multiple of KERNEL_WIDTHS_STEP. Returns their sum. */
    unsigned (*widths)(const uint64_t *values, size_t count, uint8_t *widths_out);
    /* Returns the largest of `count` widths, as `widths` left them, and how many exceed each smaller
     * one: entry w of `wider_out` (KERNEL_WIDEST entries) for w from 0 up to the largest, excluded. */
    unsigned (*count_wider)(const uint8_t *widths, size_t count, uint8_t *wider_out);
    /* The bits in which some value differs from the first by subtraction, or-ed. */
    uint64_t (*differing_bits)(const int64_t *values, size_t count);
};

/* The fastest this machine can run. */
const struct row_kernels *row_kernels(void);
const struct row_kernels *row_kernels_portable(void);
/* NULL where the machine has no AVX2, FMA and BMI2. */
const struct row_kernels *row_kernels_avx2(void);
/* NULL where the machine has not all of AVX-512 F, DQ, BW and VL. */
const struct row_kernels *row_kernels_avx512(void);

#endif
