/* HTTP/2 of one connection: the wrapper of nghttp2 (RFC 9113), and gRPC's mapping onto it.
 *
 *   a call      HEADERS, DATA … with END_STREAM
 *   its answer  HEADERS (:status 200), DATA with the message, HEADERS with grpc-status and END_STREAM;
 *               a failure is one HEADERS frame with everything ("Trailers-Only")
 *
 * A call that is answered before its request has ended is reset with NO_ERROR behind the answer, as
 * RFC 9113, section 8.1 has it, so that the client stops sending.
 *
 * What a hostile client may try, and what it meets:
 *
 *   streams without end         SETTINGS_MAX_CONCURRENT_STREAMS; handlers without a stream count too
 *   rapid reset                 a bucket of resets, ours (for errors a client provokes) among them
 *   PING, SETTINGS without end  nghttp2's limit of acknowledgements that wait to be sent
 *   CONTINUATION without end    nghttp2's limit of frames
 *   large headers               header_bytes_max
 *   large messages              refused by what they announce, before a byte of them is kept
 *   slow ones                   handshake_ms, message_ms, idle_ms
 *
 * Our greeting waits for the client's, so that whoever speaks HTTP/1.1 here can be answered in HTTP/1.1.
 */
#include "grpc_server_session.h"

#include <assert.h>
#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/mem.h"
#include "grpc_server_metrics.h"

enum {
    /* Acknowledgements that wait, and settings in one frame. */
    ACKS_MAX = 200,
    SETTINGS_MAX = 32,
    CONTINUATIONS_MAX = 8,
    TRAILERS_MAX = 3,
};

struct grpc_session {
    const struct grpc_call_host *host;
    void *context;
    nghttp2_session *http2;
    struct grpc_call *calls;
    size_t call_count;
    char remote[96];
    bool greeted;  /* the client's SETTINGS have come */
    bool leaving;  /* GOAWAY is on its way */
    bool flooding; /* the client has no resets left */
    int64_t now_ms, begun_ms, active_ms;
    /* Resets, in thousandths, so that a bucket fills evenly. */
    int64_t resets, resets_ms;
};

/* ---- Memory ---- */

static void *lib_alloc(size_t size, void *context)
{
    (void)context;
    return mem_alloc(size);
}

static void lib_free(void *pointer, void *context)
{
    (void)context;
    mem_free(pointer);
}

static void *lib_calloc(size_t count, size_t size, void *context)
{
    (void)context;
    return mem_calloc(count, size);
}

static void *lib_realloc(void *pointer, size_t size, void *context)
{
    (void)context;
    return mem_realloc(pointer, size);
}

static nghttp2_mem memory = {NULL, lib_alloc, lib_free, lib_calloc, lib_realloc};

/* ---- Calls of a session ---- */

static void attach(struct grpc_session *s, struct grpc_call *call)
{
    call->session = s;
    call->next = s->calls;
    if (s->calls != NULL) {
        s->calls->previous = call;
    }
    s->calls = call;
    s->call_count++;
}

static void detach(struct grpc_call *call)
{
    struct grpc_session *s = call->session;
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        s->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    call->next = call->previous = NULL;
    call->session = NULL;
    s->call_count--;
}

/* The call stays on the list for as long as somebody holds it. */
void grpc_session_let_go(struct grpc_call *call)
{
    if (call->holders == 1 && call->session != NULL) {
        detach(call);
    }
    grpc_call_unref(call);
}

static void end_stream(struct grpc_call *call)
{
    atomic_store(&call->abandoned, true);
    call->stream_id = 0;
    grpc_session_let_go(call);
}

static struct grpc_call *call_of(struct grpc_session *s, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(s->http2, stream_id);
}

/* ---- Resets ---- */

