/* The queue on disk: appending and reading, and the memory it falls back to. */
#include "ship/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ship/queue_private.h"

enum { MEMORY_RECORDS_MAX = 4096 };

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

uint64_t queue_count_waiting(struct queue *q, uint64_t next)
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

static void take_samples(struct queue_place *c, uint64_t samples)
{
    uint64_t waiting = c->statistics.samples;
    c->statistics.samples -= samples < waiting ? samples : waiting;
}

/* Samples that wait but for those before `to`: unread ones, and those of records in hand that are not done. */
static uint64_t samples_left(struct queue *q, const struct queue_place *c, uint64_t to)
{
    uint64_t left = queue_count_waiting(q, to);
    for (size_t i = 0; i < c->held_count; i++) {
        const struct queue_held *h = &c->held[i];
        if (h->sequence < to && !h->done && !h->dropped) {
            left += h->samples;
        } else if (h->sequence >= to && h->done) {
            left -= h->samples < left ? h->samples : left;
        }
    }
    return left;
}

static void count_dropped(struct queue_place *c, uint64_t left, enum queue_drop reason)
{
    uint64_t before = c->statistics.samples;
    if (left < before) {
        c->statistics.dropped_samples[reason] += before - left;
        c->statistics.samples = left;
    }
}

static void mark_dropped(struct queue_held *h, uint64_t to, enum queue_drop reason)
{
    if (h->sequence < to && !h->done && !h->dropped) {
        h->dropped = true;
        h->drop = reason;
    }
}

/* Records before `to` that were not handed out cannot be read. */
static void skip_unread(struct queue *q, struct queue_place *c, uint64_t to)
{
    if (to > c->ahead) {
        count_dropped(c, samples_left(q, c, to), QUEUE_DROP_CORRUPT);
        mark_dropped(&c->peeked, to, QUEUE_DROP_CORRUPT);
        c->ahead = to;
        c->next = c->held_count > 0 ? c->next : to;
    }
}

void queue_skip_to(struct queue *q, struct queue_place *c, uint64_t next, enum queue_drop reason)
{
    if (next <= c->next) {
        return;
    }
    for (size_t i = 0; i < c->held_count; i++) {
        mark_dropped(&c->held[i], next, reason);
    }
    mark_dropped(&c->peeked, next, reason);
    count_dropped(c, samples_left(q, c, next), reason);
    c->next = next;
    c->ahead = next > c->ahead ? next : c->ahead;
}

/* ---- Appending ---- */

void queue_end_segment(struct queue *q)
{
    if (q->writing != NULL) {
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
        q->names_changed = true;
        q->segments[q->segment_count++] = (struct queue_segment){.first_sequence = first_sequence,
            .end_sequence = first_sequence,
            .min_t = INT64_MAX,
            .max_t = INT64_MIN};
    }
    return status;
}

int queue_append_to_disk(struct queue *q, const struct queue_record *record)
{
    if (q->writing != NULL && q->segments[q->segment_count - 1].bytes >= q->options.segment_bytes) {
        queue_end_segment(q);
    }
    int status = q->writing == NULL ? begin_segment(q, record->sequence) : 0;
    if (status != 0) {
        return status;
    }
    struct queue_segment *s = &q->segments[q->segment_count - 1];
    status = vfs_append(q->options.vfs, q->writing, q->record.data, q->record.size);
    if (status != 0) {
        (void)vfs_truncate(q->options.vfs, q->writing, s->bytes);
        queue_end_segment(q);
        if (s->bytes == 0) { /* its name is the next one's: two of them would be one file */
            queue_remove_segment(q, s->first_sequence);
            q->segment_count--;
        }
        return status;
    }
    s->bytes += q->record.size;
    queue_segment_count(s, record);
    q->unsynced_from = q->unsynced_from != 0 ? q->unsynced_from : s->first_sequence;
    return 0;
}

