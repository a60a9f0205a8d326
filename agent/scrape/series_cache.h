/* What one target exposed before: from the text of a series to its encoded labels, and which series
 * have vanished since.
 *
 * A scrape repeats its lines in the same order nearly always, so each line is compared first
 * with the one that came there in the last scrape (series_cache_peek, series_cache_take); as long as
 * all of them match nothing is written down at all. A hash table catches what moved, and the order is
 * followed on from there. Only a series never seen is parsed. One thread.
 */
#ifndef SONDE_SCRAPE_SERIES_CACHE_H
#define SONDE_SCRAPE_SERIES_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Series of one target. */
#define SERIES_CACHE_MAX ((size_t)4 << 20)

/* One block with the text behind it, as it stands in the exposition, and behind that the encoded final labels:
 * there is one for each series, and each scrape walks over them all. */
struct series_entry {
    uint32_t text_size, labels_size;
    uint32_t hash;       /* of the text */
    uint32_t generation; /* of the scrape that had it last */
    uint32_t position;   /* in the order of the last scrape that had it */
    bool own_timestamp;  /* its samples carry their own time: no stale markers */
    bool histogram;      /* its last sample was a native histogram */
    bool live;           /* its last sample was not a stale marker */
    bool dropped;        /* by relabelling: known, and not sent */
    uint64_t exemplar;   /* hash of the one sent last */
};

static inline struct str series_entry_text(const struct series_entry *e)
{
    return str_make((const char *)(e + 1), e->text_size);
}

static inline struct str series_entry_labels(const struct series_entry *e)
{
    return str_make((const char *)(e + 1) + e->text_size, e->labels_size);
}

struct series_cache {
    struct series_entry **slots; /* open addressing */
    size_t slot_cap, count;
    struct series_entry **order; /* of the last scrape */
    size_t order_count, order_cap;
    size_t expected;                  /* index into it: the line that should come next */
    bool exact;                       /* all lines so far were the expected ones */
    struct series_entry **next_order; /* of the scrape being read */
    size_t next_count, next_cap;
    uint32_t generation;
    uint64_t hits, misses;
    uint64_t seed;
};

void series_cache_init(struct series_cache *c, uint64_t seed);
void series_cache_release(struct series_cache *c);

/* A scrape begins. */
void series_cache_begin(struct series_cache *c);
/* The entry that should come next, or NULL. */
static inline struct series_entry *series_cache_peek(const struct series_cache *c)
{
    return c->expected < c->order_count ? c->order[c->expected] : NULL;
}
/* Asks memory for the entry that will be peeked at so many lines on: a scrape goes through more than any cache
 * holds. */
#define SERIES_CACHE_AHEAD 6
static inline void series_cache_prefetch(const struct series_cache *c)
{
    if (c->expected + SERIES_CACHE_AHEAD < c->order_count) {
        const char *ahead = (const char *)c->order[c->expected + SERIES_CACHE_AHEAD];
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
    }
}
/* The line was the one that series_cache_peek gave: it counts as marked. True when the series was not
 * in the scrape before. */
bool series_cache_take(struct series_cache *c);
/* The entry of a text seen before, or NULL. To be marked. */
struct series_entry *series_cache_find(struct series_cache *c, struct str text);
/* A new entry; both strings are copied. NULL when memory or the limit is exhausted. */
struct series_entry *series_cache_add(
    struct series_cache *c, struct str text, struct str labels_bytes);
/* The scrape has this series (once): false when it had it already. `*is_new_out` says that it was not
 * in the scrape before. 0 memory: the entry still counts, only its position is forgotten. */
bool series_cache_mark(struct series_cache *c, struct series_entry *entry, bool *is_new_out);
/* The scrape is over: calls `vanished` for each entry that was live and is not in it, then forgets
 * entries not seen for two scrapes. */
void series_cache_end(struct series_cache *c,
    void (*vanished)(void *context, struct series_entry *entry), void *context);
/* The scrape failed: all live entries vanish; what was marked since begin counts as not seen. Entries
 * of the last good scrape are kept for the next one. */
void series_cache_fail(struct series_cache *c,
    void (*vanished)(void *context, struct series_entry *entry), void *context);

#endif
