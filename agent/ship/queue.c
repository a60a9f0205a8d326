/* The queue on disk: segments, cursors, bounds, and the memory it falls back to. */
#include "ship/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ship/queue_cursor.h"
#include "ship/queue_segment.h"

/* A record that found no place on the disk. */
struct memory_record {
    struct queue_record record;
    char *bytes;
};

enum { MEMORY_RECORDS_MAX = 4096 };

struct cursor {
    struct queue_cursor_file file;
    uint64_t next;    /* sequence wanted next */
    uint64_t segment; /* first sequence of the segment that is open for reading */
    uint64_t offset;  /* of the record `next` in it, or where to look */
    struct vfs_file *reading;
    /* The record that peek gave and advance has not taken yet; sequence 0 = none. */
    uint64_t peeked, peeked_samples;
    uint64_t peeked_end;         /* offset behind it; 0 = it is in memory */
    enum queue_drop peeked_drop; /* why it was dropped, when `next` went past it */
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
    struct memory_record *memory; /* ascending, behind everything on disk */
    size_t memory_count, memory_cap, memory_bytes;
    struct cursor cursors[QUEUE_CURSORS_MAX];
    struct strbuf record;
    struct queue_statistics statistics;
    bool unsynced;
};

/* ---- Opening ---- */

static int list_segment(void *context, const char *name, bool is_directory)
{
    struct queue *q = context;
    struct str text = str_of(name);
    if (is_directory || text.len != 16 + strlen(QUEUE_SUFFIX) ||
        !str_ends_with(text, STR(QUEUE_SUFFIX))) {
        return 0;
    }
    char *end = NULL;
    uint64_t first = strtoull(name, &end, 16);
    if (end != name + 16 || first == 0 || first > QUEUE_SEQUENCE_MAX) {
        return 0;
    }
    int status = mem_array_grow((void **)&q->segments, &q->segment_cap, q->segment_count + 1,
        sizeof(*q->segments), QUEUE_SEGMENTS_MAX);
    if (status == 0) {
        q->segments[q->segment_count++] = (struct queue_segment){
            .first_sequence = first, .end_sequence = first, .min_t = INT64_MAX, .max_t = INT64_MIN};
    }
    return status;
}

static int compare_segments(const void *a, const void *b)
{
    uint64_t x = ((const struct queue_segment *)a)->first_sequence;
    uint64_t y = ((const struct queue_segment *)b)->first_sequence;
    return x < y ? -1 : x > y;
}

static void count_record(struct queue_segment *s, const struct queue_record *record)
{
    s->end_sequence = record->sequence + 1;
    s->samples += record->samples;
    s->min_t = record->min_t < s->min_t ? record->min_t : s->min_t;
    s->max_t = record->max_t > s->max_t ? record->max_t : s->max_t;
}

/* Reads a segment that a former run left: counts its records, steps over damage. */
static int survey_segment(struct queue *q, struct queue_segment *s)
{
    char path[QUEUE_PATH_MAX];
    char *bytes = NULL;
    size_t size = 0, offset = 0;
    struct queue_found found;
    int status = queue_segment_path(path, q->path, s->first_sequence);
    if (status == 0) {
        status = vfs_read_file(q->options.vfs, path,
            q->options.segment_bytes + QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER, &bytes, &size);
    }
    while (status == 0 && queue_segment_find(str_make(bytes, size), offset, &found)) {
        q->statistics.corrupt_bytes += found.offset - offset;
        offset = found.end;
        if (found.record.sequence >= s->end_sequence) {
            count_record(s, &found.record);
        }
    }
    q->statistics.corrupt_bytes += size - offset;
    s->bytes = size;
    mem_free(bytes);
    return status;
}

static void remove_segment(struct queue *q, uint64_t first_sequence)
{
    char path[QUEUE_PATH_MAX];
    if (queue_segment_path(path, q->path, first_sequence) == 0) {
        (void)vfs_remove(q->options.vfs, path); /* what stays is found again at the next start */
    }
}

