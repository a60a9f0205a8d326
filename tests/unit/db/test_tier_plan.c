/* What to build and merge, as tables. */
#include "db/merge_plan.h"
#include "db/tier_plan.h"
#include "support/support.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static void test_due(void **state)
{
    static const struct {
        const char *what;
        struct plan_day day;
        int64_t now_ms, waited_ms;
        bool due;
    } rows[] = {
        {"open", {10, 5, 0, false}, 11 * DAY, 0, false},
        {"closed", {10, 5, 0, false}, 11 * DAY + 2 * HOUR, 0, true},
        {"nothing there", {10, 0, 0, false}, 12 * DAY, DAY, false},
        {"built", {10, 5, 5, false}, 12 * DAY, DAY, false},
        {"late samples, just now", {10, 9, 5, false}, 12 * DAY, 0, false},
        {"late samples, a while ago", {10, 9, 5, false}, 12 * DAY, TIER_PATIENCE_MS, true},
        {"late samples, about to go", {10, 9, 5, true}, 12 * DAY, 0, true},
        {"deleted", {10, 9, UINT64_MAX, true}, 12 * DAY, DAY, false},
        {"before 1970", {-2, 5, 0, false}, 0, 0, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool due = plan_tier_due(&rows[i].day, rows[i].now_ms, rows[i].waited_ms);
        if (due != rows[i].due) {
            fail_msg("%s: due %d, expected %d", rows[i].what, due, rows[i].due);
        }
    }
}

static struct plan_tier_part part(int64_t period, uint64_t bytes, bool settled)
{
    return (struct plan_tier_part){
        .tier = 1, .period = period, .bytes = bytes, .settled = settled, .retention_ms = -1};
}

static void test_merging(void **state)
{
    const struct plan_tier_part few[] = {part(1, 9, true), part(1, 9, true), part(1, 9, true)};
    const struct plan_tier_part enough[] = {part(1, 9, true), part(1, 9, true), part(2, 9, true),
        part(2, 9, true), part(2, 9, true), part(2, 9, true), part(2, 9, false)};
    const struct plan_tier_part heavy[] = {
        part(3, 1000, true), part(3, 9, true), part(3, 9, true), part(3, 9, true)};
    const struct plan_tier_part quarter[] = {
        part(3, 1000, true), part(3, 90, true), part(3, 90, true), part(3, 90, true)};
    assert_int_equal(plan_tier_merge(few, 0).count, 0);
    assert_int_equal(plan_tier_merge(few, 3).count, 0);
    assert_int_equal(plan_tier_merge(enough, 7).first, 2);
    assert_int_equal(plan_tier_merge(enough, 7).count, 4);
    assert_int_equal(plan_tier_merge(heavy, 4).count, 0);
    assert_int_equal(plan_tier_merge(quarter, 4).count, 4);
    struct plan_tier_part other[4];
    for (int i = 0; i < 4; i++) {
        other[i] = quarter[i];
    }
    other[3].retention_ms = 77;
    assert_int_equal(plan_tier_merge(other, 4).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
