/* absent and absent_over_time: 1 where no series has a value. The labels of the answer are those that
 * the selector pins with `=`, unless it names one twice. */
#include "operator.h"

struct absent_operator {
    struct operator_node node;
    struct operator_node *child;
    struct step_series *out;
    bool done;
};

static const struct expr_selector *selector_of(const struct expr *argument)
{
    switch (argument->kind) {
    case EXPR_SELECTOR:
        return &argument->selector;
    case EXPR_MATRIX:
        return &argument->matrix.selector->selector;
    default:
        return NULL;
    }
}

static int absent_labels(
    struct query *q, const struct expr *argument, const struct labels **labels_out)
{
    const struct expr_selector *s = selector_of(argument);
    struct labels_builder builder;
    labels_builder_init(&builder);
    for (size_t i = 0; s != NULL && i < s->matcher_count; i++) {
        const struct matcher *m = s->matchers[i];
        bool seen = false;
        for (size_t k = 0; k < i; k++) {
            seen = seen ||
                   (str_eq(s->matchers[k]->name, m->name) && s->matchers[k]->type == MATCHER_EQUAL);
        }
        if (str_eq_c(m->name, LABEL_METRIC_NAME)) {
            continue;
        }
        if (m->type == MATCHER_EQUAL && !seen) {
            labels_builder_set(&builder, m->name, m->value);
        } else {
            labels_builder_delete(&builder, m->name);
        }
    }
    int status = labels_builder_finish(&builder, labels_out);
    labels_builder_release(&builder);
    return status == 0 ? query_own_labels(q, *labels_out)
                       : query_fail(q, status, "%s", err_text(status));
}

static int absent_next(struct operator_node *node, struct step_series **series_out)
{
    struct absent_operator *op = (struct absent_operator *)node;
    size_t steps = node->grid->steps;
    if (op->done) {
        return 0;
    }
    op->done = true;
    memset(op->out->kinds, SAMPLE_FLOAT, steps);
    struct step_series *s;
    int more;
    while ((more = operator_next(op->child, &s)) > 0) {
        for (size_t i = 0; i < steps; i++) {
            if (s->kinds[i] != SAMPLE_ABSENT) {
                op->out->kinds[i] = SAMPLE_ABSENT;
            }
        }
        int status = query_check(node->query);
        if (status != 0) {
            return status;
        }
    }
    for (size_t i = 0; i < steps; i++) {
        op->out->values[i] = 1;
    }
    *series_out = op->out;
    return more < 0 ? more : 1;
}

int plan_absent(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {absent_next};
    const struct expr *argument = expr->call.arguments[0];
    struct absent_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->out = step_series_new(q, grid);
    if (op->out == NULL) {
        return q->e->code;
    }
    int status = expr->call.function->id == FUNCTION_ABSENT
                     ? plan_build(q, argument, grid, &op->child)
                     : plan_range_function(q, expr, grid, &op->child);
    if (status == 0) {
        status = absent_labels(q, argument, &op->out->labels);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