static int survey(struct queue *q, struct err *e)
{
    int status = vfs_list(q->options.vfs, q->path, list_segment, q);
    if (q->segment_count > 1) {
        qsort(q->segments, q->segment_count, sizeof(*q->segments), compare_segments);
    }
    size_t kept = 0;
    for (size_t i = 0; status == 0 && i < q->segment_count; i++) {
        struct queue_segment s = q->segments[i];
        status = survey_segment(q, &s);
        if (s.end_sequence > q->next_sequence) {
            q->next_sequence = s.end_sequence;
        }
        if (s.end_sequence > s.first_sequence) {
            q->segments[kept++] = s;
        } else if (status == 0) {
            remove_segment(q, s.first_sequence); /* nothing in it can be read */
        }
    }
    q->segment_count = kept;
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: the queue cannot be read: %s", q->path,
                             err_text(status));
}

static int open_lock(struct queue *q, struct err *e)
{
    char path[QUEUE_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/LOCK", q->path);
    int status = vfs_open(q->options.vfs, path, VFS_READWRITE, &q->lock_file);
    if (status == 0) {
        status = vfs_lock(q->options.vfs, q->lock_file);
    }
    if (status == ERR_LOCKED) {
        return err_set(e, status, -1,
            "%s is used by another agent; stop it, or choose another directory with --data",
            q->path);
    }
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: cannot be opened: %s", path, err_text(status));
}

static uint64_t count_waiting(struct queue *q, uint64_t next);

static int open_cursors(struct queue *q, struct err *e)
{
    int status = 0;
    uint64_t oldest = q->segment_count > 0 ? q->segments[0].first_sequence : q->next_sequence;
    for (size_t i = 0; status == 0 && i < q->options.cursor_count; i++) {
        struct cursor *c = &q->cursors[i];
        strbuf_init(&c->buffer, QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER);
        status = queue_cursor_open(
            &c->file, q->options.vfs, q->path, q->options.cursors[i], &c->next, e);
        if (c->next > q->next_sequence) {
            q->next_sequence = c->next; /* its segments were all taken and deleted */
        }
        c->next = c->next < oldest ? oldest : c->next;
        c->statistics.samples = status == 0 ? count_waiting(q, c->next) : 0;
    }
    return status;
}

int queue_open(const struct queue_options *options, struct queue **queue_out, struct err *e)
{
    struct queue *q = mem_calloc(1, sizeof(*q));
    if (q == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the queue");
    }
    q->options = *options;
    struct queue_options *o = &q->options;
    o->segment_bytes = o->segment_bytes ? o->segment_bytes : QUEUE_SEGMENT_BYTES_DEFAULT;
    o->bytes_max = o->bytes_max ? o->bytes_max : QUEUE_BYTES_MAX_DEFAULT;
    o->age_max_ms = o->age_max_ms ? o->age_max_ms : QUEUE_AGE_MAX_MS_DEFAULT;
    o->free_floor_bytes = o->free_floor_bytes ? o->free_floor_bytes : QUEUE_FREE_FLOOR_DEFAULT;
    q->next_sequence = 1;
    strbuf_init(&q->record, QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER);
    int length = snprintf(q->path, sizeof(q->path), "%s", options->path);
    int status = length < (int)sizeof(q->path) - 64 && options->cursor_count <= QUEUE_CURSORS_MAX
                     ? vfs_mkdir_all(o->vfs, q->path)
                     : ERR_LIMIT;
    if (status != 0) {
        err_set(e, status, -1, "%s: the queue's directory cannot be made: %s", options->path,
            err_text(status));
    }
    status = status != 0 ? status : open_lock(q, e);
    status = status != 0 ? status : survey(q, e);
    status = status != 0 ? status : open_cursors(q, e);
    if (status != 0) {
        queue_close(q);
        return status;
    }
    *queue_out = q;
    return 0;
}

void queue_close(struct queue *q)
{
    if (q == NULL) {
        return;
    }
    if (q->lock_file != NULL) {
        (void)queue_sync(q); /* what cannot be synced now was never promised */
    }
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        queue_cursor_close(&q->cursors[i].file);
        vfs_close(q->options.vfs, q->cursors[i].reading);
        strbuf_release(&q->cursors[i].buffer);
    }
    for (size_t i = 0; i < q->memory_count; i++) {
        mem_free(q->memory[i].bytes);
    }
    vfs_close(q->options.vfs, q->writing);
    vfs_close(q->options.vfs, q->lock_file);
    strbuf_release(&q->record);
    mem_free(q->memory);
    mem_free(q->segments);
    mem_free(q);
}

/* ---- What waits for whom ---- */

