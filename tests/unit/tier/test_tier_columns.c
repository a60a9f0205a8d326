/* Columns chosen for buckets, and buckets restored from them. */
#include <math.h>

#include "base/bytes.h"
#include "model/sample.h"
#include "support/support.h"
#include "tier/tier_columns.h"

enum { SAMPLES = 2000 };

#define MINUTE INT64_C(60000)

static int64_t times[SAMPLES];
static double values[SAMPLES];
static uint64_t state_random;

typedef double (*maker)(double before, size_t i);

static double make_constant(double before, size_t i)
{
    return 42.5;
}

static double make_steps(double before, size_t i)
{
    return (double)(i / 20 * 3 % 7);
}

static double make_counter(double before, size_t i)
{
    return before + (double)(test_random(&state_random) % 9);
}

static double make_resetting(double before, size_t i)
{
    return i == 707 || i == 909 ? 1 : make_counter(before, i);
}

static double make_gauge(double before, size_t i)
{
    return (double)(test_random(&state_random) % 1000) / 8;
}

static double make_odd(double before, size_t i)
{
    static const double odd[] = {0, -0.0, 1, INFINITY, -3};
    uint64_t r = test_random(&state_random) % 9;
    return r < 5 ? odd[r] : r == 5 ? value_nan() : make_gauge(before, i);
}

static void fill(struct rollup *r, maker make)
{
    double before = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        times[i] = (int64_t)i * 15000 + 1 + (int64_t)(i % 7);
        values[i] = before = make(before, i);
    }
    rollup_init(r, 5 * MINUTE, false);
    assert_int_equal(rollup_add(r, times, values, SAMPLES), 0);
    assert_int_equal(rollup_finish(r), 0);
}

static struct tier_bucket bucket_of(const struct rollup *r, size_t i, unsigned mask)
{
    struct tier_bucket b = {.end = r->ends[i], .present = mask | TIER_TIMING};
    for (int a = TIER_LAST; a <= TIER_FIRST_AGE; a++) {
        /* What is not there must not be looked at. */
        b.cells[a] = b.present & TIER_BIT(a) ? tier_cell(r, i, (enum tier_aggregate)a) : 12345;
    }
    return b;
}

static bool same(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

/* Everything comes back to the bit, but for what is named as an estimate. */
static void test_round_trip(void **state)
{
    enum {
        L = TIER_BIT(TIER_LAST),
        F = TIER_BIT(TIER_FIRST),
        N = TIER_BIT(TIER_MIN),
        X = TIER_BIT(TIER_MAX),
        S = TIER_BIT(TIER_SUM),
        I = TIER_BIT(TIER_INCREASE)
    };
    static const struct {
        const char *name;
        maker make;
        bool counter;
        unsigned mask, estimated;
    } rows[] = {
        {"constant", make_constant, false, L, 0},
        {"constant in buckets", make_steps, false, L, 0},
        {"counter", make_counter, true, L | F, RUN_SUM_ESTIMATED},
        {"rises", make_counter, false, L | F | S, 0},
        {"counter with resets", make_resetting, true, L | F | N | X | S | I, 0},
        {"gauge", make_gauge, false, L | F | N | X | S, RUN_INCREASE_ESTIMATED},
        {"gauge named like a counter", make_gauge, true, L | F | N | X | S, RUN_INCREASE_ESTIMATED},
        {"odd values", make_odd, true, L | F | N | X | S, RUN_INCREASE_ESTIMATED},
    };
    state_random = test_seed();
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct rollup r;
        fill(&r, rows[k].make);
        unsigned mask = tier_columns_choose(&r, rows[k].counter), estimated = 0;
        if (mask != rows[k].mask) {
            fail_msg("%s: columns %#x, expected %#x", rows[k].name, mask, rows[k].mask);
        }
        for (size_t i = 0; i < r.count; i++) {
            const struct run_summary *b = &r.buckets[i];
            struct tier_bucket cells = bucket_of(&r, i, mask);
            struct run_summary got;
            unsigned guessed = tier_restore(&cells, &got);
            estimated |= guessed;
            bool good = got.count == b->count && got.first_t == b->first_t &&
                        got.last_t == b->last_t && same(got.first, b->first) &&
                        same(got.last, b->last) && same(got.min, b->min) && same(got.max, b->max);
            good = good && (same(got.sum, b->sum) || (guessed & RUN_SUM_ESTIMATED) != 0);
            good = good &&
                   (same(got.increase, b->increase) || (guessed & RUN_INCREASE_ESTIMATED) != 0);
            if (!good) {
                fail_msg("%s: bucket %zu differs", rows[k].name, i);
            }
            if (guessed & RUN_SUM_ESTIMATED) {
                double n = (double)b->count;
                assert_true(b->sum >= n * b->first && b->sum <= n * b->last);
                assert_true(got.sum >= n * b->first && got.sum <= n * b->last);
            }
        }
        assert_int_equal(estimated, rows[k].estimated);
        rollup_release(&r);
    }
}

/* Cells that no writer made. */
static void test_nonsense(void **state)
{
    static const double cells[] = {-1, NAN, INFINITY, 1e300, -0.0, 0.5};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        struct tier_bucket b = {.end = 300000, .present = TIER_TIMING | TIER_BIT(TIER_LAST)};
        b.cells[TIER_COUNT] = b.cells[TIER_LAST_AGE] = b.cells[TIER_FIRST_AGE] = cells[i];
        struct run_summary s;
        (void)tier_restore(&b, &s);
        assert_true(s.count >= 1 && s.last_t == 300000 && s.first_t == 300000);
    }
}

static void test_shapes(void **state)
{
    const struct label pairs[] = {
        {STR("__name__"), STR("m")}, {STR("mode"), STR("idle")}, {STR("\xff\xff"), STR("x")}};
    for (size_t count = 0; count <= 3; count++) {
        for (int a = 0; a < TIER_AGGREGATES; a++) {
            const struct labels *shape, *with;
            struct label back[4];
            enum tier_aggregate aggregate;
            assert_int_equal(labels_new(pairs, count, &shape, NULL), 0);
            assert_int_equal(tier_shape_new(shape, (enum tier_aggregate)a, &with), 0);
            int n = tier_shape_split(labels_pairs(with), labels_count(with), back, &aggregate);
            assert_int_equal(n, count);
            assert_int_equal(aggregate, a);
            for (size_t i = 0; i < count; i++) {
                assert_true(str_eq(back[i].name, pairs[i].name));
                assert_true(str_eq(back[i].value, pairs[i].value));
            }
            const struct labels *twice;
            assert_int_equal(tier_shape_new(with, TIER_SUM, &twice), ERR_INVALID);
            labels_unref(with);
            labels_unref(shape);
        }
    }
    struct label back[3];
    enum tier_aggregate aggregate;
    const struct label unknown = {STR("\xff"), STR("median")};
    assert_int_equal(tier_shape_split(pairs, 3, back, &aggregate), ERR_CORRUPT);
    assert_int_equal(tier_shape_split(&unknown, 1, back, &aggregate), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
