/* Civil dates from days since 1970 in the proleptic Gregorian calendar: eras of 400 years that begin on
 * the first of March, so that the leap day is the last of its year. */
#include "dates.h"

#include <math.h>
#include <stdbool.h>

#define DAY_SECONDS 86400
/* Times beyond are taken as this far away: about 292 million years, within which no sum overflows. */
#define SECONDS_MAX INT64_C(9223372036854775)

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

int64_t date_seconds(double value)
{
    if (!(value > -(double)SECONDS_MAX)) {
        return -SECONDS_MAX;
    }
    return value < (double)SECONDS_MAX ? (int64_t)value : SECONDS_MAX;
}

static int64_t days_of(int64_t seconds)
{
    return seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
}

static int64_t second_of_day(int64_t seconds)
{
    return seconds - days_of(seconds) * DAY_SECONDS;
}

static struct civil civil_of(int64_t seconds)
{
    int64_t days = days_of(seconds) + 719468; // since 0000-03-01
    int64_t era = days / 146097 - (days % 146097 < 0);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    return (struct civil){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

double date_minute(int64_t seconds)
{
    return (double)(second_of_day(seconds) / 60 % 60);
}

double date_hour(int64_t seconds)
{
    return (double)(second_of_day(seconds) / 3600);
}

double date_day_of_week(int64_t seconds)
{
    int64_t day = (days_of(seconds) + 4) % 7; // 1970-01-01 was a Thursday
    return (double)(day < 0 ? day + 7 : day);
}

double date_day_of_month(int64_t seconds)
{
    return civil_of(seconds).day;
}

double date_day_of_year(int64_t seconds)
{
    struct civil c = civil_of(seconds);
    int day = c.day;
    for (int month = 1; month < c.month; month++) {
        day += days_in(c.year, month);
    }
    return day;
}

double date_days_in_month(int64_t seconds)
{
    struct civil c = civil_of(seconds);
    return days_in(c.year, c.month);
}

double date_month(int64_t seconds)
{
    return civil_of(seconds).month;
}

double date_year(int64_t seconds)
{
    return (double)civil_of(seconds).year;
}