/* Samples of a segment from `next` on; exact for whole segments, and for
 * a partly taken one read from its headers. */
static uint64_t samples_waiting(struct queue *q, const struct queue_segment *s, uint64_t next)
{
    if (next <= s->first_sequence) {
        return s->samples;
    }
    if (next >= s->end_sequence) {
        return 0;
    }
    char path[QUEUE_PATH_MAX];
    char *bytes = NULL;
    size_t size = 0, offset = 0;
    uint64_t samples = 0;
    struct queue_found found;
    if (queue_segment_path(path, q->path, s->first_sequence) == 0 &&
        vfs_read_file(q->options.vfs, path,
            q->options.segment_bytes + QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER, &bytes,
            &size) == 0) {
        while (queue_segment_find(str_make(bytes, size), offset, &found)) {
            samples += found.record.sequence >= next ? found.record.samples : 0;
            offset = found.end;
        }
    }
    mem_free(bytes);
    return samples;
}

static uint64_t count_waiting(struct queue *q, uint64_t next)
{
    uint64_t samples = 0;
    for (size_t i = 0; i < q->segment_count; i++) {
        samples += samples_waiting(q, &q->segments[i], next);
    }
    for (size_t i = 0; i < q->memory_count; i++) {
        const struct queue_record *record = &q->memory[i].record;
        samples += record->sequence >= next ? record->samples : 0;
    }
    return samples;
}

static void take_samples(struct cursor *c, uint64_t samples)
{
    uint64_t waiting = c->statistics.samples;
    c->statistics.samples -= samples < waiting ? samples : waiting;
}

/* The cursor goes on at `next`: what lies before it is dropped. */
static void skip_to(struct queue *q, struct cursor *c, uint64_t next, enum queue_drop reason)
{
    if (next <= c->next) {
        return;
    }
    uint64_t before = c->statistics.samples, left = count_waiting(q, next);
    if (left < before) {
        c->statistics.dropped_samples[reason] += before - left;
        c->statistics.samples = left;
    }
    if (c->peeked >= c->next && c->peeked < next) {
        c->peeked_drop = reason;
    }
    c->next = next;
}

/* ---- Appending ---- */

static void end_segment(struct queue *q)
{
    if (q->writing != NULL) {
        (void)vfs_sync(q->options.vfs, q->writing); /* best effort; see queue_sync */
        vfs_close(q->options.vfs, q->writing);
        q->writing = NULL;
    }
}

static int begin_segment(struct queue *q, uint64_t first_sequence)
{
    char path[QUEUE_PATH_MAX];
    int status = queue_segment_path(path, q->path, first_sequence);
    if (status == 0) {
        status = mem_array_grow((void **)&q->segments, &q->segment_cap, q->segment_count + 1,
            sizeof(*q->segments), QUEUE_SEGMENTS_MAX);
    }
    if (status == 0) {
        status = vfs_open(q->options.vfs, path, VFS_APPEND, &q->writing);
    }
    if (status == 0) {
        q->segments[q->segment_count++] = (struct queue_segment){.first_sequence = first_sequence,
            .end_sequence = first_sequence,
            .min_t = INT64_MAX,
            .max_t = INT64_MIN};
    }
    return status;
}

/* Writes q->record to the disk. An error leaves no trace but, at worst, damaged bytes at the end of a
 * segment that takes no more. */
static int append_to_disk(struct queue *q, const struct queue_record *record)
{
    if (q->writing != NULL && q->segments[q->segment_count - 1].bytes >= q->options.segment_bytes) {
        end_segment(q);
    }
    int status = q->writing == NULL ? begin_segment(q, record->sequence) : 0;
    if (status != 0) {
        return status;
    }
    struct queue_segment *s = &q->segments[q->segment_count - 1];
    status = vfs_append(q->options.vfs, q->writing, q->record.data, q->record.size);
    if (status != 0) {
        (void)vfs_truncate(q->options.vfs, q->writing, s->bytes);
        end_segment(q);
        if (s->bytes == 0) { /* its name is the next one's: two of them would be one file */
            remove_segment(q, s->first_sequence);
            q->segment_count--;
        }
        return status;
    }
    s->bytes += q->record.size;
    count_record(s, record);
    q->unsynced = true;
    return 0;
}

