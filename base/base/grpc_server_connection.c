/* A connection: bytes between its socket and its session.
 *
 * Reading is fair: a connection has READ_TURNS pieces of the server's buffer, then others have their turn.
 * Writing holds at most OUT_BYTES besides what HTTP/2 itself has queued; a client that takes nothing for
 * idle_ms is closed.
 */
#include "grpc_server_connection.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "grpc_server_metrics.h"

enum { READ_TURNS = 4, OUT_BYTES = 64 * 1024 };

/* What who speaks HTTP/1.1 here gets to see. */
static const char wrong_door[] = "HTTP/1.1 400 Bad Request\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Length: 80\r\n"
                                 "Connection: close\r\n"
                                 "\r\n"
                                 "This port speaks gRPC, over HTTP/2. What speaks HTTP/1.1 "
                                 "has a port of its own.\n";

static int64_t time_ms(const struct grpc_connection *c)
{
    return clock_monotonic_ms(c->host->options->clock);
}

/* ---- The socket ---- */

/* Bytes, 0 at the end, ERR_BUSY, ERR_IO. */
static ssize_t read_some(struct grpc_connection *c, uint8_t *buffer, size_t size)
{
    if (c->tls != NULL) {
        return tls_stream_read(c->tls, buffer, size);
    }
    ssize_t result = recv(c->fd, buffer, size, 0);
    return result >= 0                                                 ? result
           : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ERR_BUSY
                                                                       : ERR_IO;
}

static ssize_t write_some(struct grpc_connection *c, const char *bytes, size_t size)
{
    if (c->tls != NULL) {
        return tls_stream_write(c->tls, bytes, size);
    }
    ssize_t result = send(c->fd, bytes, size, MSG_NOSIGNAL);
    return result >= 0                                                 ? result
           : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ERR_BUSY
                                                                       : ERR_IO;
}

/* The socket's next event that is of interest. */
static bool watch(struct grpc_connection *c)
{
    bool waits = c->out.size > c->out_at || (c->tls != NULL && tls_stream_wants_write(c->tls));
    unsigned events = LOOP_READABLE | (waits ? LOOP_WRITABLE : 0);
    if (c->watch != NULL && events != c->events) {
        c->events = events;
        return loop_watch_set(c->watch, events) == 0;
    }
    return true;
}

/* ---- Out ---- */

/* 0: everything is sent; ERR_BUSY, ERR_IO. */
static int send_out(struct grpc_connection *c)
{
    while (c->out_at < c->out.size) {
        ssize_t sent = write_some(c, c->out.data + c->out_at, c->out.size - c->out_at);
        if (sent < 0) {
            return (int)sent;
        }
        c->out_at += (size_t)sent;
        c->progress_ms = time_ms(c);
    }
    strbuf_reset(&c->out);
    c->out_at = 0;
    c->progress_ms = time_ms(c);
    return 0;
}

/* Whatever the session has, as far as the socket takes it. */
static int send_all(struct grpc_connection *c)
{
    for (;;) {
        int status = c->leaving ? 0 : grpc_session_send(c->session, OUT_BYTES, &c->out);
        if (status != 0 || c->out.size == 0) {
            return status;
        }
        status = send_out(c);
        if (status != 0) {
            return status;
        }
    }
}

bool grpc_connection_flush(struct grpc_connection *c)
{
    if (c->receiving || !c->handshaken) {
        return true;
    }
    int status = send_all(c);
    if (status == ERR_BUSY) {
        return watch(c);
    }
    return status == 0 && !c->leaving && !grpc_session_is_over(c->session) && watch(c);
}

/* ---- In ---- */

/* The session takes no more: what it has to say, or what there is to say to others, is the last. */
static void begin_leaving(struct grpc_connection *c, int status)
{
    if (status == ERR_UNSUPPORTED) {
        strbuf_reset(&c->out);
        strbuf_add(&c->out, wrong_door, sizeof(wrong_door) - 1);
    } else {
        (void)grpc_session_send(c->session, OUT_BYTES, &c->out); /* as much as there is */
    }
    if (status != ERR_LIMIT) { /* which is counted by the session */
        grpc_metrics_closed(GRPC_CLOSED_PROTOCOL);
    }
    c->leaving = true;
}

static void receive(struct grpc_connection *c, const uint8_t *bytes, size_t size)
{
    if (c->leaving) {
        return; /* read and thrown away */
    }
    c->receiving = true;
    int status = grpc_session_receive(c->session, str_make((const char *)bytes, size), time_ms(c));
    c->receiving = false;
    if (status != 0) {
        begin_leaving(c, status);
    }
}

static bool shake_hands(struct grpc_connection *c)
{
    if (c->handshaken) {
        return true;
    }
    int status = tls_stream_handshake(c->tls);
    c->handshaken = status == 0;
    if (status != 0 && status != ERR_BUSY) {
        grpc_metrics_closed(GRPC_CLOSED_TLS);
        return false;
    }
    return true;
}

bool grpc_connection_turn(struct grpc_connection *c, uint8_t *buffer, size_t size)
{
    if (!shake_hands(c)) {
        return false;
    }
    if (!c->handshaken) {
        return watch(c);
    }
    for (int turn = 0; turn < READ_TURNS || (c->tls != NULL && tls_stream_has_more(c->tls));
         turn++) {
        ssize_t got = read_some(c, buffer, size);
        if (got == ERR_BUSY) {
            break;
        }
        if (got <= 0) {
            return false;
        }
        receive(c, buffer, (size_t)got);
        if (!grpc_connection_flush(c)) {
            return false;
        }
        if ((size_t)got < size && c->tls == NULL) {
            break; /* that was all */
        }
    }
    return grpc_connection_flush(c);
}

/* ---- Time ---- */

bool grpc_connection_check(struct grpc_connection *c)
{
    int64_t now = time_ms(c);
    if (c->out.size > c->out_at && now - c->progress_ms >= c->host->options->idle_ms) {
        grpc_metrics_closed(GRPC_CLOSED_UNREAD);
        return false;
    }
    if (grpc_session_check(c->session, now) != 0) {
        return false;
    }
    return grpc_connection_flush(c);
}

bool grpc_connection_shut_down(struct grpc_connection *c)
{
    grpc_session_shut_down(c->session);
    return c->handshaken && grpc_connection_flush(c);
}

/* ---- Life ---- */

int grpc_connection_new(const struct grpc_call_host *host, int fd, const char *remote,
    struct http_rules *rules, struct grpc_connection **connection_out)
{
    struct grpc_connection *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        (void)close(fd);
        http_rules_unref(rules);
        return ERR_NOMEM;
    }
    c->host = host;
    c->fd = fd;
    c->rules = rules;
    c->handshaken = rules == NULL || rules->tls == NULL;
    strbuf_init(&c->out, STRBUF_LIMIT_DEFAULT);
    c->progress_ms = time_ms(c);
    int status = grpc_session_new(host, c, remote, c->progress_ms, &c->session);
    if (status == 0 && !c->handshaken) {
        status = tls_stream_new(rules->tls, fd, "h2", &c->tls);
    }
    if (status != 0) {
        grpc_connection_free(c);
        return status;
    }
    *connection_out = c;
    return 0;
}

void grpc_connection_free(struct grpc_connection *c)
{
    grpc_session_free(c->session);
    loop_watch_free(c->watch);
    tls_stream_free(c->tls);
    http_rules_unref(c->rules);
    strbuf_release(&c->out);
    (void)close(c->fd);
    mem_free(c);
}
