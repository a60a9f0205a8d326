/* An objective at work: its ledgers, what it said last, and the states of its tiers' alerts. The same object is
 * evaluated live, for a back-test and for a question about the past.
 */
#ifndef SONDE_QUERY_SLO_RUN_H
#define SONDE_QUERY_SLO_RUN_H

#include "rules/alert_states.h"
#include "slo_exclusion.h"
#include "slo_fill.h"

/* How much of the ledger each evaluation reads again: samples arrive late. Much later come those of an agent
 * that was cut off and sends what it kept: each hour a day is read again, and whatever nothing is known of. */
#define SLO_READ_AGAIN_MS ((int64_t)10 * 60 * 1000)
#define SLO_READ_LATE_MS ((int64_t)24 * 3600 * 1000)
#define SLO_READ_LATE_EACH_MS ((int64_t)3600 * 1000)
/* Stretches without samples that are asked for one by one. */
#define SLO_GAPS_MAX 64

struct slo_run {
    const struct slo_definition *definition; /* borrowed */
    struct slo_component components[SLO_COMPONENTS_MAX];
    struct alert_states states[SLO_TIERS_MAX]; /* of each tier at most one alert */
    const struct labels *labels[SLO_TIERS_MAX];
    struct slo_evaluation last;
    bool evaluated;
    int64_t try_again_ms; /* after a failure */
    int64_t read_late_ms; /* when a day is read again */
};

/* Called for changes of a tier's alert. */
typedef void (*slo_changed)(
    void *context, const struct slo_run *run, size_t tier, int64_t at_ms, enum alert_change change);

/* Ledgers begin so that evaluations from `from_ms` on are whole. ERR_NOMEM. */
int slo_run_open(struct slo_run *run, const struct slo_definition *definition, int64_t from_ms);
void slo_run_release(struct slo_run *run);

/* The times at which it is evaluated: multiples of its step. */
int64_t slo_run_floor(const struct slo_run *run, int64_t time_ms);
/* Takes over what another run has counted up to `until_ms`, when it counts the same: what is the same need not be
 * read again. Into a run that has read nothing. ERR_NOMEM. */
int slo_run_adopt(struct slo_run *run, const struct slo_run *from, int64_t until_ms);
/* Reads every step from the beginning of the ledgers to `until_ms`, a multiple of the step, that nothing is known
 * of. */
int slo_run_read(
    struct slo_run *run, const struct slo_store *store, int64_t until_ms, struct err *e);
/* The live run's: reads also what may have changed, forgets what no window reaches, and marks what is excluded.
 * Exclusions of other objectives are passed over. */
int slo_run_fill(struct slo_run *run, const struct slo_store *store, int64_t until_ms,
    const struct slo_exclusion *exclusions, size_t exclusion_count, struct err *e);
/* Marks the steps that are excluded now. */
void slo_run_exclude(
    struct slo_run *run, const struct slo_exclusion *exclusions, size_t exclusion_count);
/* What it says at a time within its ledgers; states are not touched. */
void slo_run_look(struct slo_run *run, int64_t at_ms, struct slo_evaluation *out);
/* The next evaluation, and the tiers' states with it. ERR_NOMEM. */
int slo_run_step(struct slo_run *run, int64_t at_ms, slo_changed changed, void *context);
/* The same for a time within the ledgers at which the states are not known: steps from as far back as they may
 * come from, at most SLO_LOOK_BACK_MS. Into a run that has made no step. */
#define SLO_LOOK_BACK_MS ((int64_t)24 * 3600 * 1000)
int slo_run_step_to(struct slo_run *run, int64_t at_ms);
/* The burn rate that forecasts reckon with: of the first tier's long window. False: there is none. */
bool slo_run_pace(const struct slo_run *run, const struct slo_evaluation *v, double *burn_out);

/* An alert of a tier from its beginning to its end; INT64_MAX: not ended. */
struct slo_episode {
    size_t tier;
    int64_t start_ms, end_ms;
    double budget_spent; /* within it, as a share of the budget */
};
#define SLO_EPISODES_MAX 100000

/* The objective evaluated at each of its times in [start_ms, end_ms]. `episodes_out` is the caller's
 * (mem_free). */
int slo_backtest(const struct slo_store *store, const struct slo_definition *definition,
    const struct slo_exclusion *exclusions, size_t exclusion_count, int64_t start_ms,
    int64_t end_ms, struct slo_episode **episodes_out, size_t *count_out, struct err *e);

#endif
