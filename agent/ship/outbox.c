/* What is due when for a queue and its senders. */
#include "ship/outbox.h"

#include <string.h>

#include "base/log.h"

/* With something waiting, the disk is seen to each MAINTAIN_MS. With nothing, which is nearly always, it waits for
 * somebody else to wake the loop, up to IDLE_MS: of a queue that is empty nothing can be lost. */
enum { MAINTAIN_MS = 1000, MAINTAIN_EARLY_MS = 900, IDLE_MS = 10000 };

/* ---- The disk ---- */

/* The disk has answered, or failed to. */
static void note_disk(struct outbox *o, int status)
{
    struct queue_statistics queue;
    queue_statistics(o->queue, &queue);
    bool in_memory = queue.in_memory || status != 0;
    if (in_memory != o->was_in_memory) {
        if (in_memory) {
            LOG_ERROR("ship: the queue's disk fails, keeping what comes in memory",
                LOG_S("error", err_text(status != 0 ? status : ERR_IO)));
        } else {
            LOG_INFO("ship: the queue's disk works again");
        }
    }
    o->was_in_memory = in_memory;
}

static void run_sync(void *argument)
{
    struct outbox *o = argument;
    queue_sync_run(o->sync);
}

static void end_sync(void *argument)
{
    struct outbox *o = argument;
    struct queue_sync *sync = o->sync;
    o->sync = NULL;
    note_disk(o, queue_sync_end(o->queue, sync));
}

/* Bounds, cursors, the sync that a power cut would otherwise cost. A sync that is
 * still under way is not piled upon. */
static void maintain(struct outbox *o)
{
    queue_maintain(o->queue);
    if (o->sync != NULL) {
        return;
    }
    int status = queue_sync_begin(o->queue, &o->sync);
    if (status != 0 || o->sync == NULL) {
        note_disk(o, status);
    } else if (o->background == NULL || !o->background->run(o->background, run_sync, end_sync, o)) {
        run_sync(o);
        end_sync(o);
    }
}

void outbox_maintain(struct outbox *o)
{
    int64_t now = clock_monotonic_ms(o->clock);
    if (now - o->maintained_ms >= MAINTAIN_EARLY_MS) {
        maintain(o);
        o->maintained_ms = now;
    }
}

int64_t outbox_send(struct outbox *o)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < o->sender_count; i++) {
        int64_t wanted = sender_step(o->senders[i]);
        wake = wanted >= 0 && wanted < wake ? wanted : wake;
    }
    int64_t period = queue_is_idle(o->queue) ? IDLE_MS : MAINTAIN_MS;
    int64_t left = o->maintained_ms + period - clock_monotonic_ms(o->clock);
    left = left > 0 ? left : 0;
    return left < wake ? left : wake;
}

void outbox_destination_statistics(
    const struct outbox *o, size_t index, struct sender_statistics *statistics_out)
{
    sender_statistics(o->senders[index], statistics_out);
}

/* ---- Opening ---- */

static int open_queue(struct outbox *o, const struct outbox_options *options, struct err *e)
{
    const char *cursors[OUTBOX_DESTINATIONS_MAX];
    for (size_t i = 0; i < options->destination_count; i++) {
        cursors[i] = options->destinations[i].name;
    }
    struct queue_options queue = options->queue;
    queue.clock = options->clock;
    queue.cursors = cursors;
    queue.cursor_count = options->destination_count;
    return queue_open(&queue, &o->queue, e);
}

static int open_senders(struct outbox *o, const struct outbox_options *options, struct err *e)
{
    for (size_t i = 0; i < options->destination_count; i++) {
        struct sender_options sender = options->destinations[i];
        sender.seed = options->seed + i;
        int status =
            sender_new(&sender, o->queue, i, options->client, options->clock, &o->senders[i]);
        if (status != 0) {
            return err_set(e, status, -1, "destination %s: %s", sender.name, err_text(status));
        }
        o->sender_count++;
    }
    return 0;
}

int outbox_open(struct outbox *o, const struct outbox_options *options, struct err *e)
{
    memset(o, 0, sizeof(*o));
    if (options->destination_count == 0 || options->destination_count > OUTBOX_DESTINATIONS_MAX) {
        return err_set(e, ERR_INVALID, -1, "%zu destinations; accepted: 1 to %d",
            options->destination_count, OUTBOX_DESTINATIONS_MAX);
    }
    o->clock = options->clock;
    o->background = options->background;
    int status = open_queue(o, options, e);
    status = status == 0 ? open_senders(o, options, e) : status;
    if (status != 0) {
        outbox_close(o);
    }
    return status;
}

void outbox_close(struct outbox *o)
{
    if (o->sync != NULL) {
        end_sync(o);
    }
    for (size_t i = 0; i < o->sender_count; i++) {
        sender_free(o->senders[i]);
    }
    if (o->queue != NULL) {
        queue_maintain(o->queue); /* what is in memory goes to a disk that works again */
    }
    queue_close(o->queue);
    memset(o, 0, sizeof(*o));
}
