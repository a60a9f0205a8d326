/* A table: the recent rows of one target, for up to TABLE_COLUMNS_MAX of its shapes.
 *
 * What a table holds is its *states*: the active one, which commits go to, and the frozen ones, which
 * are being written to a part or wait for the last querier that knows nothing of that part. A state
 * is, from old to new: mini-blocks, open rows; and beside them late cells in blocks and in a list.
 * Late cells win over rows of the same time, later ones over earlier ones.
 *
 * One lock (rank TARGET) guards everything of a table. Only the leader of a group commit places
 * cells; other threads add columns and read. Frozen states never change.
 */
#ifndef SONDE_HEAD_TABLE_H
#define SONDE_HEAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/lock.h"
#include "head/cell_block.h"
#include "head/mini_block.h"
#include "head/open_row.h"
#include "head/schema_pool.h"
#include "tsdb/column.h"

/* Open rows from which on the oldest become a mini-block, and how many of the newest stay open, so
 * that the cells of one scrape may arrive in several commits and a little out of order. */
#define TABLE_OPEN_ROWS 16
#define TABLE_OPEN_ROWS_KEPT 4
/* Rows of commits that an open querier may not see cannot be encoded yet. With this many of them
 * further cells become late. */
#define TABLE_OPEN_ROWS_MAX 1024
/* Late cells in a list from which on they become a cell block. */
#define TABLE_LATE_CELLS 2048
/* Cells a list may hold at all (one commit may bring many). */
#define TABLE_LATE_CELLS_MAX ((size_t)1 << 28)
/* A batch of rows with less than one cell in eight there makes the table sparse. */
#define TABLE_DENSITY_DIVISOR 8
/* Columns of a table without target labels: what shares it rarely shares its times. */
#define PSEUDO_TABLE_COLUMNS_MAX 256

struct table_state {
    struct mini_block *blocks, *last_block;
    struct open_row **rows; /* ascending in time */
    uint32_t row_count, row_cap;
    struct cell_block *cell_blocks, *last_cell_block;
    struct late_cell *late; /* in order of commit */
    uint32_t late_count, late_cap;
    uint32_t late_retry;  /* try to compact the list when it is this long */
    int64_t min_t, max_t; /* of all cells; min_t > max_t when there are none */
    uint64_t cell_count;
    size_t memory;
};

/* A state on its way into a part. */
struct frozen_state {
    struct frozen_state *older;
    const struct freeze *freeze; /* the batch it belongs to */
    struct table_state state;
};

struct table {
    struct lock lock;
    uint32_t id;
    uint32_t target;
    uint32_t next_of_target; /* id + 1 of the target's next table; the head's registry lock */
    struct column *columns;  /* and `slots`: the schema's when there is one, else the table's own */
    uint32_t column_count, column_cap;
    struct shared_schema *schema;
    uint8_t *hints; /* `hint_count` of them, for columns that were encoded */
    uint32_t hint_count;
    uint16_t *slots; /* hash of (shape, kind) to column + 1 */
    uint32_t slot_mask;
    bool sparse;          /* cells go to the late list until the next freeze */
    int64_t closed_max_t; /* no new row up to here: such cells are late. INT64_MIN = none */
    struct table_state active;
    struct frozen_state *frozen; /* newest first */

    /* The maintenance thread's (head_tidy.c). */
    uint32_t idle_rounds; /* in which it had no cells */
    struct table *next_leaving;
    uint64_t left_at; /* views opened before it was let go */
};

int table_new(uint32_t id, uint32_t target, struct table **table_out);
void table_free(struct table *t);

/* The column of (shape, kind), or UINT32_MAX. With the lock held. */
uint32_t table_find_column(const struct table *t, uint32_t shape, enum column_kind kind);
/* Adds one. ERR_LIMIT when there are `limit` already, ERR_NOMEM. With the lock held. */
int table_add_column(
    struct table *t, uint32_t shape, enum column_kind kind, uint32_t limit, uint32_t *column_out);

/* Has it any cells, active or frozen? Takes the lock. */
bool table_is_empty(struct table *t);
/* Shares the column list with tables of equal columns. The maintenance thread only. */
void table_share_schema(struct table *t, struct schema_pool *pool);

void table_state_init(struct table_state *s);
void table_state_release(struct table_state *s);

/* ---- Placing: the leader only; each takes the lock itself ---- */

/* What placing a run of cells changed, so that it can be undone while nobody sees it. */
struct table_undo {
    uint32_t late_pushed;
    enum { PLACED_NOTHING, PLACED_NEW_ROW, PLACED_IN_ROW } placed;
    int64_t t_ms; /* of the row */
    bool flagged; /* has_conflicts was set by this */
};

/* Puts cells of one time under `lsn`, which no querier sees yet. `columns` strictly ascend. Cells that
 * are stored already with the same bits are dropped from the arrays; *count_inout is what stays.
 * `horizon`: every open querier's LSN is at least this. 0 or ERR_NOMEM, with nothing placed. */
int table_place(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms, uint32_t *columns,
    double *values, uint32_t *count_inout, struct table_undo *undo_out);
/* A histogram's bytes; a copy is made. */
int table_place_histogram(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms,
    uint32_t column, struct str bytes, struct table_undo *undo_out);
/* Takes back a placing. The latest placing of a table first. */
void table_undo(struct table *t, const struct table_undo *undo);

/* ---- Reading ---- */

/* Who reads: what is newer is hidden. */
struct read_point {
    uint64_t lsn;     /* commits after it */
    uint64_t version; /* frozen states whose part was published at or before it */
};

/* Samples of one column in time order, each time once. In an arena. */
struct sample_list {
    int64_t *times;
    double *values;         /* floats */
    struct str *histograms; /* or bytes of histograms, copied */
    size_t count;
};

/* Takes the lock. 0, or the arena's error. */
int table_read(struct table *t, uint32_t column, const struct read_point *point, int64_t min_t,
    int64_t max_t, struct arena *arena, struct sample_list *list_out);
/* Has the column any sample there? Decodes only where a block reaches beyond the range. Takes the
 * lock. 1, 0, ERR_NOMEM. */
int table_has_samples(
    struct table *t, uint32_t column, const struct read_point *point, int64_t min_t, int64_t max_t);
/* Samples of a frozen state, which needs no lock. */
int table_state_read(const struct table_state *s, uint32_t column, enum column_kind kind,
    int64_t min_t, int64_t max_t, struct arena *arena, struct sample_list *list_out);
/* The extent of all cells a reader may see; false when there are none. Takes the lock. */
bool table_extent(
    struct table *t, const struct read_point *point, int64_t *min_t_out, int64_t *max_t_out);

/* Is the frozen state of no use to this reader? */
bool frozen_state_hidden(const struct frozen_state *f, const struct read_point *point);

#endif
