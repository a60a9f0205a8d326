/* Groups; see groups.h. The labels of a group are made once, when its first member comes. */
#include "groups.h"

int groups_init(struct groups *g, struct query *q, const struct expr_aggregate *a, struct str extra)
{
    *g = (struct groups){.query = q, .without = a->without};
    id_map_init(&g->ids, q);
    struct str *names = arena_alloc(&q->arena, (a->grouping_count + 1) * sizeof(*names));
    if (names == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < a->grouping_count; i++) {
        names[i] = a->grouping[i];
    }
    g->names = names;
    g->name_count = a->grouping_count;
    if (a->without) {
        names[g->name_count++] = STR(LABEL_METRIC_NAME);
    } else if (extra.len > 0) {
        names[g->name_count++] = extra;
    }
    return 0;
}

static int add_group(struct groups *g, const struct labels *labels)
{
    struct query *q = g->query;
    if (g->count == g->cap) {
        size_t cap = g->cap > 0 ? g->cap * 2 : 64;
        const struct labels **grown = arena_alloc(&q->arena, cap * sizeof(*grown));
        bool *drop_names = arena_calloc(&q->arena, cap, sizeof(*drop_names));
        if (grown == NULL || drop_names == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (g->count > 0) {
            memcpy(grown, g->labels, g->count * sizeof(*grown));
            memcpy(drop_names, g->drop_names, g->count * sizeof(*drop_names));
        }
        g->labels = grown;
        g->drop_names = drop_names;
        g->cap = cap;
    }
    const struct labels *made;
    int status = labels_restrict(labels, g->names, g->name_count, !g->without, &made);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    status = query_own_labels(q, made);
    if (status == 0) {
        g->labels[g->count++] = made;
    }
    return status;
}

int groups_find(
    struct groups *g, const struct labels *labels, uint32_t *group_out, bool *is_new_out)
{
    uint64_t hash = !g->without && g->name_count == 0
                        ? 0
                        : labels_restrict_hash(labels, g->names, g->name_count, !g->without);
    int status = id_map_get(&g->ids, hash, group_out, is_new_out);
    return status == 0 && *is_new_out ? add_group(g, labels) : status;
}
