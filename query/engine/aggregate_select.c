/* topk, bottomk, limitk, limit_ratio: series pass or do not pass, step by step.
 *
 * Each (group, step) keeps the few samples that are chosen so far, as (value, number of the series);
 * labels are kept once a series, values only of what is chosen. The others are forgotten.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fpconv.h"
#include "groups.h"

struct choice {
    double value;
    const struct histogram *histogram; /* limitk and limit_ratio take them too */
    uint32_t series;
};

/* What is chosen at one step of one group. */
struct choices {
    struct choice *items;
    size_t count, cap;
};

/* What is kept of a series that was chosen somewhere. */
struct chosen_series {
    const struct labels *labels;
    bool drop_name;
};

struct select_operator {
    struct operator_node node;
    enum aggregate_op op;
    struct operator_node *child;
    struct groups groups;
    struct choices **cells; /* by group: an array over the steps */
    size_t cap;
    const double *parameter;
    struct chosen_series *series;
    size_t series_count, series_cap;
    bool consumed;
    /* Handing out: choices sorted by group, series, step. */
    struct point {
        uint32_t series;
        size_t step;
        const struct choice *choice;
        size_t order; /* instant queries: place in the answer */
    } * points;
    size_t point_count, next;
    struct step_series *out;
};

/* ---- Choosing ---- */

/* Is `a` to be thrown out before `b`? NaN goes first. Equal ones: the later goes first. */
static bool is_worse(enum aggregate_op op, const struct choice *a, const struct choice *b)
{
    if (isnan(a->value) || isnan(b->value)) {
        return isnan(a->value) && (!isnan(b->value) || a->series > b->series);
    }
    if (a->value != b->value) {
        return op == AGGREGATE_TOPK ? a->value < b->value : a->value > b->value;
    }
    return a->series > b->series;
}

/* The worst is at the root. */
static void sift_down(enum aggregate_op op, struct choices *c)
{
    size_t at = 0;
    for (;;) {
        size_t worst = at, left = 2 * at + 1, right = left + 1;
        if (left < c->count && is_worse(op, &c->items[left], &c->items[worst])) {
            worst = left;
        }
        if (right < c->count && is_worse(op, &c->items[right], &c->items[worst])) {
            worst = right;
        }
        if (worst == at) {
            return;
        }
        struct choice moved = c->items[at];
        c->items[at] = c->items[worst];
        c->items[worst] = moved;
        at = worst;
    }
}

static void sift_up(enum aggregate_op op, struct choices *c)
{
    size_t at = c->count - 1;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!is_worse(op, &c->items[at], &c->items[parent])) {
            return;
        }
        struct choice moved = c->items[at];
        c->items[at] = c->items[parent];
        c->items[parent] = moved;
        at = parent;
    }
}

