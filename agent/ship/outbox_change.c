/* Destinations that come, go and change while the queue is open. */
#include <string.h>

#include "base/log.h"
#include "ship/outbox.h"

static struct sender *find_sender(const struct outbox *o, const char *name)
{
    for (size_t i = 0; i < o->sender_count; i++) {
        if (strcmp(sender_name(o->senders[i]), name) == 0) {
            return o->senders[i];
        }
    }
    return NULL;
}

static int add_sender(struct outbox *o, const struct outbox_options *options,
    const struct sender_options *sender, struct sender **sender_out, struct err *e)
{
    size_t cursor = 0;
    int status = queue_add_cursor(o->queue, sender->name, &cursor, e);
    if (status != 0) {
        return status;
    }
    status = sender_new(sender, o->queue, cursor, options->client, options->clock, sender_out);
    if (status != 0) {
        queue_remove_cursor(o->queue, cursor);
        return err_set(e, status, -1, "destination %s: %s", sender->name, err_text(status));
    }
    return 0;
}

static void remove_sender(struct outbox *o, struct sender *sender)
{
    size_t cursor = sender_cursor(sender);
    sender_free(sender);
    queue_remove_cursor(o->queue, cursor);
}

/* One destination: settings for the sender there is, or a sender. */
static int prepare_one(struct outbox *o, const struct outbox_options *options, size_t index,
    struct outbox_change *change, struct err *e)
{
    struct sender_options sender = options->destinations[index];
    struct sender *known = find_sender(o, sender.name);
    sender.seed = options->seed + index;
    if (known == NULL) {
        return add_sender(o, options, &sender, &change->senders[index], e);
    }
    int status = sender_settings_new(&sender, &change->settings[index]);
    if (status != 0) {
        return err_set(e, status, -1, "destination %s: %s", sender.name, err_text(status));
    }
    change->senders[index] = known;
    return 0;
}

int outbox_prepare(struct outbox *o, const struct outbox_options *options,
    struct outbox_change *change_out, struct err *e)
{
    struct outbox_change change = {.bytes_max = options->queue.bytes_max,
        .free_floor_bytes = options->queue.free_floor_bytes,
        .age_max_ms = options->queue.age_max_ms};
    if (options->destination_count > OUTBOX_DESTINATIONS_MAX) {
        return err_set(e, ERR_INVALID, -1, "%zu destinations; at most %d",
            options->destination_count, OUTBOX_DESTINATIONS_MAX);
    }
    for (size_t i = 0; i < options->destination_count; i++) {
        int status = prepare_one(o, options, i, &change, e);
        if (status != 0) {
            outbox_abandon(o, &change);
            return status;
        }
        change.sender_count++;
    }
    *change_out = change;
    return 0;
}

void outbox_abandon(struct outbox *o, struct outbox_change *change)
{
    for (size_t i = 0; i < change->sender_count; i++) {
        if (change->settings[i] == NULL) {
            remove_sender(o, change->senders[i]);
        } else {
            sender_settings_free(change->settings[i]);
        }
    }
    *change = (struct outbox_change){.sender_count = 0};
}

static bool stays(const struct outbox_change *change, const struct sender *sender)
{
    for (size_t i = 0; i < change->sender_count; i++) {
        if (change->senders[i] == sender) {
            return true;
        }
    }
    return false;
}

void outbox_commit(struct outbox *o, struct outbox_change *change)
{
    for (size_t i = 0; i < o->sender_count; i++) {
        if (!stays(change, o->senders[i])) {
            LOG_INFO("ship: a destination is gone, its place in the queue is forgotten",
                LOG_S("destination", sender_name(o->senders[i])));
            remove_sender(o, o->senders[i]);
        }
    }
    for (size_t i = 0; i < change->sender_count; i++) {
        o->senders[i] = change->senders[i];
        if (change->settings[i] != NULL) {
            sender_change(o->senders[i], change->settings[i]);
        }
    }
    o->sender_count = change->sender_count;
    queue_set_bounds(o->queue, change->bytes_max, change->age_max_ms, change->free_floor_bytes);
    *change = (struct outbox_change){.sender_count = 0};
}
