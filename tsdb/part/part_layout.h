/* Which rows of which table go into which group: the plan a writer follows. Private to tsdb/part.
 *
 * Targets and shapes get local ids in label order, columns of a schema are sorted by shape, tables
 * of equal schemas stand together in order of target: neighbours in the file are alike, which is what
 * the dictionary, the deltas and "same as the block before" live on.
 */
#ifndef SONDE_PART_PART_LAYOUT_H
#define SONDE_PART_PART_LAYOUT_H

#include "base/arena.h"
#include "part/part.h"

/* Rows [first_row, first_row + rows) of a table of the source. */
struct part_piece {
    uint32_t table;
    uint32_t target; /* local id */
    uint32_t first_row;
    uint32_t rows;
    const uint32_t *order; /* column of the schema -> column of the source's table */
};

struct part_plan_group {
    uint32_t schema;
    uint32_t piece_count;
    const struct part_piece *pieces; /* of a copy: the targets only */
    const struct part_copy *copy;    /* NULL: made from cells */
    int64_t min_t, max_t;
};

struct part_plan {
    const struct labels **targets; /* by local id; borrowed from the source */
    uint32_t target_count;
    const struct labels **shapes;
    uint32_t shape_count;
    struct part_schema *schemas; /* local shape ids */
    uint32_t schema_count;
    struct part_plan_group *groups; /* in order of min_t */
    uint32_t group_count;
};

/* Everything lives in `arena`. ERR_NOMEM, ERR_LIMIT; ERR_INVALID when the source breaks its rules
 * (a column twice in a table, times that do not ascend). */
int part_plan_make(
    struct part_source *source, struct arena *arena, struct part_plan *plan_out, struct err *e);

#endif
