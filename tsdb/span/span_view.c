/* What there is at one moment: references to pages, and what is read through them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "span/span_block_traces.h"
#include "span/span_store_private.h"
#include "span/trace_bloom.h"
#include "span/value_filter.h"

enum { WARNINGS_MAX = 16, OPENED_MAX = 1 << 16 };

struct span_view {
    struct span_store *store;
    struct span_sources sources;
    struct span_unpacker unpacker;
    uint64_t reader; /* its number for the cache of pages */
    /* Pages that traces were read from: their texts live as long as the view, and the next trace is often in
     * one of them. */
    struct opened_page {
        struct span_source *source;
        uint32_t number;
        struct span_page *page;
    } * opened;
    size_t opened_count, opened_cap;
    struct arena arena; /* warnings */
    const char *warnings[WARNINGS_MAX];
    size_t warning_count;
};

/* Makes pages of what is in memory: with no lock held, and once for each, whoever looks first. */
static int make_pages(struct span_view *v)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < v->sources.count; i++) {
        status = span_source_make_page(v->sources.items[i]);
    }
    return status;
}

static struct span_view *make_view(struct span_store *store, uint64_t reader)
{
    struct span_view *v = mem_calloc(1, sizeof(*v));
    if (v != NULL) {
        v->store = store;
        v->reader = reader;
        span_unpacker_init(&v->unpacker);
        v->unpacker.resources = &store->resources;
        arena_init(&v->arena, 0);
    }
    return v;
}

