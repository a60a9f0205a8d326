/* Pages come with the latest start first. What a page has is put to what was found, and when the last of
 * the newest `limit` is later than anything a further page can have, the search ends. */
#include "trace/trace_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tsdb/span_page.h"

struct found {
    struct trace_hit *items;
    size_t count, cap;
};

static int by_id(const void *left, const void *right)
{
    const struct trace_hit *a = left, *b = right;
    int order = trace_id_cmp(a->id, b->id);
    return order != 0 ? order : a->start_ns > b->start_ns ? -1 : a->start_ns < b->start_ns;
}

static int newest_first(const void *left, const void *right)
{
    const struct trace_hit *a = left, *b = right;
    return a->start_ns != b->start_ns ? (a->start_ns > b->start_ns ? -1 : 1)
                                      : trace_id_cmp(a->id, b->id);
}

/* Each trace once, with its latest time; the newest `limit`. What is cut off may come again with a later
 * span and then has its full time. */
static void keep_newest(struct found *found, size_t limit)
{
    size_t kept = 0;
    if (found->count == 0) {
        return;
    }
    qsort(found->items, found->count, sizeof(*found->items), by_id);
    for (size_t i = 0; i < found->count; i++) {
        if (kept == 0 || !trace_id_eq(found->items[kept - 1].id, found->items[i].id)) {
            found->items[kept++] = found->items[i];
        }
    }
    qsort(found->items, kept, sizeof(*found->items), newest_first);
    found->count = kept < limit ? kept : limit;
}

static int add_page(struct found *found, struct span_page *page, const uint8_t *matches)
{
    const struct span_page_trace *traces;
    struct span_page_columns columns;
    uint32_t count = span_page_info(page).traces;
    int status = span_page_traces(page, &traces);
    status = status == 0 ? span_page_columns(page, &columns) : status;
    status = status == 0 ? mem_array_grow((void **)&found->items, &found->cap, found->count + count,
                               sizeof(*found->items), TRACE_SEARCH_LIMIT_MAX + SPAN_PAGE_ROWS_MAX)
                         : status;
    for (uint32_t t = 0; status == 0 && t < count; t++) {
        struct trace_hit hit = {.id = traces[t].id};
        bool any = false;
        for (uint32_t row = traces[t].first; row < traces[t].first + traces[t].count; row++) {
            if (matches[row] != 0 && (!any || columns.start_ns[row] > hit.start_ns)) {
                hit.start_ns = columns.start_ns[row];
                any = true;
            }
        }
        if (any) {
            found->items[found->count++] = hit;
        }
    }
    return status;
}

static int search_page(struct found *found, struct span_page *page, const struct trace_query *query)
{
    struct arena scratch;
    uint8_t *matches = NULL;
    uint32_t any = 0;
    arena_init(&scratch, 0);
    int status = trace_filter_page(page, query, &scratch, &matches, &any);
    if (status == 0 && any > 0) {
        status = add_page(found, page, matches);
    }
    arena_release(&scratch);
    return status;
}

/* All pages that may matter. */
static int search_pages(struct found *found, struct span_pages *pages,
    const struct trace_query *query, size_t limit, uint64_t *damaged)
{
    struct span_page *page;
    uint64_t latest;
    int more;
    while ((more = span_pages_next(pages, &page, &latest)) == 1) {
        if (found->count == limit && found->items[limit - 1].start_ns > latest) {
            return 0;
        }
        int status = search_page(found, page, query);
        if (status == ERR_CORRUPT) {
            (*damaged)++;
        } else if (status != 0) {
            return status;
        }
        keep_newest(found, limit);
    }
    return more;
}

int trace_search(struct span_view *view, const struct trace_query *query, size_t limit,
    struct arena *arena, struct trace_hits *hits_out, struct err *e)
{
    struct found found = {0};
    struct span_pages *pages = NULL;
    uint64_t damaged = 0;
    assert(limit > 0 && limit <= TRACE_SEARCH_LIMIT_MAX);
    int status = span_view_pages(view, query->start_ns, query->end_ns, &pages, e);
    if (status != 0) {
        return status;
    }
    status = search_pages(&found, pages, query, limit, &damaged);
    span_pages_close(pages);
    struct trace_hit *hits = NULL;
    if (status == 0) {
        hits = arena_alloc(arena, (found.count + 1) * sizeof(*hits));
        status = hits == NULL ? arena_error(arena) : 0;
    }
    if (status == 0) {
        if (found.count > 0) {
            memcpy(hits, found.items, found.count * sizeof(*hits));
        }
        *hits_out = (struct trace_hits){hits, found.count, damaged};
    }
    mem_free(found.items);
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}
