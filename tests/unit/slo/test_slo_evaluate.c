/* Ledgers and evaluation against discrete vectors, which follow from the definitions with uniform traffic,
 * exact counts and an evaluation every 30 seconds; forecasts, low traffic, missing data, exclusions and
 * compositions against their closed forms.
 */
#include "support/support.h"

#include <math.h>
#include <stdio.h>

#include "slo/slo_evaluate.h"
#include "slo/slo_exclusion.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
/* A multiple of every step used here. */
#define ORIGIN (INT64_C(20000) * DAY)

static struct slo_parameters parameters(int64_t days, int64_t budget, int64_t step_ms)
{
    struct slo_parameters p = {.budget_billionths = budget,
        .window = {.count = days, .unit = SLO_DAY},
        .step_ms = step_ms,
        .tier_count = 4};
    for (size_t i = 0; i < 4; i++) {
        p.tiers[i] = slo_default_tiers[i];
    }
    return p;
}

static void ledger_open(struct slo_component *c, const struct slo_parameters *p, int64_t first_ms)
{
    *c = (struct slo_component){.budget_billionths = p->budget_billionths, .weight = 1};
    slo_ledger_init(&c->ledger, p->step_ms, first_ms, p->no_data);
}

static void add(struct slo_component *c, int64_t end_ms, double bad, double total)
{
    assert_int_equal(slo_ledger_extend(&c->ledger, end_ms), 0);
    slo_ledger_set(&c->ledger, end_ms, (struct slo_count){bad, total});
}

static void discrete_vectors(void **state)
{
    (void)state;
    /* Seconds from the outage's beginning to (fire, clear) of each tier; 0: never. 1000 events a step. */
    static const struct {
        int64_t days, budget;
        int bad;
        int64_t outage;
        int64_t expected[4][2];
    } table[] = {
        {30, 1000000, 1000, 600, {{60, 900}, {150, 2400}, {270, 7800}, {270, 22200}}},
        {30, 1000000, 1000, 3600, {{60, 3900}, {150, 5400}, {270, 10800}, {270, 25200}}},
        {30, 1000000, 100, 14400, {{540, 14670}, {1320, 16110}, {2610, 21390}, {2610, 35790}}},
        {30, 1000000, 20, 43200, {{2610, 43290}, {6510, 44460}, {12990, 49320}, {12990, 63720}}},
        {30, 1000000, 2, 288000, {{0, 0}, {0, 0}, {0, 0}, {129630, 298800}}},
        {30, 10000000, 1000, 3600, {{540, 3870}, {1320, 5310}, {2610, 10590}, {2610, 24990}}},
        {30, 10000000, 100, 43200, {{0, 0}, {12990, 43920}, {25950, 48240}, {25950, 62640}}},
        {30, 50000000, 1000, 14400, {{2610, 14490}, {6510, 15660}, {12990, 20520}, {12990, 34920}}},
        {28, 1000000, 100, 14400, {{510, 14670}, {1230, 16110}, {2430, 21420}, {2430, 35820}}},
        {28, 1000000, 2, 288000, {{0, 0}, {0, 0}, {0, 0}, {120990, 299520}}},
        {28, 50000000, 1000, 14400, {{2430, 14520}, {6060, 15720}, {12120, 20610}, {12120, 35010}}},
    };
    for (size_t row = 0; row < sizeof(table) / sizeof(table[0]); row++) {
        struct slo_parameters p = parameters(table[row].days, table[row].budget, 30 * SECOND);
        struct slo_component c;
        ledger_open(&c, &p, ORIGIN - 73 * HOUR);
        for (int64_t t = ORIGIN - 73 * HOUR; t <= ORIGIN; t += p.step_ms) {
            add(&c, t, 0, 1000);
        }
        int64_t got[4][2] = {{0}};
        int64_t last = table[row].outage + 12000 + 3600 * 8;
        for (int64_t s = 30; s <= last; s += 30) {
            int64_t t = ORIGIN + s * SECOND;
            add(&c, t, s <= table[row].outage ? table[row].bad : 0, 1000);
            struct slo_evaluation v;
            slo_evaluate(&p, &c, 1, t, &v);
            for (size_t i = 0; i < 4; i++) {
                bool burning = v.tiers[i].verdict == SLO_BURNING;
                if (burning && got[i][0] == 0) {
                    got[i][0] = s;
                } else if (!burning && got[i][0] != 0 && got[i][1] == 0) {
                    got[i][1] = s;
                }
            }
        }
        for (size_t i = 0; i < 4; i++) {
            if (got[i][0] != table[row].expected[i][0] || got[i][1] != table[row].expected[i][1]) {
                fail_msg("row %zu, %s: %lld, %lld, not %lld, %lld", row, p.tiers[i].name,
                    (long long)got[i][0], (long long)got[i][1],
                    (long long)table[row].expected[i][0], (long long)table[row].expected[i][1]);
            }
        }
        slo_ledger_release(&c.ledger);
    }
}

