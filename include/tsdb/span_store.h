/* The store of traces: spans in, traces and searches out.
 *
 *   span_store_open      replays what the log holds
 *   span_store_append    a message of OTLP: in the log, and seen by the next view, when it returns
 *   span_store_view      what there is now, fixed until it is closed
 *   span_view_trace      all spans of a trace, wherever they are
 *   span_view_pages      the pages that a search has to look at, newest first
 *   span_store_maintain  cuts blocks, merges them, lets old ones go
 *
 * Promises are the store's (design, section 4): what was acknowledged is in the log, synced as the policy
 * says; a block exists under its name only when complete and synced; what is on disk never changes;
 * damage costs a page, is told, and is never shown as data.
 *
 * Any thread may append and open views; a view is used by one thread at a time.
 */
#ifndef SONDE_TSDB_SPAN_STORE_H
#define SONDE_TSDB_SPAN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"
#include "model/span.h"
#include "tsdb/span_rule.h"
#include "tsdb/tsdb.h"
#include "wire/otlp_traces.h"

#define SPAN_STORE_RETENTION_MS_DEFAULT ((int64_t)14 * 24 * 3600 * 1000)
/* Spans wait for others of their traces so long before a block is cut, or until there are so many. */
#define SPAN_STORE_BLOCK_AGE_MS_DEFAULT ((int64_t)5 * 60 * 1000)
#define SPAN_STORE_BLOCK_SPANS_DEFAULT ((uint64_t)131072)
/* Of spans that are not in a block yet; beyond it appending answers ERR_BUSY. */
#define SPAN_STORE_HEAD_BYTES_DEFAULT ((uint64_t)512 << 20)
/* Memory of what searches have read of pages and may want again. */
#define SPAN_STORE_CACHE_BYTES_DEFAULT ((uint64_t)256 << 20)
/* Spans of one trace that are handed out; more are counted. */
#define SPAN_TRACE_SPANS_MAX ((size_t)1 << 20)

struct span_store;

/* Zero in a field means its default. */
struct span_store_options {
    struct vfs *fs;
    struct clock *clock;
    int64_t retention_ms;
    int64_t
        retention_errors_ms; /* of traces with a span whose status is an error; 0 = as all others */
    const struct span_retention_rule *retention_rules; /* copied */
    size_t retention_rule_count;
    uint64_t retention_bytes; /* of blocks: the oldest go first; 0 = any */
    int64_t
        future_limit_ms; /* spans that start further ahead of the clock are refused; 0 = any are taken */
    int64_t scrub_bytes_per_second; /* blocks are read again and again for damage; 0 = never */
    int64_t block_age_ms;
    uint64_t block_spans;
    uint64_t head_bytes;
    uint64_t cache_bytes;
    /* Whether an append waits for the disk; as the store's write-ahead log. */
    enum wal_sync_policy sync;
};

/* Opens or makes the store in directory `path`. ERR_LOCKED, ERR_IO …, with a sentence. */
int span_store_open(const char *path, const struct span_store_options *options,
    struct span_store **store_out, struct err *e);
/* Views are closed. Accepts NULL. */
void span_store_close(struct span_store *store);

struct span_append_counts {
    uint64_t spans; /* taken */
    uint64_t faults[OTLP_SPAN_FAULT_COUNT];
    uint64_t too_large; /* would not fit into a page */
    uint64_t too_new;   /* start beyond future_limit_ms */
    uint64_t too_old;   /* start before all that is kept, or at 0 */
};

/* Takes all spans of a message that have no fault and start in time. 0 when all that was taken is in the log; ERR_CORRUPT,
 * ERR_LIMIT: the message is refused as a whole; ERR_BUSY: too much waits to be written, send again;
 * ERR_NO_SPACE: the disk is full, ERR_IO: nothing was taken. ERR_NOMEM: some may have been; what is sent again is kept once. */
int span_store_append(struct span_store *store, struct str message, bool synced,
    struct span_append_counts *counts_out, struct err *e);

/* ---- Reading ---- */

struct span_view;
struct span_page;

