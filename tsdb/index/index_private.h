/* What index.c (dictionaries), index_select.c (matchers), index_strings.c (names and values) and
 * index_activity.c (series in memory) share.
 */
#ifndef SONDE_INDEX_INDEX_PRIVATE_H
#define SONDE_INDEX_INDEX_PRIVATE_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "index/index.h"
#include "index/posting_list.h"
#include "index/stable_array.h"

/* A hash table of positions in some array: open addressing, linear probing, at most half full. A slot
 * keeps 32 bits of the hash so that most misses cost no look at the entry. */
struct id_table_slot {
    uint32_t tag;
    uint32_t id_plus_one; /* 0 = free */
};

struct id_table {
    struct id_table_slot *slots;
    uint32_t mask; /* slots - 1; 0 slots when NULL */
    uint32_t used;
};

/* One value of one name. */
struct index_value {
    struct str text; /* inside the label set that brought it first */
    struct posting_list ids;
    uint32_t active; /* ids that have series (index_activity.c) */
    uint32_t series; /* of metric names only */
};

/* One label name of one side. Values are found by hash, and scanned in order of arrival by readers
 * without the lock: `value_count` is stored with release after the value is complete. */
struct index_name {
    struct str text;
    struct posting_list ids;    /* all ids that have the name */
    struct stable_array values; /* struct index_value */
    _Atomic uint32_t value_count;
    uint32_t active_values; /* values with `active` > 0 */
    struct id_table table;
};

struct index_entry {
    const struct labels *labels;
    uint32_t series; /* in the head's tables */
};

struct side {
    struct stable_array entries; /* struct index_entry */
    _Atomic uint32_t count;
    struct id_table table;
    struct stable_array names; /* struct index_name */
    uint32_t name_count;
    struct id_table name_table;
    size_t label_bytes;
};

struct index {
    struct lock lock; /* rank INDEX: everything below, but for what is published by counts */
    uint64_t seed;    /* of the tables: label values come from strangers */
    struct side sides[2];
    uint64_t series;      /* counted by index_count_series */
    _Atomic bool overlap; /* a label name occurs on both sides */
};

/* With the lock held. NULL when the side has no such name, or the name no such value. */
struct index_name *index_name_find(struct index *ix, struct side *side, struct str name);
struct index_value *index_value_find(struct index *ix, struct index_name *name, struct str value);

static inline struct index_value *index_value_at(const struct index_name *name, uint32_t i)
{
    return stable_array_at(&name->values, i);
}

static inline struct index_name *index_name_at(const struct side *side, uint32_t i)
{
    return stable_array_at(&side->names, i);
}

#endif
