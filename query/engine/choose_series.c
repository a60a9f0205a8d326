/* topk_avg, bottomk_max and their kin, of MetricsQL: the series of each group with the greatest (least)
 * mean, maximum, minimum, median or last value over all steps. Where topk chooses step by step and a graph
 * shows many lines, these choose as many as were asked for. Their number is looked at step by step, as it
 * may be an expression. Histograms are left out; NaN is no value, and a series without one is never chosen.
 */
#include <math.h>
#include <stdlib.h>

#include "groups.h"
#include "kahan.h"
#include "range.h"

struct candidate {
    uint32_t group;
    double number; /* what it is chosen by; greater is better */
    struct step_series *series;
};

struct choose_operator {
    struct operator_node node;
    enum aggregate_op op;
    const double *parameter; /* how many, a value a step */
    struct series_store store;
    struct candidate *candidates; /* by group, the best first */
    size_t count, next;
    size_t rank; /* of the next one in its group */
    double *values;
};

static double mean_of(const double *values, size_t count)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        kahan_add(values[i], &sum, &lost);
    }
    return (sum + lost) / (double)count;
}

/* What `count` values, in order of time, are chosen by. */
static double number_of(enum aggregate_op op, double *values, size_t count)
{
    double number = values[0];
    switch (op) {
    case AGGREGATE_TOPK_AVG:
    case AGGREGATE_BOTTOMK_AVG:
        return mean_of(values, count);
    case AGGREGATE_TOPK_MEDIAN:
    case AGGREGATE_BOTTOMK_MEDIAN:
        return quantile_of(0.5, values, count);
    case AGGREGATE_TOPK_LAST:
    case AGGREGATE_BOTTOMK_LAST:
        return values[count - 1];
    case AGGREGATE_TOPK_MAX:
    case AGGREGATE_BOTTOMK_MAX:
        for (size_t i = 1; i < count; i++) {
            number = values[i] > number ? values[i] : number;
        }
        return number;
    default:
        for (size_t i = 1; i < count; i++) {
            number = values[i] < number ? values[i] : number;
        }
        return number;
    }
}

/* False when the series has no value. Histograms in it go away. */
static bool judge(struct choose_operator *op, struct step_series *s, double *number_out)
{
    size_t count = 0;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_HISTOGRAM) {
            s->kinds[i] = SAMPLE_ABSENT;
        } else if (s->kinds[i] == SAMPLE_FLOAT && !isnan(s->values[i])) {
            op->values[count++] = s->values[i];
        }
    }
    s->has_histograms = false;
    bool least = op->op < AGGREGATE_TOPK_AVG;
    double number = count > 0 ? number_of(op->op, op->values, count) : 0;
    *number_out = least ? -number : number;
    return count > 0;
}

/* By group, then the best first; equal ones by their labels. */
static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    if (a->number != b->number) {
        return a->number > b->number ? -1 : 1;
    }
    return labels_cmp(a->series->labels, b->series->labels);
}

static int gather(struct choose_operator *op, struct operator_node *child)
{
    struct query *q = op->node.query;
    struct groups groups;
    series_store_init(&op->store, q, op->node.grid);
    int status = groups_init(&groups, q, &op->node.expr->aggregate, STR(""));
    if (status == 0) {
        status = series_store_drain(&op->store, child);
    }
    op->candidates = arena_calloc(&q->arena, op->store.count + 1, sizeof(*op->candidates));
    if (status == 0 && op->candidates == NULL) {
        status = query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; status == 0 && i < op->store.count; i++) {
        struct candidate *c = &op->candidates[op->count];
        bool is_new;
        *c = (struct candidate){.series = &op->store.items[i]};
        if (judge(op, c->series, &c->number)) {
            status = groups_find(&groups, c->series->labels, &c->group, &is_new);
            op->count++;
        }
    }
    if (status == 0) {
        qsort(op->candidates, op->count, sizeof(*op->candidates), compare);
    }
    return status;
}

static int choose_next(struct operator_node *node, struct step_series **series_out)
{
    struct choose_operator *op = (struct choose_operator *)node;
    if (op->next == op->count) {
        return 0;
    }
    const struct candidate *c = &op->candidates[op->next];
    op->rank = op->next > 0 && c[-1].group == c->group ? op->rank + 1 : 0;
    op->next++;
    struct step_series *s = c->series;
    for (size_t i = 0; i < node->grid->steps; i++) {
        // As many as the parameter's whole part says; NaN and what is less than 1 say none.
        if (!(op->parameter[i] >= (double)op->rank + 1)) {
            s->kinds[i] = SAMPLE_ABSENT;
        }
    }
    *series_out = s;
    return 1;
}

int plan_choose_series(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {choose_next};
    struct choose_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    struct operator_node *child;
    if (op == NULL) {
        return q->e->code;
    }
    op->op = expr->aggregate.op;
    op->values = arena_alloc(&q->arena, grid->steps * sizeof(*op->values));
    if (op->values == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = scalar_values(q, expr->aggregate.parameter, grid, &op->parameter);
    if (status == 0) {
        status = plan_whole(q, expr->aggregate.expr, grid, &child);
    }
    if (status == 0) {
        status = gather(op, child);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
