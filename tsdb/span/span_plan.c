/* Plans for blocks. */
#include "span/span_plan.h"

#include "span/span_block.h"

/* A page ends early where the next trace would not fit, so that a merge may make twice as many pages as there
 * were. */
enum { PAGES_MAX = SPAN_BLOCK_PAGES_MAX / SPAN_PLAN_MERGE / 2 };

static bool is_small(const struct span_plan_block *b, uint64_t bytes_max)
{
    uint64_t most = bytes_max / SPAN_PLAN_SHARE / SPAN_PLAN_MERGE;
    return b->pages <= PAGES_MAX && (bytes_max == 0 || b->bytes <= most);
}

bool span_plan_merge(const struct span_plan_block *blocks, size_t count, uint64_t bytes_max,
    size_t chosen_out[SPAN_PLAN_MERGE])
{
    for (uint32_t level = 0; level < SPAN_PLAN_LEVELS; level++) {
        size_t found = 0;
        for (size_t i = 0; i < count && found < SPAN_PLAN_MERGE; i++) {
            if (blocks[i].level == level && is_small(&blocks[i], bytes_max)) {
                chosen_out[found++] = i;
            }
        }
        if (found == SPAN_PLAN_MERGE) {
            return true;
        }
    }
    return false;
}

bool span_plan_expire(const struct span_plan_block *blocks, size_t count, uint64_t oldest_ns,
    uint64_t bytes_max, bool make_room, size_t *index_out)
{
    uint64_t bytes = 0;
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += blocks[i].bytes;
        first = blocks[i].start_max_ns < blocks[first].start_max_ns ? i : first;
    }
    bool full = (bytes_max > 0 && bytes > bytes_max) || (make_room && count > 1);
    if (count == 0 || (blocks[first].start_max_ns >= oldest_ns && !full)) {
        return false;
    }
    *index_out = first;
    return true;
}
