/* (target, shape, kind) to column, for targets whose columns spread over several tables. With one
 * table its own slots answer; with hundreds (series without any identity) asking each would not do.
 * Guarded by the head's registry lock.
 */
#ifndef SONDE_HEAD_SERIES_MAP_H
#define SONDE_HEAD_SERIES_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tsdb/appender.h"
#include "tsdb/column.h"

struct series_map_slot {
    uint32_t target; /* + 1; 0 = free */
    uint32_t shape;
    uint32_t table;
    uint16_t column;
    uint16_t kind;
};

struct series_map {
    struct series_map_slot *slots;
    uint32_t mask;
    uint32_t used;
};

void series_map_release(struct series_map *m);
bool series_map_find(const struct series_map *m, uint32_t target, uint32_t shape,
    enum column_kind kind, struct series_ref *ref_out);
/* 0 or ERR_NOMEM; not there yet. */
int series_map_add(struct series_map *m, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref ref);

#endif
