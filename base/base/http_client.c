/* HTTP out: plain requests to addresses in numbers go out by http_client_plain.c; the rest is done by libcurl's multi
 * interface, driven by the loop. Mails are http_client_mail.c's, and how one presents oneself is
 * http_client_profile.c's; the three are the only ones that include libcurl. An answer that redirects is
 * libcurl's, too: it begins again there.
 *
 * libcurl says which descriptors and which timeout it waits for (socket and timer callbacks); the
 * loop waits for them and tells libcurl what came (curl_multi_socket_action); finished transfers are
 * then taken from its list, one after the other, outside of libcurl's own callbacks, so that `done`
 * may send, cancel and close as it likes.
 */
#include "base/http_client.h"

#include <assert.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "http_client_call.h"
#include "http_client_plain_request.h"

enum {
    IN_FLIGHT_DEFAULT = 1024,
    IDLE_CONNECTIONS_DEFAULT = 256,
    CONNECT_TIMEOUT_MS = 10000,
    STREAM_TURN_BYTES = 256 << 10, /* of a body that is given on, in one turn of the loop */
};

static struct client *client_of(struct http_client *face)
{
    return (struct client *)face;
}

/* ---- Calls ---- */

void http_client_call_link(struct http_client_call *call)
{
    struct client *c = call->client;
    call->next = c->calls;
    if (c->calls != NULL) {
        c->calls->previous = call;
    }
    c->calls = call;
    c->in_flight++;
}

static void call_unlink(struct http_client_call *call)
{
    struct client *c = call->client;
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        c->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    c->in_flight--;
}

void http_client_call_free(struct http_client_call *call)
{
    if (call->easy != NULL) {
        libcurl.easy_cleanup(call->easy);
        libcurl.slist_free_all(call->headers);
        libcurl.slist_free_all(call->connect_to);
        libcurl.slist_free_all(call->recipients);
    }
    mem_free(call->again);
    strbuf_release(&call->body);
    mem_free(call);
}

static struct str response_header(const struct http_client_response *r, const char *name)
{
    const struct http_client_call *call = r->impl;
    struct curl_header *header = NULL;
    if (call->plain_text.ptr != NULL) {
        return http_answer_header(call->plain_text, name);
    }
    if (libcurl.easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return (struct str){NULL, 0};
    }
    return str_of(header->value);
}

static unsigned status_of(const struct http_client_call *call)
{
    long status = 0;
    (void)libcurl.easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (unsigned)status;
}

/* The head of a good answer, for who takes its body. */
static int show_head(struct http_client_call *call, unsigned status)
{
    struct http_client_response head = {
        .status = status, .retry_after_ms = -1, .header = response_header, .impl = call};
    call->head_shown = true;
    if (call->on_head == NULL) {
        return 0;
    }
    head.content_type = response_header(&head, "Content-Type");
    return call->on_head(call->context, &head);
}

/* RFC 9110, section 10.2.3: seconds, or an HTTP date. -1 when it is neither. */
static int64_t parse_retry_after(struct str value)
{
    uint64_t seconds;
    if (value.ptr == NULL) {
        return -1;
    }
    int status = str_to_u64(value, &seconds);
    if (status == 0 || status == ERR_RANGE) {
        return status == 0 && seconds < INT32_MAX ? (int64_t)seconds * 1000
                                                  : (int64_t)INT32_MAX * 1000;
    }
    int64_t date;
    if (http_date_read(value, &date) != 0) {
        return -1;
    }
    int64_t wait_ms = date * 1000 - clock_now_ms(clock_real());
    return wait_ms > 0 ? wait_ms : 0;
}

static int error_of(const struct http_client_call *call, CURLcode result)
{
    switch (result) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    case CURLE_TOO_MANY_REDIRECTS:
        return ERR_LIMIT;
    default:
        return call->refused ? ERR_PERMISSION : call->body_error != 0 ? call->body_error : ERR_IO;
    }
}

