/* Dates and times of day as people write them, in the proleptic Gregorian calendar, and the seconds
 * since 1970 that belong to them. No zones here: see base/zone.h. Pure functions.
 */
#ifndef SONDE_BASE_CIVIL_H
#define SONDE_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#define CIVIL_DAY_SECONDS ((int64_t)86400)
/* Seconds and years beyond are taken as this far away: within it no sum overflows. */
#define CIVIL_SECONDS_MAX INT64_C(9223372036854775)
#define CIVIL_YEAR_MAX INT64_C(290000000)

struct civil_time {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    /* Written by civil_from_seconds, not read by civil_to_seconds. */
    int weekday;  /* Sunday is 0 */
    int year_day; /* from 1 */
};

struct civil_time civil_from_seconds(int64_t seconds);
/* Fields out of their range are carried over, as mktime does: the 0th of March is the last of February,
 * month 13 is January of the next year. */
int64_t civil_to_seconds(const struct civil_time *t);
/* Days since 1970-01-01; `month` 1 to 12. */
int64_t civil_days(int64_t year, int month, int day);
int civil_days_in_month(int64_t year, int month);
bool civil_is_leap(int64_t year);

#endif
