/* Explanations; see explain.h. */
#include "explain.h"

#include "operator.h"

int explain_init(struct query *q)
{
    q->explain = arena_calloc(&q->arena, 1, sizeof(*q->explain));
    if (q->explain == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    q->explain->end = &q->explain->first;
    return 0;
}

int explain_begin(struct query *q, const struct expr *expr, struct explain_node **node_out,
    struct explain_mark *mark_out)
{
    struct explain *x = q->explain;
    struct explain_node *node = arena_calloc(&q->arena, 1, sizeof(*node));
    if (node == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    node->expr = expr;
    node->depth = x->depth++;
    *x->end = node;
    x->end = &node->next;
    x->count++;
    *node_out = node;
    *mark_out = (struct explain_mark){
        clock_monotonic_ns(q->options->clock), q->statistics.helped_ns, q->statistics.samples};
    return 0;
}

void explain_planned(struct query *q, struct explain_node *node, const struct explain_mark *mark)
{
    q->explain->depth--;
    node->plan_ns = clock_monotonic_ns(q->options->clock) - mark->begun_ns;
    node->helped_ns += q->statistics.helped_ns - mark->helped_ns;
    node->samples += q->statistics.samples - mark->samples;
}

int explain_next(struct operator_node *op, struct step_series **series_out)
{
    struct query *q = op->query;
    int64_t begun_ns = clock_monotonic_ns(q->options->clock);
    int64_t helped_ns = q->statistics.helped_ns;
    uint64_t samples = q->statistics.samples;
    int more = op->ops->next(op, series_out);
    op->explained->evaluate_ns += clock_monotonic_ns(q->options->clock) - begun_ns;
    op->explained->helped_ns += q->statistics.helped_ns - helped_ns;
    op->explained->samples += q->statistics.samples - samples;
    op->explained->series += more > 0;
    return more;
}

/* What the query says there. */
static struct str text_of(const struct query *q, const struct expr *expr)
{
    size_t start = expr->position.start, end = expr->position.end;
    end = end < q->text.len ? end : q->text.len;
    return start < end ? str_make(q->text.ptr + start, end - start) : STR("");
}

int explain_result(struct query *q, struct engine_result *result)
{
    struct engine_explain *items =
        arena_calloc(&result->arena, q->explain->count + 1, sizeof(*items));
    if (items == NULL) {
        return query_fail_memory(q, &result->arena);
    }
    size_t count = 0;
    for (const struct explain_node *node = q->explain->first; node != NULL; node = node->next) {
        struct str text = text_of(q, node->expr);
        char *copy = arena_strndup(&result->arena, text.ptr, text.len);
        if (copy == NULL) {
            return query_fail_memory(q, &result->arena);
        }
        items[count++] = (struct engine_explain){.depth = node->depth,
            .text = str_make(copy, text.len),
            .plan_ns = node->plan_ns,
            .evaluate_ns = node->evaluate_ns,
            .helped_ns = node->helped_ns,
            .series = node->series,
            .samples = node->samples};
    }
    result->explain = items;
    result->explain_count = count;
    return 0;
}
