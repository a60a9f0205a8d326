/* The head: what was written lately, in memory, and the door through which it came.
 *
 * It owns the tables, the way from label sets to columns, the transactions of writers and the order of
 * their commits. It writes the WAL, and it knows nothing of parts: a freeze hands a slice of the
 * tables over to whoever writes one.
 *
 * Threads: any number of appenders and readers. Commits are grouped: the first to arrive leads, places
 * the cells of all that wait, writes one WAL frame, and publishes them by moving the visible LSN.
 */
#ifndef SONDE_HEAD_HEAD_H
#define SONDE_HEAD_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "exemplar/exemplar_store.h"
#include "head/change_log.h"
#include "head/freeze.h"
#include "head/metadata.h"
#include "head/table.h"
#include "index/id_bits.h"
#include "index/index.h"
#include "tsdb/appender.h"
#include "tsdb/column.h"
#include "tsdb/limits.h"
#include "wal/wal.h"

/* Timestamps further from 1970 than this (142 000 years) are refused: differences stay in 53 bits. */
#define SAMPLE_TIME_MAX ((int64_t)1 << 52)
/* Tables of one head. */
#define HEAD_TABLES_MAX ((uint32_t)1 << 28)

struct head_options {
    struct index *index; /* borrowed */
    /* Borrowed; NULL: exemplars are refused. */
    struct exemplar_store *exemplars;
    struct clock *clock;
    /* Sorted; which labels belong to targets. Borrowed. */
    const struct str *identity_labels;
    size_t identity_label_count;
    int64_t retention_ms;    /* older samples are refused; 0 = any age */
    int64_t future_limit_ms; /* samples further ahead are refused; 0 = any */
};

struct head;

int head_new(const struct head_options *options, struct head **head_out);
/* No appender, view or reader may be left. Accepts NULL. */
void head_free(struct head *h);

/* What the WAL asks for definitions. */
struct wal_dictionary *head_dictionary(struct head *h);
/* From now on commits are possible; `lsn` is the last one given so far. */
void head_start(struct head *h, struct wal *wal, uint64_t lsn);
/* Where appenders are opened. */
struct appender_source *head_appender_source(struct head *h);
struct metadata *head_metadata(struct head *h);
/* Commits note themselves there; so does the store what else changes answers. */
struct change_log *head_changes(struct head *h);

/* ---- Replay: one thread, before head_start ---- */

/* The column of a series, made when new; ids of the index. */
int head_column(struct head *h, uint32_t target, uint32_t shape, enum column_kind kind,
    struct series_ref *ref_out);
/* The column of floats of a series, by its labels (sorted, unique, not empty), made when new whatever
 * the limits say: what was acknowledged comes back. From any thread. */
int head_series(struct head *h, const struct label *labels, size_t count,
    struct series_ref *ref_out, struct err *e);
/* Does this label belong to targets? */
bool head_is_identity(const struct head *h, struct str name);
/* The target of a table, and the shape of one of its columns: ids of the index. False when the table
 * was let go. */
bool head_describe(
    struct head *h, struct series_ref ref, uint32_t *target_out, uint32_t *shape_out);
/* Arrays may be changed; columns strictly ascend. */
int head_replay_row(struct head *h, uint64_t lsn, uint32_t table, int64_t t_ms, uint32_t *columns,
    double *values, uint32_t count);
int head_replay_histogram(
    struct head *h, uint64_t lsn, uint32_t table, int64_t t_ms, uint32_t column, struct str bytes);
/* The slice of a target: by its labels, the same in every run. */
uint32_t head_slice(const struct labels *target_labels);

/* ---- Reading ---- */

/* A point of view that stays. Registered until closed: what it sees is kept for it. */
struct head_view {
    struct read_point point;
    uint64_t number; /* how many were opened before it */
    struct head_view *previous, *next;
};

void head_view_open(struct head *h, uint64_t version, struct head_view *view_out);
void head_view_close(struct head *h, struct head_view *view);
/* The lowest version of an open view; UINT64_MAX when there is none. */
uint64_t head_oldest_version(struct head *h);
uint64_t head_visible_lsn(struct head *h);

struct head_match {
    struct table *table;
    uint32_t target, shape; /* of the index */
    uint32_t column;
    enum column_kind kind;
    int64_t min_t, max_t; /* extent of the table's cells */
};

struct head_selection {
    const struct index_rectangle *rectangle;
    const struct read_point *point;
    int64_t min_t, max_t;
    /* For who asks which ids take part, not which pairs: ids known to do. Pairs of two known ones are
     * left out. The callback may add to them. Both NULL: none are left out. */
    const struct id_bits *known_targets, *known_shapes;
    int (*callback)(void *context, const struct head_match *match);
    void *context;
};

/* Calls back for each column of a table that could have cells of the rectangle for the reader in
 * [min_t, max_t]. No lock is held during the call; a non-zero return stops and is handed back. */
int head_select(struct head *h, const struct head_selection *selection);

/* ---- Sealing: the maintenance thread ---- */

/* Takes the states of one slice out of all tables. *lsn_out: the slice has no row up to it that is not
 * in the freeze, or was in an earlier one. *freeze_out is NULL when there was nothing. Waits for the
 * commit that is under way. */
int head_freeze(struct head *h, uint32_t slice, struct freeze **freeze_out, uint64_t *lsn_out);
void freeze_publish(struct freeze *f, uint64_t version);
/* Frees the states; nobody may need them any more. */
void head_freeze_drop(struct head *h, struct freeze *f);
/* Lets go of what served senders and targets that are gone. Now and then: what had no samples for
 * HEAD_IDLE_ROUNDS calls is gone. */
#define HEAD_IDLE_ROUNDS 3
void head_tidy(struct head *h);
/* Lets go of targets and shapes in the index that neither parts nor tables nor readers need. Nobody else
 * may be adding some beside writers: the caller holds up the opening of parts. */
void head_sweep_index(struct head *h);
/* Commits are ERR_NO_SPACE until told otherwise. From any thread. */
void head_refuse_writes(struct head *h, bool refuse);
/* Between the two no commit is under way: for what only the WAL's writer may do. */
void head_hold_writes(struct head *h);
void head_release_writes(struct head *h);

/* ---- Limits ---- */

/* From any thread, at any time. */
void head_set_limits(struct head *h, const struct series_limits *limits);
/* While it is so, no new series is made. */
void head_set_memory_short(struct head *h, bool is_short);
/* Stores how many samples limits have cost, when it is time or `now`; one thread at a time. */
int head_write_overflow(struct head *h, bool now, struct err *e);
/* Jobs whose new series are counted apart. */
#define HEAD_JOBS_MAX 4096
/* New series by job. The callback runs under a lock and must be short. */
int head_each_job(
    struct head *h, int (*callback)(void *context, const struct job_churn *churn), void *context);

struct head_statistics {
    uint64_t tables, columns;
    uint64_t rows;        /* open ones */
    uint64_t cells;       /* active, mini-blocks and late ones included */
    uint64_t memory;      /* all of it */
    uint64_t cell_memory; /* what a freeze would take away */
    uint64_t samples_appended, samples_repeated, samples_refused;
    int64_t min_t, max_t;
    uint64_t limit_refused[SERIES_LIMIT_COUNT];
};
void head_statistics(struct head *h, struct head_statistics *statistics_out);

#endif
