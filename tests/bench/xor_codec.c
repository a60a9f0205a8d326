/* XOR coding: '0' for a value equal to the one before; '10' and the bits of the last window where the
 * difference fits it; '11', 5 bits of leading zeros, 6 bits of length - 1, and the bits otherwise. */
#include "xor_codec.h"

#include <string.h>

#include "base/bytes.h"

struct bit_writer {
    uint8_t *out;
    uint64_t pending; /* low `fill` bits, not yet written */
    unsigned fill;    /* 0..7 between calls */
};

/* Appends the low `n` bits of `v`, n <= 56, most significant first. */
static void put_bits(struct bit_writer *w, uint64_t v, unsigned n)
{
    w->pending = w->pending << n | v;
    w->fill += n;
    while (w->fill >= 8) {
        w->fill -= 8;
        *w->out++ = (uint8_t)(w->pending >> w->fill);
    }
}

static void put_wide(struct bit_writer *w, uint64_t v, unsigned n)
{
    if (n > 32) {
        put_bits(w, v >> 32 & (((uint64_t)1 << (n - 32)) - 1), n - 32);
        n = 32;
    }
    put_bits(w, n < 64 ? v & (((uint64_t)1 << n) - 1) : v, n);
}

size_t xor_encode(const double *values, size_t count, uint8_t *out)
{
    struct bit_writer w = {.out = out};
    uint64_t previous = double_bits(values[0]);
    put_wide(&w, previous, 64);
    unsigned leading = 64;
    unsigned trailing = 0;
    for (size_t i = 1; i < count; i++) {
        uint64_t bits = double_bits(values[i]);
        uint64_t x = bits ^ previous;
        previous = bits;
        if (x == 0) {
            put_bits(&w, 0, 1);
            continue;
        }
        unsigned zeros = (unsigned)__builtin_clzll(x);
        unsigned tail = (unsigned)__builtin_ctzll(x);
        zeros = zeros < 31 ? zeros : 31;
        if (leading <= 31 && zeros >= leading && tail >= trailing) {
            put_bits(&w, 2, 2);
        } else {
            leading = zeros;
            trailing = tail;
            put_bits(&w, (uint64_t)3 << 11 | leading << 6 | (64 - leading - trailing - 1), 13);
        }
        put_wide(&w, x >> trailing, 64 - leading - trailing);
    }
    if (w.fill > 0) {
        put_bits(&w, 0, 8 - w.fill);
    }
    return (size_t)(w.out - out);
}

struct bit_reader {
    const uint8_t *in;
    size_t at; /* in bits */
};

/* n <= 57, and eight bytes are readable. */
static uint64_t get_bits(struct bit_reader *r, unsigned n)
{
    uint64_t word;
    memcpy(&word, r->in + r->at / 8, sizeof(word));
    word = __builtin_bswap64(word) << (r->at % 8);
    r->at += n;
    return n == 0 ? 0 : word >> (64 - n);
}

static uint64_t get_wide(struct bit_reader *r, unsigned n)
{
    uint64_t high = n > 32 ? get_bits(r, n - 32) : 0;
    unsigned low = n > 32 ? 32 : n;
    return high << low | get_bits(r, low);
}

void xor_decode(const uint8_t *bytes, size_t count, double *values_out)
{
    struct bit_reader r = {.in = bytes};
    uint64_t value = get_wide(&r, 64);
    unsigned leading = 0;
    unsigned trailing = 0;
    values_out[0] = double_from_bits(value);
    for (size_t i = 1; i < count; i++) {
        if (get_bits(&r, 1) != 0) {
            if (get_bits(&r, 1) != 0) {
                leading = (unsigned)get_bits(&r, 5);
                trailing = 64 - leading - ((unsigned)get_bits(&r, 6) + 1);
            }
            value ^= get_wide(&r, 64 - leading - trailing) << trailing;
        }
        values_out[i] = double_from_bits(value);
    }
}
