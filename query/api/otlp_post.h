/* A message of OTLP that was POSTed (https://opentelemetry.io/docs/specs/otlp/#otlphttp): its body, and answers
 * in its own encoding.
 *
 *   200  taken, or in part: partialSuccess
 *   400  cannot be read
 *   413  too large, 415 neither protobuf nor JSON, or an encoding other than gzip
 *   429, 503  busy, or the disk does not take it: send again. Any other 5xx is final to a sender of OTLP
 *
 * What failed is told as google.rpc.Status.
 */
#ifndef SONDE_QUERY_OTLP_POST_H
#define SONDE_QUERY_OTLP_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/api_request.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

struct otlp_post {
    struct api_request *request;
    bool json;          /* else protobuf */
    struct str message; /* decompressed; the request's or `plain` */
    struct strbuf plain;
};

/* At most `bytes_max` decompressed. False when it is answered already. Release it in both cases. */
bool otlp_post_read(struct api_request *r, size_t bytes_max, struct otlp_post *post);
void otlp_post_release(struct otlp_post *post);
/* Answers in the encoding of the message. */
void otlp_post_answer(struct otlp_post *post, unsigned status, struct strbuf *body);
/* Answers with the status that e->code stands for, and Retry-After where it helps. */
void otlp_post_fail(struct otlp_post *post, const struct err *e);

#endif
