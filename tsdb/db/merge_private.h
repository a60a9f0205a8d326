/* A merge at work, as its own files see it (merge.c, merge_pieces.c, merge_rows.c, merge_tables.c). */
#ifndef SONDE_DB_MERGE_PRIVATE_H
#define SONDE_DB_MERGE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/db.h"

#define MERGE_PIECES_MAX ((size_t)1 << 28)

/* Lists of columns that are remembered, so that tables of equal columns share one. */
enum { MERGE_COLUMN_LISTS = 256 };

/* A table of an input: rows of one target for a list of columns. */
struct piece {
    uint32_t target; /* of the index */
    uint32_t input;
    uint32_t group, table;
    uint32_t schema;    /* of the input */
    uint32_t row_count; /* those that are not deleted */
    int64_t first_t, last_t;
    bool unchanged; /* comes out as it went in; with all others of its group it is copied */
};

/* A table of the output, and the pieces that rows of it are in, by precedence. */
struct merge_table {
    const struct piece *const *pieces;
    uint32_t piece_count;
    uint32_t place; /* in the group that is written; UINT32_MAX = in another */
};

struct merge_input {
    struct store_part *part;
    /* Those that concern it. */
    const struct tombstone *const *tombstones;
    size_t tombstone_count;
    uint32_t *unchanged; /* by group: how many of its tables are */
};

struct column_list {
    uint64_t hash;
    uint32_t count;
    const struct column *columns;
};

struct merge {
    struct part_source source;
    struct tsdb *db;
    struct merge_input *inputs; /* by precedence */
    size_t input_count;
    const struct merge_filter *filter; /* NULL = none */
    struct memory_budget memory;       /* all arenas here, and those of the writer */
    struct arena arena;                /* what is planned: a few hundred bytes a table */
    struct piece *pieces;              /* by target, then precedence */
    size_t piece_count, piece_cap;
    struct part_table *tables;
    struct merge_table *origins;
    size_t table_count, table_cap, origin_cap;
    struct part_copy *copies;
    size_t copy_count, copy_cap;
    struct column_list lists[MERGE_COLUMN_LISTS];
    struct part_buffer buffer;
    struct arena group; /* times of the tables of the group that is written */
    const uint32_t *group_tables;
    uint32_t group_count;
    const int64_t **group_times;
    struct arena
        scratch; /* one target while it is planned, one column of one table while it is read */
    struct arena_mark empty;
};

static inline const struct schema_map *merge_schema(
    const struct merge *m, const struct piece *piece)
{
    return &m->inputs[piece->input].part->schemas[piece->schema];
}

/* ---- merge_pieces.c: what there is, and what is left of it ---- */

/* All pieces of all inputs, sorted by target, then precedence. */
int merge_find_pieces(struct merge *m, struct err *e);
/* Rows that are left of a piece; the times are in the scratch arena. Sets row_count, first_t, last_t. */
int merge_read_times(
    struct merge *m, struct piece *piece, const int64_t **times_out, struct err *e);
/* What is deleted of a column of a piece; in the scratch arena. */
int merge_deleted_ranges(struct merge *m, const struct piece *piece, uint32_t shape,
    const struct time_range **ranges_out, size_t *count_out);
/* Is anything left of a column? 1, 0, or the arena's error. */
int merge_has_left(struct merge *m, const struct piece *piece, uint32_t shape);
/* Is nothing left out of it? 1, 0, or the arena's error. */
int merge_is_whole(struct merge *m, const struct piece *piece);

/* ---- merge_rows.c: the times of several pieces as one ascending list ---- */

struct row_stream;
/* The distinct times in [min_t, max_t] of pieces of one target. All of it is in the scratch arena, and
 * freed with it: at any time the times of those pieces that overlap one another, and no others. */
int row_stream_new(struct merge *m, const struct piece *const *pieces, size_t count, int64_t min_t,
    int64_t max_t, struct row_stream **stream_out);
/* Up to `cap` of them; fewer only at the end. */
int row_stream_read(
    struct row_stream *s, int64_t *times_out, uint32_t cap, uint32_t *count_out, struct err *e);

/* ---- merge_tables.c: the tables of the output ---- */

/* Tables and copies of all targets. */
int merge_plan_tables(struct merge *m, struct err *e);

#endif
