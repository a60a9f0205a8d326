/* Zipkin's spans, version 2 (https://zipkin.io/zipkin-api/, zipkin2-api.yaml and zipkin.proto), as OTLP: the body
 * of POST /api/v2/spans in, an ExportTraceServiceRequest out. The mapping is that of OpenTelemetry's
 * specification and collector:
 *
 *   kind                        CLIENT, SERVER, PRODUCER, CONSUMER; absent: unspecified
 *   timestamp, duration         microseconds. Without a timestamp the earliest annotation counts, else the
 *                               time of arrival, and the span has otel.zipkin.absentField.startTime
 *   localEndpoint               serviceName: the resource's service.name; net.host.ip, net.host.port
 *   remoteEndpoint              peer.service, net.peer.ip, net.peer.port
 *   annotations                 events of that name, without attributes
 *   tags                        attributes, as texts; numbers and truth values in JSON keep their type
 *   tag error                   status ERROR, with its text unless that is "true"; the tag is gone
 *   otel.status_code,           the status; OK and ERROR
 *   otel.status_description
 *   otel.scope.name, .version   the scope; otel.library.name, .version likewise
 *   debug                       attribute zipkin.debug, true
 *   shared                      see below
 *
 * A server's span may share its id with the client's span (B3 without a new id for the server's side). Here an
 * id names one span, so the server's side gets an id of its own, made from the one they share, and the
 * client's as its parent; spans of the same service in the same request that have the shared id as parent are
 * its children.
 *
 * Trace ids have 64 or 128 bits; leading zeros may be left out in JSON.
 */
#ifndef SONDE_WIRE_ZIPKIN_H
#define SONDE_WIRE_ZIPKIN_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* One body, decompressed. As JSON it is first a tree of its own, several times its size. */
#define ZIPKIN_JSON_MAX ((size_t)16 << 20)
#define ZIPKIN_PROTOBUF_MAX ((size_t)64 << 20)
/* Memory of all spans of a body while they are turned. */
#define ZIPKIN_TREE_MAX ((size_t)256 << 20)

/* A JSON array of spans, or a ListOfSpans, as a message appended to `message`. `now_ns` is the time of arrival.
 * 0; ERR_CORRUPT with a sentence: not Zipkin's, or an id that is none, and nothing is to be taken; ERR_LIMIT,
 * ERR_NOMEM. */
int zipkin_from_json(struct str json, uint64_t now_ns, struct strbuf *message, struct err *e);
int zipkin_from_protobuf(struct str bytes, uint64_t now_ns, struct strbuf *message, struct err *e);
/* The body of a POST, by its Content-Type: application/json, also when there is none, or application/x-protobuf;
 * else ERR_UNSUPPORTED. */
int zipkin_from_body(struct str content_type, struct str body, uint64_t now_ns,
    struct strbuf *message, struct err *e);

#endif
