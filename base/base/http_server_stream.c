/* Replies in pieces: a bounded buffer between the handler, which waits for room, and the daemon's thread,
 * which is suspended while there is nothing to send.
 *
 *   handler --write--> [compression] --> ready --read--> daemon --> client
 *
 * The stream has two holders: the handler, until it ends the reply, and the daemon's response, until it
 * reads no more, be it that all was sent or that the connection is gone. Whoever leaves first tells the
 * other: `ended`, or `gone`.
 *
 * `starved` says that the connection is suspended by the reader. Who clears it resumes, exactly once; until
 * then the daemon cannot close the connection, so that its socket may be looked at.
 *
 * A client that does not read keeps a thread of its lane waiting. That is why patience has a limit
 * (HTTP_STREAM_STALL_S without room for a single piece), and why lanes are fair: no client has all their threads.
 */
#include "http_server_exchange.h"

#include <assert.h>

#include "base/clock.h"
#include "base/gzip.h"
#include "base/mem.h"
#include "http_match.h"
#include "http_metrics.h"

enum {
    STREAM_GZIP_LEVEL = 1,
    /* What is handed over at a time. */
    STREAM_PIECE_BYTES = 256 * 1024,
    /* How often a waiting writer looks whether the server stops. */
    STREAM_LOOK_MS = 250,
};

struct http_stream {
    struct http_daemon *daemon;
    struct http_connection *connection;
    const atomic_bool *cutting;
    struct gzip_stream *gzip; /* NULL: not compressed; the writer's */
    struct strbuf packed;     /* the writer's */
    struct lock lock;         /* guards what follows */
    struct lock_condition room;
    struct strbuf ready;
    size_t taken; /* bytes at the beginning of ready that were sent */
    unsigned holders;
    bool starved;
    bool ended; /* the handler writes no more */
    int error;  /* why the body is not whole */
    bool gone;  /* nobody reads any more */
};

/* ---- Life ---- */

static void stream_free(struct http_stream *s)
{
    gzip_stream_free(s->gzip);
    strbuf_release(&s->packed);
    strbuf_release(&s->ready);
    lock_condition_release(&s->room);
    lock_release(&s->lock);
    mem_free(s);
}

/* From under the lock, which it gives. */
static void leave(struct http_stream *s)
{
    bool last = --s->holders == 0;
    lock_give(&s->lock);
    if (last) {
        stream_free(s);
    }
}

static struct http_stream *stream_new(struct http_exchange *x, bool gzipped)
{
    struct http_stream *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->daemon = x->server->daemon;
    s->connection = x->connection;
    s->cutting = &x->server->cutting;
    s->holders = 2;
    strbuf_init(&s->packed, 0);
    strbuf_init(&s->ready, 0);
    lock_init(&s->lock, LOCK_RANK_LEAF);
    lock_condition_init(&s->room);
    if (gzipped && gzip_stream_new(STREAM_GZIP_LEVEL, &s->gzip) != 0) {
        stream_free(s);
        return NULL;
    }
    return s;
}

/* ---- The daemon's side ---- */

static size_t left_of(const struct http_stream *s)
{
    return s->ready.size - s->taken;
}

static ssize_t take_ready(struct http_stream *s, char *buffer, size_t size)
{
    size_t count = left_of(s) < size ? left_of(s) : size;
    memcpy(buffer, s->ready.data + s->taken, count);
    s->taken += count;
    if (left_of(s) == 0) {
        strbuf_reset(&s->ready);
        s->taken = 0;
    }
    lock_condition_signal(&s->room);
    return (ssize_t)count;
}

static ssize_t on_read(void *context, char *buffer, size_t size)
{
    struct http_stream *s = context;
    ssize_t result = HTTP_READ_SUSPENDED;
    lock_take(&s->lock);
    if (left_of(s) > 0) {
        result = take_ready(s, buffer, size);
    } else if (s->ended && s->error == 0) {
        result = HTTP_READ_END;
    } else if (s->ended) {
        http_connection_cut(s->connection);
        result = HTTP_READ_BROKEN;
    } else {
        s->starved = true;
        http_connection_suspend(s->connection);
    }
    lock_give(&s->lock);
    return result;
}

static void on_gone(void *context)
{
    struct http_stream *s = context;
    lock_take(&s->lock);
    s->gone = true;
    lock_condition_signal(&s->room);
    leave(s);
}

/* ---- The handler's side ---- */

