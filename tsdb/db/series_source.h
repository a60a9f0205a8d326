/* Where samples of one series lie: a column of a table of the head, or of a table of a part's group.
 * All in the query's arena.
 */
#ifndef SONDE_DB_SERIES_SOURCE_H
#define SONDE_DB_SERIES_SOURCE_H

#include <stdint.h>

#include "base/arena.h"
#include "db/db.h"

struct series_source {
    struct series_source *next;
    int64_t min_t, max_t;        /* bounds of its samples */
    uint64_t precedence;         /* of equal times the highest counts; the head's is UINT64_MAX */
    struct store_part *part;     /* NULL: the head's */
    struct table *table;         /* of the head */
    uint32_t group, group_table; /* of the part */
    uint32_t column;
    enum column_kind kind;
    const struct time_range *hidden; /* what is deleted of it */
    size_t hidden_count;
    uint8_t covered;    /* of raw samples, as in struct store_view */
    uint16_t tier;      /* enum store_tier */
    uint32_t aggregate; /* of a tier: enum tier_aggregate */
};

#define HEAD_PRECEDENCE UINT64_MAX

struct series_cursor;

/* Open places of a querier that are not in use: their buffers, and what they read last, serve the next
 * series, which mostly lies beside the last one. Any thread. */
struct cursor_pool {
    struct lock lock; /* rank LEAF */
    struct series_cursor *idle;
    size_t count, bytes; /* of the idle ones */
    size_t bytes_max;
    struct querier_statistics reads; /* of cursors that were given back */
};

/* Cursors a pool keeps, and their bytes. Each holds some 100 KB once it was used, and remembers up to 8 MB
 * and pages (part_memory.h) where many tables of long groups were read; one that does not fit is freed. */
#define CURSOR_POOL_MAX 64
#define CURSOR_POOL_BYTES_MAX ((size_t)16 << 20)

void cursor_pool_init(struct cursor_pool *pool);
void cursor_pool_release(struct cursor_pool *pool);

/* What an iterator needs to know of its query. */
struct iter_request {
    const struct read_point *point;
    struct cursor_pool *pool;
    int64_t min_t, max_t;
    bool newest_only; /* older samples may be left out */
};

/* Merges the sources, in time order; of equal times the highest precedence counts. The sources and the
 * request outlive the iterator. What is decoded is charged to the budget of `arena`: ERR_LIMIT, ERR_BUSY as
 * memory_budget_charge. */
int series_iter_open(const struct series_source *sources, const struct iter_request *request,
    struct arena *arena, struct column_iter **iter_out, struct err *e);

#endif
