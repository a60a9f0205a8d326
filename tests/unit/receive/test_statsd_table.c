/* What lines add up to; expected values are arithmetic. */
#include "receive/statsd_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "door_log.h"
#include "receive/receive_statsd.h"
#include "support/support.h"

static struct door_log door;
static struct statsd_table *table;
static struct receive_statistics statistics;

static int set_up(void **state)
{
    door_log_init(&door);
    statistics = (struct receive_statistics){0};
    return statsd_table_new(3, &table);
}

static int tear_down(void **state)
{
    statsd_table_free(table);
    door_log_release(&door);
    return 0;
}

static void take(const char *datagram, int64_t now)
{
    receive_statsd_take(table, &door.intake, str_of(datagram), now, &statistics);
}

static void expect(int64_t now, const char *text)
{
    assert_int_equal(statsd_table_flush(table, &door.intake, now, now), 0);
    door_log_expect(&door, text);
}

static void test_counters_add_up(void **state)
{
    take("hits:1|c\nhits:2|c|@0.1\n\nhits:1:2|c\n", 0);
    expect(10, "hits 24 @10\n");
    expect(20, "hits 24 @20\n");
    take("hits:1|c", 25);
    expect(30, "hits 25 @30\n");
    assert_int_equal(statistics.messages, 4);
}

static void test_gauges(void **state)
{
    take("level:10|g\nlevel:-4|g\nlevel:+1|g", 0);
    expect(10, "level 7 @10\n");
    take("level:3|g", 10);
    expect(20, "level 3 @20\n");
}

static void test_timers_are_histograms_of_seconds(void **state)
{
    take("wait:500|ms\nwait:1500|ms|@0.5", 0);
    assert_int_equal(statsd_table_flush(table, &door.intake, 1, 1), 0);
    door_log_expect(&door, "wait histogram of 3 @1\n");
}

static void test_sets_count_members(void **state)
{
    char line[64];
    take("users:ann|s\nusers:bob|s\nusers:ann|s\nusers:cy:bob|s", 0);
    expect(10, "users 3 @10\n");
    expect(20, "users 0 @20\n");
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "users:%d|s", i);
        take(line, 20);
    }
    double estimate;
    assert_int_equal(statsd_table_flush(table, &door.intake, 30, 30), 0);
    assert_int_equal(sscanf(door.text.data, "users %lf", &estimate), 1);
    assert_true(fabs(estimate - 20000) < 20000 * 0.15); /* near five standard errors */
}

static void test_tags_in_any_order_are_one_series(void **state)
{
    take("a.b-c:1|c|#zone:x,1st,host.name:h\na.b-c:1|c|#host.name:h,zone:x,1st", 0);
    expect(1, "a_b_c{_1st=\"true\", host_name=\"h\", zone=\"x\"} 2 @1\n");
    assert_int_equal(statsd_table_count(table), 1);
}

static void test_idle_series_end_once(void **state)
{
    take("a:1|c\nb:1|g", 0);
    take("b:2|g", STATSD_IDLE_MS);
    assert_int_equal(statsd_table_flush(table, &door.intake, STATSD_IDLE_MS, 5), 0);
    assert_non_null(strstr(door.text.data, "a nan @5\n"));
    assert_non_null(strstr(door.text.data, "b 2 @5\n"));
    assert_int_equal(statsd_table_count(table), 1);
    strbuf_reset(&door.text);
    expect(STATSD_IDLE_MS + 1, "b 2 @300001\n");
}

static void test_limits_are_counted(void **state)
{
    take(
        "a:1|c\nb:1|c\nc:1|c\nd:1|c\na:1|c\nbad\n_sc|x|1\nx:1|c|#__name__:y\nx:1|c|#.-name__:y", 0);
    assert_int_equal(statsd_table_count(table), 3);
    assert_int_equal(statistics.refused_overload, 1);
    assert_int_equal(statistics.refused_invalid, 4);
    statsd_table_free(table);
    assert_int_equal(statsd_table_new(3, &table), 0);
    door.pressure = INTAKE_FULL;
    take("a:1|c", 0);
    assert_int_equal(statistics.refused_overload, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gauges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timers_are_histograms_of_seconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sets_count_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tags_in_any_order_are_one_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_series_end_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_are_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
