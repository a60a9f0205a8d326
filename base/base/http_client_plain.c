/* Requests over plain HTTP/1.1.
 *
 * An answer that comes in one piece is handed on where it was read into; a longer one is read to
 * where it stays, or given on with each read when its owner takes it so.
 */
#include "http_client_plain.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/gzip.h"
#include "base/mem.h"
#include "http_client_connection.h"
#include "http_client_plain_request.h"
#include "http_client_stream.h"

enum {
    READ_BYTES = 256 << 10,      /* taken from a socket at once */
    SPARE_BYTES_MAX = 1 << 20,   /* of the buffer that is kept for the next answer */
    REQUEST_BYTES_MAX = 1 << 20, /* of a request without its body */
    INTERIM_MAX = 16,            /* answers 1xx before the answer */
};

struct http_plain_exchange {
    struct http_plain *plain;
    struct http_client_connection *connection; /* NULL: none could be had */
    struct http_plain_exchange *next, *previous;
    http_plain_done done;
    void *context;
    struct http_plain_address address;
    struct strbuf request; /* all but its body */
    struct str request_body;
    size_t sent;
    int64_t deadline_ms;
    int64_t taking_ns; /* that its owner took for the body: not the other side's time */
    size_t body_max;
    size_t stream_max; /* of one that its owner takes; 0: none */
    bool accept_gzip;
    struct http_plain_taker taker;
    struct http_stream stream; /* of an answer that its owner takes as it comes */
    bool streams;              /* this one is */
    bool goes_on;              /* there is more to give when the loop has turned */
    bool due;                  /* now */
    struct strbuf early;       /* the head, when more was read after it or it came in pieces */
    struct strbuf body;
    struct http_answer_head head; /* status 0: not read yet */
    struct http_chunks chunks;
    unsigned interim;
    bool heard; /* a byte of an answer came */
    int error;  /* it fails as soon as the loop turns */
    char error_text[128];
};

struct http_plain {
    char *user_agent;
    struct loop_timer *timer;
    int64_t timer_ms; /* when it fires; INT64_MAX: never */
    struct http_plain_exchange *exchanges;
    struct http_client_connections connections;
    char *scratch;
    struct strbuf spare;
    unsigned entered; /* depth of functions that call `done` and go on */
    bool freed;
};

static void begin(struct http_plain_exchange *e, bool may_be_kept);

static int64_t now_ms(void)
{
    return clock_monotonic_ms(clock_real());
}

/* ---- Exchanges ---- */

static void arm(struct http_plain *p, int64_t due_ms)
{
    if (due_ms < p->timer_ms) {
        int64_t wait = due_ms - now_ms();
        p->timer_ms = due_ms;
        loop_timer_start(p->timer, wait > 0 ? wait : 0, 0);
    }
}

static void exchange_unlink(struct http_plain_exchange *e)
{
    *(e->previous != NULL ? &e->previous->next : &e->plain->exchanges) = e->next;
    if (e->next != NULL) {
        e->next->previous = e->previous;
    }
    if (e->plain->exchanges == NULL) { /* nobody is waited for: the loop need not wake up */
        e->plain->timer_ms = INT64_MAX;
        loop_timer_stop(e->plain->timer);
    }
}

static void exchange_free(struct http_plain_exchange *e)
{
    struct http_plain *p = e->plain;
    if (p->spare.cap == 0 && e->body.cap <= SPARE_BYTES_MAX) {
        p->spare = e->body;
    } else {
        strbuf_release(&e->body);
    }
    http_secret_release(&e->request); /* it may have a password in it */
    strbuf_release(&e->early);
    http_stream_release(&e->stream);
    mem_free(e);
}

static void plain_destroy(struct http_plain *p)
{
    http_client_connections_release(&p->connections);
    loop_timer_free(p->timer);
    strbuf_release(&p->spare);
    mem_free(p->scratch);
    mem_free(p->user_agent);
    mem_free(p);
}

