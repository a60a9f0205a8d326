/* Tiers against closed forms, and the tables worked out from them by hand. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>

#include "slo/slo_tier.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static void near(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fabs(expected)) && got != expected) {
        fail_msg("%s: %.12g, not %.12g", what, got, expected);
    }
}

/* k = c · P / L */
static void factors(void **state)
{
    (void)state;
    static const struct {
        int64_t days;
        double factors[4];
    } table[] = {
        {7, {3.36, 1.4, 0.7, 7.0 / 30}},
        {14, {6.72, 2.8, 1.4, 14.0 / 30}},
        {28, {13.44, 5.6, 2.8, 28.0 / 30}},
        {30, {14.4, 6, 3, 1}},
        {90, {43.2, 18, 9, 3}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t j = 0; j < 4; j++) {
            const struct slo_tier *t = &slo_default_tiers[j];
            int64_t period = table[i].days * DAY;
            near(t->name, slo_tier_factor(t, period), table[i].factors[j], 1e-9);
            near("k · L", slo_tier_factor(t, period) * (double)t->long_ms,
                (double)t->share_millionths / 1e6 * (double)period, 1e-12);
        }
    }
}

/* Schemes of others: windows and shares of the budget, and the factors they give, each worked out by hand. */
static void schemes(void **state)
{
    (void)state;
    static const struct {
        int64_t days, hours;
        double percent, factor;
    } table[] = {/* Factors of 30 days, kept on other periods, spend these shares. */
        {28, 1, 15.0 / 7, 14.4}, {28, 6, 37.5 / 7, 6}, {28, 24, 75.0 / 7, 3}, {28, 72, 75.0 / 7, 1},
        {7, 1, 60.0 / 7, 14.4}, {7, 6, 150.0 / 7, 6}, {7, 24, 300.0 / 7, 3}, {7, 72, 300.0 / 7, 1},
        {90, 1, 2.0 / 3, 14.4}, {90, 6, 5.0 / 3, 6}, {90, 24, 10.0 / 3, 3}, {90, 72, 10.0 / 3, 1},
        /* Windows that scale with the period. */
        {28, 1, 100.0 / 48, 14}, {28, 6, 6.25, 7}, {28, 24, 50.0 / 7, 2}, {28, 96, 100.0 / 7, 1},
        /* Of seven days, in two ways, and of ninety. */
        {7, 1, 8, 13.44}, {7, 6, 12.5, 3.5}, {7, 24, 20, 1.4}, {7, 72, 42, 0.98}, {7, 1, 10, 16.8},
        {7, 6, 20, 5.6}, {7, 24, 40, 2.8}, {90, 1, 1, 21.6}, {90, 6, 3, 10.8}, {90, 24, 5, 4.5}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct slo_tier t = {.long_ms = table[i].hours * HOUR,
            .short_ms = table[i].hours * HOUR / 12,
            .share_millionths = llround(table[i].percent * 1e4)};
        /* Shares are kept in millionths. */
        near("factor", slo_tier_factor(&t, table[i].days * DAY), table[i].factor, 1e-4);
    }
}

/* Other targets at 30 days: a factor needs a target above 1 - 1 / k. */
static void other_targets(void **state)
{
    (void)state;
    static const struct {
        int64_t budget;
        double threshold, seconds;
    } table[] = {{10000000, 0.144, 518.4}, {5000000, 0.072, 259.2}, {50000000, 0.72, 2592},
        {100000000, 1.44, INFINITY}};
    const struct slo_tier *t = &slo_default_tiers[0];
    for (size_t i = 0; i < 4; i++) {
        near("threshold", slo_tier_threshold(t, 30 * DAY, table[i].budget), table[i].threshold,
            1e-12);
        double seconds = slo_tier_detection_seconds(t, 30 * DAY, table[i].budget, 1);
        assert_true(
            isinf(table[i].seconds) ? isinf(seconds) : fabs(seconds - table[i].seconds) < 1e-6);
    }
    static const double needed[] = {93.06, 83.33, 66.67};
    for (size_t i = 0; i < 3; i++) {
        double k = slo_tier_factor(&slo_default_tiers[i], 30 * DAY);
        near("target", 100 * (1 - 1 / k), needed[i], 1e-4);
    }
}

/* 99.9 %: seconds until a tier fires, by the share of events that fail; 0 = never. Reset after a total
 * outage by the short and the long window. */
