/* Which blocks are merged, and which go. */
#include "span/span_plan.h"

#include "span/span_block.h"
#include "support/support.h"

#define MIB ((uint64_t)1 << 20)

/* Blocks as a test writes them: `count` of one kind. */
struct kind {
    size_t count;
    struct span_plan_block block;
};

static size_t make(const struct kind *kinds, struct span_plan_block *blocks)
{
    size_t total = 0;
    for (; kinds->count > 0; kinds++) {
        for (size_t i = 0; i < kinds->count; i++) {
            blocks[total++] = kinds->block;
        }
    }
    return total;
}

static void test_merge(void **state)
{
    /* The first and the last index of what is merged; first > last: nothing. */
    static const struct {
        const char *name;
        struct kind kinds[4];
        uint64_t bytes_max;
        size_t first, last;
    } cases[] = {
        {"none", {{0}}, 0, 1, 0},
        {"seven", {{7, {0, 16, MIB, 1}}}, 0, 1, 0},
        {"eight", {{8, {0, 16, MIB, 1}}}, 0, 0, 7},
        {"the first eight", {{20, {0, 16, MIB, 1}}}, 0, 0, 7},
        {"the lowest level", {{8, {1, 16, MIB, 1}}, {8, {0, 16, MIB, 1}}}, 0, 8, 15},
        {"another level", {{8, {2, 16, MIB, 1}}, {7, {0, 16, MIB, 1}}}, 0, 0, 7},
        {"the last level is left", {{64, {SPAN_PLAN_LEVELS, 16, MIB, 1}}}, 0, 1, 0},
        /* Eight of 257 pages could become 4112, more than a block has. */
        {"too many pages", {{8, {2, 257, MIB, 1}}}, 0, 1, 0},
        {"as many pages as fit", {{8, {2, 256, MIB, 1}}}, 0, 0, 7},
        {"large ones are passed over", {{3, {2, 300, MIB, 1}}, {8, {2, 200, MIB, 1}}}, 0, 3, 10},
        {"an eighth of the bound", {{8, {0, 16, MIB, 1}}}, 64 * MIB, 0, 7},
        {"more than an eighth of it", {{8, {0, 16, MIB + 1, 1}}}, 64 * MIB, 1, 0},
    };
    assert_int_equal(SPAN_BLOCK_PAGES_MAX, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span_plan_block blocks[100];
        size_t chosen[SPAN_PLAN_MERGE] = {0};
        size_t count = make(cases[i].kinds, blocks);
        bool any = span_plan_merge(blocks, count, cases[i].bytes_max, chosen);
        bool expected = cases[i].first <= cases[i].last;
        if (any != expected || (any && (chosen[0] != cases[i].first ||
                                           chosen[SPAN_PLAN_MERGE - 1] != cases[i].last))) {
            fail_msg("%s: %d, %zu to %zu, expected %d, %zu to %zu", cases[i].name, any, chosen[0],
                chosen[SPAN_PLAN_MERGE - 1], expected, cases[i].first, cases[i].last);
        }
    }
    (void)state;
}

static void test_expire(void **state)
{
    static const struct span_plan_block blocks[] = {
        {0, 1, 100, 5000}, {1, 1, 200, 3000}, {0, 1, 50, 4000}};
    static const struct {
        size_t count;
        uint64_t oldest_ns, bytes_max;
        bool make_room;
        int index; /* -1: none */
    } cases[] = {{0, 9999, 1, true, -1}, {3, 0, 0, false, -1}, {3, 3000, 0, false, -1},
        {3, 3001, 0, false, 1}, {3, 9999, 0, false, 1}, {3, 0, 350, false, -1},
        {3, 0, 349, false, 1}, {1, 0, 99, false, 0}, {1, 5001, 0, false, 0}, {3, 0, 0, true, 1},
        {2, 0, 999, true, 1}, {1, 0, 0, true, -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t index = 99;
        bool any = span_plan_expire(blocks, cases[i].count, cases[i].oldest_ns, cases[i].bytes_max,
            cases[i].make_room, &index);
        int found = any ? (int)index : -1;
        if (found != cases[i].index) {
            fail_msg("case %zu: %d, expected %d", i, found, cases[i].index);
        }
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
