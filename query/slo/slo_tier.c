/* Tiers: thresholds compared exactly, and windows repaired by rule.
 *
 * bad / total > k · b with k = c · P / L is, multiplied crosswise,
 *
 *   bad · L · 10^6 · 10^9  >  c · P · b · total        (c in millionths, b in billionths)
 *
 * Windows are divided by their greatest common divisor first. With counts below 2^53 both sides stay below
 * 2^127 for every period up to a year; larger counts, and counts that are not whole, are compared as long
 * doubles.
 */
#include "slo_tier.h"

#include <math.h>

/* The largest share of the budget's ceiling that a threshold may have: an error ratio of 0.9. */
#define THRESHOLD_TENTHS_MAX 9
#define SHORT_PER_LONG 12
#define EXACT_MAX 0x1p53

#define HOUR_MS INT64_C(3600000)

const struct slo_tier slo_default_tiers[4] = {
    {"page-fast", true, HOUR_MS, HOUR_MS / 12, 20000},
    {"page-slow", true, 6 * HOUR_MS, HOUR_MS / 2, 50000},
    {"ticket-fast", false, 24 * HOUR_MS, 2 * HOUR_MS, 100000},
    {"ticket-slow", false, 72 * HOUR_MS, 6 * HOUR_MS, 100000},
};

typedef unsigned __int128 wide;

static int64_t divisor_of(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

double slo_tier_factor(const struct slo_tier *tier, int64_t period_ms)
{
    return (double)tier->share_millionths * (double)period_ms /
           ((double)tier->long_ms * (double)SLO_MILLION);
}

double slo_tier_threshold(const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths)
{
    return slo_tier_factor(tier, period_ms) * (double)budget_billionths / (double)SLO_BILLION;
}

/* k · b > 0.9 */
static bool is_out_of_reach(const struct slo_tier *t, int64_t period_ms, int64_t budget)
{
    wide left = (wide)t->share_millionths * (wide)period_ms * (wide)budget * 10;
    wide right = (wide)t->long_ms * (wide)(SLO_MILLION * SLO_BILLION) * THRESHOLD_TENTHS_MAX;
    return left > right;
}

/* k < 1 */
static bool is_within_budget(const struct slo_tier *t, int64_t period_ms)
{
    return (wide)t->share_millionths * (wide)period_ms < (wide)t->long_ms * (wide)SLO_MILLION;
}

static void set_windows(struct slo_tier *t, int64_t long_ms, int64_t step_ms)
{
    t->long_ms = long_ms;
    int64_t steps = long_ms / SHORT_PER_LONG / step_ms;
    t->short_ms = (steps > 0 ? steps : 1) * step_ms;
}

int slo_tier_repair(
    struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths, int64_t step_ms)
{
    struct slo_tier t = *tier;
    int repairs = SLO_TIER_AS_ASKED;
    if (is_within_budget(&t, period_ms)) {
        /* The longest window with k >= 1 is c · P. */
        wide most = (wide)t.share_millionths * (wide)period_ms / (wide)SLO_MILLION;
        set_windows(&t, (int64_t)(most / (wide)step_ms) * step_ms, step_ms);
        repairs |= SLO_TIER_SHORTENED;
    }
    if (t.long_ms > 0 && is_out_of_reach(&t, period_ms, budget_billionths)) {
        /* The shortest with k · b <= 0.9 is c · P · b / 0.9. */
        wide unit = (wide)(SLO_MILLION * SLO_BILLION) * THRESHOLD_TENTHS_MAX * (wide)step_ms;
        wide need = (wide)t.share_millionths * (wide)period_ms * (wide)budget_billionths * 10;
        set_windows(&t, (int64_t)((need + unit - 1) / unit) * step_ms, step_ms);
        repairs |= SLO_TIER_LENGTHENED;
    }
    bool usable = t.long_ms > 0 && t.long_ms <= period_ms / 2 && t.short_ms < t.long_ms &&
                  !is_within_budget(&t, period_ms) &&
                  !is_out_of_reach(&t, period_ms, budget_billionths);
    if (!usable) {
        return repairs | SLO_TIER_REFUSED;
    }
    *tier = t;
    return repairs;
}

static bool is_whole(double count)
{
    return count >= 0 && count < EXACT_MAX && count == trunc(count);
}

bool slo_tier_exceeded(const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths,
    struct slo_count count)
{
    if (!(count.total > 0)) {
        return false;
    }
    int64_t divisor = divisor_of(period_ms, tier->long_ms);
    int64_t period = period_ms / divisor, window = tier->long_ms / divisor;
    wide scale = (wide)window * (wide)(SLO_MILLION * SLO_BILLION);
    wide limit = (wide)tier->share_millionths * (wide)period * (wide)budget_billionths;
    wide left, right;
    if (is_whole(count.bad) && is_whole(count.total) &&
        !__builtin_mul_overflow((wide)(uint64_t)count.bad, scale, &left) &&
        !__builtin_mul_overflow((wide)(uint64_t)count.total, limit, &right)) {
        return left > right;
    }
    return (long double)count.bad * (long double)scale >
           (long double)count.total * (long double)limit;
}

double slo_tier_detection_seconds(
    const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths, double error)
{
    double threshold = slo_tier_threshold(tier, period_ms, budget_billionths);
    return error > threshold ? (double)tier->long_ms / 1000 * threshold / error : INFINITY;
}

double slo_tier_reset_seconds(const struct slo_tier *tier, int64_t period_ms,
    int64_t budget_billionths, double error, int64_t window_ms)
{
    double threshold = slo_tier_threshold(tier, period_ms, budget_billionths);
    return (double)window_ms / 1000 * (1 - threshold / error);
}

double slo_tier_single_failure_events(
    const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths)
{
    return 1 / slo_tier_threshold(tier, period_ms, budget_billionths);
}

bool slo_burn(struct slo_count count, int64_t budget_billionths, double *burn_out)
{
    if (!(count.total > 0)) {
        return false;
    }
    *burn_out = count.bad * (double)SLO_BILLION / (count.total * (double)budget_billionths);
    return true;
}

double slo_budget_remaining(struct slo_count count, int64_t budget_billionths)
{
    double burn = 0;
    return slo_burn(count, budget_billionths, &burn) ? 1 - burn : 1;
}
