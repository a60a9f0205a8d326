/* Keys seen before, and the series they stand for.
 *
 * A steady sender names the same series in the same order with every request. So entries lie in order
 * of arrival, and each remembers which entry followed it last time: a sender in step costs one compare
 * of 16 bytes that are next in memory, no hash table. The table behind it is for everything else.
 *
 * Lookups take no lock: entries never move, and but for the hints only the series of a key changes, in
 * one store, when its table was let go and made anew; a grown table is published by its pointer, and the old one stays until the end (all of them together are no larger than the newest).
 *
 * Senders come and go, and so do their keys. A cache is not weeded but replaced: key_cache_renew makes
 * one of the entries that were used lately. Whoever works with the old one holds a reference.
 */
#ifndef SONDE_HEAD_KEY_CACHE_H
#define SONDE_HEAD_KEY_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/lock.h"
#include "index/stable_array.h"
#include "tsdb/appender.h"

/* Keys a cache holds; further ones are found through their labels. */
#define KEY_CACHE_ENTRIES_MAX ((uint32_t)1 << 28)

struct key_cache_entry {
    struct hash128 key;
    _Atomic uint64_t ref;  /* table << 32 | column */
    _Atomic uint32_t next; /* position of the entry that followed this one */
    _Atomic uint32_t seen; /* round in which it was used last */
};

struct key_cache_table;

struct key_cache {
    _Atomic uint32_t references;
    _Atomic uint32_t round;
    struct lock lock; /* rank LEAF: additions */
    struct stable_array entries;
    uint32_t count;
    struct key_cache_table *_Atomic table; /* newest first */
};

/* A cache is renewed for this many unused entries, if they are a quarter of it. */
#define KEY_CACHE_UNUSED_MIN 1024

/* "No entry yet": the cursor of a new sender. */
#define KEY_CACHE_START UINT32_MAX

/* NULL when memory is short. The reference is the caller's. */
struct key_cache *key_cache_new(void);
struct key_cache *key_cache_ref(struct key_cache *c);
void key_cache_unref(struct key_cache *c);
/* Begins a new round. When many entries were not used in this one or the one before: a cache of the
 * others, in their order; else, or when memory is short, NULL. */
struct key_cache *key_cache_renew(struct key_cache *c);
/* *cursor_inout is where the last lookup of this sender ended; 1 and the series, or 0. */
int key_cache_find(
    struct key_cache *c, struct hash128 key, uint32_t *cursor_inout, struct series_ref *ref_out);
/* Adds a key, or gives one that is there another series. A cache that is full or out of memory stays as it is: the key will
 * be found through its labels. */
void key_cache_add(
    struct key_cache *c, struct hash128 key, struct series_ref ref, uint32_t *cursor_inout);
size_t key_cache_memory(struct key_cache *c);

#endif
