#include "trace/traceql_inplace.h"

#include <string.h>

static bool stages_decide(const struct traceql_stage *stages);

/* As deep as the query: TRACEQL_DEPTH_MAX. */
static bool spanset_decides(const struct traceql_spanset *s)
{
    switch (s->kind) {
    case TRACEQL_SPANSET_FILTER:
        return s->expr == NULL || s->expr->need == TRACEQL_NEEDS_SPAN;
    case TRACEQL_SPANSET_OPERATION:
        return spanset_decides(s->left) && spanset_decides(s->right);
    default:
        return stages_decide(s->stages);
    }
}

static bool scalar_decides(const struct traceql_scalar *s)
{
    return s->node == TRACEQL_SCALAR_AGGREGATE ? s->expr == NULL
           : s->node == TRACEQL_SCALAR_BINARY  ? scalar_decides(s->left) && scalar_decides(s->right)
                                               : true;
}

static bool stages_decide(const struct traceql_stage *stages)
{
    bool decide = true;
    for (const struct traceql_stage *s = stages; decide && s != NULL; s = s->next) {
        decide = s->kind == TRACEQL_STAGE_SPANSET ? spanset_decides(s->spanset)
                 : s->kind == TRACEQL_STAGE_SCALAR
                     ? scalar_decides(s->left) && scalar_decides(s->right)
                     : s->kind != TRACEQL_STAGE_BY;
    }
    return decide;
}

void traceql_inplace_init(struct traceql_inplace *in, const struct traceql_query *query)
{
    *in = (struct traceql_inplace){
        .query = query, .decides = query->metrics == NULL && stages_decide(query->stages)};
}

void traceql_inplace_begin(struct traceql_inplace *in, struct traceql_page *page)
{
    in->page = page;
    in->count = 0;
}

/* ---- Verdicts ---- */

static int find_verdicts(
    struct traceql_page *p, const struct traceql_expr *expr, const uint8_t **verdicts_out)
{
    bool may;
    uint8_t *verdicts = NULL;
    int status = traceql_page_may_hold(p, expr, &may);
    if (status == 0 && may) {
        status = traceql_page_filter(p, expr, &verdicts);
    } else if (status == 0) {
        verdicts = arena_alloc(p->arena, (size_t)p->rows + 1);
        status = verdicts == NULL ? arena_error(p->arena) : 0;
        if (status == 0) {
            memset(verdicts, TRACEQL_MAY_FAIL, p->rows);
        }
    }
    *verdicts_out = verdicts;
    return status;
}

int traceql_inplace_verdicts(
    struct traceql_inplace *in, const struct traceql_spanset *filter, const uint8_t **verdicts_out)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->filters[i].filter == filter) {
            *verdicts_out = in->filters[i].verdicts;
            return 0;
        }
    }
    int status = find_verdicts(in->page, filter->expr, verdicts_out);
    if (status == 0 && in->count < TRACEQL_INPLACE_FILTERS_MAX) {
        in->filters[in->count].filter = filter;
        in->filters[in->count++].verdicts = *verdicts_out;
    }
    return status;
}

/* ---- May it match? ---- */

static int stages_may(struct traceql_inplace *in, const struct traceql_stage *stages,
    const struct span_page_trace *t);

/* Whether spans of the left side are needed for there to be some in the end. */
static bool needs_left(enum traceql_operator op)
{
    return op != TRACEQL_NOT_CHILD && op != TRACEQL_NOT_PARENT && op != TRACEQL_NOT_DESCENDANT &&
           op != TRACEQL_NOT_ANCESTOR && op != TRACEQL_NRE;
}

static int filter_may(
    struct traceql_inplace *in, const struct traceql_spanset *s, const struct span_page_trace *t)
{
    const uint8_t *verdicts;
    int status = traceql_inplace_verdicts(in, s, &verdicts);
    return status == 0 ? traceql_any_holds(verdicts + t->first, t->count) : status;
}

static int spanset_may(
    struct traceql_inplace *in, const struct traceql_spanset *s, const struct span_page_trace *t)
{
    if (s->kind == TRACEQL_SPANSET_FILTER) {
        return filter_may(in, s, t);
    }
    if (s->kind == TRACEQL_SPANSET_PIPELINE) {
        return stages_may(in, s->stages, t);
    }
    int may = spanset_may(in, s->right, t);
    bool enough = s->op == TRACEQL_OR ? may == 1 : !needs_left(s->op);
    return may < 0 || enough || (may == 0 && s->op != TRACEQL_OR) ? may
                                                                  : spanset_may(in, s->left, t);
}

