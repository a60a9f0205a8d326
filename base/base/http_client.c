/* HTTP out: libcurl's multi interface, driven by the loop. Mails are
 * http_client_mail.c's, and how one presents oneself is http_client_profile.c's; the three are the only
 * ones that include libcurl.
 *
 * libcurl says which descriptors and which timeout it waits for (socket and timer callbacks); the
 * loop waits for them and tells libcurl what came (curl_multi_socket_action); finished transfers are
 * then taken from its list, one after the other, outside of libcurl's own callbacks, so that `done`
 * may send, cancel and close as it likes.
 *
 * What is set on purpose: only http and https, also after redirects; no proxy from the environment
 * (an agent should not change its ways because of a shell variable); no "Expect: 100-continue",
 * which would cost a second where the other side does not know it; no content type that nobody
 * asked for.
 */
#include "base/http_client.h"

#include <assert.h>
#include <pthread.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "http_client_call.h"

enum {
    IN_FLIGHT_DEFAULT = 1024,
    IDLE_CONNECTIONS_DEFAULT = 256,
    CONNECT_TIMEOUT_MS = 10000,
    REDIRECTS_MAX = 10,
    KEEPALIVE_SECONDS = 30,
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
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->connect_to);
    curl_slist_free_all(call->recipients);
    strbuf_release(&call->body);
    mem_free(call);
}

static struct str response_header(const struct http_client_response *r, const char *name)
{
    const struct http_client_call *call = r->impl;
    struct curl_header *header = NULL;
    if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return (struct str){NULL, 0};
    }
    return str_of(header->value);
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
    time_t date = curl_getdate(value.ptr, NULL); /* zero-terminated: it is a whole header */
    if (date < 0) {
        return -1;
    }
    int64_t wait_ms = (int64_t)date * 1000 - clock_now_ms(clock_real());
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
    long status = 0, request_bytes = 0;
    curl_off_t wire_bytes = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire_bytes);
    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    *r = (struct http_client_response){
        .error = error_of(call, result),
        .retry_after_ms = -1,
        .wire_bytes = wire_bytes,
        .was_sent = request_bytes > 0,
        .header = response_header,
        .impl = call,
    };
    if (r->error == 0) {
        r->status = (unsigned)status;
        r->body = strbuf_str(&call->body);
        r->content_type = response_header(r, "Content-Type");
        r->retry_after_ms = parse_retry_after(response_header(r, "Retry-After"));
    } else if (call->is_mail) {
        r->error_text = call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(result);
        r->status = (unsigned)status;
    } else if (r->error == ERR_PERMISSION) {
        r->error_text = "the address it leads to may not be connected to";
    } else if (call->body_error != 0) {
        r->error_text = call->body_error == ERR_LIMIT ? "the answer is larger than its limit"
                                                      : "the answer's body is not taken";
        r->status = (unsigned)status; /* the head was read, it is the body that is wrong */
    } else {
        r->error_text = call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(result);
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
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    http_client_call_fail(call, ERR_CANCELED, "canceled");
}

/* ---- The client's life: it may be closed from inside `done` ---- */

