/* The queries of the last while, and which of them cost most: by count, by time, by memory.
 *
 * The last TOP_QUERIES_KEPT queries are remembered, one record each, whatever they asked; equal texts
 * over equally long ranges are one line of the answer.
 */
#ifndef SONDE_QUERY_TOP_QUERIES_H
#define SONDE_QUERY_TOP_QUERIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/str.h"

enum {
    TOP_QUERIES_KEPT = 4096,
    /* Of a text; longer ones are cut. */
    TOP_QUERY_TEXT_MAX = 1024,
};

struct top_query_record {
    int64_t ended_ms;
    int64_t range_s; /* end - start; 0 for an instant query */
    int64_t took_ns;
    uint64_t memory_bytes;
    char *text; /* owned */
    size_t text_size;
};

struct top_queries {
    struct lock lock; /* guards all below */
    struct top_query_record records[TOP_QUERIES_KEPT];
    size_t next;  /* is written next */
    size_t count; /* are there */
};

void top_queries_init(struct top_queries *top);
void top_queries_release(struct top_queries *top);
/* `record` without text; memory for the copy may be short, then nothing is kept. */
void top_queries_add(
    struct top_queries *top, struct str text, const struct top_query_record *record);

/* A line: all records with one text and range. */
struct top_query {
    struct str text;
    int64_t range_s;
    uint64_t count;
    int64_t took_ns;       /* sum */
    uint64_t memory_bytes; /* sum */
};

/* All lines of queries that ended after `since_ms`, in no order. 0 or the arena's error. */
int top_queries_sum(struct top_queries *top, int64_t since_ms, struct arena *arena,
    struct top_query **lines_out, size_t *count_out);

enum top_order { TOP_BY_COUNT, TOP_BY_AVG_DURATION, TOP_BY_SUM_DURATION, TOP_BY_AVG_MEMORY };
/* Largest first; texts in order where that is equal. */
void top_queries_sort(struct top_query *lines, size_t count, enum top_order order);

#endif
