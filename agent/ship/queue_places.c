/* The places of destinations in the queue: those it is opened with, and those that come and go while it is
 * open.
 *
 * A destination that nothing is known of begins where the slowest of the others stands, with what waits
 * for somebody. So one that takes the place of another goes on where that one stood, and one that comes
 * beside others that are up to date begins with what comes now. When the queue is opened it begins with the
 * oldest record there is, since nothing is known of who was there before.
 */
#include "base/mem.h"
#include "ship/queue_private.h"

static uint64_t oldest_sequence(const struct queue *q)
{
    if (q->segment_count > 0) {
        return q->segments[0].first_sequence;
    }
    return q->memory_count > 0 ? q->memory[0].record.sequence : q->next_sequence;
}

uint64_t queue_slowest(const struct queue *q)
{
    uint64_t slowest = q->next_sequence;
    for (size_t i = 0; i < QUEUE_PLACES_MAX; i++) {
        const struct queue_place *c = &q->cursors[i];
        slowest = c->is_open && c->next < slowest ? c->next : slowest;
    }
    return slowest;
}

void queue_close_place(struct queue *q, struct queue_place *c)
{
    queue_cursor_close(&c->file);
    vfs_close(q->options.vfs, c->reading);
    strbuf_release(&c->buffer);
    *c = (struct queue_place){.is_open = false};
}

/* Opens its file; `c->next` is what that says, 0 when it is new. */
static int open_place(struct queue *q, struct queue_place *c, const char *name, struct err *e)
{
    c->is_open = true;
    strbuf_init(&c->buffer, QUEUE_PAYLOAD_MAX + QUEUE_RECORD_HEADER);
    return queue_cursor_open(&c->file, q->options.vfs, q->path, name, &c->next, e);
}

int queue_open_cursors(struct queue *q, struct err *e)
{
    int status = 0;
    uint64_t oldest = oldest_sequence(q);
    for (size_t i = 0; status == 0 && i < q->options.cursor_count; i++) {
        struct queue_place *c = &q->cursors[i];
        status = open_place(q, c, q->options.cursors[i], e);
        if (c->next > q->next_sequence) {
            q->next_sequence = c->next; /* its segments were all taken and deleted */
        }
        c->next = c->ahead = c->next < oldest ? oldest : c->next;
        c->statistics.samples = status == 0 ? queue_count_waiting(q, c->next) : 0;
    }
    return status;
}

int queue_add_cursor(struct queue *q, const char *name, size_t *cursor_out, struct err *e)
{
    size_t i = 0;
    while (i < QUEUE_PLACES_MAX && q->cursors[i].is_open) {
        i++;
    }
    if (i == QUEUE_PLACES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "more than %d destinations", QUEUE_CURSORS_MAX);
    }
    struct queue_place *c = &q->cursors[i];
    uint64_t slowest = queue_slowest(q), oldest = oldest_sequence(q);
    int status = open_place(q, c, name, e);
    if (status != 0) {
        queue_close_place(q, c);
        return status;
    }
    q->names_changed = true;
    c->next = c->ahead = slowest < oldest ? oldest : slowest;
    c->statistics.samples = queue_count_waiting(q, c->next);
    c->statistics.missed_samples = q->appended_samples;
    *cursor_out = i;
    return 0;
}

void queue_remove_cursor(struct queue *q, size_t cursor)
{
    struct queue_place *c = &q->cursors[cursor];
    (void)vfs_remove(
        q->options.vfs, c->file.path); /* what stays is overwritten by its name's next */
    q->names_changed = true;
    queue_close_place(q, c);
}