static void fill_response(
    const struct http_client_call *call, CURLcode result, struct http_client_response *r)
{
    long request_bytes = 0;
    curl_off_t wire_bytes = 0;
    (void)libcurl.easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire_bytes);
    (void)libcurl.easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    *r = (struct http_client_response){
        .error = error_of(call, result),
        .retry_after_ms = -1,
        .wire_bytes = wire_bytes,
        .was_sent = request_bytes > 0,
        .header = response_header,
        .impl = call,
    };
    if (r->error == 0) {
        r->status = status_of(call);
        r->body = strbuf_str(&call->body);
        r->content_type = response_header(r, "Content-Type");
        r->retry_after_ms = parse_retry_after(response_header(r, "Retry-After"));
    } else if (call->is_mail) {
        r->error_text =
            call->error_text[0] != '\0' ? call->error_text : libcurl.easy_strerror(result);
        r->status = status_of(call);
    } else if (r->error == ERR_PERMISSION) {
        r->error_text = "the address it leads to may not be connected to";
    } else if (call->body_error != 0) {
        r->error_text = call->body_error == ERR_LIMIT ? "the answer is larger than its limit"
                                                      : "the answer's body is not taken";
        r->status = status_of(call); /* the head was read, it is the body that is wrong */
        r->retry_after_ms = parse_retry_after(response_header(r, "Retry-After"));
    } else {
        r->error_text =
            call->error_text[0] != '\0' ? call->error_text : libcurl.easy_strerror(result);
    }
}

/* Ends a call: takes it from libcurl, tells its owner, frees it. */
static void call_end(struct http_client_call *call, const struct http_client_response *response)
{
    call_unlink(call);
    http_client_token_leave(call, response->status);
    call->done(call->context, response);
    http_client_call_free(call);
}

void http_client_call_fail(struct http_client_call *call, int error, const char *text)
{
    struct http_client_response response = {
        .error = error,
        .error_text = text,
        .retry_after_ms = -1,
        .header = response_header,
        .impl = call,
    };
    call_end(call, &response);
}

static void call_cancel(struct http_client_call *call)
{
    if (call->plain != NULL) {
        http_plain_cancel(call->plain);
    } else {
        (void)libcurl.multi_remove_handle(call->client->multi, call->easy);
    }
    http_client_call_fail(call, ERR_CANCELED, "canceled");
}

/* ---- The client's life: it may be closed from inside `done` ---- */

static void client_free(struct client *c)
{
    if (c->multi != NULL) {
        (void)libcurl.multi_cleanup(
            c->multi); /* closes idle connections, which frees their watches */
    }
    http_client_tokens_free(c);
    http_plain_free(c->plain);
    loop_timer_free(c->timer);
    loop_timer_free(c->resume);
    mem_free(c->user_agent);
    mem_free(c);
}

static void client_enter(struct client *c)
{
    c->entered++;
}

static void client_leave(struct client *c)
{
    if (--c->entered == 0 && c->closed) {
        client_free(c);
    }
}

static void client_close(struct http_client *face)
{
    struct client *c = client_of(face);
    client_enter(c);
    c->closed = true; /* nothing new comes in while the old ends */
    while (c->calls != NULL) {
        call_cancel(c->calls);
    }
    client_leave(c);
}

static void client_cancel(struct http_client *face, struct http_client_call *call)
{
    struct client *c = client_of(face);
    assert(call->client == c);
    client_enter(c);
    call_cancel(call);
    client_leave(c);
}

/* ---- Driving libcurl ---- */

