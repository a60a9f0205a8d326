/* Seam: HTTP out. Production drives the loop (base/base/http_client.c): plain requests to addresses in numbers (or localhost)
 * are sent by itself, all others by libcurl, which is loaded for the first of them; tests put a scripted
 * twin in its place (tests/support/sim_http_client).
 *
 * All calls and callbacks are on the loop's thread.
 */
#ifndef SONDE_BASE_HTTP_CLIENT_H
#define SONDE_BASE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/http_profile.h"
#include "base/loop.h"
#include "base/str.h"

struct http_client_call;

struct http_client_header {
    const char *name;
    const char *value;
};

#define HTTP_CLIENT_HEADERS_MAX 32
/* Where a request says 0. */
#define HTTP_CLIENT_TIMEOUT_MS_DEFAULT 30000
#define HTTP_CLIENT_BODY_MAX_DEFAULT ((size_t)16 << 20)
#define HTTP_CLIENT_PIECE_MAX ((size_t)1 << 20)

struct http_client_response;

struct http_client_request {
    const char *method; /* "GET", "POST" … */
    const char *url;
    const struct http_client_header *headers;
    size_t header_count;
    const char *unix_socket; /* path to connect to in place of the URL's host; NULL: none */
    struct str body;         /* borrowed until done */
    int64_t timeout_ms;      /* whole exchange; 0 = the default */
    size_t body_max; /* of the answer after decompression; more fails with ERR_LIMIT; 0 = default */
    /* Takes the body of a 2xx answer piece by piece, as it comes and after decompression, for answers that
     * have no end or are too large to be held; the response has no body then, and body_max 0 means that
     * there is no limit. Any other answer is collected as usual. A piece is borrowed during the call and at
     * most HTTP_CLIENT_PIECE_MAX bytes, and between two pieces the loop turns, or what came was less: the
     * largest body holds up nobody else. Of a plain request the time it takes is not the exchange's. It must not call the client: to end the call it returns an error
     * (ERR_*), with which `done` comes. NULL: all of the body comes with `done`. */
    int (*on_body)(void *context, struct str piece);
    /* With on_body: the head of a 2xx answer, once, before its first piece and when it has none; its status,
     * content type and headers, borrowed during the call. Returns as on_body does. NULL: not wanted. */
    int (*on_head)(void *context, const struct http_client_response *head);
    bool follow_redirects;              /* at most 10 */
    bool accept_gzip;                   /* asks for and undoes gzip */
    const struct http_profile *profile; /* borrowed until done; NULL: nobody in particular */
    /* Asked for the very address of each connection before it is made (a proxy's, when there is one):
     * names may resolve to something else each time. Such a request has a connection of its own.
     * When it says no to all addresses the request fails with ERR_PERMISSION. NULL: any. */
    bool (*may_connect)(void *context, const struct sockaddr *address);
    void *may_connect_context;
};

struct http_client_response {
    /* 0: there was an HTTP answer; else ERR_TIMEOUT, ERR_LIMIT, ERR_IO, ERR_CANCELED, ERR_PERMISSION, or
     * what on_body has returned */
    int error;
    const char *error_text; /* sentence when error != 0 */
    unsigned
        status; /* 0 without an answer; that of the answer when its body is too large or refused */
    struct str body; /* borrowed during the callback; empty when on_body has had it */
    struct str content_type;
    int64_t retry_after_ms; /* Retry-After in milliseconds from now, -1 when absent or status 0 */
    int64_t wire_bytes;     /* body bytes before decompression */
    bool
        was_sent; /* some of the request went out: the other side may have it, whatever came of it */
    /* The value of a header of the answer; ptr NULL when absent. */
    struct str (*header)(const struct http_client_response *r, const char *name);
    const void *impl;
};

/* A mail to a server that takes it on. The response's status is the server's last reply code (250 …), also
 * beside an error when there was one. */
struct http_client_mail {
    const char *url; /* "smtp://host:port" or "smtps://host:port"; a path is the name we go by */
    const char *from;
    const char *const *to;
    size_t to_count;
    struct str message; /* headers and body, lines end with CRLF; borrowed until done */
    const char *username, *password, *identity; /* NULL or empty: none; copied */
    bool require_tls;           /* STARTTLS or nothing; without it, none is asked for */
    const struct http_tls *tls; /* borrowed until done; NULL: the system's certificates */
    int64_t timeout_ms;         /* whole exchange; 0 = the default */
};

typedef void (*http_client_done)(void *context, const struct http_client_response *response);

struct http_client {
    /* Copies the request except for the body. `done` is called exactly once, later, never from
     * inside send; it may send, cancel other calls and close. 0, ERR_NOMEM, ERR_LIMIT (too many in
     * flight or too many headers), ERR_INVALID (URL not http or https, header with a line end);
     * ERR_NOT_FOUND, ERR_IO …: a secret's file cannot be read; ERR_UNSUPPORTED: the request needs
     * libcurl, and that cannot be loaded. */
    int (*send)(struct http_client *self, const struct http_client_request *request,
        http_client_done done, void *context, struct http_client_call **call_out);
    /* `done` comes with ERR_CANCELED, before cancel returns. */
    void (*cancel)(struct http_client *self, struct http_client_call *call);
    void (*close)(struct http_client *self); /* cancels what is in flight */
    /* As send. ERR_INVALID: URL or an address is not good. */
    int (*send_mail)(struct http_client *self, const struct http_client_mail *mail,
        http_client_done done, void *context, struct http_client_call **call_out);
};

struct http_client_options {
    const char *user_agent;      /* default "sonde/VERSION" */
    size_t in_flight_max;        /* default 1024 */
    size_t idle_connections_max; /* kept alive, default 256 */
};

int http_client_open(
    struct loop *loop, const struct http_client_options *options, struct http_client **client_out);

#endif
