/* From samples to destinations: batches, compresses, queues on disk, sends.
 *
 *   intake -> open batch -> (full, large, or a second old) -> snappy -> queue -> senders
 *
 * One thread, the loop's.
 */
#ifndef SONDE_SHIP_SHIPPER_H
#define SONDE_SHIP_SHIPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/http_client.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "intake/memory_watch.h"
#include "model/labels.h"
#include "ship/outbox.h"

/* A batch is closed when it has so many samples or bytes, but not between the buckets, sum and
 * count of one histogram, unless it has twice as many: receivers put them together again from one request. */
#define SHIPPER_BATCH_SAMPLES_MAX 5000
#define SHIPPER_BATCH_BYTES_MAX ((size_t)1 << 20)
#define SHIPPER_FLUSH_MS 1000

struct shipper_options {
    struct queue_options queue;                /* cursors are filled in from the destinations */
    const struct sender_options *destinations; /* `request.metadata` is filled in */
    size_t destination_count;
    struct http_client *client;
    struct clock *clock;
    struct shipper_background *background; /* NULL: the shipper waits for the disk itself */
    struct memory_watch *memory;           /* borrowed; NULL: memory is always easy */
    uint64_t seed;
};

struct shipper_statistics {
    /* The account. For each destination: added (and found at its start) = sent + rejected + filtered +
     * aged + waiting + dropped + missed + open + lost. */
    uint64_t added_samples;
    uint64_t batches;
    uint64_t open_samples; /* in the batch being filled */
    uint64_t lost_samples; /* no memory for their batch */
    struct queue_statistics queue;
};

struct shipper;

int shipper_open(
    const struct shipper_options *options, struct shipper **shipper_out, struct err *e);
/* Queues the open batch, syncs, closes; what is in flight stays in the queue. Nothing of it may be in
 * the background any more: close that first. Accepts NULL. */
void shipper_close(struct shipper *s);

/* Other destinations and bounds in two steps: ship/outbox.h. */
int shipper_prepare(struct shipper *s, const struct shipper_options *options,
    struct outbox_change *change_out, struct err *e);
void shipper_commit(struct shipper *s, struct outbox_change *change);
void shipper_abandon(struct shipper *s, struct outbox_change *change);

/* Where samples go in; lives as long as the shipper. Metadata travels in requests of its own. */
struct intake *shipper_intake(struct shipper *s);
/* Labels of this agent from now on; referenced; NULL: none. */
void shipper_set_external(struct shipper *s, const struct labels *external);
/* Closes the open batch now. */
void shipper_flush(struct shipper *s);
/* Does what is due: flushes, sends, keeps bounds, syncs each second. Returns milliseconds until the
 * next call is due. */
int64_t shipper_step(struct shipper *s);

void shipper_statistics(const struct shipper *s, struct shipper_statistics *statistics_out);
size_t shipper_destination_count(const struct shipper *s);
void shipper_destination_statistics(
    const struct shipper *s, size_t index, struct sender_statistics *statistics_out);
const char *shipper_destination_name(const struct shipper *s, size_t index);

#endif
