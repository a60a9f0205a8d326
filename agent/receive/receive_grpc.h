/* OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc): metrics and traces, on a port of its own.
 * Statuses are those of base/grpc_server.h. Each message is handled on the loop's thread, like a request of
 * HTTP. */
#ifndef SONDE_RECEIVE_RECEIVE_GRPC_H
#define SONDE_RECEIVE_RECEIVE_GRPC_H

#include "base/err.h"
#include "receive/receive.h"

/* Listens where the options say, if they do. An address that nobody asked for may be in use. */
int receive_grpc_open(struct receive *r, struct err *e);

#endif
