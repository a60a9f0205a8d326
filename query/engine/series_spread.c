/* See series_spread.h. Deviations are those of the whole population; a quantile is by linear rank.
 *
 *   range_stddev, range_stdvar, range_mad    one number for all steps that have a value
 *   range_zscore                             distance from the mean, in standard deviations
 *   range_trim_outliers(k)                   without what is farther from the median than k times range_mad
 *   range_trim_spikes(phi)                   without the share phi of the greatest and least
 *   range_trim_zscore(z)                     without what is farther from the mean than z standard deviations
 *   range_linear_regression                  the line of least squares, at all steps
 *   smooth_exponential(f)                    f of each value and 1 - f of what came before
 *   remove_resets                            a counter as if it had never begun anew
 */
#include "series_spread.h"

#include <math.h>

#include "kahan.h"
#include "range.h"

bool series_spread_knows(enum function_id id)
{
    switch (id) {
    case FUNCTION_RANGE_LINEAR_REGRESSION:
    case FUNCTION_RANGE_MAD:
    case FUNCTION_RANGE_STDDEV:
    case FUNCTION_RANGE_STDVAR:
    case FUNCTION_RANGE_TRIM_OUTLIERS:
    case FUNCTION_RANGE_TRIM_SPIKES:
    case FUNCTION_RANGE_TRIM_ZSCORE:
    case FUNCTION_RANGE_ZSCORE:
    case FUNCTION_REMOVE_RESETS:
    case FUNCTION_SMOOTH_EXPONENTIAL:
        return true;
    default:
        return false;
    }
}

static bool has_value(const struct step_series *s, size_t step)
{
    return s->kinds[step] == SAMPLE_FLOAT && !isnan(s->values[step]);
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        kahan_add(values[i], &sum, &lost);
    }
    return (sum + lost) / (double)count;
}

static double variance_of(const double *values, size_t count, double mean)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        kahan_add((values[i] - mean) * (values[i] - mean), &sum, &lost);
    }
    return (sum + lost) / (double)count;
}

/* The median of distances from the median, which is left in *median_out. */
static double median_distance(double *values, size_t count, double *median_out)
{
    *median_out = quantile_of(0.5, values, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = fabs(values[i] - *median_out);
    }
    return quantile_of(0.5, values, count);
}

static void set_all(struct step_series *s, size_t steps, double value)
{
    for (size_t i = 0; i < steps; i++) {
        s->values[i] = has_value(s, i) ? value : s->values[i];
    }
}

/* Keeps what is within [low, high]. */
static void trim(struct step_series *s, size_t step, double low, double high)
{
    if (s->values[step] < low || s->values[step] > high) {
        s->kinds[step] = SAMPLE_ABSENT;
    }
}

static void trim_outliers(
    struct step_series *s, size_t steps, double *values, size_t count, const double *parameter)
{
    double median, distance = median_distance(values, count, &median);
    for (size_t i = 0; i < steps; i++) {
        trim(s, i, median - parameter[i] * distance, median + parameter[i] * distance);
    }
}

static void trim_spikes(
    struct step_series *s, size_t steps, double *values, size_t count, const double *parameter)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < steps; i++) {
        if (i == 0 || parameter[i] != parameter[i - 1]) {
            low = quantile_of(parameter[i] / 2, values, count);
            high = quantile_of(1 - parameter[i] / 2, values, count);
        }
        trim(s, i, low, high);
    }
}

static void score(
    struct step_series *s, size_t steps, const double *values, size_t count, const double *limit)
{
    double mean = mean_of(values, count), deviation = sqrt(variance_of(values, count, mean));
    for (size_t i = 0; i < steps; i++) {
        if (limit != NULL) {
            trim(s, i, mean - limit[i] * deviation, mean + limit[i] * deviation);
        } else if (has_value(s, i)) {
            s->values[i] = (s->values[i] - mean) / deviation;
        }
    }
}

/* Steps are as far from each other, so their numbers stand for times. */
static void regress(struct step_series *s, size_t steps, double *values, size_t count)
{
    double middle = 0, covariance = 0, covariance_lost = 0, variance = 0, variance_lost = 0;
    double mean = mean_of(values, count);
    for (size_t i = 0; i < steps; i++) {
        middle += has_value(s, i) ? (double)i / (double)count : 0;
    }
    for (size_t i = 0; i < steps; i++) {
        if (has_value(s, i)) {
            double x = (double)i - middle;
            kahan_add(x * (s->values[i] - mean), &covariance, &covariance_lost);
            kahan_add(x * x, &variance, &variance_lost);
        }
    }
    double slope = count > 1 ? (covariance + covariance_lost) / (variance + variance_lost) : 0;
    for (size_t i = 0; i < steps; i++) {
        s->kinds[i] = SAMPLE_FLOAT;
        s->values[i] = mean + slope * ((double)i - middle);
    }
}

/* Infinities leave the mean as it is. */
static void smooth(struct step_series *s, size_t steps, const double *factors)
{
    double mean = NAN;
    for (size_t i = 0; i < steps; i++) {
        if (!has_value(s, i)) {
            continue;
        }
        double factor = factors[i] > 0 ? fmin(factors[i], 1) : 0;
        if (isnan(mean)) {
            mean = s->values[i];
        } else if (!isinf(s->values[i])) {
            mean = mean * (1 - factor) + s->values[i] * factor;
        }
        s->values[i] = mean;
    }
}

static void remove_resets(struct step_series *s, size_t steps)
{
    double hidden = 0, before = -INFINITY;
    for (size_t i = 0; i < steps; i++) {
        if (has_value(s, i)) {
            double value = s->values[i];
            hidden += value < before ? before : 0;
            before = value;
            s->values[i] = value + hidden;
        }
    }
}

void series_spread_apply(enum function_id id, struct step_series *s, const struct grid *grid,
    double *values, size_t count, const double *parameter)
{
    size_t steps = grid->steps;
    double median;
    switch (id) {
    case FUNCTION_RANGE_LINEAR_REGRESSION:
        regress(s, steps, values, count);
        break;
    case FUNCTION_RANGE_MAD:
        set_all(s, steps, median_distance(values, count, &median));
        break;
    case FUNCTION_RANGE_STDDEV:
        set_all(s, steps, sqrt(variance_of(values, count, mean_of(values, count))));
        break;
    case FUNCTION_RANGE_STDVAR:
        set_all(s, steps, variance_of(values, count, mean_of(values, count)));
        break;
    case FUNCTION_RANGE_TRIM_OUTLIERS:
        trim_outliers(s, steps, values, count, parameter);
        break;
    case FUNCTION_RANGE_TRIM_SPIKES:
        trim_spikes(s, steps, values, count, parameter);
        break;
    case FUNCTION_RANGE_TRIM_ZSCORE:
    case FUNCTION_RANGE_ZSCORE:
        score(s, steps, values, count, parameter);
        break;
    case FUNCTION_SMOOTH_EXPONENTIAL:
        smooth(s, steps, parameter);
        break;
    default:
        remove_resets(s, steps);
        break;
    }
}
