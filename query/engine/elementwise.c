/* Functions of one sample at a time: mathematics, rounding and clamping, parts of dates, numbers of
 * histograms. They work on the child's buffer in place. */
#include <math.h>

#include "dates.h"
#include "histogram_math.h"
#include "kahan.h"
#include "operator.h"

struct elementwise_operator;

/* One row a function: of floats, of floats as times, or of histograms. */
struct elementwise_row {
    enum function_id id;
    double (*of_float)(double);
    double (*of_time)(int64_t seconds);
    int (*of_histogram)(struct elementwise_operator *op, const struct histogram *h, double *out);
};

struct elementwise_operator {
    struct operator_node node;
    const struct elementwise_row *row;
    struct operator_node *child;
    const double *scalars[2];
    struct arena *scratch;
};

/* ---- Floats ---- */

static double sign_of(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double to_radians(double v)
{
    return v * M_PI / 180;
}

static double to_degrees(double v)
{
    return v * 180 / M_PI;
}

/* ---- Histograms ---- */

static int histogram_count_of(
    struct elementwise_operator *op, const struct histogram *h, double *out)
{
    (void)op;
    *out = h->count;
    return 0;
}

static int histogram_sum_of(struct elementwise_operator *op, const struct histogram *h, double *out)
{
    (void)op;
    *out = h->sum;
    return 0;
}

static int histogram_avg_of(struct elementwise_operator *op, const struct histogram *h, double *out)
{
    (void)op;
    *out = h->sum / h->count;
    return 0;
}

/* What the observations of a bucket are taken to be. */
static double value_of_bucket(const struct histogram *h, const struct histogram_bucket *b)
{
    if (histogram_is_custom(h)) {
        return (b->upper + b->lower) / 2;
    }
    if (b->lower <= 0 && b->upper >= 0) {
        return 0;
    }
    double geometric = sqrt(b->upper * b->lower);
    return b->upper < 0 ? -geometric : geometric;
}

static int histogram_variance_of(
    struct elementwise_operator *op, const struct histogram *h, double *out)
{
    struct histogram_bucket *buckets;
    size_t count;
    struct arena_mark mark = arena_mark(op->scratch);
    if (histogram_buckets_of(h, op->scratch, &buckets, &count) != 0) {
        return query_fail_memory(op->node.query, op->scratch);
    }
    double mean = h->sum / h->count, variance = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        if (buckets[i].count != 0) {
            double delta = value_of_bucket(h, &buckets[i]) - mean;
            kahan_add(buckets[i].count * delta * delta, &variance, &lost);
        }
    }
    arena_rewind(op->scratch, mark);
    *out = (variance + lost) / h->count;
    return 0;
}

static int histogram_deviation_of(
    struct elementwise_operator *op, const struct histogram *h, double *out)
{
    int status = histogram_variance_of(op, h, out);
    *out = sqrt(*out);
    return status;
}

/* ---- The table ---- */

