/* What one target exposed before: from the text of a series to its encoded labels, and which series
 * have vanished since.
 *
 * A scrape repeats its lines in the same order nearly always, so each line is compared first
 * with the one that came there in the last scrape (series_cache_peek, series_cache_take); as long as
 * all of them match nothing is written down but the value, in the entry itself. A hash table catches what
 * moved, and the order is followed on from there. Only a series never seen is parsed.
 *
 *   series_cache_begin     a scrape begins
 *   peek, take, find,      its lines, in order
 *   add, mark
 *   series_cache_scraped   all of it was read: its series, to be sent
 *   series_cache_settle    what it leaves behind: which series vanished, which are forgotten
 *   series_cache_step
 *
 * A target may have millions of series, and its scrapes wait for nobody: no function but the steps walks over all
 * of them, and a step does as much as it is told. One thread.
 */
#ifndef SONDE_SCRAPE_SERIES_CACHE_H
#define SONDE_SCRAPE_SERIES_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Series of one target. */
#define SERIES_CACHE_MAX ((size_t)4 << 20)
/* Of the text of one series, and of its labels. */
#define SERIES_TEXT_MAX ((size_t)4 << 20)

/* One block with the text behind it, as it stands in the exposition, and behind that the encoded final labels:
 * there is one for each series, and each scrape walks over them all. */
struct series_entry {
    uint32_t text_size;
    uint32_t labels_size : 26;
    bool own_timestamp : 1; /* its samples carry their own time: no stale markers */
    bool histogram : 1;     /* its last sample was a native histogram */
    bool live : 1;          /* its last sample was not a stale marker */
    bool dropped : 1;       /* by relabelling: known, and not sent */
    bool waiting : 1;       /* among those that may be forgotten soon */
    uint32_t hash;          /* of the text */
    uint32_t
        generation; /* of the scrape that marked it last, or that had it last before it vanished */
    uint32_t position; /* in the order of the last good scrape; SERIES_NOWHERE: not there */
    uint32_t exemplar; /* hash of the one sent last; 0: none was */
    double value;      /* in the scrape being read: believed once all of it is read */
};

#define SERIES_NOWHERE UINT32_MAX

static inline struct str series_entry_text(const struct series_entry *e)
{
    return str_make((const char *)(e + 1), e->text_size);
}

static inline struct str series_entry_labels(const struct series_entry *e)
{
    return str_make((const char *)(e + 1) + e->text_size, e->labels_size);
}

typedef void (*series_cache_vanished)(void *context, struct series_entry *entry);

struct series_list {
    struct series_entry **items;
    size_t count, cap;
};

/* Open addressing. */
struct series_table {
    struct series_entry **slots;
    size_t cap;
};

struct series_cache {
    struct series_table table;
    struct series_table narrow; /* the one before, while its entries move over */
    size_t moved;               /* slots of it that have */
    size_t count;
    size_t entry_bytes;         /* of all blocks, as the allocator gives them */
    struct series_list order;   /* of the last good scrape */
    struct series_list next;    /* of the scrape being read, once it has left that */
    struct series_list waiting; /* not in the order: to be forgotten, unless they come back */
    size_t expected;            /* index into the order: the line that should come next */
    size_t followed; /* how far the order was followed line by line; known once it was left */
    bool exact;      /* it still is: all lines so far were the expected ones */
    int lost;        /* why a line could not be written down; 0: none was lost */
    uint32_t generation;
    enum {
        SERIES_SETTLED,
        SERIES_END_MISSING, /* those of the last order that this scrape has not */
        SERIES_PLACE,       /* positions in the new order */
        SERIES_END_ALL,     /* of a failed scrape: all that are live */
        SERIES_KEEP_NEW,    /* of a failed scrape: series that are in no order */
        SERIES_FORGET,
    } settling;
    size_t at, kept; /* in the list that is walked over */
    uint64_t hits, misses;
    uint64_t seed;
};

void series_cache_init(struct series_cache *c, uint64_t seed);
void series_cache_release(struct series_cache *c);
/* All memory it holds. */
size_t series_cache_bytes(const struct series_cache *c);

/* A scrape begins; the one before has settled. */
void series_cache_begin(struct series_cache *c);
/* The entry that should come next, or NULL. */
static inline struct series_entry *series_cache_peek(const struct series_cache *c)
{
    return c->expected < c->order.count ? c->order.items[c->expected] : NULL;
}
/* Asks memory for the entry that will be peeked at so many lines on: a scrape goes through more than any cache
 * holds. */
#define SERIES_CACHE_AHEAD 6
static inline void series_cache_prefetch(const struct series_cache *c)
{
    if (c->expected + SERIES_CACHE_AHEAD < c->order.count) {
        const char *ahead = (const char *)c->order.items[c->expected + SERIES_CACHE_AHEAD];
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
    }
}
/* The entry of a text seen before, or NULL. To be marked. */
struct series_entry *series_cache_find(struct series_cache *c, struct str text);
/* A new entry; both strings are copied. NULL when memory or a limit is exhausted. */
struct series_entry *series_cache_add(
    struct series_cache *c, struct str text, struct str labels_bytes);
/* The scrape has this series (once): 1, 0 when it had it already, ERR_NOMEM when that cannot be kept: the
 * scrape has to fail. */
int series_cache_mark(struct series_cache *c, struct series_entry *entry);
/* The line was the one that series_cache_peek gave: it counts as marked. 0 or ERR_NOMEM. */
static inline int series_cache_take(struct series_cache *c)
{
    int status = c->exact ? 1 : series_cache_mark(c, c->order.items[c->expected]);
    c->expected++;
    c->hits++;
    return status < 0 ? status : 0;
}

/* The series marked so far, in order. Valid until the next line, or the first step. */
static inline struct series_entry *const *series_cache_scraped(
    const struct series_cache *c, size_t *count_out)
{
    *count_out = c->exact ? c->expected : c->next.count;
    return c->exact ? c->order.items : c->next.items;
}

/* The scrape is over. Good: its series are the last good scrape from now on; entries that were live and
 * are not in it vanish, and are forgotten when two more scrapes go without them. Else all live entries vanish,
 * and those of the last good scrape are kept as the best guess for the next one. What vanishes is not live any
 * more. To be gone on with by steps. */
void series_cache_settle(struct series_cache *c, bool good);
/* Looks at up to `entries` entries; true when the scrape has settled. */
bool series_cache_step(
    struct series_cache *c, size_t entries, series_cache_vanished vanished, void *context);

#endif
