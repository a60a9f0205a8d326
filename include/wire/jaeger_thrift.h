/* Jaeger's spans in Thrift (https://github.com/jaegertracing/jaeger-idl, jaeger.thrift, agent.thrift), as OTLP:
 * what Jaeger's own clients send, in an ExportTraceServiceRequest out.
 *
 *   HTTP         a Batch in Thrift's binary protocol, the body of POST /api/traces
 *   UDP, 6831    a call of Agent.emitBatch in the compact protocol, one datagram
 *   UDP, 6832    the same in the binary protocol
 *
 * The mapping is that of OpenTelemetry's collector:
 *
 *   process                  the resource: serviceName is service.name, tags its attributes
 *   traceIdHigh, traceIdLow  the trace id; spanId, parentSpanId (0: a root)
 *   startTime, duration      microseconds
 *   flags                    bit 0 sampled; bit 1, debug: attribute jaeger.debug, true
 *   tags                     attributes of their type: string, double, bool, long, binary
 *   tag span.kind            client, server, producer, consumer, internal
 *   tag error                true: status ERROR
 *   tags otel.status_code,   the status: OK, ERROR
 *        otel.status_description
 *   tags otel.scope.name,    the scope; otel.library.name, .version likewise
 *        otel.scope.version
 *   tag w3c.tracestate       the trace state
 *   logs                     events: their name is the field event, else message; other fields are attributes
 *   references               CHILD_OF of the same trace: the parent, where parentSpanId has none; every other:
 *                            a link, with opentracing.ref_type follows_from or child_of
 *
 * Lists, texts and structs within structs are bounded by what the message holds; the depth of what is skipped
 * by JAEGER_DEPTH_MAX.
 */
#ifndef SONDE_WIRE_JAEGER_THRIFT_H
#define SONDE_WIRE_JAEGER_THRIFT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#define JAEGER_BATCH_MAX ((size_t)64 << 20)
/* A UDP payload is never larger. */
#define JAEGER_DATAGRAM_MAX ((size_t)65536)
#define JAEGER_DEPTH_MAX 16
/* Memory of one span's lists. */
#define JAEGER_TREE_MAX ((size_t)64 << 20)

/* The body of a POST, decompressed, as a message appended to `message`. 0; ERR_CORRUPT with a sentence: not a
 * Batch, and nothing is to be taken; ERR_LIMIT, ERR_NOMEM. Spans with ids of zero are passed on: whoever walks
 * the message counts them. */
int jaeger_from_batch(struct str bytes, struct strbuf *message, struct err *e);
/* The same by its Content-Type: application/x-thrift or application/vnd.apache.thrift.binary; else
 * ERR_UNSUPPORTED. `now_ns` is of no use here: it makes the function one of a kind with zipkin_from_body. */
int jaeger_from_body(struct str content_type, struct str body, uint64_t now_ns,
    struct strbuf *message, struct err *e);
/* A datagram, in either protocol: they differ in the first byte. ERR_UNSUPPORTED: a call of something else,
 * emitZipkinBatch for one. */
int jaeger_from_datagram(struct str bytes, struct strbuf *message, struct err *e);

#endif
