/* Connections of http_plain, and those it keeps.
 *
 *   connecting --connected--> sending --all is out--> reading --whole answer--> idle, or closed
 *
 * A connection is watched for reading from its first answer on, also while it is idle, so that an exchange on
 * a kept one costs a send, a turn of the loop, and a read or two, and no system call to say what is waited
 * for. Those idle are bounded by number and by age.
 */
#ifndef SONDE_BASE_HTTP_CLIENT_CONNECTION_H
#define SONDE_BASE_HTTP_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "http_client_plain_request.h"

#define HTTP_CLIENT_CONNECTION_BUCKETS 256
#define HTTP_CLIENT_CONNECTION_IDLE_MS_MAX 300000

enum http_phase { HTTP_CONNECTING, HTTP_SENDING, HTTP_READING, HTTP_IDLE };

struct http_plain_exchange;

struct http_client_connection {
    struct http_client_connections *all;
    struct http_plain_exchange *exchange; /* its user's; NULL: idle */
    struct loop_watch *watch;
    int fd;
    unsigned watched;
    enum http_phase phase; /* its user says which, but for idle */
    bool kept;             /* it had an answer before */
    struct http_plain_address address;
    int64_t idle_since_ms;
    struct http_client_connection *older, *newer; /* of those idle */
    struct http_client_connection *next_in_bucket;
};

struct http_client_connections {
    struct loop *loop;
    void (*ready)(struct http_client_connection *c, unsigned events);
    size_t idle_max, idle_count;
    struct http_client_connection *oldest, *newest; /* idle */
    struct http_client_connection
        *buckets[HTTP_CLIENT_CONNECTION_BUCKETS]; /* idle, by their addresses */
};

/* An idle connection to the address, if it may be one, or a new one: it is being made then, and ready when
 * `ready` is called with it. 0, ERR_NOMEM, ERR_IO, ERR_LIMIT … */
int http_client_connections_get(struct http_client_connections *all,
    const struct http_plain_address *address, bool may_be_kept,
    struct http_client_connection **c_out);
/* Closes those idle. */
void http_client_connections_release(struct http_client_connections *all);
/* What to wait for; costs nothing when that is waited for already. */
int http_client_connection_watch(struct http_client_connection *c, unsigned events);
/* Keeps it for the next exchange; the oldest goes when there are too many, and when it is too old. */
void http_client_connection_keep(struct http_client_connection *c);
void http_client_connection_close(struct http_client_connection *c);

#endif