void queue_drop_front(struct queue *q, size_t count)
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
        struct queue_memory_record *m = &q->memory[gone++];
        q->memory_bytes -= m->record.payload.len;
        struct queue_place *c;
        for (size_t i = 0; (c = queue_next_place(q, &i)) != NULL; i++) {
            queue_skip_to(q, c, m->record.sequence + 1, QUEUE_DROP_DISK);
        }
        mem_free(m->bytes);
    }
    queue_drop_front(q, gone);
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
    q->memory[q->memory_count] = (struct queue_memory_record){*record, bytes};
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
        queue_record_encode(&q->record, q->options.cargo, &record);
        status = strbuf_error(&q->record);
        status = status == 0 ? queue_append_to_disk(q, &record) : status;
    }
    if (status != 0) {
        status = append_to_memory(q, &record);
    }
    if (status == 0) {
        struct queue_place *c;
        q->next_sequence++;
        q->appended_samples += samples;
        for (size_t i = 0; (c = queue_next_place(q, &i)) != NULL; i++) {
            c->statistics.samples += samples;
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
static int open_reading(struct queue *q, struct queue_place *c, uint64_t first_sequence)
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
static int resynchronise(struct queue *q, struct queue_place *c)
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

/* The next record with sequence >= c->ahead of the cursor's open segment: 1, 0 at its end or where no
 * more can be read, ERR_NOMEM. */
static int read_on(struct queue *q, struct queue_place *c, struct queue_found *found)
{
    for (;;) {
        int status = queue_segment_read(q->options.vfs, c->reading, c->offset, &c->buffer, found);
        if (status == ERR_CORRUPT && resynchronise(q, c)) {
            continue;
        }
        if (status != 1) {
            return status == ERR_NOMEM ? status : 0;
        }
        if (found->record.sequence >= c->ahead) {
            return 1;
        }
        c->offset = found->end;
    }
}

/* From the disk: 1 and the record, or 0 when the segments hold no more. */
static int peek_disk(struct queue *q, struct queue_place *c, struct queue_record *record_out)
{
    struct queue_found found;
    size_t at = find_segment(q, c->ahead);
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
        skip_unread(q, c, s->end_sequence);
    }
    return 0;
}

/* Remembers what is handed out; a gap before it is what could not be read. */
static void hand_out(struct queue *q, struct queue_place *c, const struct queue_record *record)
{
    skip_unread(q, c, record->sequence);
    c->peeked = (struct queue_held){.sequence = record->sequence, .samples = record->samples};
}

int queue_peek(struct queue *q, size_t cursor, struct queue_record *record_out)
{
    struct queue_place *c = &q->cursors[cursor];
    int status = peek_disk(q, c, record_out);
    if (status == 1) {
        hand_out(q, c, record_out);
    }
    if (status != 0) {
        return status == 1; /* without memory: later */
    }
    for (size_t i = 0; i < q->memory_count; i++) {
        if (q->memory[i].record.sequence >= c->ahead) {
            *record_out = q->memory[i].record;
            c->peeked_end = 0;
            hand_out(q, c, record_out);
            return 1;
        }
    }
    return 0;
}

bool queue_hold(struct queue *q, size_t cursor)
{
    struct queue_place *c = &q->cursors[cursor];
    if (c->held_count == QUEUE_HELD_MAX) {
        return false;
    }
    assert(c->peeked.sequence != 0);
    c->held[c->held_count++] = c->peeked;
    if (!c->peeked.dropped) { /* else reading goes on where it was put */
        c->ahead = c->peeked.sequence + 1;
        c->offset = c->peeked_end != 0 ? c->peeked_end : c->offset;
    }
    c->peeked.sequence = 0;
    return true;
}

/* Lets go the records in front that need nobody any more. */
static void pass_done(struct queue_place *c)
{
    size_t passed = 0;
    while (passed < c->held_count && c->held[passed].done) {
        passed++;
    }
    c->held_count -= passed;
    memmove(c->held, c->held + passed, c->held_count * sizeof(*c->held));
    uint64_t next = c->held_count > 0 ? c->held[0].sequence : c->ahead;
    c->next = next > c->next ? next : c->next;
}

void queue_done(struct queue *q, size_t cursor, uint64_t sequence)
{
    struct queue_place *c = &q->cursors[cursor];
    for (size_t i = 0; i < c->held_count; i++) {
        struct queue_held *h = &c->held[i];
        if (h->sequence != sequence || h->done) {
            continue;
        }
        h->done = true;
        if (h->dropped) {
            c->statistics.dropped_samples[h->drop] -= h->samples;
        } else {
            take_samples(c, h->samples);
        }
    }
    pass_done(c);
}

void queue_advance(struct queue *q, size_t cursor)
{
    uint64_t sequence = q->cursors[cursor].peeked.sequence;
    if (sequence != 0 && queue_hold(q, cursor)) {
        queue_done(q, cursor, sequence);
    }
}
