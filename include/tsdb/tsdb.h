/* The store as a whole: open, write, read, maintain, close.
 *
 * One process holds a data directory at a time (a lock file says so). All functions may be called
 * from any thread except open and close. The store starts no threads of its own but the WAL's
 * writer: maintenance is a step that the server's maintenance thread calls, and tests call with a
 * clock they move.
 */
#ifndef SONDE_TSDB_TSDB_H
#define SONDE_TSDB_TSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/matcher.h"
#include "tsdb/appender.h"
#include "tsdb/limits.h"
#include "tsdb/querier.h"

struct tsdb;

enum wal_sync_policy {
    WAL_SYNC_EVERY_SECOND, /* written before the answer, synced each second: survives kill -9 */
    WAL_SYNC_ALWAYS,       /* synced before the answer: survives a power cut */
    WAL_SYNC_NEVER,        /* written before the answer, synced by the kernel when it likes */
};

/* How much of the disk is free: see disk_low_bytes and disk_refuse_bytes. */
enum disk_level { DISK_GOOD, DISK_LOW, DISK_FULL };

/* How long the series that match are kept: 0 = for ever. */
struct tsdb_retention_rule {
    const struct matcher *const *matchers;
    size_t matcher_count;
    int64_t keep_ms;
};

/* Downsampled tiers: buckets of 5 minutes and of an hour that outlive the samples they were made of.
 * Of each series and bucket count, sum, least, greatest, first and last sample and the increase; with
 * sketches also the distribution (of what is not a counter), for quantile_over_time. */
enum tsdb_tier { TSDB_TIER_5M, TSDB_TIER_1H, TSDB_TIERS };

struct tsdb_tier_options {
    bool enabled;
    bool sketches;
    int64_t retention_ms; /* 0 = for ever */
};

/* What is done otherwise for the series that match; the first rule that does counts. It is applied when
 * buckets are made; what is on disk stays as it was made. */
struct tsdb_tier_rule {
    const struct matcher *const *matchers;
    size_t matcher_count;
    struct tsdb_tier_options tiers[TSDB_TIERS];
};

struct tsdb_options {
    const char *path;     /* data directory; made when missing */
    struct vfs *vfs;      /* NULL = vfs_posix() */
    struct clock *clock;  /* NULL = clock_real() */
    int64_t retention_ms; /* 0 = for ever */
    uint64_t
        retention_bytes; /* of parts and log: oldest days go first, never the newest; 0 = any */
    /* Free bytes of the disk below which merges stop and, with retention_bytes, the oldest days go; and
     * below which writes are ERR_NO_SPACE. 0 = not watched. */
    uint64_t disk_low_bytes, disk_refuse_bytes;
    int64_t scrub_bytes_per_second; /* files are read again and again for damage; 0 = never */
    uint64_t ballast_bytes; /* reserved while there is room, released at low water; 0 = none */
    /* The first that matches says how long, instead of retention_ms; copied. At most 63. */
    const struct tsdb_retention_rule *retention_rules;
    size_t retention_rule_count;
    int64_t seal_interval_ms; /* rows become a part after this; default 30 min */
    int64_t future_limit_ms;  /* samples further ahead are refused; default 10 min; 0 = any */
    enum wal_sync_policy sync_policy;
    size_t wal_segment_bytes; /* default 64 MiB */
    /* What tsdb_delete_series hides is gone from the disk after this; default 24 h. */
    int64_t purge_after_ms;
    bool read_only; /* for tools: no WAL writer, no lock, nothing changes */
    /* Labels that make up a target (see tsdb/head/README.md); NULL = the default list. */
    const char *const *identity_labels;
    size_t identity_label_count;
    struct series_limits limits; /* all 0: none */
    /* With a tier enabled, samples are deleted by whole days, when they are older than retention_ms and
     * durable in every enabled tier. Rules are borrowed while the store is open. */
    struct tsdb_tier_options tiers[TSDB_TIERS];
    const struct tsdb_tier_rule *tier_rules;
    size_t tier_rule_count;
    /* Exemplars are kept for themselves. 0 = for ever; how many of one series in a minute, 0 = any. */
    int64_t exemplar_retention_ms;
    uint32_t exemplars_per_minute;
};

/* Replays what is there. On failure a sentence that says what to do: locked by another server, not
 * writable, newer format. A torn WAL tail, an unlisted part or a corrupt record never stops it:
 * counted in tsdb_statistics and logged by the caller. */
int tsdb_open(const struct tsdb_options *options, struct tsdb **db_out, struct err *e);
/* Seals the head, so that the next open has nothing to replay, and releases everything. All
 * queriers and appenders must be closed. The sentence of a failure to seal goes to `e` (may be
 * NULL); nothing is lost by it. Accepts NULL. */
int tsdb_close(struct tsdb *db, struct err *e);
/* As a crash would: without sealing. For tests. */
void tsdb_abandon(struct tsdb *db);

struct querier_source *tsdb_querier_source(struct tsdb *db);
struct appender_source *tsdb_appender_source(struct tsdb *db);

/* One step of housekeeping: seal what is due, merge, expire by retention, delete covered WAL. Call
 * every few seconds. *did_work_out says whether there may be more to do at once. */
int tsdb_maintain(struct tsdb *db, bool *did_work_out, struct err *e);
/* Seal and merge everything now; returns when done (POST /api/v1/admin/tsdb/compact). */
int tsdb_compact(struct tsdb *db, struct err *e);
/* Hides what is stored of the series that match, with min_t <= t <= max_t, from every querier opened
 * from now on, durably. What is written later is seen, also at the same times. Seals the head first.
 * ERR_LIMIT: too many deletes wait to be purged; ERR_IO, ERR_NO_SPACE: nothing was deleted, or a
 * restart may show that it was. */