static void end_finished(struct client *c)
{
    CURLMsg *message;
    int left;
    while (!c->closed && (message = libcurl.multi_info_read(c->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = message->data.result; /* gone once the handle is removed */
        struct http_client_call *call = NULL;
        (void)libcurl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        (void)libcurl.multi_remove_handle(c->multi, call->easy);
        struct http_client_response response;
        if (result == CURLE_OK && call->on_body != NULL && !call->head_shown &&
            status_of(call) / 100 == 2) {
            call->body_error = show_head(call, status_of(call)); /* there was no body */
            result = call->body_error != 0 ? CURLE_WRITE_ERROR : CURLE_OK;
        }
        fill_response(call, result, &response);
        call_end(call, &response);
    }
}

static void act(struct client *c, curl_socket_t fd, int mask)
{
    int running;
    client_enter(c);
    c->turn++;
    (void)libcurl.multi_socket_action(c->multi, fd, mask, &running);
    end_finished(c);
    client_leave(c);
}

static void on_timer(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
}

/* The loop has turned: bodies go on. */
static void on_resume(void *context)
{
    struct client *c = context;
    client_enter(c);
    c->turn++;
    for (struct http_client_call *call = c->calls; call != NULL; call = call->next) {
        if (call->paused) {
            call->paused = false;
            (void)libcurl.easy_pause(
                call->easy, CURLPAUSE_CONT); /* its failure ends the transfer */
        }
    }
    act(c, CURL_SOCKET_TIMEOUT, 0);
    client_leave(c);
}

static void on_socket_ready(void *context, int fd, unsigned events)
{
    int mask = 0;
    mask |= events & LOOP_READABLE ? CURL_CSELECT_IN : 0;
    mask |= events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(context, fd, mask);
}

/* libcurl wants to wait for something else on this socket. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    (void)easy;
    struct client *c = context;
    struct loop_watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        loop_watch_free(watch);
        (void)libcurl.multi_assign(c->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        if (loop_watch_new(c->loop, fd, on_socket_ready, c, &watch) != 0) {
            return -1; /* the transfer fails */
        }
        (void)libcurl.multi_assign(c->multi, fd, watch);
    }
    unsigned events = 0;
    events |= what & CURL_POLL_IN ? LOOP_READABLE : 0;
    events |= what & CURL_POLL_OUT ? LOOP_WRITABLE : 0;
    return loop_watch_set(watch, events) == 0 ? 0 : -1;
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct client *c = context;
    if (timeout_ms < 0) {
        loop_timer_stop(c->timer);
    } else {
        loop_timer_start(c->timer, timeout_ms, 0);
    }
    return 0;
}

/* Gives a piece to its taker. Returns how much was taken, as libcurl wants it. */
static size_t stream_body(struct http_client_call *call, struct str piece)
{
    call->body_error = call->head_shown ? 0 : show_head(call, status_of(call));
    if (call->body_error != 0) {
        return 0;
    }
    struct client *c = call->client;
    call->turn_bytes = call->turn == c->turn ? call->turn_bytes : 0;
    call->turn = c->turn;
    if (call->turn_bytes >= STREAM_TURN_BYTES) {
        call->paused = true;
        loop_timer_start(c->resume, LOOP_TURN_MS, 0);
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps the piece */
    }
    call->turn_bytes += piece.len;
    if (call->stream_max != 0 && piece.len > call->stream_max - call->streamed) {
        call->body_error = ERR_LIMIT;
        return 0;
    }
    call->streamed += piece.len;
    call->body_error = call->on_body(call->context, piece);
    return call->body_error == 0 ? piece.len : 0;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct http_client_call *call = context;
    size *= one;
    if (call->on_body != NULL && status_of(call) / 100 == 2) {
        return stream_body(call, str_make(bytes, size));
    }
    if (size > call->body_max - call->body.size) {
        call->body_error = ERR_LIMIT;
        return 0;
    }
    strbuf_add(&call->body, bytes, size);
    call->body_error = strbuf_error(&call->body);
    return call->body_error == 0 ? size : 0;
}

/* ---- Requests ---- */

static int set_up_multi(struct client *c)
{
    c->multi = libcurl.multi_init();
    if (c->multi == NULL) {
        return ERR_NOMEM;
    }
    bool failed = false;
    failed |= libcurl.multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted) != CURLM_OK;
    failed |= libcurl.multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK;
    failed |= libcurl.multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) != CURLM_OK;
    failed |= libcurl.multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK;
    failed |= libcurl.multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->idle_connections_max) !=
              CURLM_OK;
    return failed ? ERR_NOMEM : 0;
}

/* libcurl with this client's settings, made when something needs it first. */
int http_client_need_libcurl(struct client *c)
{
    int status = http_client_library_load();
    if (status == 0 && c->multi == NULL) {
        status = set_up_multi(c);
    }
    return status;
}

#define SET(option, value) (failed |= libcurl.easy_setopt(call->easy, option, value) != CURLE_OK)

bool http_client_call_set_common(struct http_client_call *call, int64_t timeout_ms)
{
    bool failed = false;
    timeout_ms = timeout_ms > 0 ? timeout_ms : HTTP_CLIENT_TIMEOUT_MS_DEFAULT;
    timeout_ms = timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX;
    call->timeout_ms = timeout_ms;
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS));
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_ERRORBUFFER, call->error_text);
    SET(CURLOPT_PRIVATE, call);
    return !failed;
}

