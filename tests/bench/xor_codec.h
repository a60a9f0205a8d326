/* XOR coding of doubles after Gorilla (VLDB 2015, section 4.1.2): the reference that bench_row
 * compares with. Bit-serial by nature. Buffers are the caller's and trusted. */
#ifndef SONDE_TESTS_XOR_CODEC_H
#define SONDE_TESTS_XOR_CODEC_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits, then at most 2 + 5 + 6 + 64 bits a value, and room to write words. */
#define XOR_SIZE_MAX(count) (16 + 10 * (size_t)(count))

/* Returns the size. */
size_t xor_encode(const double *values, size_t count, uint8_t *out);
void xor_decode(const uint8_t *bytes, size_t count, double *values_out);

#endif
