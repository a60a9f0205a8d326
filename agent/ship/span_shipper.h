/* From spans to destinations: compresses, queues on disk, posts to each destination's address for
 * traces.
 *
 *   message -> gzip -> queue -> senders
 *
 * A record of the queue is a whole request: OTLP's TracesData under gzip, the bytes that go over the
 * wire. It waits by the time it came, not by the times in its spans, which may be anything. What holds
 * for samples (ship/sender.h, ship/queue.h: answers, waiting, halving, bounds, accounts) holds for spans.
 *
 * One thread, the loop's.
 */
#ifndef SONDE_SHIP_SPAN_SHIPPER_H
#define SONDE_SHIP_SPAN_SHIPPER_H

#include "ship/outbox.h"

struct span_shipper_statistics {
    /* For each destination: added (and found at its start) = sent + rejected + waiting + dropped + missed. */
    uint64_t added_spans;
    uint64_t records;
    uint64_t message_bytes, record_bytes; /* before and after compression */
    uint64_t refused_spans; /* not added: no memory, no place, or a record that cannot be */
    struct queue_statistics queue;
};

struct span_shipper;

/* `options->queue.cargo` and the protocols of the destinations are filled in. */
int span_shipper_open(
    const struct outbox_options *options, struct span_shipper **shipper_out, struct err *e);
/* Syncs, closes; what is in flight stays in the queue. Accepts NULL. */
void span_shipper_close(struct span_shipper *s);
/* Other destinations and bounds in two steps: ship/outbox.h. */
int span_shipper_prepare(struct span_shipper *s, const struct outbox_options *options,
    struct outbox_change *change_out, struct err *e);
void span_shipper_commit(struct span_shipper *s, struct outbox_change *change);
void span_shipper_abandon(struct span_shipper *s, struct outbox_change *change);
/* A message of TracesData with so many spans. 0: it is in the queue, a kill of the process does not lose
 * it. ERR_NOMEM; ERR_LIMIT: it is larger than QUEUE_PAYLOAD_MAX when compressed. */
int span_shipper_add(struct span_shipper *s, struct str message, uint32_t spans);
/* Does what is due. Returns milliseconds until the next call is due. */
int64_t span_shipper_step(struct span_shipper *s);

void span_shipper_statistics(
    const struct span_shipper *s, struct span_shipper_statistics *statistics_out);
size_t span_shipper_destination_count(const struct span_shipper *s);
void span_shipper_destination_statistics(
    const struct span_shipper *s, size_t index, struct sender_statistics *statistics_out);
const char *span_shipper_destination_name(const struct span_shipper *s, size_t index);

#endif