static int stages_may(
    struct traceql_inplace *in, const struct traceql_stage *stages, const struct span_page_trace *t)
{
    int may = 1;
    for (const struct traceql_stage *s = stages; may == 1 && s != NULL; s = s->next) {
        may = s->kind == TRACEQL_STAGE_SPANSET ? spanset_may(in, s->spanset, t) : 1;
    }
    return may;
}

int traceql_inplace_may_match(struct traceql_inplace *in, const struct span_page_trace *trace)
{
    return stages_may(in, in->query->stages, trace);
}

/* ---- Deciding ---- */

/* What filters say of the rows of a trace. */
struct known {
    const struct traceql_inplace *in;
    uint32_t first;
};

static const uint8_t *known_verdicts(const void *context, const struct traceql_spanset *filter)
{
    const struct known *k = context;
    for (uint32_t i = 0; i < k->in->count; i++) {
        if (k->in->filters[i].filter == filter) {
            return k->in->filters[i].verdicts + k->first;
        }
    }
    return NULL;
}

static int find_stages(struct traceql_inplace *in, const struct traceql_stage *stages);

/* Finds the verdicts of all filters. */
static int find_all(struct traceql_inplace *in, const struct traceql_spanset *s)
{
    const uint8_t *verdicts;
    switch (s->kind) {
    case TRACEQL_SPANSET_FILTER:
        return traceql_inplace_verdicts(in, s, &verdicts);
    case TRACEQL_SPANSET_PIPELINE:
        return find_stages(in, s->stages);
    default: {
        int status = find_all(in, s->left);
        return status == 0 ? find_all(in, s->right) : status;
    }
    }
}

static int find_stages(struct traceql_inplace *in, const struct traceql_stage *stages)
{
    int status = 0;
    for (const struct traceql_stage *s = stages; status == 0 && s != NULL; s = s->next) {
        status = s->kind == TRACEQL_STAGE_SPANSET ? find_all(in, s->spanset) : 0;
    }
    return status;
}

static bool are_certain(const struct traceql_inplace *in, const struct span_page_trace *t)
{
    bool certain = in->count < TRACEQL_INPLACE_FILTERS_MAX; /* else some may not have been kept */
    for (uint32_t i = 0; i < in->count && certain; i++) {
        for (uint32_t row = t->first; row < t->first + t->count && certain; row++) {
            certain = in->filters[i].verdicts[row] != TRACEQL_OPEN;
        }
    }
    return certain;
}

/* Spans by ids and times; false when some came twice, or are not in order: the store has to sort them out. */
static bool take_spans(struct traceql_inplace *in, const struct span_page_trace *t,
    const uint64_t *ids, const uint64_t *parents, struct otlp_span *spans)
{
    const struct span_page_columns *c = &in->page->columns;
    bool ordered = true;
    for (uint32_t i = 0; i < t->count && ordered; i++) {
        uint32_t row = t->first + i;
        spans[i] = (struct otlp_span){.span = {.trace_id = t->id,
                                          .span_id = ids[row],
                                          .parent_id = parents[row],
                                          .start_ns = c->start_ns[row],
                                          .end_ns = c->start_ns[row] + c->duration_ns[row]}};
        ordered = i == 0 || spans[i - 1].span.start_ns < spans[i].span.start_ns ||
                  (spans[i - 1].span.start_ns == spans[i].span.start_ns && ids[row - 1] < ids[row]);
    }
    return ordered;
}

int traceql_inplace_decide(struct traceql_inplace *in, const struct span_page_trace *trace,
    struct arena *arena, struct trace_tree *tree_out, struct traceql_sets *sets_out)
{
    const struct known context = {in, trace->first};
    const struct traceql_known known = {known_verdicts, &context};
    const uint64_t *ids, *parents;
    if (!in->decides) {
        return 0;
    }
    int status = find_stages(in, in->query->stages);
    if (status != 0 || !are_certain(in, trace)) {
        return status;
    }
    status = traceql_page_read(in->page, SPAN_PAGE_STARTS | SPAN_PAGE_DURATIONS);
    status = status == 0 ? span_page_ids(in->page->page, &ids, &parents) : status;
    struct otlp_span *spans = arena_alloc(arena, trace->count * sizeof(*spans));
    status = status == 0 && spans == NULL ? arena_error(arena) : status;
    if (status != 0 || !take_spans(in, trace, ids, parents, spans)) {
        return status;
    }
    const struct span_trace whole = {.spans = spans, .count = trace->count};
    status = trace_tree_build(&whole, arena, tree_out);
    status =
        status == 0 ? traceql_evaluate_known(in->query, tree_out, &known, arena, sets_out) : status;
    return status == 0 ? 1 : status;
}
