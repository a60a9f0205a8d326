/* Choosing what to merge; see the header. */
#include "db/merge_plan.h"

#define DAY_MS ((int64_t)86400000)

/* The end of the run of parts that share day and split and are not damaged, from `first`. */
static size_t day_end(const struct plan_part *parts, size_t count, size_t first)
{
    size_t end = first;
    while (end < count && parts[end].day == parts[first].day &&
           parts[end].split == parts[first].split && !parts[end].damaged &&
           end - first < PLAN_MERGE_PARTS_MAX) {
        end++;
    }
    return end;
}

/* Enough neighbours of level 0 inside [first, end). */
static struct plan_merge level0_run(const struct plan_part *parts, size_t first, size_t end)
{
    for (size_t from = first; from < end;) {
        size_t to = from;
        while (to < end && parts[to].level == 0) {
            to++;
        }
        if (to - from >= PLAN_LEVEL0_PARTS) {
            return (struct plan_merge){from, to - from, 1};
        }
        from = to + 1;
    }
    return (struct plan_merge){0};
}

bool plan_seal_early(uint64_t cells, uint64_t columns)
{
    return cells > PLAN_SEAL_CELLS && cells / PLAN_SEAL_ROWS > columns;
}

static bool day_closed(int64_t day, int64_t now_ms)
{
    return (day + 1) * DAY_MS + PLAN_DAY_CLOSED_MS <= now_ms;
}

/* Is it time to write a closed day anew? When it never was, when parts pile up, or when the small ones
 * together weigh a quarter of the largest. */
static bool day_due(const struct plan_part *parts, size_t first, size_t end)
{
    uint64_t largest = 0, total = 0;
    bool merged = false;
    for (size_t i = first; i < end; i++) {
        largest = parts[i].bytes > largest ? parts[i].bytes : largest;
        total += parts[i].bytes;
        merged = merged || parts[i].level == 2;
    }
    return !merged || end - first >= PLAN_DAY_PARTS || (total - largest) * 4 >= largest;
}

struct plan_merge plan_next_merge(const struct plan_part *parts, size_t count, int64_t now_ms)
{
    for (size_t first = 0; first < count;) {
        size_t end = day_end(parts, count, first);
        if (end - first > 1) {
            struct plan_merge merge = level0_run(parts, first, end);
            if (merge.count > 0) {
                return merge;
            }
            if (day_closed(parts[first].day, now_ms) && day_due(parts, first, end)) {
                return (struct plan_merge){first, end - first, 2};
            }
        }
        first = end > first ? end : first + 1;
    }
    return (struct plan_merge){0};
}

struct plan_merge plan_next_compaction(const struct plan_part *parts, size_t count)
{
    for (size_t first = 0; first < count;) {
        size_t end = day_end(parts, count, first);
        if (end - first > 1) {
            return (struct plan_merge){first, end - first, 2};
        }
        first = end > first ? end : first + 1;
    }
    return (struct plan_merge){0};
}
