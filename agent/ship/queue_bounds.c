/* The bounds of the queue, what is deleted and moved, and the figures. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ship/queue_private.h"

/* ---- Bounds ---- */

void queue_set_bounds(
    struct queue *q, uint64_t bytes_max, int64_t age_max_ms, uint64_t free_floor_bytes)
{
    q->options.bytes_max = bytes_max != 0 ? bytes_max : QUEUE_BYTES_MAX_DEFAULT;
    q->options.age_max_ms = age_max_ms != 0 ? age_max_ms : QUEUE_AGE_MAX_MS_DEFAULT;
    q->options.free_floor_bytes =
        free_floor_bytes != 0 ? free_floor_bytes : QUEUE_FREE_FLOOR_DEFAULT;
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
        queue_end_segment(q);
    }
    uint64_t first = q->segments[0].first_sequence, end = q->segments[0].end_sequence;
    struct queue_place *c;
    for (size_t i = 0; (c = queue_next_place(q, &i)) != NULL; i++) {
        if (c->reading != NULL && c->segment == first) {
            vfs_close(q->options.vfs, c->reading);
            c->reading = NULL;
        }
        queue_skip_to(q, c, end, reason);
    }
    queue_remove_segment(q, first);
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
    uint64_t slowest = queue_slowest(q);
    while (q->segment_count > 0 && q->segments[0].end_sequence <= slowest &&
           (q->segment_count > 1 || q->writing == NULL)) {
        drop_oldest(q, QUEUE_DROP_SIZE); /* costs nobody anything */
    }
    size_t moved = 0;
    while (moved < q->memory_count) {
        struct queue_memory_record *m = &q->memory[moved];
        if (m->record.sequence >= slowest) {
            strbuf_reset(&q->record);
            queue_record_encode(&q->record, q->options.cargo, &m->record);
            if (strbuf_error(&q->record) != 0 || queue_append_to_disk(q, &m->record) != 0) {
                break;
            }
        }
        q->memory_bytes -= m->record.payload.len;
        mem_free(m->bytes);
        moved++;
    }
    queue_drop_front(q, moved);
    q->statistics.in_memory = q->memory_count > 0;
}

void queue_maintain(struct queue *q)
{
    tidy(q);
    enforce_bounds(q);
    struct queue_place *c;
    for (size_t i = 0; (c = queue_next_place(q, &i)) != NULL; i++) {
        (void)queue_cursor_write(&c->file, c->next);
    }
}

void queue_statistics(const struct queue *q, struct queue_statistics *statistics_out)
{
    struct queue_statistics s = q->statistics;
    uint64_t slowest = queue_slowest(q);
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
    for (size_t i = 0; i < QUEUE_PLACES_MAX; i++) { /* all zero where there is none */
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
