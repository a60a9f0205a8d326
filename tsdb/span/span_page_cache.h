/* Pages that were read stay open for whoever reads them next, with the columns that were unpacked: most searches
 * ask for the same few columns of the newest pages.
 *
 * A page is one reader's from span_page_cache_take to span_page_cache_give; a second reader of the same page
 * opens it once more. What is kept is bounded in bytes. A view that reads more than fits does not drive out what it
 * read itself: asked again, it finds the first of its pages, where of the least recently used none would be left.
 *
 * Any thread.
 */
#ifndef SONDE_TSDB_SPAN_PAGE_CACHE_H
#define SONDE_TSDB_SPAN_PAGE_CACHE_H

#include "base/lock.h"
#include "span/span_source.h"

struct span_page_cache {
    struct lock lock;                  /* what follows, and `kept` of all sources */
    struct span_kept *newest, *oldest; /* by last use */
    size_t bytes, bytes_max;
    uint64_t readers;
};

void span_page_cache_init(struct span_page_cache *cache, size_t bytes_max);
/* Nothing is kept any more: all sources are gone. */
void span_page_cache_release(struct span_page_cache *cache);

/* A number for a view. */
uint64_t span_page_cache_reader(struct span_page_cache *cache);
/* As span_source_open. */
int span_page_cache_take(struct span_page_cache *cache, struct span_source *source, uint32_t number,
    struct span_unpacker *unpacker, struct span_page **page_out, struct err *e);
/* The page is no longer the caller's; `reader` is the number of its view. Accepts NULL. */
void span_page_cache_give(struct span_page_cache *cache, struct span_source *source,
    uint32_t number, uint64_t reader, struct span_page *page);

#endif
