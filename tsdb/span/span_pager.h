/* The pager: takes spans one by one and turns them into the bytes of a page. One thread at a time.
 *
 * The struct is open to span_pager.c, which collects, and span_page_write.c, which encodes. */
#ifndef SONDE_TSDB_SPAN_PAGER_H
#define SONDE_TSDB_SPAN_PAGER_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "tsdb/span_page.h"

/* A span: where its bytes are, and what it is sorted by. */
struct span_pager_row {
    struct trace_id trace_id;
    uint64_t start_ns, end_ns;
    uint64_t trace_start_ns; /* of the first span of its trace; set by span_pager_sort */
    uint64_t span_id;
    const char *raw;
    uint32_t size, number;    /* of bytes; in the order of coming */
    uint16_t resource, scope; /* at most one of each a row */
};

/* Different messages, each once; the index of one is its number in the page. */
struct span_pager_pool {
    struct span_pager_message {
        uint64_t hash;
        struct str message, schema_url;
    } * items;
    size_t count, cap;
    uint16_t last;   /* index of the one that was added last: the next span often has it, too */
    uint16_t *slots; /* open addressing: index + 1, 0 = free; twice SPAN_PAGE_ROWS_MAX of them */
    struct span_pager_known {
        const char *message;
        uint16_t index;
    } * known; /* of borrowed messages, by address; NULL while none is */
};

struct span_pager {
    struct arena copies;
    size_t bytes; /* of spans and messages */
    struct span_pager_row *rows;
    size_t row_count, row_cap;
    struct span_pager_pool resources, scopes;
    bool
        in_order; /* spans are added in the order of a page (span_pager_sort): they need no sorting */
};

int span_pager_new(struct span_pager **pager_out);
void span_pager_free(struct span_pager *pager);
/* Copies the span's bytes (raw, resource_raw, scope_raw, which must be there). ERR_LIMIT when the page is
 * full, or for a span that would not fit into any (SPAN_PAGE_BYTES_MAX); ERR_NOMEM. On error nothing has
 * changed. */
int span_pager_add(struct span_pager *pager, const struct otlp_span *span);
/* The same without copying: what is borrowed stays where it is, unchanged, until the pager is reset, and
 * resources and scopes at one address are one. */
int span_pager_borrow(struct span_pager *pager, const struct otlp_span *span);
size_t span_pager_rows(const struct span_pager *pager);
/* Bytes that its spans take here. */
size_t span_pager_bytes(const struct span_pager *pager);
/* What others need to know of a page that was written, without reading it. */
struct span_page_made {
    struct span_page_info info;
    struct strbuf bloom;  /* of its traces (trace_bloom.h) */
    struct strbuf filter; /* of its values (value_filter.h); empty for a page in memory */
};

/* Appends the page of all spans so far to `out`; there is at least one. `level` is zstd's, 0 = stored as
 * they are, for a page that lives a second. The filters are appended. Any number of threads, while
 * none adds. */
int span_pager_write(
    const struct span_pager *pager, int level, struct strbuf *out, struct span_page_made *made_out);
/* Forgets its spans. */
void span_pager_reset(struct span_pager *pager);
/* Nothing will be added: gives back what only adding needs. */
void span_pager_end(struct span_pager *pager);

/* Puts rows in the order of the page: traces by their first start, then id; spans by start. */
void span_pager_sort(struct span_pager_row *rows, size_t count);
/* Of rows in order: where each trace starts, and how many there are. */
uint32_t span_pager_find_traces(struct span_pager_row *rows, size_t count);

#endif
