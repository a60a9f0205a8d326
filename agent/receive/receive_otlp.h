/* OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp): the frame of a request, which all
 * signals share, metrics and traces. The answer has the request's encoding.
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

/* Takes one message of a signal, which ends in the queue or not at all, and writes the answer of success. 0, or
 * an error that receive_status knows, with a sentence. */
typedef int otlp_take(
    struct receive *r, bool json, struct str message, struct strbuf *answer, struct err *e);

/* Kind, encoding, admission, status and answer of a request, whatever its signal. */
void receive_otlp_request(
    struct receive *r, enum receive_source source, struct http_exchange *x, otlp_take *take);

/* Metrics: the handler, whose context is the receivers, and what it does with a message. */
void receive_otlp_metrics(struct http_exchange *x, void *context);
int receive_otlp_take_metrics(
    struct receive *r, bool json, struct str message, struct strbuf *answer, struct err *e);

/* Traces, likewise. */
void receive_otlp_traces(struct http_exchange *x, void *context);
int receive_otlp_take_traces(
    struct receive *r, bool json, struct str message, struct strbuf *answer, struct err *e);

#endif
