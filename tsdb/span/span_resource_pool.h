/* Resources, decoded, once for all pages that have them: a fleet has few, and each page names most of them again,
 * fifty kilobytes of it.
 *
 * What is in the pool stays until it is released, up to a bound in bytes; then pages keep their own. Any thread.
 */
#ifndef SONDE_TSDB_SPAN_RESOURCE_POOL_H
#define SONDE_TSDB_SPAN_RESOURCE_POOL_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/str.h"
#include "model/span.h"

/* Of messages and what became of them. */
#define SPAN_RESOURCE_POOL_BYTES_MAX ((size_t)16 << 20)

struct span_pooled_resource {
    uint64_t hash;
    struct str raw; /* its message */
    struct span_resource resource;
};

struct span_resource_pool {
    struct lock lock; /* all that follows */
    struct arena arena;
    const struct span_pooled_resource **slots; /* open addressing, NULL = free */
    size_t count, cap;
};

void span_resource_pool_init(struct span_resource_pool *pool);
void span_resource_pool_release(struct span_resource_pool *pool);
/* 1 and the resource of that message and URL, put in if it is new; 0: there is no room for it; ERR_NOMEM or
 * ERR_CORRUPT. */
int span_resource_pool_find(struct span_resource_pool *pool, struct str raw, struct str schema_url,
    const struct span_pooled_resource **found_out);

#endif
