/* A hash table from label sets to places in an array whose items begin with their label set
 * (`const struct labels *`). The array is the owner's; the table only holds places. Zeroed is empty. */
#ifndef SONDE_QUERY_LABELS_INDEX_H
#define SONDE_QUERY_LABELS_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "model/labels.h"

/* Places are 32 bits wide. */
#define LABELS_INDEX_MAX ((size_t)1 << 31)

struct labels_index {
    uint32_t *slots; /* place + 1, 0 = free */
    size_t slot_count;
};

void labels_index_release(struct labels_index *x);
/* Room for places below `cap`, in a table at most half full. `items` has `count` entered items. ERR_NOMEM:
 * nothing has changed. */
int labels_index_reserve(
    struct labels_index *x, const void *items, size_t item_size, size_t count, size_t cap);
/* Its place, or SIZE_MAX. */
size_t labels_index_find(
    const struct labels_index *x, const void *items, size_t item_size, const struct labels *labels);
/* Enters the item at `place`, whose labels are not there yet and for which there is room. */
void labels_index_add(struct labels_index *x, const void *items, size_t item_size, size_t place);
/* Forgets all and enters the first `count` items: after items were moved or taken out. */
void labels_index_fill(struct labels_index *x, const void *items, size_t item_size, size_t count);

#endif
