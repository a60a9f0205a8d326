/* libmicrohttpd behind a narrow door: it moves bytes, http_server.c decides. Private to http_server.c;
 * the one file that includes libmicrohttpd is http_daemon.c.
 *
 * Connections and responses are libmicrohttpd's own objects under names of ours.
 */
#ifndef SONDE_BASE_HTTP_DAEMON_H
#define SONDE_BASE_HTTP_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct http_daemon;
struct http_connection;
struct http_response;

/* Called on the daemon's threads, or the loop's. One connection is always served by the same one. */
struct http_daemon_callbacks {
    /* The request line has arrived; `target` is as sent. Returns the request's own object, NULL when
     * memory is short. */
    void *(*begin)(void *server, struct http_connection *connection, const char *target);
    /* First when the headers are complete, then with each piece of the body, then with `size` 0 when
     * the request is complete, and again after each resume until there is a reply. False closes the
     * connection. */
    bool (*step)(void *request, const char *method, const char *bytes, size_t size);
    /* The reply is out or the connection gone. */
    void (*end)(void *server, void *request);
    /* With TLS: a connection was accepted; `session` is GnuTLS', before its handshake. What it returns is
     * held until `hang_up`; NULL closes the connection. */
    void *(*greet)(void *server, void *session);
    void (*hang_up)(void *server, void *held);
};

struct http_daemon_options {
    int listen_fd; /* taken over, even when starting fails */
    struct loop *loop;
    unsigned threads;         /* without a loop */
    unsigned connections_max; /* beyond it, who kept the daemon waiting longest is ended */
    unsigned idle_timeout_s;  /* without a byte */
    int64_t patience_ms;      /* for a whole request */
    void *tls_certificates;   /* see http_tls_no_certificate; NULL: no TLS */
};

int http_daemon_start(const struct http_daemon_options *options,
    const struct http_daemon_callbacks *callbacks, void *server, struct http_daemon **daemon_out,
    struct err *e);
/* New connections are refused from now on. */
void http_daemon_stop_listening(struct http_daemon *daemon);
/* With a loop that is not running meanwhile: serves for at most this long. */
void http_daemon_turn(struct http_daemon *daemon, int wait_ms);
/* Closes all connections; none may be suspended. Accepts NULL. */
void http_daemon_free(struct http_daemon *daemon);

/* From inside `step`: a handler has the request from here on, and the connection is not ended for others. Until
 * the reply, or until it waits for its client again. */
void http_connection_serve(struct http_daemon *daemon, struct http_connection *connection);
void http_connection_await(struct http_daemon *daemon, struct http_connection *connection);
/* From inside `step`: nothing is read, written or called for this connection until resumed. */
void http_connection_suspend(struct http_connection *connection);
/* From any thread; the connection may be gone by the time it returns. */
void http_connection_resume(struct http_daemon *daemon, struct http_connection *connection);
/* From inside `step`, after the headers and not between pieces of a body. A reply before the end of
 * the request closes the connection after it. False closes at once. */
bool http_connection_reply(struct http_daemon *daemon, struct http_connection *connection,
    unsigned status, struct http_response *response);
/* From inside `step`, or from one thread while suspended. ptr NULL when absent. */
struct str http_connection_header(struct http_connection *connection, const char *name);
/* The other side has closed, or the connection is broken. From one thread while suspended. A client that
 * only shut its sending side down counts as gone: nobody who waits for an answer does so. */
bool http_connection_is_closed(struct http_connection *connection);
/* Ends the connection in the middle of a reply. From inside the `read` of a body in pieces, before
 * HTTP_READ_BROKEN: libmicrohttpd 0.9.75 may keep the socket open until something happens on it. */
void http_connection_cut(struct http_connection *connection);
/* "127.0.0.1:54321"; the text has room for HTTP_ADDRESS_TEXT_MAX. Returns the length. */
size_t http_connection_remote(struct http_connection *connection, char *text);

/* Takes the bytes over; NULL, and nothing taken, when memory is short. */
struct http_response *http_response_of(char *bytes, size_t size);
/* The bytes outlive the daemon. */
struct http_response *http_response_of_static(const void *bytes, size_t size);
/* A body that is made while it is sent. `read` is called on the daemon's threads and fills the buffer: how
 * many bytes, or one of HTTP_READ_*. `free` is called once, when nothing is read any more. NULL, and `free` is
 * not called, when memory is short. */
enum {
    HTTP_READ_SUSPENDED = 0, /* none now: `read` has suspended the connection */
    HTTP_READ_END = -1,
    HTTP_READ_BROKEN = -2, /* the body cannot be completed: the connection is closed */
};
struct http_response *http_response_of_pieces(
    ssize_t (*read)(void *context, char *buffer, size_t size), void (*free)(void *context),
    void *context);
/* A body in pieces goes out without chunks, up to the end of the connection. */
void http_response_without_chunks(struct http_response *response);
void http_response_add_header(struct http_response *response, const char *name, const char *value);
/* Accepts NULL. */
void http_response_free(struct http_response *response);

#endif
