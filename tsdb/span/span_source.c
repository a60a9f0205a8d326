/* Sources of pages, by reference. */
#include "span/span_source.h"

#include <string.h>

#include "base/mem.h"

enum { SOURCES_MAX = 1 << 20 };

/* The page of a pager, stored without compression: it lives for minutes. */
struct memory_page {
    struct strbuf bytes;
    struct span_page_made made;
    struct span_block_page page;
};

static struct span_source *make(void)
{
    struct span_source *s = mem_calloc(1, sizeof(*s));
    if (s != NULL) {
        atomic_init(&s->references, 1);
        atomic_init(&s->remove, false);
        atomic_init(&s->made, NULL);
    }
    return s;
}

int span_source_of_pager(struct span_pager *pager, struct span_source **source_out)
{
    struct span_source *s = make();
    if (s == NULL) {
        return ERR_NOMEM;
    }
    span_pager_end(pager);
    s->pager = pager;
    *source_out = s;
    return 0;
}

static void free_page(struct memory_page *page)
{
    if (page != NULL) {
        strbuf_release(&page->bytes);
        strbuf_release(&page->made.bloom);
        strbuf_release(&page->made.filter);
        mem_free(page);
    }
}

/* Two that want it at once make it twice, and one of them is kept: nobody waits with a lock held. */
int span_source_make_page(struct span_source *source)
{
    struct memory_page *none = NULL;
    if (source->block != NULL ||
        atomic_load_explicit(&source->made, memory_order_acquire) != NULL) {
        return 0;
    }
    struct memory_page *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    strbuf_init(&p->bytes, (size_t)1 << 30);
    strbuf_init(&p->made.bloom, (size_t)1 << 30);
    strbuf_init(&p->made.filter, (size_t)1 << 30);
    int status = span_pager_write(source->pager, 0, &p->bytes, &p->made);
    status = status == 0 ? strbuf_error(&p->made.bloom) : status;
    if (status == 0) {
        p->page = (struct span_block_page){.size = (uint32_t)p->bytes.size,
            .info = p->made.info,
            .bloom = strbuf_str(&p->made.bloom)};
    }
    if (status != 0 || !atomic_compare_exchange_strong(&source->made, &none, p)) {
        free_page(p);
    }
    return status;
}

int span_source_of_block(struct span_block *block, uint64_t number, struct span_source **source_out)
{
    struct span_source *s = make();
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->block = block;
    s->number = number;
    *source_out = s;
    return 0;
}

struct span_source *span_source_ref(struct span_source *source)
{
    atomic_fetch_add_explicit(&source->references, 1, memory_order_relaxed);
    return source;
}

void span_source_unref(struct span_source *source)
{
    if (source == NULL ||
        atomic_fetch_sub_explicit(&source->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (source->block != NULL) {
        if (atomic_load(&source->remove)) {
            /* A file that cannot be removed is one that another block replaces or that is too old: the
             * next start finds it. */
            (void)vfs_remove(source->block->fs, source->block->path);
        }
        span_block_close(source->block);
    } else {
        span_pager_free(source->pager);
        free_page(atomic_load(&source->made));
    }
    mem_free(source);
}

uint32_t span_source_pages(const struct span_source *source)
{
    return source->block != NULL ? source->block->page_count : 1;
}

const struct span_block_page *span_source_page(const struct span_source *source, uint32_t page)
{
    if (source->block != NULL) {
        return &source->block->pages[page];
    }
    return &atomic_load_explicit(&source->made, memory_order_acquire)->page;
}

int span_source_open(
    const struct span_source *source, uint32_t page, struct span_open_page *page_out, struct err *e)
{
    struct span_open_page open = {.page = NULL};
    strbuf_init(&open.bytes, (size_t)1 << 30);
    struct str bytes;
    int status = 0;
    if (source->block != NULL) {
        status = span_block_read(source->block, page, &open.bytes);
        bytes = strbuf_str(&open.bytes);
    } else {
        bytes = strbuf_str(&atomic_load_explicit(&source->made, memory_order_acquire)->bytes);
    }
    status = status == 0 ? span_page_open(bytes, &open.page, e) : status;
    if (status != 0) {
        (void)err_set(e, status, -1, "%s: page %u: %s",
            source->block != NULL ? source->block->path : "spans in memory", page,
            err_text(status));
        strbuf_release(&open.bytes);
        return status;
    }
    *page_out = open;
    return 0;
}

void span_open_page_close(struct span_open_page *page)
{
    span_page_close(page->page);
    strbuf_release(&page->bytes);
    page->page = NULL;
}

/* ---- Lists ---- */

int span_sources_reserve(struct span_sources *list)
{
    return mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(*list->items), SOURCES_MAX);
}

int span_sources_add(struct span_sources *list, struct span_source *source)
{
    int status = span_sources_reserve(list);
    if (status == 0) {
        list->items[list->count++] = span_source_ref(source);
    }
    return status;
}

int span_sources_add_all(struct span_sources *list, const struct span_sources *others)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < others->count; i++) {
        status = span_sources_add(list, others->items[i]);
    }
    return status;
}

void span_sources_release(struct span_sources *list)
{
    for (size_t i = 0; i < list->count; i++) {
        span_source_unref(list->items[i]);
    }
    mem_free(list->items);
    *list = (struct span_sources){0};
}
