/* Sources of pages, by reference. */
#include "span/span_source.h"

#include <string.h>

#include "base/mem.h"
#include "span/trace_bloom.h"

enum { SOURCES_MAX = 1 << 20 };

static struct span_source *make(void)
{
    struct span_source *s = mem_calloc(1, sizeof(*s));
    if (s != NULL) {
        atomic_init(&s->references, 1);
        atomic_init(&s->remove, false);
        strbuf_init(&s->bytes, (size_t)1 << 30);
    }
    return s;
}

int span_source_of_pager(struct span_pager *pager, int compression, struct span_source **source_out)
{
    struct span_source *s = make();
    struct span_page *page = NULL;
    const struct span_page_trace *traces = NULL;
    if (s == NULL) {
        return ERR_NOMEM;
    }
    int status = span_pager_write(pager, compression, &s->bytes);
    status = status == 0 ? span_page_open(strbuf_str(&s->bytes), &page, NULL) : status;
    status = status == 0 ? span_page_traces(page, &traces) : status;
    uint8_t *bloom = NULL;
    if (status == 0) {
        s->page.size = (uint32_t)s->bytes.size;
        s->page.info = span_page_info(page);
        size_t size = trace_bloom_size(s->page.info.traces);
        bloom = mem_calloc(1, size);
        s->page.bloom = str_make((const char *)bloom, size);
        status = bloom == NULL ? ERR_NOMEM : 0;
    }
    for (uint32_t i = 0; status == 0 && i < s->page.info.traces; i++) {
        trace_bloom_add(bloom, s->page.bloom.len, traces[i].id);
    }
    span_page_close(page);
    if (status != 0) {
        span_source_unref(s);
        return status;
    }
    *source_out = s;
    return 0;
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
        mem_free((void *)(uintptr_t)source->page.bloom.ptr);
    }
    strbuf_release(&source->bytes);
    mem_free(source);
}

uint32_t span_source_pages(const struct span_source *source)
{
    return source->block != NULL ? source->block->page_count : 1;
}

const struct span_block_page *span_source_page(const struct span_source *source, uint32_t page)
{
    return source->block != NULL ? &source->block->pages[page] : &source->page;
}

int span_source_open(
    const struct span_source *source, uint32_t page, struct span_open_page *page_out, struct err *e)
{
    struct span_open_page open = {.page = NULL};
    strbuf_init(&open.bytes, (size_t)1 << 30);
    struct str bytes = strbuf_str(&source->bytes);
    int status = 0;
    if (source->block != NULL) {
        status = span_block_read(source->block, page, &open.bytes);
        bytes = strbuf_str(&open.bytes);
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

int span_sources_add(struct span_sources *list, struct span_source *source)
{
    int status = mem_array_grow(
        (void **)&list->items, &list->cap, list->count + 1, sizeof(*list->items), SOURCES_MAX);
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
