/* Sums that keep what rounding loses (Neumaier's variant of Kahan's summation). The result of a sum is
 * `value + lost`. */
#ifndef SONDE_QUERY_ENGINE_KAHAN_H
#define SONDE_QUERY_ENGINE_KAHAN_H

#include <math.h>
#include <stddef.h>

#include "pairs.h"

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

/* The same for many sums at once. */
static inline void kahan_add_all(const double *terms, double *values, double *lost, size_t count)
{
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
        double_pair value = pair_load(values + i), term = pair_load(terms + i);
        double_pair sum = value + term;
        double_pair part = sum - value;
        double_pair error = (value - (sum - part)) + (term - part);
        // A difference to itself that is not 0: the sum is infinite, or NaN whatever is lost.
        pair_store(pair_masked(pair_load(lost + i) + error, sum - sum == 0), lost + i);
        pair_store(sum, values + i);
    }
    for (; i < count; i++) {
        kahan_add(terms[i], &values[i], &lost[i]);
    }
}

#endif
