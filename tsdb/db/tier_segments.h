/* Which stretch of a series is read from where: raw samples or a tier. Pure.
 *
 * Raw samples answer as far back as they go; before that the finest tier that has the series. Where the
 * reader says that buckets of some resolution serve as well as samples, a tier answers in its whole
 * buckets inside the range, and raw samples around them. The stretches join without overlap or gap:
 * their borders are ends of buckets of everything that meets there, and (from, to] on both sides.
 */
#ifndef SONDE_DB_TIER_SEGMENTS_H
#define SONDE_DB_TIER_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "db/manifest.h"

/* No sample is further away, and no rounding from there overflows. */
#define TIER_TIME_MAX ((int64_t)1 << 61)

/* Ends of days that have a meaning, or beyond all times: */
struct tier_extents {
    int64_t min_t, max_t; /* asked for, both included; within TIER_TIME_MAX of 1970 */
    int64_t raw_from;     /* raw samples are there for t > raw_from; INT64_MAX: there are none */
    /* By enum store_tier, raw left out: */
    int64_t from[STORE_TIERS];    /* the tier has the series for t > from; INT64_MAX: it has not */
    int64_t through[STORE_TIERS]; /* and all that raw samples have, up to here */
    /* Tiers whose resolution divides this may answer for raw samples; 0 = none. */
    int64_t resolution_max_ms;
};

struct tier_segment {
    uint16_t tier;    /* enum store_tier */
    int64_t from, to; /* (from, to] */
};

#define TIER_SEGMENTS_MAX 8

/* Ascending; returns how many. */
size_t tier_segments(const struct tier_extents *x, struct tier_segment out[TIER_SEGMENTS_MAX]);

#endif
