/* Opening the queue: what a former run left is surveyed, damage stepped over, cursors found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ship/queue_private.h"

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
            queue_segment_count(s, &found.record);
        }
    }
    q->statistics.corrupt_bytes += size - offset;
    s->bytes = size;
    mem_free(bytes);
    return status;
}

void queue_remove_segment(struct queue *q, uint64_t first_sequence)
{
    char path[QUEUE_PATH_MAX];
    if (queue_segment_path(path, q->path, first_sequence) == 0) {
        (void)vfs_remove(q->options.vfs, path); /* what stays is found again at the next start */
        q->names_changed = true;
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
            queue_remove_segment(q, s.first_sequence); /* nothing in it can be read */
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
    o->cargo = o->cargo ? o->cargo : QUEUE_SAMPLES;
    q->next_sequence = 1;
    q->names_changed = true; /* the lock and the cursors may be new */
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
    status = status != 0 ? status : queue_open_cursors(q, e);
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
    struct queue_place *c;
    for (size_t i = 0; (c = queue_next_place(q, &i)) != NULL; i++) {
        queue_close_place(q, c);
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