int span_store_view(struct span_store *store, struct span_view **view_out, struct err *e);
void span_view_close(struct span_view *view);
/* The same pages as another view, which must be open: for traces whose texts need not live as long as that one. */
int span_view_again(const struct span_view *view, struct span_view **view_out, struct err *e);
/* Pages that were opened for traces and stay open, and in memory, until the view is closed. */
size_t span_view_open_pages(const struct span_view *view);

/* What is missing of an answer, in sentences that live as long as the view. */
size_t span_view_warnings(const struct span_view *view, const char *const **sentences_out);

struct span_trace {
    const struct otlp_span *spans; /* by start, then id; each once, though it came twice */
    size_t count;
    uint64_t left_out; /* beyond SPAN_TRACE_SPANS_MAX */
};

/* All spans of a trace, in `arena`; a count of 0 when there are none. Spans with equal resource numbers
 * share their resource, likewise scopes. Texts live as long as the view. ERR_NOMEM, ERR_IO, or the
 * arena's; damage is a warning. */
int span_view_trace(struct span_view *view, struct trace_id id, struct arena *arena,
    struct span_trace *trace_out, struct err *e);

/* Pages that may hold spans that start in [start_ns, end_ns], the one with the latest start first: when
 * the latest start of the next page lies before what has been found, no more need be looked at. */
struct span_pages;
int span_view_pages(struct span_view *view, uint64_t start_ns, uint64_t end_ns,
    struct span_pages **pages_out, struct err *e);
/* Before the first page: spans without this text as the value of this attribute are not wanted, and pages
 * that surely have none with it are skipped unread. Attributes are those of spans, of their resources, events
 * and links; SPAN_WANT_NAME stands for the name. Numbers are wanted by their decimal text. Pages that come may
 * have none either: it is for who asks to look. ERR_LIMIT beyond SPAN_WANTS_MAX: nothing is skipped for it. */
#define SPAN_WANTS_MAX 16
int span_pages_want(struct span_pages *pages, struct str key, struct str text);
/* 1 and the next page, good until the following call; 0 at the end. `latest_out`: no span of this page
 * and of those behind it starts later. Damaged pages are skipped with a warning. */
int span_pages_next(struct span_pages *pages, struct span_page **page_out, uint64_t *latest_out);
void span_pages_close(struct span_pages *pages);
/* No other page of the view has spans of this trace, which is in the page handed out last. False: perhaps one has. */
bool span_pages_alone(const struct span_pages *pages, struct trace_id id);

/* ---- Snapshots ---- */

/* Makes directory `dest`, whose parent is there, a store of its own: hard links to blocks and, `with_log`, to
 * the log, beside reads and writes; all that was acknowledged before is in it. What is made is not synced.
 * Used by tsdb_snapshot. */
int span_store_snapshot(struct span_store *store, const char *dest, bool with_log, struct err *e);

/* ---- Care ---- */

/* How much of the disk is free, as its owner looked just now; DISK_GOOD until somebody says otherwise. DISK_LOW:
 * nothing is merged and, with retention_bytes, the next step lets the oldest block go, but never the newest.
 * DISK_FULL: appends are refused with ERR_NO_SPACE, too. */
void span_store_set_disk_level(struct span_store *store, enum disk_level level);

/* The next step cuts a block of what is in memory, however little and young that is. Any thread. */
void span_store_cut_soon(struct span_store *store);

/* One step of what is due: a block cut, a merge, old blocks unlinked. 1 when there may be more at once, 0
 * when not, or an error. */
int span_store_maintain(struct span_store *store, struct err *e);

struct span_store_statistics {
    uint64_t head_spans, head_bytes;
    uint64_t blocks, block_bytes, block_spans, block_traces;
    uint64_t appended_spans, log_bytes, replayed_spans;
    uint64_t damaged_pages; /* found so, or blocks set aside, since it was opened */
    uint64_t scrubbed_bytes;
    uint64_t cut_spans, merged_spans;    /* written into blocks from memory, and from blocks */
    uint64_t start_min_ns, start_max_ns; /* of all spans that are there */
};
void span_store_statistics(struct span_store *store, struct span_store_statistics *statistics_out);

#endif
