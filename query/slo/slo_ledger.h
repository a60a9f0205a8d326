/* The ledger of an objective: how many events there were in each step of a grid of times, and how many were
 * bad. Everything an objective says — budget, burn, tiers, forecast, history — is a sum over it; and since
 * live evaluation, back-test and questions about the past all fill such a ledger from the same queries, they
 * cannot disagree.
 *
 * Step i covers the time (origin + (i - 1) · step, origin + i · step], all a multiple of the step since 1970.
 * A step is known (samples arrived in it), unknown, or excluded. Running sums make the count of any window
 * two look-ups.
 *
 * What an unknown step counts as is the policy's:
 *   FREEZE, IGNORE  nothing
 *   BAD, GOOD       as many events as the last known step had, all bad or all good
 * FREEZE also holds alerts (slo_evaluate.h). Excluded steps count nothing and are not missed.
 */
#ifndef SONDE_QUERY_SLO_LEDGER_H
#define SONDE_QUERY_SLO_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slo_tier.h"

enum slo_no_data { SLO_FREEZE, SLO_BAD, SLO_GOOD, SLO_IGNORE };

/* Two years of minutes. */
#define SLO_LEDGER_STEPS_MAX ((size_t)1100000)

struct slo_step {
    double bad, total;
    bool known, excluded;
};

/* Sums of all steps before an index. */
struct slo_sums {
    double bad, total;
    uint32_t known, excluded;
};

struct slo_ledger {
    int64_t step_ms;
    int64_t first_ms; /* the end of step 0 */
    enum slo_no_data no_data;
    struct slo_step *steps;
    struct slo_sums *sums; /* count + 1; valid up to `summed` */
    size_t count, cap, sums_cap, summed;
};

/* Steps that end at first_ms, first_ms + step_ms …; empty. */
void slo_ledger_init(
    struct slo_ledger *l, int64_t step_ms, int64_t first_ms, enum slo_no_data no_data);
void slo_ledger_release(struct slo_ledger *l);
/* The end of the last step; first_ms - step_ms when empty. */
int64_t slo_ledger_end_ms(const struct slo_ledger *l);
/* Makes steps up to the one that ends at `end_ms`, unknown. ERR_NOMEM, ERR_LIMIT. */
int slo_ledger_extend(struct slo_ledger *l, int64_t end_ms);
/* Sets the events of the step that ends at `end_ms`, which exists. */
void slo_ledger_set(struct slo_ledger *l, int64_t end_ms, struct slo_count events);
/* Takes over the known steps of another ledger of the same grid that end up to `until_ms`, into an empty one. Not
 * whether they are excluded. ERR_NOMEM, ERR_LIMIT. */
int slo_ledger_adopt(struct slo_ledger *l, const struct slo_ledger *from, int64_t until_ms);
/* The first stretch of unknown steps that end at `from_ms` or later: its first and last end. False: none. */
bool slo_ledger_gap(
    const struct slo_ledger *l, int64_t from_ms, int64_t *first_ms_out, int64_t *last_ms_out);
/* Asks about the end of every step whether it is excluded. What was excluded before and is not now counts
 * again as if nothing had been. */
void slo_ledger_exclude(
    struct slo_ledger *l, bool (*excluded)(void *context, int64_t end_ms), void *context);
/* Forgets steps that end at or before `before_ms`. */
void slo_ledger_drop(struct slo_ledger *l, int64_t before_ms);

/* What a window holds: steps whose ends are in (start_ms, end_ms]. */
struct slo_window_count {
    struct slo_count events;
    uint32_t steps;    /* the window has */
    uint32_t known;    /* of them */
    uint32_t excluded; /* of them */
};

/* Both ends are cut to the grid; steps the ledger does not have are unknown ones without events. */
struct slo_window_count slo_ledger_count(struct slo_ledger *l, int64_t start_ms, int64_t end_ms);
/* Known steps among those not excluded, 0 to 1; 1 when all are excluded. */
double slo_coverage(const struct slo_window_count *count);

#endif
