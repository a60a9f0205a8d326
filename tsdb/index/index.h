/* Two dictionaries with inverted indexes: targets and shapes.
 *
 * Each side gives an id to a label set; ids count up from 0 and are never reused while the index lives. Postings say for a label name and value which ids have it. A matcher is a question to
 * the side that owns the label, so its cost follows targets and shapes, never series.
 *
 * The value of a label of a series is its target's when the target has the label, else its shape's,
 * else "". A store reopened with other identity labels may hold a label on both sides; the selection
 * below stays right then.
 *
 * What nothing holds any more leaves in the next sweep (below), and is an unknown label set from then on.
 *
 * Any thread. One lock (rank INDEX) guards dictionaries and postings. Label sets and slices handed out
 * live as long as an id that has them is held, has series in memory, or a pin from before is there.
 * Patterns run outside the lock, on unique values only, and what they found is remembered.
 */
#ifndef SONDE_INDEX_INDEX_H
#define SONDE_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "index/id_set.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/querier.h"

/* Ids of one side; beyond it ERR_LIMIT. */
#define INDEX_IDS_MAX ((uint32_t)1 << 30)
/* Rectangles of one selection; more than one comes only from labels on both sides. */
#define INDEX_RECTANGLES_MAX 256

enum index_side { INDEX_TARGETS, INDEX_SHAPES };

struct index;

int index_new(struct index **index_out);
void index_free(struct index *ix);

/* The id of a label set (sorted by name, unique, values not empty), made when new. */
int index_add(struct index *ix, enum index_side side, const struct label *labels, size_t count,
    uint32_t *id_out);
/* 1 and the id, or 0. */
int index_find(struct index *ix, enum index_side side, const struct label *labels, size_t count,
    uint32_t *id_out);
/* Borrowed; `id` was handed out by this index and has not left. Lock-free. */
const struct labels *index_labels(const struct index *ix, enum index_side side, uint32_t id);
/* The labels of the series (target, shape), sorted; the target's win. `pairs_out` has room for
 * 2 * LABELS_COUNT_MAX. Returns how many there are. */
size_t index_series_labels(
    const struct index *ix, uint32_t target, uint32_t shape, struct label *pairs_out);
/* Ids handed out so far, those that have left included; and those that have not. */
uint32_t index_count(const struct index *ix, enum index_side side);
uint32_t index_live(struct index *ix, enum index_side side);
size_t index_memory(struct index *ix);
/* Does any label name occur on both sides? Then different pairs of target and shape may be the same
 * series. */
bool index_sides_overlap(struct index *ix);

/* A series (target, shape) matches when for one rectangle target and shape are in its sets. The
 * rectangles of a selection are disjoint. */
struct index_rectangle {
    struct id_set *targets;
    struct id_set *shapes;
};

struct index_selection {
    struct index_rectangle *rectangles;
    size_t count;
};

/* Which series could match, of those known when it runs; whether a target has a shape at all is not
 * the index's knowledge. No matcher: one rectangle of everything. */
int index_select(struct index *ix, const struct matcher *const *matchers, size_t count,
    struct index_selection *selection_out, struct err *e);
/* Is the series in it? */
bool index_selection_has(const struct index_selection *s, uint32_t target, uint32_t shape);
void index_selection_release(struct index_selection *s);

/* Label names of the given ids of one side, added to a list that may hold doubles and is not sorted;
 * ids NULL = all of the side. */
struct index_strings {
    struct str *items;
    size_t count, cap;
};
int index_label_names(
    struct index *ix, enum index_side side, const struct id_set *ids, struct index_strings *names);
/* Values of one name among the given ids, likewise. */
int index_label_values(struct index *ix, enum index_side side, struct str name,
    const struct id_set *ids, struct index_strings *values);
void index_strings_release(struct index_strings *s);

/* ---- What leaves ----
 *
 * An id is of use while a part or a reader holds it, or while it has series in memory (below). A sweep
 * lets go of those that are not. It must not run while somebody is between index_add of an id and its
 * first hold or series; that is the caller's to see to.
 */

/* One hold of each id, and one less; `ids` may name an id several times. */
void index_hold(struct index *ix, enum index_side side, const uint32_t *ids, size_t count);
void index_unhold(struct index *ix, enum index_side side, const uint32_t *ids, size_t count);
/* Lets ids go, looking at most at `ids_max` that may be of no use. Returns whether more are to be looked
 * at. What they weigh is freed by this or a later call, when every pin of before is gone. */
bool index_sweep(struct index *ix, uint32_t ids_max);
/* Whoever looks at label sets, names or values of ids that nothing else keeps there. */
uint64_t index_pin(struct index *ix);
void index_unpin(struct index *ix, uint64_t pin);

/* ---- Series in memory: what limits go by and what statistics show ----
 *
 * The index knows label sets of everything stored, years back. Which pairs of target and shape are
 * series in the head's tables now is told to it here, and counted at the ids: a value is *active* while
 * an id that has it has series. */

/* A series was made, or let go; each once. */
void index_count_series(struct index *ix, uint32_t target, uint32_t shape);
void index_uncount_series(struct index *ix, uint32_t target, uint32_t shape);
uint64_t index_series_count(struct index *ix);
uint32_t index_series_of(struct index *ix, enum index_side side, uint32_t id);
uint32_t index_series_of_metric(struct index *ix, struct str metric);
/* Active values of a label name, and whether one value is active. */
uint32_t index_active_values(struct index *ix, struct str name);
bool index_value_is_active(struct index *ix, struct str name, struct str value);

/* Series of each id of each side, when others than those in memory are meant. */
struct index_series_counts {
    const uint32_t *by_id[2];
    uint32_t ids[2]; /* higher ids have none */
};
/* Calls back for each value that has series (`counts`; NULL = in memory) with the number of its series,
 * the values of one name of one side one after the other; a non-zero return stops and is handed back. A label that occurs on both sides
 * is counted on both. No lock is held during the call; slices live as long as the caller's pin. */
struct index_value_count {
    struct str name, value;
    uint64_t series;
};
int index_each_active_value(struct index *ix, const struct index_series_counts *counts,
    int (*callback)(void *context, const struct index_value_count *value), void *context);

#endif
