/* The service graph: who calls whom, how often, how long, how often in vain.
 *
 * Agents send the halves of each call (wire/half_edge.h); here they meet, and calls between two services are
 * counted in series that are named as Tempo's metrics generator names them:
 *
 *   traces_service_graph_request_total, traces_service_graph_request_failed_total
 *   traces_service_graph_request_server_seconds, traces_service_graph_request_client_seconds
 *                                              classic histograms, 0.1 s * 2^k, k = 0 … 7
 *       {client, server, connection_type}      connection_type: absent, virtual_node, messaging_system,
 *                                              database
 *   traces_service_graph_unpaired_spans_total  {client} or {server}: halves that never met another
 *
 * Not every call has two halves:
 *   - a call to a database is whole with the client's; the server is what the span says of the database;
 *   - a root of a server comes from outside: its client is "user", by way of a virtual_node;
 *   - a client's half that waited in vain, and names the other side, is a call to a virtual_node of that
 *     name (or by way of a messaging_system). The side that is not known took as long as the other.
 *
 * The time of the side that is longer on its way bounds what meets: after `wait_ms` a half is given up. A half
 * that comes again while its call is remembered (`wait_ms` from the first half) changes nothing; so only the
 * first of several servers that answer one client's span makes a call. Everything is in memory: a restart
 * begins the series anew, with a zero.
 *
 * Any thread.
 */
#ifndef SONDE_QUERY_SERVICE_GRAPH_H
#define SONDE_QUERY_SERVICE_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "tsdb/appender.h"

struct service_graph_options {
    int64_t interval_ms;  /* between two writes */
    int64_t wait_ms;      /* for the other half */
    uint64_t waiting_max; /* halves that wait, and calls remembered; the oldest go first */
    uint64_t edges_max;   /* pairs of services */
    int64_t idle_ms;      /* a pair without a call for so long ends */
    struct clock *clock;  /* borrowed */
    struct appender_source *writes; /* borrowed */
    bool no_thread; /* the owner calls service_graph_step itself: tests with a clock of their own */
};

struct service_graph_statistics {
    uint64_t halves;    /* taken */
    uint64_t repeated;  /* of these: of a call that had that half already */
    uint64_t calls;     /* of two halves, or of one that is enough */
    uint64_t unpaired;  /* given up, and nothing is known of the other side */
    uint64_t evicted;   /* given up before their time, for want of room */
    uint64_t lost;      /* no memory */
    uint64_t malformed; /* messages whose halves could not be read, all or in part */
    uint64_t write_failures;
    uint64_t waiting, edges;
};

struct service_graph;

/* Starts the thread that writes. ERR_NOMEM, ERR_LIMIT. */
int service_graph_open(
    const struct service_graph_options *options, struct service_graph **graph_out);
/* Writes once more, ends the thread. Accepts NULL. */
void service_graph_close(struct service_graph *g);
/* The halves in a message of OTLP's TracesData, which was found to be good protobuf; nothing when there
 * are none. Never fails: what cannot be read or kept is counted. */
void service_graph_take(struct service_graph *g, struct str message);
/* What is due now: gives up halves, writes. The thread calls it each second. */
void service_graph_step(struct service_graph *g);
void service_graph_statistics(
    struct service_graph *g, struct service_graph_statistics *statistics_out);

#endif
