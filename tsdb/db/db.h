/* The store's own view of itself: what the files of this room share. */
#ifndef SONDE_DB_DB_H
#define SONDE_DB_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "db/disk_guard.h"
#include "db/manifest.h"
#include "db/retention.h"
#include "db/store_part.h"
#include "db/tombstone.h"
#include "exemplar/exemplar_store.h"
#include "head/head.h"
#include "index/index.h"
#include "part/part.h"
#include "tsdb/tsdb.h"
#include "wal/wal.h"

#define DAY_MS ((int64_t)86400000)
/* Runs and timestamps read lately, shared by all parts. */
#define DB_CACHE_BYTES ((size_t)64 << 20)

/* A fixed set of parts, in order of precedence, and what is deleted of them; immutable, shared by
 * reference count. */
struct store_view {
    _Atomic uint32_t references;
    struct store_part **parts;
    /* Of a raw part the tiers that have all of it, 1 << enum store_tier; with 1 << STORE_RAW its day was
     * deleted before, and it came late. */
    uint8_t *covered;
    int64_t raw_from; /* the first day of raw parts begins here; INT64_MAX when there are none */
    /* The last day whose samples were deleted ends here, and the last of which a rule took some out;
     * INT64_MIN when there is none. */
    int64_t closed_through, thinned_through;
    size_t count;
    struct tombstone_list *tombstones;
};

/* Where the background look at the files is. */
struct scrub {
    uint64_t sequence; /* of the part it is at */
    struct part_scrub at;
    int64_t last_ms, allowance; /* monotonic; bytes that may be read now */
};

/* Files of exemplars that were found damaged, by their sequence. */
struct exemplar_damage {
    struct lock lock; /* rank LEAF */
    uint64_t *sequences;
    size_t count, cap;
};

struct tsdb {
    struct tsdb_options options;
    char *path;
    struct str *identity_labels;
    size_t identity_label_count;
    struct vfs *fs;
    struct clock *clock;
    struct vfs_file *lock_file;
    struct index *index;
    struct index *tier_shapes; /* shapes of tiers' columns (tier/tier_columns.h); no targets */
    struct head *head;
    struct exemplar_store *exemplars;
    struct exemplar_damage exemplar_damage;
    struct wal *wal;
    struct part_cache *cache;
    struct querier_source querier_source;

    /* Rank MAINTENANCE: one seal, merge or delete at a time. */
    struct lock maintenance_lock;
    struct manifest manifest;
    struct freeze *unsealed[HEAD_SLICES]; /* frozen, but the part is not listed yet */
    struct freeze **published;            /* sealed, waiting for older queriers to close */
    size_t published_count, published_cap;
    int64_t sealed_ms[HEAD_SLICES]; /* monotonic: when a slice was last sealed */
    int64_t tidied_ms, exemplars_tidied_ms;
    struct retention retention;
    int64_t tier_rebuilt_ms; /* monotonic: when a tier was last built again */
    struct disk_guard disk;
    struct scrub scrub;
    uint64_t exemplar_sequence;    /* of the next file */
    uint64_t metadata_saved;       /* changes that the metadata file has */
    struct tombstone_list *loaded; /* at open, until the view has it */
    bool tombstones_unsure;        /* the file may differ from the view's list */
    uint64_t tombstones_tidied;    /* version of the view in which no tombstone was done */

    /* Rank VIEW. */
    struct lock view_lock;
    struct store_view *view;
    uint64_t version; /* of the view; grows with each */

    uint64_t split; /* hash of the identity labels */
    bool resplit;   /* the log was written with others: all slices must be sealed together */
    struct wal_replay_statistics replay;
    int64_t replay_ms;
    uint64_t manifest_rebuilds, tombstones_lost; /* at open: 0 or 1 */
    _Atomic uint64_t disk_level, disk_free_bytes, scrubbed_bytes;
    _Atomic uint64_t merge_bytes_copied, merge_bytes_peak; /* in all; by the last merge */
    _Atomic uint64_t seals, merges, expired_parts, parts_quarantined, tier_builds;
};

