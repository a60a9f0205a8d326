/* and, or, unless: which series have a partner of the same signature at a step. Only the presence of
 * the other side matters, so neither side is kept: for `and` and `unless` the right side is read first,
 * for `or` the left side passes through and leaves its traces. */
#include "operator.h"

struct set_operator {
    struct operator_node node;
    struct operator_node *left, *right;
    struct id_map ids;
    uint8_t **present; /* by signature: a byte a step */
    size_t cap;
    struct str *restricted;
    size_t restricted_count;
    bool left_done;
};

static uint64_t signature(const struct set_operator *s, const struct labels *labels)
{
    const struct vector_matching *m = &s->node.expr->binary.matching;
    return m->on ? labels_restrict_hash(labels, m->labels, m->label_count, true)
                 : labels_restrict_hash(labels, s->restricted, s->restricted_count, false);
}

/* Adds the steps of a series to those of its signature. */
static int remember(struct set_operator *s, const struct step_series *series)
{
    struct query *q = s->node.query;
    size_t steps = s->node.grid->steps;
    uint32_t id;
    bool is_new;
    int status = id_map_get(&s->ids, signature(s, series->labels), &id, &is_new);
    if (status != 0) {
        return status;
    }
    if (id >= s->cap) {
        size_t cap = s->cap > 0 ? s->cap * 2 : 64;
        uint8_t **grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (s->cap > 0) {
            memcpy(grown, s->present, s->cap * sizeof(*grown));
        }
        s->present = grown;
        s->cap = cap;
    }
    if (is_new) {
        s->present[id] = arena_calloc(&q->arena, steps, 1);
        if (s->present[id] == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    for (size_t i = 0; i < steps; i++) {
        s->present[id][i] |= series->kinds[i];
    }
    return query_check(q);
}

/* Keeps the steps at which the other side is (or is not) present. */
static void filter(const struct set_operator *s, struct step_series *series, bool present)
{
    int64_t id = id_map_find(&s->ids, signature(s, series->labels));
    size_t steps = s->node.grid->steps;
    if (id < 0) {
        if (present) {
            memset(series->kinds, SAMPLE_ABSENT, steps);
        }
        return;
    }
    for (size_t i = 0; i < steps; i++) {
        if ((s->present[id][i] != 0) != present) {
            series->kinds[i] = SAMPLE_ABSENT;
        }
    }
}

static int and_next(struct operator_node *node, struct step_series **series_out)
{
    struct set_operator *s = (struct set_operator *)node;
    int more = operator_next(s->left, series_out);
    if (more > 0) {
        filter(s, *series_out, node->expr->binary.op == BINARY_AND);
    }
    return more;
}

static int or_next(struct operator_node *node, struct step_series **series_out)
{
    struct set_operator *s = (struct set_operator *)node;
    if (!s->left_done) {
        int more = operator_next(s->left, series_out);
        if (more != 0) {
            int status = more > 0 ? remember(s, *series_out) : more;
            return status != 0 ? status : 1;
        }
        s->left_done = true;
    }
    int more = operator_next(s->right, series_out);
    if (more > 0) {
        filter(s, *series_out, false);
    }
    return more;
}

static int read_right(struct set_operator *s)
{
    struct step_series *series;
    int more;
    while ((more = operator_next(s->right, &series)) > 0) {
        int status = remember(s, series);
        if (status != 0) {
            return status;
        }
    }
    return more;
}

int plan_set(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops and_ops = {and_next}, or_ops = {or_next};
    bool is_or = expr->binary.op == BINARY_OR;
    struct set_operator *s = operator_new(q, sizeof(*s), is_or ? &or_ops : &and_ops, expr, grid);
    if (s == NULL) {
        return q->e->code;
    }
    const struct vector_matching *m = &expr->binary.matching;
    id_map_init(&s->ids, q);
    s->restricted = arena_alloc(&q->arena, (m->label_count + 1) * sizeof(*s->restricted));
    if (s->restricted == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    s->restricted[0] = STR(LABEL_METRIC_NAME);
    for (size_t i = 0; i < m->label_count; i++) {
        s->restricted[i + 1] = m->labels[i];
    }
    s->restricted_count = m->label_count + 1;
    int status = plan_build(q, expr->binary.left, grid, &s->left);
    if (status == 0) {
        status = plan_build(q, expr->binary.right, grid, &s->right);
    }
    if (status == 0 && !is_or) {
        status = read_right(s);
    }
    if (status == 0) {
        *op_out = &s->node;
    }
    return status;
}
