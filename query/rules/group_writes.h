/* What one evaluation of a group writes: collected rule by rule, seen by the rules that follow
 * (group_view.h), committed at once at the end.
 *
 * A series has one sample a time. The first value stays: a different one for the same time is an error of
 * the rule that gave it, as in Prometheus, where the store refuses it. The end of a series (a stale
 * marker) gives way to a value from whatever rule, and never takes one away.
 *
 * One thread. Zeroed is not enough: group_writes_init.
 */
#ifndef SONDE_QUERY_GROUP_WRITES_H
#define SONDE_QUERY_GROUP_WRITES_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "rules/labels_index.h"
#include "tsdb/appender.h"

/* Samples of one evaluation. */
#define GROUP_WRITES_MAX ((size_t)1 << 26)

struct group_write {
    const struct labels *labels; /* a reference is held */
    int64_t t_ms;
    double value;
    const struct histogram *histogram; /* NULL: a float; in the evaluation's arena */
    uint32_t next_of_name;             /* the next write of the same metric + 1 */
    bool has_ref;
    struct series_ref ref; /* where the store has the series, when that is known */
};

struct group_writes {
    struct group_write *items;
    size_t count, cap;
    struct labels_index index;
    uint32_t *heads; /* by hash of the metric's name: the last write of it + 1 */
    size_t head_count;
    struct arena *arena;
};

/* Histograms are copied to `arena`. */
void group_writes_init(struct group_writes *w, struct arena *arena);
void group_writes_release(struct group_writes *w);
/* Forgets everything, keeps memory. */
void group_writes_reset(struct group_writes *w);

/* A sample. All of an evaluation have one time. The place of the write goes to *place_out (may be NULL).
 * ERR_EXISTS "duplicate sample for timestamp"; ERR_NOMEM, ERR_LIMIT. */
int group_writes_put(struct group_writes *w, const struct labels *labels, int64_t t_ms,
    double value, const struct histogram *histogram, size_t *place_out, struct err *e);

/* The writes of one metric, newest first: begins with the result, goes on with next_of_name - 1;
 * SIZE_MAX: none. May give writes of other metrics too, whose names share a slot. */
size_t group_writes_of_name(const struct group_writes *w, struct str name);

/* Appends and commits all. Samples that the store refuses one by one are counted. Places of series that
 * were asked for are noted in the writes. 0; what appender_commit says: nothing was written. */
int group_writes_commit(
    struct group_writes *w, struct appender_source *sink, uint64_t *refused_out, struct err *e);

#endif
