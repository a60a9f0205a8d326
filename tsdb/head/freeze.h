/* A freeze: the states of all tables of a slice, taken out of the reach of commits at one LSN.
 *
 * Tables belong to one of HEAD_SLICES slices by a hash of their target's labels, which is the same
 * after a restart; slices are sealed in turn, so that sealing is a steady trickle. What a slice holds
 * up to the freeze's LSN goes into parts, and the manifest remembers that LSN for the slice: replay
 * skips what is covered.
 *
 *     head_freeze -> write the part -> list it, version v -> freeze_publish(v)
 *     ... when no querier older than v is open -> head_freeze_drop
 *
 * Until the drop, queriers older than v read the frozen states, newer ones the part.
 */
#ifndef SONDE_HEAD_FREEZE_H
#define SONDE_HEAD_FREEZE_H

#include <stdatomic.h>
#include <stdint.h>

#include "head/table.h"

#define HEAD_SLICES 6

struct freeze {
    _Atomic uint64_t published_version; /* 0 = not yet */
    uint64_t lsn;
    uint32_t slice;
    uint32_t count;
    struct table **tables;
    struct frozen_state *states; /* of those tables */
    uint64_t cell_count;
    int64_t min_t, max_t;
};

#endif
