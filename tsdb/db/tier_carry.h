/* What the part of a tier that is built anew has of a day and samples have no more.
 *
 * A rule of retention takes the samples of some series out of a day. When the day is rolled up again, for
 * late samples of others or for a delete, their buckets are those of the part that is replaced, but for
 * what deletes hide of them. So are those of a series that was late after its rule had taken its samples:
 * the few that came stand for nothing.
 */
#ifndef SONDE_DB_TIER_CARRY_H
#define SONDE_DB_TIER_CARRY_H

#include "db/tier_raw.h"

/* A table of a replaced part. */
struct carry_piece {
    uint32_t target; /* of the index */
    struct store_part *part;
    uint32_t group, table;
};

struct tier_carry {
    struct tsdb *db;
    uint16_t tier;
    int64_t from, to;           /* (from, to] */
    struct carry_piece *pieces; /* by target */
    size_t count, cap;
    struct cursor_pool pool;
    struct arena scratch;
};

/* Tables of the parts that building this day of the tier replaces. The maintenance lock is held while it is
 * open. 0, ERR_NOMEM, ERR_LIMIT; close in any case. */
int tier_carry_open(struct tsdb *db, uint16_t tier, int64_t day, struct tier_carry *carry_out);
void tier_carry_close(struct tier_carry *carry);
/* The end of the pieces of the target of piece `first`, and the first piece of a target or later ones. */
size_t tier_carry_target_end(const struct tier_carry *carry, size_t first);
size_t tier_carry_find(const struct tier_carry *carry, uint32_t target);
/* Columns of series of a target, as if they were of samples, each once: appended to an array of the
 * caller's (mem_free). */
int tier_carry_columns(
    const struct tier_carry *carry, uint32_t target, struct tier_column **columns, size_t *count);

/* The buckets of a column of floats instead of what `r` has, when the samples behind that are fewer and
 * not all there ever were. *estimates_out tells what of the buckets is not known (enum run_estimate).
 * ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
int tier_carry_rollup(struct tier_carry *carry, uint32_t target, uint32_t shape, struct rollup *r,
    unsigned *estimates_out, struct err *e);
/* Likewise the kept samples of a column of histograms; what is put into the list is in `arena`. */
int tier_carry_histograms(struct tier_carry *carry, uint32_t target, uint32_t shape,
    struct arena *arena, struct sample_list *list, struct err *e);

#endif
