/* Ledgers filled from the store. */
#include "slo_fill.h"

#include <math.h>

/* The values of one query over a grid, in time order; at most one series. */
struct values {
    struct engine_result result;
    const int64_t *times;
    const double *values;
    size_t count, next;
};

static int ask(const struct slo_store *store, struct str query, int64_t from_ms, int64_t to_ms,
    int64_t step_ms, struct values *v, struct err *e)
{
    *v = (struct values){0};
    if (query.len == 0) {
        return 0;
    }
    struct engine_query_options options = {.canceled = store->canceled};
    int status = engine_range(
        store->engine, store->reads, query, from_ms, to_ms, step_ms, &options, &v->result, e);
    if (status != 0) {
        return status;
    }
    if (v->result.series_count > 1) {
        engine_result_release(&v->result);
        return err_set(e, ERR_INVALID, -1, "\"%.*s\" gives more than one value: sum() it",
            (int)(query.len < 200 ? query.len : 200), query.ptr);
    }
    if (v->result.series_count == 1) {
        v->times = v->result.series[0].float_times;
        v->values = v->result.series[0].floats;
        v->count = v->result.series[0].float_count;
    }
    return 0;
}

/* The value at `time_ms`, asked for in ascending order. */
static bool value_at(struct values *v, int64_t time_ms, double *value_out)
{
    while (v->next < v->count && v->times[v->next] < time_ms) {
        v->next++;
    }
    bool found = v->next < v->count && v->times[v->next] == time_ms && !isnan(v->values[v->next]);
    *value_out = found ? v->values[v->next] : 0;
    return found;
}

static bool holds(const struct slo_indicator *x, double value)
{
    switch (x->op) {
    case SLO_LTE:
        return value <= x->value;
    case SLO_GTE:
        return value >= x->value;
    case SLO_LT:
        return value < x->value;
    default:
        return value > x->value;
    }
}

static double within(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

/* What a step counts; false: nothing is known of it. */
static bool step_of(const struct slo_indicator *x, struct values *parts, struct values *totals,
    int64_t time_ms, struct slo_count *count_out)
{
    double part = 0, total = 0;
    bool has_part = value_at(parts, time_ms, &part), has_total = value_at(totals, time_ms, &total);
    switch (x->kind) {
    case SLO_EVENTS:
        /* No bad events at all is no series of them at all. */
        total = within(total, 0, INFINITY);
        part = within(part, 0, total);
        *count_out = (struct slo_count){x->part_is_good ? total - part : part, total};
        return has_total;
    case SLO_RATIO:
        part = within(part, 0, 1);
        *count_out = (struct slo_count){x->part_is_good ? 1 - part : part, 1};
        return has_part;
    case SLO_SLICES_RATIO: {
        double good = x->part_is_good ? part : total - part;
        *count_out = (struct slo_count){total > 0 && good < x->slice_target * total, 1};
        return has_total;
    }
    default:
        *count_out = (struct slo_count){!holds(x, total), 1};
        return has_total;
    }
}

static int fill_piece(const struct slo_store *store, const struct slo_indicator *x,
    struct slo_ledger *ledger, int64_t from_ms, int64_t to_ms, struct err *e)
{
    struct values parts, totals;
    int64_t step = ledger->step_ms;
    int status = ask(store, x->part, from_ms, to_ms, step, &parts, e);
    if (status != 0) {
        return status;
    }
    status = ask(store, x->total, from_ms, to_ms, step, &totals, e);
    for (int64_t t = from_ms; status == 0 && t <= to_ms; t += step) {
        struct slo_count count;
        if (step_of(x, &parts, &totals, t, &count)) {
            slo_ledger_set(ledger, t, count);
        }
    }
    engine_result_release(&totals.result);
    engine_result_release(&parts.result);
    return status;
}

int slo_fill(const struct slo_store *store, const struct slo_indicator *indicator,
    struct slo_ledger *ledger, int64_t from_ms, int64_t to_ms, struct err *e)
{
    int status = slo_ledger_extend(ledger, to_ms);
    if (status != 0) {
        return err_set(e, status, -1, "a ledger of more than %zu steps", SLO_LEDGER_STEPS_MAX);
    }
    from_ms = from_ms < ledger->first_ms ? ledger->first_ms : from_ms;
    while (status == 0 && from_ms <= to_ms) {
        int64_t last = from_ms + (SLO_FILL_STEPS_MAX - 1) * ledger->step_ms;
        last = last < to_ms ? last : to_ms;
        status = fill_piece(store, indicator, ledger, from_ms, last, e);
        from_ms = last + ledger->step_ms;
    }
    return status;
}