/* 30 days, half of the budget spent by one incident that leaves the window in 24 hours. */
static void forecasts(void **state)
{
    (void)state;
    static const struct {
        double burn, hours;
    } table[] = {{5, 144}, {10, 72}, {14, 720.0 / 14}, {20, 18}, {30, 12}, {0.4, 0}};
    struct slo_parameters p = parameters(30, 1000000, 600 * SECOND);
    struct slo_component c;
    int64_t now = ORIGIN, start = ORIGIN - 30 * DAY;
    ledger_open(&c, &p, start + p.step_ms);
    for (int64_t t = start + p.step_ms; t <= now; t += p.step_ms) {
        bool incident = t > start + DAY - 3 * p.step_ms && t <= start + DAY;
        add(&c, t, incident ? 7200 : 0, 10000);
    }
    struct slo_evaluation v;
    slo_evaluate(&p, &c, 1, now, &v);
    assert_true(fabs(v.budget_remaining - 0.5) < 1e-12);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t at = slo_forecast(&p, &c, 1, now, table[i].burn);
        double got = at == 0 ? 0 : (double)(at - now) / (double)HOUR;
        if (fabs(got - table[i].hours) > 600.0 / 3600) {
            fail_msg("burn %g: %g h, not %g h", table[i].burn, got, table[i].hours);
        }
    }
    slo_ledger_release(&c.ledger);
}

/* Exactly on budget with 69 events an hour: the guard keeps pages away that one or two failures would
 * cause. An outage of 1000 events an hour is still seen when the formula says. */
static void low_traffic(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    unsigned pages[2] = {0};
    for (int guarded = 0; guarded < 2; guarded++) {
        struct slo_parameters p = parameters(30, 1000000, 60 * SECOND);
        p.min_failures = guarded ? SLO_MIN_FAILURES_DEFAULT : 0;
        struct slo_component c;
        ledger_open(&c, &p, ORIGIN);
        bool before = false;
        for (int64_t i = 0; i < 30 * 1440; i++) {
            double total = i % 20 == 0 ? 23 : 0, bad = 0;
            for (int n = 0; n < (int)total; n++) {
                bad += test_random(&random) % 1000 == 0;
            }
            add(&c, ORIGIN + i * p.step_ms, bad, total);
            struct slo_evaluation v;
            slo_evaluate(&p, &c, 1, ORIGIN + i * p.step_ms, &v);
            bool burning = v.tiers[0].verdict == SLO_BURNING;
            pages[guarded] += burning && !before;
            before = burning;
        }
        slo_ledger_release(&c.ledger);
    }
    if (pages[1] > 1 || pages[0] <= pages[1]) {
        fail_msg("%u pages without the guard, %u with it", pages[0], pages[1]);
    }
    struct slo_parameters p = parameters(30, 1000000, 30 * SECOND);
    p.min_failures = SLO_MIN_FAILURES_DEFAULT;
    struct slo_component c;
    ledger_open(&c, &p, ORIGIN - 2 * HOUR);
    int64_t seen = 0;
    for (int64_t t = ORIGIN - 2 * HOUR; t <= ORIGIN + HOUR && seen == 0; t += p.step_ms) {
        /* 1000 an hour: 25 in three steps. */
        double total = t / p.step_ms % 3 == 0 ? 9 : 8;
        add(&c, t, t > ORIGIN ? total : 0, total);
        struct slo_evaluation v;
        slo_evaluate(&p, &c, 1, t, &v);
        seen = v.tiers[0].verdict == SLO_BURNING ? (t - ORIGIN) / SECOND : 0;
    }
    assert_true(seen >= 51 && (double)seen <= 51.84 + 90);
    slo_ledger_release(&c.ledger);
}

