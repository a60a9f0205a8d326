/* Time intervals, with dates whose weekday and local time a calendar tells. */
#include "alert/time_interval.h"

#include "support/support.h"

static int read_interval(
    struct arena *arena, const char *yaml, struct time_interval *out, struct err *e)
{
    struct yaml_node *root = NULL;
    *out = (struct time_interval){0};
    int status = yaml_parse(arena, "t", str_of(yaml), &root, e);
    return status != 0 ? status : config_read(arena, "t", root, time_interval_fields, out, e);
}

static void test_contains(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int year, month, day, hour, minute; /* UTC */
        bool wanted;
    } rows[] = {
        {"{}", 2026, 1, 1, 0, 0, true},
        {"times: [{start_time: '09:00', end_time: '17:00'}]", 2026, 11, 20, 9, 0, true},
        {"times: [{start_time: '09:00', end_time: '17:00'}]", 2026, 11, 20, 16, 59, true},
        {"times: [{start_time: '09:00', end_time: '17:00'}]", 2026, 11, 20, 17, 0, false},
        {"times: [{start_time: '22:00', end_time: '24:00'}]", 2026, 11, 20, 23, 59, true},
        {"weekdays: ['monday:friday']", 2026, 11, 20, 12, 0, true}, /* a Friday */
        {"weekdays: ['monday:friday']", 2026, 11, 21, 12, 0, false},
        {"weekdays: [saturday, sunday]", 2026, 11, 22, 12, 0, true},
        {"days_of_month: ['1:5', '-3:-1']", 2026, 2, 26, 0, 0, true}, /* February has 28 days */
        {"days_of_month: ['-3:-1']", 2026, 2, 25, 23, 59, false},
        {"days_of_month: ['-3:-1']", 2028, 2, 27, 0, 0, true}, /* a leap year */
        {"days_of_month: ['31']", 2026, 4, 30, 0, 0, false},
        {"days_of_month: ['25:31']", 2026, 4, 30, 0, 0, true},
        {"days_of_month: ['-31:-1']", 2026, 4, 1, 0, 0, true},
        {"days_of_month: ['1:-1']", 2026, 4, 30, 0, 0, true},
        {"days_of_month: ['29:-1']", 2026, 2, 28, 0, 0, false},
        {"months: ['january:march', '12']", 2026, 12, 31, 0, 0, true},
        {"months: ['january:march', '12']", 2026, 4, 1, 0, 0, false},
        {"years: ['2020:2025', '2027']", 2026, 4, 1, 0, 0, false},
        {"years: ['2020:2025', '2027']", 2027, 4, 1, 0, 0, true},
        /* Berlin is one hour ahead in winter, two in summer. */
        {"times: [{start_time: '09:00', end_time: '10:00'}]\nlocation: Europe/Berlin", 2026, 1, 5,
            8, 30, true},
        {"times: [{start_time: '09:00', end_time: '10:00'}]\nlocation: Europe/Berlin", 2026, 7, 6,
            8, 30, false},
        {"weekdays: [monday]\nlocation: Australia/Sydney", 2026, 11, 22, 13, 0, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct time_interval interval;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        if (read_interval(&arena, rows[i].yaml, &interval, &e) != 0) {
            fail_msg("%s: %s", rows[i].yaml, e.message);
        }
        struct civil_time t = {.year = rows[i].year,
            .month = rows[i].month,
            .day = rows[i].day,
            .hour = rows[i].hour,
            .minute = rows[i].minute};
        if (time_interval_contains(&interval, civil_to_seconds(&t) * 1000) != rows[i].wanted) {
            fail_msg("row %zu, %s: wanted %d", i, rows[i].yaml, rows[i].wanted);
        }
        arena_release(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"times: [{start_time: '9:00', end_time: '17:00'}]",
        "times: [{start_time: '09:00'}]", "times: [{start_time: '17:00', end_time: '09:00'}]",
        "times: [{start_time: '24:01', end_time: '24:30'}]", "weekdays: [someday]",
        "weekdays: ['friday:monday']", "weekdays: ['1']", "days_of_month: ['0']",
        "days_of_month: ['32']", "days_of_month: ['5:1']", "days_of_month: ['-1:-3']",
        "days_of_month: ['-3:5']", "months: ['13']", "months: ['march:january']", "years: [mmxx]",
        "location: Moon/Sea", "location: ../../etc/passwd", "what: ever", "weekdays: monday"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena;
        struct time_interval interval;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        if (read_interval(&arena, bad[i], &interval, &e) != ERR_INVALID || e.message[0] == '\0') {
            fail_msg("%s is taken", bad[i]);
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contains),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
