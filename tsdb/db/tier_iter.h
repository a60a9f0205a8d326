/* One series from raw samples and tiers, as runs. */
#ifndef SONDE_DB_TIER_ITER_H
#define SONDE_DB_TIER_ITER_H

#include "db/series_source.h"

/* Where a series lies, and what its target has once for all of its series. */
struct tier_sources {
    const struct series_source *raw, *tiers, *shared;
    /* Samples of days that end by kept_from are past what a rule keeps of the series, those in memory that
     * are of days until closed_through came after the others of their day were deleted: what there is of
     * them stands for nothing where a tier has the day. INT64_MIN: there are no such days. */
    int64_t kept_from, closed_through;
};

struct tier_request {
    struct iter_request samples;
    int64_t resolution_max_ms;
    unsigned bucket_needs; /* enum bucket_need */
    bool instant;          /* begins one bucket early */
};

/* As series_iter_open. */
int tier_iter_open(const struct tier_sources *sources, const struct tier_request *request,
    struct arena *arena, struct column_iter **iter_out, struct err *e);

/* ---- Sources that belong to targets, found before series are complete ---- */

struct tier_shared {
    struct tier_shared_slot *slots;
    size_t mask, count;
};

/* The source is copied to `arena`. */
int tier_shared_add(struct tier_shared *shared, struct arena *arena, uint32_t target,
    const struct series_source *source);
const struct series_source *tier_shared_find(const struct tier_shared *shared, uint32_t target);
void tier_shared_release(struct tier_shared *shared);

#endif
