/* One call: its headers, its message, its handler, its answer. Nothing here knows HTTP/2. */
#include "grpc_server_call.h"

#include <assert.h>
#include <stdio.h>

#include "base/gzip.h"
#include "base/mem.h"

/* What HPACK counts for a header besides its name and value (RFC 9113, section 6.5.2). */
enum { HEADER_OVERHEAD = 32 };

struct grpc_call *grpc_call_new(const struct grpc_call_host *host, int64_t now_ms)
{
    struct grpc_call *call = mem_calloc(1, sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    call->host = host;
    call->holders = 1;
    call->begun_ms = now_ms;
    call->deadline_ms = INT64_MAX;
    call->retry_after_ms = -1;
    call->http_status = 200;
    strbuf_init(&call->metadata, host->options->header_bytes_max);
    strbuf_init(&call->wire, host->options->message_max);
    strbuf_init(&call->plain, host->options->message_max);
    strbuf_init(&call->reply, host->options->message_max);
    strbuf_init(&call->sentence, GRPC_SENTENCE_MAX);
    return call;
}

void grpc_call_unref(struct grpc_call *call)
{
    assert(call->holders > 0);
    if (--call->holders > 0) {
        return;
    }
    call->host->discharge(call->host->context, call->charged);
    strbuf_release(&call->metadata);
    strbuf_release(&call->wire);
    strbuf_release(&call->plain);
    strbuf_release(&call->reply);
    strbuf_release(&call->sentence);
    mem_free(call);
}

/* ---- Headers ---- */

bool grpc_call_add_header(struct grpc_call *call, struct str key, struct str value)
{
    size_t size = key.len + value.len + HEADER_OVERHEAD;
    call->header_bytes += size;
    if (call->header_bytes > call->host->options->header_bytes_max) {
        return false;
    }
    strbuf_add_str(&call->metadata, key);
    strbuf_add_char(&call->metadata, '\0');
    strbuf_add_str(&call->metadata, value);
    strbuf_add_char(&call->metadata, '\0');
    return strbuf_error(&call->metadata) == 0;
}

struct str grpc_call_metadata(const struct grpc_call *call, const char *key)
{
    const char *p = call->metadata.data, *end = p != NULL ? p + call->metadata.size : p;
    while (p < end) {
        struct str name = str_of(p);
        struct str value = str_of(p + name.len + 1);
        if (str_eq_c(name, key)) {
            return value;
        }
        p = value.ptr + value.len + 1;
    }
    return str_make(NULL, 0);
}

static int refuse_http(struct grpc_call *call, unsigned status)
{
    call->http_status = status;
    grpc_call_set_failure(call, GRPC_UNKNOWN, "", -1);
    return ERR_UNSUPPORTED;
}

static int refuse(struct grpc_call *call, int code, enum grpc_status status, const char *sentence)
{
    grpc_call_set_failure(call, status, sentence, -1);
    return code;
}

static int find_method(struct grpc_call *call)
{
    const struct grpc_server_options *o = call->host->options;
    struct str path = grpc_call_metadata(call, ":path");
    for (size_t i = 0; i < o->method_count; i++) {
        if (str_eq_c(path, o->methods[i].path)) {
            call->method = &o->methods[i];
            return 0;
        }
    }
    char sentence[256];
    snprintf(sentence, sizeof(sentence), "there is no method %.*s",
        path.len < 150 ? (int)path.len : 150, path.len > 0 ? path.ptr : "");
    return refuse(call, ERR_NOT_FOUND, GRPC_UNIMPLEMENTED, sentence);
}

static int read_encoding(struct grpc_call *call)
{
    struct str encoding = grpc_call_metadata(call, "grpc-encoding");
    if (encoding.len == 0 || str_eq_c(encoding, "identity")) {
        call->encoding = GRPC_ENCODING_IDENTITY;
    } else if (str_eq_c(encoding, "gzip")) {
        call->encoding = GRPC_ENCODING_GZIP;
    } else {
        call->encoding = GRPC_ENCODING_OTHER; /* good as long as no message makes use of it */
    }
    return 0;
}

static int read_deadline(struct grpc_call *call)
{
    int64_t timeout_ms;
    struct str value = grpc_call_metadata(call, "grpc-timeout");
    if (value.ptr == NULL) {
        return 0;
    }
    if (grpc_timeout_parse(value, &timeout_ms) != 0) {
        return refuse(call, ERR_INVALID, GRPC_INTERNAL, "grpc-timeout is not a time");
    }
    call->deadline_ms = call->begun_ms + timeout_ms;
    return 0;
}

int grpc_call_open(struct grpc_call *call)
{
    if (!str_eq_c(grpc_call_metadata(call, ":method"), "POST")) {
        return refuse_http(call, 405);
    }
    if (!grpc_is_content_type(grpc_call_metadata(call, "content-type"))) {
        return refuse_http(call, 415);
    }
    int status = find_method(call);
    status = status == 0 ? read_encoding(call) : status;
    return status == 0 ? read_deadline(call) : status;
}

/* ---- The message ---- */

/* The prefix is complete. */
static int begin_message(struct grpc_call *call)
{
    char sentence[128];
    size_t limit = call->host->options->message_max;
    if (!grpc_prefix_decode(call->prefix, &call->compressed, &call->announced)) {
        return refuse(call, ERR_CORRUPT, GRPC_INTERNAL, "a message begins with neither 0 nor 1");
    }
    if (call->compressed && call->encoding == GRPC_ENCODING_IDENTITY) {
        return refuse(call, ERR_CORRUPT, GRPC_INTERNAL,
            "the message is compressed, and grpc-encoding does not say how");
    }
    if (call->compressed && call->encoding == GRPC_ENCODING_OTHER) {
        return refuse(call, ERR_UNSUPPORTED, GRPC_UNIMPLEMENTED,
            "grpc-encoding: gzip and identity are accepted");
    }
    if (call->announced > limit) {
        snprintf(sentence, sizeof(sentence), "the message is larger than %zu bytes", limit);
        return refuse(call, ERR_LIMIT, GRPC_RESOURCE_EXHAUSTED, sentence);
    }
    return 0;
}

static int keep(struct grpc_call *call, struct str bytes)
{
    const struct grpc_call_host *host = call->host;
    bool room = host->charge(host->context, bytes.len);
    if (room) {
        call->charged += bytes.len;
        strbuf_add_str(&call->wire, bytes);
    }
    if (!room || strbuf_error(&call->wire) != 0) {
        grpc_call_set_failure(call, GRPC_RESOURCE_EXHAUSTED,
            "all calls together have too many bytes; send again later", GRPC_RETRY_AFTER_MS);
        return ERR_BUSY;
    }
    return 0;
}

int grpc_call_add(struct grpc_call *call, struct str bytes)
{
    assert(call->state == GRPC_CALL_READING);
    while (bytes.len > 0 && call->prefix_size < GRPC_PREFIX_BYTES) {
        call->prefix[call->prefix_size++] = (uint8_t)bytes.ptr[0];
        bytes = str_skip(bytes, 1);
        if (call->prefix_size == GRPC_PREFIX_BYTES) {
            int status = begin_message(call);
            if (status != 0) {
                return status;
            }
        }
    }
    if (bytes.len > call->announced - call->wire.size) {
        return refuse(
            call, ERR_INVALID, GRPC_UNIMPLEMENTED, "a call of this method has one message");
    }
    return bytes.len > 0 ? keep(call, bytes) : 0;
}

int grpc_call_close(struct grpc_call *call)
{
    assert(call->state == GRPC_CALL_READING);
    if (call->prefix_size == 0) {
        return refuse(
            call, ERR_INVALID, GRPC_UNIMPLEMENTED, "a call of this method has one message");
    }
    if (call->prefix_size < GRPC_PREFIX_BYTES || call->wire.size < call->announced) {
        return refuse(call, ERR_CORRUPT, GRPC_INTERNAL, "the message is cut short");
    }
    return 0;
}

struct str grpc_call_message(const struct grpc_call *call)
{
    return strbuf_str(call->compressed ? &call->plain : &call->wire);
}

const struct grpc_method *grpc_call_method(const struct grpc_call *call)
{
    return call->method;
}

struct str grpc_call_remote(const struct grpc_call *call)
{
    return str_of(call->remote);
}

bool grpc_call_is_abandoned(const struct grpc_call *call)
{
    return atomic_load(&call->abandoned);
}

/* ---- The handler and its answer ---- */

void grpc_call_run(struct grpc_call *call)
{
    const struct grpc_server_options *o = call->host->options;
    char sentence[128];
    if (clock_monotonic_ms(o->clock) >= call->deadline_ms) {
        grpc_call_fail(call, GRPC_DEADLINE_EXCEEDED, "the deadline has passed", -1);
        return;
    }
    int status = 0;
    if (call->compressed) {
        status = gzip_decode(strbuf_str(&call->wire), o->message_max, &call->plain);
    }
    switch (status) {
    case 0:
        call->method->handler(call, call->method->context);
        break;
    case ERR_LIMIT:
        snprintf(
            sentence, sizeof(sentence), "the message is larger than %zu bytes", o->message_max);
        grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, sentence, -1);
        break;
    case ERR_CORRUPT:
        grpc_call_fail(call, GRPC_INTERNAL, "the message is not gzip", -1);
        break;
    default:
        grpc_call_fail(call, GRPC_UNAVAILABLE, err_text(status), GRPC_RETRY_AFTER_MS);
        break;
    }
}

