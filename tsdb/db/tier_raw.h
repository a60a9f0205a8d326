/* Raw samples of one day for its tiers, target by target.
 *
 * The day of a tier is (day, day + 1] in time: the sample at midnight belongs to the bucket that ends
 * there. Samples of the parts of a view alone: what is still in the head comes with the part it is
 * sealed to.
 */
#ifndef SONDE_DB_TIER_RAW_H
#define SONDE_DB_TIER_RAW_H

#include "db/db.h"
#include "db/series_source.h"
#include "head/table.h"
#include "tier/rollup.h"

#define TIER_PIECES_MAX ((size_t)1 << 28)
/* Samples of one histogram series in one day. */
#define TIER_HISTOGRAM_SAMPLES_MAX ((size_t)1 << 24)

/* A table of a part that has rows of the day. */
struct tier_piece {
    uint32_t target; /* of the index */
    struct store_part *part;
    uint32_t group, table, schema;
};

struct tier_raw {
    struct tsdb *db;
    int64_t from, to;          /* (from, to] */
    struct tier_piece *pieces; /* by target */
    size_t count, cap;
    struct cursor_pool pool;
    struct arena scratch;
    struct arena_mark empty;
};

/* A column of a target, and which of its pieces may have it. */
struct tier_column {
    struct column column; /* shape of the index */
    const struct tier_piece *pieces;
    size_t piece_count;
};

/* The highest precedence among the raw parts that have samples of the day; 0 = there are none. The
 * maintenance lock is held. */
uint64_t tier_raw_precedence(const struct tsdb *db, int64_t day);

/* The maintenance lock is held while it is open. 0, ERR_NOMEM, ERR_LIMIT. */
int tier_raw_open(struct tsdb *db, int64_t day, struct tier_raw *raw_out);
void tier_raw_close(struct tier_raw *raw);
/* The end of the pieces of the target of piece `first`. */
size_t tier_raw_target_end(const struct tier_raw *raw, size_t first);
/* The columns of pieces [first, end), each once, by shape and kind; the caller's (mem_free). */
int tier_raw_columns(const struct tier_raw *raw, size_t first, size_t end,
    struct tier_column **columns_out, size_t *count_out);

/* The buckets of a column of floats, into `r`, which is reset first. ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
int tier_raw_rollup(
    struct tier_raw *raw, const struct tier_column *column, struct rollup *r, struct err *e);
/* The samples of a column of histograms that are kept: times and encoded bytes, in `arena`. */
int tier_raw_histograms(struct tier_raw *raw, const struct tier_column *column,
    int64_t resolution_ms, struct arena *arena, struct sample_list *list_out, struct err *e);

#endif
