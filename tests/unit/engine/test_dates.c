/* Parts of dates against the C library's own. */
#include "support/support.h"

#include <math.h>
#include <stdbool.h>
#include <time.h>

#include "engine/dates.h"

static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static void check(int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    assert_non_null(gmtime_r(&t, &tm));
    int64_t year = (int64_t)tm.tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int in_month = days[tm.tm_mon] + (leap && tm.tm_mon == 1);
    assert_true(date_minute(seconds) == tm.tm_min);
    assert_true(date_hour(seconds) == tm.tm_hour);
    assert_true(date_day_of_week(seconds) == tm.tm_wday);
    assert_true(date_day_of_month(seconds) == tm.tm_mday);
    assert_true(date_day_of_year(seconds) == tm.tm_yday + 1);
    assert_true(date_month(seconds) == tm.tm_mon + 1);
    assert_true(date_year(seconds) == (double)year);
    assert_true(date_days_in_month(seconds) == in_month);
}

static void test_every_day_of_some_centuries(void **state)
{
    (void)state;
    /* 1800 to 2400, a little later each day. */
    for (int64_t seconds = -5364662400; seconds < 13569465600; seconds += 86400 + 61) {
        check(seconds);
    }
}

static void test_far_times(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int i = 0; i < 100000; i++) {
        check((int64_t)(test_random(&random) % 200000000000000) - 100000000000000);
    }
    check(0);
    check(-1);
    check(951782399); /* the end of 29 February 2000 */
}

static void test_seconds(void **state)
{
    (void)state;
    assert_int_equal(date_seconds(1.9), 1);
    assert_int_equal(date_seconds(-1.9), -1);
    assert_true(date_seconds((double)NAN) < -(INT64_C(1) << 52));
    assert_int_equal(date_seconds(-(double)INFINITY), date_seconds((double)NAN));
    assert_int_equal(date_seconds((double)INFINITY), -date_seconds((double)NAN));
    assert_int_equal(date_seconds(1e300), date_seconds((double)INFINITY));
    /* No overflow on the way, whatever comes of it. */
    (void)date_year(INT64_MIN);
    (void)date_day_of_week(INT64_MIN);
    (void)date_days_in_month(INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_of_some_centuries),
        cmocka_unit_test(test_far_times),
        cmocka_unit_test(test_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