int tsdb_delete_series(struct tsdb *db, const struct matcher *const *matchers, size_t count,
    int64_t min_t, int64_t max_t, struct err *e);
/* Takes what is deleted out of the files now. */
int tsdb_clean_tombstones(struct tsdb *db, struct err *e);
/* For caches of answers. Whatever changes what queriers read (a commit, a delete, an expiry) has a
 * number; this is the last one, and a querier opened after the call sees all of them. */
uint64_t tsdb_data_version(struct tsdb *db);
/* The smallest time of a sample that came, changed or went after that number, INT64_MAX when none
 * did, INT64_MIN when that was too long ago to know. May be smaller than the truth, never larger.
 * From any thread. */
int64_t tsdb_changed_since(struct tsdb *db, uint64_t version);
/* From this time on answers are made of samples, for as long as the clock stands still; before it buckets
 * of tiers may stand for some, and what a query sees of a bucket depends on where the query begins.
 * INT64_MIN for a store without tiers, or where samples are kept for ever. From any thread. */
int64_t tsdb_samples_from(struct tsdb *db);
/* Waits until all that is committed is synced. */
int tsdb_sync(struct tsdb *db, struct err *e);

struct span_store;

struct tsdb_snapshot_options {
    struct span_store *spans; /* the store of traces that lies beside it, or NULL */
    bool parts_only;          /* without the logs: what is in no file yet is left out */
};
/* Makes `dest` a store of its own: hard links to the parts and the log, so it must lie on the disk of
 * the store, <data>/snapshots/<name> by custom; cheap, beside reads and writes. `dest` must be empty
 * or not there (ERR_EXISTS). Complete or absent. All that was acknowledged before the call is in it.
 * `options` NULL: samples alone, all of them. */
int tsdb_snapshot(
    struct tsdb *db, const char *dest, const struct tsdb_snapshot_options *options, struct err *e);

/* Metadata of metrics: calls back for each (metric, type, help, unit), in metric order; slices live
 * during the call. `metric` with len 0 = all. */
struct metric_metadata {
    struct str metric;
    enum metric_type type;
    struct str help, unit;
};
int tsdb_metadata(struct tsdb *db, struct str metric,
    int (*callback)(void *context, const struct metric_metadata *metadata), void *context);

/* Replaces the limits; series that are there stay. From any thread. */
void tsdb_set_limits(struct tsdb *db, const struct series_limits *limits);
/* While memory is short no new series is made (limit `memory`). From any thread. */
void tsdb_set_memory_short(struct tsdb *db, bool is_short);
/* Gives memory back: seals all that can be sealed, empties caches. */
int tsdb_relieve(struct tsdb *db, struct err *e);

/* As the last step of housekeeping found it. From any thread. */
enum disk_level tsdb_disk_level(const struct tsdb *db);

struct tsdb_statistics {
    uint64_t targets, shapes, series; /* in the head's tables */
    uint64_t samples_appended, samples_repeated, samples_refused;
    uint64_t head_rows, head_bytes;
    uint64_t part_count, part_bytes, part_samples;
    uint64_t wal_segments, wal_bytes, wal_syncs;
    uint64_t wal_corrupt_records, wal_truncated_bytes, parts_quarantined;
    uint64_t replayed_samples;
    int64_t replay_ms;
    int64_t min_t, max_t; /* of everything stored; min_t > max_t when empty */
    uint64_t seals, merges, expired_parts;
    uint64_t scrubbed_bytes;
    uint64_t disk_level, disk_free_bytes; /* enum disk_level; 0 when not watched */
    uint64_t manifest_rebuilds;           /* 1: the list of parts was lost, and made anew at open */
    uint64_t tombstones;                  /* deletes that are not purged yet */
    uint64_t tombstones_lost;        /* 1: the list of deletes was damaged and set aside at open */
    uint64_t tier_parts, tier_bytes; /* part_count and part_bytes have them too */
    uint64_t tier_builds;            /* days rolled up since the store was opened */
    uint64_t exemplars_taken, exemplars_refused; /* refused: out of order, or beyond a limit */
    uint64_t exemplar_files_damaged;             /* left out of answers and merges */
    uint64_t limit_refused[SERIES_LIMIT_COUNT]; /* series a limit refused, each time it was asked */
};
void tsdb_statistics(struct tsdb *db, struct tsdb_statistics *statistics_out);

/* What a sealed part is, for people. The slice lives during the call. */
struct tsdb_part_about {
    struct str name; /* below the data directory, "raw/19700/p-00000007" */
    int64_t min_t, max_t;
    uint64_t samples, bytes;
    uint32_t level;        /* how often it was merged */
    int64_t resolution_ms; /* of a downsampled tier; 0 = raw */
};
/* Calls back for each part that is listed now, the oldest first, without a lock; a non-zero return stops and is
 * handed back. */
int tsdb_each_part(struct tsdb *db,
    int (*callback)(void *context, const struct tsdb_part_about *part), void *context);

/* ---- Tools ---- */

/* Checks every file: checksums, bounds, order, that every listed part is there, and where samples and
 * tiers are both there, that these are what those say. Findings are lines
 * appended to `report`; *problem_count_out counts them. Works on a directory not in use. */
int tsdb_verify(const struct tsdb_options *options, struct strbuf *report,
    uint64_t *problem_count_out, struct err *e);
/* Sizes of each part and of what they are made of, and the `top` metrics of most series. Reads every
 * sample. Works on a directory not in use. */
int tsdb_stats(const struct tsdb_options *options, size_t top, struct strbuf *out, struct err *e);
/* Human-readable content of a store, a part file, a WAL segment or the manifest, by path. */
int tsdb_dump(const struct tsdb_options *options, const char *path, bool with_samples,
    struct strbuf *out, struct err *e);

#endif
