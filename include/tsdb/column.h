/* A column of a target's table: which shape it holds and what its cells are.
 *
 * A *shape* is a metric name with all labels that do not belong to the target. A series is a target
 * times a shape; it may have two columns, one of floats and one of native histograms.
 */
#ifndef SONDE_TSDB_COLUMN_H
#define SONDE_TSDB_COLUMN_H

#include <stdint.h>

/* The numbers go to disk (WAL and parts). */
enum column_kind {
    COLUMN_FLOAT = 0,
    COLUMN_HISTOGRAM = 1,
};

struct column {
    uint32_t shape;
    uint32_t kind; /* enum column_kind */
};

/* Columns of one table; what does not fit begins another table of the same target. */
#define TABLE_COLUMNS_MAX 16384
/* Bytes of one encoded native histogram (histogram_encode), as stored in a cell. */
#define HISTOGRAM_CELL_BYTES_MAX ((size_t)1 << 20)

#endif
