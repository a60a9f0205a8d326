/* A listed part, open, with its dictionaries mapped to the ids of the store's index. Immutable but
 * for its references and the list of runs found damaged.
 */
#ifndef SONDE_DB_STORE_PART_H
#define SONDE_DB_STORE_PART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/lock.h"
#include "db/manifest.h"
#include "index/index.h"
#include "part/part.h"

/* One column of a schema: where to find a shape. Sorted by shape, then kind. */
struct schema_column {
    uint32_t shape; /* of the index; of a part of a tier, of the index of tiers' shapes */
    uint16_t kind;
    uint16_t column;
    uint32_t series_shape; /* of the series it is of: the same, but for tiers */
    uint32_t aggregate;    /* of a tier: enum tier_aggregate */
};

/* The series_shape of what a target has once for all its series. */
#define SHAPE_OF_ALL UINT32_MAX

struct schema_map {
    struct schema_column *columns;
    uint32_t count;
};

struct damaged_run {
    uint32_t group, column;
};

/* Where ids come from: targets and series' shapes, and the shapes of tiers' columns. */
struct store_indexes {
    struct index *series;
    struct index *tier_shapes;
};

struct store_part {
    _Atomic uint32_t references;
    struct store_indexes indexes;
    bool holds; /* its ids, in the indexes */
    struct manifest_part about;
    struct part *part;
    uint32_t *targets; /* local id -> id of the index */
    uint32_t *shapes;  /* of a part of a tier: ids of the index of tiers' shapes */
    struct schema_map *schemas;
    uint32_t schema_count;
    uint64_t retention_rules; /* a bit for each that keeps any of it; 0 = not looked at yet */
    _Atomic bool unmergeable; /* a merge found it damaged */
    /* Runs that could not be read: named once as an error, then left out with a warning. */
    struct lock damage_lock; /* rank LEAF */
    struct damaged_run *damaged;
    size_t damaged_cap;
    _Atomic uint32_t damaged_count;
};

/* Damaged runs that are remembered for a part; further ones are an error every time. */
#define DAMAGED_RUNS_MAX 4096

/* Its ids stay in the indexes until the last reference is gone. Nobody sweeps them meanwhile. */
int store_part_open(struct vfs *fs, const char *path, struct part_cache *cache,
    const struct store_indexes *indexes, const struct manifest_part *about,
    struct store_part **part_out, struct err *e);
/* The column of a shape, or NULL. */
const struct schema_column *schema_map_find(
    const struct schema_map *schema, uint32_t shape, uint32_t kind);
struct store_part *store_part_ref(struct store_part *p);
/* Notes that a run cannot be read. */
void store_part_add_damage(struct store_part *p, uint32_t group, uint32_t column);
/* A copy of the list as it is now; 0 or the arena's error. */
int store_part_damage(
    struct store_part *p, struct arena *arena, struct damaged_run **runs_out, size_t *count_out);
bool store_part_is_damaged(struct store_part *p, uint32_t group, uint32_t column);
/* Accepts NULL. */
void store_part_unref(struct store_part *p);

#endif
