/* Type, help and unit by metric. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "intake/metric_metadata.h"
#include "support/fault_loop.h"
#include "support/support.h"

static void test_keeps_and_marks_what_changed(void **state)
{
    struct metric_metadata m = {0};
    metric_metadata_type(&m, STR("a"), METRIC_TYPE_COUNTER);
    metric_metadata_help(&m, STR("a"), STR("text"));
    metric_metadata_unit(&m, STR("a"), STR("seconds"));
    metric_metadata_help(&m, STR("b"), STR(""));
    assert_int_equal(m.count, 2);
    assert_int_equal(m.entries[0].type, METRIC_TYPE_COUNTER);
    assert_true(str_eq(m.entries[0].help, STR("text")));
    assert_true(str_eq(m.entries[0].unit, STR("seconds")));
    assert_true(m.entries[0].changed && m.entries[1].changed); /* new ones are sent */
    m.entries[0].changed = m.entries[1].changed = false;
    metric_metadata_type(&m, STR("a"), METRIC_TYPE_COUNTER);
    metric_metadata_help(&m, STR("a"), STR("text"));
    assert_false(m.entries[0].changed);
    metric_metadata_help(&m, STR("a"), STR("other"));
    assert_true(m.entries[0].changed && !m.entries[1].changed);
    assert_true(str_eq(m.entries[0].help, STR("other")));
    metric_metadata_release(&m);
}

static void test_series_find_their_metric(void **state)
{
    struct metric_metadata m = {0};
    static const struct {
        const char *series, *metric;
    } rows[] = {{"h_bucket", "h"}, {"h_sum", "h"}, {"h_count", "h"}, {"s_sum", "s"}, {"s", "s"},
        {"s_bucket", NULL}, {"c_total", "c"}, {"c_sum", NULL}, {"c", "c"}, {"d_total", "d_total"},
        {"g_total", NULL}, {"none", NULL}, {"_bucket", NULL}, {"i_info", "i"}};
    assert_null(metric_metadata_find(&m, STR("h")));
    metric_metadata_type(&m, STR("h"), METRIC_TYPE_HISTOGRAM);
    metric_metadata_type(&m, STR("s"), METRIC_TYPE_SUMMARY);
    metric_metadata_type(&m, STR("c"), METRIC_TYPE_COUNTER);
    metric_metadata_type(&m, STR("d_total"), METRIC_TYPE_COUNTER);
    metric_metadata_type(&m, STR("g"), METRIC_TYPE_GAUGE);
    metric_metadata_type(&m, STR("i"), METRIC_TYPE_INFO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct metric_metadata_entry *e =
            metric_metadata_of_series(&m, str_of(rows[i].series));
        bool good =
            rows[i].metric == NULL ? e == NULL : e != NULL && str_eq_c(e->metric, rows[i].metric);
        if (!good) {
            fail_msg("%s belongs to %.*s, expected %s", rows[i].series,
                e != NULL ? (int)e->metric.len : 4, e != NULL ? e->metric.ptr : "none",
                rows[i].metric != NULL ? rows[i].metric : "none");
        }
    }
    metric_metadata_release(&m);
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    static const struct {
        size_t plain;     /* bytes before the two-byte letters */
        size_t kept_size; /* 4096, or one less where a letter would be cut */
    } rows[] = {{4095, 4095}, {4094, 4096}, {4096, 4096}, {100, 4096}, {101, 4095}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct metric_metadata m = {0};
        char text[10000];
        memset(text, 'x', rows[i].plain);
        for (size_t at = rows[i].plain; at + 2 <= sizeof(text); at += 2) {
            memcpy(text + at, "\xc3\xa4", 2);
        }
        size_t size = rows[i].plain + (sizeof(text) - rows[i].plain) / 2 * 2;
        metric_metadata_help(&m, STR("a"), str_make(text, size));
        assert_int_equal(m.entries[0].help.len, rows[i].kept_size);
        assert_true(str_is_utf8(m.entries[0].help));
        metric_metadata_release(&m);
    }
}

