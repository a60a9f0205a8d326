/* One decimal, as number_map.h defines its methods: shared by the portable and the vector paths. */
#ifndef SONDE_ROW_DECIMAL_H
#define SONDE_ROW_DECIMAL_H

#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "row/number_map.h"

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
    if (!(fabs(scaled) <= (double)NUMBER_MAP_INTEGER_MAX)) {
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
