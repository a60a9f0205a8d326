/* A gRPC client of bytes. */
#include "support/grpc_client.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include "support/support.h"

static struct grpc_client_answer *answer_of(struct grpc_client *c, int32_t stream_id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->answers[i].stream_id == stream_id) {
            return &c->answers[i];
        }
    }
    return NULL;
}

static uint64_t number_of(struct str text)
{
    uint64_t number = 0;
    assert_int_equal(str_to_u64(text, &number), 0);
    return number;
}

/* ---- What comes ---- */

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    (void)http2, (void)flags;
    struct grpc_client_answer *a = answer_of(context, frame->hd.stream_id);
    struct str key = str_make((const char *)name, name_size);
    struct str text = str_make((const char *)value, value_size);
    assert_non_null(a);
    if (str_eq_c(key, ":status")) {
        a->http_status = (unsigned)number_of(text);
    } else if (str_eq_c(key, "grpc-status")) {
        a->status = (int)number_of(text);
    } else if (str_eq_c(key, "grpc-message")) {
        strbuf_add_str(&a->sentence, text);
    } else if (str_eq_c(key, "grpc-status-details-bin")) {
        strbuf_add_str(&a->details, text);
    } else if (str_eq_c(key, "content-type")) {
        strbuf_add_str(&a->content_type, text);
    } else if (str_eq_c(key, "grpc-accept-encoding")) {
        strbuf_add_str(&a->accept_encoding, text);
    }
    return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
    size_t size, void *context)
{
    (void)http2, (void)flags;
    strbuf_add(&answer_of(context, stream_id)->body, bytes, size);
    return 0;
}

static int on_closed(nghttp2_session *http2, int32_t stream_id, uint32_t code, void *context)
{
    (void)http2;
    struct grpc_client_answer *a = answer_of(context, stream_id);
    if (a != NULL) {
        a->closed = true;
        a->reset_code = code;
    }
    return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *context)
{
    (void)http2;
    struct grpc_client *c = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->gone_away = true;
        c->goaway_code = frame->goaway.error_code;
        c->goaway_last = frame->goaway.last_stream_id;
    }
    return 0;
}

/* ---- What goes ---- */

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buffer, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)http2, (void)source;
    struct grpc_client_answer *a = answer_of(context, stream_id);
    size_t left = a->to_send.size - a->sent;
    size_t piece = left < size ? left : size;
    if (piece == 0 && a->open) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (piece > 0) {
        memcpy(buffer, a->to_send.data + a->sent, piece);
        a->sent += piece;
    }
    if (a->sent == a->to_send.size && !a->open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)piece;
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

size_t grpc_client_call(struct grpc_client *c, const struct grpc_client_request *request)
{
    const char *type =
        request->content_type != NULL ? request->content_type : "application/grpc+proto";
    const struct {
        const char *name, *value;
    } optional[] = {
        {"content-type", type[0] != '\0' ? type : NULL},
        {"grpc-encoding", request->encoding},
        {"grpc-timeout", request->timeout},
        {"authorization", request->authorization},
        {request->key, request->value},
    };
    nghttp2_nv headers[16];
    size_t count = 0;
    headers[count++] = header(":method", request->method != NULL ? request->method : "POST");
    headers[count++] = header(":scheme", "http");
    headers[count++] = header(":path", request->path);
    headers[count++] = header(":authority", "localhost");
    headers[count++] = header("te", "trailers");
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (optional[i].value != NULL) {
            headers[count++] = header(optional[i].name, optional[i].value);
        }
    }
    assert_true(c->count < GRPC_CLIENT_CALLS_MAX);
    struct grpc_client_answer *a = &c->answers[c->count];
    *a = (struct grpc_client_answer){.status = -1, .open = request->open};
    struct strbuf *texts[] = {
        &a->sentence, &a->details, &a->content_type, &a->accept_encoding, &a->body, &a->to_send};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        strbuf_init(texts[i], STRBUF_LIMIT_DEFAULT);
    }
    strbuf_add_str(&a->to_send, request->body);
    nghttp2_data_provider provider = {.read_callback = read_body};
    a->stream_id = nghttp2_submit_request(c->http2, NULL, headers, count, &provider, NULL);
    assert_true(a->stream_id > 0);
    return c->count++;
}

void grpc_client_send_more(struct grpc_client *c, size_t index, struct str bytes, bool end)
{
    struct grpc_client_answer *a = &c->answers[index];
    assert_true(a->open);
    strbuf_add_str(&a->to_send, bytes);
    a->open = !end;
    (void)nghttp2_session_resume_data(c->http2, a->stream_id); /* or it has not begun yet */
}

void grpc_client_reset(struct grpc_client *c, size_t index)
{
    int result = nghttp2_submit_rst_stream(
        c->http2, NGHTTP2_FLAG_NONE, c->answers[index].stream_id, NGHTTP2_CANCEL);
    assert_int_equal(result, 0);
}

void grpc_client_output(struct grpc_client *c, struct strbuf *out)
{
    const uint8_t *bytes;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(c->http2, &bytes)) > 0) {
        strbuf_add(out, bytes, (size_t)size);
    }
    assert_int_equal(size, 0);
}

void grpc_client_input(struct grpc_client *c, struct str bytes)
{
    ssize_t size = nghttp2_session_mem_recv(c->http2, (const uint8_t *)bytes.ptr, bytes.len);
    assert_int_equal(size, bytes.len);
}

static bool all_closed(const struct grpc_client *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!c->answers[i].closed) {
            return false;
        }
    }
    return true;
}

void grpc_client_exchange(struct grpc_client *c, int fd)
{
    char buffer[16384];
    for (;;) {
        struct strbuf out = STRBUF_INIT;
        grpc_client_output(c, &out);
        for (size_t at = 0; at < out.size;) {
            ssize_t n = send(fd, out.data + at, out.size - at, MSG_NOSIGNAL);
            if (n <= 0) {
                break; /* what the peer said before it hung up can still be read */
            }
            at += (size_t)n;
        }
        strbuf_release(&out);
        if (all_closed(c)) {
            return;
        }
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
        if (n <= 0) {
            return;
        }
        grpc_client_input(c, str_make(buffer, (size_t)n));
    }
}

/* ---- Messages ---- */

void grpc_client_frame(struct strbuf *out, bool compressed, struct str message)
{
    strbuf_add_char(out, compressed ? 1 : 0);
    for (int shift = 24; shift >= 0; shift -= 8) {
        strbuf_add_char(out, (char)(message.len >> shift));
    }
    strbuf_add_str(out, message);
}

struct str grpc_client_message(const struct grpc_client_answer *answer)
{
    const uint8_t *p = (const uint8_t *)answer->body.data;
    assert_true(answer->body.size >= 5);
    size_t size = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    assert_int_equal(p[0], 0);
    assert_int_equal(answer->body.size, 5 + size);
    return str_make(answer->body.data + 5, size);
}

/* ---- Life ---- */

void grpc_client_init(struct grpc_client *c)
{
    nghttp2_session_callbacks *callbacks;
    *c = (struct grpc_client){0};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_client_new(&c->http2, callbacks, c), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(c->http2, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

void grpc_client_release(struct grpc_client *c)
{
    nghttp2_session_del(c->http2);
    for (size_t i = 0; i < c->count; i++) {
        struct grpc_client_answer *a = &c->answers[i];
        struct strbuf *texts[] = {&a->sentence, &a->details, &a->content_type, &a->accept_encoding,
            &a->body, &a->to_send};
        for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
            strbuf_release(texts[t]);
        }
    }
}
