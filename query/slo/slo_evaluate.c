/* Evaluation and forecast.
 *
 * Forecast of a rolling window: with C the consumed share now, B the burn rate, P the period, and E(d) the
 * share that has left the window d after now,
 *
 *   C(d) = C + B · d / P - E(d)
 *
 * rises in a straight line between the steps that leave, so the first d with C(d) >= 1 is found by walking
 * over the window once. After a whole period everything that was is gone and C = B: who is not used up by
 * then never will be.
 */
#include "slo_evaluate.h"

#include <math.h>

int64_t slo_composed_budget(
    enum slo_composition composition, const struct slo_component *components, size_t count)
{
    double weights = 0, sum = 0, product = 1;
    for (size_t i = 0; i < count; i++) {
        double budget = (double)components[i].budget_billionths / (double)SLO_BILLION;
        weights += components[i].weight;
        sum += components[i].weight * budget;
        product *= 1 - budget;
    }
    if (composition == SLO_SINGLE || weights <= 0) {
        return count > 0 ? components[0].budget_billionths : 0;
    }
    double budget = composition == SLO_WEIGHTED ? sum / weights : 1 - product;
    return (int64_t)llround(budget * (double)SLO_BILLION);
}

/* The error ratio of components over a window; false when none had events. */
static bool compose(const struct slo_parameters *p, const struct slo_component *components,
    const struct slo_window_count *counts, size_t count, double *error_out)
{
    double weights = 0, burns = 0, works = 1;
    for (size_t i = 0; i < count; i++) {
        double burn = 0;
        if (!slo_burn(counts[i].events, components[i].budget_billionths, &burn)) {
            continue;
        }
        weights += components[i].weight;
        burns += components[i].weight * burn;
        works *= 1 - counts[i].events.bad / counts[i].events.total;
    }
    if (weights <= 0) {
        return false;
    }
    *error_out = p->composition == SLO_WEIGHTED
                     ? burns / weights * (double)p->budget_billionths / (double)SLO_BILLION
                     : 1 - works;
    return true;
}

struct slo_window_count slo_count_window(const struct slo_parameters *p,
    struct slo_component *components, size_t count, int64_t start_ms, int64_t end_ms)
{
    struct slo_window_count counts[SLO_COMPONENTS_MAX];
    for (size_t i = 0; i < count; i++) {
        counts[i] = slo_ledger_count(&components[i].ledger, start_ms, end_ms);
    }
    if (p->composition == SLO_SINGLE) {
        return counts[0];
    }
    /* Known is what the component that is known least knows. */
    struct slo_window_count composed = counts[0];
    for (size_t i = 1; i < count; i++) {
        composed.known = counts[i].known < composed.known ? counts[i].known : composed.known;
    }
    double error = 0;
    bool any = compose(p, components, counts, count, &error);
    composed.events = any ? (struct slo_count){error, 1} : (struct slo_count){0, 0};
    return composed;
}

/* Failures in the long window that a tier needs: a share c of the budget b is c · b · N of the N events of a
 * period. Under even traffic the long window has L / P of them, and this says the same as the burn rate does. */
static double failures_needed(
    const struct slo_parameters *p, const struct slo_tier *tier, double events_of_period)
{
    double share = (double)tier->share_millionths / (double)SLO_MILLION;
    double budget = (double)p->budget_billionths / (double)SLO_BILLION;
    double by_budget = p->budget_guard ? share * budget * events_of_period : 0;
    return by_budget > p->min_failures ? by_budget : p->min_failures;
}

static void evaluate_tier(const struct slo_parameters *p, struct slo_component *components,
    size_t count, const struct slo_tier *tier, double events_of_period, int64_t at_ms,
    struct slo_tier_value *v)
{
    int64_t period = slo_window_period_ms(&p->window), budget = p->budget_billionths;
    v->long_count = slo_count_window(p, components, count, at_ms - tier->long_ms, at_ms);
    v->short_count = slo_count_window(p, components, count, at_ms - tier->short_ms, at_ms);
    v->has_long = slo_burn(v->long_count.events, budget, &v->burn_long);
    v->has_short = slo_burn(v->short_count.events, budget, &v->burn_short);
    /* A composition has no events, only a ratio. */
    v->failures_needed =
        p->composition == SLO_SINGLE ? failures_needed(p, tier, events_of_period) : 0;
    bool enough = v->long_count.events.bad >= v->failures_needed;
    if (p->no_data == SLO_FREEZE && slo_coverage(&v->short_count) < SLO_COVERAGE_MIN) {
        v->verdict = SLO_NO_DATA;
    } else if (enough && slo_tier_exceeded(tier, period, budget, v->long_count.events) &&
               slo_tier_exceeded(tier, period, budget, v->short_count.events)) {
        v->verdict = SLO_BURNING;
    } else {
        v->verdict = SLO_QUIET;
    }
}