static void detection_and_reset(void **state)
{
    (void)state;
    static const double errors[] = {1, 0.1, 0.02, 0.01, 0.002};
    static const struct {
        int64_t days;
        int tier;
        double detection[5], reset_short, reset_long;
    } table[] = {
        {28, 0, {48.384, 483.84, 40.32 * 60, 0, 0}, 4.933 * 60, 59.19 * 60},
        {28, 1, {120.96, 20.16 * 60, 100.8 * 60, 201.6 * 60, 0}, 29.83 * 60, 357.98 * 60},
        {28, 2, {241.92, 40.32 * 60, 201.6 * 60, 403.2 * 60, 0}, 119.66 * 60, 1435.97 * 60},
        {28, 3, {241.92, 40.32 * 60, 201.6 * 60, 403.2 * 60, 33.6 * 3600}, 359.66 * 60,
            71.93 * 3600},
        {30, 0, {51.84, 518.4, 43.2 * 60, 0, 0}, 4.928 * 60, 59.14 * 60},
        {30, 1, {129.6, 21.6 * 60, 108 * 60, 216 * 60, 0}, 29.82 * 60, 357.84 * 60},
        {30, 2, {259.2, 43.2 * 60, 216 * 60, 432 * 60, 0}, 119.64 * 60, 1435.68 * 60},
        {30, 3, {259.2, 43.2 * 60, 216 * 60, 432 * 60, 36 * 3600}, 359.64 * 60, 71.93 * 3600},
        {90, 0, {155.52, 25.92 * 60, 0, 0, 0}, 4.784 * 60, 57.41 * 60},
        {90, 1, {388.8, 64.8 * 60, 324 * 60, 0, 0}, 29.46 * 60, 353.52 * 60},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct slo_tier *t = &slo_default_tiers[table[i].tier];
        int64_t period = table[i].days * DAY;
        for (size_t j = 0; j < 5; j++) {
            double got = slo_tier_detection_seconds(t, period, 1000000, errors[j]);
            double expected = table[i].detection[j];
            near("detection", got, expected == 0 ? INFINITY : expected, 1e-9);
        }
        near("reset, short", slo_tier_reset_seconds(t, period, 1000000, 1, t->short_ms),
            table[i].reset_short, 2e-4);
        near("reset, long", slo_tier_reset_seconds(t, period, 1000000, 1, t->long_ms),
            table[i].reset_long, 2e-4);
    }
    static const struct {
        int64_t budget;
        double threshold, seconds;
    } targets[] = {{10000000, 0.144, 518.4}, {5000000, 0.072, 259.2}, {50000000, 0.72, 43.2 * 60},
        {100000000, 1.44, INFINITY}};
    for (size_t i = 0; i < 4; i++) {
        const struct slo_tier *t = &slo_default_tiers[0];
        near("threshold", slo_tier_threshold(t, 30 * DAY, targets[i].budget), targets[i].threshold,
            1e-9);
        near("outage", slo_tier_detection_seconds(t, 30 * DAY, targets[i].budget, 1),
            targets[i].seconds, 1e-9);
    }
}

static void single_failures(void **state)
{
    (void)state;
    static const struct {
        int64_t budget;
        double events[4];
    } table[] = {{10000000, {6.944, 16.667, 33.333, 100}}, {5000000, {13.889, 33.333, 66.667, 200}},
        {1000000, {69.444, 166.667, 333.333, 1000}}, {500000, {138.889, 333.333, 666.667, 2000}}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            near("events",
                slo_tier_single_failure_events(&slo_default_tiers[j], 30 * DAY, table[i].budget),
                table[i].events[j], 1e-4);
        }
    }
}

