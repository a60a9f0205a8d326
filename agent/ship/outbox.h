/* A queue on disk and the senders that empty it: what samples and spans share on their way out.
 *
 * Destinations are independent: each has its own cursor in the queue, so a dead one never delays
 * another. Each kind of cargo has a queue of its own, so that spans, which are many, never push samples
 * out over the bounds, and a receiver that takes no spans never holds up samples.
 *
 * One thread, the loop's.
 */
#ifndef SONDE_SHIP_OUTBOX_H
#define SONDE_SHIP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/http_client.h"
#include "ship/queue.h"
#include "ship/sender.h"

#define OUTBOX_DESTINATIONS_MAX QUEUE_CURSORS_MAX

/* Work that must not hold up the loop: runs `work(argument)` on another thread, then
 * `done(argument)` on the loop's. False: it cannot now, and neither is called. */
struct shipper_background {
    bool (*run)(struct shipper_background *self, void (*work)(void *argument),
        void (*done)(void *argument), void *argument);
};

struct outbox_options {
    struct queue_options queue;                /* cursors are filled in from the destinations */
    const struct sender_options *destinations; /* copied; `seed` is filled in */
    size_t destination_count;                  /* at least one */
    struct http_client *client;
    struct clock *clock;
    struct shipper_background *background; /* NULL: the owner waits for the disk itself */
    uint64_t seed;
};

struct outbox {
    struct clock *clock;
    struct shipper_background *background;
    struct queue_sync *sync; /* under way in the background */
    struct queue *queue;
    struct sender *senders[OUTBOX_DESTINATIONS_MAX];
    size_t sender_count;
    int64_t maintained_ms;
    bool was_in_memory;
};

/* Another configuration, ready to be in force: what may fail is done. */
struct outbox_change {
    struct sender *senders[OUTBOX_DESTINATIONS_MAX]; /* in the order of the configuration */
    struct sender_settings
        *settings[OUTBOX_DESTINATIONS_MAX]; /* for one that stays; NULL: it is new */
    size_t sender_count;
    uint64_t bytes_max, free_floor_bytes; /* of the queue */
    int64_t age_max_ms;
};

/* ERR_INVALID: no destination, or too many; else as queue_open. On an error there is nothing to close. */
int outbox_open(struct outbox *o, const struct outbox_options *options, struct err *e);
/* Syncs, closes; what is in flight stays in the queue. Nothing of it may be in the background any more:
 * close that first. Accepts what was never opened, all zero. */
void outbox_close(struct outbox *o);
/* Each second: bounds, cursors, a sync of what waits. To be called before anything is appended in a turn of the
 * loop: what is appended is being sent then, and most often has arrived before the next sync. */
void outbox_maintain(struct outbox *o);
/* Sends what there is. Returns milliseconds until the next call of both is due, where nothing is appended and no
 * answer comes before. */
int64_t outbox_send(struct outbox *o);
/* Destinations and bounds of other options, in two steps; all else in `options` stays as it was. Destinations are
 * told apart by their names: one that stays keeps its place in the queue and what it counts, one that is new
 * begins where the slowest stands, one that is gone is forgotten. There may be none left: nothing is kept for
 * anybody then. Prepare changes nothing that is seen, and each one is followed by commit or abandon before
 * anything else is done. ERR_INVALID: too many; else as outbox_open. */
int outbox_prepare(struct outbox *o, const struct outbox_options *options,
    struct outbox_change *change_out, struct err *e);
void outbox_commit(struct outbox *o, struct outbox_change *change);
void outbox_abandon(struct outbox *o, struct outbox_change *change);
void outbox_destination_statistics(
    const struct outbox *o, size_t index, struct sender_statistics *statistics_out);

#endif
