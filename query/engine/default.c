/* `default` of MetricsQL: gaps of the left side get the values of the right. A series is filled from those of
 * the right side with the same labels, names aside; from a single series without labels (a number, sum(x))
 * every series is filled. Where the left side has no series at all, the right side is the answer. */
#include "operator.h"

struct default_operator {
    struct operator_node node;
    struct series_store left, right;
    struct step_series *all; /* fills every series */
    struct id_map ids;       /* of the right side's labels; its numbers are positions in `first` */
    size_t *first, *chain;   /* positions of the right side's series, plus one */
    size_t next;
};

static uint64_t signature(const struct labels *labels)
{
    static const struct str name[] = {{"__name__", 8}};
    return labels_restrict_hash(labels, name, 1, false);
}

static void fill_from(
    const struct default_operator *op, struct step_series *s, const struct step_series *from)
{
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_ABSENT && from->kinds[i] == SAMPLE_FLOAT) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = from->values[i];
        }
    }
}

static int default_next(struct operator_node *node, struct step_series **series_out)
{
    struct default_operator *op = (struct default_operator *)node;
    struct series_store *source = op->left.count > 0 ? &op->left : &op->right;
    if (op->next == source->count) {
        return 0;
    }
    struct step_series *s = &source->items[op->next++];
    *series_out = s;
    if (source == &op->right) {
        return 1;
    }
    if (op->all != NULL) {
        fill_from(op, s, op->all);
        return 1;
    }
    int64_t id = id_map_find(&op->ids, signature(s->labels));
    for (size_t i = id >= 0 ? op->first[id] : 0; i != 0; i = op->chain[i - 1]) {
        fill_from(op, s, &op->right.items[i - 1]);
    }
    return 1;
}

static int index_right(struct query *q, struct default_operator *op)
{
    size_t count = op->right.count;
    if (count == 1 && labels_count(op->right.items[0].labels) == 0) {
        op->all = &op->right.items[0];
        return 0;
    }
    op->first = arena_calloc(&q->arena, count + 1, sizeof(*op->first));
    op->chain = arena_calloc(&q->arena, count + 1, sizeof(*op->chain));
    if (op->first == NULL || op->chain == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    id_map_init(&op->ids, q);
    for (size_t i = count; i > 0; i--) {
        uint32_t id;
        bool is_new;
        int status = id_map_get(&op->ids, signature(op->right.items[i - 1].labels), &id, &is_new);
        if (status != 0) {
            return status;
        }
        op->chain[i - 1] = op->first[id];
        op->first[id] = i;
    }
    return 0;
}

static int drain(
    struct query *q, const struct expr *expr, const struct grid *grid, struct series_store *store)
{
    struct operator_node *child;
    series_store_init(store, q, grid);
    int status = plan_whole(q, expr, grid, &child);
    return status == 0 ? series_store_drain(store, child) : status;
}

int plan_default(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {default_next};
    struct default_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    int status = drain(q, expr->call.arguments[0], grid, &op->left);
    if (status == 0) {
        status = drain(q, expr->call.arguments[1], grid, &op->right);
    }
    if (status == 0) {
        status = index_right(q, op);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
