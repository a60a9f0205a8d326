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

static struct span_source *make(uint32_t pages)
{
    struct span_source *s = mem_calloc(1, sizeof(*s));
    struct span_kept *kept = mem_calloc(pages, sizeof(*kept));
    atomic_bool *damaged = mem_calloc(pages, sizeof(*damaged));
    if (s == NULL || kept == NULL || damaged == NULL) {
        mem_free(damaged);
        mem_free(kept);
        mem_free(s);
        s = NULL;
    } else {
        s->kept = kept;
        s->damaged = damaged;
        atomic_init(&s->references, 1);
        atomic_init(&s->remove, false);
        atomic_init(&s->made, NULL);
        atomic_init(&s->traces, NULL);
    }
    return s;
}

int span_source_of_pager(struct span_pager *pager, struct span_source **source_out)
{
    struct span_source *s = make(1);
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
    struct span_source *s = make(block->page_count);
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
    if (source->forget != NULL) {
        source->forget(source);
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
    mem_free(atomic_load(&source->traces));
    mem_free(source->damaged);
    mem_free(source->kept);
    mem_free(source);
}

bool span_source_note_damage(const struct span_source *source, uint32_t page)
{
    return !atomic_exchange(&source->damaged[page], true);
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

int span_source_open(const struct span_source *source, uint32_t number,
    struct span_unpacker *unpacker, struct span_page **page_out, struct err *e)
{
    const struct span_block *block = source->block;
    struct err local = ERR_INIT;
    int status;
    if (block != NULL) {
        const struct span_block_page *p = &block->pages[number];
        const struct span_page_place place = {block->fs, block->file, p->offset, p->size};
        status = span_page_open_at(&place, unpacker, page_out, &local);
    } else {
        const struct memory_page *made = atomic_load_explicit(&source->made, memory_order_acquire);
        status = span_page_open(strbuf_str(&made->bytes), page_out, &local);
    }
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s: page %u: %s",
                     block != NULL ? block->path : "spans in memory", number, local.message);
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
