/* What lies far from the rest of a series, and lines drawn through it: functions of MetricsQL over the values of
 * a series at all steps. */
#ifndef SONDE_QUERY_ENGINE_SERIES_SPREAD_H
#define SONDE_QUERY_ENGINE_SERIES_SPREAD_H

#include "operator.h"

/* Is it one of those here? */
bool series_spread_knows(enum function_id id);
/* Changes the series, whose `count` numbers, at least one, are in `values` in order of time; that order is
 * lost. `parameter` is the scalar argument, a value a step, or NULL. */
void series_spread_apply(enum function_id id, struct step_series *s, const struct grid *grid,
    double *values, size_t count, const double *parameter);

#endif
