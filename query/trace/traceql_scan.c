/* Most traces lie in one page, which is in hand: they are read from it. For the others all pages that may have spans of
 * them are opened, in a view of their own that is given up when it holds too many. */
#include "trace/traceql_scan.h"

#include <inttypes.h>
#include <stdio.h>

/* Digits of an integer with its sign and the zero. */
#define INTEGER_TEXT_MAX 24

static int tell(int status, struct err *e)
{
    return status < 0 && e->code == 0 ? err_set(e, status, -1, "%s", err_text(status)) : status;
}

/* ---- What the answer may hold ---- */

static bool decided_by_span(const struct traceql_query *query)
{
    const struct traceql_stage *s = query->stages;
    bool one = s->kind == TRACEQL_STAGE_SPANSET && s->spanset->kind == TRACEQL_SPANSET_FILTER &&
               (s->spanset->expr == NULL || s->spanset->expr->need == TRACEQL_NEEDS_SPAN);
    for (s = s->next; one && s != NULL; s = s->next) {
        one = s->kind == TRACEQL_STAGE_SELECT;
    }
    const struct traceql_metrics *m = query->metrics;
    if (one && m != NULL && m->field != NULL) {
        one = traceql_field_need(m->field) == TRACEQL_NEEDS_SPAN;
    }
    if (one && m != NULL && m->selection != NULL) {
        one = m->selection->need == TRACEQL_NEEDS_SPAN;
    }
    for (size_t i = 0; one && m != NULL && i < m->by_count; i++) {
        one = traceql_field_need(m->by[i]) == TRACEQL_NEEDS_SPAN;
    }
    return one;
}

static int spanset_verdicts(
    struct traceql_scan *scan, const struct traceql_spanset *s, uint8_t **out);

/* Spans that are left have passed all stages that filter. */
static int stages_verdicts(
    struct traceql_scan *scan, const struct traceql_stage *stages, uint8_t **out)
{
    uint8_t *one, *all = NULL;
    for (const struct traceql_stage *s = stages; s != NULL; s = s->next) {
        if (s->kind != TRACEQL_STAGE_SPANSET) {
            continue;
        }
        int status = spanset_verdicts(scan, s->spanset, &one);
        if (status != 0) {
            return status;
        }
        for (uint32_t row = 0; all != NULL && row < scan->page.rows; row++) {
            all[row] = (uint8_t)((all[row] & one[row] & TRACEQL_MAY_HOLD) |
                                 ((all[row] | one[row]) & TRACEQL_MAY_FAIL));
        }
        all = all != NULL ? all : one;
    }
    *out = all;
    return all == NULL ? traceql_page_filter(&scan->page, NULL, out) : 0;
}

/* Whether spans of the left side are in what an operator leaves. */
static bool keeps_left(enum traceql_operator op)
{
    return op == TRACEQL_AND || op == TRACEQL_OR || op >= TRACEQL_UNION_CHILD;
}

static int spanset_verdicts(
    struct traceql_scan *scan, const struct traceql_spanset *s, uint8_t **out)
{
    uint8_t *left, *right;
    if (s->kind == TRACEQL_SPANSET_PIPELINE) {
        return stages_verdicts(scan, s->stages, out);
    }
    if (s->kind == TRACEQL_SPANSET_FILTER) {
        const uint8_t *verdicts;
        int status = traceql_inplace_verdicts(&scan->inplace, s, &verdicts);
        if (status == 0) {
            *out = arena_dup(&scan->arena, verdicts, scan->page.rows); /* the answer's own */
            status = *out == NULL ? arena_error(&scan->arena) : 0;
        }
        return status;
    }
    int status = spanset_verdicts(scan, s->right, &right);
    if (status != 0 || !keeps_left(s->op)) {
        *out = right;
        return status;
    }
    status = spanset_verdicts(scan, s->left, &left);
    for (uint32_t row = 0; status == 0 && row < scan->page.rows; row++) {
        right[row] |= left[row];
    }
    *out = right;
    return status;
}

/* ---- Pages ---- */

/* Whether the page can be left after its zone data. */
static int may_matter(struct traceql_scan *scan, bool *may_out)
{
    const struct traceql_stage *s = scan->query->stages;
    *may_out = true;
    return s->kind == TRACEQL_STAGE_SPANSET && s->spanset->kind == TRACEQL_SPANSET_FILTER
               ? traceql_page_may_hold(&scan->page, s->spanset->expr, may_out)
               : 0;
}