/* One reset more: false when the client has had its share. */
static void count_reset(struct grpc_session *s)
{
    const int64_t most = (int64_t)s->host->options->resets_max * 1000;
    int64_t passed = s->now_ms - s->resets_ms;
    passed = passed < GRPC_RESETS_PERIOD_MS ? passed : GRPC_RESETS_PERIOD_MS;
    int64_t filled = s->resets + passed * most / GRPC_RESETS_PERIOD_MS;
    s->resets = (filled < most ? filled : most) - 1000;
    s->resets_ms = s->now_ms;
    if (s->resets < 0 && !s->flooding) {
        s->flooding = true;
        grpc_metrics_closed(GRPC_CLOSED_RESETS);
        (void)nghttp2_session_terminate_session(s->http2, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

/* ---- Answers ---- */

static nghttp2_nv header(const char *name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.ptr, strlen(name),
        value.len, NGHTTP2_NV_FLAG_NONE};
}

/* grpc-status and what explains it; texts live in the three buffers. */
struct trailers {
    nghttp2_nv list[TRAILERS_MAX];
    size_t count;
    char status[8];
    struct strbuf sentence, details;
};

static void make_trailers(const struct grpc_call *call, struct trailers *t)
{
    t->count = 0;
    strbuf_init(&t->sentence, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&t->details, STRBUF_LIMIT_DEFAULT);
    snprintf(t->status, sizeof(t->status), "%d", (int)call->status);
    t->list[t->count++] = header("grpc-status", str_of(t->status));
    grpc_sentence_encode(strbuf_str(&call->sentence), &t->sentence);
    if (t->sentence.size > 0) {
        t->list[t->count++] = header("grpc-message", strbuf_str(&t->sentence));
    }
    if (call->status != GRPC_OK && call->retry_after_ms >= 0) {
        grpc_retry_encode(
            call->status, strbuf_str(&call->sentence), call->retry_after_ms, &t->details);
        if (t->details.size > 0) {
            t->list[t->count++] = header("grpc-status-details-bin", strbuf_str(&t->details));
        }
    }
}

static void release_trailers(struct trailers *t)
{
    strbuf_release(&t->sentence);
    strbuf_release(&t->details);
}

/* The prefix, then the bytes of the reply; behind them the trailers. */
static ssize_t read_reply(nghttp2_session *http2, int32_t stream_id, uint8_t *buffer, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)context;
    struct grpc_call *call = source->ptr;
    uint8_t prefix[GRPC_PREFIX_BYTES];
    size_t written = 0;
    grpc_prefix_encode(call->reply.size, prefix);
    while (written < size && call->sent < GRPC_PREFIX_BYTES) {
        buffer[written++] = prefix[call->sent++];
    }
    size_t at = call->sent - GRPC_PREFIX_BYTES, left = call->reply.size - at;
    size_t piece = call->sent < GRPC_PREFIX_BYTES ? 0
                   : left < size - written        ? left
                                                  : size - written;
    if (piece > 0) {
        memcpy(buffer + written, call->reply.data + at, piece);
        call->sent += piece;
        written += piece;
    }
    if (call->sent == GRPC_PREFIX_BYTES + call->reply.size) {
        struct trailers t;
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        make_trailers(call, &t);
        int result = nghttp2_submit_trailer(http2, stream_id, t.list, t.count);
        release_trailers(&t);
        if (result != 0) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)written;
}

static int submit_reply(struct grpc_session *s, struct grpc_call *call)
{
    const nghttp2_nv headers[] = {
        header(":status", STR("200")),
        header("content-type", STR("application/grpc")),
    };
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_reply};
    return nghttp2_submit_response(s->http2, call->stream_id, headers, 2, &provider);
}

static int submit_failure(struct grpc_session *s, struct grpc_call *call)
{
    nghttp2_nv headers[3 + TRAILERS_MAX];
    char status[8];
    size_t count = 0;
    snprintf(status, sizeof(status), "%u", call->http_status);
    headers[count++] = header(":status", str_of(status));
    if (call->http_status != 200) {
        return nghttp2_submit_response(s->http2, call->stream_id, headers, count, NULL);
    }
    struct trailers t;
    make_trailers(call, &t);
    headers[count++] = header("content-type", STR("application/grpc"));
    if (call->status == GRPC_UNIMPLEMENTED && call->encoding == GRPC_ENCODING_OTHER) {
        headers[count++] = header("grpc-accept-encoding", STR("identity,gzip"));
    }
    memcpy(headers + count, t.list, t.count * sizeof(t.list[0]));
    int result = nghttp2_submit_response(s->http2, call->stream_id, headers, count + t.count, NULL);
    release_trailers(&t);
    return result;
}

/* The stream holds the call until it is closed; that happens when the answer is out, or when there is none
 * because memory is short. */
static void submit(struct grpc_session *s, struct grpc_call *call)
{
    assert(call->stream_id != 0 && call->state != GRPC_CALL_ANSWERED);
    call->state = GRPC_CALL_ANSWERED;
    call->answered_ms = s->now_ms;
    grpc_metrics_answered(call->http_status == 200 ? call->status : GRPC_UNKNOWN);
    int result = call->status == GRPC_OK ? submit_reply(s, call) : submit_failure(s, call);
    if (result != 0) {
        (void)nghttp2_submit_rst_stream(
            s->http2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_INTERNAL_ERROR);
    }
}

void grpc_session_answer(struct grpc_call *call, int64_t now_ms)
{
    struct grpc_session *s = call->session;
    if (s != NULL && call->stream_id != 0 && call->state != GRPC_CALL_ANSWERED) {
        s->now_ms = now_ms;
        s->active_ms = now_ms;
        submit(s, call);
    } else {
        grpc_metrics_answered(GRPC_CANCELLED);
    }
    grpc_session_let_go(call);
}

