/* A plain list of spans, and a store of traces against it: the model of tests of the store. */
#ifndef SONDE_TESTS_SPAN_LIST_H
#define SONDE_TESTS_SPAN_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "tsdb/span_store.h"

struct span_list {
    struct known_span {
        struct trace_id trace;
        uint64_t span_id, start_ns;
        struct strbuf bytes; /* the span, its resource, its scope, encoded */
    } * items;
    size_t count, cap;
};

/* All spans of a message of OTLP. */
void span_list_add(struct span_list *list, struct str message);
void span_list_release(struct span_list *list);
/* Every `step`-th trace of the list, which is sorted here, is in the store: whole, in order, and nothing
 * else of it. */
void span_list_check(struct span_store *store, struct span_list *list, size_t step);
/* Rows of all pages that a search of all times looks at; their latest starts descend. */
uint64_t span_list_count_pages(struct span_store *store);

#endif
