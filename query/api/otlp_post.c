/* What metrics and traces of OTLP have in common as requests. */
#include "api/otlp_post.h"

#include <stdio.h>
#include <string.h>

#include "api/api_ingest.h"
#include "base/gzip.h"
#include "wire/media_type.h"
#include "wire/otlp_metrics.h"

/* ---- Answers ---- */

/* gRPC's number for what went wrong, which google.rpc.Status carries. */
static int status_code(unsigned status)
{
    enum { INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, INTERNAL = 13, UNAVAILABLE = 14 };
    return status == 413 || status == 429 ? RESOURCE_EXHAUSTED
           : status < 500                 ? INVALID_ARGUMENT
           : status == 503                ? UNAVAILABLE
                                          : INTERNAL;
}

void otlp_post_answer(struct otlp_post *post, unsigned status, struct strbuf *body)
{
    const char *type = post->json ? "application/json" : "application/x-protobuf";
    api_reply(post->request, status, type, body);
}

static void answer_status(struct otlp_post *post, unsigned status, const char *sentence)
{
    struct strbuf body = STRBUF_INIT;
    otlp_write_status(post->json, status_code(status), str_of(sentence), &body);
    otlp_post_answer(post, status, &body);
}

/* A sender of OTLP gives up at 500, so that what may work later is 503. */
void otlp_post_fail(struct otlp_post *post, const struct err *e)
{
    unsigned status =
        ingest_failure_status(post->request, e->code == ERR_IO ? ERR_NO_SPACE : e->code);
    answer_status(post, status, e->message[0] != '\0' ? e->message : err_text(e->code));
}

/* ---- The body ---- */

/* Answers and returns false when the body is of a kind that is not read here. */
static bool accept_kind(struct otlp_post *post, bool *gzipped_out)
{
    char sentence[256];
    struct http_exchange *x = post->request->exchange;
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = str_trim(http_exchange_header(x, "Content-Encoding"));
    post->json = media_type_is(type, "application/json");
    *gzipped_out = media_encoding_is(encoding, "gzip");
    if (!post->json && !media_type_is(type, "application/x-protobuf")) {
        snprintf(sentence, sizeof(sentence),
            "Content-Type %.*s is not accepted; send application/x-protobuf or application/json",
            type.len < 100 ? (int)type.len : 100, type.len > 0 ? type.ptr : "");
    } else if (!*gzipped_out && !media_encoding_is_none(encoding)) {
        snprintf(sentence, sizeof(sentence),
            "Content-Encoding %.*s is not accepted; send gzip or none",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    } else {
        return true;
    }
    answer_status(post, 415, sentence);
    return false;
}

bool otlp_post_read(struct api_request *r, size_t bytes_max, struct otlp_post *post)
{
    bool gzipped;
    struct err e = ERR_INIT;
    *post = (struct otlp_post){.request = r, .message = http_exchange_body(r->exchange)};
    strbuf_init(&post->plain, bytes_max);
    if (!accept_kind(post, &gzipped)) {
        return false;
    }
    int status = gzipped ? gzip_decode(post->message, bytes_max, &post->plain) : 0;
    if (status != 0) {
        err_set(&e, status, -1,
            status == ERR_LIMIT ? "the message is larger than %zu bytes"
                                : "the body is not gzip, or memory is too short for %zu bytes",
            bytes_max);
        otlp_post_fail(post, &e);
        return false;
    }
    if (gzipped) {
        post->message = strbuf_str(&post->plain);
    }
    return true;
}

void otlp_post_release(struct otlp_post *post)
{
    strbuf_release(&post->plain);
}
