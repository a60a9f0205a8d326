/* Bits, the highest of a byte first, as Prometheus' chunks are made of; and its two forms of numbers
 * that are short when small.
 *
 *   varbit, unsigned or signed: the shortest of
 *     0                      the number is 0
 *     10       and  3 bits
 *     110      and  6 bits
 *     1110     and  9 bits
 *     11110    and 12 bits
 *     111110   and 18 bits
 *     1111110  and 25 bits
 *     11111110 and 56 bits
 *     11111111 and 64 bits
 *   Signed in n bits: -(2^(n-1) - 1) .. 2^(n-1), so the one pattern that two's complement would read
 *   as -2^(n-1) stands for +2^(n-1).
 */
#ifndef SONDE_BLOCK_BIT_STREAM_H
#define SONDE_BLOCK_BIT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

/* ---- Writing: errors stick in the buffer ---- */

struct bit_writer {
    struct strbuf *out;
    uint8_t pending; /* the bits of a byte that is not full yet, at its top */
    unsigned fill;   /* 0..7 */
};

/* The low `n` bits of `v`, 0 <= n <= 64. */
void bit_writer_put(struct bit_writer *w, uint64_t v, unsigned n);
/* Fills up the last byte with zeros. */
void bit_writer_finish(struct bit_writer *w);
/* As bytes: 7 bits each, low first (LEB128); signed is zigzag. Not necessarily on a byte's edge. */
void bit_writer_put_uvarint(struct bit_writer *w, uint64_t v);
void bit_writer_put_svarint(struct bit_writer *w, int64_t v);
void bit_writer_put_varbit(struct bit_writer *w, uint64_t v);
void bit_writer_put_signed_varbit(struct bit_writer *w, int64_t v);

/* ---- Reading: never past the end; the first violation sticks, and everything after reads as 0 ---- */

struct bit_reader {
    const uint8_t *bytes;
    size_t size; /* in bits */
    size_t at;
    bool failed;
};

struct bit_reader bit_reader_of(struct str bytes);
uint64_t bit_reader_get(struct bit_reader *r, unsigned n);
uint64_t bit_reader_get_uvarint(struct bit_reader *r);
int64_t bit_reader_get_svarint(struct bit_reader *r);
uint64_t bit_reader_get_varbit(struct bit_reader *r);
int64_t bit_reader_get_signed_varbit(struct bit_reader *r);

static inline size_t bit_reader_left(const struct bit_reader *r)
{
    return r->size - r->at;
}

/* Does `v` fit the signed form of n bits? */
static inline bool fits_signed_bits(int64_t v, unsigned n)
{
    return v >= -((INT64_C(1) << (n - 1)) - 1) && v <= INT64_C(1) << (n - 1);
}

/* The number that n bits of the signed form stand for, n < 64. */
static inline int64_t signed_bits(uint64_t bits, unsigned n)
{
    return bits > UINT64_C(1) << (n - 1) ? (int64_t)bits - (INT64_C(1) << n) : (int64_t)bits;
}

/* ---- Doubles by their difference in bits to the one before (Gorilla, VLDB 2015, section 4.1.2) ----
 *
 *   0                                              the same as before
 *   10, bits                                       inside the window of the last one that was not
 *   11, 5 bits leading zeros (at most 31), 6 bits length (64 as 0), bits    in a window of its own
 */
struct xor_state {
    uint64_t bits;
    unsigned leading, trailing;
    bool has_window;
};

void xor_put(struct bit_writer *w, struct xor_state *s, double value);
double xor_get(struct bit_reader *r, struct xor_state *s);

#endif