static void test_the_limit_leaves_the_rest_without(void **state)
{
    struct metric_metadata m = {0};
    for (size_t i = 0; i < METRIC_METADATA_MAX + 100; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "metric_%zu", i);
        metric_metadata_type(&m, str_make(name, (size_t)length), METRIC_TYPE_GAUGE);
    }
    assert_int_equal(m.count, METRIC_METADATA_MAX);
    metric_metadata_type(&m, STR("metric_5"), METRIC_TYPE_COUNTER);
    assert_int_equal(m.entries[5].type, METRIC_TYPE_COUNTER);
    metric_metadata_release(&m);
}

/* Names that come and go are not kept for ever: each is there while it is told of. */
static void test_what_is_not_told_of_is_forgotten(void **state)
{
    struct metric_metadata m = {0};
    (void)state;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 5000; i++) {
            char name[48];
            int length = snprintf(name, sizeof(name), "metric_%d_%d", i % 2 == 0 ? round : 0, i);
            struct str metric = str_make(name, (size_t)length);
            metric_metadata_type(&m, metric, METRIC_TYPE_GAUGE);
            metric_metadata_help(&m, metric, STR("text"));
        }
        metric_metadata_sweep(&m);
        assert_int_equal(m.sweeps, round + 1);
        assert_int_equal(m.count, 5000); /* those of this round */
        assert_non_null(metric_metadata_find(&m, STR("metric_0_1")));
        assert_true((metric_metadata_find(&m, STR("metric_0_0")) == NULL) == (round >= 1));
    }
    metric_metadata_sweep(&m);
    metric_metadata_sweep(&m);
    assert_int_equal(m.count, 0);
    assert_int_equal(m.bytes, 0);
    metric_metadata_type(&m, STR("a"), METRIC_TYPE_GAUGE);
    assert_non_null(metric_metadata_find(&m, STR("a")));
    metric_metadata_release(&m);
}

/* Long texts of many metrics end at a limit of bytes long before there are too many metrics; known ones may change. */
static void test_the_limit_of_bytes(void **state)
{
    struct metric_metadata m = {0};
    static char help[METRIC_METADATA_TEXT_MAX];
    (void)state;
    memset(help, 'h', sizeof(help));
    for (size_t i = 0; i < 10000; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "metric_%zu", i);
        metric_metadata_help(&m, str_make(name, (size_t)length), str_make(help, sizeof(help)));
        assert_true(m.bytes <= METRIC_METADATA_BYTES_MAX);
    }
    assert_true(m.bytes > METRIC_METADATA_BYTES_MAX - sizeof(help));
    metric_metadata_help(&m, STR("metric_7"), STR("short"));
    assert_true(str_eq(metric_metadata_find(&m, STR("metric_7"))->help, STR("short")));
    metric_metadata_release(&m);
}

static int learn(void *context, struct vfs *fs)
{
    struct metric_metadata m = {0};
    for (size_t i = 0; i < 300; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "metric_%zu", i);
        metric_metadata_type(&m, str_make(name, (size_t)length), METRIC_TYPE_GAUGE);
        metric_metadata_help(&m, str_make(name, (size_t)length), str_make(name, (size_t)length));
    }
    /* At most the help of one is missing: whoever went without comes at the next line. */
    assert_int_equal(m.count, 300);
    metric_metadata_release(&m);
    return 0;
}

static void test_each_failing_allocation(void **state)
{
    struct fault_scenario scenario = {.name = "metadata", .run = learn};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_and_marks_what_changed),
        cmocka_unit_test(test_series_find_their_metric),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_the_limit_leaves_the_rest_without),
        cmocka_unit_test(test_what_is_not_told_of_is_forgotten),
        cmocka_unit_test(test_the_limit_of_bytes),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
