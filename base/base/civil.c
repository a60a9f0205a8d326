/* Civil dates from days since 1970: eras of 400 years that begin on the first of March, so that the leap
 * day is the last of its year. */
#include "base/civil.h"

/* Days from 0000-03-01 to 1970-01-01, and of 400 years. */
#define EPOCH_DAYS 719468
#define ERA_DAYS 146097

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t clamp(int64_t value, int64_t most)
{
    return value < -most ? -most : value > most ? most : value;
}

bool civil_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && civil_is_leap(year) ? 29 : days[month - 1];
}

int64_t civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static void set_date(struct civil_time *t, int64_t days_since_1970)
{
    int64_t days = days_since_1970 + EPOCH_DAYS;
    int64_t era = floor_divide(days, ERA_DAYS);
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    t->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    t->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    t->year = year_of_era + era * 400 + (t->month <= 2);
    t->year_day = (int)(days_since_1970 - civil_days(t->year, 1, 1) + 1);
    t->weekday = (int)(((days_since_1970 + 4) % 7 + 7) % 7);
}

struct civil_time civil_from_seconds(int64_t seconds)
{
    seconds = clamp(seconds, CIVIL_SECONDS_MAX);
    int64_t days = floor_divide(seconds, CIVIL_DAY_SECONDS);
    int of_day = (int)(seconds - days * CIVIL_DAY_SECONDS);
    struct civil_time t = {
        .hour = of_day / 3600, .minute = of_day / 60 % 60, .second = of_day % 60};
    set_date(&t, days);
    return t;
}

int64_t civil_to_seconds(const struct civil_time *t)
{
    int64_t months = (int64_t)t->month - 1;
    int64_t years = floor_divide(months, 12);
    int64_t year = clamp(clamp(t->year, CIVIL_YEAR_MAX) + years, CIVIL_YEAR_MAX);
    int64_t days = civil_days(year, (int)(months - years * 12) + 1, 1) + t->day - 1;
    return days * CIVIL_DAY_SECONDS + (int64_t)t->hour * 3600 + (int64_t)t->minute * 60 + t->second;
}
