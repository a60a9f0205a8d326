/* Operators between samples, and between a vector and a scalar. */
#include "binary.h"

#include <math.h>

#include "histogram_math.h"
#include "interpolate.h"

/* ---- Floats ---- */

bool binary_compare(enum binary_op op, double left, double right)
{
    switch (op) {
    case BINARY_EQL:
        return left == right;
    case BINARY_NEQ:
        return left != right;
    case BINARY_GTR:
        return left > right;
    case BINARY_LSS:
        return left < right;
    case BINARY_GTE:
        return left >= right;
    default:
        return left <= right;
    }
}

double binary_scalar(enum binary_op op, double left, double right)
{
    switch (op) {
    case BINARY_ADD:
        return left + right;
    case BINARY_SUB:
        return left - right;
    case BINARY_MUL:
        return left * right;
    case BINARY_DIV:
        return left / right;
    case BINARY_MOD:
        return fmod(left, right);
    case BINARY_POW:
        return pow(left, right);
    case BINARY_ATAN2:
        return atan2(left, right);
    default:
        return binary_compare(op, left, right) ? 1 : 0;
    }
}

bool binary_changes_metric(enum binary_op op)
{
    return op <= BINARY_ATAN2;
}

/* ---- Histograms ---- */

static const char *kind_name(const struct binary_value *v)
{
    return v->kind == SAMPLE_HISTOGRAM ? "histogram" : "float";
}

static int refuse(struct query *q, const struct expr *expr, const struct binary_value *left,
    const struct binary_value *right)
{
    const char *op = binary_op_text(expr->binary.op);
    return query_annotate(q, ANNOTATION_INFO, expr,
        "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
        kind_name(left), op, kind_name(right));
}

static int add_or_subtract(struct query *q, const struct expr *expr, const struct histogram *left,
    const struct histogram *right, struct arena *arena, struct histogram **result_out,
    bool *fits_out)
{
    bool subtract = expr->binary.op == BINARY_SUB;
    unsigned notes = 0;
    int status = histogram_combine(left, right, subtract ? -1 : 1, arena, &notes, result_out);
    if (status == ERR_UNSUPPORTED) {
        *fits_out = false;
        return query_annotate(q, ANNOTATION_WARNING, expr,
            "incompatible bucket layout encountered for binary operator %s",
            binary_op_text(expr->binary.op));
    }
    if (status != 0) {
        return query_fail_memory(q, arena);
    }
    if (subtract) {
        (*result_out)->reset_hint = HISTOGRAM_GAUGE;
    }
    return annotate_notes(q, expr, notes, subtract ? "subtraction" : "addition");
}

/* Scaling and trimming; NULL in *result_out when the operator does not go with these kinds. */
static int scale(struct query *q, enum binary_op op, const struct binary_value *left,
    const struct binary_value *right, struct arena *arena, struct histogram **result_out)
{
    bool left_histogram = left->kind == SAMPLE_HISTOGRAM;
    const struct histogram *h = left_histogram ? left->histogram : right->histogram;
    double factor = left_histogram ? right->value : left->value;
    int status = 0;
    *result_out = NULL;
    if (op == BINARY_MUL) {
        status = histogram_multiply(h, factor, arena, result_out);
    } else if (op == BINARY_DIV && left_histogram) {
        status = histogram_divide(h, factor, arena, result_out);
    } else if ((op == BINARY_TRIM_UPPER || op == BINARY_TRIM_LOWER) && left_histogram) {
        status = histogram_trim(h, factor, op == BINARY_TRIM_UPPER, arena, result_out);
    }
    return status == 0 ? 0 : query_fail_memory(q, arena);
}

