/* A listed part, open, with its dictionaries mapped to the ids of the store's index. Immutable but
 * for its references and the list of runs found damaged.
 */
#ifndef SONDE_DB_STORE_PART_H
#define SONDE_DB_STORE_PART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/lock.h"
#include "db/manifest.h"
#include "index/index.h"
#include "part/part.h"

/* One column of a schema: where to find a shape. Sorted by shape, then kind. */
struct schema_column {
    uint32_t shape; /* of the index */
    uint16_t kind;
    uint16_t column;
};

struct schema_map {
    struct schema_column *columns;
    uint32_t count;
};

struct damaged_run {
    uint32_t group, column;
};

struct store_part {
    _Atomic uint32_t references;
    struct manifest_part about;
    struct part *part;
    uint32_t *targets; /* local id -> id of the index */
    uint32_t *shapes;
    struct schema_map *schemas;
    uint32_t schema_count;
    _Atomic bool unmergeable; /* a merge found it damaged */
    /* Runs that could not be read: named once as an error, then left out with a warning. */
    struct lock damage_lock; /* rank LEAF */
    struct damaged_run *damaged;
    size_t damaged_cap;
    _Atomic uint32_t damaged_count;
};

/* Damaged runs that are remembered for a part; further ones are an error every time. */
#define DAMAGED_RUNS_MAX 4096

int store_part_open(struct vfs *fs, const char *path, struct part_cache *cache, struct index *index,
    const struct manifest_part *about, struct store_part **part_out, struct err *e);
struct store_part *store_part_ref(struct store_part *p);
/* Notes that a run cannot be read. */
void store_part_add_damage(struct store_part *p, uint32_t group, uint32_t column);
bool store_part_is_damaged(struct store_part *p, uint32_t group, uint32_t column);
/* Accepts NULL. */
void store_part_unref(struct store_part *p);

#endif