static void leave(struct http_plain *p)
{
    if (--p->entered == 0 && p->freed) {
        plain_destroy(p);
    }
}

/* The exchange is over: its connection is kept or closed, its owner told. */
static void finish(struct http_plain_exchange *e, struct http_plain_answer *answer, bool keep)
{
    struct http_plain *p = e->plain;
    struct http_client_connection *c = e->connection;
    exchange_unlink(e);
    if (c != NULL) {
        c->exchange = NULL;
        if (keep && !p->freed && http_client_connection_watch(c, LOOP_READABLE) == 0) {
            http_client_connection_keep(c);
        } else {
            http_client_connection_close(c);
        }
    }
    e->connection = NULL;
    answer->was_sent = e->sent > 0;
    p->entered++;
    e->done(e->context, answer);
    exchange_free(e);
    leave(p);
}

static void fail(struct http_plain_exchange *e, int error, const char *text)
{
    struct http_plain_answer answer = {
        .error = error, .error_text = text, .head = e->head, .refused = e->stream.refused};
    finish(e, &answer, false);
}

/* Fails it at the loop's next turn: whoever sends is not called back at once. */
static void fail_soon(struct http_plain_exchange *e, int error)
{
    e->error = error;
    e->deadline_ms = 0;
    snprintf(e->error_text, sizeof(e->error_text), "Failed to connect: %s", err_text(error));
    arm(e->plain, 0);
}

/* The connection is gone before the answer was whole. */
static void lose(struct http_plain_exchange *e, const char *what, int reason)
{
    struct http_client_connection *c = e->connection;
    char text[128], detail[80] = "";
    if (c->phase == HTTP_CONNECTING && http_plain_next_address(&e->address)) {
        http_client_connection_close(c);
        e->connection = NULL;
        begin(e, true);
        return;
    }
    if (c->kept && !e->heard) { /* closed while it was idle: nobody has read the request */
        http_client_connection_close(c);
        e->connection = NULL;
        begin(e, false);
        return;
    }
    if (reason != 0) {
        snprintf(detail, sizeof(detail), ": %s", strerrordesc_np(reason));
    }
    snprintf(text, sizeof(text), "%s%s", what, detail);
    fail(e, ERR_IO, text);
}

/* ---- Answers ---- */

static const char unasked_encoding[] = "the answer is encoded in a way that was not asked for";

/* The connection, for another exchange. */
static bool may_be_kept(const struct http_plain_exchange *e, bool nothing_behind)
{
    return e->head.keeps && nothing_behind && e->sent == e->request.size + e->request_body.len;
}

/* The whole body is here. */
static void complete(struct http_plain_exchange *e, struct str body, bool nothing_behind)
{
    struct http_plain_answer answer = {
        .head = e->head, .body = body, .wire_bytes = (int64_t)body.len};
    struct strbuf decoded;
    strbuf_init(&decoded, e->body_max);
    if (e->accept_gzip && e->head.encoded) {
        answer.error = ERR_UNSUPPORTED;
        answer.error_text = unasked_encoding;
    } else if (e->accept_gzip && e->head.gzip) {
        answer.error = gzip_decode(body, e->body_max, &decoded);
        answer.error = answer.error == ERR_CORRUPT ? ERR_IO : answer.error;
        answer.error_text = answer.error == ERR_LIMIT ? "the answer is larger than its limit"
                                                      : "the answer's gzip is damaged";
        answer.body = strbuf_str(&decoded);
    }
    finish(e, &answer, may_be_kept(e, nothing_behind));
    strbuf_release(&decoded);
}

static void refuse_body(struct http_plain_exchange *e, int error)
{
    if (e->stream.refused) {
        fail(e, error, "the answer's body is not taken");
        return;
    }
    fail(e, error == ERR_CORRUPT ? ERR_IO : error,
        error == ERR_LIMIT     ? "the answer is larger than its limit"
        : error == ERR_CORRUPT ? e->streams && e->stream.gzip ? "the answer's gzip is damaged"
                                                              : "the answer's chunks are damaged"
                               : err_text(error));
}

