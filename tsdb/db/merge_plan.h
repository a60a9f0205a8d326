/* What to merge: pure functions over what is known of the parts.
 *
 * Sealing makes a part for each slice and interval: some three hundred a day. They are merged in runs
 * of neighbours, in order of precedence, within a day: level 0 to level 1 (about four hours), and all
 * of a day to level 2 when the day is over. Late samples make small parts for old days; those are
 * merged with the day's large part only when enough came together to be worth rewriting it.
 */
#ifndef SONDE_DB_MERGE_PLAN_H
#define SONDE_DB_MERGE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parts of level 0 in a row that become one of level 1: eight intervals of six slices. */
#define PLAN_LEVEL0_PARTS 48
/* A closed day with this many parts is merged whole. */
#define PLAN_DAY_PARTS 8
/* A day is closed this long after its end: what was on its way has been sealed by then. */
#define PLAN_DAY_CLOSED_MS ((int64_t)2 * 3600 * 1000)
/* Parts of one merge. */
#define PLAN_MERGE_PARTS_MAX 512

struct plan_part {
    int64_t day;
    uint64_t precedence;
    uint64_t bytes;
    uint64_t
        split; /* only parts that divide series alike are merged: a series comes once in a part */
    uint32_t level;
    bool damaged; /* left alone */
};

/* Parts [first, first + count) of a list sorted by day, then precedence; count 0 = nothing. */
struct plan_merge {
    size_t first, count;
    uint32_t level; /* of the result */
};

/* Is so much of the head not sealed that reading the log back would take long? The bound is a second of
 * one core for a million series. Of each series PLAN_SEAL_ROWS samples stay in any case: parts of a few
 * rows would be merged without end. */
#define PLAN_SEAL_CELLS ((uint64_t)20000000)
#define PLAN_SEAL_ROWS 20
bool plan_seal_early(uint64_t cells, uint64_t columns);

struct plan_merge plan_next_merge(const struct plan_part *parts, size_t count, int64_t now_ms);
/* The next merge on the way to one part a day, whatever the time. */
struct plan_merge plan_next_compaction(const struct plan_part *parts, size_t count);

#endif