static int append(struct select_operator *s, struct choices *c, const struct choice *choice)
{
    struct query *q = s->node.query;
    if (c->count == c->cap) {
        size_t cap = c->cap > 0 ? c->cap * 2 : 4;
        struct choice *grown = arena_alloc(&q->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (c->count > 0) {
            memcpy(grown, c->items, c->count * sizeof(*grown));
        }
        c->items = grown;
        c->cap = cap;
    }
    c->items[c->count++] = *choice;
    return query_hold_samples(q, 1);
}

/* Series are sampled by the hash of their labels: the same series pass at every ratio above theirs, and
 * a negative ratio takes exactly what the positive complement leaves. */
static bool ratio_takes(double ratio, const struct labels *labels)
{
    double offset = (double)labels_hash(labels) / 18446744073709551615.0;
    return (ratio >= 0 && offset < ratio) || (ratio < 0 && offset >= 1 + ratio);
}

/* limitk and limit_ratio keep histograms: a copy, as the sample does not stay. */
static int with_copy(struct select_operator *s, struct choice *choice)
{
    if (choice->histogram != NULL) {
        choice->histogram = histogram_dup(choice->histogram, &s->node.query->arena);
        if (choice->histogram == NULL) {
            return query_fail_memory(s->node.query, &s->node.query->arena);
        }
    }
    return 0;
}

static int choose(struct select_operator *s, struct choices *c, size_t step, struct choice choice,
    const struct labels *labels)
{
    double parameter = s->parameter[step];
    if (s->op == AGGREGATE_LIMIT_RATIO) {
        double ratio = parameter > 1 ? 1 : parameter < -1 ? -1 : parameter;
        if (ratio == 0 || !ratio_takes(ratio, labels)) {
            return 0;
        }
        int status = with_copy(s, &choice);
        return status == 0 ? append(s, c, &choice) : status;
    }
    size_t k = parameter >= 1 ? (size_t)parameter : 0;
    if (s->op == AGGREGATE_LIMITK) {
        if (c->count >= k) {
            return 0;
        }
        int status = with_copy(s, &choice);
        return status == 0 ? append(s, c, &choice) : status;
    }
    if (c->count < k) {
        int status = append(s, c, &choice);
        if (status == 0) {
            sift_up(s->op, c);
        }
        return status;
    }
    if (k > 0 && is_worse(s->op, &c->items[0], &choice)) {
        c->items[0] = choice;
        sift_down(s->op, c);
    }
    return 0;
}

/* ---- Consuming ---- */

static int cells_of(
    struct select_operator *s, const struct step_series *series, struct choices **cells_out)
{
    struct query *q = s->node.query;
    uint32_t group;
    bool is_new;
    int status = groups_find(&s->groups, series->labels, &group, &is_new);
    if (status != 0) {
        return status;
    }
    if (group >= s->cap) {
        size_t cap = s->cap > 0 ? s->cap * 2 : 16;
        struct choices **grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (s->cap > 0) {
            memcpy(grown, s->cells, s->cap * sizeof(*grown));
        }
        s->cells = grown;
        s->cap = cap;
    }
    if (is_new) {
        s->cells[group] = arena_calloc(&q->arena, s->node.grid->steps, sizeof(**s->cells));
        if (s->cells[group] == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    *cells_out = s->cells[group];
    return 0;
}

static int register_series(struct select_operator *s, const struct step_series *series)
{
    struct query *q = s->node.query;
    if (s->series_count == s->series_cap) {
        size_t cap = s->series_cap > 0 ? s->series_cap * 2 : 64;
        struct chosen_series *grown = arena_alloc(&q->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (s->series_count > 0) {
            memcpy(grown, s->series, s->series_count * sizeof(*grown));
        }
        s->series = grown;
        s->series_cap = cap;
    }
    s->series[s->series_count++] = (struct chosen_series){series->labels, series->drop_name};
    return 0;
}

static int add_series(struct select_operator *s, const struct step_series *series)
{
    struct choices *cells;
    int status = cells_of(s, series, &cells);
    bool floats_only = s->op == AGGREGATE_TOPK || s->op == AGGREGATE_BOTTOMK;
    uint32_t number = (uint32_t)s->series_count;
    if (status == 0) {
        status = register_series(s, series);
    }
    for (size_t i = 0; status == 0 && i < s->node.grid->steps; i++) {
        if (series->kinds[i] == SAMPLE_ABSENT) {
            continue;
        }
        bool histogram = series->kinds[i] == SAMPLE_HISTOGRAM;
        if (histogram && floats_only) {
            status = query_annotate(s->node.query, ANNOTATION_INFO, s->node.expr,
                "ignored histogram in %s aggregation", aggregate_op_text(s->op));
            continue;
        }
        const struct choice choice = {
            series->values[i], histogram ? series->histograms[i] : NULL, number};
        status = choose(s, &cells[i], i, choice, series->labels);
    }
    return status;
}

static int warn_ratio(struct select_operator *s, double ratio, double limit)
{
    char text[FP_TEXT_MAX];
    text[fp_format_short(ratio, text)] = '\0';
    return query_annotate(s->node.query, ANNOTATION_WARNING, s->node.expr->aggregate.parameter,
        "ratio value should be between -1 and 1, got %s, capping to %d", text, (int)limit);
}

/* Judges the parameter over all steps. `nothing_out`: no step chooses anything. */
static int check_parameter(struct select_operator *s, bool *nothing_out)
{
    struct query *q = s->node.query;
    double least = INFINITY, greatest = -INFINITY;
    bool has_nan = false, ratio = s->op == AGGREGATE_LIMIT_RATIO;
    for (size_t i = 0; i < s->node.grid->steps; i++) {
        double p = s->parameter[i];
        has_nan = has_nan || isnan(p);
        least = p < least ? p : least;
        greatest = p > greatest ? p : greatest;
    }
    *nothing_out = !has_nan && (ratio ? least == 0 && greatest == 0 : greatest < 1);
    if (*nothing_out) {
        return 0;
    }
    if (has_nan) {
        return query_fail(q, ERR_INTERNAL, ratio ? "Ratio value is NaN" : "Parameter value is NaN");
    }
    char text[FP_TEXT_MAX];
    if (!ratio && least <= -9223372036854775808.0) {
        text[fp_format_short(least, text)] = '\0';
        return query_fail(q, ERR_INTERNAL, "Scalar value %s underflows int64", text);
    }
    if (!ratio && greatest >= 9223372036854775807.0) {
        text[fp_format_short(greatest, text)] = '\0';
        return query_fail(q, ERR_INTERNAL, "Scalar value %s overflows int64", text);
    }
    int status = ratio && greatest > 1 ? warn_ratio(s, greatest, 1) : 0;
    return status == 0 && ratio && least < -1 ? warn_ratio(s, least, -1) : status;
}

/* ---- Handing out ---- */

static int compare_best(const void *left, const void *right, void *op)
{
    bool worse = is_worse(*(const enum aggregate_op *)op, left, right);
    return worse ? 1 : -1;
}

static int compare_point(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->order != b->order) {
        return a->order < b->order ? -1 : 1;
    }
    return a->step < b->step ? -1 : a->step > b->step;
}

/* Lists all that was chosen. A range goes by series; an instant keeps the order of the choice. */
static int list_points(struct select_operator *s)
{
    struct query *q = s->node.query;
    size_t steps = s->node.grid->steps, count = 0;
    bool ranked = s->op == AGGREGATE_TOPK || s->op == AGGREGATE_BOTTOMK;
    for (size_t g = 0; g < s->groups.count; g++) {
        for (size_t i = 0; i < steps; i++) {
            count += s->cells[g][i].count;
        }
    }
    s->points = arena_alloc(&q->arena, count * sizeof(*s->points));
    if (s->points == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t g = 0; g < s->groups.count; g++) {
        for (size_t i = 0; i < steps; i++) {
            struct choices *c = &s->cells[g][i];
            if (ranked && steps == 1 && c->count > 1) {
                qsort_r(c->items, c->count, sizeof(*c->items), compare_best, &s->op);
            }
            for (size_t k = 0; k < c->count; k++) {
                uint32_t series = c->items[k].series;
                size_t order = steps == 1 ? s->point_count : series;
                s->points[s->point_count++] = (struct point){series, i, &c->items[k], order};
            }
        }
    }
    qsort(s->points, s->point_count, sizeof(*s->points), compare_point);
    return 0;
}

static int consume(struct select_operator *s)
{
    bool nothing;
    int status = check_parameter(s, &nothing);
    if (status != 0 || nothing) {
        return status;
    }
    struct step_series *series;
    int more;
    while ((more = operator_next(s->child, &series)) > 0) {
        status = query_check(s->node.query);
        if (status == 0 && step_series_count(series, s->node.grid) > 0) {
            status = add_series(s, series);
        }
        if (status != 0) {
            return status;
        }
    }
    return more < 0 ? more : list_points(s);
}

static int select_next(struct operator_node *node, struct step_series **series_out)
{
    struct select_operator *s = (struct select_operator *)node;
    if (!s->consumed) {
        int status = consume(s);
        if (status != 0) {
            return status;
        }
        s->consumed = true;
    }
    if (s->next == s->point_count) {
        return 0;
    }
    uint32_t series = s->points[s->next].series;
    step_series_clear(s->out, node->grid);
    s->out->labels = s->series[series].labels;
    s->out->drop_name = s->series[series].drop_name;
    for (; s->next < s->point_count && s->points[s->next].series == series; s->next++) {
        const struct point *p = &s->points[s->next];
        s->out->kinds[p->step] = SAMPLE_FLOAT;
        s->out->values[p->step] = p->choice->value;
        if (p->choice->histogram != NULL) {
            int status = step_series_use_histograms(node->query, s->out, node->grid);
            if (status != 0) {
                return status;
            }
            s->out->kinds[p->step] = SAMPLE_HISTOGRAM;
            s->out->histograms[p->step] = p->choice->histogram;
        }
    }
    *series_out = s->out;
    return 1;
}

int plan_aggregate_select(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {select_next};
    struct select_operator *s = operator_new(q, sizeof(*s), &ops, expr, grid);
    if (s == NULL) {
        return q->e->code;
    }
    s->op = expr->aggregate.op;
    s->out = step_series_new(q, grid);
    if (s->out == NULL) {
        return q->e->code;
    }
    int status = groups_init(&s->groups, q, &expr->aggregate, STR(""));
    if (status == 0) {
        status = scalar_values(q, expr->aggregate.parameter, grid, &s->parameter);
    }
    if (status == 0) {
        status = plan_build(q, expr->aggregate.expr, grid, &s->child);
    }
    if (status == 0) {
        *op_out = &s->node;
    }
    return status;
}
