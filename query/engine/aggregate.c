/* sum, avg, count, min, max, group, stddev, stdvar, quantile.
 *
 * One accumulator for each (group, step), never the matrix: a series is added as it comes and
 * forgotten. Only quantile has to keep values, since it needs them all. Sums keep what rounding loses;
 * the mean of values whose sum would overflow goes on as a mean.
 */
#include <math.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "groups.h"
#include "histogram_math.h"
#include "interpolate.h"
#include "kahan.h"
#include "range.h"

/* What was seen at a step of a group. */
enum cell_flag {
    CELL_SEEN = 1,
    CELL_FLOAT = 2,
    CELL_HISTOGRAM = 4,
    CELL_BROKEN = 8, /* histograms that do not mix */
    CELL_MEAN = 16,  /* the sum would overflow: `value` is the mean */
    CELL_RESET = 32,
    CELL_NO_RESET = 64,
};

/* Accumulators of one group: arrays over the steps. */
struct accumulator {
    uint8_t *flags;
    bool all_floats; /* of a sum: a float was seen at all steps */
    double *values;
    double *lost;   /* of sums; the mean of stddev */
    double *counts; /* NULL where not needed */
    struct histogram_sum **histograms;
    /* quantile: the values of each step one after the other */
    double **kept;
    size_t *kept_counts, *kept_caps;
};

struct aggregate_operator {
    struct operator_node node;
    enum aggregate_op op;
    struct operator_node *child;
    struct groups groups;
    struct accumulator *cells; /* by group */
    size_t cap;
    const double *parameter;
    bool consumed;
    size_t next;
    struct step_series *out;
    struct arena *scratch;
    struct arena_mark mark;
};

/* ---- Memory ---- */

static bool needs_counts(enum aggregate_op op)
{
    return op == AGGREGATE_AVG || op == AGGREGATE_STDDEV || op == AGGREGATE_STDVAR;
}

static bool needs_lost(enum aggregate_op op)
{
    return op == AGGREGATE_SUM || needs_counts(op);
}

static int make_accumulator(struct aggregate_operator *a, struct accumulator *c)
{
    struct arena *arena = &a->node.query->arena;
    size_t steps = a->node.grid->steps;
    bool quantile = a->op == AGGREGATE_QUANTILE;
    *c = (struct accumulator){
        .flags = arena_calloc(arena, steps, 1),
        .values = arena_calloc(arena, steps, sizeof(double)),
    };
    bool ok = c->flags != NULL && c->values != NULL;
    if (ok && needs_lost(a->op)) {
        c->lost = arena_calloc(arena, steps, sizeof(double));
        ok = c->lost != NULL;
    }
    if (ok && needs_counts(a->op)) {
        c->counts = arena_calloc(arena, steps, sizeof(double));
        ok = c->counts != NULL;
    }
    if (ok && quantile) {
        c->kept = arena_calloc(arena, steps, sizeof(*c->kept));
        c->kept_counts = arena_calloc(arena, steps, sizeof(*c->kept_counts));
        c->kept_caps = arena_calloc(arena, steps, sizeof(*c->kept_caps));
        ok = c->kept != NULL && c->kept_counts != NULL && c->kept_caps != NULL;
    }
    return ok ? 0 : query_fail_memory(a->node.query, arena);
}

