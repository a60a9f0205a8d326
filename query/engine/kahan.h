/* Sums that keep what rounding loses (Neumaier's variant of Kahan's summation). The result of a sum is
 * `value + lost`. */
#ifndef SONDE_QUERY_ENGINE_KAHAN_H
#define SONDE_QUERY_ENGINE_KAHAN_H

#include <math.h>

/* Adds `term`. What rounding loses is found without asking which of the two is greater (Knuth): windows
 * mix magnitudes, and a branch would be guessed wrong. A sum that overflows keeps no loss, so that it
 * stays infinite and not NaN. */
static inline void kahan_add(double term, double *value, double *lost)
{
    double sum = *value + term;
    double part = sum - *value;
    double error = (*value - (sum - part)) + (term - part);
    *lost = isinf(sum) ? 0 : *lost + error;
    *value = sum;
}

#endif
