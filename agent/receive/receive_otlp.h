/* OTLP (https://opentelemetry.io/docs/specs/otlp/): what becomes of a message of metrics or traces, and requests
 * over HTTP, of one frame for all signals. The answer has the request's encoding. gRPC is receive_grpc.h.
 *
 *   200       taken; with partialSuccess when points were refused, which the sender must not send again
 *   400       cannot be read
 *   413, 415  too large; neither protobuf nor JSON, or an encoding other than gzip
 *   429, 503  busy, or the queue does not take it: send again, after Retry-After
 *
 * A failure's body is google.rpc.Status.
 */
#ifndef SONDE_RECEIVE_RECEIVE_OTLP_H
#define SONDE_RECEIVE_RECEIVE_OTLP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/http_server.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "receive/receive.h"

struct receive_otlp_message {
    struct str bytes; /* decompressed */
    bool json;        /* else protobuf; the answer is of the same kind */
    enum span_protocol protocol;
};

/* Metrics or traces, by whatever door they come. */
struct receive_otlp_signal {
    /* May a message be taken? ERR_BUSY with a sentence. */
    int (*admit)(struct receive *r, enum span_protocol protocol, struct err *e);
    /* Takes one message, which ends in the queue or not at all, and writes the answer of success. 0, or an error
     * that receive_status knows, with a sentence. */
    int (*take)(struct receive *r, const struct receive_otlp_message *m, struct strbuf *answer,
        struct err *e);
};

extern const struct receive_otlp_signal receive_otlp_metrics_signal, receive_otlp_traces_signal;

/* Handlers of HTTP, whose context is the receivers. */
void receive_otlp_metrics(struct http_exchange *x, void *context);
void receive_otlp_traces(struct http_exchange *x, void *context);

#endif
