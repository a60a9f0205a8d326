/* What the files of the queue share. Private to agent/ship. */
#ifndef SONDE_SHIP_QUEUE_PRIVATE_H
#define SONDE_SHIP_QUEUE_PRIVATE_H

#include "ship/queue.h"
#include "ship/queue_cursor.h"
#include "ship/queue_segment.h"

/* A record that found no place on the disk. */
struct queue_memory_record {
    struct queue_record record;
    char *bytes;
};

/* Places of the destinations of two configurations, while one takes the place of the other. */
#define QUEUE_PLACES_MAX ((size_t)2 * QUEUE_CURSORS_MAX)

/* A record in the hands of its destination. */
struct queue_held {
    uint64_t sequence, samples;
    bool done;            /* and others before it are not */
    bool dropped;         /* by the queue, meanwhile */
    enum queue_drop drop; /* why */
};

/* Where one destination stands. */
struct queue_place {
    bool is_open;
    struct queue_cursor_file file;
    uint64_t next;    /* all records before it are done with, or dropped */
    uint64_t ahead;   /* sequence handed out next: `next`, or behind those that are held */
    uint64_t segment; /* first sequence of the segment that is open for reading */
    uint64_t offset;  /* of the record `ahead` in it, or where to look */
    struct vfs_file *reading;
    /* The record that peek gave and that is not held; sequence 0 = none. */
    struct queue_held peeked;
    uint64_t peeked_end;                    /* offset behind it; 0 = it is in memory */
    struct queue_held held[QUEUE_HELD_MAX]; /* ascending */
    size_t held_count;
    struct queue_cursor_statistics statistics;
    struct strbuf buffer;
};

struct queue {
    struct queue_options options;
    char path[QUEUE_PATH_MAX];
    struct vfs_file *lock_file;
    struct queue_segment *segments; /* ascending; the last may be open for writing */
    size_t segment_count, segment_cap;
    struct vfs_file *writing;
    uint64_t next_sequence;
    struct queue_memory_record *memory; /* ascending, behind everything on disk */
    size_t memory_count, memory_cap, memory_bytes;
    struct queue_place cursors[QUEUE_PLACES_MAX];
    uint64_t appended_samples;
    struct strbuf record;
    struct queue_statistics statistics;
    uint64_t unsynced_from; /* first sequence of the oldest segment with bytes to sync; 0 = none */
    bool names_changed;     /* files were made or removed since the directory was synced */
};

/* Opens the places of q->options.cursors. */
int queue_open_cursors(struct queue *q, struct err *e);
/* Frees what a place holds, which is empty then. */
void queue_close_place(struct queue *q, struct queue_place *c);
/* Unlinks a segment; what stays is found again at the next start. */
void queue_remove_segment(struct queue *q, uint64_t first_sequence);
/* No more is appended to the segment that is open for writing, if there is one. */
void queue_end_segment(struct queue *q);
/* The first place from `*i` on that is in use, and its index; NULL: there is none. */
static inline struct queue_place *queue_next_place(struct queue *q, size_t *i)
{
    while (*i < QUEUE_PLACES_MAX && !q->cursors[*i].is_open) {
        (*i)++;
    }
    return *i < QUEUE_PLACES_MAX ? &q->cursors[*i] : NULL;
}
/* The lowest sequence that a destination wants; what comes next when there is none. */
uint64_t queue_slowest(const struct queue *q);
/* Samples that a destination which wants `next` has before it; headers are read where a segment is
 * partly taken. */
uint64_t queue_count_waiting(struct queue *q, uint64_t next);
/* The destination goes on at `next`: what lies before it is dropped. */
void queue_skip_to(struct queue *q, struct queue_place *c, uint64_t next, enum queue_drop reason);
/* Writes q->record to the disk. An error leaves no trace but, at worst, damaged bytes at the end of a
 * segment that takes no more. */
int queue_append_to_disk(struct queue *q, const struct queue_record *record);
/* Takes the first `count` records in memory off the list; their bytes are freed already. */
void queue_drop_front(struct queue *q, size_t count);

#endif