static void client_free(struct client *c)
{
    if (c->multi != NULL) {
        (void)curl_multi_cleanup(c->multi); /* closes idle connections, which frees their watches */
    }
    http_client_tokens_free(c);
    loop_timer_free(c->timer);
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
    while (!c->closed && (message = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = message->data.result; /* gone once the handle is removed */
        struct http_client_call *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        (void)curl_multi_remove_handle(c->multi, call->easy);
        struct http_client_response response;
        fill_response(call, result, &response);
        call_end(call, &response);
    }
}

static void act(struct client *c, curl_socket_t fd, int mask)
{
    int running;
    client_enter(c);
    (void)curl_multi_socket_action(c->multi, fd, mask, &running);
    end_finished(c);
    client_leave(c);
}

static void on_timer(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
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
        (void)curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        if (loop_watch_new(c->loop, fd, on_socket_ready, c, &watch) != 0) {
            return -1; /* the transfer fails */
        }
        (void)curl_multi_assign(c->multi, fd, watch);
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

/* Whether the answer that comes in has a status of 2xx. */
static bool is_good(const struct http_client_call *call)
{
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return status / 100 == 2;
}

/* Gives a piece to its taker. Returns how much was taken, as libcurl wants it. */
static size_t stream_body(struct http_client_call *call, struct str piece)
{
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
    if (call->on_body != NULL && is_good(call)) {
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

/* libcurl asks for a socket to this very address: the last moment to refuse it. */
static curl_socket_t on_socket_open(
    void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_client_call *call = context;
    (void)purpose;
    if (!call->may_connect(call->may_connect_context, &address->addr)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- Requests ---- */

/* An http or https URL with a host. */
static int check_url(const char *url)
{
    CURLU *parts = curl_url();
    if (parts == NULL) {
        return ERR_NOMEM;
    }
    char *scheme = NULL;
    int status = 0;
    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)) {
        status = ERR_INVALID;
    }
    curl_free(scheme);
    curl_url_cleanup(parts);
    return status;
}

static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

int http_client_call_add_line(struct http_client_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer == NULL) {
        return ERR_NOMEM;
    }
    call->headers = longer;
    return 0;
}

int http_client_call_add_header(struct http_client_call *call, const struct http_client_header *h)
{
    /* A line end inside a header would begin another one. */
    if (h->name[0] == '\0' || strpbrk(h->name, ":; \t") != NULL || !is_header_text(h->name) ||
        !is_header_text(h->value)) {
        return ERR_INVALID;
    }
    struct strbuf line;
    strbuf_init(&line, HTTP_CLIENT_HEADER_BYTES_MAX);
    /* libcurl's notation for a header without a value is a semicolon. */
    strbuf_addf(&line, h->value[0] != '\0' ? "%s: %s" : "%s;%s", h->name, h->value);
    int status = strbuf_error(&line);
    if (status == 0) {
        status = http_client_call_add_line(call, line.data);
    }
    strbuf_release(&line);
    return status;
}

static int add_headers(struct http_client_call *call, const struct http_client_request *request)
{
    if (request->header_count > HTTP_CLIENT_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    bool has_type = false;
    int status = http_client_call_add_line(call, "Expect:");
    for (size_t i = 0; i < request->header_count && status == 0; i++) {
        has_type = has_type || strcasecmp(request->headers[i].name, "Content-Type") == 0;
        status = http_client_call_add_header(call, &request->headers[i]);
    }
    if (status == 0 && !has_type) {
        status = http_client_call_add_line(call, "Content-Type:");
    }
    return status;
}

/* Gathers the results of many settings, which fail only when memory is short. */
#define SET(option, value) (failed |= curl_easy_setopt(call->easy, option, value) != CURLE_OK)

static int set_method(struct http_client_call *call, const struct http_client_request *request)
{
    bool failed = false;
    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body.len > 0 || strcmp(request->method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    /* POST is libcurl's own word for a body; named, a redirect would keep it where it must not. */
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "HEAD") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
    return failed ? ERR_NOMEM : 0;
}

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

static int set_options(struct http_client_call *call, const struct http_client_request *request)
{
    bool failed = !http_client_call_set_common(call, request->timeout_ms);
    SET(CURLOPT_URL, request->url);
    if (request->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    }
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, request->follow_redirects ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_USERAGENT, call->client->user_agent);
    if (request->accept_gzip) {
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    }
    if (request->on_body != NULL) {
        /* Nothing may come for minutes: only the kernel can tell that from a peer that is gone. */
        SET(CURLOPT_BUFFERSIZE, (long)HTTP_CLIENT_PIECE_MAX);
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_SECONDS);
        SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_SECONDS);
    }
    if (request->may_connect != NULL) {
        /* A connection that others left may lead where this one may not go. */
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_OPENSOCKETFUNCTION, on_socket_open);
        SET(CURLOPT_OPENSOCKETDATA, call);
    }
    return failed ? ERR_NOMEM : 0;
}

int http_client_call_new(struct http_client *face, http_client_done done, void *context,
    size_t body_max, struct http_client_call **call_out)
{
    struct client *c = client_of(face);
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
    call->easy = curl_easy_init();
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
    if (status == 0 && curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK) {
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

static int client_send(struct http_client *face, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct http_client_call *call = NULL;
    int status = check_url(request->url);
    if (status == 0) {
        status = http_client_call_new(face, done, context, request->body_max, &call);
    }
    if (status != 0) {
        return status;
    }
    call->on_body = request->on_body;
    call->stream_max = request->body_max;
    call->may_connect = request->may_connect;
    call->may_connect_context = request->may_connect_context;
    status = add_headers(call, request);
    if (status == 0) {
        status = set_options(call, request);
    }
    if (status == 0 && request->profile != NULL) {
        status = http_client_call_set_profile(call, request->url, request->profile);
    }
    if (status == 0 &&
        curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK) {
        status = ERR_NOMEM;
    }
    if (status == 0) {
        status = set_method(call, request);
    }
    const struct http_profile *profile = request->profile;
    if (status == 0 && profile != NULL && profile->oauth2.token_url != NULL &&
        profile->oauth2.token_url[0] != '\0') {
        return http_client_token_send(call, &profile->oauth2, call_out);
    }
    return http_client_call_start(call, status, call_out);
}

static void begin_libcurl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* a failure shows at the first handle */
}

static int set_up_multi(struct client *c, size_t idle_connections_max)
{
    c->multi = curl_multi_init();
    if (c->multi == NULL) {
        return ERR_NOMEM;
    }
    bool failed = false;
    failed |= curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted) != CURLM_OK;
    failed |= curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK;
    failed |= curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) != CURLM_OK;
    failed |= curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK;
    failed |=
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)idle_connections_max) != CURLM_OK;
    return failed ? ERR_NOMEM : 0;
}

int http_client_open(
    struct loop *loop, const struct http_client_options *options, struct http_client **client_out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct http_client_options none;
    const struct http_client_options *o = options != NULL ? options : &none;
    (void)pthread_once(&once, begin_libcurl);
    struct client *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->face = (struct http_client){client_send, client_cancel, client_close, http_client_send_mail};
    c->loop = loop;
    c->in_flight_max = o->in_flight_max != 0 ? o->in_flight_max : IN_FLIGHT_DEFAULT;
    c->user_agent = mem_strdup(o->user_agent != NULL ? o->user_agent : "sonde/" SONDE_VERSION);
    int status = c->user_agent != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        status = loop_timer_new(loop, on_timer, c, &c->timer);
    }
    if (status == 0) {
        status = set_up_multi(
            c, o->idle_connections_max != 0 ? o->idle_connections_max : IDLE_CONNECTIONS_DEFAULT);
    }
    if (status != 0) {
        client_free(c);
        return status;
    }
    *client_out = &c->face;
    return 0;
}