void grpc_session_refuse(struct grpc_call *call)
{
    if (call->session != NULL && call->stream_id != 0 && call->state != GRPC_CALL_ANSWERED) {
        submit(call->session, call);
    }
}

/* ---- What nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *context)
{
    struct grpc_session *s = context;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    int32_t id = frame->hd.stream_id;
    s->active_ms = s->now_ms;
    if (s->call_count >= s->host->options->streams_max || s->leaving) {
        return nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    struct grpc_call *call = grpc_call_new(s->host, s->now_ms);
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    call->stream_id = id;
    memcpy(call->remote, s->remote, sizeof(call->remote));
    attach(s, call);
    return nghttp2_session_set_stream_user_data(http2, id, call);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    (void)http2, (void)flags;
    struct grpc_session *s = context;
    struct grpc_call *call = call_of(s, frame->hd.stream_id);
    if (call == NULL || call->state != GRPC_CALL_READING || call->method != NULL) {
        return 0; /* trailers of a request say nothing that is of use here */
    }
    if (!grpc_call_add_header(call, str_make((const char *)name, name_size),
            str_make((const char *)value, value_size))) {
        char sentence[96];
        snprintf(sentence, sizeof(sentence), "the metadata is larger than %zu bytes",
            s->host->options->header_bytes_max);
        grpc_call_set_failure(call, GRPC_RESOURCE_EXHAUSTED, sentence, -1);
        submit(s, call);
    }
    return 0;
}

static void end_request(struct grpc_session *s, struct grpc_call *call)
{
    call->request_ended = true;
    if (call->state != GRPC_CALL_READING) {
        return;
    }
    if (grpc_call_close(call) != 0) {
        submit(s, call);
        return;
    }
    call->state = GRPC_CALL_COMPLETE;
    s->host->complete(s->host->context, call);
}

static void open_call(struct grpc_session *s, struct grpc_call *call)
{
    if (grpc_call_open(call) != 0) {
        submit(s, call);
    } else {
        s->host->begun(s->host->context, call);
    }
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *context)
{
    (void)http2;
    struct grpc_session *s = context;
    struct grpc_call *call = NULL;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        s->greeted = true;
        break;
    case NGHTTP2_RST_STREAM:
        count_reset(s);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        call = call_of(s, frame->hd.stream_id);
        break;
    default:
        break;
    }
    if (call == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        call->state == GRPC_CALL_READING) {
        open_call(s, call);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        end_request(s, call);
    }
    return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
    size_t size, void *context)
{
    (void)http2, (void)flags;
    struct grpc_session *s = context;
    struct grpc_call *call = call_of(s, stream_id);
    if (call != NULL && call->state == GRPC_CALL_READING &&
        grpc_call_add(call, str_make((const char *)bytes, size)) != 0) {
        submit(s, call);
    }
    return 0;
}

static int on_sent(nghttp2_session *http2, const nghttp2_frame *frame, void *context)
{
    struct grpc_session *s = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        s->leaving = true;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        frame->rst_stream.error_code != NGHTTP2_REFUSED_STREAM) {
        count_reset(s);
    }
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        struct grpc_call *call = call_of(s, frame->hd.stream_id);
        if (call != NULL && !call->request_ended) {
            return nghttp2_submit_rst_stream(
                http2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        }
    }
    return 0;
}

static int on_stream_closed(
    nghttp2_session *http2, int32_t stream_id, uint32_t error_code, void *context)
{
    (void)http2, (void)error_code;
    struct grpc_call *call = call_of(context, stream_id);
    if (call != NULL) {
        end_stream(call);
    }
    return 0;
}

/* ---- Life ---- */

static int make_http2(struct grpc_session *s)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    result = result == 0 ? nghttp2_option_new(&option) : result;
    if (result == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
        nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
        nghttp2_option_set_max_settings(option, SETTINGS_MAX);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
        result = nghttp2_session_server_new3(&s->http2, callbacks, s, option, &memory);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return result;
}

static int greet(struct grpc_session *s)
{
    const struct grpc_server_options *o = s->host->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)o->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)o->header_bytes_max},
    };
    int result = nghttp2_submit_settings(
        s->http2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    return result != 0 ? result
                       : nghttp2_session_set_local_window_size(
                             s->http2, NGHTTP2_FLAG_NONE, 0, GRPC_CONNECTION_WINDOW);
}

