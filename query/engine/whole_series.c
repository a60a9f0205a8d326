/* Functions of MetricsQL that look at all steps of a series: range_*, whose value is the same at
 * every step; running_*, which look at the steps so far; and those that fill gaps. Some are in series_spread.c. limit_offset chooses whole
 * series. Histograms are left out; NaN is no value. Names stay, as in MetricsQL. */
#include <math.h>
#include <stdlib.h>

#include "kahan.h"
#include "range.h"
#include "series_spread.h"

struct whole_operator {
    struct operator_node node;
    struct operator_node *child;
    enum function_id id;
    const double *scalars[2];
    double *values; /* one a step */
    /* limit_offset */
    struct series_store store;
    struct step_series **chosen;
    size_t next, end;
};

static bool has_value(const struct step_series *s, size_t step)
{
    return s->kinds[step] == SAMPLE_FLOAT && !isnan(s->values[step]);
}

/* The values of a series, in order of time; returns how many. */
static size_t collect(struct whole_operator *op, const struct step_series *s)
{
    size_t count = 0;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (has_value(s, i)) {
            op->values[count++] = s->values[i];
        }
    }
    return count;
}

static double sum_of(const double *values, size_t count)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        kahan_add(values[i], &sum, &lost);
    }
    return sum + lost;
}

static double extreme_of(const double *values, size_t count, bool largest)
{
    double found = values[0];
    for (size_t i = 1; i < count; i++) {
        found = (largest ? values[i] > found : values[i] < found) ? values[i] : found;
    }
    return found;
}

/* One number for all steps. */
static double range_value_of(const struct whole_operator *op, size_t count)
{
    switch (op->id) {
    case FUNCTION_RANGE_AVG:
        return sum_of(op->values, count) / (double)count;
    case FUNCTION_RANGE_FIRST:
        return op->values[0];
    case FUNCTION_RANGE_LAST:
        return op->values[count - 1];
    case FUNCTION_RANGE_MAX:
    case FUNCTION_RANGE_MIN:
        return extreme_of(op->values, count, op->id == FUNCTION_RANGE_MAX);
    case FUNCTION_RANGE_MEDIAN:
        return quantile_of(0.5, op->values, count);
    case FUNCTION_RANGE_QUANTILE:
        return quantile_of(op->scalars[0][0], op->values, count);
    default:
        return sum_of(op->values, count);
    }
}

/* The first step from `at` on that has a value, or the number of steps. */
static size_t next_value(const struct whole_operator *op, const struct step_series *s, size_t at)
{
    while (at < op->node.grid->steps && !has_value(s, at)) {
        at++;
    }
    return at;
}

/* Sums, means and extremes stand from the first value on, as running_* do; the others where there are
 * values. */
static void spread(struct whole_operator *op, struct step_series *s, double value)
{
    bool on = op->id == FUNCTION_RANGE_SUM || op->id == FUNCTION_RANGE_AVG ||
              op->id == FUNCTION_RANGE_MIN || op->id == FUNCTION_RANGE_MAX;
    for (size_t i = next_value(op, s, 0); i < op->node.grid->steps; i++) {
        if (on || has_value(s, i)) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = value;
        }
    }
}

/* To between 0 and 1. */
static void normalize(struct whole_operator *op, struct step_series *s, size_t count)
{
    double low = extreme_of(op->values, count, false), high = extreme_of(op->values, count, true);
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (has_value(s, i)) {
            s->values[i] = (s->values[i] - low) / (high - low);
        }
    }
}

/* A step without a value has that of the steps before it. */
static void run_along(struct whole_operator *op, struct step_series *s)
{
    double value = 0, count = 0;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (has_value(s, i)) {
            double v = s->values[i];
            count++;
            if (count == 1) {
                value = v;
            } else if (op->id == FUNCTION_RUNNING_SUM) {
                value += v;
            } else if (op->id == FUNCTION_RUNNING_AVG) {
                value += (v - value) / count;
            } else if (op->id == FUNCTION_RUNNING_MAX) {
                value = v > value ? v : value;
            } else {
                value = v < value ? v : value;
            }
        }
        if (count > 0) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = value;
        }
    }
}

