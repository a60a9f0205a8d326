/* Burn-rate tiers: the arithmetic of alerts on an error budget. Pure functions.
 *
 * A tier is a long window L, a short window S and the share c of the period's budget that burns within L at
 * its threshold. Its factor is k = c · P / L, for ever: k · L = c · P. It fires while the error ratio of both
 * windows is above k · b, where b is the budget, 1 less the objective. Above means strictly: counts that are
 * whole are compared as whole numbers, multiplied crosswise, so that a tie is a tie.
 *
 * Whatever was asked for, a tier that is used satisfies k >= 1 (it does not alert within the budget),
 * k · b <= 0.9 (it can fire: an error ratio is never above 1) and L <= P / 2. slo_tier_repair makes it so
 * and says what it changed.
 */
#ifndef SONDE_QUERY_SLO_TIER_H
#define SONDE_QUERY_SLO_TIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Budgets are whole billionths, shares of budgets whole millionths: both exact in the numbers people
 * write, and their products with counts and windows fit 128 bits. */
#define SLO_BILLION INT64_C(1000000000)
#define SLO_MILLION INT64_C(1000000)
/* A period, a window: at most a year and a day. */
#define SLO_PERIOD_MS_MAX (INT64_C(366) * 86400 * 1000)
#define SLO_TIERS_MAX 8
#define SLO_TIER_NAME_MAX 32

/* Events of a window. Whole numbers unless the indicator gives fractions. */
struct slo_count {
    double bad, total;
};

struct slo_tier {
    char name[SLO_TIER_NAME_MAX];
    bool page; /* else a ticket */
    int64_t long_ms, short_ms;
    int64_t share_millionths; /* of the budget */
};

enum slo_repair {
    SLO_TIER_AS_ASKED = 0,
    SLO_TIER_LENGTHENED = 1, /* k · b was above 0.9 */
    SLO_TIER_SHORTENED = 2,  /* k was below 1 */
    SLO_TIER_REFUSED = 4,    /* no window within half the period does */
};

/* The four tiers of the SRE workbook's scheme: 2 % in 1 h, 5 % in 6 h, 10 % in 24 h and in 72 h. */
extern const struct slo_tier slo_default_tiers[4];

/* k */
double slo_tier_factor(const struct slo_tier *tier, int64_t period_ms);
/* k · b, an error ratio */
double slo_tier_threshold(
    const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths);

/* Keeps the share and changes the windows, to multiples of `step_ms`, the short one a twelfth of the long
 * one. Or-ed enum slo_repair; a refused tier is as it was. */
int slo_tier_repair(
    struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths, int64_t step_ms);

/* Is the error ratio of `count`, over any window, strictly above the tier's threshold? No events: no. */
bool slo_tier_exceeded(const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths,
    struct slo_count count);

/* Of an outage in which a share `error` of the events fails, after none did, under constant traffic:
 * seconds until the tier fires; infinity: never. */
double slo_tier_detection_seconds(
    const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths, double error);
/* Seconds from the end of such an outage until the tier is quiet, by the window `window_ms`. */
double slo_tier_reset_seconds(const struct slo_tier *tier, int64_t period_ms,
    int64_t budget_billionths, double error, int64_t window_ms);
/* Fewer events than this in the long window, and one failure is above the threshold. */
double slo_tier_single_failure_events(
    const struct slo_tier *tier, int64_t period_ms, int64_t budget_billionths);

/* ---- The budget ---- */

/* bad / total / b; false when there were no events. */
bool slo_burn(struct slo_count count, int64_t budget_billionths, double *burn_out);
/* 1 - bad / (b · total), signed; 1 without events. */
double slo_budget_remaining(struct slo_count count, int64_t budget_billionths);

#endif