/* Takes the first `count` records in memory off the list; their bytes are freed already. */
static void drop_front(struct queue *q, size_t count)
{
    if (count > 0) {
        q->memory_count -= count;
        memmove(q->memory, q->memory + count, q->memory_count * sizeof(*q->memory));
    }
}

/* Drops the oldest records in memory until `room` bytes fit; those that readers still want are
 * counted. */
static void shrink_memory(struct queue *q, size_t room)
{
    size_t gone = 0;
    while (gone < q->memory_count && (q->memory_bytes + room > QUEUE_MEMORY_BYTES_MAX ||
                                         q->memory_count - gone >= MEMORY_RECORDS_MAX)) {
        struct memory_record *m = &q->memory[gone++];
        q->memory_bytes -= m->record.payload.len;
        for (size_t i = 0; i < q->options.cursor_count; i++) {
            struct cursor *c = &q->cursors[i];
            if (c->next <= m->record.sequence) {
                take_samples(c, m->record.samples);
                c->statistics.dropped_samples[QUEUE_DROP_DISK] += m->record.samples;
                c->peeked_drop = QUEUE_DROP_DISK;
                c->next = m->record.sequence + 1;
            }
        }
        mem_free(m->bytes);
    }
    drop_front(q, gone);
}

static int append_to_memory(struct queue *q, const struct queue_record *record)
{
    shrink_memory(q, record->payload.len);
    int status = mem_array_grow((void **)&q->memory, &q->memory_cap, q->memory_count + 1,
        sizeof(*q->memory), MEMORY_RECORDS_MAX);
    char *bytes = status == 0 ? mem_dup(record->payload.ptr, record->payload.len) : NULL;
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    q->memory[q->memory_count] = (struct memory_record){*record, bytes};
    q->memory[q->memory_count++].record.payload.ptr = bytes;
    q->memory_bytes += record->payload.len;
    q->statistics.in_memory = true;
    return 0;
}

int queue_append(
    struct queue *q, struct str payload, uint32_t samples, int64_t min_t, int64_t max_t)
{
    if (payload.len == 0 || payload.len > QUEUE_PAYLOAD_MAX) {
        return ERR_LIMIT;
    }
    struct queue_record record = {q->next_sequence, samples, min_t, max_t, payload};
    int status = ERR_IO;
    if (q->memory_count == 0) { /* else order would be lost */
        strbuf_reset(&q->record);
        queue_record_encode(&q->record, record.sequence, samples, min_t, max_t, payload);
        status = strbuf_error(&q->record);
        status = status == 0 ? append_to_disk(q, &record) : status;
    }
    if (status != 0) {
        status = append_to_memory(q, &record);
    }
    if (status == 0) {
        q->next_sequence++;
        for (size_t i = 0; i < q->options.cursor_count; i++) {
            q->cursors[i].statistics.samples += samples;
        }
    }
    return status;
}

/* ---- Reading ---- */

/* Index of the segment that holds `sequence` or, if that is gone, a later record; segment_count when
 * there is none. */
static size_t find_segment(const struct queue *q, uint64_t sequence)
{
    size_t i = 0;
    while (i < q->segment_count && q->segments[i].end_sequence <= sequence) {
        i++;
    }
    return i;
}

/* Opens the segment for reading; the offset begins at its start. */
static int open_reading(struct queue *q, struct cursor *c, uint64_t first_sequence)
{
    char path[QUEUE_PATH_MAX];
    vfs_close(q->options.vfs, c->reading);
    c->reading = NULL;
    int status = queue_segment_path(path, q->path, first_sequence);
    if (status == 0) {
        status = vfs_open(q->options.vfs, path, VFS_READ, &c->reading);
    }
    c->segment = first_sequence;
    c->offset = 0;
    return status;
}

/* Behind a damaged record: the next good one of the segment, by reading it whole. 1 and the cursor's
 * offset on it, or 0. */
static int resynchronise(struct queue *q, struct cursor *c)
{
    char path[QUEUE_PATH_MAX];
    char *bytes = NULL;
    size_t size = 0;
    struct queue_found found;
    int status = queue_segment_path(path, q->path, c->segment);
    if (status == 0) {
        status = vfs_read_file(q->options.vfs, path,
            q->options.segment_bytes + QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER, &bytes, &size);
    }
    bool good = status == 0 && c->offset < size &&
                queue_segment_find(str_make(bytes, size), (size_t)c->offset, &found);
    if (good) {
        q->statistics.corrupt_bytes += found.offset - c->offset;
        c->offset = found.offset;
    }
    mem_free(bytes);
    return good;
}