void grpc_call_set_failure(
    struct grpc_call *call, enum grpc_status status, const char *sentence, int64_t retry_after_ms)
{
    assert(status != GRPC_OK);
    size_t length = strlen(sentence);
    call->status = status;
    call->retry_after_ms = retry_after_ms;
    strbuf_release(&call->reply);
    strbuf_reset(&call->sentence);
    strbuf_add(&call->sentence, sentence, length < GRPC_SENTENCE_MAX ? length : GRPC_SENTENCE_MAX);
}

void grpc_call_fail(
    struct grpc_call *call, enum grpc_status status, const char *sentence, int64_t retry_after_ms)
{
    grpc_call_set_failure(call, status, sentence, retry_after_ms);
    call->host->ended(call->host->context, call);
}

void grpc_call_fail_with(
    struct grpc_call *call, int code, const char *sentence, int64_t retry_after_ms)
{
    const char *text = sentence[0] != '\0' ? sentence : err_text(code);
    switch (code) {
    case ERR_CORRUPT:
    case ERR_INVALID:
        grpc_call_fail(call, GRPC_INVALID_ARGUMENT, text, -1);
        break;
    case ERR_UNSUPPORTED:
        grpc_call_fail(call, GRPC_UNIMPLEMENTED, text, -1);
        break;
    case ERR_LIMIT:
        grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, text, -1);
        break;
    case ERR_BUSY:
        grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, text, retry_after_ms);
        break;
    default:
        grpc_call_fail(call, GRPC_UNAVAILABLE, text, retry_after_ms);
        break;
    }
}

void grpc_call_reply(struct grpc_call *call, struct strbuf *message)
{
    if (strbuf_error(message) != 0) {
        int error = strbuf_error(message);
        strbuf_release(message);
        grpc_call_fail(call, GRPC_INTERNAL, err_text(error), -1);
        return;
    }
    call->status = GRPC_OK;
    strbuf_release(&call->reply);
    call->reply = *message;
    strbuf_init(message, message->limit);
    call->host->ended(call->host->context, call);
}