int grpc_session_new(const struct grpc_call_host *host, void *context, const char *remote,
    int64_t now_ms, struct grpc_session **session_out)
{
    struct grpc_session *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->host = host;
    s->context = context;
    snprintf(s->remote, sizeof(s->remote), "%s", remote);
    s->now_ms = s->begun_ms = s->active_ms = s->resets_ms = now_ms;
    s->resets = (int64_t)host->options->resets_max * 1000;
    if (make_http2(s) != 0 || greet(s) != 0) {
        grpc_session_free(s);
        return ERR_NOMEM; /* nothing else can fail */
    }
    *session_out = s;
    return 0;
}

void grpc_session_free(struct grpc_session *s)
{
    if (s == NULL) {
        return;
    }
    while (s->calls != NULL) {
        struct grpc_call *call = s->calls;
        bool streaming = call->stream_id != 0;
        detach(call);
        atomic_store(&call->abandoned, true);
        call->stream_id = 0;
        if (streaming) {
            grpc_call_unref(call);
        }
    }
    nghttp2_session_del(s->http2);
    mem_free(s);
}

void *grpc_session_context(const struct grpc_session *s)
{
    return s->context;
}

size_t grpc_session_calls(const struct grpc_session *s)
{
    return s->call_count;
}

/* ---- Bytes ---- */

int grpc_session_receive(struct grpc_session *s, struct str bytes, int64_t now_ms)
{
    s->now_ms = now_ms;
    ssize_t result = nghttp2_session_mem_recv(s->http2, (const uint8_t *)bytes.ptr, bytes.len);
    switch (result) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return ERR_UNSUPPORTED;
    case NGHTTP2_ERR_NOMEM:
        return ERR_NOMEM;
    case NGHTTP2_ERR_FLOODED:
        grpc_metrics_closed(GRPC_CLOSED_FLOOD);
        return ERR_LIMIT;
    default:
        return result < 0 ? ERR_CORRUPT : s->flooding ? ERR_LIMIT : 0;
    }
}

int grpc_session_send(struct grpc_session *s, size_t enough, struct strbuf *out)
{
    while (out->size < enough) {
        const uint8_t *bytes = NULL;
        ssize_t size = nghttp2_session_mem_send(s->http2, &bytes);
        if (size <= 0) {
            return size == 0 ? 0 : size == NGHTTP2_ERR_NOMEM ? ERR_NOMEM : ERR_CORRUPT;
        }
        strbuf_add(out, bytes, (size_t)size);
        if (strbuf_error(out) != 0) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

bool grpc_session_is_over(const struct grpc_session *s)
{
    return nghttp2_session_want_read(s->http2) == 0 && nghttp2_session_want_write(s->http2) == 0;
}

/* ---- Time ---- */

static void check_call(struct grpc_session *s, struct grpc_call *call)
{
    const struct grpc_server_options *o = s->host->options;
    if (call->stream_id == 0) {
        return;
    }
    if (call->state == GRPC_CALL_READING && s->now_ms - call->begun_ms >= o->message_ms) {
        char sentence[96];
        snprintf(sentence, sizeof(sentence), "the message did not arrive in %" PRId64 " ms",
            o->message_ms);
        grpc_call_set_failure(call, GRPC_DEADLINE_EXCEEDED, sentence, -1);
        submit(s, call);
    } else if (call->state == GRPC_CALL_ANSWERED && s->now_ms - call->answered_ms >= o->idle_ms) {
        (void)nghttp2_submit_rst_stream(
            s->http2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    }
}

int grpc_session_check(struct grpc_session *s, int64_t now_ms)
{
    const struct grpc_server_options *o = s->host->options;
    s->now_ms = now_ms;
    if (!s->greeted && now_ms - s->begun_ms >= o->handshake_ms) {
        grpc_metrics_closed(GRPC_CLOSED_HANDSHAKE);
        return ERR_TIMEOUT;
    }
    for (struct grpc_call *call = s->calls; call != NULL; call = call->next) {
        check_call(s, call);
    }
    if (s->call_count == 0 && !s->leaving && now_ms - s->active_ms >= o->idle_ms) {
        grpc_metrics_closed(GRPC_CLOSED_IDLE);
        (void)nghttp2_session_terminate_session(s->http2, NGHTTP2_NO_ERROR);
    }
    return 0;
}

void grpc_session_shut_down(struct grpc_session *s)
{
    if (!s->leaving) {
        int32_t last = nghttp2_session_get_last_proc_stream_id(s->http2);
        (void)nghttp2_submit_goaway(s->http2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
        s->leaving = true;
    }
    for (struct grpc_call *call = s->calls; call != NULL; call = call->next) {
        if (call->stream_id != 0 && call->state == GRPC_CALL_READING) {
            (void)nghttp2_submit_rst_stream(
                s->http2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_REFUSED_STREAM);
        }
    }
}