/* A calendar window only fills: at the pace of its events so far it is used up before its end, or not. */
static int64_t forecast_calendar(const struct slo_parameters *p, const struct slo_window_count *now,
    int64_t start_ms, int64_t at_ms, double burn)
{
    double budget = (double)p->budget_billionths / (double)SLO_BILLION;
    double left = budget * now->events.total - now->events.bad;
    double pace = now->events.total / (double)(at_ms - start_ms);
    if (burn <= 1 || !(pace > 0)) {
        return 0;
    }
    double after = left / (budget * pace * (burn - 1));
    int64_t end = slo_window_end_ms(&p->window, at_ms);
    return after < (double)(end - at_ms) ? at_ms + (int64_t)after : 0;
}

int64_t slo_forecast(const struct slo_parameters *p, struct slo_component *components, size_t count,
    int64_t at_ms, double burn)
{
    int64_t start = slo_window_start_ms(&p->window, at_ms);
    struct slo_window_count now = slo_count_window(p, components, count, start, at_ms);
    double consumed = 1 - slo_budget_remaining(now.events, p->budget_billionths);
    if (consumed >= 1) {
        return at_ms;
    }
    if (!(burn > 0) || !(now.events.total > 0)) {
        return 0;
    }
    if (p->window.calendar) {
        return forecast_calendar(p, &now, start, at_ms, burn);
    }
    double period = (double)slo_window_period_ms(&p->window);
    double allowed = now.events.total * (double)p->budget_billionths / (double)SLO_BILLION;
    double gone = 0; /* share that has left */
    for (int64_t end = start + p->step_ms; end <= at_ms; end += p->step_ms) {
        double after = (1 - consumed + gone) * period / burn;
        if (after <= (double)(end - start)) {
            return at_ms + (int64_t)after;
        }
        if (p->composition == SLO_SINGLE) {
            struct slo_window_count step =
                slo_count_window(p, components, count, end - p->step_ms, end);
            gone += step.events.bad / allowed;
        }
    }
    return 0;
}

void slo_evaluate(const struct slo_parameters *p, struct slo_component *components, size_t count,
    int64_t at_ms, struct slo_evaluation *out)
{
    *out = (struct slo_evaluation){.at_ms = at_ms};
    out->window_start_ms = slo_window_start_ms(&p->window, at_ms);
    out->count = slo_count_window(p, components, count, out->window_start_ms, at_ms);
    out->budget_remaining = slo_budget_remaining(out->count.events, p->budget_billionths);
    out->coverage = slo_coverage(&out->count);
    struct slo_window_count newest =
        slo_count_window(p, components, count, at_ms - p->step_ms, at_ms);
    out->no_data = newest.known == 0 && newest.excluded == 0;
    double events_of_period = 0;
    if (p->budget_guard) {
        int64_t begin_ms = at_ms - slo_window_period_ms(&p->window);
        events_of_period = slo_count_window(p, components, count, begin_ms, at_ms).events.total;
    }
    for (size_t i = 0; i < p->tier_count; i++) {
        evaluate_tier(p, components, count, &p->tiers[i], events_of_period, at_ms, &out->tiers[i]);
    }
}

int64_t slo_reach_ms(const struct slo_parameters *p, int64_t at_ms)
{
    int64_t reach = at_ms - slo_window_start_ms(&p->window, at_ms);
    int64_t period = p->budget_guard ? slo_window_period_ms(&p->window) : 0;
    reach = period > reach ? period : reach;
    for (size_t i = 0; i < p->tier_count; i++) {
        reach = p->tiers[i].long_ms > reach ? p->tiers[i].long_ms : reach;
    }
    return reach;
}
