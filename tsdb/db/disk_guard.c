/* Levels of free space: pure. */
#include "db/disk_guard.h"

static bool is_below(bool was_below, uint64_t free_bytes, uint64_t mark)
{
    return free_bytes < (was_below ? mark + mark / 8 : mark);
}

enum disk_level disk_level_at(
    enum disk_level before, uint64_t free_bytes, uint64_t low_bytes, uint64_t refuse_bytes)
{
    if (is_below(before == DISK_FULL, free_bytes, refuse_bytes)) {
        return DISK_FULL;
    }
    return is_below(before != DISK_GOOD, free_bytes, low_bytes) ? DISK_LOW : DISK_GOOD;
}

bool disk_has_room(uint64_t free_bytes, uint64_t low_bytes, uint64_t refuse_bytes, uint64_t bytes)
{
    if ((low_bytes == 0 && refuse_bytes == 0) ||
        (free_bytes > bytes && free_bytes - bytes >= low_bytes)) {
        return true;
    }
    return free_bytes < low_bytes && free_bytes > refuse_bytes &&
           bytes <= (free_bytes - refuse_bytes) / 8;
}