/* A call in nobody's list yet, for either way of sending. */
static int call_new(struct client *c, http_client_done done, void *context, size_t body_max,
    struct http_client_call **call_out)
{
    if (c->closed || c->in_flight >= c->in_flight_max) {
        return ERR_LIMIT;
    }
    struct http_client_call *call = mem_calloc(1, sizeof(*call));
    if (call == NULL) {
        return ERR_NOMEM;
    }
    call->client = c;
    call->done = done;
    call->context = context;
    call->body_max = body_max != 0 ? body_max : HTTP_CLIENT_BODY_MAX_DEFAULT;
    strbuf_init(&call->body, call->body_max);
    *call_out = call;
    return 0;
}

int http_client_call_new(struct http_client *face, http_client_done done, void *context,
    size_t body_max, struct http_client_call **call_out)
{
    struct http_client_call *call = NULL;
    int status = call_new(client_of(face), done, context, body_max, &call);
    if (status != 0) {
        return status;
    }
    call->easy = libcurl.easy_init();
    if (call->easy == NULL) {
        http_client_call_free(call);
        return ERR_NOMEM;
    }
    *call_out = call;
    return 0;
}

int http_client_call_start(
    struct http_client_call *call, int status, struct http_client_call **call_out)
{
    /* Begins with the loop's next turn: libcurl only asks for a timer here. */
    if (status == 0 && libcurl.multi_add_handle(call->client->multi, call->easy) != CURLM_OK) {
        status = ERR_NOMEM;
    }
    if (status != 0) {
        http_client_call_free(call);
        return status;
    }
    http_client_call_link(call);
    if (call_out != NULL) {
        *call_out = call;
    }
    return 0;
}

static int send_by_libcurl(struct http_client *face, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct http_client_call *call = NULL;
    int status = http_client_need_libcurl(client_of(face));
    status = status == 0 ? http_client_check_url(request->url) : status;
    if (status == 0) {
        status = http_client_call_new(face, done, context, request->body_max, &call);
    }
    if (status != 0) {
        return status;
    }
    status = http_client_call_prepare(call, request);
    const struct http_profile *profile = request->profile;
    if (status == 0 && profile != NULL && profile->oauth2.token_url != NULL &&
        profile->oauth2.token_url[0] != '\0') {
        return http_client_token_send(call, &profile->oauth2, call_out);
    }
    return http_client_call_start(call, status, call_out);
}

/* ---- Requests that need no libcurl ---- */

/* A copy of a request without a body, in one block. NULL: no memory. */
static struct http_client_request *copy_request(const struct http_client_request *from)
{
    size_t size = strlen(from->url) + 1;
    for (size_t i = 0; i < from->header_count; i++) {
        size += strlen(from->headers[i].name) + strlen(from->headers[i].value) + 2;
    }
    struct http_client_request *r =
        mem_alloc(sizeof(*r) + from->header_count * sizeof(*r->headers) + size);
    if (r == NULL) {
        return NULL;
    }
    struct http_client_header *headers = (struct http_client_header *)(r + 1);
    char *text = (char *)(headers + from->header_count);
    *r = *from;
    r->method = "GET";
    r->headers = headers;
    r->url = text;
    text = stpcpy(text, from->url) + 1;
    for (size_t i = 0; i < from->header_count; i++) {
        headers[i].name = text;
        text = stpcpy(text, from->headers[i].name) + 1;
        headers[i].value = text;
        text = stpcpy(text, from->headers[i].value) + 1;
    }
    return r;
}

/* The answer leads elsewhere: libcurl asks again, and goes there. False: the answer stands. */
static bool follow(struct http_client_call *call, const struct http_answer_head *head)
{
    bool leads = head->status == 301 || head->status == 302 || head->status == 303 ||
                 head->status == 307 || head->status == 308;
    if (call->again == NULL || !leads || http_answer_header(head->text, "Location").ptr == NULL) {
        return false;
    }
    int64_t left = call->deadline_ms - clock_monotonic_ms(clock_real());
    call->again->timeout_ms = left > 0 ? left : 1;
    if (http_client_need_libcurl(call->client) != 0) {
        return false;
    }
    call->easy = libcurl.easy_init();
    return call->easy != NULL && http_client_call_prepare(call, call->again) == 0 &&
           libcurl.multi_add_handle(call->client->multi, call->easy) == CURLM_OK;
}

