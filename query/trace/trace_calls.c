#include "trace/trace_calls.h"

#include <string.h>

#include "trace/traceql_scan.h"

struct calls {
    struct arena *arena;
    struct trace_call *items; /* TRACE_CALLS_MAX, in order */
    size_t count;
};

static int keep(struct arena *arena, struct str *text)
{
    text->ptr = arena_strndup(arena, text->len > 0 ? text->ptr : "", text->len);
    return text->ptr == NULL ? arena_error(arena) : 0;
}

static int add(struct calls *c, struct str parent, struct str child, bool failed)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct trace_call *at = &c->items[middle];
        int order = str_cmp(at->parent, parent);
        order = order != 0 ? order : str_cmp(at->child, child);
        if (order == 0) {
            at->count++;
            at->errors += failed;
            return 0;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (c->count == TRACE_CALLS_MAX) {
        return ERR_LIMIT;
    }
    int status = keep(c->arena, &parent);
    status = status == 0 ? keep(c->arena, &child) : status;
    if (status == 0) {
        memmove(&c->items[low + 1], &c->items[low], (c->count - low) * sizeof(*c->items));
        c->items[low] = (struct trace_call){parent, child, 1, failed};
        c->count++;
    }
    return status;
}

static int add_trace(struct calls *c, const struct trace_tree *tree)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < tree->count; i++) {
        if (tree->parents[i] == TRACE_TREE_NONE) {
            continue;
        }
        struct str child = span_resource_service(tree->spans[i].resource);
        struct str parent = span_resource_service(tree->spans[tree->parents[i]].resource);
        if (!str_eq(parent, child)) {
            status = add(c, parent, child, tree->spans[i].span.status == SPAN_STATUS_ERROR);
        }
    }
    return status;
}

static int add_page(struct calls *c, struct traceql_scan *scan, struct err *e)
{
    int status = 0;
    for (uint32_t t = 0; status == 0 && t < scan->trace_count; t++) {
        const struct span_page_trace *trace = &scan->traces[t];
        uint8_t any = 0;
        for (uint32_t row = trace->first; row < trace->first + trace->count; row++) {
            any |= scan->verdicts[row];
        }
        if ((any & TRACEQL_MAY_HOLD) == 0 || scan->traces_seen >= TRACE_CALLS_TRACES_MAX) {
            continue;
        }
        struct arena arena;
        struct trace_tree tree;
        struct traceql_sets sets;
        arena_init(&arena, TRACE_BUDGET_BYTES_MAX);
        status = traceql_scan_trace(scan, trace, &arena, &tree, &sets, e);
        status = status == 1 ? add_trace(c, &tree) : status;
        arena_release(&arena);
    }
    return status;
}

int trace_calls(struct span_view *view, uint64_t start_ns, uint64_t end_ns,
    struct trace_budget *budget, struct arena *arena, struct trace_calls *calls_out, struct err *e)
{
    struct traceql_scan scan = {0};
    struct calls c = {.arena = arena};
    const struct traceql_query *all;
    c.items = arena_alloc(arena, TRACE_CALLS_MAX * sizeof(*c.items));
    int status = c.items == NULL ? arena_error(arena) : traceql_parse(STR("{}"), arena, &all, e);
    status =
        status == 0 ? traceql_scan_open(&scan, view, all, start_ns, end_ns, budget, e) : status;
    scan.whole_spans = true; /* their resources say which service it is */
    while (status == 0 && scan.traces_seen < TRACE_CALLS_TRACES_MAX &&
           (status = traceql_scan_next(&scan, 0, e)) == 1) {
        status = add_page(&c, &scan, e);
    }
    traceql_scan_close(&scan);
    *calls_out = (struct trace_calls){c.items, c.count, scan.traces_seen >= TRACE_CALLS_TRACES_MAX};
    if (status < 0 && e->code == 0) {
        (void)err_set(e, status, -1, "%s",
            status == ERR_LIMIT ? "more pairs of services than can be told" : err_text(status));
    }
    return status < 0 ? status : 0;
}
