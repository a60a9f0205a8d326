/* Zipkin's and Jaeger's spans, in their ways. */
#include "receive/receive_spans.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "receive/receive_datagrams.h"
#include "receive/receive_private.h"
#include "receive/receive_socket.h"
#include "wire/jaeger_thrift.h"
#include "wire/otlp_traces.h"
#include "wire/zipkin.h"

/* A protocol of HTTP. */
struct span_format {
    enum receive_source source;
    enum span_protocol protocol;
    int (*translate)(struct str content_type, struct str body, uint64_t now_ns,
        struct strbuf *message, struct err *e);
};

static const struct span_format zipkin = {RECEIVE_ZIPKIN, SPAN_ZIPKIN, zipkin_from_body};
static const struct span_format jaeger = {RECEIVE_JAEGER, SPAN_JAEGER, jaeger_from_body};

static uint64_t now_ns(const struct receive *r)
{
    return (uint64_t)clock_now_ms(r->options.clock) * 1000000;
}

/* ---- HTTP ---- */

static int take_body(struct receive *r, struct http_exchange *x, const struct span_format *format,
    struct span_taken *taken, struct err *e)
{
    struct span_intake *door = r->options.spans;
    struct strbuf plain, message;
    struct str body;
    strbuf_init(&plain, RECEIVE_MESSAGE_MAX);
    strbuf_init(&message, OTLP_TRACES_MAX);
    int status = receive_admit_spans(r, format->protocol, e);
    status = status == 0 ? receive_plain_body(x, &plain, &body, e) : status;
    if (status == 0) {
        struct str type = http_exchange_header(x, "Content-Type");
        status = format->translate(type, body, now_ns(r), &message, e);
    }
    status =
        status == 0 ? door->take(door, format->protocol, strbuf_str(&message), taken, e) : status;
    strbuf_release(&plain);
    strbuf_release(&message);
    return status;
}

static void take_request(
    struct receive *r, struct http_exchange *x, const struct span_format *format)
{
    struct err e = ERR_INIT;
    struct span_taken taken = {0};
    struct strbuf answer = STRBUF_INIT;
    int status = take_body(r, x, format, &taken, &e);
    receive_count(r, format->source, x, status);
    if (status != 0) {
        strbuf_addf(&answer, "%s\n", e.message[0] != '\0' ? e.message : err_text(status));
    } else if (taken.refused > 0) {
        strbuf_addf(
            &answer, "%" PRIu64 " spans were refused: %.*s\n", taken.refused, STR_ARG(taken.why));
    }
    http_exchange_reply(
        x, status == 0 ? 202 : receive_status(status), "text/plain; charset=utf-8", &answer);
    strbuf_release(&answer);
}

void receive_zipkin(struct http_exchange *x, void *context)
{
    take_request(context, x, &zipkin);
}

void receive_jaeger(struct http_exchange *x, void *context)
{
    take_request(context, x, &jaeger);
}

/* ---- UDP ---- */

static void take_datagram(void *context, struct str datagram)
{
    struct receive *r = context;
    struct span_intake *door = r->options.spans;
    struct span_taken taken;
    struct strbuf message;
    struct err e = ERR_INIT;
    strbuf_init(&message, OTLP_TRACES_MAX);
    int status = receive_admit_spans(r, SPAN_JAEGER, &e);
    status = status == 0 ? jaeger_from_datagram(datagram, &message, &e) : status;
    status = status == 0 ? door->take(door, SPAN_JAEGER, strbuf_str(&message), &taken, &e) : status;
    (void)receive_count_message(r, RECEIVE_JAEGER, status); /* nobody is there to come again */
    strbuf_release(&message);
}

int receive_jaeger_open(struct receive *r, struct err *e)
{
    const struct receive_jaeger_config *config = &r->options.config.jaeger;
    const char *addresses[2] = {config->compact_listen, config->binary_listen};
    const struct datagram_options options = {.loop = r->options.loop,
        .take = take_datagram,
        .context = r,
        .lost = &r->statistics[RECEIVE_JAEGER].lost_messages};
    int status = 0;
    for (int i = 0; status == 0 && i < 2; i++) {
        int fd;
        if (addresses[i][0] == '\0') {
            continue;
        }
        status = receive_socket_bind(addresses[i], SOCK_DGRAM, &fd, e);
        status = status == 0 ? datagram_socket_open(fd, &options, &r->jaeger[i], e) : status;
    }
    return status;
}

void receive_jaeger_close(struct receive *r)
{
    for (int i = 0; i < 2; i++) {
        datagram_socket_close(r->jaeger[i]);
    }
}
