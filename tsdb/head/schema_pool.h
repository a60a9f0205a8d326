/* Column lists that many tables share: the pods of a job have the same columns in the same order, and
 * a thousand copies of the list would weigh more than the pods' rows. A list that is shared never
 * changes; a table that grows makes its own copy first.
 *
 * The pool is the maintenance thread's. A list's reference count is guarded by the lock of whichever
 * table gives it up, so it is atomic.
 */
#ifndef SONDE_HEAD_SCHEMA_POOL_H
#define SONDE_HEAD_SCHEMA_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tsdb/column.h"

struct shared_schema {
    _Atomic uint32_t references;
    uint64_t hash;
    uint32_t column_count;
    uint32_t slot_mask;
    struct column *columns; /* owned */
    uint16_t *slots;        /* owned */
};

struct shared_schema *shared_schema_ref(struct shared_schema *s);
void shared_schema_unref(struct shared_schema *s);

/* Schemas by hash, each held by one reference. */
struct schema_pool {
    struct shared_schema **items; /* open addressing */
    uint32_t mask;
    uint32_t used;
};

void schema_pool_release(struct schema_pool *pool);
/* A schema of equal columns, or NULL. Borrowed. */
struct shared_schema *schema_pool_find(
    const struct schema_pool *pool, const struct column *columns, uint32_t count, uint64_t hash);
/* Takes over the arrays. NULL when memory is short: they are still the caller's. Borrowed. */
struct shared_schema *schema_pool_add(struct schema_pool *pool, struct column *columns,
    uint32_t count, uint16_t *slots, uint32_t slot_mask, uint64_t hash);
/* Forgets schemas that no table uses any more. */
void schema_pool_sweep(struct schema_pool *pool);

#endif