/* Gaps get the value before, the one after, or those of a straight line between both. */
static void fill_gaps(struct whole_operator *op, struct step_series *s)
{
    size_t steps = op->node.grid->steps;
    for (size_t end, begin = 0; begin < steps; begin = end + 1) {
        end = next_value(op, s, begin);
        bool before = begin > 0, after = end < steps;
        double a = before ? s->values[begin - 1] : 0, b = after ? s->values[end] : 0;
        if ((op->id == FUNCTION_KEEP_LAST_VALUE && !before) ||
            (op->id == FUNCTION_KEEP_NEXT_VALUE && !after) ||
            (op->id == FUNCTION_INTERPOLATE && !(before && after))) {
            continue;
        }
        double delta = (b - a) / (double)(end - begin + 1);
        for (size_t i = begin; i < end; i++) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = op->id == FUNCTION_KEEP_LAST_VALUE ? a
                           : op->id == FUNCTION_KEEP_NEXT_VALUE
                               ? b
                               : a + delta * (double)(i - begin + 1);
        }
    }
}

static void drop_histograms(struct step_series *s, size_t steps)
{
    for (size_t i = 0; s->has_histograms && i < steps; i++) {
        s->kinds[i] = s->kinds[i] == SAMPLE_HISTOGRAM ? SAMPLE_ABSENT : s->kinds[i];
    }
    s->has_histograms = false;
}

static int whole_next(struct operator_node *node, struct step_series **series_out)
{
    struct whole_operator *op = (struct whole_operator *)node;
    int more = operator_next(op->child, series_out);
    if (more <= 0) {
        return more;
    }
    struct step_series *s = *series_out;
    size_t steps = node->grid->steps;
    drop_histograms(s, steps);
    size_t count = collect(op, s);
    if (count == 0) {
        memset(s->kinds, SAMPLE_ABSENT, steps);
        return 1;
    }
    if (series_spread_knows(op->id)) {
        series_spread_apply(op->id, s, node->grid, op->values, count, op->scalars[0]);
        return 1;
    }
    switch (op->id) {
    case FUNCTION_RANGE_NORMALIZE:
        normalize(op, s, count);
        break;
    case FUNCTION_RUNNING_AVG:
    case FUNCTION_RUNNING_MAX:
    case FUNCTION_RUNNING_MIN:
    case FUNCTION_RUNNING_SUM:
        run_along(op, s);
        break;
    case FUNCTION_INTERPOLATE:
    case FUNCTION_KEEP_LAST_VALUE:
    case FUNCTION_KEEP_NEXT_VALUE:
        fill_gaps(op, s);
        break;
    default:
        spread(op, s, range_value_of(op, count));
        break;
    }
    return 1;
}

/* ---- limit_offset ---- */

static int chosen_next(struct operator_node *node, struct step_series **series_out)
{
    struct whole_operator *op = (struct whole_operator *)node;
    if (op->next >= op->end) {
        return 0;
    }
    *series_out = op->chosen[op->next++];
    return 1;
}

static int compare_labels(const void *left, const void *right)
{
    const struct step_series *const *a = left, *const *b = right;
    return labels_cmp((*a)->labels, (*b)->labels);
}

/* A number of series: 0 for what is negative or none, at most `most`. */
static size_t count_of(double value, size_t most)
{
    if (!(value > 0)) {
        return 0;
    }
    return value < (double)most ? (size_t)value : most;
}

static int choose(struct query *q, struct whole_operator *op)
{
    series_store_init(&op->store, q, op->node.grid);
    int status = series_store_drain(&op->store, op->child);
    if (status != 0) {
        return status;
    }
    size_t count = op->store.count;
    op->chosen = arena_calloc(&q->arena, count + 1, sizeof(*op->chosen));
    if (op->chosen == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < count; i++) {
        op->chosen[i] = &op->store.items[i];
    }
    qsort(op->chosen, count, sizeof(*op->chosen), compare_labels);
    op->next = count_of(op->scalars[1][0], count);
    op->end = op->next + count_of(op->scalars[0][0], count - op->next);
    return 0;
}

int plan_whole_series(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {whole_next}, chosen_ops = {chosen_next};
    const struct expr_call *call = &expr->call;
    bool limit = call->function->id == FUNCTION_LIMIT_OFFSET;
    struct whole_operator *op =
        operator_new(q, sizeof(*op), limit ? &chosen_ops : &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->id = call->function->id;
    op->values = arena_calloc(&q->arena, grid->steps, sizeof(*op->values));
    if (op->values == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = 0;
    size_t scalars = 0;
    for (size_t i = 0; status == 0 && i < call->argument_count; i++) {
        const struct expr *argument = call->arguments[i];
        status = argument->type == PROMQL_SCALAR
                     ? scalar_values(q, argument, grid, &op->scalars[scalars++])
                     : plan_whole(q, argument, grid, &op->child);
    }
    if (status == 0 && limit) {
        status = choose(q, op);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
