/* Spans of other protocols than OTLP, as their own clients POST them:
 *
 *   POST /api/v2/spans    Zipkin, version 2: JSON or protobuf (wire/zipkin.h)
 *   POST /api/traces      Jaeger: a Batch in Thrift's binary protocol (wire/jaeger_thrift.h)
 *
 *   202       taken; a sentence when some spans were refused, which the sender must not send again
 *   400       cannot be read; nothing is taken
 *   413, 415  too large; of a kind, or in an encoding, that is not read here
 *   429, 503  busy, or the disk does not take it: send again, after Retry-After
 */
#include <inttypes.h>
#include <strings.h>

#include "api/api_ingest.h"
#include "api/api_private.h"
#include "api/otlp_take.h"
#include "base/gzip.h"
#include "wire/jaeger_thrift.h"
#include "wire/otlp_traces.h"
#include "wire/zipkin.h"

typedef int span_translate(struct str content_type, struct str body, uint64_t now_ns,
    struct strbuf *message, struct err *e);

/* The body without gzip, in `plain` or the request's own. */
static int read_body(
    const struct http_exchange *x, struct strbuf *plain, struct str *body_out, struct err *e)
{
    struct str encoding = str_trim(http_exchange_header(x, "Content-Encoding"));
    *body_out = http_exchange_body(x);
    if (encoding.len == 0 || str_eq_c(encoding, "identity")) {
        return 0;
    }
    if (encoding.len != 4 || strncasecmp(encoding.ptr, "gzip", 4) != 0) {
        return err_set(e, ERR_UNSUPPORTED, -1,
            "Content-Encoding %.*s is not accepted; send gzip or none",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    }
    int status = gzip_decode(*body_out, OTLP_TRACES_MAX, plain);
    *body_out = strbuf_str(plain);
    return status == 0           ? 0
           : status == ERR_LIMIT ? err_set(e, status, -1, "the message is larger than %zu bytes",
                                       (size_t)OTLP_TRACES_MAX)
                                 : err_set(e, status, -1, "the body is not gzip");
}

static int take(struct api_request *r, span_translate *translate, struct strbuf *sentence,
    uint64_t *refused_out, struct err *e)
{
    struct strbuf plain, message;
    struct str body;
    bool durable = str_eq_c(http_exchange_param(r->exchange, "ack"), "durable");
    uint64_t now_ns = (uint64_t)clock_now_ms(r->clock) * 1000000;
    strbuf_init(&plain, OTLP_TRACES_MAX);
    strbuf_init(&message, OTLP_TRACES_MAX);
    int status = read_body(r->exchange, &plain, &body, e);
    if (status == 0) {
        struct str type = http_exchange_header(r->exchange, "Content-Type");
        status = translate(type, body, now_ns, &message, e);
    }
    if (status == 0) {
        status = otlp_store_spans(r->api, strbuf_str(&message), durable, refused_out, sentence, e);
    }
    strbuf_release(&plain);
    strbuf_release(&message);
    return status;
}

static void push(struct api_request *r, span_translate *translate)
{
    struct strbuf sentence = STRBUF_INIT, answer = STRBUF_INIT;
    struct err e = ERR_INIT;
    uint64_t refused = 0;
    int status = take(r, translate, &sentence, &refused, &e);
    e.code = status;
    if (status == ERR_UNSUPPORTED) {
        api_reply_text(r, 415, e.message);
    } else if (status != 0) {
        ingest_answer_failure(r, &e);
    } else {
        if (refused > 0) {
            strbuf_addf(&answer, "%" PRIu64 " spans were refused: %.*s\n", refused,
                STR_ARG(strbuf_str(&sentence)));
        }
        api_reply(r, 202, "text/plain; charset=utf-8", &answer);
    }
    strbuf_release(&sentence);
    strbuf_release(&answer);
}

void api_zipkin_push(struct api_request *r)
{
    push(r, zipkin_from_body);
}

void api_jaeger_push(struct api_request *r)
{
    push(r, jaeger_from_body);
}
