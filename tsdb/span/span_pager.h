/* The pager from inside: what span_pager.c collects and span_page_write.c encodes. */
#ifndef SONDE_TSDB_SPAN_PAGER_H
#define SONDE_TSDB_SPAN_PAGER_H

#include "span/span_page.h"

/* A span: where its bytes are, and what it is sorted by. */
struct span_pager_row {
    struct trace_id trace_id;
    uint64_t start_ns, end_ns;
    uint64_t trace_start_ns; /* of the first span of its trace; set when rows are put in order */
    uint64_t span_id;
    size_t offset; /* into `bytes` */
    uint32_t size;
    uint16_t resource, scope; /* at most one of each a row */
};

/* Different messages, each once; the index of one is its number in the page. */
struct span_pager_pool {
    struct span_pager_message {
        uint64_t hash;
        size_t offset; /* into `bytes`: the message, then its schema URL */
        uint32_t size, schema_url_size;
    } * items;
    size_t count, cap;
    uint16_t *slots; /* open addressing: index + 1, 0 = free; twice SPAN_PAGE_ROWS_MAX of them */
};

struct span_pager {
    struct strbuf bytes;
    struct span_pager_row *rows;
    size_t row_count, row_cap;
    struct span_pager_pool resources, scopes;
};

/* Puts rows in the order of the page: traces by their first start, then id; spans by start. Returns the
 * number of traces. */
uint32_t span_pager_sort(struct span_pager *pager);

#endif