/* Failures needed at shares of 2, 5 and 10 % of 99.9 %, by the events of the last period. */
static void failures_of_a_budget(void **state)
{
    (void)state;
    static const struct {
        double events, needed[3];
    } table[] = {{1000, {.02, .05, .1}}, {7200, {.144, .36, .72}}, {30000, {.6, 1.5, 3}},
        {100000, {2, 5, 10}}, {1000000, {20, 50, 100}}};
    for (size_t i = 0; i < 5; i++) {
        for (int least = 0; least <= 3; least += 3) {
            struct slo_parameters p = parameters(30, 1000000, 600 * SECOND);
            struct slo_component c;
            struct slo_evaluation v;
            p.budget_guard = true;
            p.min_failures = least;
            int64_t steps = 30 * DAY / p.step_ms;
            ledger_open(&c, &p, ORIGIN - 30 * DAY + p.step_ms);
            for (int64_t s = 1; s <= steps; s++) {
                add(&c, ORIGIN - 30 * DAY + s * p.step_ms, 0, table[i].events / (double)steps);
            }
            slo_evaluate(&p, &c, 1, ORIGIN, &v);
            for (size_t t = 0; t < 3; t++) {
                double wanted = table[i].needed[t] > least ? table[i].needed[t] : least;
                if (fabs(v.tiers[t].failures_needed - wanted) > 1e-9 * wanted) {
                    fail_msg("%g events, tier %zu: %.12g needed, not %.12g", table[i].events, t,
                        v.tiers[t].failures_needed, wanted);
                }
            }
            slo_ledger_release(&c.ledger);
        }
    }
}

/* Busy days and quiet nights, a thousand to one. All of a night's requests fail for an hour: of the month's
 * budget that is nothing, and by ratio alone it pages. The same by day pages either way. */
static void quiet_nights(void **state)
{
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        for (int night = 0; night < 2; night++) {
            struct slo_parameters p = parameters(30, 1000000, 60 * SECOND);
            struct slo_component c;
            bool paged = false;
            p.min_failures = SLO_MIN_FAILURES_DEFAULT;
            p.budget_guard = guarded;
            ledger_open(&c, &p, ORIGIN - 30 * DAY);
            for (int64_t t = ORIGIN - 30 * DAY; t <= ORIGIN + HOUR; t += p.step_ms) {
                bool dark = night ? t > ORIGIN - 12 * HOUR : t % DAY >= 12 * HOUR;
                double total = dark ? 1 : 1000;
                add(&c, t, t > ORIGIN ? total : 0, total);
                struct slo_evaluation v;
                if (t > ORIGIN) {
                    slo_evaluate(&p, &c, 1, t, &v);
                    paged |= v.tiers[0].verdict == SLO_BURNING;
                }
            }
            assert_int_equal(paged, !(guarded && night));
            slo_ledger_release(&c.ledger);
        }
    }
}