static const struct elementwise_row rows[] = {
    {FUNCTION_ABS, fabs, NULL, NULL},
    {FUNCTION_CEIL, ceil, NULL, NULL},
    {FUNCTION_FLOOR, floor, NULL, NULL},
    {FUNCTION_SQRT, sqrt, NULL, NULL},
    {FUNCTION_EXP, exp, NULL, NULL},
    {FUNCTION_LN, log, NULL, NULL},
    {FUNCTION_LOG2, log2, NULL, NULL},
    {FUNCTION_LOG10, log10, NULL, NULL},
    {FUNCTION_SGN, sign_of, NULL, NULL},
    {FUNCTION_RAD, to_radians, NULL, NULL},
    {FUNCTION_DEG, to_degrees, NULL, NULL},
    {FUNCTION_SIN, sin, NULL, NULL},
    {FUNCTION_COS, cos, NULL, NULL},
    {FUNCTION_TAN, tan, NULL, NULL},
    {FUNCTION_ASIN, asin, NULL, NULL},
    {FUNCTION_ACOS, acos, NULL, NULL},
    {FUNCTION_ATAN, atan, NULL, NULL},
    {FUNCTION_SINH, sinh, NULL, NULL},
    {FUNCTION_COSH, cosh, NULL, NULL},
    {FUNCTION_TANH, tanh, NULL, NULL},
    {FUNCTION_ASINH, asinh, NULL, NULL},
    {FUNCTION_ACOSH, acosh, NULL, NULL},
    {FUNCTION_ATANH, atanh, NULL, NULL},
    {FUNCTION_MINUTE, NULL, date_minute, NULL},
    {FUNCTION_HOUR, NULL, date_hour, NULL},
    {FUNCTION_DAY_OF_WEEK, NULL, date_day_of_week, NULL},
    {FUNCTION_DAY_OF_MONTH, NULL, date_day_of_month, NULL},
    {FUNCTION_DAY_OF_YEAR, NULL, date_day_of_year, NULL},
    {FUNCTION_DAYS_IN_MONTH, NULL, date_days_in_month, NULL},
    {FUNCTION_MONTH, NULL, date_month, NULL},
    {FUNCTION_YEAR, NULL, date_year, NULL},
    {FUNCTION_HISTOGRAM_COUNT, NULL, NULL, histogram_count_of},
    {FUNCTION_HISTOGRAM_SUM, NULL, NULL, histogram_sum_of},
    {FUNCTION_HISTOGRAM_AVG, NULL, NULL, histogram_avg_of},
    {FUNCTION_HISTOGRAM_STDVAR, NULL, NULL, histogram_variance_of},
    {FUNCTION_HISTOGRAM_STDDEV, NULL, NULL, histogram_deviation_of},
    {FUNCTION_ROUND, NULL, NULL, NULL},
    {FUNCTION_CLAMP, NULL, NULL, NULL},
    {FUNCTION_CLAMP_MIN, NULL, NULL, NULL},
    {FUNCTION_BITMAP_AND, NULL, NULL, NULL},
    {FUNCTION_BITMAP_OR, NULL, NULL, NULL},
    {FUNCTION_BITMAP_XOR, NULL, NULL, NULL},
    {FUNCTION_CLAMP_MAX, NULL, NULL, NULL},
    {FUNCTION_TIMESTAMP, NULL, NULL, NULL},
    {FUNCTION_START_TIMESTAMP, NULL, NULL, NULL},
};

static const struct elementwise_row *row_of(enum function_id id)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].id == id) {
            return &rows[i];
        }
    }
    return NULL;
}

/* ---- Over all steps ---- */

static void apply_float(const struct elementwise_operator *op, struct step_series *s)
{
    double (*f)(double) = op->row->of_float;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_FLOAT) {
            s->values[i] = f(s->values[i]);
        } else {
            s->kinds[i] = SAMPLE_ABSENT;
        }
    }
}

static void apply_time(const struct elementwise_operator *op, struct step_series *s)
{
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_FLOAT) {
            s->values[i] = op->row->of_time(date_seconds(s->values[i]));
        } else {
            s->kinds[i] = SAMPLE_ABSENT;
        }
    }
}

static int apply_histogram(struct elementwise_operator *op, struct step_series *s)
{
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_HISTOGRAM) {
            s->kinds[i] = SAMPLE_ABSENT;
            continue;
        }
        int status = op->row->of_histogram(op, s->histograms[i], &s->values[i]);
        if (status != 0) {
            return status;
        }
        s->kinds[i] = SAMPLE_FLOAT;
    }
    return 0;
}

/* The smaller and the larger of two as Prometheus has them: an infinity that decides wins against NaN,
 * NaN against all else, -0 is below 0. */
static double smaller(double a, double b)
{
    if (a == -INFINITY || b == -INFINITY) {
        return -INFINITY;
    }
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    return a < b || (a == b && signbit(a)) ? a : b;
}

static double larger(double a, double b)
{
    return -smaller(-a, -b);
}

static double round_to(double value, double nearest)
{
    double inverse = 1.0 / nearest;
    return floor(value * inverse + 0.5) / inverse;
}

/* As whole numbers without a sign; what does not fit is cut off. */
static uint64_t bits_of(double value)
{
    return value > 0 ? (value < 0x1p64 ? (uint64_t)value : UINT64_MAX) : 0;
}

static double bitmap(enum function_id id, double value, double mask)
{
    uint64_t a = bits_of(value), b = bits_of(mask);
    return (double)(id == FUNCTION_BITMAP_AND ? a & b : id == FUNCTION_BITMAP_OR ? a | b : a ^ b);
}