static int accumulator_of(
    struct aggregate_operator *a, const struct step_series *s, struct accumulator **cells_out)
{
    struct query *q = a->node.query;
    uint32_t group;
    bool is_new;
    int status = groups_find(&a->groups, s->labels, &group, &is_new);
    if (status != 0) {
        return status;
    }
    if (group >= a->cap) {
        size_t cap = a->cap > 0 ? a->cap * 2 : 16;
        struct accumulator *grown = arena_alloc(&q->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (a->cap > 0) {
            memcpy(grown, a->cells, a->cap * sizeof(*grown));
        }
        a->cells = grown;
        a->cap = cap;
    }
    if (is_new) {
        status = make_accumulator(a, &a->cells[group]);
        if (status == 0) {
            status = query_hold_samples(q, a->node.grid->steps);
        }
    }
    a->groups.drop_names[group] |= s->drop_name;
    *cells_out = &a->cells[group];
    return status;
}

/* ---- Floats ---- */

/* Has the series a float at all steps? */
static bool has_all_floats(const struct step_series *s, size_t steps)
{
    size_t i = 0;
    for (; i + 8 <= steps; i += 8) {
        uint64_t eight;
        memcpy(&eight, s->kinds + i, sizeof(eight));
        if (eight != SAMPLE_FLOAT * UINT64_C(0x0101010101010101)) {
            return false;
        }
    }
    while (i < steps && s->kinds[i] == SAMPLE_FLOAT) {
        i++;
    }
    return i == steps;
}

static void add_sum(struct accumulator *c, const struct step_series *s, size_t steps)
{
    if (c->all_floats && has_all_floats(s, steps)) {
        kahan_add_all(s->values, c->values, c->lost, steps);
        return;
    }
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] != SAMPLE_FLOAT) {
            continue;
        }
        if (c->flags[i] == 0) {
            c->values[i] = s->values[i];
        } else {
            kahan_add(s->values[i], &c->values[i], &c->lost[i]);
        }
        c->flags[i] |= CELL_SEEN | CELL_FLOAT;
    }
    c->all_floats = c->all_floats || has_all_floats(s, steps);
}

static void add_mean_float(struct accumulator *c, size_t i, double value)
{
    double n = ++c->counts[i];
    if (n == 1) {
        c->values[i] = value;
        return;
    }
    if (!(c->flags[i] & CELL_MEAN)) {
        double sum = c->values[i], lost = c->lost[i];
        kahan_add(value, &sum, &lost);
        if (!isinf(sum)) {
            c->values[i] = sum;
            c->lost[i] = lost;
            return;
        }
        c->flags[i] |= CELL_MEAN;
        c->values[i] /= n - 1;
        c->lost[i] /= n - 1;
    }
    double q = (n - 1) / n;
    c->values[i] *= q;
    c->lost[i] *= q;
    kahan_add(value / n, &c->values[i], &c->lost[i]);
}

static void add_avg(struct accumulator *c, const struct step_series *s, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] == SAMPLE_FLOAT && !(c->flags[i] & CELL_BROKEN)) {
            add_mean_float(c, i, s->values[i]);
            c->flags[i] |= CELL_SEEN | CELL_FLOAT;
        }
    }
}

static void add_extreme(
    struct accumulator *c, const struct step_series *s, size_t steps, bool maximum)
{
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] != SAMPLE_FLOAT) {
            continue;
        }
        double now = c->values[i], value = s->values[i];
        bool better = maximum ? now < value : now > value;
        if (c->flags[i] == 0 || better || isnan(now)) {
            c->values[i] = value;
        }
        c->flags[i] |= CELL_SEEN;
    }
}

static void add_presence(
    struct accumulator *c, const struct step_series *s, size_t steps, bool count)
{
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] != SAMPLE_ABSENT) {
            c->values[i] = count ? c->values[i] + 1 : 1;
            c->flags[i] |= CELL_SEEN;
        }
    }
}

/* Welford: `lost` holds the mean, `values` the sum of squared distances. */
static void add_variance(struct accumulator *c, const struct step_series *s, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] != SAMPLE_FLOAT) {
            continue;
        }
        double value = s->values[i], n = ++c->counts[i];
        if (n == 1) {
            c->lost[i] = value;
            c->values[i] = isfinite(value) ? 0 : NAN;
        } else {
            double delta = value - c->lost[i];
            c->lost[i] += delta / n;
            c->values[i] += delta * (value - c->lost[i]);
        }
        c->flags[i] |= CELL_SEEN;
    }
}

