/* What the store does when the disk fills up: step by step, so that nothing acknowledged is lost and
 * queries go on (promise 12).
 *
 *   free below   what happens
 *   low water    the ballast is released, merges stop but for small ones, which give space back,
 *                and when size retention is configured the oldest days are dropped until there is
 *                room again
 *   refusal      writes are refused with ERR_NO_SPACE until there is room again
 *
 * The ballast is a file of reserved space, <data>/BALLAST, made when less than eight times the low
 * water is free (a disk with more to spare needs none yet) and there is room: what it gives back is there
 * for seals and manifests when others have filled the disk. A level is left only when an eighth more than
 * its mark is free, so that it does not come and go with every segment of the log.
 */
#ifndef SONDE_DB_DISK_GUARD_H
#define SONDE_DB_DISK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "tsdb/tsdb.h"

struct disk_guard {
    enum disk_level level;
    uint64_t free_bytes;
    bool ballast;       /* it is there */
    bool ballast_tried; /* and not to be made before there was low water again */
};

/* The level at so many free bytes, coming from another. A mark of 0 is none. */
enum disk_level disk_level_at(
    enum disk_level before, uint64_t free_bytes, uint64_t low_bytes, uint64_t refuse_bytes);
/* May a merge write so many bytes more? It must leave the low water free; below that, seven eighths of
 * what lies above the refusal. */
bool disk_has_room(uint64_t free_bytes, uint64_t low_bytes, uint64_t refuse_bytes, uint64_t bytes);

#endif
