/* Receivers: what others send to the agent, handed in by the agent's door for samples.
 *
 *   POST /v1/metrics     OTLP metrics, in protobuf or JSON, gzipped or not
 *   POST /v1/traces      OTLP traces, likewise
 *   POST /api/v1/write   remote write 1.0 and 2.0
 *   POST /write, /api/v2/write   InfluxDB's line protocol; GET /ping
 *   POST /api/v2/spans   Zipkin's spans, in JSON or protobuf
 *   POST /api/traces     Jaeger's spans, in Thrift
 *   UDP, Unix socket     StatsD and DogStatsD
 *   TCP                  Graphite, plaintext
 *   UDP                  Jaeger, Thrift
 *   gRPC                 OTLP, on a port of its own
 *
 * All of HTTP is one listener with one table of routes (receive.c): a further signal of OTLP is a further
 * row. A request is answered 2xx only when its samples are in the queue, its spans behind their door
 * (spans/span_intake.h says what that promises). Overload is answered in the
 * protocol's own way, 429 with Retry-After, before anything is decoded.
 *
 * One thread, the loop's: handlers run on it, so that a message is bounded by what the loop can spare.
 */
#ifndef SONDE_RECEIVE_RECEIVE_H
#define SONDE_RECEIVE_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "intake/intake.h"
#include "receive/receive_config.h"
#include "spans/span_intake.h"

/* A request's body as it is sent, where nothing else is configured. */
#define RECEIVE_BODY_MAX_DEFAULT ((size_t)64 << 20)
/* Of the memory budget: what the bodies of all requests of one listener may take while they come, but one body always
 * may. Beyond, senders are told to come again. */
#define RECEIVE_BODIES_SHARE 4
/* The same when it is decompressed, and the memory of what is decoded from it. */
#define RECEIVE_MESSAGE_MAX ((size_t)64 << 20)
#define RECEIVE_TREE_MAX ((size_t)128 << 20)
#define RECEIVE_CONNECTIONS_MAX 256

/* Each has a door of its own, whose account bears the source's name. */
enum receive_source {
    RECEIVE_OTLP,
    RECEIVE_WRITE,
    RECEIVE_STATSD,
    RECEIVE_GRAPHITE,
    RECEIVE_INFLUX,
    RECEIVE_ZIPKIN, /* spans, as are those of Jaeger */
    RECEIVE_JAEGER,
    RECEIVE_SOURCE_COUNT
};

const char *receive_source_name(enum receive_source source);

struct receive_options {
    const char *http_address; /* "" = no listener */
    bool address_is_default;  /* nobody asked for it: when it is in use, the agent goes without */
    const char *grpc_address; /* "" = no listener */
    bool grpc_address_is_default;
    const char *web_config; /* of both listeners; NULL = none */
    void (*web_config_changed)(void *context, const char *path, const struct err *e);
    struct receive_config config;
    uint64_t memory_max; /* the agent's budget; 0 = none */
    struct loop *loop;
    struct clock *clock;
    struct intake *intakes[RECEIVE_SOURCE_COUNT];
    struct span_intake *spans;
};

/* Messages are requests; lines of StatsD and Graphite. */
struct receive_statistics {
    uint64_t messages;         /* all that came */
    uint64_t refused_overload; /* the sender is to come again */
    uint64_t refused_invalid;  /* the sender is not */
    uint64_t lost_messages;    /* datagrams for which the socket had no room */
    uint64_t rejected_samples; /* left out of messages that were taken */
};

struct receive;

/* Listens. `options` is copied; what it points to is borrowed for the receivers' life. */
int receive_open(
    const struct receive_options *options, struct receive **receive_out, struct err *e);
/* Accepts NULL. */
void receive_close(struct receive *r);
void receive_statistics(
    const struct receive *r, enum receive_source source, struct receive_statistics *statistics_out);

#endif