int binary_histograms(struct query *q, const struct expr *expr, const struct binary_value *left,
    const struct binary_value *right, struct arena *arena, struct binary_value *result_out,
    bool *keep_out, bool *fits_out)
{
    enum binary_op op = expr->binary.op;
    struct histogram *result = NULL;
    bool both = left->kind == SAMPLE_HISTOGRAM && right->kind == SAMPLE_HISTOGRAM;
    *fits_out = *keep_out = true;
    int status = 0;
    if (both && (op == BINARY_EQL || op == BINARY_NEQ)) {
        *keep_out = histogram_equal(left->histogram, right->histogram) == (op == BINARY_EQL);
        *result_out = *left;
        return 0;
    }
    if (both && (op == BINARY_ADD || op == BINARY_SUB)) {
        status =
            add_or_subtract(q, expr, left->histogram, right->histogram, arena, &result, fits_out);
    } else if (!both && (left->kind == SAMPLE_HISTOGRAM || right->kind == SAMPLE_HISTOGRAM)) {
        status = scale(q, op, left, right, arena, &result);
    }
    if (status == 0 && result == NULL && *fits_out) {
        *fits_out = false;
        status = refuse(q, expr, left, right);
    }
    *keep_out = *fits_out;
    *result_out = (struct binary_value){SAMPLE_HISTOGRAM, 0, result};
    return status;
}

/* ---- A vector and a scalar ---- */

struct binary_operator {
    struct operator_node node;
    struct operator_node *child;
    const double *scalar;
    bool scalar_left;
    struct arena *scratch;
    struct arena_mark mark;
};

/* Two floats, neither a trim. */
static void apply_floats(const struct binary_operator *self, struct step_series *s, size_t i)
{
    const struct expr_binary *b = &self->node.expr->binary;
    double vector = s->values[i], scalar = self->scalar[i];
    double left = self->scalar_left ? scalar : vector;
    double right = self->scalar_left ? vector : scalar;
    if (!binary_op_is_comparison(b->op)) {
        s->values[i] = binary_scalar(b->op, left, right);
    } else if (b->return_bool) {
        s->values[i] = binary_compare(b->op, left, right) ? 1 : 0;
    } else if (!binary_compare(b->op, left, right)) {
        s->kinds[i] = SAMPLE_ABSENT;
    }
}

static int apply_any(struct binary_operator *self, struct step_series *s, size_t i)
{
    const struct expr *expr = self->node.expr;
    struct binary_value vector = {(enum sample_kind)s->kinds[i], s->values[i],
        s->kinds[i] == SAMPLE_HISTOGRAM ? s->histograms[i] : NULL};
    struct binary_value scalar = {SAMPLE_FLOAT, self->scalar[i], NULL}, result;
    bool keep, fits;
    int status = binary_histograms(self->node.query, expr, self->scalar_left ? &scalar : &vector,
        self->scalar_left ? &vector : &scalar, self->scratch, &result, &keep, &fits);
    if (status != 0) {
        return status;
    }
    s->kinds[i] = !fits ? SAMPLE_ABSENT : SAMPLE_HISTOGRAM;
    if (fits && s->has_histograms) {
        s->histograms[i] = result.histogram;
    }
    return 0;
}

static int binary_next(struct operator_node *node, struct step_series **series_out)
{
    struct binary_operator *self = (struct binary_operator *)node;
    const struct expr_binary *b = &node->expr->binary;
    bool trim = b->op == BINARY_TRIM_UPPER || b->op == BINARY_TRIM_LOWER;
    int more = operator_next(self->child, series_out);
    if (more <= 0) {
        return more;
    }
    struct step_series *s = *series_out;
    arena_rewind(self->scratch, self->mark);
    for (size_t i = 0; i < node->grid->steps; i++) {
        int status = 0;
        if (s->kinds[i] == SAMPLE_HISTOGRAM || (trim && s->kinds[i] != SAMPLE_ABSENT)) {
            status = apply_any(self, s, i);
        } else if (s->kinds[i] == SAMPLE_FLOAT) {
            apply_floats(self, s, i);
        }
        if (status != 0) {
            return status;
        }
    }
    if (!node->expr->keep_name && (binary_changes_metric(b->op) || b->return_bool)) {
        int status = step_series_drop_name(node->query, s);
        return status == 0 ? 1 : status;
    }
    return 1;
}

int plan_binary(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {binary_next};
    struct binary_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    const struct expr *left = expr->binary.left, *right = expr->binary.right;
    op->scalar_left = left->type == PROMQL_SCALAR;
    op->scratch = query_scratch(q);
    if (op->scratch == NULL) {
        return q->e->code;
    }
    op->mark = arena_mark(op->scratch);
    int status = plan_build(q, op->scalar_left ? right : left, grid, &op->child);
    if (status == 0) {
        status = scalar_values(q, op->scalar_left ? left : right, grid, &op->scalar);
    }
    return status != 0 ? status : plan_unique(q, &op->node, op_out);
}
