/* A request on its way through the server, and the server, from inside. Private to the files http_*.c that
 * serve: http_server.c (requests, the server's life), http_server_exchange.c (what handlers ask and reply),
 * http_server_stream.c (replies in pieces).
 *
 * Life of a request (struct http_exchange), by the thread that owns it:
 *
 *   CHECKING   suspended before its body: a thread of the server's own computes whether the password is
 *              right, says so in the exchange, CHECKED, and resumes.
 *   READING    the daemon's thread: headers, then the body into a buffer. A request that will be
 *              refused anyway (unknown path, body too large) has its body thrown away as it comes.
 *   HANDLING   the handler runs on the daemon's thread (no pool for its lane), not suspended:
 *              a reply made by then is sent at once, without a round through the event loop.
 *   WAITING    suspended: a pool's thread, or whoever the handler passed it to, owns the exchange
 *              and the daemon does not look at the connection.
 *   ANSWERED   the reply is in the exchange; the daemon's thread queues it and owns all again.
 *
 * The one hand-over that can race is a reply against the end of a handler that has not replied: both
 * exchange `state` atomically, and whoever finds that the other was first resumes the connection.
 * After a resume the exchange may be freed at any moment; nothing touches it then.
 *
 * A reply in pieces is ANSWERED as soon as it begins, while its handler goes on: both hold the exchange
 * then, and the last one frees it. Bytes go through a buffer of the stream (http_server_stream.c).
 */
#ifndef SONDE_BASE_HTTP_SERVER_EXCHANGE_H
#define SONDE_BASE_HTTP_SERVER_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_server.h"
#include "base/lock.h"
#include "base/regex.h"
#include "http_daemon.h"
#include "http_params.h"
#include "http_server_guard.h"

enum exchange_state {
    EXCHANGE_BEGUN, /* the request line is known, headers are being read */
    EXCHANGE_CHECKING,
    EXCHANGE_CHECKED,
    EXCHANGE_READING,
    EXCHANGE_HANDLING,
    EXCHANGE_WAITING,
    EXCHANGE_ANSWERED,
};

struct reply_header {
    struct reply_header *next;
    const char *name, *value;
};

struct http_stream;

struct http_server {
    struct http_server_options options;
    struct regex *cors_pattern; /* NULL: everybody may read, or nobody when `no_origin` */
    bool no_origin;
    char *route_prefix;
    struct http_daemon *daemon;
    struct http_guard *guard; /* NULL: everybody may come in, without TLS */
    struct workpool *doormen; /* compute passwords; with a guard */
    uint16_t port;
    _Atomic size_t body_bytes; /* of all requests */
    atomic_bool cutting;       /* replies in pieces are given up */
    struct lock lock;          /* guards what follows */
    struct lock_condition changed;
    bool stopping;
    size_t running; /* handed to a handler, not answered */
    size_t open;    /* handed to a handler, reply not yet out */
};

struct http_exchange {
    _Atomic unsigned holders; /* the connection; the handler of a reply in pieces */
    struct http_server *server;
    struct http_rules *rules; /* NULL: none */
    unsigned access_refusal;  /* what CHECKING came to: 0, 401, 503 */
    struct http_connection *connection;
    struct arena arena;
    _Atomic int state;
    const struct http_route *route;
    struct str method, target, path, path_value, query;
    int64_t begun_ns;
    /* Body */
    struct strbuf body;
    uint64_t received;   /* wire bytes, thrown away or not */
    unsigned refusal;    /* status to refuse with once the request is complete, 0 = none */
    const char *allowed; /* with 204 and 405: the methods of the path */
    struct http_params params;
    /* Reply */
    struct reply_header *headers;
    struct http_response *response; /* NULL after ANSWERED: memory was short, close */
    struct http_stream *stream;     /* between begin and end of a reply in pieces */
    unsigned status;
    bool accepts_gzip;
    bool counted; /* in server->open */
};

#define HTTP_TEXT "text/plain; charset=utf-8"
/* What a request and its reply are made of; reply headers among them. */
#define HTTP_EXCHANGE_ARENA_MAX ((size_t)256 << 20)

/* Counts one of server->running or ->open down. */
void http_server_count_down(struct http_server *server, size_t *counter);
/* The response to a body, with all its headers; takes the bytes of `body`. NULL when memory is short. */
struct http_response *http_exchange_response(
    struct http_exchange *x, const char *content_type, struct strbuf *body);
/* The headers of a reply whose body is known or to come. */
void http_exchange_add_headers(struct http_exchange *x, struct http_response *response,
    const char *content_type, bool gzipped, bool varies);
/* Hands the reply to the daemon's thread. The caller owns the exchange no more. */
void http_exchange_hand_over(
    struct http_exchange *x, unsigned status, struct http_response *response);
/* Lets go of the exchange; the last holder frees it. */
void http_exchange_unref(struct http_exchange *x);
/* Is anybody still reading the reply in pieces? */
bool http_stream_is_abandoned(struct http_stream *stream);
/* The origin that this request is allowed from; empty when it is not told. */
struct str http_exchange_allowed_origin(struct http_exchange *x);

#endif