/* Fails those outside of the time; false when no row is left. */
static bool hold_in_time(struct traceql_scan *scan)
{
    struct span_page_info info = span_page_info(scan->page.page);
    const uint64_t *start = scan->page.columns.start_ns;
    if (info.start_min_ns >= scan->start_ns && info.start_max_ns <= scan->end_ns) {
        return true;
    }
    for (uint32_t row = 0; row < scan->page.rows; row++) {
        if (start[row] < scan->start_ns || start[row] > scan->end_ns) {
            scan->verdicts[row] = TRACEQL_MAY_FAIL;
        }
    }
    return traceql_any_holds(scan->verdicts, scan->page.rows);
}

/* 1 when some row may be in the answer. */
static int look_at_page(struct traceql_scan *scan, struct span_page *page)
{
    bool may;
    arena_release(&scan->arena);
    traceql_page_init(&scan->page, page, &scan->arena);
    traceql_inplace_begin(&scan->inplace, &scan->page);
    int status = may_matter(scan, &may);
    if (status != 0 || !may) {
        return status;
    }
    status = stages_verdicts(scan, scan->query->stages, &scan->verdicts);
    if (status != 0 || !traceql_any_holds(scan->verdicts, scan->page.rows)) {
        return status;
    }
    status = traceql_page_read(&scan->page, SPAN_PAGE_STARTS);
    if (status != 0 || !hold_in_time(scan)) {
        return status;
    }
    status = span_page_runs(page, &scan->traces);
    scan->trace_count = span_page_info(page).traces;
    return status == 0 ? 1 : status;
}

int traceql_scan_next(struct traceql_scan *scan, uint64_t floor_ns, struct err *e)
{
    struct span_page *page;
    int more;
    while ((more = span_pages_next(scan->pages, &page, &scan->latest_ns)) == 1) {
        if (scan->latest_ns < floor_ns) {
            return 0;
        }
        int status = trace_budget_spend(scan->budget, span_page_info(page).rows, e);
        status = status == 0 ? look_at_page(scan, page) : status;
        if (status == ERR_CORRUPT) {
            scan->damaged_pages++;
        } else if (status != 0) {
            return tell(status, e);
        }
    }
    return tell(more, e);
}

/* The text by which the store knows the value of `field = literal`; false when it knows none. */
static bool wanted_text(const struct traceql_field *field, const struct traceql_value *literal,
    char digits[INTEGER_TEXT_MAX], struct str *key_out, struct str *text_out)
{
    bool is_name =
        field->scope == TRACEQL_SCOPE_INTRINSIC && field->intrinsic == TRACEQL_INTRINSIC_NAME;
    if (!is_name &&
        (field->scope == TRACEQL_SCOPE_INTRINSIC || field->scope == TRACEQL_SCOPE_PARENT ||
            field->scope == TRACEQL_SCOPE_INSTRUMENTATION)) {
        return false;
    }
    *key_out = is_name ? STR(SPAN_WANT_NAME) : field->key;
    if (literal->type == TRACEQL_STRING) {
        *text_out = literal->text;
        return true;
    }
    *text_out =
        str_make(digits, (size_t)snprintf(digits, INTEGER_TEXT_MAX, "%" PRId64, literal->integer));
    return literal->type == TRACEQL_INT;
}

/* Tells the store which values every span of the answer has: what `&&` joins of equalities. As deep as the
 * condition: TRACEQL_NODES_MAX. */
static void want_equalities(struct span_pages *pages, const struct traceql_expr *e)
{
    char digits[INTEGER_TEXT_MAX];
    struct str key, text;
    if (e == NULL || e->node != TRACEQL_BINARY) {
        return;
    }
    if (e->op == TRACEQL_AND) {
        want_equalities(pages, e->left);
        want_equalities(pages, e->right);
        return;
    }
    bool turned = e->left->node == TRACEQL_LITERAL;
    const struct traceql_expr *field = turned ? e->right : e->left;
    const struct traceql_expr *literal = turned ? e->left : e->right;
    if (e->op == TRACEQL_EQ && field->node == TRACEQL_FIELD && literal->node == TRACEQL_LITERAL &&
        wanted_text(field->field, &literal->literal, digits, &key, &text)) {
        (void)span_pages_want(pages, key, text); // one too many is only not skipped for
    }
}

int traceql_scan_open(struct traceql_scan *scan, struct span_view *view,
    const struct traceql_query *query, uint64_t start_ns, uint64_t end_ns,
    struct trace_budget *budget, struct err *e)
{
    *scan = (struct traceql_scan){.view = view,
        .query = query,
        .start_ns = start_ns,
        .end_ns = end_ns,
        .budget = budget,
        .exact_by_span = decided_by_span(query)};
    arena_init(&scan->arena, TRACE_BUDGET_BYTES_MAX);
    traceql_inplace_init(&scan->inplace, query);
    trace_reader_init(&scan->reader, view);
    int status = span_view_pages(view, start_ns, end_ns, &scan->pages, e);
    const struct traceql_spanset *first = query->stages->spanset;
    if (status == 0 && query->stages->kind == TRACEQL_STAGE_SPANSET &&
        first->kind == TRACEQL_SPANSET_FILTER) {
        want_equalities(scan->pages, first->expr); // what is left of the others has passed it, too
    }
    return status;
}

