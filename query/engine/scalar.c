/* Scalars: numbers, time(), pi(), scalar(), max_of() and min_of(), arithmetic between scalars; and
 * vector(), which gives a scalar back as a series. A scalar has a value at every step. */
#include <math.h>

#include "binary.h"
#include "operator.h"

static double *new_values(struct query *q, const struct grid *grid)
{
    double *values = arena_alloc(&q->arena, grid->steps * sizeof(*values));
    if (values == NULL) {
        (void)query_fail_memory(q, &q->arena);
    }
    return values;
}

static void fill(double *values, const struct grid *grid, double value)
{
    for (size_t i = 0; i < grid->steps; i++) {
        values[i] = value;
    }
}

/* scalar(v): the value of the only float series at a step, else NaN. */
static int scalar_of_vector(
    struct query *q, const struct expr *argument, const struct grid *grid, double *values)
{
    struct operator_node *child;
    uint8_t *found = arena_calloc(&q->arena, grid->steps, 1);
    if (found == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = plan_build(q, argument, grid, &child);
    struct step_series *s;
    int more = status == 0 ? 1 : status;
    while (more > 0 && (more = operator_next(child, &s)) > 0) {
        for (size_t i = 0; i < grid->steps; i++) {
            if (s->kinds[i] == SAMPLE_FLOAT) {
                values[i] = s->values[i];
                found[i] += found[i] < 2;
            }
        }
        status = query_check(q);
        more = status == 0 ? more : status;
    }
    for (size_t i = 0; i < grid->steps && more == 0; i++) {
        values[i] = found[i] == 1 ? values[i] : NAN;
    }
    return more;
}

static int call_values(
    struct query *q, const struct expr *expr, const struct grid *grid, double *values)
{
    struct expr *const *arguments = expr->call.arguments;
    const double *a, *b;
    enum function_id id = expr->call.function->id;
    if (id == FUNCTION_SCALAR) {
        return scalar_of_vector(q, arguments[0], grid, values);
    }
    if (id == FUNCTION_MAX_OF || id == FUNCTION_MIN_OF) {
        int status = scalar_values(q, arguments[0], grid, &a);
        status = status != 0 ? status : scalar_values(q, arguments[1], grid, &b);
        for (size_t i = 0; status == 0 && i < grid->steps; i++) {
            bool left = id == FUNCTION_MAX_OF ? a[i] > b[i] : a[i] < b[i];
            values[i] = isnan(a[i]) || isnan(b[i]) ? NAN : left ? a[i] : b[i];
        }
        return status;
    }
    if (id == FUNCTION_PI) {
        fill(values, grid, M_PI);
        return 0;
    }
    for (size_t i = 0; i < grid->steps; i++) {
        values[i] = (double)grid_at(grid, i) / 1000; // time()
    }
    return 0;
}

static int binary_values(
    struct query *q, const struct expr *expr, const struct grid *grid, double *values)
{
    const double *left, *right;
    int status = scalar_values(q, expr->binary.left, grid, &left);
    status = status != 0 ? status : scalar_values(q, expr->binary.right, grid, &right);
    for (size_t i = 0; status == 0 && i < grid->steps; i++) {
        values[i] = binary_scalar(expr->binary.op, left[i], right[i]);
    }
    return status;
}

int scalar_values(
    struct query *q, const struct expr *expr, const struct grid *grid, const double **values_out)
{
    if (expr->kind == EXPR_PAREN) {
        return scalar_values(q, expr->paren, grid, values_out);
    }
    double *values = new_values(q, grid);
    if (values == NULL) {
        return q->e->code;
    }
    int status = 0;
    const double *inner;
    switch (expr->kind) {
    case EXPR_NUMBER:
        fill(values, grid, expr->number.value);
        break;
    case EXPR_CALL:
        status = call_values(q, expr, grid, values);
        break;
    case EXPR_BINARY:
        status = binary_values(q, expr, grid, values);
        break;
    case EXPR_UNARY:
        status = scalar_values(q, expr->unary.expr, grid, &inner);
        for (size_t i = 0; status == 0 && i < grid->steps; i++) {
            values[i] = expr->unary.negative ? -inner[i] : inner[i];
        }
        break;
    default:
        status = query_fail(q, ERR_INTERNAL, "expression is not a scalar");
    }
    *values_out = values;
    return status;
}

/* ---- As an operator ---- */

struct scalar_operator {
    struct operator_node node;
    struct step_series *out;
    bool done;
};

static int scalar_next(struct operator_node *op, struct step_series **series_out)
{
    struct scalar_operator *self = (struct scalar_operator *)op;
    if (self->done) {
        return 0;
    }
    self->done = true;
    *series_out = self->out;
    return 1;
}

int plan_scalar(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {scalar_next};
    bool vector = expr->kind == EXPR_CALL && expr->call.function->id == FUNCTION_VECTOR;
    struct scalar_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->out = step_series_new(q, grid);
    if (op->out == NULL) {
        return q->e->code;
    }
    const double *values;
    int status = scalar_values(q, vector ? expr->call.arguments[0] : expr, grid, &values);
    if (status != 0) {
        return status;
    }
    memset(op->out->kinds, SAMPLE_FLOAT, grid->steps);
    memcpy(op->out->values, values, grid->steps * sizeof(*values));
    *op_out = &op->node;
    return 0;
}
