/* Stretches of a series: by table, and at random that they join. */
#include "db/tier_segments.h"
#include "support/support.h"

#define NONE INT64_MAX
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static void test_table(void **state)
{
    static const struct {
        struct tier_extents x;
        size_t count;
        struct tier_segment out[5];
    } rows[] = {
        /* Raw alone, though tiers are there. */
        {{5 * DAY, 6 * DAY, 3 * DAY, {0, 0, 0}, {0, NONE, NONE}, 0}, 1,
            {{STORE_RAW, 5 * DAY - 1, 6 * DAY}}},
        /* From far back: an hour, five minutes, samples. */
        {{1, 9 * DAY, 6 * DAY, {0, 3 * DAY, 0}, {0, NONE, NONE}, 0}, 3,
            {{STORE_1H, 0, 3 * DAY}, {STORE_5M, 3 * DAY, 6 * DAY}, {STORE_RAW, 6 * DAY, 9 * DAY}}},
        /* No samples left, no hours kept. */
        {{1, 9 * DAY, NONE, {0, 0, NONE}, {0, NONE, NONE}, 0}, 1, {{STORE_5M, 0, 9 * DAY}}},
        /* Hours will do: whole ones inside, samples around them. */
        {{DAY + 30 * MINUTE + 1, 2 * DAY + 30 * MINUTE, 0, {0, 0, 0}, {0, NONE, NONE}, HOUR}, 3,
            {{STORE_RAW, DAY + 30 * MINUTE, DAY + HOUR}, {STORE_1H, DAY + HOUR, 2 * DAY},
                {STORE_RAW, 2 * DAY, 2 * DAY + 30 * MINUTE}}},
        /* Ten minutes: an hour does not divide them. */
        {{DAY + 1, 2 * DAY, 0, {0, 0, 0}, {0, NONE, NONE}, 10 * MINUTE}, 1,
            {{STORE_5M, DAY, 2 * DAY}}},
        /* A day that is not in the tier yet. */
        {{DAY + 1, 4 * DAY, 0, {0, 0, 0}, {0, 3 * DAY, 3 * DAY}, HOUR}, 2,
            {{STORE_1H, DAY, 3 * DAY}, {STORE_RAW, 3 * DAY, 4 * DAY}}},
        /* No whole bucket inside. */
        {{DAY + 5 * MINUTE, DAY + 9 * MINUTE, 0, {0, 0, 0}, {0, NONE, NONE}, 5 * MINUTE}, 1,
            {{STORE_RAW, DAY + 5 * MINUTE - 1, DAY + 9 * MINUTE}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tier_segment got[TIER_SEGMENTS_MAX];
        size_t count = tier_segments(&rows[i].x, got);
        bool equal = count == rows[i].count;
        for (size_t k = 0; equal && k < count; k++) {
            equal = got[k].tier == rows[i].out[k].tier && got[k].from == rows[i].out[k].from &&
                    got[k].to == rows[i].out[k].to;
        }
        if (!equal) {
            fail_msg("row %zu: %zu stretches, the first (%lld, %lld] of tier %u; expected %zu", i,
                count, (long long)got[0].from, (long long)got[0].to, got[0].tier, rows[i].count);
        }
    }
}

/* Whatever is there, the stretches cover the range and meet at ends of buckets. */
static void test_joins(void **state)
{
    static const int64_t resolutions[] = {0, 5 * MINUTE, 10 * MINUTE, HOUR, 7 * MINUTE, 3 * HOUR};
    uint64_t random = test_seed();
    for (int round = 0; round < 20000; round++) {
        int64_t min_t = (int64_t)(test_random(&random) % (uint64_t)(10 * DAY));
        struct tier_extents x = {.min_t = min_t,
            .max_t = min_t + (int64_t)(test_random(&random) % (uint64_t)(6 * DAY)),
            .resolution_max_ms = resolutions[test_random(&random) % 6]};
        int64_t days[5];
        for (int i = 0; i < 5; i++) {
            uint64_t day = test_random(&random) % 14;
            days[i] = day == 13 ? NONE : (int64_t)day * DAY;
        }
        x.raw_from = days[0];
        for (int t = 1; t < STORE_TIERS; t++) {
            x.from[t] = days[t];
            x.through[t] = days[t + 2];
        }
        struct tier_segment out[TIER_SEGMENTS_MAX];
        size_t count = tier_segments(&x, out);
        int64_t at = min_t - 1;
        for (size_t i = 0; i < count; i++) {
            assert_true(out[i].from == at && out[i].to > at);
            assert_true(i == 0 || out[i].tier != out[i - 1].tier);
            at = out[i].to;
            int64_t resolution = store_tier_resolution(out[i].tier);
            bool inner = i + 1 < count && i > 0 && resolution > 0;
            assert_true(!inner || (out[i].from % resolution == 0 && out[i].to % resolution == 0));
        }
        assert_true(at == x.max_t || count == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_joins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
