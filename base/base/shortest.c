/* Doubles to their shortest digits, by Schubfach (Raffaello Giulietti, "The Schubfach way to render
 * doubles", 2020).
 *
 * All decimals of one exponent k that read back to a double v lie in an interval around v which is at
 * least as long as 10^k and shorter than ten times that. So it holds at least one multiple of 10^k and at
 * most one of 10^(k+1): if there is one of the latter, it is shorter; else one of the two multiples of
 * 10^k beside v is nearest. Three products of 64 by 128 bits tell: v and both ends of the interval, times
 * 10^-k, in quarters, with a sticky last bit. No loop over digits, no case that has to start over.
 */
#include "shortest.h"

#include <stdbool.h>

#include "base/bytes.h"

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1075
#define EXPONENT_MASK 0x7ff

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* floor(log10(2^e)), and of three quarters of it for the doubles whose lower neighbour is nearer. */
static int floor_log10_pow2(int e)
{
    return (int)((int64_t)e * 1262611 >> 22);
}

static int floor_log10_three_quarters_pow2(int e)
{
    return (int)(((int64_t)e * 1262611 - 524031) >> 22);
}

static int floor_log2_pow10(int e)
{
    return (int)((int64_t)e * 1741647 >> 19);
}

/* The upper 64 of the 192 bits of g * c; the last bit says whether anything is below it. */
static uint64_t round_to_odd(struct power_of_ten g, uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g.low * c;
    unsigned __int128 sum = (unsigned __int128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

/* c * 2^q, with the interval of what rounds to it. */
static struct decimal shortest(uint64_t c, int q, bool lower_is_nearer)
{
    bool ends_belong = (c & 1) == 0; // ties go to even
    uint64_t low = 4 * c - 2 + lower_is_nearer, middle = 4 * c, high = 4 * c + 2;
    int k = lower_is_nearer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int shift = q + floor_log2_pow10(-k) + 1;
    struct power_of_ten g = powers_of_ten[-k - POWERS_OF_TEN_MIN];
    uint64_t lower = round_to_odd(g, low << shift) + !ends_belong;
    uint64_t value = round_to_odd(g, middle << shift);
    uint64_t upper = round_to_odd(g, high << shift) - !ends_belong;
    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            return (struct decimal){tens + above, k + 1};
        }
    }
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) {
        return (struct decimal){s + above, k};
    }
    uint64_t half = 4 * s + 2;
    bool up = value > half || (value == half && (s & 1) != 0);
    return (struct decimal){s + up, k};
}

static struct decimal decimal_of(double value)
{
    uint64_t bits = double_bits(value);
    uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1);
    int exponent = (int)(bits >> FRACTION_BITS & EXPONENT_MASK);
    if (exponent == 0) {
        return shortest(fraction, 1 - EXPONENT_BIAS, false);
    }
    uint64_t c = (uint64_t)1 << FRACTION_BITS | fraction;
    return shortest(c, exponent - EXPONENT_BIAS, fraction == 0 && exponent > 1);
}

int shortest_digits(double value, char *digits, int *point_out)
{
    struct decimal d = decimal_of(value);
    if (d.digits % 100000000 == 0) { // short decimals leave many zeros
        d.digits /= 100000000;
        d.exponent += 8;
    }
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    char reversed[SHORTEST_DIGITS_MAX + 3];
    char *p = reversed + sizeof(reversed);
    while (d.digits >= 100) {
        const char *pair = pairs + 2 * (d.digits % 100);
        d.digits /= 100;
        *--p = pair[1];
        *--p = pair[0];
    }
    if (d.digits >= 10) {
        *--p = pairs[2 * d.digits + 1];
        *--p = pairs[2 * d.digits];
    } else {
        *--p = (char)('0' + d.digits);
    }
    int count = (int)(reversed + sizeof(reversed) - p);
    for (int i = 0; i < count; i++) {
        digits[i] = p[i];
    }
    *point_out = count + d.exponent;
    return count;
}
