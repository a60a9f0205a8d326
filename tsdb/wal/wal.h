/* The write-ahead log: what an acknowledged commit rests on until a part holds its rows.
 *
 * Files: <path>/<sequence, 8 digits>.wal, each a header and frames. A *frame* is one group of
 * commits: header {magic, payload size, plain size, LSN, checksum32} and a zstd-1 payload of
 * records. One frame is written by one append, so a commit is in the log whole or not at all. The
 * LSN numbers frames and grows over the life of the store.
 *
 * Every segment stands alone: definitions (targets, shapes, columns) are written again before their
 * first use in a segment, and rows are coded against the previous row of their target *in the same
 * segment*. So segments may be deleted one by one and replayed without one another.
 *
 * The writer is used by one thread at a time: the leader of a group commit (tsdb/head/commit.c)
 *
 *     wal_begin; wal_add_row, wal_add_histogram, ... ; wal_write
 *
 * while wal_sync, wal_delete_through and wal_statistics may be called from any thread beside it. With
 * `background_sync` a thread of its own syncs what was written each second.
 *
 * Failure: when an append or a sync fails the segment is dead (no further byte goes to it; the torn
 * frame is cut off if the disk lets us). wal_write returns the error; the caller may begin the same
 * frame again, which starts a new segment. Frames that were acknowledged before, but not synced when
 * the sync failed, may be gone from the disk: `wal_unsafe` says so until the caller has sealed them
 * into a part and calls wal_delete_through.
 */
#ifndef SONDE_WAL_WAL_H
#define SONDE_WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"
#include "model/sample.h"
#include "tsdb/column.h"
#include "tsdb/tsdb.h"

/* Plain records of one frame; a commit beyond it is ERR_LIMIT. */
#define WAL_FRAME_PLAIN_MAX ((size_t)256 << 20)
#define WAL_SEGMENT_BYTES_DEFAULT ((size_t)64 << 20)

/* ---- Writing ---- */

/* Where the writer finds definitions when a segment needs them: called inside wal_add_*, in the
 * caller's thread, with no lock of the WAL held. */
struct wal_dictionary {
    /* Labels of a target or shape: borrowed, live as long as the dictionary. Two targets may have
     * equal labels (tables of one target). */
    const struct labels *(*target_labels)(struct wal_dictionary *dictionary, uint32_t target);
    const struct labels *(*shape_labels)(struct wal_dictionary *dictionary, uint32_t shape);
    /* Columns [first, first + count) of a target. Columns never change and are never removed. */
    void (*columns)(struct wal_dictionary *dictionary, uint32_t target, uint32_t first,
        uint32_t count, struct column *columns_out);
};

struct wal_options {
    const char *path; /* the directory; made when missing; borrowed */
    struct vfs *vfs;
    struct clock *clock;
    enum wal_sync_policy policy;
    size_t segment_bytes; /* 0 = WAL_SEGMENT_BYTES_DEFAULT; a frame begun below it may cross it */
    bool background_sync; /* a thread that syncs each second (policy WAL_SYNC_EVERY_SECOND) */
    uint64_t first_lsn;   /* LSNs of this writer are >= this */
    struct wal_dictionary *dictionary;
};

struct wal;

/* Opens for writing, after replay. The first frame makes a new segment; old ones are only listed
 * (with their LSN ranges, read from their frames' headers) so that they can be deleted. */
int wal_open(const struct wal_options *options, struct wal **wal_out, struct err *e);
/* Syncs (unless the policy is never) and closes. Accepts NULL. */
void wal_close(struct wal *w);
/* As a crash would: no sync, nothing written. */
void wal_abandon(struct wal *w);

/* Starts a frame. 0, ERR_IO, ERR_NO_SPACE ... when a new segment is due and cannot be made. */
int wal_begin(struct wal *w, uint64_t lsn, struct err *e);
/* One row, or a part of one: cells of `target` at `t_ms`. `columns` strictly ascend, count > 0. Any
 * order of times. Errors of the wal_add functions stick in the frame: wal_write returns them. */
void wal_add_row(struct wal *w, uint32_t target, int64_t t_ms, const uint32_t *columns,
    const double *values, size_t count);
/* A cell of a histogram column: bytes of histogram_encode. */
void wal_add_histogram(
    struct wal *w, uint32_t target, int64_t t_ms, uint32_t column, struct str bytes);
