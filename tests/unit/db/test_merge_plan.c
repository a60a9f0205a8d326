/* What to merge and what to expire. */
#include "db/merge_plan.h"
#include "support/support.h"

#define DAY INT64_C(86400000)

struct case_of_plan {
    const char *name;
    struct plan_part parts[60];
    size_t count;
    int64_t now_ms;
    struct plan_merge expected;
};

/* `count` parts of one day from `first` on, all of one level. */
static void fill(struct case_of_plan *c, size_t count, int64_t day, uint32_t level, uint64_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        c->parts[c->count++] =
            (struct plan_part){.day = day, .precedence = c->count, .level = level, .bytes = bytes};
    }
}

static void check(const struct case_of_plan *c)
{
    struct plan_merge got = plan_next_merge(c->parts, c->count, c->now_ms);
    if (got.count != c->expected.count || got.first != c->expected.first ||
        got.level != c->expected.level) {
        fail_msg("%s: %zu parts from %zu to level %u, expected %zu from %zu to %u", c->name,
            got.count, got.first, got.level, c->expected.count, c->expected.first,
            c->expected.level);
    }
}

static void test_level0_waits_for_enough(void **state)
{
    struct case_of_plan few = {.name = "too few", .now_ms = 5 * DAY + 1};
    fill(&few, PLAN_LEVEL0_PARTS - 1, 5, 0, 100);
    check(&few);
    struct case_of_plan enough = {
        .name = "enough", .now_ms = 5 * DAY + 1, .expected = {1, PLAN_LEVEL0_PARTS, 1}};
    fill(&enough, 1, 5, 1, 100);
    fill(&enough, PLAN_LEVEL0_PARTS, 5, 0, 100);
    check(&enough);
}

static void test_closed_day_is_merged_once(void **state)
{
    int64_t closed = 6 * DAY + PLAN_DAY_CLOSED_MS;
    struct case_of_plan open = {.name = "still open", .now_ms = closed - 1};
    fill(&open, 3, 5, 0, 100);
    check(&open);
    struct case_of_plan due = {.name = "closed", .now_ms = closed, .expected = {0, 3, 2}};
    fill(&due, 3, 5, 0, 100);
    check(&due);
    struct case_of_plan late = {.name = "a small late part waits", .now_ms = closed};
    fill(&late, 1, 5, 2, 1000);
    fill(&late, 1, 5, 0, 10);
    check(&late);
    struct case_of_plan heavy = {
        .name = "heavy late parts do not", .now_ms = closed, .expected = {0, 2, 2}};
    fill(&heavy, 1, 5, 2, 1000);
    fill(&heavy, 1, 5, 0, 250);
    check(&heavy);
}

static void test_days_splits_and_damage_are_borders(void **state)
{
    int64_t now = 9 * DAY;
    struct case_of_plan days = {.name = "one part a day", .now_ms = now};
    fill(&days, 1, 3, 0, 100);
    fill(&days, 1, 4, 0, 100);
    check(&days);
    struct case_of_plan splits = {.name = "another split", .now_ms = now};
    fill(&splits, 2, 3, 0, 100);
    splits.parts[1].split = 7;
    check(&splits);
    struct case_of_plan damage = {
        .name = "damage in the middle", .now_ms = now, .expected = {2, 2, 2}};
    fill(&damage, 4, 3, 0, 100);
    damage.parts[1].damaged = true;
    check(&damage);
}

static void test_compaction_leaves_one_part_a_day(void **state)
{
    struct case_of_plan c = {.name = "compaction"};
    fill(&c, 1, 3, 2, 1000);
    fill(&c, 1, 4, 2, 1000);
    fill(&c, 1, 4, 0, 1);
    struct plan_merge got = plan_next_compaction(c.parts, c.count);
    assert_int_equal(got.first, 1);
    assert_int_equal(got.count, 2);
    assert_int_equal(plan_next_compaction(c.parts, 2).count, 0);
}

/* Early is: more than a second of replay, and of each series enough for a part. */
static void test_when_to_seal_early(void **state)
{
    static const struct {
        uint64_t cells, columns;
        bool early;
    } cases[] = {
        {0, 0, false},
        {19000000, 1000, false},
        {20000001, 1000, true},
        {20000001, 1000000, false},
        {22000000, 1000000, true},
        {200000000, 10000000, false},
        {210000001, 10000000, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (plan_seal_early(cases[i].cells, cases[i].columns) != cases[i].early) {
            fail_msg("%llu cells of %llu columns: expected %d", (unsigned long long)cases[i].cells,
                (unsigned long long)cases[i].columns, cases[i].early);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level0_waits_for_enough),
        cmocka_unit_test(test_closed_day_is_merged_once),
        cmocka_unit_test(test_days_splits_and_damage_are_borders),
        cmocka_unit_test(test_compaction_leaves_one_part_a_day),
        cmocka_unit_test(test_when_to_seal_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
