/* The queue on disk: finished requests wait here until every destination has taken them.
 *
 * One log of segments, appended at one end and read by each destination at its own cursor. A record
 * is a whole request body, compressed already: what is read is what is sent. Nothing is lost by a
 * kill of the process; a power cut loses at most what was not synced (the owner decides when).
 *
 * Bounds are always on: bytes, age, and a floor of free disk space. Over a bound the oldest segment
 * goes, and what was dropped is counted from the headers, exactly. Damage never stops it: a bad
 * record is stepped over, counted, and the next good one searched. A disk that fails turns the queue
 * into one in memory of bounded size, and says so.
 *
 * One thread owns it.
 */
#ifndef SONDE_SHIP_QUEUE_H
#define SONDE_SHIP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"

#define QUEUE_SEGMENT_BYTES_DEFAULT ((uint64_t)16 << 20)
#define QUEUE_BYTES_MAX_DEFAULT ((uint64_t)1 << 30)
#define QUEUE_AGE_MAX_MS_DEFAULT ((int64_t)24 * 3600 * 1000)
#define QUEUE_FREE_FLOOR_DEFAULT ((uint64_t)512 << 20)
/* Kept in memory while the disk fails. */
#define QUEUE_MEMORY_BYTES_MAX ((size_t)8 << 20)
#define QUEUE_PAYLOAD_MAX ((size_t)32 << 20)
#define QUEUE_CURSORS_MAX 8
#define QUEUE_SEGMENTS_MAX 65536
/* Records that a destination holds at a time, with those that are done while one before them is not. */
#define QUEUE_HELD_MAX 256

/* What the payloads of a queue are; each record says it, and where samples are counted, spans are. */
enum queue_cargo {
    QUEUE_SAMPLES = 1, /* remote write 1.0 under snappy */
    QUEUE_SPANS = 2,   /* OTLP's TracesData under gzip */
};

struct queue_options {
    const char *path; /* its directory; made when missing; borrowed */
    struct vfs *vfs;
    struct clock *clock;
    uint64_t segment_bytes, bytes_max; /* 0 = default */
    int64_t age_max_ms;                /* 0 = default */
    uint64_t free_floor_bytes;         /* 0 = default; stop growing below it */
    enum queue_cargo cargo;            /* 0 = samples */
    const char *const *cursors;        /* a name for each destination: letters, digits, - and _ */
    size_t cursor_count;
};

struct queue_record {
    uint64_t sequence;
    uint32_t samples;
    int64_t min_t, max_t; /* of its samples */
    struct str payload;   /* borrowed until the next call on the queue */
};

enum queue_drop {
    QUEUE_DROP_SIZE,
    QUEUE_DROP_AGE,
    QUEUE_DROP_DISK,
    QUEUE_DROP_CORRUPT,
    QUEUE_DROP_COUNT
};

struct queue_statistics {
    uint64_t bytes, segments;
    uint64_t records, samples; /* not yet taken by the slowest destination */
    int64_t oldest_t;          /* lowest sample time of the oldest record waiting; 0 when none */
    uint64_t
        dropped_samples[QUEUE_DROP_COUNT]; /* of the destination that lost most by each reason */
    uint64_t corrupt_bytes;
    bool in_memory; /* the disk fails */
};

/* One destination's view: waiting at the start + appended = taken + waiting + dropped, always. */
struct queue_cursor_statistics {
    uint64_t samples;        /* waiting */
    uint64_t missed_samples; /* appended before it was added */
    uint64_t dropped_samples[QUEUE_DROP_COUNT];
};

struct queue;

/* Never refuses to start for damage. ERR_LOCKED: another agent uses the directory; ERR_PERMISSION …
 * with a sentence. */
int queue_open(const struct queue_options *options, struct queue **queue_out, struct err *e);
/* Writes the cursors, syncs, closes. Accepts NULL. */
void queue_close(struct queue *q);

/* One more destination, which has as much before it as the slowest of the others: one that takes the place of
 * another begins where that one stood. `*cursor_out` is its index until it is removed. ERR_LIMIT, ERR_IO …
 * with a sentence. */
int queue_add_cursor(struct queue *q, const char *name, size_t *cursor_out, struct err *e);
/* The destination is forgotten, and its file with it. */
void queue_remove_cursor(struct queue *q, size_t cursor);
/* Other bounds from now on; 0 = default. Enforced by the next queue_maintain. */
void queue_set_bounds(
    struct queue *q, uint64_t bytes_max, int64_t age_max_ms, uint64_t free_floor_bytes);

/* Appends one request body. Always 0 or ERR_NOMEM, ERR_LIMIT (payload too large): a failing disk
 * moves the queue to memory instead. */
int queue_append(
    struct queue *q, struct str payload, uint32_t samples, int64_t min_t, int64_t max_t);
/* The next record of a destination, behind those that it holds: 1, or 0 when there is none. */
int queue_peek(struct queue *q, size_t cursor, struct queue_record *record_out);
/* The destination takes the record that peek gave into its hands, with others perhaps, of which it may be done
 * in any order; the cursor goes past what has nothing undone before it, so that a kill repeats records but loses
 * none. False: it holds QUEUE_HELD_MAX. */
bool queue_hold(struct queue *q, size_t cursor);
/* The destination is done with a record that it holds (delivered, or refused for good). One that was dropped
 * meanwhile counts as taken after all, and no other is skipped for it. */
void queue_done(struct queue *q, size_t cursor, uint64_t sequence);
/* Holds the record that peek gave, and is done with it. */
void queue_advance(struct queue *q, size_t cursor);
/* Enforces bounds, deletes what all have taken, writes cursors when they moved. Call each second. */
void queue_maintain(struct queue *q);
/* Nothing waits and no cursor is to be written: until the next append there is nothing to maintain but ages. */
bool queue_is_idle(const struct queue *q);
/* Makes durable what some destination waits for, and the cursors with it; while all have everything there is
 * nothing to lose, and no disk is made to work. Blocks on the disk. */
int queue_sync(struct queue *q);
/* The same in three steps, so that the disk need not be waited for: begin and end on the queue's
 * thread, run on any (it touches nothing of the queue). End frees `sync` and returns what queue_sync
 * would have. Begin: 0, `*sync_out` NULL when there is nothing to run and to end; ERR_NOMEM, ERR_LIMIT, or the
 * error of a cursor that cannot be written. */
struct queue_sync;
int queue_sync_begin(struct queue *q, struct queue_sync **sync_out);
void queue_sync_run(struct queue_sync *sync);
int queue_sync_end(struct queue *q, struct queue_sync *sync);
void queue_statistics(const struct queue *q, struct queue_statistics *statistics_out);
void queue_cursor_statistics(
    const struct queue *q, size_t cursor, struct queue_cursor_statistics *statistics_out);

#endif
