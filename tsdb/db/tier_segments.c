/* Stretches of a series; see the header. */
#include "db/tier_segments.h"

#include <assert.h>
#include <stdbool.h>

/* Whole buckets of `tier` may serve (from, to]; tier 0 = no tier may. */
struct preference {
    uint16_t tier;
    int64_t from, to;
};

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return rest < 0 ? t - rest - step : t - rest;
}

static int64_t clamp(int64_t t)
{
    return t > TIER_TIME_MAX ? TIER_TIME_MAX : t < -TIER_TIME_MAX ? -TIER_TIME_MAX : t;
}

static struct preference prefer(const struct tier_extents *x)
{
    for (uint16_t tier = STORE_TIERS - 1; x->resolution_max_ms > 0 && tier > STORE_RAW; tier--) {
        int64_t resolution = store_tier_resolution(tier);
        if (x->from[tier] == INT64_MAX || x->resolution_max_ms % resolution != 0) {
            continue;
        }
        int64_t end = x->through[tier] < x->max_t ? x->through[tier] : x->max_t;
        int64_t begin = x->from[tier] > x->min_t - 1 ? x->from[tier] : x->min_t - 1;
        struct preference p = {.tier = tier,
            .from = floor_to(clamp(begin) + resolution - 1, resolution),
            .to = floor_to(clamp(end), resolution)};
        if (p.from < p.to) {
            return p;
        }
    }
    return (struct preference){0};
}

static uint16_t source_of(const struct tier_extents *x, const struct preference *p, int64_t after)
{
    if (p->tier != STORE_RAW && after >= p->from && after < p->to) {
        return p->tier;
    }
    if (after >= x->raw_from) {
        return STORE_RAW;
    }
    return after >= x->from[STORE_5M] || x->from[STORE_1H] == INT64_MAX ? STORE_5M : STORE_1H;
}

size_t tier_segments(const struct tier_extents *x, struct tier_segment out[TIER_SEGMENTS_MAX])
{
    const struct preference p = prefer(x);
    int64_t cuts[] = {x->raw_from, x->from[STORE_5M], p.from, p.to};
    int64_t from = x->min_t - 1;
    size_t count = 0;
    while (from < x->max_t) {
        int64_t to = x->max_t;
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            bool counts = i < 2 || p.tier != STORE_RAW;
            to = counts && cuts[i] > from && cuts[i] < to ? cuts[i] : to;
        }
        uint16_t tier = source_of(x, &p, from);
        if (count > 0 && out[count - 1].tier == tier) {
            out[count - 1].to = to;
        } else {
            assert(count < TIER_SEGMENTS_MAX);
            out[count++] = (struct tier_segment){tier, from, to};
        }
        from = to;
    }
    return count;
}
