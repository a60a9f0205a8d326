/* Where spans are: a block on disk, or a pager in memory, which becomes a page when somebody wants to read
 * it. Immutable and shared: views and merges hold references. */
#ifndef SONDE_TSDB_SPAN_SOURCE_H
#define SONDE_TSDB_SPAN_SOURCE_H

#include <stdatomic.h>

#include "span/span_block.h"
#include "span/span_page_private.h"
#include "span/span_pager.h"

/* A page that stays open (span_page_cache.h). */
struct span_kept {
    struct span_page *page; /* NULL: none */
    size_t bytes;
    uint64_t reader; /* the view that used it last */
    struct span_kept *newer, *older;
};

/* Of all traces of a block (span_block_traces.h). */
struct span_traces_filter {
    size_t size;
    uint8_t bits[];
};

struct span_source {
    atomic_uint references;
    uint64_t number;                            /* the block's name; 0: in memory */
    struct span_block *block;                   /* NULL: in memory */
    struct span_pager *pager;                   /* in memory: nothing is added any more */
    _Atomic(struct memory_page *) made;         /* its page; NULL: not wanted yet */
    atomic_bool remove;                         /* the file goes when nobody reads it any more */
    atomic_bool *damaged;                       /* by page: it was noted */
    struct span_kept *kept;                     /* by page; the cache's */
    void (*forget)(struct span_source *source); /* closes what is kept of it; NULL: nothing is */
    struct span_page_cache *cache;
    _Atomic(struct span_traces_filter *) traces; /* NULL: not wanted yet */
};

/* The spans of a pager, which becomes the source's. ERR_NOMEM: it is still the caller's. */
int span_source_of_pager(struct span_pager *pager, struct span_source **source_out);
/* Before pages are asked for: makes the page of what is in memory, once. Any thread. */
int span_source_make_page(struct span_source *source);
/* A block, which becomes the source's. */
int span_source_of_block(
    struct span_block *block, uint64_t number, struct span_source **source_out);
struct span_source *span_source_ref(struct span_source *source);
/* Accepts NULL. */
void span_source_unref(struct span_source *source);

uint32_t span_source_pages(const struct span_source *source);
const struct span_block_page *span_source_page(const struct span_source *source, uint32_t page);
/* A page is damaged: true when nobody had noted it before. */
bool span_source_note_damage(const struct span_source *source, uint32_t page);
/* A page, closed by span_page_close before the source goes; its sections are read when they are asked for, with
 * the unpacker. */
int span_source_open(const struct span_source *source, uint32_t number,
    struct span_unpacker *unpacker, struct span_page **page_out, struct err *e);

/* A list of references. */
struct span_sources {
    struct span_source **items;
    size_t count, cap;
};

/* Room for one more, so that adding cannot fail. */
int span_sources_reserve(struct span_sources *list);
/* Takes a reference of its own. */
int span_sources_add(struct span_sources *list, struct span_source *source);
int span_sources_add_all(struct span_sources *list, const struct span_sources *others);
void span_sources_release(struct span_sources *list);

#endif