static void on_plain_done(void *context, const struct http_plain_answer *answer)
{
    struct http_client_call *call = context;
    struct client *c = call->client;
    struct http_client_response response = {
        .error = answer->error,
        .error_text = answer->error_text,
        .status = answer->error == 0 || answer->error == ERR_LIMIT || answer->refused
                      ? answer->head.status
                      : 0,
        .retry_after_ms = -1,
        .wire_bytes = answer->wire_bytes,
        .was_sent = answer->was_sent,
        .header = response_header,
        .impl = call,
    };
    call->plain = NULL;
    if (answer->error == 0 && follow(call, &answer->head)) {
        return;
    }
    client_enter(c);
    call->plain_text = answer->head.text;
    if (answer->error == 0) {
        response.body = answer->body;
        response.content_type = response_header(&response, "Content-Type");
    }
    if (response.status != 0) {
        response.retry_after_ms = parse_retry_after(response_header(&response, "Retry-After"));
    }
    call_end(call, &response);
    client_leave(c);
}

static int on_plain_head(void *context, const struct http_answer_head *head)
{
    struct http_client_call *call = context;
    call->plain_text = head->text;
    return show_head(call, head->status);
}

static int on_plain_body(void *context, struct str piece)
{
    struct http_client_call *call = context;
    return call->on_body(call->context, piece);
}

static int send_plainly(struct http_client *face, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct client *c = client_of(face);
    struct http_client_call *call = NULL;
    int status = call_new(c, done, context, request->body_max, &call);
    if (status != 0) {
        return status;
    }
    if (request->follow_redirects) {
        int64_t timeout_ms =
            request->timeout_ms > 0 ? request->timeout_ms : HTTP_CLIENT_TIMEOUT_MS_DEFAULT;
        call->deadline_ms = clock_monotonic_ms(clock_real()) + timeout_ms;
        call->again = copy_request(request);
        status = call->again == NULL ? ERR_NOMEM : 0;
    }
    call->on_head = request->on_head;
    call->on_body = request->on_body;
    if (status == 0) {
        const struct http_plain_taker taker = {on_plain_head, on_plain_body};
        status = http_plain_send(c->plain, request, request->on_body != NULL ? &taker : NULL,
            on_plain_done, call, &call->plain);
    }
    if (status != 0) {
        http_client_call_free(call);
        return status;
    }
    http_client_call_link(call);
    if (call_out != NULL) {
        *call_out = call;
    }
    return 0;
}

static int client_send(struct http_client *face, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    return http_plain_takes(request) ? send_plainly(face, request, done, context, call_out)
                                     : send_by_libcurl(face, request, done, context, call_out);
}

/* ---- Opening ---- */

int http_client_open(
    struct loop *loop, const struct http_client_options *options, struct http_client **client_out)
{
    static const struct http_client_options none;
    const struct http_client_options *o = options != NULL ? options : &none;
    struct client *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->face = (struct http_client){client_send, client_cancel, client_close, http_client_send_mail};
    c->loop = loop;
    c->in_flight_max = o->in_flight_max != 0 ? o->in_flight_max : IN_FLIGHT_DEFAULT;
    c->user_agent = mem_strdup(o->user_agent != NULL ? o->user_agent : "sonde/" SONDE_VERSION);
    int status = c->user_agent != NULL ? 0 : ERR_NOMEM;
    c->idle_connections_max =
        o->idle_connections_max != 0 ? o->idle_connections_max : IDLE_CONNECTIONS_DEFAULT;
    if (status == 0) {
        status = loop_timer_new(loop, on_timer, c, &c->timer);
    }
    if (status == 0) {
        status = loop_timer_new(loop, on_resume, c, &c->resume);
    }
    if (status == 0) {
        status = http_plain_new(loop, c->user_agent, c->idle_connections_max, &c->plain);
    }
    if (status != 0) {
        client_free(c);
        return status;
    }
    *client_out = &c->face;
    return 0;
}
