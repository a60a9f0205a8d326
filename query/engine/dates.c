/* Parts of dates, by base/civil.h. */
#include "dates.h"

#include "base/civil.h"

int64_t date_seconds(double value)
{
    if (!(value > -(double)CIVIL_SECONDS_MAX)) {
        return -CIVIL_SECONDS_MAX;
    }
    return value < (double)CIVIL_SECONDS_MAX ? (int64_t)value : CIVIL_SECONDS_MAX;
}

double date_minute(int64_t seconds)
{
    return civil_from_seconds(seconds).minute;
}

double date_hour(int64_t seconds)
{
    return civil_from_seconds(seconds).hour;
}

double date_day_of_week(int64_t seconds)
{
    return civil_from_seconds(seconds).weekday;
}

double date_day_of_month(int64_t seconds)
{
    return civil_from_seconds(seconds).day;
}

double date_day_of_year(int64_t seconds)
{
    return civil_from_seconds(seconds).year_day;
}

double date_days_in_month(int64_t seconds)
{
    struct civil_time t = civil_from_seconds(seconds);
    return civil_days_in_month(t.year, t.month);
}

double date_month(int64_t seconds)
{
    return civil_from_seconds(seconds).month;
}

double date_year(int64_t seconds)
{
    return (double)civil_from_seconds(seconds).year;
}
