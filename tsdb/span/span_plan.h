/* Which blocks are merged, and which go: pure functions over what blocks say of themselves. */
#ifndef SONDE_TSDB_SPAN_PLAN_H
#define SONDE_TSDB_SPAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* So many blocks of a level become one of the next; above the last level nothing is merged. */
    SPAN_PLAN_MERGE = 8,
    SPAN_PLAN_LEVELS = 3,
    /* With a bound on all bytes no merge makes a block larger than one such part of it: the oldest block is what
     * goes at a time. */
    SPAN_PLAN_SHARE = 8,
};

struct span_plan_block {
    uint32_t level, pages;
    uint64_t bytes, start_max_ns;
};

/* Indexes of the first SPAN_PLAN_MERGE blocks of the lowest level that has so many that are small enough:
 * true. `bytes_max` is the bound on all blocks, 0 none. */
bool span_plan_merge(const struct span_plan_block *blocks, size_t count, uint64_t bytes_max,
    size_t chosen_out[SPAN_PLAN_MERGE]);

/* The block that goes first: the one whose latest span is the oldest, when that starts before `oldest_ns`, when
 * all have more than `bytes_max` bytes (0: any), or to make room when it is not the only one. */
bool span_plan_expire(const struct span_plan_block *blocks, size_t count, uint64_t oldest_ns,
    uint64_t bytes_max, bool make_room, size_t *index_out);

#endif
