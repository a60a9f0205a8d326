/* Sums that keep what rounding loses (Neumaier's variant of Kahan's summation). The result of a sum is
 * `value + lost`. */
#ifndef SONDE_QUERY_ENGINE_KAHAN_H
#define SONDE_QUERY_ENGINE_KAHAN_H

#include <math.h>

/* Adds `term`. A sum that overflows keeps no loss, so that it stays infinite and not NaN. */
static inline void kahan_add(double term, double *value, double *lost)
{
    double sum = *value + term;
    if (isinf(sum)) {
        *lost = 0;
    } else if (fabs(*value) >= fabs(term)) {
        *lost += (*value - sum) + term;
    } else {
        *lost += (term - sum) + *value;
    }
    *value = sum;
}

#endif