/* ---- Answers whose owner takes them as they come ---- */

/* More of the body, which may be nothing: gives what can be given now, the rest when the loop has turned, and
 * until then nothing is read. */
static void stream_bytes(struct http_plain_exchange *e, struct str bytes)
{
    int64_t begun = clock_monotonic_ns(clock_real());
    int more = http_stream_add(&e->stream, bytes);
    more = more == 0 ? http_stream_go_on(&e->stream) : more;
    e->taking_ns += clock_monotonic_ns(clock_real()) - begun;
    if (more < 0) {
        refuse_body(e, more);
        return;
    }
    if (more == 0 && e->stream.ended) {
        struct http_plain_answer answer = {.head = e->head, .wire_bytes = (int64_t)e->stream.wire};
        finish(e, &answer, may_be_kept(e, e->stream.nothing_behind));
        return;
    }
    if (more == 1) {
        arm(e->plain, now_ms() + LOOP_TURN_MS);
    }
    if (e->goes_on != (more == 1)) {
        e->goes_on = more == 1;
        if (http_client_connection_watch(e->connection, more == 1 ? 0 : LOOP_READABLE) != 0) {
            fail(e, ERR_NOMEM, err_text(ERR_NOMEM));
        }
    }
}

/* The head of an answer that its owner takes. */
static int begin_stream(struct http_plain_exchange *e)
{
    e->streams = true;
    if (e->taker.head != NULL) {
        int status = e->taker.head(e->context, &e->head);
        e->stream.refused = status != 0;
        if (status != 0) {
            return status;
        }
    }
    http_stream_begin(
        &e->stream, &e->head, e->accept_gzip, e->stream_max, e->taker.body, e->context);
    return 0;
}

/* The buffer of the body, the spare one when it is free. */
static void take_spare(struct http_plain_exchange *e)
{
    struct http_plain *p = e->plain;
    if (e->body.cap == 0 && p->spare.cap != 0) {
        e->body = p->spare;
        p->spare = (struct strbuf)STRBUF_INIT;
        e->body.limit = e->body_max;
        strbuf_reset(&e->body);
    }
}

/* More of the body: `bytes` were read to where they are lost with the next read. */
static void add_to_body(struct http_plain_exchange *e, struct str bytes)
{
    int status = 0;
    switch (e->head.framing) {
    case HTTP_BODY_LENGTH:
        if (e->body.size == 0 && bytes.len >= e->head.length) {
            struct str body = str_make(bytes.ptr, (size_t)e->head.length);
            complete(e, body, bytes.len == e->head.length);
            return;
        }
        take_spare(e);
        strbuf_add_str(&e->body, bytes);
        status = strbuf_error(&e->body);
        break;
    case HTTP_BODY_CHUNKED:
        take_spare(e);
        status = http_chunks_take(&e->chunks, &bytes, &e->body);
        if (status == 1) {
            complete(e, strbuf_str(&e->body), bytes.len == 0);
            return;
        }
        break;
    case HTTP_BODY_TO_END:
        take_spare(e);
        strbuf_add_str(&e->body, bytes);
        status = strbuf_error(&e->body);
        break;
    }
    if (status != 0) {
        refuse_body(e, status);
    }
}

/* Keeps the head's text while the body is read. */
static int keep_head(struct http_plain_exchange *e)
{
    if (e->head.text.ptr != e->early.data) {
        strbuf_reset(&e->early);
        strbuf_add_str(&e->early, e->head.text);
        e->head.text = strbuf_str(&e->early);
    }
    return strbuf_error(&e->early);
}

/* Keeps what there is of a head; interim answers before it are done with. */
static void keep_early(struct http_plain_exchange *e, struct str bytes)
{
    if (bytes.ptr != e->early.data) {
        struct strbuf rest;
        strbuf_init(&rest, e->early.limit);
        strbuf_add_str(&rest, bytes);
        strbuf_release(&e->early);
        e->early = rest;
    }
    if (strbuf_error(&e->early) != 0) {
        fail(e, strbuf_error(&e->early), err_text(strbuf_error(&e->early)));
    }
}

