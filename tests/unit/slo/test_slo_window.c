/* Windows: rolling and calendar, with zones. Moments by the calendar; Berlin changes its clocks on the last
 * Sundays of March and October, so that those months of 2026 have 743 and 745 hours. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "slo/slo_window.h"

#define HOUR INT64_C(3600000)

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t period_ms;
    } table[] = {{"30d", 720 * HOUR}, {"28d", 672 * HOUR}, {"1w", 168 * HOUR},
        {"90m", 3 * HOUR / 2}, {"24h", 24 * HOUR}, {"1M", 720 * HOUR}, {"1Q", 2160 * HOUR},
        {"1Y", 8760 * HOUR}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct slo_window w = {0};
        assert_int_equal(slo_window_parse(str_of(table[i].text), &w, NULL), 0);
        assert_int_equal(slo_window_period_ms(&w), table[i].period_ms);
        struct strbuf out = STRBUF_INIT;
        slo_window_write(&w, &out);
        assert_string_equal(out.data, table[i].text);
        strbuf_release(&out);
        assert_int_equal(slo_window_start_ms(&w, 1000 * HOUR), 1000 * HOUR - table[i].period_ms);
    }
    static const char *const wrong[] = {"", "d", "30", "0d", "-1d", "3x", "2Y", "1.5d", "30 d"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct slo_window w;
        struct err e = ERR_INIT;
        if (slo_window_parse(str_of(wrong[i]), &w, &e) != ERR_INVALID || e.message[0] == '\0') {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
}

static void months_with_a_change_of_clocks(void **state)
{
    (void)state;
    struct zone *berlin = NULL;
    assert_int_equal(zone_open(NULL, STR("Europe/Berlin"), &berlin, NULL), 0);
    struct slo_window w = {.calendar = true,
        .count = 1,
        .unit = SLO_MONTH,
        .zone = berlin,
        .start = {.year = 2022, .month = 1, .day = 1}};
    static const struct {
        const char *what;
        int64_t at_s, hours;
    } table[] = {
        {"March", 1773000000, 743},
        {"October", 1792000000, 745},
        {"January", 1768000000, 744},
        {"February", 1771000000, 672},
        {"before its start", 1640000000, 744},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t at = table[i].at_s * 1000;
        int64_t start = slo_window_start_ms(&w, at), end = slo_window_end_ms(&w, at);
        if ((end - start) / HOUR != table[i].hours || at <= start || at > end) {
            fail_msg("%s: %lld hours, not %lld", table[i].what, (long long)((end - start) / HOUR),
                (long long)table[i].hours);
        }
        /* The border belongs to the window that ends there. */
        assert_int_equal(slo_window_start_ms(&w, end), start);
        assert_int_equal(slo_window_start_ms(&w, end + 1), end);
    }
    w.unit = SLO_DAY;
    int64_t sunday = INT64_C(1774774800000); // 2026-03-29T11:00 in Berlin
    assert_int_equal((slo_window_end_ms(&w, sunday) - slo_window_start_ms(&w, sunday)) / HOUR, 23);
    zone_free(berlin);
}

static void other_units(void **state)
{
    (void)state;
    /* Quarters from the last day of January: 30 April, 31 July, 31 October. */
    struct slo_window w = {.calendar = true,
        .count = 1,
        .unit = SLO_QUARTER,
        .start = {.year = 2026, .month = 1, .day = 31}};
    int64_t at = INT64_C(1780000000000);                              // 2026-05-28
    assert_int_equal(slo_window_start_ms(&w, at) / 1000, 1777507200); // 2026-04-30
    assert_int_equal(slo_window_end_ms(&w, at) / 1000, 1785456000);   // 2026-07-31
    struct slo_window fortnight = {.calendar = true,
        .count = 2,
        .unit = SLO_WEEK,
        .start = {.year = 2026, .month = 1, .day = 5, .hour = 8}};
    at = INT64_C(1768809600000); // 2026-01-19T08:00, the end of the first
    assert_int_equal(slo_window_start_ms(&fortnight, at) / 1000, 1767600000); // 2026-01-05T08:00
    assert_int_equal(slo_window_start_ms(&fortnight, at + 1) / 1000, 1768809600);
    struct slo_window year = {.calendar = true,
        .count = 1,
        .unit = SLO_YEAR,
        .start = {.year = 2020, .month = 2, .day = 29}};
    at = INT64_C(1740700800000); // 2025-02-28T00:00, where the year ends
    assert_int_equal(slo_window_end_ms(&year, at), at);
}

static enum slo_unit unit_of(char letter)
{
    static const char letters[] = "mhdwMQY";
    return (enum slo_unit)(strchr(letters, letter) - letters);
}

/* tests/golden/calendar_windows.py says where these come from. */
static void windows_by_another_calendar(void **state)
{
    (void)state;
    char name[64], unit;
    long long year, count, moment, begins, ends;
    struct civil_time t;
    size_t rows = 0;
    FILE *file = fopen("tests/golden/calendar_windows.txt", "re");
    assert_non_null(file);
    while (
        fscanf(file, "%63s %lld-%d-%dT%d:%d:%d %lld %c %lld %lld %lld", name, &year, &t.month,
            &t.day, &t.hour, &t.minute, &t.second, &count, &unit, &moment, &begins, &ends) == 12) {
        struct zone *zone = NULL;
        assert_int_equal(zone_open(NULL, str_of(name), &zone, NULL), 0);
        t.year = year;
        struct slo_window w = {
            .calendar = true, .count = count, .unit = unit_of(unit), .zone = zone, .start = t};
        int64_t start = slo_window_start_ms(&w, moment * 1000) / 1000;
        int64_t end = slo_window_end_ms(&w, moment * 1000) / 1000;
        if (start != begins || end != ends) {
            fail_msg("%s from %lld-%d-%d, %lld%c at %lld: %lld to %lld, not %lld to %lld", name,
                year, t.month, t.day, count, unit, moment, (long long)start, (long long)end, begins,
                ends);
        }
        zone_free(zone);
        rows++;
    }
    (void)fclose(file);
    assert_true(rows > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(months_with_a_change_of_clocks),
        cmocka_unit_test(other_units),
        cmocka_unit_test(windows_by_another_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
