/* Choosing what to do for tiers; see the header. */
#include "db/tier_plan.h"

#include "db/merge_plan.h"

#define DAY_MS ((int64_t)86400000)

bool plan_tier_due(const struct plan_day *day, int64_t now_ms, int64_t waited_ms)
{
    bool closed = (day->day + 1) * DAY_MS + PLAN_DAY_CLOSED_MS <= now_ms;
    if (day->precedence == 0 || day->mark >= day->precedence || !closed) {
        return false;
    }
    return day->mark == 0 || day->expiring || waited_ms >= TIER_PATIENCE_MS;
}

static bool together(const struct plan_tier_part *a, const struct plan_tier_part *b)
{
    return a->tier == b->tier && a->retention_ms == b->retention_ms && a->split == b->split &&
           a->period == b->period;
}

struct plan_tier_merge plan_tier_merge(const struct plan_tier_part *parts, size_t count)
{
    for (size_t first = 0; first < count;) {
        size_t end = first, settled = 0;
        uint64_t largest = 0, total = 0;
        while (end < count && together(&parts[end], &parts[first])) {
            if (parts[end].settled) {
                settled++;
                largest = parts[end].bytes > largest ? parts[end].bytes : largest;
                total += parts[end].bytes;
            }
            end++;
        }
        /* The settled ones stand in front. */
        if (settled >= TIER_MERGE_PARTS_MIN && settled <= PLAN_MERGE_PARTS_MAX &&
            (total - largest) * 4 >= largest) {
            return (struct plan_tier_merge){first, settled};
        }
        first = end;
    }
    return (struct plan_tier_merge){0};
}