static int keep_values(
    struct aggregate_operator *a, struct accumulator *c, const struct step_series *s)
{
    struct query *q = a->node.query;
    for (size_t i = 0; i < a->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_FLOAT) {
            continue;
        }
        if (c->kept_counts[i] == c->kept_caps[i]) {
            size_t cap = c->kept_caps[i] > 0 ? c->kept_caps[i] * 2 : 8;
            double *grown = arena_alloc(&q->arena, cap * sizeof(*grown));
            if (grown == NULL) {
                return query_fail_memory(q, &q->arena);
            }
            if (c->kept_counts[i] > 0) {
                memcpy(grown, c->kept[i], c->kept_counts[i] * sizeof(*grown));
            }
            c->kept[i] = grown;
            c->kept_caps[i] = cap;
        }
        c->kept[i][c->kept_counts[i]++] = s->values[i];
        c->flags[i] |= CELL_SEEN;
    }
    return 0;
}

/* ---- Histograms ---- */

static int broken(
    struct aggregate_operator *a, struct accumulator *c, size_t i, const struct step_series *s)
{
    c->flags[i] |= CELL_BROKEN;
    return query_annotate(a->node.query, ANNOTATION_WARNING, a->node.expr->aggregate.expr,
        "vector contains a mix of histograms with exponential and custom buckets schemas for "
        "metric name \"%.*s\"",
        STR_ARG(metric_name(s->labels)));
}

static int accumulate(struct aggregate_operator *a, struct accumulator *c, size_t i,
    const struct step_series *s, struct histogram_sum *sum, const struct histogram *h)
{
    unsigned notes = 0;
    int status = histogram_sum_add(sum, h, 1, &notes);
    if (status == ERR_UNSUPPORTED) {
        return broken(a, c, i, s);
    }
    if (status != 0) {
        return query_fail_memory(a->node.query, sum->arena);
    }
    return annotate_notes(a->node.query, a->node.expr->aggregate.expr,
        notes & HISTOGRAM_NOTE_RECONCILED, "aggregation");
}

