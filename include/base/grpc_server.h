/* gRPC in: unary calls over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), as OTLP
 * and other protocols of collectors need them. Streams of messages are not offered. The wrapper of nghttp2;
 * the one file that includes it is base/base/grpc_server_session.c.
 *
 * A table of methods maps a path to a handler. One thread, the server's own or that of a given loop, reads
 * and writes; when the message of a call is complete its handler runs, on that thread or in a pool, and
 * ends the call with a message or with a status. A full pool answers UNAVAILABLE by itself.
 *
 * What a client gets to see, besides what handlers say:
 *
 *   UNIMPLEMENTED       no such method; a compression other than gzip; none or several messages
 *   RESOURCE_EXHAUSTED  message or metadata too large. With RetryInfo: all calls together have too much
 *   UNAVAILABLE         with RetryInfo: the pool is full
 *   INTERNAL            a message that is cut short or is not gzip
 *   DEADLINE_EXCEEDED   the client's own deadline has passed before the handler began; the message did not
 *                       arrive in time
 *   UNAUTHENTICATED     the web configuration has passwords, and this is none of them (Basic)
 *   HTTP 415, 405       not application/grpc, not POST
 *   HTTP 400            HTTP/1.1 was spoken; the sentence says where to go
 *
 * A sentence travels percent-encoded in grpc-message; what may be tried again later also has a
 * google.rpc.RetryInfo in grpc-status-details-bin, which is what OTLP's senders look for.
 *
 * Limits, each with its name below; what is beyond is refused or closed, and counted in sonde_grpc_*.
 * A handler whose client has gone holds its place among the calls of its connection until it has
 * answered, so that calls that are begun and reset cannot pile up.
 */
#ifndef SONDE_BASE_GRPC_SERVER_H
#define SONDE_BASE_GRPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/workpool.h"

/* The numbers of gRPC, which are those of google.rpc.Code too. */
enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
    GRPC_STATUS_COUNT
};

struct grpc_server;
struct grpc_call;

/* Ends the call by exactly one of grpc_call_reply and grpc_call_fail; with a pool from any thread and at any
 * time, else on the server's thread. */
typedef void (*grpc_handler)(struct grpc_call *call, void *context);

struct grpc_method {
    const char *path; /* "/package.Service/Method" */
    grpc_handler handler;
    void *context;
    const char *help; /* one line, for docs */
};

/* Zero in a number means its default. Methods, loop, pool and clock are borrowed for the server's life. */
struct grpc_server_options {
    const char *address; /* "127.0.0.1:4317", "[::1]:4317", ":4317" (all addresses) */
    const struct grpc_method *methods;
    size_t method_count;
    struct loop *loop;      /* non-NULL: no thread of its own, driven by this loop */
    struct workpool *pool;  /* where handlers run; NULL: on the server's thread */
    size_t connections_max; /* default 256; more are closed at once */
    size_t streams_max;     /* calls of a connection at a time, default 100 */
    size_t message_max;     /* one message, before and after decompression; default 64 MiB */
    size_t messages_max; /* of all calls while they are read and handled; default 8 * message_max */
    size_t header_bytes_max; /* metadata of a call: names, values and 32 each; default 16 KiB */
    int64_t handshake_ms;    /* TLS and HTTP/2's greeting; default 10 s */
    int64_t
        idle_ms; /* a connection without calls, and one whose client reads nothing; default 5 min */
    int64_t message_ms; /* from a call's headers to the end of its message; default 60 s */
    /* Calls of a connection that the client may cancel: so many at once, and as many again in
     * GRPC_RESETS_PERIOD_MS. More is taken for an attack ("rapid reset") and closed. Default 200. */
    size_t resets_max;
    /* As http_server_options has them: TLS and passwords in Prometheus' form, read again when they change. */
    const char *web_config_file;
    void (*web_config_changed)(void *context, const char *path, const struct err *e);
    void *web_config_context;
    struct clock *clock; /* NULL = clock_real() */
};

#define GRPC_RESETS_PERIOD_MS 10000
/* What a client is asked to wait when the server itself is busy. */
#define GRPC_RETRY_AFTER_MS 1000
/* How long stopping waits for handlers and for clients to read their answers. */
#define GRPC_STOP_GRACE_MS 5000

/* Begins to listen. On failure the sentence says what to do: port in use (ERR_BUSY), address not local,
 * permission. */
int grpc_server_start(
    const struct grpc_server_options *options, struct grpc_server **server_out, struct err *e);
/* GOAWAY to every client, so that calls which have not begun go elsewhere; waits for handlers, and for a
 * while until their answers are read; then closes. Accepts NULL. With a loop it is called on the loop's
 * thread. */
void grpc_server_stop(struct grpc_server *server);
/* The bound port (useful after ":0"). */
uint16_t grpc_server_port(const struct grpc_server *server);

/* ---- In a handler. The call and all slices it hands out live until it is ended. ---- */

const struct grpc_method *grpc_call_method(const struct grpc_call *call);
/* Decompressed. */
struct str grpc_call_message(const struct grpc_call *call);
/* The value of a key, which is in lower case; ptr NULL when absent. */
struct str grpc_call_metadata(const struct grpc_call *call, const char *key);
/* "127.0.0.1:54321" */
struct str grpc_call_remote(const struct grpc_call *call);
/* Has the client cancelled or gone, so that nobody waits for an answer? */
bool grpc_call_is_abandoned(const struct grpc_call *call);

/* Ends the call with a message, whose bytes are taken over (the buffer is empty after). A buffer with an
 * error ends it as INTERNAL. */
void grpc_call_reply(struct grpc_call *call, struct strbuf *message);
/* Ends the call with a status other than GRPC_OK and a sentence, which is copied. With `retry_after_ms` >= 0
 * the client is told when to come again. */
void grpc_call_fail(
    struct grpc_call *call, enum grpc_status status, const char *sentence, int64_t retry_after_ms);
/* The same with the status that tells a sender of OTLP what an error of this house (base/err.h) means for
 * it: INVALID_ARGUMENT what cannot be read, RESOURCE_EXHAUSTED what is too large; RESOURCE_EXHAUSTED
 * (ERR_BUSY) and UNAVAILABLE (everything else) with RetryInfo what is to be sent again. */
void grpc_call_fail_with(
    struct grpc_call *call, int code, const char *sentence, int64_t retry_after_ms);

#endif
