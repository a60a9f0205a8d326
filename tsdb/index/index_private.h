/* What index.c (dictionaries), index_select.c (matchers), index_strings.c (names and values) and
 * index_activity.c (series in memory), index_leave.c (what leaves) and index_pattern.c (patterns on
 * values) share.
 */
#ifndef SONDE_INDEX_INDEX_PRIVATE_H
#define SONDE_INDEX_INDEX_PRIVATE_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "index/id_table.h"
#include "index/index.h"
#include "index/posting_list.h"
#include "index/stable_array.h"

/* One value of one name. */
struct index_value {
    struct str text; /* inside the label set of one of `ids`; NULL: the slot is free */
    struct posting_list ids;
    uint32_t active; /* ids that have series (index_activity.c) */
    uint32_t series; /* of metric names only; of a free slot the next free one + 1 */
};

/* One label name of one side. Values are found by hash. Names are never removed: one without ids keeps a
 * text of its own. */
struct index_name {
    struct str text;            /* inside the label set of one of `ids`, or own_text */
    char *own_text;             /* owned, mostly NULL */
    struct posting_list ids;    /* all ids that have the name */
    struct stable_array values; /* struct index_value, by slot */
    uint32_t slot_count;
    uint32_t free_slot;     /* + 1; 0 = none */
    uint32_t meanings;      /* while it stands, a slot means the same value, or none */
    uint32_t active_values; /* values with `active` > 0 */
    struct id_table table;
};

struct index_entry {
    const struct labels *labels; /* NULL once it left and nobody looks at it any more */
    uint32_t series;             /* in the head's tables */
    uint32_t holds;
};

/* Ids that left, whose label sets somebody may still look at. */
struct left_ids {
    uint32_t *ids;
    size_t count, cap;
};

struct side {
    struct stable_array entries; /* struct index_entry */
    _Atomic uint32_t count;
    struct id_table table;
    struct stable_array names; /* struct index_name */
    uint32_t name_count;
    struct id_table name_table;
    size_t label_bytes;
    struct id_set *candidates; /* ids that may have become of no use to anybody */
    struct left_ids left[2];   /* by generation, modulo 2 */
    uint32_t left_count;       /* in all */
};

/* Patterns whose values were found before; see index_pattern.c. */
#define INDEX_PATTERNS_MAX 64

struct pattern_entry {
    const struct index_name *name; /* NULL: nothing is here */
    char *pattern;                 /* owned */
    uint32_t *slots;               /* of the values that match; owned */
    uint32_t count, cap;
    uint32_t scanned;  /* slots below it were looked at */
    uint32_t meanings; /* of the name, then */
    uint64_t used;     /* the count of look-ups when it was used last */
};

struct index {
    struct lock lock; /* rank INDEX: everything below, but for what is published by counts */
    uint64_t seed;    /* of the tables: label values come from strangers */
    struct side sides[2];
    uint64_t series;     /* counted by index_count_series */
    uint64_t generation; /* of pins */
    uint32_t pins[2];    /* of this generation and the one before, modulo 2 */
    struct pattern_entry patterns[INDEX_PATTERNS_MAX];
    uint64_t pattern_uses, pattern_hits;
    size_t pattern_slots; /* room of all patterns */
    _Atomic bool overlap; /* a label name occurs on both sides */
};

/* With the lock held. NULL when the side has no such name, or the name no such value. */
struct index_name *index_name_find(struct index *ix, struct side *side, struct str name);
struct index_value *index_value_find(
    struct index *ix, const struct index_name *name, struct str value);
/* Its slot, or UINT32_MAX. */
uint32_t index_value_slot(struct index *ix, const struct index_name *name, struct str value);

/* Hashes of what is there already, for tables that grow or shrink; `context` is an
 * index_hash_context. */
struct index_hash_context {
    const struct index *ix;
    const struct side *side;
    const struct index_name *name;
};
uint64_t index_entry_hash(const void *context, uint32_t id);
uint64_t index_name_hash(const void *context, uint32_t id);
uint64_t index_value_hash(const void *context, uint32_t id);

int index_pairs_hash(
    const struct index *ix, const struct label *labels, size_t count, uint64_t *hash_out);

/* Ids of a name whose value the pattern matches, added to `into`. Takes the lock, in turns. */
int index_add_pattern(
    struct index *ix, struct index_name *name, const struct matcher *m, struct id_set *into);
void index_patterns_release(struct index *ix);

static inline struct index_value *index_value_at(const struct index_name *name, uint32_t i)
{
    return stable_array_at(&name->values, i);
}

static inline struct index_name *index_name_at(const struct side *side, uint32_t i)
{
    return stable_array_at(&side->names, i);
}

#endif