/* Twenty minutes without samples, in the middle of an outage that burns. */
static void missing_data(void **state)
{
    (void)state;
    static const struct {
        enum slo_no_data policy;
        enum slo_verdict verdict;
        double bad; /* of the last hour */
    } table[] = {{SLO_FREEZE, SLO_NO_DATA, 20 * 100}, {SLO_IGNORE, SLO_QUIET, 20 * 100},
        {SLO_BAD, SLO_BURNING, 40 * 100}, {SLO_GOOD, SLO_QUIET, 20 * 100}};
    for (size_t i = 0; i < 4; i++) {
        struct slo_parameters p = parameters(30, 1000000, 60 * SECOND);
        p.no_data = table[i].policy;
        struct slo_component c;
        ledger_open(&c, &p, ORIGIN);
        struct slo_evaluation v;
        for (int64_t m = 0; m < 60; m++) {
            int64_t t = ORIGIN + m * p.step_ms;
            if (m < 40) {
                add(&c, t, m >= 20 ? 100 : 0, 100);
            } else {
                assert_int_equal(slo_ledger_extend(&c.ledger, t), 0);
            }
            slo_evaluate(&p, &c, 1, t, &v);
            if (m == 39) {
                assert_int_equal(v.tiers[0].verdict, SLO_BURNING);
                assert_false(v.no_data);
            }
        }
        assert_true(v.no_data);
        assert_int_equal(v.tiers[0].verdict, table[i].verdict);
        assert_true(v.tiers[0].long_count.events.bad == table[i].bad);
        assert_true(fabs(slo_coverage(&v.tiers[0].long_count) - 40.0 / 60) < 1e-12);
        slo_ledger_release(&c.ledger);
    }
}

static bool excluded(void *context, int64_t end_ms)
{
    return context != NULL && slo_exclusion_holds(context, end_ms);
}

static void exclusions(void **state)
{
    (void)state;
    struct slo_parameters p = parameters(30, 1000000, 60 * SECOND);
    struct slo_component c;
    ledger_open(&c, &p, ORIGIN - 30 * DAY + p.step_ms);
    for (int64_t t = ORIGIN - 30 * DAY + p.step_ms; t <= ORIGIN; t += p.step_ms) {
        bool outage = t > ORIGIN - DAY && t <= ORIGIN - DAY + HOUR;
        add(&c, t, outage ? 0.7 : 0, 1.1);
    }
    struct slo_evaluation before, without, after;
    slo_evaluate(&p, &c, 1, ORIGIN, &before);
    struct slo_exclusion hour = {.start_ms = ORIGIN - DAY,
        .end_ms = ORIGIN - DAY + HOUR,
        .reason = STR("move"),
        .author = STR("me")};
    slo_ledger_exclude(&c.ledger, excluded, &hour);
    slo_evaluate(&p, &c, 1, ORIGIN, &without);
    assert_true(without.budget_remaining == 1);
    assert_int_equal(without.count.excluded, 60);
    assert_true(without.coverage == 1);
    slo_ledger_exclude(&c.ledger, excluded, NULL);
    slo_evaluate(&p, &c, 1, ORIGIN, &after);
    assert_true(before.budget_remaining < 1);
    assert_memory_equal(&before.budget_remaining, &after.budget_remaining, sizeof(double));
    slo_ledger_release(&c.ledger);
}

static void recurring_exclusions(void **state)
{
    (void)state;
    struct zone *berlin = NULL;
    assert_int_equal(zone_open(NULL, STR("Europe/Berlin"), &berlin, NULL), 0);
    /* Mondays 23:00 to 02:00 in Berlin, from Monday 2 March 2026 on, until the end of April. */
    struct slo_exclusion x = {.start_ms = INT64_C(1772488800000),
        .end_ms = INT64_C(1772499600000),
        .until_ms = INT64_C(1777586400000),
        .repeat = SLO_WEEKLY,
        .reason = STR("backup"),
        .author = STR("ops"),
        .zone = berlin};
    assert_int_equal(slo_exclusion_check(&x, NULL), 0);
    static const struct {
        int64_t seconds;
        bool holds;
    } table[] = {
        {1772488800, false},                    /* right at the beginning: that step lies before */
        {1772488860, true}, {1772499600, true}, /* right at the end */
        {1772499660, false}, {1772488860 + 86400, false}, {1772488860 + 7 * 86400, true},
        {1772488860 - 7 * 86400, false},
        {1775509140, false},                      /* Monday 6 April 22:59, summer time */
        {1775509260, true},                       /* 23:01 */
        {1775520000, true},                       /* Tuesday 02:00 */
        {1775520060, false}, {1777928460, false}, /* Monday 4 May, after its end */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (slo_exclusion_holds(&x, table[i].seconds * 1000) != table[i].holds) {
            fail_msg("%lld: not %d", (long long)table[i].seconds, table[i].holds);
        }
    }
    x.repeat = SLO_DAILY;
    assert_true(slo_exclusion_holds(&x, INT64_C(1772488860000) + 3 * DAY));
    x.end_ms = x.start_ms + 25 * HOUR;
    assert_int_equal(slo_exclusion_check(&x, NULL), ERR_INVALID);
    x.end_ms = x.start_ms;
    assert_int_equal(slo_exclusion_check(&x, NULL), ERR_INVALID);
    x.end_ms = x.start_ms + HOUR;
    x.reason = STR(" ");
    assert_int_equal(slo_exclusion_check(&x, NULL), ERR_INVALID);
    zone_free(berlin);
}

