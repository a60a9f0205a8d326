#include "receive/metadata_filter.h"

#include <stdio.h>

#include "support/support.h"

static struct metadata_filter filter;

static bool is_new(int64_t now, const char *metric, const char *help)
{
    return metadata_filter_is_new(
        &filter, now, METRIC_TYPE_GAUGE, str_of(metric), str_of(help), STR(""));
}

static void test_once_a_minute_and_what_changed(void **state)
{
    filter = (struct metadata_filter){0};
    assert_true(is_new(0, "a", "one"));
    assert_false(is_new(10, "a", "one"));
    assert_true(is_new(20, "a", "two"));
    assert_true(is_new(30, "b", "one"));
    assert_false(is_new(59999, "a", "one"));
    assert_true(is_new(60000, "a", "one"));
    assert_true(
        metadata_filter_is_new(&filter, 60000, METRIC_TYPE_COUNTER, STR("a"), STR("one"), STR("")));
}

static void test_a_full_table_begins_anew(void **state)
{
    char metric[32];
    filter = (struct metadata_filter){0};
    for (int i = 0; i < 3 * METADATA_FILTER_MAX; i++) {
        snprintf(metric, sizeof(metric), "metric_%d", i);
        assert_true(is_new(1, metric, ""));
        assert_true(filter.count <= METADATA_FILTER_MAX);
        assert_false(is_new(1, metric, "") && filter.count > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_a_minute_and_what_changed),
        cmocka_unit_test(test_a_full_table_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
