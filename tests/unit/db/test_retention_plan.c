/* Which parts go, by age, rule and size. */
#include "db/retention_plan.h"

#include "support/support.h"

#define DAY INT64_C(86400000)

enum { NOW_DAY = 100 };

static const struct {
    const char *what;
    int64_t day, max_t;
    uint64_t rules;
    int64_t keep_days[3];
    size_t rule_count;
    enum retention_action action;
} cases[] = {
    {"young", 99, 99 * DAY, 1, {10}, 1, RETENTION_KEEP},
    {"to the millisecond", 90, 90 * DAY, 1, {10}, 1, RETENTION_KEEP},
    {"older by one", 89, 90 * DAY - 1, 1, {10}, 1, RETENTION_DROP},
    {"for ever", 0, 5, 1, {0}, 1, RETENTION_KEEP},
    {"only what the shorter rule keeps", 89, 90 * DAY - 1, 1, {10, 50}, 2, RETENTION_DROP},
    {"only what the longer rule keeps", 89, 90 * DAY - 1, 2, {10, 50}, 2, RETENTION_KEEP},
    {"both: the day is over for one", 89, 90 * DAY - 1, 3, {10, 50}, 2, RETENTION_REWRITE},
    {"both, the day ends in the duration", 90, 90 * DAY, 3, {10, 50}, 2, RETENTION_KEEP},
    {"both over", 49, 50 * DAY - 1, 3, {10, 50}, 2, RETENTION_DROP},
    {"one for ever", 49, 50 * DAY - 1, 3, {10, 0}, 2, RETENTION_REWRITE},
    {"survivors of a longer rule stay", 49, 50 * DAY - 1, 4, {10, 20, 0}, 3, RETENTION_KEEP},
};

static void test_rules(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct retention_part part = {
            .day = cases[i].day, .max_t = cases[i].max_t, .rules = cases[i].rules};
        int64_t keep_ms[3];
        for (size_t k = 0; k < 3; k++) {
            keep_ms[k] = cases[i].keep_days[k] * DAY;
        }
        enum retention_action action =
            plan_retention(&part, keep_ms, cases[i].rule_count, NOW_DAY * DAY);
        if (action != cases[i].action) {
            fail_msg("%s: %d, expected %d", cases[i].what, action, cases[i].action);
        }
    }
}

static void test_whole_days(void **state)
{
    struct retention_part parts[] = {{.day = 5, .max_t = 10}, {.day = 4, .max_t = 99},
        {.day = 5, .max_t = 30}, {.day = 5, .max_t = 20}, {.day = -1, .max_t = -7}};
    static const int64_t expected[] = {30, 99, 30, 30, -7};
    plan_whole_days(parts, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(parts[i].max_t == expected[i]);
    }
}

static const struct {
    const char *what;
    struct {
        int64_t day;
        uint64_t bytes;
    } parts[5];
    size_t count;
    uint64_t other_bytes, bytes_max;
    int64_t cutoff;
} sizes[] = {
    {"no limit", {{1, 100}, {2, 100}}, 2, 0, 0, INT64_MIN},
    {"within", {{1, 100}, {2, 100}}, 2, 0, 200, INT64_MIN},
    {"one byte too many", {{1, 100}, {2, 101}}, 2, 0, 200, 2},
    {"the log counts", {{1, 100}, {2, 100}}, 2, 1, 200, 2},
    {"whole days, in any order", {{2, 50}, {1, 30}, {3, 50}, {1, 30}}, 4, 0, 120, 2},
    {"two days", {{1, 50}, {5, 50}, {9, 50}}, 3, 0, 60, 9},
    {"the newest stays", {{7, 500}, {8, 500}}, 2, 0, 10, 8},
    {"the only one stays", {{7, 500}}, 1, 0, 10, INT64_MIN},
    {"nothing there", {{0, 0}}, 0, 99, 10, INT64_MIN},
    {"before 1970", {{-3, 50}, {-2, 50}}, 2, 0, 60, -2},
};

static void test_sizes(void **state)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct retention_part parts[5];
        for (size_t k = 0; k < sizes[i].count; k++) {
            parts[k] = (struct retention_part){
                .day = sizes[i].parts[k].day, .bytes = sizes[i].parts[k].bytes};
        }
        int64_t cutoff =
            plan_size_cutoff(parts, sizes[i].count, sizes[i].other_bytes, sizes[i].bytes_max);
        if (cutoff != sizes[i].cutoff) {
            fail_msg("%s: %lld, expected %lld", sizes[i].what, (long long)cutoff,
                (long long)sizes[i].cutoff);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_whole_days),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
