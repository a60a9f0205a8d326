/* Deletes: what of the stored samples may not be seen any more.
 *
 * A *tombstone* is a selector, a range of times and a bound: it hides the samples of matching series in
 * that range from every part whose sequence is below the bound. Deleting seals the head first, so all
 * that was stored before lies in such parts, and what is written later in parts (or the head) that the
 * tombstone has nothing to say about. A merge leaves hidden samples out; its result has a sequence of
 * its own, above the bound. When no part below the bound holds matching series in the range, the
 * tombstone has done its work and goes.
 *
 * The list is <data>/TOMBSTONES, replaced as a whole, little-endian:
 *
 *     8  magic "SONDETOM"
 *     4  format version, 1
 *     8  highest bound ever given
 *     4  slices, then for each: 8 floor LSN
 *     uvarint count, then for each:
 *        8 bound, 8 created (ms), 8 first ms, 8 last ms,
 *        uvarint matchers, then for each: 1 type, name, value (each uvarint size, bytes)
 *     4  checksum32 of everything before
 *
 * The floors are those of the manifest when the last delete was recorded: should the manifest be lost,
 * the log up to them must not be replayed, or deleted samples came back as new ones. For the same
 * reason a sequence below the highest bound is never given again. The file stays when its last
 * tombstone has gone. Bounds ascend.
 *
 * Immutable after they are made, but for their references.
 */
#ifndef SONDE_DB_TOMBSTONE_H
#define SONDE_DB_TOMBSTONE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "head/freeze.h"
#include "index/index.h"
#include "model/matcher.h"

/* Deletes that are not purged yet; more are ERR_LIMIT. */
#define TOMBSTONES_MAX 10000
/* Matchers of one. */
#define TOMBSTONE_MATCHERS_MAX 1000
#define TOMBSTONES_FILE_MAX ((size_t)256 << 20)

/* Both ends included. */
struct time_range {
    int64_t min_t, max_t;
};

struct tombstone {
    _Atomic uint32_t references;
    uint64_t bound; /* parts with a lower sequence are meant */
    int64_t created_ms;
    struct time_range range;
    struct matcher **matchers;
    size_t matcher_count;
    /* The series that matched, of those the index knew when the parts were there. */
    struct index_selection selection;
};

/* A fixed list, in order of bounds. */
struct tombstone_list {
    _Atomic uint32_t references;
    uint64_t bound; /* the highest ever given */
    uint64_t floors[HEAD_SLICES];
    struct tombstone **items;
    size_t count;
};

/* Copies the matchers; not resolved yet. ERR_LIMIT, ERR_NOMEM. */
int tombstone_new(const struct matcher *const *matchers, size_t count, struct time_range range,
    struct tombstone **tombstone_out);
/* Accepts NULL. */
void tombstone_unref(struct tombstone *t);
/* Asks the index which series are meant: after all parts below the bound were opened. */
int tombstone_resolve(struct tombstone *t, struct index *index, struct err *e);
/* Is the series meant, whatever the time? */
bool tombstone_has(const struct tombstone *t, uint32_t target, uint32_t shape);
/* Has it anything to say of parts with this sequence and extent? */
bool tombstone_concerns(const struct tombstone *t, uint64_t sequence, int64_t min_t, int64_t max_t);

/* An empty list. */
int tombstone_list_new(struct tombstone_list **list_out);
struct tombstone_list *tombstone_list_ref(struct tombstone_list *l);
/* Accepts NULL. */
void tombstone_list_unref(struct tombstone_list *l);
/* `old` with `added` (referenced anew; NULL = none) and without those that `gone` names (`old->count`
 * flags; NULL = none) or that `added` says again. ERR_LIMIT, ERR_NOMEM. */
int tombstone_list_change(const struct tombstone_list *old, struct tombstone *added,
    const bool *gone, struct tombstone_list **list_out);

/* ---- What is hidden of one series of one part ---- */

/* The ranges in which some of `tombstones` hide the series, ascending and apart from one another, cut
 * to [min_t, max_t]; in the arena. *count_out 0 = nothing. */
int tombstones_ranges(const struct tombstone *const *tombstones, size_t tombstone_count,
    uint32_t target, uint32_t shape, struct time_range within, struct arena *arena,
    const struct time_range **ranges_out, size_t *count_out);
/* Is all of `within` hidden? */
bool ranges_cover(const struct time_range *ranges, size_t count, struct time_range within);
/* Samples of one column in time order; `values` or `histograms` may be NULL. */
struct sample_arrays {
    const int64_t *times;
    const double *values;
    const struct str *histograms;
    size_t count;
};
/* Without those in `ranges`; copies in the arena when there are any. 0, or the arena's error. */
int ranges_filter(const struct time_range *ranges, size_t range_count, struct arena *arena,
    struct sample_arrays *samples);

/* ---- The file ---- */

void tombstone_list_encode(const struct tombstone_list *l, struct strbuf *out);
/* Not resolved. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOMEM. */
int tombstone_list_decode(struct str bytes, struct tombstone_list **list_out, struct err *e);
/* ERR_NOT_FOUND when there is none. */
int tombstone_list_load(
    struct vfs *fs, const char *path, struct tombstone_list **list_out, struct err *e);
/* Durable when it returns 0. After an error the file holds the old or the new list. */
int tombstone_list_store(
    struct vfs *fs, const char *path, const struct tombstone_list *l, struct err *e);

#endif
