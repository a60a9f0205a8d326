/* A connection of the gRPC server: its socket, TLS if there is any, and the bytes between both and the session.
 * Private to the gRPC server, whose thread has all of it. */
#ifndef SONDE_BASE_GRPC_SERVER_CONNECTION_H
#define SONDE_BASE_GRPC_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/strbuf.h"
#include "grpc_server_session.h"
#include "http_server_guard.h"
#include "tls_stream.h"

struct grpc_connection {
    struct grpc_connection *next, *previous; /* of the server's */
    const struct grpc_call_host *host;
    int fd;
    struct loop_watch *watch; /* set by whoever made the connection; freed with it */
    unsigned events;          /* that are watched */
    struct http_rules *rules; /* hold the certificates of `tls`; NULL: none */
    struct tls_stream *tls;   /* NULL: none */
    bool handshaken;
    bool receiving; /* the session must not be asked for bytes now */
    bool leaving;   /* what is in `out` is the last */
    struct grpc_session *session;
    struct strbuf out;
    size_t out_at;       /* so much of it is sent */
    int64_t progress_ms; /* when there was nothing to send, or some of it went */
};

/* Takes the socket over, and the hold on `rules` (NULL: no TLS); on failure both are closed. */
int grpc_connection_new(const struct grpc_call_host *host, int fd, const char *remote,
    struct http_rules *rules, struct grpc_connection **connection_out);
void grpc_connection_free(struct grpc_connection *c);

/* Each returns false when the connection is over and to be freed.
 *
 * Reads what there is, answers, writes. `buffer` of `size` bytes is scratch. */
bool grpc_connection_turn(struct grpc_connection *c, uint8_t *buffer, size_t size);
/* Writes what the session has; nothing while it is receiving. */
bool grpc_connection_flush(struct grpc_connection *c);
/* What time does. */
bool grpc_connection_check(struct grpc_connection *c);
/* GOAWAY; over as soon as its calls are answered. */
bool grpc_connection_shut_down(struct grpc_connection *c);

#endif