/* <data>/<name>; `buffer` has DB_PATH_MAX bytes. ERR_LIMIT when it is too long. */
int db_path(const struct tsdb *db, const char *name, char *buffer);
/* The file of a part, and its directory. */
int db_part_path(const struct tsdb *db, const struct manifest_part *part, char *buffer);
int db_part_directory(const struct tsdb *db, const struct manifest_part *part, char *buffer);
/* Makes a directory whose parent is there, durably: its name survives a power cut. */
int db_make_directory(struct tsdb *db, const char *path);
/* Floor division: 1969-12-31 is day -1. */
int64_t db_day_of(int64_t t_ms);

/* An empty view with room for `count` parts, and a reference to the list. ERR_NOMEM. */
int store_view_new(size_t count, struct tombstone_list *tombstones, struct store_view **view_out);
struct store_view *store_view_ref(struct store_view *v);
void store_view_unref(struct store_view *v);
/* The current view, referenced. */
struct store_view *db_view(struct tsdb *db);

/* ---- Steps of maintenance; the lock is held ---- */

/* Removes the parts of `gone` and adds `added` (references move to the store), with `floors` when not
 * NULL: first in the manifest, then for queriers. *version_out is that of the new view. On error
 * nothing has changed for queriers, and the new files may or may not be listed on disk: they stay. */
struct parts_change {
    struct store_part *const *gone;
    size_t gone_count;
    struct store_part *const *added;
    size_t added_count;
    const uint64_t *floors;
    const struct manifest_mark *marks;
    size_t mark_count;
    bool filtered; /* what is added lacks samples of what is gone that queriers saw */
};
int db_change_parts(
    struct tsdb *db, const struct parts_change *change, uint64_t *version_out, struct err *e);

/* The same parts for queriers opened from now on, with other deletes. ERR_NOMEM. */
int db_change_tombstones(struct tsdb *db, struct tombstone_list *tombstones);

/* Freezes slices (a bit each) and writes them to parts, listed together: all or none. */
#define SLICES_ALL ((1u << HEAD_SLICES) - 1)
int db_seal(struct tsdb *db, unsigned slices, struct err *e);
/* All that was committed before the call, also where an earlier sealing failed half way. */
int db_seal_head(struct tsdb *db, struct err *e);
/* The same, and the log it covers; takes the lock itself. */
int db_seal_all(struct tsdb *db, struct err *e);
/* What a merge takes, whatever the size of its inputs: buffers for one group (its times, 8 MiB where they
 * are full), one run, one page; and for each table that it reads or writes, its entry in the plan. What
 * its reader remembers (part/part_memory.h) comes on top. */
#define MERGE_BYTES_MAX ((size_t)48 << 20)
#define MERGE_BYTES_PER_TABLE ((size_t)512)
/* Merges parts of one day, neighbours in precedence, into one, without what is deleted; a single part
 * is written anew. When nothing is left there is no new part. */
int db_merge(
    struct tsdb *db, struct store_part *const *parts, size_t count, uint32_t level, struct err *e);
/* The same without the series that the filter names; NULL = none. */
int db_merge_filtered(struct tsdb *db, struct store_part *const *parts, size_t count,
    uint32_t level, const struct merge_filter *filter, struct err *e);
int db_open_part(struct tsdb *db, const char *path, const struct manifest_part *about,
    struct store_part **part_out, struct err *e);
/* Writes a part and opens it, listed nowhere yet. */
int db_write_part(struct tsdb *db, struct part_source *source, struct manifest_part *about,
    struct store_part **part_out, struct err *e);

/* ---- Retention (retention.c) ---- */

/* Drops what is due, by age, rule and size; when there was nothing, and `may_write`, one part that is
 * due in part is written anew. */
int db_expire(struct tsdb *db, bool may_write, bool *did_work, struct err *e);
/* The oldest raw day, unless it is the only one. */
int db_drop_oldest_day(struct tsdb *db, bool *did_work, struct err *e);

/* ---- A full disk (disk_guard.c) ---- */

/* When the head is there: looks for the ballast, and how much is free. */
void db_disk_open(struct tsdb *db);
/* Looks how much is free, keeps or releases the ballast, lets writes in or not. */
void db_disk_check(struct tsdb *db);
/* At low water, drops the oldest days when size retention is configured. */
int db_disk_make_room(struct tsdb *db, bool *did_work, struct err *e);