/* Bytes of an answer whose head is not read yet: interim answers, the head, what is behind it. */
static void take_head(struct http_plain_exchange *e, struct str bytes)
{
    size_t body_at = 0;
    int status = 0;
    if (e->early.size > 0) {
        strbuf_add_str(&e->early, bytes);
        bytes = strbuf_str(&e->early);
    }
    while (
        (status = http_answer_read_head(bytes, &e->head, &body_at)) == 1 && e->head.status < 200) {
        bytes = str_skip(bytes, body_at);
        if (e->head.status == 101 || ++e->interim > INTERIM_MAX) {
            status = ERR_CORRUPT;
            break;
        }
        e->head.status = 0;
    }
    if (status < 0) {
        e->head.status = 0;
        fail(e, ERR_IO, "the answer is not HTTP/1.1");
        return;
    }
    if (status == 0) {
        keep_early(e, bytes);
        return;
    }
    struct str body = str_skip(bytes, body_at);
    bool streams = e->taker.body != NULL && e->head.status / 100 == 2;
    size_t body_max = !streams ? e->body_max : e->stream_max != 0 ? e->stream_max : SIZE_MAX;
    if (e->head.framing == HTTP_BODY_LENGTH && e->head.length > body_max) {
        refuse_body(e, ERR_LIMIT);
    } else if (streams && e->accept_gzip && e->head.encoded) {
        fail(e, ERR_UNSUPPORTED, unasked_encoding);
    } else if (streams && (status = begin_stream(e)) != 0) {
        refuse_body(e, status);
    } else if (e->head.framing == HTTP_BODY_LENGTH && body.len >= e->head.length && !streams) {
        complete(e, str_make(body.ptr, (size_t)e->head.length), body.len == e->head.length);
    } else {
        /* The body's bytes may lie in `early`, which then only the text of the head stays in. */
        struct strbuf before = e->early;
        e->early = (struct strbuf){.limit = before.limit};
        status = keep_head(e);
        if (status != 0) {
            fail(e, status, err_text(status));
        } else if (streams) {
            stream_bytes(e, body);
        } else {
            add_to_body(e, body);
        }
        strbuf_release(&before);
    }
}

/* The other side has closed. */
static void take_end(struct http_plain_exchange *e)
{
    if (e->streams && e->head.framing == HTTP_BODY_TO_END) {
        e->stream.ended = true;
        stream_bytes(e, STR(""));
    } else if (e->head.status != 0 && e->head.framing == HTTP_BODY_TO_END) {
        complete(e, strbuf_str(&e->body), true);
    } else if (e->heard) {
        lose(e, "the connection was closed before the answer was whole", 0);
    } else {
        lose(e, "Empty reply from server", 0);
    }
}

/* Where the next bytes go: to the body itself when it is known how much of it is to come. */
static char *find_room(struct http_plain_exchange *e, size_t *size_out)
{
    if (e->head.status != 0 && e->head.framing == HTTP_BODY_LENGTH && !e->streams) {
        *size_out = (size_t)e->head.length - e->body.size;
        return strbuf_reserve(&e->body, *size_out);
    }
    *size_out = READ_BYTES;
    return e->plain->scratch;
}

static void read_on(struct http_plain_exchange *e)
{
    struct http_client_connection *c = e->connection;
    size_t size;
    char *room = find_room(e, &size);
    if (room == NULL) {
        refuse_body(e, strbuf_error(&e->body));
        return;
    }
    ssize_t n = recv(c->fd, room, size, 0);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            lose(e, "the answer cannot be read", errno);
        }
        return;
    }
    if (n == 0) {
        take_end(e);
        return;
    }
    e->heard = true;
    if (e->head.status == 0) {
        take_head(e, str_make(room, (size_t)n));
    } else if (e->streams) {
        stream_bytes(e, str_make(room, (size_t)n));
    } else if (room == e->plain->scratch) {
        add_to_body(e, str_make(room, (size_t)n));
    } else {
        strbuf_commit(&e->body, (size_t)n);
        if (e->body.size == e->head.length) {
            complete(e, strbuf_str(&e->body), true);
        }
    }
}

