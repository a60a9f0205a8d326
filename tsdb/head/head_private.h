/* What the files of the head share. */
#ifndef SONDE_HEAD_HEAD_PRIVATE_H
#define SONDE_HEAD_HEAD_PRIVATE_H

#include <stdatomic.h>

#include "base/lock.h"
#include "head/head.h"
#include "head/key_cache.h"
#include "head/overflow.h"
#include "head/schema_pool.h"
#include "head/series_limits.h"
#include "head/series_map.h"
#include "index/stable_array.h"

struct commit;

/* The tables of one target of the index. */
struct target_tables {
    uint32_t first, last; /* table id + 1; 0 = none */
    uint32_t count;
};

struct head {
    struct head_options options;
    struct appender_source source;
    struct wal_dictionary dictionary;
    struct wal *wal;
    struct metadata metadata;
    struct lock cache_lock; /* rank LEAF: the pointer */
    struct key_cache *cache;
    struct limits limits;
    struct overflow overflow;

    /* Rank INDEX: making tables, and which target has which. */
    struct lock registry_lock;
    /* struct table *_Atomic, read without the lock below `table_count`; NULL once it was let go. */
    struct stable_array tables;
    _Atomic uint32_t table_count;
    struct stable_array targets; /* struct target_tables, by target id */
    uint32_t target_count;       /* elements that exist */
    struct series_map spread;    /* series of targets with more than one table */
    struct schema_pool schemas;  /* the maintenance thread's */

    /* Rank COMMIT: the queue, and who leads. */
    struct lock commit_lock;
    struct lock_condition commit_done;
    struct commit *queue_first, *queue_last;
    bool led; /* somebody leads, or holds commits up */
    /* Written by the leader. */
    uint64_t last_lsn;
    _Atomic uint64_t visible_lsn;

    /* Rank LEAF: open views, oldest first. */
    struct lock view_lock;
    struct head_view *views_first, *views_last;
    uint64_t views_opened;

    struct table *leaving; /* let go, but older views may look at them; the maintenance thread's */

    _Atomic bool refuses_writes; /* the disk is full */
    struct change_log changes;

    _Atomic uint64_t samples_appended, samples_repeated, samples_refused;
};

/* NULL when it was let go. What keeps a table from being freed is an open view, the registry lock, or
 * being the leader of a commit. */
static inline struct table *head_table(struct head *h, uint32_t id)
{
    struct table *_Atomic *slot = stable_array_at(&h->tables, id);
    return atomic_load_explicit(slot, memory_order_acquire);
}

static inline void head_set_table(struct head *h, uint32_t id, struct table *t)
{
    struct table *_Atomic *slot = stable_array_at(&h->tables, id);
    atomic_store_explicit(slot, t, memory_order_release);
}

/* Frees the tables that no view from `oldest_view` on can look at. */
void head_free_leaving(struct head *h, uint64_t oldest_view);
/* The cache of the moment, referenced. */
struct key_cache *head_cache(struct head *h);
/* The column, when it is there. */
bool head_find_column(struct head *h, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref *ref_out);
/* As head_series, within the limits: ERR_LIMIT with a sentence. */
int head_limited_series(struct head *h, const struct label *labels, size_t count,
    struct series_ref *ref_out, struct err *e);
/* Every open view, and every one opened from now on, has at least this LSN. */
uint64_t head_horizon(struct head *h);

/* Cells of one table at one time, of one commit. */
struct commit_run {
    uint32_t table;
    uint32_t first; /* in the commit's arrays */
    uint32_t count;
    uint32_t kept; /* after placing: what was not stored already */
    int64_t t_ms;
    bool placed;
    struct table_undo undo;
};

struct commit_histogram {
    uint32_t table, column;
    int64_t t_ms;
    struct str bytes; /* the transaction's */
    bool placed;
    struct table_undo undo;
};

struct commit_metadata {
    struct str metric, help, unit;
    enum metric_type type;
};

struct commit_exemplar {
    struct series_ref ref;
    int64_t t_ms;
    double value;
    const struct label *labels;
    size_t label_count;
    uint64_t key; /* of its series, and the labels, as the store of exemplars wants them */
    struct str encoded;
};

/* What a transaction hands to the leader. */
struct commit {
    struct commit *next;
    bool synced; /* wants to be on the platter */
    bool done;
    int status;
    struct err *e;
    struct commit_run *runs;
    size_t run_count;
    uint32_t *columns;
    double *values;
    struct commit_histogram *histograms;
    size_t histogram_count;
    struct commit_metadata *metadata;
    size_t metadata_count;
    struct commit_exemplar *exemplars;
    size_t exemplar_count;
    uint64_t repeated; /* counted while placing */
};

/* Returns when the commit is durable and visible, or has failed with nothing left of it. */
int head_commit(struct head *h, struct commit *c);

int head_appender_open(
    struct appender_source *source, struct appender **appender_out, struct err *e);

#endif
