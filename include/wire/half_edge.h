/* Halves of calls between services, on their way from an agent to the server, where they meet.
 *
 * A call has a span on either side: the client's (or producer's), and the server's (or consumer's), whose
 * parent it is. An agent sees one of them, or both, and sends each as a half: the two agree on the trace
 * and on the client's span. Halves are sent of all spans, before sampling.
 *
 * They travel in a message of OTLP's TracesData, to the same address as spans and by the same queue, in a
 * field that other receivers of OTLP skip, as protobuf wants it:
 *
 *   TracesData{half_edges 15001}   HalfEdges{texts 1, halves 2}, both repeated
 *
 * `texts` are names; `halves` are records that refer to them by their place:
 *
 *    0  16  trace id
 *   16   8  id of the client's span, most significant byte first; 0 = the server's span is a root
 *   24   1  1 the server's half, 2 it failed, 4 by way of messaging, 8 to a database, 16 weight follows
 *   25   v  uvarint: service, place in texts from 0
 *        v  uvarint: the other side's name, place in texts from 1; 0 = not known
 *        v  uvarint: duration in ns
 *        8  with flag 16: double, little-endian, how many calls it stands for; else 1
 *
 * Unknown flags make a half unreadable; what follows behind its fields is ignored.
 */
#ifndef SONDE_WIRE_HALF_EDGE_H
#define SONDE_WIRE_HALF_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/span.h"

#define HALF_EDGES_FIELD 15001u
/* Different names in one message, and bytes of one. */
#define HALF_EDGES_TEXTS_MAX ((size_t)1 << 16)
#define HALF_EDGES_TEXT_BYTES_MAX 256

struct half_edge {
    struct trace_id trace_id;
    uint64_t span_id; /* the client's; 0 = the server's span is a root */
    bool is_server, failed, messaging, database;
    struct str service;
    struct str peer; /* of a client's half: what its span says of the other side; may be empty */
    uint64_t duration_ns;
    double weight; /* above 0, finite */
};

/* ---- Out ---- */

struct half_edge_encoder;

int half_edge_encoder_new(struct half_edge_encoder **encoder_out);
/* Accepts NULL. */
void half_edge_encoder_free(struct half_edge_encoder *e);
/* Longer names are cut. ERR_NOMEM, ERR_LIMIT: too many names; nothing was added. */
int half_edge_encoder_add(struct half_edge_encoder *e, const struct half_edge *half);
size_t half_edge_encoder_count(const struct half_edge_encoder *e);
size_t half_edge_encoder_bytes(const struct half_edge_encoder *e);
/* Only the first `count` halves stay. */
void half_edge_encoder_truncate(struct half_edge_encoder *e, size_t count);
/* A message of them all onto `message`, whose error sticks; the encoder is empty afterwards. */
void half_edge_encoder_finish(struct half_edge_encoder *e, struct strbuf *message);

/* ---- In ---- */

/* Goes through a message, which is borrowed, and so are the names. */
struct half_edge_reader {
    struct str message; /* what is left of it, of its HalfEdges */
    struct str halves;
    const struct str *texts;
    size_t text_count;
    struct arena *arena;
};

void half_edge_reader_init(struct half_edge_reader *r, struct str message, struct arena *arena);
/* 1 and the next half; 0 at the end; ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int half_edge_reader_next(struct half_edge_reader *r, struct half_edge *half_out);

#endif