/* ---- Requests ---- */

/* What is left to send: at most two pieces. */
static size_t find_rest(const struct http_plain_exchange *e, struct iovec parts[2])
{
    size_t head = e->request.size, count = 0;
    if (e->sent < head) {
        parts[count++] = (struct iovec){e->request.data + e->sent, head - e->sent};
    }
    size_t in_body = e->sent > head ? e->sent - head : 0;
    if (in_body < e->request_body.len) {
        parts[count++] =
            (struct iovec){(char *)e->request_body.ptr + in_body, e->request_body.len - in_body};
    }
    return count;
}

/* Sends what the socket takes. A failure shows when the answer is read: there may be one already, of a
 * server that does not want the rest. */
static int send_on(struct http_plain_exchange *e)
{
    struct http_client_connection *c = e->connection;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts};
    while ((message.msg_iovlen = find_rest(e, parts)) > 0) {
        ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            c->phase = HTTP_SENDING;
            return http_client_connection_watch(c, LOOP_READABLE | LOOP_WRITABLE);
        }
        if (n < 0) {
            break;
        }
        e->sent += (size_t)n;
    }
    c->phase = HTTP_READING;
    return http_client_connection_watch(c, LOOP_READABLE);
}

/* Gives the exchange a connection, and sends what can be sent on one that is there. */
static void begin(struct http_plain_exchange *e, bool may_be_kept)
{
    struct http_client_connection *c = NULL;
    e->sent = 0;
    int status;
    do {
        status = http_client_connections_get(&e->plain->connections, &e->address, may_be_kept, &c);
    } while (status != 0 && http_plain_next_address(&e->address));
    if (status == 0) {
        e->connection = c;
        c->exchange = e;
        status = c->phase == HTTP_CONNECTING ? 0 : send_on(e);
    }
    if (status != 0) {
        fail_soon(e, status);
    }
}

/* The connection is made, or cannot be. */
static void connected(struct http_client_connection *c)
{
    int reason = 0;
    socklen_t size = sizeof(reason);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0) {
        reason = errno;
    }
    if (reason != 0) {
        lose(c->exchange, "Failed to connect", reason);
    } else if (send_on(c->exchange) != 0) {
        fail(c->exchange, ERR_NOMEM, err_text(ERR_NOMEM));
    }
}

static void on_ready(struct http_client_connection *c, unsigned events)
{
    switch (c->phase) {
    case HTTP_IDLE:
        http_client_connection_close(
            c); /* it says something nobody asked for, or that it has closed */
        break;
    case HTTP_CONNECTING:
        connected(c);
        break;
    case HTTP_SENDING:
        if (events & LOOP_READABLE) {
            read_on(c->exchange); /* the rest goes out with the next turn, if it still matters */
        } else if (send_on(c->exchange) != 0) {
            fail(c->exchange, ERR_NOMEM, err_text(ERR_NOMEM));
        }
        break;
    case HTTP_READING:
        read_on(c->exchange);
        break;
    }
}

/* Ends one exchange whose time is over; false when there is none. */
static bool end_late(struct http_plain *p, int64_t now)
{
    for (struct http_plain_exchange *e = p->exchanges; e != NULL; e = e->next) {
        if (e->deadline_ms + e->taking_ns / 1000000 > now) {
            continue;
        }
        if (e->error != 0) {
            fail(e, e->error, e->error_text);
        } else {
            fail(e, ERR_TIMEOUT, "no whole answer in time");
        }
        return true;
    }
    return false;
}

/* Goes on with one exchange that has more to give; false when there is none, or none that had it when the loop
 * turned. */
