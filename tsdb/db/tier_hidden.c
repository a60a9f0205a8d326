/* Deletes and tiers; see the header. */
#include "db/tier_hidden.h"

#include "tier/tier_columns.h"

/* Ranges of times become ranges of ends of buckets, (end - resolution, end] touching the range; those
 * that overlap now become one. */
static int widen(
    struct arena *arena, int64_t by_ms, const struct time_range **ranges, size_t *count)
{
    struct time_range *wide = arena_dup(arena, *ranges, *count * sizeof(*wide));
    size_t kept = 0;
    if (wide == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < *count; i++) {
        struct time_range r = wide[i];
        r.max_t = r.max_t < INT64_MAX - by_ms ? r.max_t + by_ms : INT64_MAX;
        if (kept > 0 && r.min_t <= wide[kept - 1].max_t) {
            wide[kept - 1].max_t = r.max_t;
        } else {
            wide[kept++] = r;
        }
    }
    *ranges = wide;
    *count = kept;
    return 0;
}

int tier_hidden_ranges(const struct tier_deletes *deletes, uint32_t target,
    const struct schema_column *column, struct time_range within,
    const struct time_range **ranges_out, size_t *count_out)
{
    int64_t resolution = store_tier_resolution(deletes->tier);
    bool buckets = deletes->tier != STORE_RAW && column->aggregate != TIER_SAMPLE;
    if (column->series_shape == SHAPE_OF_ALL) {
        *count_out = 0;
        return 0;
    }
    if (buckets) {
        within.min_t =
            within.min_t > INT64_MIN + resolution ? within.min_t - resolution + 1 : INT64_MIN;
    }
    int status = tombstones_ranges(deletes->tombstones, deletes->count, target,
        column->series_shape, within, deletes->arena, ranges_out, count_out);
    if (status == 0 && buckets && *count_out > 0) {
        status = widen(deletes->arena, resolution - 1, ranges_out, count_out);
    }
    return status;
}