/* round and clamp, whose arguments may change from step to step. */
static void apply_arguments(const struct elementwise_operator *op, struct step_series *s)
{
    enum function_id id = op->row->id;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        double a = op->scalars[0] != NULL ? op->scalars[0][i] : 1;
        double b = op->scalars[1] != NULL ? op->scalars[1][i] : INFINITY;
        if (s->kinds[i] != SAMPLE_FLOAT || (id == FUNCTION_CLAMP && b < a)) {
            s->kinds[i] = SAMPLE_ABSENT;
        } else if (id == FUNCTION_ROUND) {
            s->values[i] = round_to(s->values[i], a);
        } else if (id == FUNCTION_BITMAP_AND || id == FUNCTION_BITMAP_OR ||
                   id == FUNCTION_BITMAP_XOR) {
            s->values[i] = bitmap(id, s->values[i], a);
        } else if (id == FUNCTION_CLAMP_MAX) {
            s->values[i] = smaller(a, s->values[i]);
        } else if (id == FUNCTION_CLAMP_MIN) {
            s->values[i] = larger(a, s->values[i]);
        } else {
            s->values[i] = larger(a, smaller(b, s->values[i]));
        }
    }
}

/* timestamp() of an expression that is no selector: values were computed at the step. */
static void apply_timestamp(const struct elementwise_operator *op, struct step_series *s)
{
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_ABSENT) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = (double)grid_at(op->node.grid, i) / 1000;
        }
    }
}

static int elementwise_next(struct operator_node *node, struct step_series **series_out)
{
    struct elementwise_operator *op = (struct elementwise_operator *)node;
    if (op->row->id == FUNCTION_START_TIMESTAMP) {
        return 0; // the store keeps no start times
    }
    int more = operator_next(op->child, series_out);
    if (more <= 0) {
        return more;
    }
    struct step_series *s = *series_out;
    int status = 0;
    if (op->row->of_float != NULL) {
        apply_float(op, s);
    } else if (op->row->of_time != NULL) {
        apply_time(op, s);
    } else if (op->row->of_histogram != NULL) {
        status = apply_histogram(op, s);
    } else if (op->row->id == FUNCTION_TIMESTAMP) {
        apply_timestamp(op, s);
    } else {
        apply_arguments(op, s);
    }
    s->has_histograms = false;
    if (status == 0 && !node->expr->keep_name) {
        status = step_series_drop_name(node->query, s);
    }
    return status == 0 ? 1 : status;
}

/* ---- Planning ---- */

/* hour() and its like without an argument: of the step's time. */
static int plan_time_vector(struct query *q, const struct grid *grid, struct operator_node **op_out)
{
    struct expr *time = arena_calloc(&q->arena, 1, sizeof(*time));
    if (time == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    time->kind = EXPR_CALL;
    time->type = PROMQL_SCALAR;
    time->call.function = promql_function_at(FUNCTION_TIME);
    return plan_scalar(q, time, grid, op_out);
}

int plan_elementwise(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {elementwise_next};
    const struct expr_call *call = &expr->call;
    struct elementwise_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->row = row_of(call->function->id);
    op->scratch = query_scratch(q);
    if (op->scratch == NULL) {
        return q->e->code;
    }
    int status = call->argument_count == 0 ? plan_time_vector(q, grid, &op->child)
                                           : plan_build(q, call->arguments[0], grid, &op->child);
    for (size_t i = 1; status == 0 && i < call->argument_count; i++) {
        status = scalar_values(q, call->arguments[i], grid, &op->scalars[i - 1]);
    }
    return status != 0 ? status : plan_unique(q, &op->node, op_out);
}

/* ---- Unary minus ---- */

struct negate_operator {
    struct operator_node node;
    struct operator_node *child;
    struct arena *scratch;
    struct arena_mark mark;
};

static int negate_next(struct operator_node *node, struct step_series **series_out)
{
    struct negate_operator *op = (struct negate_operator *)node;
    int more = operator_next(op->child, series_out);
    if (more <= 0) {
        return more;
    }
    struct step_series *s = *series_out;
    arena_rewind(op->scratch, op->mark);
    for (size_t i = 0; i < node->grid->steps; i++) {
        s->values[i] = -s->values[i];
        if (s->kinds[i] == SAMPLE_HISTOGRAM) {
            struct histogram *negative;
            if (histogram_multiply(s->histograms[i], -1, op->scratch, &negative) != 0) {
                return query_fail_memory(node->query, op->scratch);
            }
            s->histograms[i] = negative;
        }
    }
    int status = step_series_drop_name(node->query, s);
    return status == 0 ? 1 : status;
}

int plan_negate(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {negate_next};
    struct negate_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->scratch = query_scratch(q);
    if (op->scratch == NULL) {
        return q->e->code;
    }
    op->mark = arena_mark(op->scratch);
    int status = plan_build(q, expr->unary.expr, grid, &op->child);
    return status != 0 ? status : plan_unique(q, &op->node, op_out);
}
