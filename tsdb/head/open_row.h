/* An open row: one timestamp of a table, a double for each column, and which of them are there.
 *
 * Rows are written by one thread, the leader of a group commit, and read by many, both under the
 * table's lock. A row carries the LSN of the commit that made it. When a later commit fills further
 * cells, the presence as it was before goes to a list of *versions*, so that a querier opened before
 * that commit does not see them (INV-6). Cells are never overwritten: a conflicting value goes to
 * the table's late cells.
 */
#ifndef SONDE_HEAD_OPEN_ROW_H
#define SONDE_HEAD_OPEN_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Presence of a row before the commit `lsn`. */
struct row_version {
    struct row_version *older;
    uint64_t lsn;
    uint64_t presence[];
};

struct open_row {
    int64_t t_ms;
    uint64_t lsn;                 /* that made it */
    struct row_version *versions; /* newest first */
    uint32_t width;               /* cells there is room for */
    bool has_conflicts;           /* a late cell of this time replaces one of its cells */
    double values[];              /* `width` values, then the presence words */
};

/* Widths are multiples of this. */
#define OPEN_ROW_WIDTH_STEP 4

/* NULL when memory is short. */
struct open_row *open_row_new(int64_t t_ms, uint64_t lsn, uint32_t width);
void open_row_free(struct open_row *row);
/* A copy of at least `width` cells that takes over the versions; the old row is gone. NULL: memory
 * is short, nothing changed. */
struct open_row *open_row_widen(struct open_row *row, uint32_t width);
size_t open_row_memory(const struct open_row *row);

static inline size_t open_row_words(const struct open_row *row)
{
    return ((size_t)row->width + 63) / 64;
}

static inline uint64_t *open_row_presence(struct open_row *row)
{
    return (uint64_t *)(row->values + row->width);
}

static inline bool open_row_has(struct open_row *row, uint32_t column)
{
    return column < row->width && (open_row_presence(row)[column / 64] >> (column % 64) & 1) != 0;
}

static inline void open_row_put(struct open_row *row, uint32_t column, double value)
{
    row->values[column] = value;
    open_row_presence(row)[column / 64] |= (uint64_t)1 << (column % 64);
}

/* Keeps the presence as it is now for queriers older than `lsn`. 0 or ERR_NOMEM. */
int open_row_push_version(struct open_row *row, uint64_t lsn);
/* Undoes the last push and every cell put since. */
void open_row_pop_version(struct open_row *row);
/* Drops versions that no querier at `horizon` or later needs. */
void open_row_prune(struct open_row *row, uint64_t horizon);
/* Every querier at `horizon` or later sees all of it. */
static inline bool open_row_settled(const struct open_row *row, uint64_t horizon)
{
    return row->lsn <= horizon && (row->versions == NULL || row->versions->lsn <= horizon);
}
/* Is the cell there for a querier at `lsn`? */
bool open_row_visible(struct open_row *row, uint32_t column, uint64_t lsn);

#endif
