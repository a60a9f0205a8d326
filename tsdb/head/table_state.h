/* What the placing of cells asks of a table's active state. Private to the table's files; the table's lock
 * is held.
 */
#ifndef SONDE_HEAD_TABLE_STATE_H
#define SONDE_HEAD_TABLE_STATE_H

#include "head/table.h"

/* Widens the extent to a time, and counts cells. */
void table_state_note(struct table_state *s, int64_t t_ms, uint64_t count);

/* Frees what late cells own. */
void late_cells_release(struct late_cell *cells, size_t count);
/* Room for `more` late cells. ERR_NOMEM, ERR_LIMIT. */
int late_cells_grow(struct table_state *s, uint64_t more);
/* The room is there. */
void late_cells_push(
    struct table_state *s, uint64_t lsn, int64_t t_ms, uint32_t column, double value);
/* The newest late value of a cell of an open row; false when there is none. Such cells are in the list,
 * never in a block. */
bool late_cells_find(const struct table_state *s, int64_t t_ms, uint32_t column, double *value_out);

/* Makes room among the open rows: settles the oldest ones. */
int table_close_rows(struct table *t, uint64_t horizon);
/* Makes room for `more` late cells: settles what is late already, and the rows of a sparse table. */
int table_reserve_late(struct table *t, uint64_t horizon, uint32_t more);

#endif
