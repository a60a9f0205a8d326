/* OTLP over HTTP: statuses are in otlp_post.h, what becomes of a message in otlp_take.h.
 *
 *   POST /api/v1/otlp/v1/metrics               as Prometheus' OTLP receiver takes them
 *   POST /v1/traces, /api/v1/otlp/v1/traces    spans
 */
#include "api/api_private.h"
#include "api/otlp_post.h"
#include "api/otlp_take.h"
#include "wire/otlp_metrics.h"
#include "wire/otlp_traces.h"

static void take(struct api_request *r, size_t bytes_max, otlp_take *take_message)
{
    struct otlp_post post;
    if (otlp_post_read(r, bytes_max, &post)) {
        struct strbuf answer = STRBUF_INIT;
        struct err e = ERR_INIT;
        const struct otlp_message message = {.api = r->api,
            .bytes = post.message,
            .wire_size = http_exchange_body(r->exchange).len,
            .json = post.json,
            .durable = str_eq_c(http_exchange_param(r->exchange, "ack"), "durable")};
        int status = take_message(&message, &answer, &e);
        if (status != 0) {
            e.code = status;
            otlp_post_fail(&post, &e);
        } else {
            otlp_post_answer(&post, 200, &answer);
        }
        strbuf_release(&answer);
    }
    otlp_post_release(&post);
}

void api_otlp_metrics(struct api_request *r)
{
    take(r, OTLP_MESSAGE_MAX, otlp_take_metrics);
}

void api_otlp_traces(struct api_request *r)
{
    take(r, OTLP_TRACES_MAX, otlp_take_traces);
}