void traceql_scan_close(struct traceql_scan *scan)
{
    span_pages_close(scan->pages);
    trace_reader_release(&scan->reader);
    trace_id_set_release(&scan->whole);
    arena_release(&scan->arena);
}

/* ---- Spans and traces ---- */

int traceql_scan_row(struct traceql_scan *scan, uint32_t row, bool *holds_out, struct err *e)
{
    struct otlp_span span;
    *holds_out = scan->verdicts[row] == TRACEQL_MAY_HOLD;
    if (scan->verdicts[row] != TRACEQL_OPEN) {
        return 0;
    }
    struct arena_mark mark = arena_mark(&scan->arena);
    int status = span_page_spans(scan->page.page, row, 1, &scan->arena, &span);
    if (status == 0) {
        struct traceql_subject subject = {.span = &span};
        *holds_out = traceql_expr_holds(&subject, scan->query->stages->spanset->expr);
        scan->verdicts[row] = *holds_out ? TRACEQL_MAY_HOLD : TRACEQL_MAY_FAIL;
    }
    arena_rewind(&scan->arena, mark);
    return tell(status, e);
}

/* In order, and none twice: else the view has to sort them out. */
static bool is_ordered(const struct otlp_span *spans, uint32_t count)
{
    bool ordered = true;
    for (uint32_t i = 1; i < count && ordered; i++) {
        const struct span *a = &spans[i - 1].span, *b = &spans[i].span;
        ordered =
            a->start_ns < b->start_ns || (a->start_ns == b->start_ns && a->span_id < b->span_id);
    }
    return ordered;
}

/* A trace of which no other page has spans: 1 when they are in order, else 0. */
static int read_from_page(struct traceql_scan *scan, const struct span_page_trace *t,
    struct arena *arena, struct span_trace *trace_out)
{
    struct otlp_span *spans = arena_alloc(arena, t->count * sizeof(*spans));
    int status = spans == NULL ? arena_error(arena)
                               : span_page_spans(scan->page.page, t->first, t->count, arena, spans);
    *trace_out = (struct span_trace){.spans = spans, .count = t->count};
    return status != 0 ? status : is_ordered(spans, t->count);
}

/* Puts the trace together, and evaluates it. */
static int evaluate_whole(struct traceql_scan *scan, const struct span_page_trace *t, bool alone,
    struct arena *arena, struct trace_tree *tree_out, struct traceql_sets *sets_out, struct err *e)
{
    struct span_trace trace;
    int status = alone ? read_from_page(scan, t, arena, &trace) : 0;
    if (status == 0) {
        status = trace_reader_read(&scan->reader, t->id, arena, &trace, e);
    } else {
        status = status == 1 ? 0 : status;
    }
    status = status == 0 ? trace_budget_spend(scan->budget, trace.count, e) : status;
    status = status == 0 ? trace_tree_build(&trace, arena, tree_out) : status;
    return status == 0 ? traceql_evaluate(scan->query, tree_out, arena, sets_out) : status;
}

int traceql_scan_trace(struct traceql_scan *scan, const struct span_page_trace *t,
    struct arena *arena, struct trace_tree *tree_out, struct traceql_sets *sets_out, struct err *e)
{
    int status = trace_id_set_add(&scan->whole, t->id);
    if (status == ERR_LIMIT) {
        return err_set(
            e, status, -1, "more than %zu traces would have to be put together", TRACE_ID_SET_MAX);
    }
    if (status != 1) {
        return tell(status, e);
    }
    scan->traces_seen++;
    bool alone = span_pages_alone(scan->pages, t->id);
    status = alone ? traceql_inplace_may_match(&scan->inplace, t) : 1;
    if (status == 0) {
        *sets_out = (struct traceql_sets){.count = 0};
        return 1;
    }
    if (status == 1) {
        status = alone && !scan->whole_spans
                     ? traceql_inplace_decide(&scan->inplace, t, arena, tree_out, sets_out)
                     : 0;
    }
    if (status == 0) {
        status = evaluate_whole(scan, t, alone, arena, tree_out, sets_out, e);
        status = status == 0 ? 1 : status;
    }
    return tell(status, e);
}
