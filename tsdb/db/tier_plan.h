/* Which days of which tier to build, and which files of tiers to merge and to delete: pure functions.
 *
 * A tier of a day is built when the day is closed, and again when a raw part of that day has come that
 * it does not have (late samples, a backfill, a replay). Building again replaces the part of the day, so
 * it happens with some patience: late samples come in drips. When the day's raw parts are to be deleted
 * there is no patience.
 *
 * Days whose raw parts are gone will not be built again. Their parts are merged with the others of their
 * directory, as soon as the small ones together weigh a quarter of the largest: so each bucket is
 * written again a handful of times, and a finished month or year is one file or a few.
 */
#ifndef SONDE_DB_TIER_PLAN_H
#define SONDE_DB_TIER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a tier that was built may lack late samples, while raw samples still answer. */
#define TIER_PATIENCE_MS ((int64_t)30 * 60 * 1000)
/* A directory with fewer parts is left alone. */
#define TIER_MERGE_PARTS_MIN 4

struct plan_day {
    int64_t day;
    uint64_t precedence; /* of its newest raw part */
    uint64_t mark;       /* of the tier: what it has */
    bool expiring;       /* all its raw parts are older than the retention */
};

/* Is the tier of this day to be built now? `waited_ms`: since a tier was last built again. */
bool plan_tier_due(const struct plan_day *day, int64_t now_ms, int64_t waited_ms);

struct plan_tier_part {
    uint16_t tier;
    int64_t period, retention_ms;
    uint64_t split;
    uint64_t bytes;
    bool settled; /* no raw part of its days is left, and it is not damaged */
};

/* Parts [first, first + count) of a list sorted by tier, retention, split, period; count 0 = nothing. */
struct plan_tier_merge {
    size_t first, count;
};
struct plan_tier_merge plan_tier_merge(const struct plan_tier_part *parts, size_t count);

#endif
