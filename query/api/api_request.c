/* Answers: envelopes, errors, and the counting of both. */
#include "api/api_request.h"

#include <assert.h>
#include <stdarg.h>

#include "api/api_metrics.h"

static const struct {
    const char *text;
    unsigned status;
} errors[] = {
#define X(name, text, status) [API_ERROR_##name] = {text, status},
    API_ERROR_LIST(X)
#undef X
};

static const char JSON_TYPE[] = "application/json";

/* After this the exchange is gone; the request itself is still the handler's. */
static void count_answer(struct api_request *r, unsigned status)
{
    assert(!r->answered);
    r->answered = true;
    int64_t took_ns = r->clock != NULL ? clock_monotonic_ns(r->clock) - r->begun_ns : 0;
    api_metrics_count(r->route, status, took_ns);
}

void api_reply(
    struct api_request *r, unsigned status, const char *content_type, struct strbuf *body)
{
    count_answer(r, status);
    http_exchange_reply(r->exchange, status, content_type, body);
}

int api_begin_pieces(struct api_request *r, unsigned status, const char *content_type)
{
    r->status = status;
    return http_exchange_begin(r->exchange, status, content_type);
}

void api_end_pieces(struct api_request *r, int error)
{
    count_answer(r, r->status);
    http_exchange_end(r->exchange, error);
}

void api_reply_text(struct api_request *r, unsigned status, const char *text)
{
    count_answer(r, status);
    http_exchange_reply_text(r->exchange, status, text);
}

void api_reply_empty(struct api_request *r, unsigned status)
{
    struct strbuf nothing = STRBUF_INIT;
    strbuf_add_c(&nothing, "");
    api_reply(r, status, NULL, &nothing);
}

void api_reply_static(struct api_request *r, unsigned status, const char *content_type,
    const void *bytes, size_t size, bool gzipped)
{
    count_answer(r, status);
    http_exchange_reply_static(r->exchange, status, content_type, bytes, size, gzipped);
}

/* ---- Errors ---- */

void api_fail(struct api_request *r, enum api_error error, const char *format, ...)
{
    struct err e = ERR_INIT;
    va_list arguments;
    va_start(arguments, format);
    err_vset(&e, ERR_INVALID, -1, format, arguments);
    va_end(arguments);

    struct strbuf body = STRBUF_INIT;
    struct json_writer json;
    json_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "status");
    json_cstring(&json, "error");
    json_key(&json, "errorType");
    json_cstring(&json, errors[error].text);
    json_key(&json, "error");
    json_cstring(&json, e.message);
    json_end(&json);
    if (errors[error].status == 503) {
        http_exchange_set_header(r->exchange, "Retry-After", "1");
    }
    api_reply(r, errors[error].status, JSON_TYPE, &body);
}

enum api_error api_error_of(int code)
{
    switch (code) {
    case ERR_INVALID:
    case ERR_RANGE:
        return API_ERROR_BAD_DATA;
    case ERR_LIMIT:
    case ERR_INTERNAL:
    case ERR_UNSUPPORTED:
        return API_ERROR_EXECUTION;
    case ERR_TIMEOUT:
        return API_ERROR_TIMEOUT;
    case ERR_CANCELED:
        return API_ERROR_CANCELED;
    case ERR_BUSY:
    case ERR_CLOSED:
    case ERR_NO_SPACE:
        return API_ERROR_UNAVAILABLE;
    case ERR_NOT_FOUND:
        return API_ERROR_NOT_FOUND;
    default:
        return API_ERROR_INTERNAL;
    }
}

void api_fail_with(struct api_request *r, const struct err *e)
{
    assert(e->code != 0);
    api_fail(
        r, api_error_of(e->code), "%s", e->message[0] != '\0' ? e->message : err_text(e->code));
}

/* ---- Success ---- */

void api_answer_begin(struct api_answer *a)
{
    strbuf_init(&a->body, STRBUF_LIMIT_DEFAULT);
    json_init(&a->json, &a->body);
    json_begin_object(&a->json);
    json_key(&a->json, "status");
    json_cstring(&a->json, "success");
    json_key(&a->json, "data");
}

static void write_list(struct json_writer *json, const char *key, const char *const *items,
    size_t count, const char *last)
{
    if (count == 0 && last == NULL) {
        return;
    }
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        json_cstring(json, items[i]);
    }
    if (last != NULL) {
        json_cstring(json, last);
    }
    json_end(json);
}

void api_answer_send(struct api_request *r, struct api_answer *a, const struct api_notes *notes)
{
    if (notes != NULL) {
        write_list(&a->json, "warnings", notes->warnings, notes->warning_count,
            notes->truncated ? "results truncated due to limit" : NULL);
        write_list(&a->json, "infos", notes->infos, notes->info_count, NULL);
    }
    json_end(&a->json);
    int status = strbuf_error(&a->body);
    if (status != 0) {
        strbuf_release(&a->body);
        if (status == ERR_LIMIT) {
            api_fail(r, API_ERROR_EXECUTION, "the answer is larger than %zu bytes; ask for less",
                STRBUF_LIMIT_DEFAULT);
        } else {
            api_fail(r, API_ERROR_UNAVAILABLE,
                "memory is too short to write the answer; ask for less, or try again later");
        }
        return;
    }
    api_reply(r, 200, JSON_TYPE, &a->body);
}

void api_answer_drop(struct api_answer *a)
{
    strbuf_release(&a->body);
}
