/* Where spans are: a block on disk, or a pager in memory, which becomes a page when somebody wants to read
 * it. Immutable and shared: views and merges hold references. */
#ifndef SONDE_TSDB_SPAN_SOURCE_H
#define SONDE_TSDB_SPAN_SOURCE_H

#include <stdatomic.h>

#include "span/span_block.h"
#include "span/span_pager.h"

struct span_source {
    atomic_uint references;
    uint64_t number;                    /* the block's name; 0: in memory */
    struct span_block *block;           /* NULL: in memory */
    struct span_pager *pager;           /* in memory: nothing is added any more */
    _Atomic(struct memory_page *) made; /* its page; NULL: not wanted yet */
    atomic_bool remove;                 /* the file goes when nobody reads it any more */
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
/* An open page, with the memory its bytes are in. */
struct span_open_page {
    struct span_page *page;
    struct strbuf bytes;
};
int span_source_open(const struct span_source *source, uint32_t page,
    struct span_open_page *page_out, struct err *e);
void span_open_page_close(struct span_open_page *page);

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
