/* union(a, b, …) of MetricsQL: the series of all operands. Of several with the same labels, names among them, the
 * first stays and the others go as a whole; `or` would look at each step, and not at names. */
#include "operator.h"

struct union_operator {
    struct operator_node node;
    struct operator_node **children;
    size_t count, next;
    struct id_map seen;
};

/* Of what its labels will be at the end of the query. */
static uint64_t signature(const struct step_series *s)
{
    static const struct str name[] = {{"__name__", 8}};
    return labels_restrict_hash(s->labels, name, s->drop_name, false);
}

static int union_next(struct operator_node *node, struct step_series **series_out)
{
    struct union_operator *op = (struct union_operator *)node;
    while (op->next < op->count) {
        int more = operator_next(op->children[op->next], series_out);
        if (more < 0) {
            return more;
        }
        if (more == 0) {
            op->next++;
            continue;
        }
        uint32_t id;
        bool is_new;
        int status = id_map_get(&op->seen, signature(*series_out), &id, &is_new);
        if (status != 0 || is_new) {
            return status == 0 ? 1 : status;
        }
    }
    return 0;
}

int plan_union(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {union_next};
    const struct expr_call *call = &expr->call;
    struct union_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->children = arena_calloc(&q->arena, call->argument_count, sizeof(struct operator_node *));
    if (op->children == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    id_map_init(&op->seen, q);
    int status = 0;
    for (; status == 0 && op->count < call->argument_count; op->count++) {
        status = plan_whole(q, call->arguments[op->count], grid, &op->children[op->count]);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