static void exclusion_bytes(void **state)
{
    (void)state;
    struct slo_exclusion x = {.id = 7,
        .slo = STR("checkout"),
        .reason = STR("move"),
        .author = STR("me"),
        .zone_name = STR("Europe/Berlin"),
        .start_ms = -5,
        .end_ms = 6,
        .until_ms = INT64_MAX,
        .made_ms = 8,
        .repeat = SLO_DAILY};
    struct strbuf out = STRBUF_INIT, again = STRBUF_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    slo_exclusion_encode(&x, &out);
    struct slo_exclusion y;
    assert_int_equal(slo_exclusion_decode(&arena, strbuf_str(&out), &y), 0);
    slo_exclusion_encode(&y, &again);
    assert_true(str_eq(strbuf_str(&out), strbuf_str(&again)));
    for (size_t cut = 0; cut < out.size; cut++) {
        assert_int_equal(slo_exclusion_decode(&arena, str_make(out.data, cut), &y), ERR_CORRUPT);
    }
    arena_release(&arena);
    strbuf_release(&out);
    strbuf_release(&again);
}

/* Two parts of one service with 1 % and 3 % errors, budgets 1 % and 2 %, weights 3 and 1. */
static void compositions(void **state)
{
    (void)state;
    struct slo_parameters p = parameters(30, 0, 60 * SECOND);
    struct slo_component parts[2];
    for (size_t i = 0; i < 2; i++) {
        ledger_open(&parts[i], &p, ORIGIN);
        parts[i].budget_billionths = i == 0 ? 10000000 : 20000000;
        parts[i].weight = i == 0 ? 3 : 1;
        for (int64_t m = 0; m < 10; m++) {
            add(&parts[i], ORIGIN + m * p.step_ms, i == 0 ? 1 : 3, 100);
        }
    }
    struct slo_window_count count;
    p.composition = SLO_WEIGHTED;
    p.budget_billionths = slo_composed_budget(SLO_WEIGHTED, parts, 2);
    assert_int_equal(p.budget_billionths, 12500000);
    count = slo_count_window(&p, parts, 2, ORIGIN - 1, ORIGIN + HOUR);
    /* Burn (3 · 1 + 1 · 1.5) / 4 = 1.125 */
    assert_true(fabs(slo_budget_remaining(count.events, p.budget_billionths) + 0.125) < 1e-9);
    p.composition = SLO_PRODUCT;
    p.budget_billionths = slo_composed_budget(SLO_PRODUCT, parts, 2);
    assert_int_equal(p.budget_billionths, 29800000);
    count = slo_count_window(&p, parts, 2, ORIGIN - 1, ORIGIN + HOUR);
    assert_true(fabs(count.events.bad - (1 - 0.99 * 0.97)) < 1e-12);
    slo_ledger_release(&parts[0].ledger);
    slo_ledger_release(&parts[1].ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discrete_vectors),
        cmocka_unit_test(forecasts),
        cmocka_unit_test(low_traffic),
        cmocka_unit_test(failures_of_a_budget),
        cmocka_unit_test(quiet_nights),
        cmocka_unit_test(missing_data),
        cmocka_unit_test(exclusions),
        cmocka_unit_test(recurring_exclusions),
        cmocka_unit_test(exclusion_bytes),
        cmocka_unit_test(compositions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