void wal_add_metadata(
    struct wal *w, struct str metric, enum metric_type type, struct str help, struct str unit);
void wal_add_exemplar(struct wal *w, uint32_t target, uint32_t column, int64_t t_ms, double value,
    const struct label *labels, size_t count);
/* Compresses and appends the frame; syncs when `sync` or the policy says so. 0: the frame is
 * written (and synced). An error: it is not acknowledged and is cut off the segment; only where the
 * disk refused the sync or the cut may it still be found by a replay, as after any write whose
 * outcome a failing disk leaves open. A frame without records writes nothing. */
int wal_write(struct wal *w, bool sync, struct err *e);
/* Drops the frame begun. The segment stays usable (baselines are restored, or it is closed). */
void wal_cancel(struct wal *w);

/* Syncs all that was written. From any thread. */
int wal_sync(struct wal *w, struct err *e);
/* Ends the current segment; the next frame begins a new one. Writer's thread only. */
int wal_rotate(struct wal *w, struct err *e);
/* Deletes ended segments all of whose frames have LSN <= lsn, oldest first, stopping at the first
 * that must stay: what remains is always a suffix of the log (replay in order stays right). Clears
 * `wal_unsafe` when all frames it was about are covered. From any thread. */
int wal_delete_through(struct wal *w, uint64_t lsn, struct err *e);
/* Acknowledged frames may be missing from the disk: seal, then delete through. */
bool wal_unsafe(struct wal *w);

struct wal_statistics {
    uint64_t segments;                           /* on disk, the current one included */
    uint64_t bytes;                              /* of all segments */
    uint64_t frames, plain_bytes, written_bytes; /* by this writer */
    uint64_t syncs, failed_segments;
    uint64_t last_lsn, synced_lsn;
    uint64_t memory; /* baselines and buffers */
};
void wal_statistics(struct wal *w, struct wal_statistics *statistics_out);

/* ---- Replay ---- */

/* Called in log order; a non-zero return stops the replay, which hands it back. Ids are those of the
 * writer and mean something inside one segment only: `segment` says forget them all. Everything is
 * borrowed for the call. What arrives is checked: ids are defined, columns exist and ascend, label
 * sets are sorted and unique. Callbacks may be NULL. */
struct wal_handler {
    void *context;
    int (*segment)(void *context, uint64_t sequence);
    int (*target)(void *context, uint32_t target, const struct label *labels, size_t count);
    int (*shape)(void *context, uint32_t shape, const struct label *labels, size_t count);
    int (*columns)(void *context, uint32_t target, uint32_t first, const struct column *columns,
        uint32_t count);
    int (*row)(void *context, uint64_t lsn, uint32_t target, int64_t t_ms, const uint32_t *columns,
        const double *values, size_t count);
    int (*histogram)(void *context, uint64_t lsn, uint32_t target, int64_t t_ms, uint32_t column,
        struct str bytes);
    int (*metadata)(void *context, uint64_t lsn, struct str metric, enum metric_type type,
        struct str help, struct str unit);
    int (*exemplar)(void *context, uint64_t lsn, uint32_t target, uint32_t column, int64_t t_ms,
        double value, const struct label *labels, size_t count);
};

struct wal_replay_statistics {
    uint64_t segments, frames, rows, samples;
    uint64_t corrupt_frames;  /* skipped: bad checksum or bad records inside; damaged headers */
    uint64_t damaged_headers; /* segments whose frames were read in spite of it */
    uint64_t lost_rows;       /* whole, but coded against something a damaged frame took along */
    uint64_t truncated_bytes; /* cut off the newest segment's torn tail */
    uint64_t last_lsn;        /* highest seen, 0 when none */
};

/* Replays all segments in order of sequence. A torn tail of the newest segment is cut (when `repair`,
 * also on disk); a bad frame elsewhere is skipped to the next magic with a good checksum and counted; a segment whose
 * header is damaged is read all the same.
 * ERR_IO, ERR_NOMEM, ERR_UNSUPPORTED (a newer format), or what a callback returned; never an error
 * for damage. */
int wal_replay(struct vfs *fs, const char *path, bool repair, const struct wal_handler *handler,
    struct wal_replay_statistics *statistics_out, struct err *e);

/* ---- Tools ---- */

/* Checks one segment; findings are lines in `report`. ERR_CORRUPT when there are any. */
int wal_segment_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out);
/* Frames and records of one segment as text. */
int wal_segment_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e);

#endif