/* One more histogram of a mean. The sum is tried first and kept unless it overflows. */
static int add_mean_histogram(
    struct aggregate_operator *a, struct accumulator *c, size_t i, const struct step_series *s)
{
    struct query *q = a->node.query;
    double n = c->counts[i];
    struct histogram_sum *sum = c->histograms[i];
    if (!(c->flags[i] & CELL_MEAN)) {
        struct histogram_sum attempt;
        if (histogram_sum_copy(sum, &attempt) != 0) {
            return query_fail_memory(q, sum->arena);
        }
        int status = accumulate(a, c, i, s, &attempt, s->histograms[i]);
        if (status != 0 || (c->flags[i] & CELL_BROKEN)) {
            return status;
        }
        if (!histogram_sum_overflows(&attempt)) {
            *sum = attempt;
            return 0;
        }
        c->flags[i] |= CELL_MEAN;
        histogram_sum_divide(sum, n - 1);
    }
    struct histogram *part;
    histogram_sum_multiply(sum, (n - 1) / n);
    if (histogram_divide(s->histograms[i], n, &q->arena, &part) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    return accumulate(a, c, i, s, sum, part);
}

static int add_histogram(
    struct aggregate_operator *a, struct accumulator *c, size_t i, const struct step_series *s)
{
    struct query *q = a->node.query;
    const struct histogram *h = s->histograms[i];
    bool mean = a->op == AGGREGATE_AVG;
    c->counts != NULL ? c->counts[i]++ : (void)0;
    c->flags[i] |= CELL_SEEN | CELL_HISTOGRAM;
    c->flags[i] |= h->reset_hint == HISTOGRAM_RESET_YES ? CELL_RESET : 0;
    c->flags[i] |= h->reset_hint == HISTOGRAM_RESET_NO ? CELL_NO_RESET : 0;
    if (c->flags[i] & CELL_FLOAT) {
        return 0; // the mix has no result anyway
    }
    if (c->histograms == NULL) {
        c->histograms = arena_calloc(&q->arena, a->node.grid->steps, sizeof(*c->histograms));
        if (c->histograms == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    if (c->histograms[i] != NULL) {
        return mean ? add_mean_histogram(a, c, i, s) : accumulate(a, c, i, s, c->histograms[i], h);
    }
    // The bounds of custom buckets are borrowed from the sample, which does not stay.
    const struct histogram *kept = h;
    if (h->custom_count > 0) {
        kept = histogram_dup(h, &q->arena);
    }
    c->histograms[i] = arena_alloc(&q->arena, sizeof(*c->histograms[i]));
    if (kept == NULL || c->histograms[i] == NULL ||
        histogram_sum_init(c->histograms[i], kept, &q->arena) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    return 0;
}

/* Histograms among the values of a series: summed, or left out with an info. */
static int add_histograms(
    struct aggregate_operator *a, struct accumulator *c, const struct step_series *s)
{
    bool summed = a->op == AGGREGATE_SUM || a->op == AGGREGATE_AVG;
    for (size_t i = 0; i < a->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_HISTOGRAM || (c->flags[i] & CELL_BROKEN)) {
            continue;
        }
        int status =
            summed ? add_histogram(a, c, i, s)
                   : query_annotate(a->node.query, ANNOTATION_INFO, a->node.expr->aggregate.expr,
                         "ignored histogram in %s aggregation", aggregate_op_text(a->op));
        if (status != 0 || !summed) {
            return status;
        }
    }
    return 0;
}

/* ---- Consuming ---- */

static int add_series(struct aggregate_operator *a, const struct step_series *s)
{
    struct accumulator *c;
    size_t steps = a->node.grid->steps;
    int status = accumulator_of(a, s, &c);
    if (status != 0) {
        return status;
    }
    switch (a->op) {
    case AGGREGATE_COUNT:
    case AGGREGATE_GROUP:
        add_presence(c, s, steps, a->op == AGGREGATE_COUNT);
        return 0;
    case AGGREGATE_SUM:
        add_sum(c, s, steps);
        break;
    case AGGREGATE_AVG:
        add_avg(c, s, steps);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        add_extreme(c, s, steps, a->op == AGGREGATE_MAX);
        break;
    case AGGREGATE_QUANTILE:
        status = keep_values(a, c, s);
        break;
    default:
        add_variance(c, s, steps);
        break;
    }
    return status == 0 && s->has_histograms ? add_histograms(a, c, s) : status;
}

static int warn_quantile(struct aggregate_operator *a, double q)
{
    char text[FP_TEXT_MAX];
    text[fp_format_short(q, text)] = '\0';
    return query_annotate(a->node.query, ANNOTATION_WARNING, a->node.expr->aggregate.parameter,
        "quantile value should be between 0 and 1, got %s", text);
}

/* Parameters out of range: the greatest, the least, and NaN, each once. */
static int check_quantile(struct aggregate_operator *a)
{
    double least = INFINITY, greatest = -INFINITY;
    bool has_nan = false;
    for (size_t i = 0; i < a->node.grid->steps; i++) {
        double q = a->parameter[i];
        has_nan = has_nan || isnan(q);
        least = q < least ? q : least;
        greatest = q > greatest ? q : greatest;
    }
    int status = has_nan ? warn_quantile(a, NAN) : 0;
    if (status == 0 && greatest > 1) {
        status = warn_quantile(a, greatest);
    }
    return status == 0 && least < 0 ? warn_quantile(a, least) : status;
}

static int consume(struct aggregate_operator *a)
{
    struct step_series *s;
    int more;
    while ((more = operator_next(a->child, &s)) > 0) {
        int status = query_check(a->node.query);
        if (status == 0 && step_series_any(s, a->node.grid)) {
            status = add_series(a, s);
        }
        if (status != 0) {
            return status;
        }
    }
    return more;
}

/* ---- Results ---- */

static double float_result(
    const struct aggregate_operator *a, const struct accumulator *c, size_t i)
{
    switch (a->op) {
    case AGGREGATE_SUM:
        return c->values[i] + c->lost[i];
    case AGGREGATE_AVG:
        return c->flags[i] & CELL_MEAN ? c->values[i] + c->lost[i]
                                       : c->values[i] / c->counts[i] + c->lost[i] / c->counts[i];
    case AGGREGATE_STDVAR:
        return c->values[i] / c->counts[i];
    case AGGREGATE_STDDEV:
        return sqrt(c->values[i] / c->counts[i]);
    case AGGREGATE_QUANTILE:
        return quantile_of(a->parameter[i], c->kept[i], c->kept_counts[i]);
    default:
        return c->values[i];
    }
}

static int histogram_result(struct aggregate_operator *a, struct accumulator *c, size_t i)
{
    struct query *q = a->node.query;
    struct histogram_sum *sum = c->histograms[i];
    if (a->op == AGGREGATE_AVG && !(c->flags[i] & CELL_MEAN)) {
        histogram_sum_divide(sum, c->counts[i]);
    }
    const struct histogram *h = histogram_sum_take(sum, a->scratch);
    if (h == NULL) {
        return query_fail_memory(q, a->scratch);
    }
    if (!a->out->has_histograms) {
        int status = step_series_use_histograms(q, a->out, a->node.grid);
        if (status != 0) {
            return status;
        }
    }
    a->out->kinds[i] = SAMPLE_HISTOGRAM;
    a->out->histograms[i] = h;
    return 0;
}

static int cell_result(struct aggregate_operator *a, struct accumulator *c, size_t i)
{
    const struct expr *expr = a->node.expr->aggregate.expr;
    uint8_t flags = c->flags[i];
    int status = 0;
    if ((flags & CELL_FLOAT) && (flags & CELL_HISTOGRAM)) {
        return query_annotate(a->node.query, ANNOTATION_WARNING, expr,
            "encountered a mix of histograms and floats for aggregation");
    }
    if (!(flags & CELL_SEEN) || (flags & CELL_BROKEN)) {
        return 0;
    }
    if (flags & CELL_HISTOGRAM) {
        status = histogram_result(a, c, i);
    } else {
        a->out->kinds[i] = SAMPLE_FLOAT;
        a->out->values[i] = float_result(a, c, i);
    }
    if (status == 0 && (flags & CELL_RESET) && (flags & CELL_NO_RESET)) {
        status = annotate_notes(a->node.query, expr, HISTOGRAM_NOTE_COLLISION, "aggregation");
    }
    return status;
}

static int aggregate_next(struct operator_node *node, struct step_series **series_out)
{
    struct aggregate_operator *a = (struct aggregate_operator *)node;
    if (!a->consumed) {
        int status = consume(a);
        if (status != 0) {
            return status;
        }
        a->consumed = true;
    }
    if (a->next == a->groups.count) {
        return 0;
    }
    size_t group = a->next++;
    step_series_clear(a->out, node->grid);
    arena_rewind(a->scratch, a->mark);
    a->out->labels = a->groups.labels[group];
    a->out->drop_name = a->groups.drop_names[group];
    for (size_t i = 0; i < node->grid->steps; i++) {
        int status = cell_result(a, &a->cells[group], i);
        if (status != 0) {
            return status;
        }
    }
    *series_out = a->out;
    return 1;
}

int plan_aggregate(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {aggregate_next};
    struct aggregate_operator *a = operator_new(q, sizeof(*a), &ops, expr, grid);
    if (a == NULL) {
        return q->e->code;
    }
    a->op = expr->aggregate.op;
    a->out = step_series_new(q, grid);
    a->scratch = query_scratch(q);
    if (a->out == NULL || a->scratch == NULL) {
        return q->e->code;
    }
    a->mark = arena_mark(a->scratch);
    int status = groups_init(&a->groups, q, &expr->aggregate, STR(""));
    if (status == 0) {
        status = plan_build(q, expr->aggregate.expr, grid, &a->child);
    }
    if (status == 0 && expr->aggregate.parameter != NULL) {
        status = scalar_values(q, expr->aggregate.parameter, grid, &a->parameter);
        status = status == 0 ? check_quantile(a) : status;
    }
    if (status == 0) {
        *op_out = &a->node;
    }
    return status;
}