/* The next record with sequence >= c->next of the cursor's open segment: 1, 0 at its end or where no
 * more can be read, ERR_NOMEM. */
static int read_on(struct queue *q, struct cursor *c, struct queue_found *found)
{
    for (;;) {
        int status = queue_segment_read(q->options.vfs, c->reading, c->offset, &c->buffer, found);
        if (status == ERR_CORRUPT && resynchronise(q, c)) {
            continue;
        }
        if (status != 1) {
            return status == ERR_NOMEM ? status : 0;
        }
        if (found->record.sequence >= c->next) {
            return 1;
        }
        c->offset = found->end;
    }
}

/* From the disk: 1 and the record, or 0 when the segments hold no more. */
static int peek_disk(struct queue *q, struct cursor *c, struct queue_record *record_out)
{
    struct queue_found found;
    size_t at = find_segment(q, c->next);
    for (; at < q->segment_count; at++) {
        struct queue_segment *s = &q->segments[at];
        if ((c->reading == NULL || c->segment != s->first_sequence) &&
            open_reading(q, c, s->first_sequence) != 0) {
            continue; /* unreadable: the next one; maintain will let it go */
        }
        int status = read_on(q, c, &found);
        if (status == 1) {
            *record_out = found.record;
            c->peeked_end = found.end;
        }
        if (status != 0) {
            return status;
        }
        skip_to(q, c, s->end_sequence, QUEUE_DROP_CORRUPT);
    }
    return 0;
}

/* Remembers what is handed out; a gap before it is what could not be read. */
static void hand_out(struct queue *q, struct cursor *c, const struct queue_record *record)
{
    skip_to(q, c, record->sequence, QUEUE_DROP_CORRUPT);
    c->peeked = record->sequence;
    c->peeked_samples = record->samples;
}

int queue_peek(struct queue *q, size_t cursor, struct queue_record *record_out)
{
    struct cursor *c = &q->cursors[cursor];
    int status = peek_disk(q, c, record_out);
    if (status == 1) {
        hand_out(q, c, record_out);
    }
    if (status != 0) {
        return status == 1; /* without memory: later */
    }
    for (size_t i = 0; i < q->memory_count; i++) {
        if (q->memory[i].record.sequence >= c->next) {
            *record_out = q->memory[i].record;
            c->peeked_end = 0;
            hand_out(q, c, record_out);
            return 1;
        }
    }
    return 0;
}

void queue_advance(struct queue *q, size_t cursor)
{
    struct cursor *c = &q->cursors[cursor];
    if (c->peeked == c->next) {
        take_samples(c, c->peeked_samples);
        c->next++;
        c->offset = c->peeked_end != 0 ? c->peeked_end : c->offset;
    } else if (c->peeked != 0) {
        c->statistics.dropped_samples[c->peeked_drop] -= c->peeked_samples;
    }
    c->peeked = 0;
}

/* ---- Bounds ---- */

static uint64_t slowest_cursor(const struct queue *q)
{
    uint64_t slowest = q->next_sequence;
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        slowest = q->cursors[i].next < slowest ? q->cursors[i].next : slowest;
    }
    return slowest;
}

static uint64_t bytes_on_disk(const struct queue *q)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < q->segment_count; i++) {
        bytes += q->segments[i].bytes;
    }
    return bytes;
}

/* Unlinks the oldest segment; destinations that still want something of it lose it for `reason`. */
static void drop_oldest(struct queue *q, enum queue_drop reason)
{
    if (q->segment_count == 1) {
        end_segment(q);
    }
    uint64_t first = q->segments[0].first_sequence, end = q->segments[0].end_sequence;
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        struct cursor *c = &q->cursors[i];
        if (c->reading != NULL && c->segment == first) {
            vfs_close(q->options.vfs, c->reading);
            c->reading = NULL;
        }
        skip_to(q, c, end, reason);
    }
    remove_segment(q, first);
    q->segment_count--;
    memmove(q->segments, q->segments + 1, q->segment_count * sizeof(*q->segments));
}

