/* Pointers under 64-bit keys that are hashes already: alerts, groups, slots. Open addressing, at most
 * three quarters full. Two objects of one key cannot both be in: keys are wide enough that it does not
 * happen to those who do not try, and whoever tries only hides an alert of their own.
 */
#ifndef SONDE_QUERY_POINTER_TABLE_H
#define SONDE_QUERY_POINTER_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Of one table. */
#define POINTER_TABLE_MAX ((size_t)1 << 24)

struct pointer_table_cell {
    uint64_t key;
    void *pointer; /* NULL: free */
};

/* All zero is an empty table. */
struct pointer_table {
    struct pointer_table_cell *cells;
    size_t count;
    size_t cap; /* 0 or a power of two */
};

/* NULL when absent. */
void *pointer_table_get(const struct pointer_table *t, uint64_t key);
/* Puts or replaces. 0, ERR_NOMEM, ERR_LIMIT; on an error nothing has changed. */
int pointer_table_put(struct pointer_table *t, uint64_t key, void *pointer);
/* Returns what was there, NULL when nothing was. */
void *pointer_table_remove(struct pointer_table *t, uint64_t key);
/* The next one at or after cell *position, which moves behind it; NULL at the end. Start at 0; the table
 * may not change meanwhile. */
void *pointer_table_next(const struct pointer_table *t, size_t *position);
/* The pointers are the caller's. */
void pointer_table_release(struct pointer_table *t);

#endif