/* ---- Scrubbing (scrub.c) ---- */

/* As many stored bytes as the time since the last call allows. */
int db_scrub(struct tsdb *db, struct err *e);

/* ---- Deletes (series_delete.c) ---- */

/* Reads the list: before the parts are opened. What is damaged is set aside and counted. */
int db_tombstones_load(struct tsdb *db, struct err *e);
/* One part without what was deleted of it: those that are due, or all. *did_work says whether there
 * was one. */
int db_purge(struct tsdb *db, bool all, bool *did_work, struct err *e);
/* After a failure the file may hold a list that no querier was shown: it is put right before a merge
 * makes part of it come true. */
int db_tombstones_settle(struct tsdb *db, struct err *e);
/* Forgets tombstones that have done their work. */
int db_tombstones_tidy(struct tsdb *db, struct err *e);

/* ---- Tiers (tier_maintain.c) ---- */

/* Builds a tier of one day, merges or deletes files of tiers: one thing that is due. */
int db_tiers_step(struct tsdb *db, bool *did_work, struct err *e);
/* Writes a part of a tier anew without what was deleted: from raw samples, or where they are gone by
 * leaving out the buckets that a deleted range touches. */
int db_tiers_purge(struct tsdb *db, struct store_part *part, struct err *e);
/* A part cannot be read: if it is of a tier, and samples of its day may still be there, the tier has to be
 * built again before they may be deleted. 0 or ERR_NOMEM. */
int db_tiers_forget(struct manifest *m, const struct manifest_part *part);
/* Is any tier to be made? */
bool db_tiers_enabled(const struct tsdb *db);
/* Fills in what tiers cover of a new view, by its manifest. */
void db_tiers_note_coverage(const struct manifest *m, struct store_view *view);
/* The marks of a day whose samples are being deleted: at most STORE_TIERS; returns how many. */
int db_tiers_close_day(const struct tsdb *db, int64_t day, struct manifest_mark *marks_out);
/* Are the samples of a day durable in every tier that is to have them? */
bool db_tiers_cover(const struct tsdb *db, int64_t day);

/* ---- Reading ---- */

int db_querier_open(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e);

/* ---- Metadata file ---- */

#define METADATA_FILE_MAX ((size_t)2 << 30)
/* The content of the file into `m`. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOMEM. */
int db_metadata_decode(struct metadata *m, struct str bytes);
int db_metadata_load(struct tsdb *db, struct err *e);
int db_metadata_save(struct tsdb *db, struct err *e);

/* ---- Exemplars: exemplar_files.c ----
 *
 * <data>/exemplars/<day>/e-<sequence>, blocks of tsdb/exemplar. No manifest lists them: a file is complete
 * when it has its name, and what two of them hold twice is read once. */

/* Makes the store of exemplars in memory; finds out which sequence comes next. */
int db_exemplars_open(struct tsdb *db, struct err *e);
/* Before log up to `floor` is deleted: writes what only that log has. The maintenance lock is held. */
int db_exemplars_flush(struct tsdb *db, uint64_t floor, struct err *e);
/* Removes days beyond their retention, merges a day of many files. The maintenance lock is held. */
int db_exemplars_tidy(struct tsdb *db, bool *did_work, struct err *e);
/* Calls back with the path of each file of the days of [min_t, max_t]. */
int db_exemplars_each_file(const struct tsdb *db, int64_t min_t, int64_t max_t,
    int (*callback)(void *context, const char *path), void *context);

/* ---- Damaged files of exemplars: exemplar_damage.c ---- */

/* Files that are remembered; further ones are read, and found damaged, every time. */
#define EXEMPLAR_DAMAGE_MAX 4096
void db_exemplar_damage_init(struct tsdb *db);
void db_exemplar_damage_release(struct tsdb *db);
/* Remembers the file and names it in the log, once. */
void db_exemplar_damage_note(struct tsdb *db, uint64_t sequence, const char *path, const char *why);
bool db_exemplar_damage_has(struct tsdb *db, uint64_t sequence);
size_t db_exemplar_damage_count(struct tsdb *db);

/* ---- Replay ---- */

int db_replay(struct tsdb *db, struct err *e);

#endif