static bool below_free_floor(struct queue *q)
{
    uint64_t free_bytes = UINT64_MAX;
    return vfs_free_bytes(q->options.vfs, q->path, &free_bytes) == 0 &&
           free_bytes < q->options.free_floor_bytes;
}

static void enforce_bounds(struct queue *q)
{
    while (q->segment_count > 0 && bytes_on_disk(q) > q->options.bytes_max) {
        drop_oldest(q, QUEUE_DROP_SIZE);
    }
    int64_t oldest_allowed = clock_now_ms(q->options.clock) - q->options.age_max_ms;
    while (
        q->segment_count > 0 && q->segments[0].bytes > 0 && q->segments[0].max_t < oldest_allowed) {
        drop_oldest(q, QUEUE_DROP_AGE);
    }
    while (q->segment_count > 1 && below_free_floor(q)) {
        drop_oldest(q, QUEUE_DROP_DISK);
    }
}

/* Lets go what all destinations have, and moves records in memory back to a disk that works again. */
static void tidy(struct queue *q)
{
    uint64_t slowest = slowest_cursor(q);
    while (q->segment_count > 0 && q->segments[0].end_sequence <= slowest &&
           (q->segment_count > 1 || q->writing == NULL)) {
        drop_oldest(q, QUEUE_DROP_SIZE); /* costs nobody anything */
    }
    size_t moved = 0;
    while (moved < q->memory_count) {
        struct memory_record *m = &q->memory[moved];
        if (m->record.sequence >= slowest) {
            strbuf_reset(&q->record);
            queue_record_encode(&q->record, m->record.sequence, m->record.samples, m->record.min_t,
                m->record.max_t, m->record.payload);
            if (strbuf_error(&q->record) != 0 || append_to_disk(q, &m->record) != 0) {
                break;
            }
        }
        q->memory_bytes -= m->record.payload.len;
        mem_free(m->bytes);
        moved++;
    }
    drop_front(q, moved);
    q->statistics.in_memory = q->memory_count > 0;
}

void queue_maintain(struct queue *q)
{
    tidy(q);
    enforce_bounds(q);
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        (void)queue_cursor_write(&q->cursors[i].file, q->cursors[i].next);
    }
}

int queue_sync(struct queue *q)
{
    int status = 0;
    if (q->writing != NULL && q->unsynced) {
        status = vfs_sync(q->options.vfs, q->writing);
        if (status != 0) {
            /* The kernel may have dropped the pages: let the next record begin a new file. */
            vfs_close(q->options.vfs, q->writing);
            q->writing = NULL;
        }
        q->unsynced = false;
    }
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        int written = queue_cursor_write(&q->cursors[i].file, q->cursors[i].next);
        int synced = queue_cursor_sync(&q->cursors[i].file);
        status = status != 0 ? status : written != 0 ? written : synced;
    }
    int names = vfs_sync_dir(q->options.vfs, q->path);
    return status != 0 ? status : names;
}

void queue_statistics(const struct queue *q, struct queue_statistics *statistics_out)
{
    struct queue_statistics s = q->statistics;
    uint64_t slowest = slowest_cursor(q);
    s.bytes = bytes_on_disk(q);
    s.segments = q->segment_count;
    s.records = q->next_sequence - slowest;
    for (size_t i = 0; i < q->segment_count && s.oldest_t == 0; i++) {
        const struct queue_segment *segment = &q->segments[i];
        s.oldest_t = segment->end_sequence > slowest ? segment->min_t : 0;
    }
    for (size_t i = 0; i < q->memory_count && s.oldest_t == 0; i++) {
        const struct queue_record *record = &q->memory[i].record;
        s.oldest_t = record->sequence >= slowest ? record->min_t : 0;
    }
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        const struct queue_cursor_statistics *c = &q->cursors[i].statistics;
        s.samples = c->samples > s.samples ? c->samples : s.samples;
        for (size_t k = 0; k < QUEUE_DROP_COUNT; k++) {
            s.dropped_samples[k] = c->dropped_samples[k] > s.dropped_samples[k]
                                       ? c->dropped_samples[k]
                                       : s.dropped_samples[k];
        }
    }
    *statistics_out = s;
}

void queue_cursor_statistics(
    const struct queue *q, size_t cursor, struct queue_cursor_statistics *statistics_out)
{
    *statistics_out = q->cursors[cursor].statistics;
}
