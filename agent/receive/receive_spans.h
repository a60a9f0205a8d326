/* Spans in other protocols than OTLP: Zipkin's and Jaeger's over HTTP, Jaeger's over UDP. They are turned into
 * OTLP (wire/zipkin.h, wire/jaeger_thrift.h) and handed in by the one door for spans.
 *
 *   202       taken; a sentence when some spans were refused, which the sender must not send again
 *   400       cannot be read; nothing is taken
 *   413, 415  too large; of a kind, or in an encoding, that is not read here
 *   429, 503  busy, or the queue does not take it: send again, after Retry-After
 *
 * UDP has no answer: what cannot be taken is counted.
 */
#ifndef SONDE_RECEIVE_RECEIVE_SPANS_H
#define SONDE_RECEIVE_RECEIVE_SPANS_H

#include "base/err.h"
#include "base/http_server.h"
#include "receive/receive.h"

/* Handlers, whose context is the receivers. */
void receive_zipkin(struct http_exchange *x, void *context);
void receive_jaeger(struct http_exchange *x, void *context);

/* Waits for datagrams where the configuration says. */
int receive_jaeger_open(struct receive *r, struct err *e);
void receive_jaeger_close(struct receive *r);

#endif
