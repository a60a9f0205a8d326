/* What an objective says at a time: a pure function of its parameters and its ledgers. Live evaluation,
 * back-test, preview and questions about the past all come through here.
 */
#ifndef SONDE_QUERY_SLO_EVALUATE_H
#define SONDE_QUERY_SLO_EVALUATE_H

#include "slo_ledger.h"
#include "slo_tier.h"
#include "slo_window.h"

/* Below this share of known steps in its short window a tier has no data. */
#define SLO_COVERAGE_MIN 0.9
#define SLO_MIN_FAILURES_DEFAULT 3
#define SLO_COMPONENTS_MAX 16
/* Burn rates shown besides those of the tiers' windows. */
#define SLO_BURNS_MAX (2 * SLO_TIERS_MAX)

enum slo_composition {
    SLO_SINGLE,
    /* Burn rates averaged by weight: of components with budgets b and weights w the error ratio is
     * sum(w · e / b) / sum(w) of the budget sum(w · b) / sum(w). Components without events are left out. */
    SLO_WEIGHTED,
    /* All must work at once: 1 - product(1 - e), and the same of the budgets. */
    SLO_PRODUCT,
};

struct slo_component {
    struct slo_ledger ledger;
    int64_t budget_billionths;
    double weight;
};

struct slo_parameters {
    int64_t budget_billionths;
    struct slo_window window;
    int64_t step_ms;
    enum slo_no_data no_data;
    double min_failures; /* in the long window, for a tier to fire */
    /* A tier also needs as many failures as its share of the budget is, of the events of the whole period: a
     * quiet night does not page for what the busy days can well afford. */
    bool budget_guard;
    int64_t keep_firing_ms; /* a tier's alert goes on so long when it is quiet */
    struct slo_tier tiers[SLO_TIERS_MAX];
    size_t tier_count;
    enum slo_composition composition;
};

/* The budget of a composition. */
int64_t slo_composed_budget(
    enum slo_composition composition, const struct slo_component *components, size_t count);

/* Events of (start_ms, end_ms]. Of a composition: a total of 1 and the composed error ratio as `bad`. */
struct slo_window_count slo_count_window(const struct slo_parameters *p,
    struct slo_component *components, size_t count, int64_t start_ms, int64_t end_ms);

enum slo_verdict {
    SLO_QUIET,
    SLO_BURNING, /* both windows are above the threshold, and failures are enough */
    SLO_NO_DATA, /* under the policy FREEZE: whatever was true stays so */
};

struct slo_tier_value {
    enum slo_verdict verdict;
    bool has_long, has_short; /* there were events */
    double burn_long, burn_short;
    struct slo_window_count long_count, short_count;
    double failures_needed; /* in the long window, besides the burn rates */
};

struct slo_evaluation {
    int64_t at_ms;
    int64_t window_start_ms;
    struct slo_window_count count; /* of the objective's window */
    double budget_remaining;       /* signed ratio */
    double coverage;
    bool no_data; /* the newest step is unknown */
    struct slo_tier_value tiers[SLO_TIERS_MAX];
};

void slo_evaluate(const struct slo_parameters *p, struct slo_component *components, size_t count,
    int64_t at_ms, struct slo_evaluation *out);

/* When the budget is used up if events go on failing at `burn` times the allowed pace, and what failed before
 * leaves a rolling window in its turn. 0: never, as far as can be told. */
int64_t slo_forecast(const struct slo_parameters *p, struct slo_component *components, size_t count,
    int64_t at_ms, double burn);

/* How far back the ledgers must reach for an evaluation at `at_ms`. */
int64_t slo_reach_ms(const struct slo_parameters *p, int64_t at_ms);

#endif