static void repairs(void **state)
{
    (void)state;
    /* 90 %: 1.6 h at k = 9, a full outage is seen after 86.4 min. */
    struct slo_tier t = slo_default_tiers[0];
    assert_int_equal(slo_tier_repair(&t, 30 * DAY, 100000000, 60000), SLO_TIER_LENGTHENED);
    assert_int_equal(t.long_ms, 96 * 60000);
    assert_int_equal(t.short_ms, 8 * 60000);
    near("k", slo_tier_factor(&t, 30 * DAY), 9, 1e-12);
    near("seen", slo_tier_detection_seconds(&t, 30 * DAY, 100000000, 1), 86.4 * 60, 1e-12);
    /* 28 days: ticket-slow is 67.2 h long. */
    t = slo_default_tiers[3];
    assert_int_equal(slo_tier_repair(&t, 28 * DAY, 1000000, 60000), SLO_TIER_SHORTENED);
    assert_int_equal(t.long_ms, 4032 * 60000);
    near("k", slo_tier_factor(&t, 28 * DAY), 1, 1e-12);
    t = slo_default_tiers[1];
    assert_int_equal(slo_tier_repair(&t, 30 * DAY, 1000000, 60000), SLO_TIER_AS_ASKED);
    /* Half of the period at most. */
    t = (struct slo_tier){"wide", false, 20 * DAY, DAY, 900000};
    assert_int_equal(slo_tier_repair(&t, 30 * DAY, 1000000, 60000), SLO_TIER_REFUSED);
    assert_int_equal(t.long_ms, 20 * DAY);

    /* Whatever is asked for, what is not refused holds the three conditions. */
    static const int64_t days[] = {1, 3, 7, 14, 28, 30, 90, 365};
    static const int64_t budgets[] = {1000, 100000, 1000000, 10000000, 100000000, 500000000};
    for (size_t d = 0; d < 8; d++) {
        for (size_t b = 0; b < 6; b++) {
            for (size_t i = 0; i < 4; i++) {
                t = slo_default_tiers[i];
                int64_t period = days[d] * DAY;
                int repaired = slo_tier_repair(&t, period, budgets[b], 60000);
                double k = slo_tier_factor(&t, period);
                if ((repaired & SLO_TIER_REFUSED) == 0) {
                    assert_true(k >= 1 - 1e-12);
                    assert_true(k * (double)budgets[b] / 1e9 <= 0.9 + 1e-12);
                    assert_true(t.long_ms <= period / 2 && t.short_ms < t.long_ms);
                    near("k · L", k * (double)t.long_ms,
                        (double)t.share_millionths / 1e6 * (double)period, 1e-12);
                }
            }
        }
    }
}

/* A tie is not above, and one event more is: where floating point would say otherwise, too. */
static void exact_ties(void **state)
{
    (void)state;
    const struct slo_tier *t = &slo_default_tiers[0];
    static const double totals[] = {1e6, 3e6, 7e9, 1e12, 9e15};
    for (size_t i = 0; i < 5; i++) {
        double bad = totals[i] / 1e6 * 14400; // 14.4 · 0.1 % of the total
        struct slo_count tie = {bad, totals[i]}, above = {bad + 1, totals[i]};
        assert_false(slo_tier_exceeded(t, 30 * DAY, 1000000, tie));
        assert_true(slo_tier_exceeded(t, 30 * DAY, 1000000, above));
    }
    assert_false(slo_tier_exceeded(t, 30 * DAY, 1000000, (struct slo_count){0, 0}));
    assert_true(slo_tier_exceeded(t, 30 * DAY, 1000000, (struct slo_count){0.0145, 1}));
    assert_false(slo_tier_exceeded(t, 30 * DAY, 1000000, (struct slo_count){0.0143, 1}));
}

static void budgets(void **state)
{
    (void)state;
    /* 12 h at 1000/s with 0.05 % errors and 12 h at 10/s with 1 %: 0.0594 % of all. */
    struct slo_count day = {43200.0 * 1000 * 0.0005 + 43200.0 * 10 * 0.01, 43200.0 * 1010};
    near("day and night", slo_budget_remaining(day, 1000000), 0.4059, 2e-4);
    /* 600 s of 30 days. */
    struct slo_count outage = {600, 30 * 86400};
    near("outage", slo_budget_remaining(outage, 1000000), 1 - 600.0 / 2592, 1e-12);
    double burn = 0;
    assert_false(slo_burn((struct slo_count){0, 0}, 1000000, &burn));
    assert_true(slo_burn((struct slo_count){1, 1}, 1000000, &burn));
    near("ceiling", burn, 1000, 1e-12);
    assert_true(slo_budget_remaining((struct slo_count){1, 1}, 1000000) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors),
        cmocka_unit_test(schemes),
        cmocka_unit_test(other_targets),
        cmocka_unit_test(detection_and_reset),
        cmocka_unit_test(single_failures),
        cmocka_unit_test(repairs),
        cmocka_unit_test(exact_ties),
        cmocka_unit_test(budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
