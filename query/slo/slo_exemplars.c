/* Exemplars: the indicator's expression is parsed again for its selectors, whose exemplars are read. */
#include "slo_exemplars.h"

#include "query/promql.h"

struct search {
    struct querier *querier;
    struct arena *arena;
    int64_t start_ms, end_ms;
    struct alert_exemplar *found;
    size_t count;
};

static struct str trace_of(const struct exemplar *x)
{
    struct str trace = labels_get(x->labels, STR("trace_id"));
    return trace.len > 0 ? trace : labels_get(x->labels, STR("traceID"));
}

/* Keeps the newest, in their order. */
static void keep(struct search *s, const struct exemplar *x)
{
    struct str trace = trace_of(x);
    size_t at = s->count;
    while (at > 0 && s->found[at - 1].time_ms < x->t_ms) {
        at--;
    }
    if (trace.len == 0 || at == ALERT_EXEMPLARS_MAX) {
        return;
    }
    s->count += s->count < ALERT_EXEMPLARS_MAX;
    for (size_t i = s->count - 1; i > at; i--) {
        s->found[i] = s->found[i - 1];
    }
    s->found[at] = (struct alert_exemplar){trace, x->value, x->t_ms};
}

static int visit(struct expr *expr, struct expr *parent, void *context)
{
    struct search *s = context;
    struct exemplar_list list;
    (void)parent;
    if (expr->kind != EXPR_SELECTOR) {
        return 0;
    }
    struct select_request request = {.min_t = s->start_ms + 1,
        .max_t = s->end_ms,
        .matchers = expr->selector.matchers,
        .matcher_count = expr->selector.matcher_count};
    if (querier_exemplars(s->querier, &request, s->arena, &list, NULL) != 0) {
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        for (size_t j = 0; j < list.series[i].count; j++) {
            keep(s, &list.series[i].items[j]);
        }
    }
    return 0;
}

size_t slo_find_exemplars(const struct slo_store *store, const struct slo_definition *definition,
    int64_t start_ms, int64_t end_ms, struct arena *arena, struct alert_exemplar *exemplars_out)
{
    struct search s = {
        .arena = arena, .start_ms = start_ms, .end_ms = end_ms, .found = exemplars_out};
    if (querier_open(store->reads, start_ms + 1, end_ms, &s.querier, NULL) != 0) {
        return 0;
    }
    for (size_t i = 0; i < definition->indicator_count; i++) {
        const struct slo_indicator *x = &definition->indicators[i];
        struct str text = x->part.len > 0 && !x->part_is_good ? x->part : x->total;
        struct expr *expr = NULL;
        if (text.len > 0 && promql_parse(text, PROMQL_FEATURES_ALL, arena, &expr, NULL) == 0) {
            (void)promql_walk(expr, visit, &s); // visit never stops it
        }
    }
    /* What the querier's arena holds outlives it: exemplars are in ours. */
    querier_close(s.querier);
    return s.count;
}
