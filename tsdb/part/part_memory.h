/* What a reader of parts remembers from read to read. Private to tsdb/part.
 *
 * Queries read the columns of a metric for one table after the other, and a merge does likewise; their
 * neighbours need the same pages, the same runs, the same times, and often the same columns to lean
 * on. A memory keeps all of these for the groups that were read lately, each bounded by a number below.
 * It belongs to one thread and goes from part to part; their cache outlives it.
 */
#ifndef SONDE_PART_PART_MEMORY_H
#define SONDE_PART_PART_MEMORY_H

#include "part/part_page.h"
#include "part/part_private.h"

/* Groups that are remembered; of each the last pages and runs. */
#define PART_MEMORY_GROUPS 64
#define PART_MEMORY_PAGES 8
#define PART_MEMORY_RUNS 8
/* Decoded times of all groups, in bytes; beyond it all of them are forgotten. */
#define PART_MEMORY_TIMES_BYTES_MAX ((size_t)4 << 20)
/* Columns that others lean on, and their bytes; beyond these all of them are forgotten. */
#define PART_MEMORY_COLUMNS 1024
#define PART_MEMORY_COLUMNS_BYTES_MAX ((size_t)4 << 20)
/* Single rows of such columns. */
#define PART_MEMORY_CELLS 1024

/* A verified page: a reference into the cache, or bytes of its own. */
struct held_page {
    struct part_page_ref ref;
    uint8_t *bytes;
    uint32_t index; /* of the page in its group */
};

struct held_run {
    uint32_t column; /* UINT32_MAX: nothing is here */
    uint32_t page;   /* slot of its page */
    struct part_run run;
};

struct group_memory {
    struct part *part; /* NULL: nothing is remembered here */
    uint64_t identity; /* of the part, whose address may be used again */
    struct part_cache *cache;
    uint32_t group;
    uint64_t used; /* the count of reads when it was used last */
    struct held_page times_page;
    struct part_times times;
    int64_t *rows[PART_GROUP_TARGETS_MAX]; /* by stream; NULL: not decoded yet */
    struct held_page pages[PART_MEMORY_PAGES];
    struct held_run runs[PART_MEMORY_RUNS];
};

/* Values of one column of one table. */
struct held_column {
    uint64_t identity;
    uint32_t group, table, column;
    uint32_t cap;   /* rows it has room for */
    double *values; /* NULL: nothing is here */
};

/* One row of a column of a table. */
struct held_cell {
    uint64_t identity; /* of the part; they begin at 1, so 0: nothing is here */
    uint32_t group, table, column, row;
    double value;
};

struct part_memory {
    struct group_memory *groups[PART_MEMORY_GROUPS];
    struct group_memory *last;
    uint64_t reads;
    size_t times_bytes, columns_bytes;
    struct held_column *columns; /* PART_MEMORY_COLUMNS of them, made when first needed */
    struct held_cell *cells;     /* PART_MEMORY_CELLS of them, likewise */
};

void part_memory_init(struct part_memory *m);
void part_memory_release(struct part_memory *m);
/* Bytes it keeps from others: its own, and pages of the cache that it holds. */
size_t part_memory_bytes(const struct part_memory *m);

/* What is remembered of a group, its times page parsed. ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
int part_memory_group(
    struct part_memory *m, struct part *p, uint32_t group, struct group_memory **group_out);
/* The times of a table, good until the next call for another group. */
int part_memory_rows(struct part_memory *m, struct group_memory *g, uint32_t table,
    const int64_t **rows_out, uint32_t *count_out);
/* The run of a column, good until PART_MEMORY_RUNS others of the group were asked for. */
int part_memory_run(struct group_memory *g, uint32_t column, const struct part_run **run_out);

/* Values that were kept, or NULL. */
const double *part_memory_recall(
    const struct part_memory *m, const struct group_memory *g, uint32_t table, uint32_t column);
/* Keeps a copy; not when memory is short. */
void part_memory_keep(struct part_memory *m, const struct group_memory *g, uint32_t table,
    uint32_t column, const double *values);

/* The same of single rows, of which the columns that are kept are no part. */
bool part_memory_recall_cell(const struct part_memory *m, const struct group_memory *g,
    uint32_t table, uint32_t column, uint32_t row, double *value_out);
void part_memory_keep_cell(struct part_memory *m, const struct group_memory *g, uint32_t table,
    uint32_t column, uint32_t row, double value);

#endif
