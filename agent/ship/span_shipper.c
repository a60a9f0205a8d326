/* Spans into their queue. */
#include "ship/span_shipper.h"

#include "base/gzip.h"
#include "base/mem.h"

/* Fast rather than small: higher levels cost several times as much for a tenth of the bytes. */
enum { GZIP_LEVEL = 1 };

struct span_shipper {
    struct clock *clock;
    struct outbox outbox;
    struct strbuf compressed;
    struct span_shipper_statistics statistics;
};

/* Options of the outbox of spans. `destinations` has room for all. */
static struct outbox_options outbox_of(
    const struct outbox_options *options, struct sender_options *destinations)
{
    struct outbox_options outbox = *options;
    for (size_t i = 0; i < options->destination_count && i < OUTBOX_DESTINATIONS_MAX; i++) {
        destinations[i] = options->destinations[i];
        destinations[i].protocol = SHIP_OTLP_TRACES;
    }
    outbox.destinations = destinations;
    outbox.queue.cargo = QUEUE_SPANS;
    return outbox;
}

int span_shipper_open(
    const struct outbox_options *options, struct span_shipper **shipper_out, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    const struct outbox_options outbox = outbox_of(options, destinations);
    struct span_shipper *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the shipper of spans");
    }
    s->clock = options->clock;
    strbuf_init(&s->compressed, QUEUE_PAYLOAD_MAX);
    int status = outbox_open(&s->outbox, &outbox, e);
    if (status != 0) {
        mem_free(s);
        return status;
    }
    *shipper_out = s;
    return 0;
}

int span_shipper_prepare(struct span_shipper *s, const struct outbox_options *options,
    struct outbox_change *change_out, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    const struct outbox_options outbox = outbox_of(options, destinations);
    return outbox_prepare(&s->outbox, &outbox, change_out, e);
}

void span_shipper_commit(struct span_shipper *s, struct outbox_change *change)
{
    outbox_commit(&s->outbox, change);
}

void span_shipper_abandon(struct span_shipper *s, struct outbox_change *change)
{
    outbox_abandon(&s->outbox, change);
}

void span_shipper_close(struct span_shipper *s)
{
    if (s != NULL) {
        outbox_close(&s->outbox);
        strbuf_release(&s->compressed);
        mem_free(s);
    }
}

int span_shipper_add(struct span_shipper *s, struct str message, uint32_t spans)
{
    int64_t now = clock_now_ms(s->clock);
    strbuf_reset(&s->compressed);
    int status = gzip_encode(message, GZIP_LEVEL, &s->compressed);
    if (status == 0) {
        status = queue_append(s->outbox.queue, strbuf_str(&s->compressed), spans, now, now);
    }
    if (status != 0) {
        s->statistics.refused_spans += spans;
        return status;
    }
    s->statistics.added_spans += spans;
    s->statistics.records++;
    s->statistics.message_bytes += message.len;
    s->statistics.record_bytes += s->compressed.size;
    return 0;
}

int64_t span_shipper_step(struct span_shipper *s)
{
    outbox_maintain(&s->outbox);
    return outbox_send(&s->outbox);
}

void span_shipper_statistics(
    const struct span_shipper *s, struct span_shipper_statistics *statistics_out)
{
    *statistics_out = s->statistics;
    queue_statistics(s->outbox.queue, &statistics_out->queue);
}

size_t span_shipper_destination_count(const struct span_shipper *s)
{
    return s->outbox.sender_count;
}

void span_shipper_destination_statistics(
    const struct span_shipper *s, size_t index, struct sender_statistics *statistics_out)
{
    outbox_destination_statistics(&s->outbox, index, statistics_out);
}

const char *span_shipper_destination_name(const struct span_shipper *s, size_t index)
{
    return sender_name(s->outbox.senders[index]);
}
