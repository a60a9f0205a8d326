/* What gRPC servers count of themselves: sonde_grpc_*. Private to the gRPC server. From any thread. */
#ifndef SONDE_BASE_GRPC_SERVER_METRICS_H
#define SONDE_BASE_GRPC_SERVER_METRICS_H

#include "base/grpc_server.h"

/* Why a connection was closed by us, or not taken. */
enum grpc_closed {
    GRPC_CLOSED_CONNECTIONS, /* there are connections_max */
    GRPC_CLOSED_PROTOCOL,    /* not HTTP/2, or broken */
    GRPC_CLOSED_TLS,
    GRPC_CLOSED_HANDSHAKE,
    GRPC_CLOSED_IDLE,
    GRPC_CLOSED_UNREAD, /* the client does not read its answers */
    GRPC_CLOSED_RESETS,
    GRPC_CLOSED_FLOOD,
    GRPC_CLOSED_COUNT
};

/* Once a server; again does nothing. */
void grpc_metrics_register(void);
void grpc_metrics_answered(enum grpc_status status);
void grpc_metrics_closed(enum grpc_closed why);
/* Connections that are open: +1, -1. */
void grpc_metrics_connections(int by);

#endif
