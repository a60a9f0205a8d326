/* Candidates of a page are looked at from the latest on, and only as long as one can still be among the newest: a
 * search for twenty traces puts little more than twenty together, however many match. */
#include "trace/traceql_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct newest {
    struct trace_hit *items; /* newest first */
    size_t count, limit;
};

/* What starts earlier cannot be among them. */
static uint64_t floor_of(const struct newest *n)
{
    return n->count == n->limit ? n->items[n->count - 1].start_ns : 0;
}

static int newer(const struct trace_hit *a, const struct trace_hit *b)
{
    return a->start_ns != b->start_ns ? (a->start_ns > b->start_ns ? -1 : 1)
                                      : trace_id_cmp(a->id, b->id);
}

/* Each trace once, with its latest time. */
static void add(struct newest *n, struct trace_hit hit)
{
    size_t at = 0, same = n->count;
    for (size_t i = 0; i < n->count && same == n->count; i++) {
        same = trace_id_eq(n->items[i].id, hit.id) ? i : same;
    }
    if (same < n->count && n->items[same].start_ns >= hit.start_ns) {
        return;
    }
    if (same == n->count) {
        if (n->count == n->limit && newer(&n->items[n->count - 1], &hit) < 0) {
            return;
        }
        n->count += n->count < n->limit;
        same = n->count - 1; /* the place that is taken away */
    }
    while (at < same && newer(&n->items[at], &hit) < 0) {
        at++;
    }
    memmove(&n->items[at + 1], &n->items[at], (same - at) * sizeof(*n->items));
    n->items[at] = hit;
}

/* ---- Candidates ---- */

struct candidate {
    const struct span_page_trace *trace;
    uint64_t start_ns; /* of its latest span that may be in the answer */
};

static int latest_first(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    return a->start_ns != b->start_ns ? (a->start_ns > b->start_ns ? -1 : 1)
                                      : trace_id_cmp(a->trace->id, b->trace->id);
}

static uint32_t find_candidates(
    const struct traceql_scan *scan, uint64_t floor_ns, struct candidate *out)
{
    const uint64_t *start = scan->page.columns.start_ns;
    uint32_t count = 0;
    for (uint32_t t = 0; t < scan->trace_count; t++) {
        struct candidate c = {.trace = &scan->traces[t]};
        bool any = false;
        for (uint32_t row = c.trace->first; row < c.trace->first + c.trace->count; row++) {
            if ((scan->verdicts[row] & TRACEQL_MAY_HOLD) != 0 && start[row] >= c.start_ns) {
                c.start_ns = start[row];
                any = true;
            }
        }
        if (any && c.start_ns >= floor_ns) {
            out[count++] = c;
        }
    }
    qsort(out, count, sizeof(*out), latest_first);
    return count;
}

/* The latest of its spans in the page that match. */
static int decide_by_span(
    struct traceql_scan *scan, const struct candidate *c, struct newest *newest, struct err *e)
{
    const uint64_t *start = scan->page.columns.start_ns;
    struct trace_hit hit = {.id = c->trace->id};
    bool any = false;
    for (uint32_t row = c->trace->first; row < c->trace->first + c->trace->count; row++) {
        bool holds = false;
        if ((any && start[row] <= hit.start_ns) || start[row] < floor_of(newest)) {
            continue;
        }
        int status = traceql_scan_row(scan, row, &holds, e);
        if (status != 0) {
            return status;
        }
        if (holds) {
            any = true;
            hit.start_ns = start[row];
        }
    }
    if (any) {
        add(newest, hit);
    }
    return 0;
}

static int decide_by_trace(
    struct traceql_scan *scan, const struct candidate *c, struct newest *newest, struct err *e)
{
    struct arena arena;
    struct trace_tree tree;
    struct traceql_sets sets;
    struct trace_hit hit = {.id = c->trace->id};
    bool any = false;
    arena_init(&arena, TRACE_BUDGET_BYTES_MAX);
    int status = traceql_scan_trace(scan, c->trace, &arena, &tree, &sets, e);
    for (uint32_t i = 0; status == 1 && i < sets.count; i++) {
        for (uint32_t k = 0; k < sets.items[i].count; k++) {
            uint64_t start = tree.spans[sets.items[i].spans[k]].span.start_ns;
            if (start >= scan->start_ns && start <= scan->end_ns && start >= hit.start_ns) {
                any = true;
                hit.start_ns = start;
            }
        }
    }
    if (any) {
        add(newest, hit);
    }
    arena_release(&arena);
    return status < 0 ? status : 0;
}

static int search_page(struct traceql_scan *scan, struct newest *newest, struct err *e)
{
    struct candidate *all =
        arena_alloc(&scan->arena, ((size_t)scan->trace_count + 1) * sizeof(*all));
    if (all == NULL) {
        return err_set(e, arena_error(&scan->arena), -1, "%s", err_text(arena_error(&scan->arena)));
    }
    uint32_t count = find_candidates(scan, floor_of(newest), all);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count && all[i].start_ns >= floor_of(newest); i++) {
        status = scan->exact_by_span ? decide_by_span(scan, &all[i], newest, e)
                                     : decide_by_trace(scan, &all[i], newest, e);
    }
    return status;
}

int traceql_search(struct span_view *view, const struct traceql_query *query, uint64_t start_ns,
    uint64_t end_ns, size_t limit, struct trace_budget *budget, struct arena *arena,
    struct trace_hits *hits_out, struct err *e)
{
    struct traceql_scan scan;
    struct newest newest = {.limit = limit};
    assert(limit > 0 && limit <= TRACE_SEARCH_LIMIT_MAX);
    newest.items = arena_alloc(arena, limit * sizeof(*newest.items));
    if (newest.items == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = traceql_scan_open(&scan, view, query, start_ns, end_ns, budget, e);
    while (status == 0) {
        status = traceql_scan_next(&scan, floor_of(&newest), e);
        if (status != 1) {
            break;
        }
        status = search_page(&scan, &newest, e);
        if (status == ERR_CORRUPT) { /* of a column that only spans need */
            scan.damaged_pages++;
            e->code = 0;
            status = 0;
        }
    }
    if (status == 0) {
        *hits_out = (struct trace_hits){newest.items, newest.count, scan.damaged_pages};
    }
    traceql_scan_close(&scan);
    return status;
}
