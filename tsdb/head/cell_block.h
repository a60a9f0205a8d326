/* Late cells: samples that found no place in a row. They are older than the open rows, replace a
 * value that is there already, belong to a table too sparse for rows, or are histograms.
 *
 * They arrive in a plain list, each with the LSN of its commit. When the list is long, the cells that
 * every querier may see are sorted by column and time, conflicts resolved (the later commit wins),
 * and encoded as one immutable *cell block*.
 */
#ifndef SONDE_HEAD_CELL_BLOCK_H
#define SONDE_HEAD_CELL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* One cell. Histograms own their bytes (histogram_encode) while they are in a list. */
struct late_cell {
    int64_t t_ms;
    uint64_t lsn;
    union {
        double value;
        uint8_t *bytes;
    };
    uint32_t column;
    uint32_t size; /* of a histogram's bytes; 0 = a float */
};

/* Cells of one column inside a block, at most CELL_COLUMN_CELLS_MAX; more take another entry. */
struct cell_column {
    uint32_t column;
    uint32_t count;
    uint32_t offset; /* of its bytes: times, then values or sized histograms */
    uint32_t times_size;
    uint32_t values_size;
    bool histogram;
};

#define CELL_COLUMN_CELLS_MAX 4096

struct cell_block {
    struct cell_block *next; /* later cells */
    uint32_t column_count;
    uint64_t cell_count;
    int64_t min_t, max_t;
    size_t size;
    struct cell_column *columns; /* by column, then time */
    uint8_t *bytes;
};

/* Sorts `cells` in place and encodes them; the order of equal (column, time) is that of the list. The
 * cells stay the caller's. 0, ERR_NOMEM, ERR_LIMIT. */
int cell_block_new(struct late_cell *cells, size_t count, struct cell_block **block_out);
void cell_block_free(struct cell_block *block);
/* Sorts by column and time, stable. 0 or ERR_NOMEM. */
int late_cells_sort(struct late_cell *cells, size_t count);

/* Entries of a column: the first, and how many follow each other; 0 = none. */
uint32_t cell_block_find(const struct cell_block *block, uint32_t column, uint32_t *first_out);
/* Decodes one entry: `count` times, and values or slices into the block. The arrays have room. */
void cell_block_read(const struct cell_block *block, const struct cell_column *entry,
    int64_t *times_out, double *values_out, struct str *histograms_out);

#endif
