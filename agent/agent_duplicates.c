/* By hash first, so that a job of many targets costs a sort. */
#include "agent_duplicates.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

struct identity {
    uint64_t hash;
    size_t index;
};

static int by_hash(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_same(const struct target_options *a, const struct target_options *b)
{
    return strcmp(a->url, b->url) == 0 && labels_eq(a->labels, b->labels);
}

/* Marks all but the first of each kind; how many are marked. */
static size_t mark(
    const struct target_options *items, const struct identity *all, size_t count, bool *again)
{
    size_t marked = 0;
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; !again[all[i].index] && k-- > 0 && all[k].hash == all[i].hash;) {
            again[all[i].index] = is_same(&items[all[k].index], &items[all[i].index]);
        }
        marked += again[all[i].index];
    }
    return marked;
}

int agent_duplicates_sort_out(
    struct target_options *items, size_t count, struct arena *arena, size_t *unique_out)
{
    struct arena_mark before = arena_mark(arena);
    *unique_out = count;
    if (count < 2) {
        return 0;
    }
    struct identity *all = arena_calloc(arena, count, sizeof(*all));
    bool *again = arena_calloc(arena, count, sizeof(*again));
    if (all == NULL || again == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        all[i].hash = hash64(items[i].url, strlen(items[i].url), labels_hash(items[i].labels));
        all[i].index = i;
    }
    qsort(all, count, sizeof(*all), by_hash);
    size_t marked = mark(items, all, count, again);
    struct target_options *rest = marked > 0 ? arena_calloc(arena, marked, sizeof(*rest)) : NULL;
    if (marked > 0 && rest == NULL) {
        return ERR_NOMEM;
    }
    size_t kept = 0, moved = 0;
    for (size_t i = 0; i < count; i++) {
        if (again[i]) {
            rest[moved++] = items[i];
        } else {
            items[kept++] = items[i];
        }
    }
    for (size_t i = 0; i < moved; i++) {
        items[kept + i] = rest[i];
    }
    *unique_out = kept;
    arena_rewind(arena, before);
    return 0;
}