/* Waits until there is room, or nobody to read. */
static int wait_for_room(struct http_stream *s)
{
    int64_t deadline_ms = clock_monotonic_ms(clock_real()) + HTTP_STREAM_STALL_S * 1000;
    while (!s->gone && left_of(s) >= HTTP_STREAM_BYTES_MAX) {
        bool late = clock_monotonic_ms(clock_real()) >= deadline_ms;
        if (late || atomic_load(s->cutting)) {
            return ERR_CLOSED;
        }
        (void)lock_condition_wait_ms(&s->room, &s->lock, STREAM_LOOK_MS);
    }
    return s->gone || atomic_load(s->cutting) ? ERR_CLOSED : 0;
}

static int add_ready(struct http_stream *s, struct str piece)
{
    if (s->taken > 0) {
        memmove(s->ready.data, s->ready.data + s->taken, left_of(s));
        strbuf_truncate(&s->ready, left_of(s));
        s->taken = 0;
    }
    strbuf_add_str(&s->ready, piece);
    return strbuf_error(&s->ready);
}

/* Under the lock: whether the connection has to be resumed after it. */
static bool feed(struct http_stream *s)
{
    bool starved = s->starved;
    s->starved = false;
    return starved;
}

static int hand_over(struct http_stream *s, struct str piece)
{
    lock_take(&s->lock);
    int status = wait_for_room(s);
    status = status == 0 ? add_ready(s, piece) : status;
    bool resume = status == 0 && feed(s);
    lock_give(&s->lock);
    if (resume) {
        http_connection_resume(s->daemon, s->connection);
    }
    return status;
}

static int hand_over_all(struct http_stream *s, struct str bytes)
{
    int status = 0;
    while (status == 0 && bytes.len > 0) {
        size_t count = bytes.len < STREAM_PIECE_BYTES ? bytes.len : STREAM_PIECE_BYTES;
        status = hand_over(s, str_make(bytes.ptr, count));
        bytes = str_skip(bytes, count);
    }
    return status;
}

static int compress(struct http_stream *s, struct str bytes, bool last)
{
    strbuf_reset(&s->packed);
    int status = gzip_stream_add(s->gzip, bytes, last, &s->packed);
    return status == 0 ? hand_over_all(s, strbuf_str(&s->packed)) : status;
}

int http_exchange_begin(struct http_exchange *x, unsigned status, const char *content_type)
{
    assert(x->stream == NULL && atomic_load(&x->state) == EXCHANGE_WAITING);
    bool compressible = http_is_compressible(str_of(content_type));
    bool gzipped = compressible && x->accepts_gzip;
    struct http_stream *s = stream_new(x, gzipped);
    struct http_response *response =
        s != NULL ? http_response_of_pieces(on_read, on_gone, s) : NULL;
    if (response == NULL) {
        if (s != NULL) {
            stream_free(s);
        }
        return ERR_NOMEM;
    }
    if (str_eq_c(x->method, "HEAD")) {
        /* libmicrohttpd 0.9.75 would send the last chunk of a body that is not there. */
        http_response_without_chunks(response);
    }
    http_exchange_add_headers(x, response, content_type, gzipped, compressible);
    x->stream = s;
    atomic_fetch_add(&x->holders, 1);
    http_exchange_hand_over(x, status, response);
    return 0;
}

int http_exchange_write(struct http_exchange *x, struct str bytes)
{
    struct http_stream *s = x->stream;
    if (s->gzip == NULL) {
        return hand_over_all(s, bytes);
    }
    int status = 0;
    while (status == 0 && bytes.len > 0) {
        size_t count = bytes.len < STREAM_PIECE_BYTES ? bytes.len : STREAM_PIECE_BYTES;
        status = compress(s, str_make(bytes.ptr, count), false);
        bytes = str_skip(bytes, count);
    }
    return status;
}

void http_exchange_end(struct http_exchange *x, int error)
{
    struct http_stream *s = x->stream;
    struct http_server *server = x->server;
    if (error == 0 && s->gzip != NULL) {
        error = compress(s, STR(""), true);
    }
    http_metrics_reply(x->route->lane, x->status, clock_monotonic_ns(clock_real()) - x->begun_ns);
    lock_take(&s->lock);
    s->ended = true;
    s->error = error;
    bool resume = feed(s);
    struct http_daemon *daemon = s->daemon;
    struct http_connection *connection = s->connection;
    leave(s);
    if (resume) {
        http_connection_resume(daemon, connection);
    }
    http_exchange_unref(x);
    http_server_count_down(server, &server->running);
}

bool http_stream_is_abandoned(struct http_stream *s)
{
    lock_take(&s->lock);
    bool gone = s->gone || (s->starved && http_connection_is_closed(s->connection)) ||
                atomic_load(s->cutting);
    lock_give(&s->lock);
    return gone;
}