int span_store_view(struct span_store *store, struct span_view **view_out, struct err *e)
{
    struct span_view *v = make_view(store, span_page_cache_reader(&store->pages));
    if (v == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    lock_take(&store->writing);
    int status =
        span_store_end_page(store); /* what has come is a page of its own, never made again */
    lock_take(&store->list);
    status = status == 0 ? span_sources_add_all(&v->sources, &store->blocks) : status;
    status = status == 0 ? span_sources_add_all(&v->sources, &store->sealing) : status;
    status = status == 0 ? span_sources_add_all(&v->sources, &store->head) : status;
    lock_give(&store->list);
    lock_give(&store->writing);
    status = status == 0 ? make_pages(v) : status;
    if (status != 0) {
        span_view_close(v);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    *view_out = v;
    return 0;
}

int span_view_again(const struct span_view *view, struct span_view **view_out, struct err *e)
{
    struct span_view *v = make_view(view->store, view->reader);
    int status = v == NULL ? ERR_NOMEM : span_sources_add_all(&v->sources, &view->sources);
    if (status != 0) {
        span_view_close(v);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    *view_out = v;
    return 0;
}

void span_view_close(struct span_view *view)
{
    if (view == NULL) {
        return;
    }
    for (size_t i = 0; i < view->opened_count; i++) {
        struct opened_page *p = &view->opened[i];
        span_page_cache_give(&view->store->pages, p->source, p->number, view->reader, p->page);
    }
    mem_free(view->opened);
    span_sources_release(&view->sources);
    span_unpacker_release(&view->unpacker);
    arena_release(&view->arena);
    mem_free(view);
}

size_t span_view_open_pages(const struct span_view *view)
{
    return view->opened_count;
}

size_t span_view_warnings(const struct span_view *view, const char *const **sentences_out)
{
    *sentences_out = view->warnings;
    return view->warning_count;
}

/* 0 when the rest may be answered without it, else the status. */
static int note_damage(
    struct span_view *v, const struct span_source *source, uint32_t page, int status, struct err *e)
{
    if (status != ERR_CORRUPT && status != ERR_INVALID) {
        return status;
    }
    if (e->message[0] == '\0') { /* of a section: the page could be opened */
        (void)err_set(e, status, -1, "%s: page %u: some of its spans cannot be read",
            source->block != NULL ? source->block->path : "spans in memory", page);
    }
    if (span_source_note_damage(source, page)) {
        LOG_ERROR("spans: a page is damaged", LOG_S("error", e->message));
        lock_take(&v->store->list);
        v->store->damaged_pages++;
        lock_give(&v->store->list);
    }
    if (v->warning_count < WARNINGS_MAX) {
        char *sentence = arena_strndup(&v->arena, e->message, strlen(e->message));
        if (sentence == NULL) {
            return ERR_NOMEM;
        }
        v->warnings[v->warning_count++] = sentence;
    }
    return 0;
}

/* ---- A trace ---- */

struct collected {
    struct otlp_span *spans;
    size_t count, cap;
    uint64_t left_out;
};

/* Resources and scopes are numbered by page: the number of the page makes them differ. */
static void renumber(struct otlp_span *spans, size_t count, uint64_t page)
{
    for (size_t i = 0; i < count; i++) {
        spans[i].resource_number += page << 32;
        spans[i].scope_number += page << 32;
    }
}

/* A page that was opened, or is; it stays open when it has the trace: 1 and where. */
static int find_in_page(struct span_view *v, struct span_source *source, uint32_t number,
    struct trace_id id, size_t *opened_out, struct span_page_trace *found_out, struct err *e)
{
    struct opened_page *p = v->opened;
    for (; p < v->opened + v->opened_count; p++) {
        if (p->source == source && p->number == number) {
            *opened_out = (size_t)(p - v->opened);
            return span_page_find(p->page, id, found_out);
        }
    }
    int status = mem_array_grow(
        (void **)&v->opened, &v->opened_cap, v->opened_count + 1, sizeof(*v->opened), OPENED_MAX);
    if (status != 0) {
        return status;
    }
    p = &v->opened[v->opened_count];
    *p = (struct opened_page){.source = source, .number = number};
    status = span_page_cache_take(&v->store->pages, source, number, &v->unpacker, &p->page, e);
    if (status != 0) {
        return status;
    }
    int any = span_page_find(p->page, id, found_out);
    if (any != 1) {
        span_page_cache_give(&v->store->pages, source, number, v->reader, p->page);
        return any;
    }
    *opened_out = v->opened_count++;
    return 1;
}

static int collect_page(struct span_view *v, struct span_source *source, uint32_t number,
    struct trace_id id, struct arena *arena, struct collected *all, struct err *e)
{
    struct span_page_trace found;
    size_t opened = 0;
    int any = find_in_page(v, source, number, id, &opened, &found, e);
    if (any != 1) {
        return any;
    }
    if (found.count > SPAN_TRACE_SPANS_MAX - all->count) {
        all->left_out += found.count;
        return 0;
    }
    int status = mem_array_grow((void **)&all->spans, &all->cap, all->count + found.count,
        sizeof(*all->spans), SPAN_TRACE_SPANS_MAX);
    if (status == 0) {
        status = span_page_spans(
            v->opened[opened].page, found.first, found.count, arena, all->spans + all->count);
    }
    if (status == 0) {
        renumber(all->spans + all->count, found.count, opened + 1);
        all->count += found.count;
    }
    return status;
}

static int collect(struct span_view *v, struct trace_id id, struct arena *arena,
    struct collected *all, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < v->sources.count; i++) {
        struct span_source *source = v->sources.items[i];
        for (uint32_t p = 0; status == 0 && p < span_source_pages(source); p++) {
            struct err why = ERR_INIT;
            if (!trace_bloom_has(span_source_page(source, p)->bloom, id)) {
                continue;
            }
            status = collect_page(v, source, p, id, arena, all, &why);
            if (status != 0) {
                status = note_damage(v, source, p, status, &why);
                if (status != 0) {
                    (void)err_set(e, status, -1, "%s", why.message);
                }
            }
        }
    }
    return status;
}

int span_view_trace(struct span_view *view, struct trace_id id, struct arena *arena,
    struct span_trace *trace_out, struct err *e)
{
    struct collected all = {0};
    struct otlp_span *spans = NULL;
    int status = collect(view, id, arena, &all, e);
    status = status == 0 ? span_gather_order(all.spans, all.count, &all.count) : status;
    if (status == 0) {
        spans = arena_dup(arena, all.spans, all.count * sizeof(*spans));
        status = spans == NULL ? arena_error(arena) : 0;
    }
    mem_free(all.spans);
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    *trace_out = (struct span_trace){spans, all.count, all.left_out};
    return 0;
}

/* ---- Pages for a search ---- */

struct page_of_view {
    struct span_source *source;
    uint32_t page;
    uint64_t latest_ns;
};

/* A value that spans have to have, as it may be stored. */
struct want {
    uint64_t text, integer, other;
    bool may_be_integer;
};

struct span_pages {
    struct span_view *view;
    struct page_of_view *items;
    size_t count, next;
    struct span_page *open; /* that of the item before `next`; NULL: none is in hand */
    struct want wants[SPAN_WANTS_MAX];
    size_t want_count;
    struct strbuf filter;          /* of the page that is being looked at */
    unsigned tried, skipped, pass; /* filters of late; pages to come whose filters are not asked */
};

static int newest_first(const void *left, const void *right)
{
    const struct page_of_view *a = left, *b = right;
    return a->latest_ns > b->latest_ns ? -1 : a->latest_ns < b->latest_ns;
}

int span_view_pages(struct span_view *view, uint64_t start_ns, uint64_t end_ns,
    struct span_pages **pages_out, struct err *e)
{
    struct span_pages *pages = mem_calloc(1, sizeof(*pages));
    size_t total = 0;
    for (size_t i = 0; i < view->sources.count; i++) {
        total += span_source_pages(view->sources.items[i]);
    }
    struct page_of_view *items = mem_calloc(total, sizeof(*items));
    if (pages == NULL || items == NULL) {
        mem_free(pages);
        mem_free(items);
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    pages->view = view;
    pages->items = items;
    strbuf_init(&pages->filter, (size_t)1 << 30);
    for (size_t i = 0; i < view->sources.count; i++) {
        struct span_source *source = view->sources.items[i];
        for (uint32_t p = 0; p < span_source_pages(source); p++) {
            const struct span_page_info *info = &span_source_page(source, p)->info;
            if (info->start_min_ns <= end_ns && info->start_max_ns >= start_ns) {
                items[pages->count++] = (struct page_of_view){source, p, info->start_max_ns};
            }
        }
    }
    qsort(items, pages->count, sizeof(*items), newest_first);
    *pages_out = pages;
    return 0;
}

int span_pages_want(struct span_pages *pages, struct str key, struct str text)
{
    int64_t integer = 0;
    uint64_t hash = value_filter_key(key);
    if (pages->want_count == SPAN_WANTS_MAX) {
        return ERR_LIMIT;
    }
    bool may_be_integer = str_to_i64(text, &integer) == 0;
    pages->wants[pages->want_count++] = (struct want){.text = value_filter_text(hash, text),
        .integer = value_filter_integer(hash, integer),
        .other = value_filter_other(hash),
        .may_be_integer = may_be_integer};
    return 0;
}

/* Reading filters is paid for by pages that are skipped: where less than one of eight is, the next pages come
 * without being asked, then it is tried again. */
enum { TRIED_FILTERS = 32, PASSED_FILTERS = 96 };

static bool is_worth_asking(struct span_pages *pages)
{
    if (pages->tried == TRIED_FILTERS) {
        pages->pass = pages->skipped < TRIED_FILTERS / 8 ? PASSED_FILTERS : 0;
        pages->tried = 0;
        pages->skipped = 0;
    }
    if (pages->pass > 0) {
        pages->pass--;
        return false;
    }
    return true;
}

/* Has the page surely none of what is wanted? A filter that cannot be read says nothing. */
static bool is_unwanted(struct span_pages *pages, const struct page_of_view *item)
{
    struct str bits;
    bool unwanted = false;
    if (pages->want_count == 0 || item->source->block == NULL || !is_worth_asking(pages) ||
        span_block_read_filter(item->source->block, item->page, &pages->filter, &bits) != 0) {
        return false;
    }
    for (size_t i = 0; i < pages->want_count && !unwanted; i++) {
        const struct want *w = &pages->wants[i];
        unwanted = !value_filter_has(bits, w->text) && !value_filter_has(bits, w->other) &&
                   !(w->may_be_integer && value_filter_has(bits, w->integer));
    }
    pages->tried++;
    pages->skipped += unwanted;
    return unwanted;
}

static void give_back(struct span_pages *pages)
{
    if (pages->open != NULL) {
        const struct page_of_view *item = &pages->items[pages->next - 1];
        span_page_cache_give(
            &pages->view->store->pages, item->source, item->page, pages->view->reader, pages->open);
        pages->open = NULL;
    }
}

int span_pages_next(struct span_pages *pages, struct span_page **page_out, uint64_t *latest_out)
{
    give_back(pages);
    while (pages->next < pages->count) {
        const struct page_of_view *item = &pages->items[pages->next++];
        if (is_unwanted(pages, item)) {
            continue;
        }
        struct err e = ERR_INIT;
        int status = span_page_cache_take(&pages->view->store->pages, item->source, item->page,
            &pages->view->unpacker, &pages->open, &e);
        if (status == 0) {
            *page_out = pages->open;
            *latest_out = item->latest_ns;
            return 1;
        }
        status = note_damage(pages->view, item->source, item->page, status, &e);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Of the block that the page is of: a trace's pages follow each other there. */
static bool has_neighbour(const struct page_of_view *in_hand, struct trace_id id)
{
    const struct span_source *source = in_hand->source;
    uint32_t page = in_hand->page, pages = span_source_pages(source);
    return (page > 0 && trace_bloom_has(span_source_page(source, page - 1)->bloom, id)) ||
           (page + 1 < pages && trace_bloom_has(span_source_page(source, page + 1)->bloom, id));
}

bool span_pages_alone(const struct span_pages *pages, struct trace_id id)
{
    const struct page_of_view *in_hand = &pages->items[pages->next - 1];
    const struct span_sources *sources = &pages->view->sources;
    bool alone = !has_neighbour(in_hand, id);
    for (size_t i = 0; i < sources->count && alone; i++) {
        struct span_source *source = sources->items[i];
        alone = source == in_hand->source ||
                (source->block != NULL ? !span_block_may_have(source, id, &pages->view->unpacker)
                                       : !trace_bloom_has(span_source_page(source, 0)->bloom, id));
    }
    return alone;
}

void span_pages_close(struct span_pages *pages)
{
    if (pages != NULL) {
        give_back(pages);
        strbuf_release(&pages->filter);
        mem_free(pages->items);
        mem_free(pages);
    }
}
