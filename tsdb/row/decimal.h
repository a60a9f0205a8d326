/* Decimals of integers, and the mapping of a block: what the portable and the vector paths share.
 *
 * Decimals, all in doubles, r being the double nearest to 10^-e:
 *   reciprocal  q = i * r; fma(fma(-q, 10^e, i), r, q). Division in all but name: equal to i / 10^e
 *               wherever it was measured, at a third of its cost, and defined by itself, so that the
 *               encoder need not divide to check it
 *   quotient    i / 10^e
 *   product     i * r, rounded once: not the nearest double to the decimal, but what exporters store
 *               that multiply milliseconds by 0.001
 *   halves      (i / 10^(e/2)) / 10^(e/2), rounded twice
 */
#ifndef SONDE_ROW_DECIMAL_H
#define SONDE_ROW_DECIMAL_H

#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "row/column_format.h"

/* Integers of larger magnitude are not exact in a double. */
#define DECIMAL_INTEGER_MAX ((int64_t)1 << 53)

/* How the integers of a block become its doubles; number_map.h says how it is stored. */
struct number_map {
    uint8_t exponent;   /* 0..MAPPING_EXPONENT_MAX or MAPPING_BITS */
    uint8_t method;     /* enum decimal_method */
    uint64_t scale;     /* 1 = none */
    uint64_t remainder; /* less than scale */
};

/* 10^e and the doubles nearest to 10^-e, e = 0..MAPPING_EXPONENT_MAX. */
extern const double power_of_ten[MAPPING_EXPONENT_MAX + 1];
extern const double inverse_power[MAPPING_EXPONENT_MAX + 1];

/* The decimal of an integer; exponent 0 gives the integer. */
static inline double decimal_value(double integer, unsigned method, unsigned exponent)
{
    double power = power_of_ten[exponent];
    double r = inverse_power[exponent];
    switch (method) {
    case METHOD_QUOTIENT:
        return integer / power;
    case METHOD_PRODUCT:
        return integer * r;
    case METHOD_HALVES:
        return integer / power_of_ten[exponent / 2] / power_of_ten[exponent / 2];
    default:
        break;
    }
    if (exponent == 0) {
        return integer;
    }
    double q = integer * r;
    return fma(fma(-q, power, integer), r, q);
}

/* The integer whose decimal might be `value`; false when out of range or not a number. */
static inline bool decimal_nearest(double value, unsigned exponent, int64_t *integer_out)
{
    double scaled = value * power_of_ten[exponent];
    if (!(fabs(scaled) <= (double)DECIMAL_INTEGER_MAX)) {
        return false;
    }
    *integer_out = lrint(scaled);
    return true;
}

/* Whether `value` is exactly a decimal, and of which integer. */
static inline bool decimal_exact(
    double value, unsigned method, unsigned exponent, int64_t *integer_out)
{
    int64_t integer;
    if (!decimal_nearest(value, exponent, &integer) ||
        double_bits(decimal_value((double)integer, method, exponent)) != double_bits(value)) {
        return false;
    }
    *integer_out = integer;
    return true;
}

#endif
