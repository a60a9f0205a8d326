/* What deletes hide of a column, of samples or of a tier.
 *
 * A bucket of a tier cannot give up some of its samples. Where raw samples are left they answer for a
 * series of which something was deleted, and the tier is built again without it; where they are gone,
 * every bucket that a deleted range touches is hidden as a whole.
 */
#ifndef SONDE_DB_TIER_HIDDEN_H
#define SONDE_DB_TIER_HIDDEN_H

#include "db/store_part.h"
#include "db/tombstone.h"

struct tier_deletes {
    const struct tombstone *const *tombstones;
    size_t count;
    uint16_t tier; /* enum store_tier, of the part */
    struct arena *arena;
};

/* As tombstones_ranges, for the rows of a column. */
int tier_hidden_ranges(const struct tier_deletes *deletes, uint32_t target,
    const struct schema_column *column, struct time_range within,
    const struct time_range **ranges_out, size_t *count_out);

#endif
