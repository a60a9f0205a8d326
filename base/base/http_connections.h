/* The open connections of an HTTP daemon: whom each one waits for, and which has to go when there are too many.
 * Private to http_daemon.c.
 *
 * A client may keep a connection by sending a byte of its headers now and then, which libmicrohttpd takes for
 * life: its timeout counts from the last byte. Enough of such clients, and nobody else comes in. So connections
 * beyond the limit are still accepted, and the one that has kept us waiting longest is ended for each; and
 * whoever takes too long over a whole request is ended the next time somebody comes or is served.
 *
 * Ending is shutting the socket down: the daemon's thread then finds the end and closes.
 */
#ifndef SONDE_BASE_HTTP_CONNECTIONS_H
#define SONDE_BASE_HTTP_CONNECTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

/* When there are too many: first goes who has kept us waiting for so long, the longest first; */
#define HTTP_WAITING_GRACE_MS 1000
/* then who has read an answer for so long; then who waits at all. */
#define HTTP_READING_GRACE_MS 5000
/* How often connections are looked at for those that take too long. */
#define HTTP_SWEEP_MS 1000

enum connection_phase {
    CONNECTION_WAITS,    /* for bytes of the client: between requests, or in the middle of one */
    CONNECTION_SERVED,   /* its request is being handled: never ended */
    CONNECTION_ANSWERED, /* the client is reading */
};

struct open_connection {
    struct open_connection *next, *previous;
    int fd;
    void *held; /* of its TLS session; the daemon's */
    _Atomic int phase;
    _Atomic int64_t since_ms; /* when the phase began */
    bool ended;
};

struct http_connections {
    size_t max;          /* beyond it the oldest go */
    int64_t patience_ms; /* for a whole request */
    struct lock lock;    /* rank LEAF: guards what follows */
    struct lock_condition changed;
    struct open_connection *first;
    size_t living; /* not ended */
    int64_t swept_ms;
};

void http_connections_init(struct http_connections *all, size_t max, int64_t patience_ms);
void http_connections_release(struct http_connections *all);

/* A connection was accepted. Ends another one when there are too many. NULL when memory is short. Any thread. */
struct open_connection *http_connections_add(struct http_connections *all, int fd, int64_t now_ms);
/* It is about to be closed; frees it. */
void http_connections_remove(struct http_connections *all, struct open_connection *c);
/* From the thread that serves the connection. */
void http_connections_enter(struct http_connections *all, struct open_connection *c,
    enum connection_phase phase, int64_t now_ms);
/* Ends all of them, and takes the lock: whoever waits for `first` to be NULL gives it. */
void http_connections_end_all(struct http_connections *all);

#endif
