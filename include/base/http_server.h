/* HTTP in. The wrapper of libmicrohttpd; the one file that includes it is base/base/http_daemon.c.
 *
 * A table of routes maps method and path to a handler and a *lane*. The server's threads only read
 * and write; when a request is complete it is suspended and handed to its lane, a bounded pool of
 * threads (or a loop), where the handler runs and answers. A full lane answers 503 with Retry-After
 * by itself, so ingest and queries cannot starve each other; in a fair lane clients take turns.
 *
 * Bodies have a limit before and after decompression; headers and query strings have one too.
 */
#ifndef SONDE_BASE_HTTP_SERVER_H
#define SONDE_BASE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/http_route.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/workpool.h"

struct http_server;
struct http_exchange;

struct http_server_options {
    const char *address; /* "127.0.0.1:9095", "[::1]:9095", ":9095" (all addresses) */
    const struct http_route *routes;
    size_t route_count;
    struct workpool *lanes[HTTP_LANE_COUNT]; /* NULL: run on the server's thread, or the loop's */
    bool fair[HTTP_LANE_COUNT];              /* requests are submitted for their client */
    struct loop *loop;       /* non-NULL: no threads of its own, driven by this loop */
    unsigned threads;        /* without a loop: I/O threads, default 2 */
    size_t connections_max;  /* default 512 */
    size_t body_max;         /* wire bytes of a request body, default 64 MiB: 413 beyond */
    size_t bodies_max;       /* of all bodies that are held, default 8 * body_max: 503 beyond */
    unsigned idle_timeout_s; /* default 60 */
    /* Whose pages may use the server: a regular expression, anchored, for the Origin of a request; those
     * it matches may use every method. "*" (the default) and ".*": everybody, for GET; "": nobody. */
    const char *cors_origin;
    const char *route_prefix; /* stripped from paths, e.g. "/sonde"; default "" */
    /* TLS, passwords and headers, in Prometheus' form (base/base/web_config.h); NULL or "": none. Read again
     * when it or a file it names changes. `web_config_changed` is then told, from any thread: `e` is NULL, or
     * why the old one stays. */
    const char *web_config_file;
    void (*web_config_changed)(void *context, const char *path, const struct err *e);
    void *web_config_context;
};

/* Begins to listen. On failure the sentence says what to do: port in use, address not local,
 * permission. Routes, pools and loop are borrowed for the server's life. */
int http_server_start(
    const struct http_server_options *options, struct http_server **server_out, struct err *e);
/* No new requests; waits for running ones; then closes. Accepts NULL. With a loop it is called on the
 * loop's thread, after handlers that wait for the loop itself have replied. */
void http_server_stop(struct http_server *server);
/* The bound port (useful after ":0"). */
uint16_t http_server_port(const struct http_server *server);
/* Whether it speaks https. */
bool http_server_has_tls(const struct http_server *server);
/* Reads a web configuration as a server would. */
int http_server_check_web_config(const char *path, struct err *e);

/* ---- In a handler. The exchange and all slices it hands out live until the reply. ---- */

struct str http_exchange_method(const struct http_exchange *x); /* GET for HEAD too */
struct str http_exchange_path(const struct http_exchange *x);   /* decoded, prefix stripped */
struct str http_exchange_path_value(const struct http_exchange *x);
struct str http_exchange_body(const struct http_exchange *x); /* as sent, still compressed */
/* Case-insensitive; ptr NULL when absent. */
struct str http_exchange_header(const struct http_exchange *x, const char *name);
struct str http_exchange_remote(const struct http_exchange *x); /* "127.0.0.1:54321" */
/* Who asks: the header X-Scope-OrgID, which tenants of a gateway have; else the header
 * X-Grafana-User; else the address without the port. What a client says of itself: good for fairness and
 * for logs, not for rights. */
struct str http_exchange_client(const struct http_exchange *x);
/* Has the client closed its side, so that nobody waits for the reply? From the handler's thread while
 * the handler runs in a lane. */
bool http_exchange_is_abandoned(const struct http_exchange *x);
/* Parameters of the body, when it is application/x-www-form-urlencoded, and of the query string. ptr NULL
 * when absent; an empty value has len 0. */
struct str http_exchange_param(const struct http_exchange *x, const char *name);
/* The index-th value of a repeated parameter; false when there are not that many. */
bool http_exchange_param_at(
    const struct http_exchange *x, const char *name, size_t index, struct str *value_out);
/* Memory of the request, released after the reply. */
struct arena *http_exchange_arena(struct http_exchange *x);

/* Adds a header to the reply to come; name and value are copied. */
void http_exchange_set_header(struct http_exchange *x, const char *name, const char *value);
/* Sends the reply and ends the exchange; exactly once a request, from any thread. `body` is taken
 * over (it is empty after). Large bodies are gzipped when the client accepts it. */
void http_exchange_reply(
    struct http_exchange *x, unsigned status, const char *content_type, struct strbuf *body);
/* A reply whose body is the text. */
void http_exchange_reply_text(struct http_exchange *x, unsigned status, const char *text);
/* A reply in pieces, for what is too large to be held: begin, write and end stand for one reply. Only in a
 * lane that has a pool, since writing waits for the client.
 *
 * Begins it: status and headers go out. From here until the end the request's headers and address may not
 * be asked for; its parameters, path, body and arena stay. ERR_NOMEM: nothing was sent, and the request still wants
 * its reply. */
int http_exchange_begin(struct http_exchange *x, unsigned status, const char *content_type);
/* Adds to the body, compressed when the client accepts it. Waits while the client has HTTP_STREAM_BYTES_MAX
 * to read. ERR_CLOSED: nobody reads any more, because the client has gone, has not taken a piece for
 * HTTP_STREAM_STALL_S, or the server stops; ERR_NOMEM. After an error only the end is left. */
int http_exchange_write(struct http_exchange *x, struct str bytes);
/* Ends the exchange. With an error the connection is closed in a way that tells the client that the body
 * is not whole. */
void http_exchange_end(struct http_exchange *x, int error);
#define HTTP_STREAM_BYTES_MAX ((size_t)1 << 20)
#define HTTP_STREAM_STALL_S 30

/* A body that outlives the server (embedded files); `gzipped` says that it is stored compressed. */
void http_exchange_reply_static(struct http_exchange *x, unsigned status, const char *content_type,
    const void *bytes, size_t size, bool gzipped);

#endif
