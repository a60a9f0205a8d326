/* Parts of dates, in UTC, of seconds since 1970. */
#ifndef SONDE_QUERY_ENGINE_DATES_H
#define SONDE_QUERY_ENGINE_DATES_H

#include <stdint.h>

/* A float as whole seconds, cut towards zero and to what fits; NaN is the smallest. */
int64_t date_seconds(double value);

double date_minute(int64_t seconds);
double date_hour(int64_t seconds);
double date_day_of_week(int64_t seconds); /* Sunday is 0 */
double date_day_of_month(int64_t seconds);
double date_day_of_year(int64_t seconds);
double date_days_in_month(int64_t seconds);
double date_month(int64_t seconds);
double date_year(int64_t seconds);

#endif
