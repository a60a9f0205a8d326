/* A list that is searched from end to end; see the header. */
#include "support/span_list.h"

#include <stdlib.h>

#include "base/mem.h"
#include "support/support.h"
#include "tsdb/span_page.h"

void span_list_add(struct span_list *list, struct str message)
{
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, message, NULL), 0);
    while (otlp_traces_next(walker, &span) == 1) {
        assert_int_equal(mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
                             sizeof(*list->items), 1 << 24),
            0);
        struct known_span *k = &list->items[list->count++];
        *k = (struct known_span){.trace = span.span.trace_id,
            .span_id = span.span.span_id,
            .start_ns = span.span.start_ns};
        strbuf_init(&k->bytes, 1 << 20);
        otlp_span_encode(&span.span, &k->bytes);
        strbuf_add_str(&k->bytes, span.resource_raw);
        strbuf_add_str(&k->bytes, span.scope_raw);
    }
    otlp_traces_free(walker);
}

static int by_trace(const void *left, const void *right)
{
    const struct known_span *a = left, *b = right;
    int order = trace_id_cmp(a->trace, b->trace);
    return order != 0 ? order : a->span_id < b->span_id ? -1 : a->span_id > b->span_id;
}

void span_list_release(struct span_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        strbuf_release(&list->items[i].bytes);
    }
    mem_free(list->items);
}

static void check_span(
    const struct span_list *list, size_t first, size_t end, const struct otlp_span *span)
{
    struct strbuf bytes = STRBUF_INIT;
    otlp_span_encode(&span->span, &bytes);
    strbuf_add_str(&bytes, span->resource_raw);
    strbuf_add_str(&bytes, span->scope_raw);
    bool found = false;
    for (size_t i = first; i < end && !found; i++) {
        found = str_eq(strbuf_str(&bytes), strbuf_str(&list->items[i].bytes));
    }
    assert_true(found);
    strbuf_release(&bytes);
}

void span_list_check(struct span_store *store, struct span_list *list, size_t step)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    const char *const *warnings;
    qsort(list->items, list->count, sizeof(*list->items), by_trace);
    assert_int_equal(span_store_view(store, &view, &e), 0);
    size_t number = 0;
    for (size_t first = 0, end = 0; first < list->count; first = end) {
        while (end < list->count && trace_id_eq(list->items[end].trace, list->items[first].trace)) {
            end++;
        }
        if (number++ % step != 0) {
            continue;
        }
        struct arena arena;
        struct span_trace trace;
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, list->items[first].trace, &arena, &trace, &e), 0);
        if (trace.count != end - first) {
            fail_msg("trace %zu: %zu spans, not %zu", number, trace.count, end - first);
        }
        for (size_t i = 0; i < trace.count; i++) {
            check_span(list, first, end, &trace.spans[i]);
            assert_true(i == 0 || trace.spans[i - 1].span.start_ns <= trace.spans[i].span.start_ns);
        }
        arena_release(&arena);
    }
    assert_int_equal(span_view_warnings(view, &warnings), 0);
    span_view_close(view);
}

/* A trace that is alone in its page is whole there; the same is seen by another view of the same pages. */
static void check_alone(
    const struct span_view *view, struct span_pages *pages, struct span_page *page)
{
    const struct span_page_trace *traces;
    uint32_t count = span_page_info(page).traces;
    assert_int_equal(span_page_traces(page, &traces), 0);
    for (uint32_t i = 0; i < count; i += 1 + count / 2) {
        struct span_view *again = NULL;
        struct arena arena;
        struct span_trace trace;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(span_view_again(view, &again, &e), 0);
        assert_int_equal(span_view_trace(again, traces[i].id, &arena, &trace, &e), 0);
        assert_true(trace.count > 0);
        if (span_pages_alone(pages, traces[i].id)) {
            assert_int_equal(trace.count, traces[i].count);
        }
        arena_release(&arena);
        span_view_close(again);
    }
}

uint64_t span_list_count_pages(struct span_store *store)
{
    struct span_view *view = NULL;
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    uint64_t latest, before = UINT64_MAX, count = 0;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    assert_int_equal(span_view_pages(view, 0, UINT64_MAX, &pages, &e), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        assert_true(latest <= before && span_page_info(page).start_max_ns == latest);
        before = latest;
        count += span_page_info(page).rows;
        check_alone(view, pages, page);
    }
    span_pages_close(pages);
    span_view_close(view);
    return count;
}
