/* Halves of calls between services, of every span that is one, on their way to the server where they meet
 * (wire/half_edge.h; query/service_graph.h says what becomes of them).
 *
 * A client's or producer's span is a half by its own id, a server's or consumer's by its parent's. What a
 * client's span says of the other side, in this order: peer.service; of a database db.namespace, db.name,
 * db.system.name, db.system; of messaging messaging.destination.name, messaging.system; server.address,
 * net.peer.name.
 *
 * Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_SPAN_HALVES_H
#define SONDE_SPANS_SPAN_HALVES_H

#include "base/clock.h"
#include "ship/span_shipper.h"
#include "wire/half_edge.h"
#include "wire/otlp_traces.h"

/* Handed on at the latest when so many wait, or after this time. */
#define SPAN_HALVES_BYTES_MAX ((size_t)1 << 20)
#define SPAN_HALVES_WAIT_MS 1000

struct span_halves_statistics {
    uint64_t halves; /* handed on */
    uint64_t lost;   /* no memory, or the queue did not take them */
};

struct span_halves;

/* Both are borrowed. */
int span_halves_new(
    struct span_shipper *shipper, struct clock *clock, struct span_halves **halves_out);
/* Accepts NULL. */
void span_halves_free(struct span_halves *h);
/* The half that a span is, if it is one. It counts once span_halves_keep is called, and is forgotten with
 * span_halves_drop: the span was not taken. */
void span_halves_add(struct span_halves *h, const struct otlp_span *span, double weight);
void span_halves_keep(struct span_halves *h);
void span_halves_drop(struct span_halves *h);
/* Hands on what is due. Returns milliseconds until the next call is due. */
int64_t span_halves_step(struct span_halves *h);
/* Hands on all that is kept. */
void span_halves_flush(struct span_halves *h);
void span_halves_statistics(
    const struct span_halves *h, struct span_halves_statistics *statistics_out);

#endif