static bool go_on(struct http_plain *p)
{
    for (struct http_plain_exchange *e = p->exchanges; e != NULL; e = e->next) {
        if (e->due) {
            e->due = false;
            stream_bytes(e, STR(""));
            return true;
        }
    }
    return false;
}

static void on_timer(void *context)
{
    struct http_plain *p = context;
    int64_t now = now_ms();
    p->timer_ms = INT64_MAX;
    p->entered++;
    for (struct http_plain_exchange *e = p->exchanges; e != NULL; e = e->next) {
        e->due = e->goes_on;
    }
    while (!p->freed && (end_late(p, now) || go_on(p))) {
    }
    p->timer_ms = INT64_MAX; /* from now on, whatever all this has taken: the loop has to turn */
    for (struct http_plain_exchange *e = p->exchanges; e != NULL; e = e->next) {
        arm(p, e->goes_on ? now_ms() + LOOP_TURN_MS : e->deadline_ms + e->taking_ns / 1000000);
    }
    leave(p);
}

int http_plain_send(struct http_plain *p, const struct http_client_request *request,
    const struct http_plain_taker *taker, http_plain_done done, void *context,
    struct http_plain_exchange **exchange_out)
{
    struct http_plain_exchange *e = mem_calloc(1, sizeof(*e));
    struct str host, path;
    if (e == NULL) {
        return ERR_NOMEM;
    }
    int64_t timeout_ms =
        request->timeout_ms > 0 ? request->timeout_ms : HTTP_CLIENT_TIMEOUT_MS_DEFAULT;
    e->plain = p;
    e->done = done;
    e->context = context;
    e->request_body = request->body;
    e->body_max = request->body_max != 0 ? request->body_max : HTTP_CLIENT_BODY_MAX_DEFAULT;
    e->stream_max = request->body_max;
    e->taker = taker != NULL ? *taker : (struct http_plain_taker){NULL, NULL};
    e->accept_gzip = request->accept_gzip;
    strbuf_init(&e->request, REQUEST_BYTES_MAX);
    strbuf_init(&e->early, 2 * HTTP_ANSWER_HEAD_MAX + READ_BYTES);
    strbuf_init(&e->body, e->body_max);
    int status = http_plain_read_url(request->url, &e->address, &host, &path)
                     ? http_plain_write_request(request, p->user_agent, &e->request)
                     : ERR_INVALID;
    if (status != 0) {
        exchange_free(e);
        return status;
    }
    e->next = p->exchanges;
    if (p->exchanges != NULL) {
        p->exchanges->previous = e;
    }
    p->exchanges = e;
    e->deadline_ms = now_ms() + (timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX);
    begin(e, true);
    arm(p, e->deadline_ms);
    *exchange_out = e;
    return 0;
}

void http_plain_cancel(struct http_plain_exchange *e)
{
    exchange_unlink(e);
    if (e->connection != NULL) {
        http_client_connection_close(e->connection);
    }
    exchange_free(e);
}

int http_plain_new(
    struct loop *loop, const char *user_agent, size_t idle_max, struct http_plain **plain_out)
{
    struct http_plain *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->timer_ms = INT64_MAX;
    p->connections =
        (struct http_client_connections){.loop = loop, .ready = on_ready, .idle_max = idle_max};
    strbuf_init(&p->spare, STRBUF_LIMIT_DEFAULT);
    p->user_agent = mem_strdup(user_agent);
    p->scratch = mem_alloc(READ_BYTES); /* resident only as far as answers fill it */
    int status = p->user_agent != NULL && p->scratch != NULL
                     ? loop_timer_new(loop, on_timer, p, &p->timer)
                     : ERR_NOMEM;
    if (status != 0) {
        plain_destroy(p);
        return status;
    }
    *plain_out = p;
    return 0;
}

void http_plain_free(struct http_plain *p)
{
    if (p == NULL) {
        return;
    }
    assert(p->exchanges == NULL);
    p->freed = true;
    p->entered++;
    leave(p);
}
