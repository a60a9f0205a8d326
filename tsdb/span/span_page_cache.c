/* Pages that stay open. */
#include "span/span_page_cache.h"

#include <assert.h>

void span_page_cache_init(struct span_page_cache *cache, size_t bytes_max)
{
    *cache = (struct span_page_cache){.bytes_max = bytes_max};
    lock_init(&cache->lock, LOCK_RANK_LEAF);
}

void span_page_cache_release(struct span_page_cache *cache)
{
    assert(cache->newest == NULL && cache->bytes == 0);
    lock_release(&cache->lock);
}

uint64_t span_page_cache_reader(struct span_page_cache *cache)
{
    lock_take(&cache->lock);
    uint64_t number = ++cache->readers;
    lock_give(&cache->lock);
    return number;
}

/* ---- The list, with the lock held ---- */

static void link_newest(struct span_page_cache *cache, struct span_kept *kept)
{
    kept->older = cache->newest;
    kept->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = kept;
    cache->newest = kept;
    cache->bytes += kept->bytes;
}

/* Its page, which is no longer kept. */
static struct span_page *unlink_kept(struct span_page_cache *cache, struct span_kept *kept)
{
    struct span_page *page = kept->page;
    *(kept->newer != NULL ? &kept->newer->older : &cache->newest) = kept->older;
    *(kept->older != NULL ? &kept->older->newer : &cache->oldest) = kept->newer;
    cache->bytes -= kept->bytes;
    kept->page = NULL;
    return page;
}

/* One that has to go, to be closed when the lock is free; NULL: none has to. */
static struct span_page *drop_one(struct span_page_cache *cache, uint64_t reader)
{
    if (cache->bytes <= cache->bytes_max) {
        return NULL;
    }
    bool others = cache->oldest->reader < reader;
    return unlink_kept(cache, others ? cache->oldest : cache->newest);
}

/* ---- Pages ---- */

/* The source goes: nobody holds a page of it. */
static void forget(struct span_source *source)
{
    struct span_page_cache *cache = source->cache;
    for (uint32_t i = 0; i < span_source_pages(source); i++) {
        struct span_page *page = NULL;
        lock_take(&cache->lock);
        if (source->kept[i].page != NULL) {
            page = unlink_kept(cache, &source->kept[i]);
        }
        lock_give(&cache->lock);
        span_page_close(page);
    }
}

int span_page_cache_take(struct span_page_cache *cache, struct span_source *source, uint32_t number,
    struct span_unpacker *unpacker, struct span_page **page_out, struct err *e)
{
    struct span_page *page = NULL;
    lock_take(&cache->lock);
    if (source->kept[number].page != NULL) {
        page = unlink_kept(cache, &source->kept[number]);
    }
    lock_give(&cache->lock);
    if (page == NULL) {
        return span_source_open(source, number, unpacker, page_out, e);
    }
    span_page_lend(page, unpacker);
    *page_out = page;
    return 0;
}

void span_page_cache_give(struct span_page_cache *cache, struct span_source *source,
    uint32_t number, uint64_t reader, struct span_page *page)
{
    struct span_kept *kept = &source->kept[number];
    if (page == NULL) {
        return;
    }
    span_page_lend(page, NULL);
    lock_take(&cache->lock);
    if (kept->page == NULL) {
        source->cache = cache;
        source->forget = forget;
        *kept = (struct span_kept){.page = page, .bytes = span_page_memory(page), .reader = reader};
        link_newest(cache, kept);
        page = drop_one(cache, reader);
    }
    while (page != NULL) {
        lock_give(&cache->lock);
        span_page_close(page);
        lock_take(&cache->lock);
        page = drop_one(cache, reader);
    }
    lock_give(&cache->lock);
}
