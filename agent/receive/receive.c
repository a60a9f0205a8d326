/* The listener and its table of routes; what all receivers do alike. */
#include "receive/receive.h"

#include <stdio.h>

#include "base/gzip.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/receive_graphite.h"
#include "receive/receive_grpc.h"
#include "receive/receive_influx.h"
#include "receive/receive_otlp.h"
#include "receive/receive_private.h"
#include "receive/receive_spans.h"
#include "receive/receive_statsd.h"
#include "receive/receive_write.h"
#include "wire/media_type.h"

static const char *const source_names[RECEIVE_SOURCE_COUNT] = {
    [RECEIVE_OTLP] = "otlp",
    [RECEIVE_WRITE] = "remote_write",
    [RECEIVE_STATSD] = "statsd",
    [RECEIVE_GRAPHITE] = "graphite",
    [RECEIVE_INFLUX] = "influx",
    [RECEIVE_ZIPKIN] = "zipkin",
    [RECEIVE_JAEGER] = "jaeger",
};

const char *receive_source_name(enum receive_source source)
{
    return source_names[source];
}

/* ---- Samples ---- */

int receive_encode_labels(
    const struct intake *intake, const struct label *labels, size_t count, struct strbuf *out)
{
    uint64_t epoch;
    const struct labels *external = intake->external(intake, &epoch);
    struct labels_builder b;
    strbuf_reset(out);
    if (external == NULL || labels_count(external) == 0) {
        remote_write_encode_labels(labels, count, out);
        return strbuf_error(out);
    }
    labels_builder_init(&b);
    for (size_t i = 0; i < count; i++) {
        labels_builder_set(&b, labels[i].name, labels[i].value);
    }
    int status = intake_encode_labels(external, &b, out);
    labels_builder_release(&b);
    return status;
}

void receive_metadata(struct receive *r, enum receive_source source, enum metric_type type,
    struct str metric, struct str help, struct str unit)
{
    struct intake *intake = r->options.intakes[source];
    int64_t now = clock_monotonic_ms(r->options.clock);
    if (metadata_filter_is_new(&r->metadata, now, type, metric, help, unit)) {
        intake->add_metadata(intake, type, metric, help, unit);
    }
}

int receive_commit(struct receive *r, enum receive_source source, struct err *e)
{
    struct intake *intake = r->options.intakes[source];
    int status = intake->commit(intake);
    return status == 0 ? 0
                       : err_set(e, ERR_NO_SPACE, -1, "the queue does not take the samples: %s",
                             err_text(status));
}

/* ---- HTTP ---- */

int receive_admit(struct receive *r, enum receive_source source, struct err *e)
{
    int64_t wait_ms;
    int status = intake_admit(r->options.intakes[source], &wait_ms);
    return status == 0 ? 0 : err_set(e, status, -1, "the agent's memory is full: send again later");
}

int receive_admit_spans(struct receive *r, enum span_protocol protocol, struct err *e)
{
    int64_t wait_ms;
    struct span_intake *door = r->options.spans;
    int status = door->admit(door, protocol, &wait_ms);
    return status == 0 ? 0 : err_set(e, status, -1, "the agent's memory is full: send again later");
}

int receive_plain_body(
    struct http_exchange *x, struct strbuf *plain, struct str *message_out, struct err *e)
{
    struct str body = http_exchange_body(x);
    struct str encoding = http_exchange_header(x, "Content-Encoding");
    if (media_encoding_is_none(encoding)) {
        *message_out = body;
        return 0;
    }
    if (!media_encoding_is(encoding, "gzip")) {
        return err_set(e, ERR_UNSUPPORTED, -1,
            "Content-Encoding %.*s is not accepted; send gzip or none",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    }
    int status = gzip_decode(body, RECEIVE_MESSAGE_MAX, plain);
    *message_out = strbuf_str(plain);
    switch (status) {
    case 0:
        return 0;
    case ERR_LIMIT:
        return err_set(e, status, -1, "the message is larger than %zu bytes", RECEIVE_MESSAGE_MAX);
    case ERR_CORRUPT:
        return err_set(e, status, -1, "the body is not gzip");
    default:
        return err_set(e, status, -1, "%s", err_text(status));
    }
}

unsigned receive_status(int code)
{
    switch (code) {
    case ERR_CORRUPT:
    case ERR_INVALID:
        return 400;
    case ERR_LIMIT:
        return 413;
    case ERR_UNSUPPORTED:
        return 415;
    case ERR_BUSY:
        return 429;
    default:
        return 503;
    }
}

bool receive_count_message(struct receive *r, enum receive_source source, int code)
{
    struct receive_statistics *s = &r->statistics[source];
    unsigned status = code != 0 ? receive_status(code) : 200;
    bool again = status == 429 || status == 503;
    s->messages++;
    s->refused_overload += again;
    s->refused_invalid += code != 0 && !again;
    return again;
}

void receive_count(struct receive *r, enum receive_source source, struct http_exchange *x, int code)
{
    if (receive_count_message(r, source, code)) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%d", INTAKE_RETRY_AFTER_MS / 1000);
        http_exchange_set_header(x, "Retry-After", seconds);
    }
}

/* ---- Start and stop ---- */

size_t receive_body_max(const struct receive *r)
{
    int64_t configured = r->options.config.body_max;
    return configured > 0 ? (size_t)configured : RECEIVE_BODY_MAX_DEFAULT;
}

size_t receive_bodies_max(const struct receive *r)
{
    size_t one = receive_body_max(r),
           share = (size_t)(r->options.memory_max / RECEIVE_BODIES_SHARE);
    return share > one ? share : one;
}

static int start_http(struct receive *r, struct err *e)
{
    const struct receive_options *o = &r->options;
    const struct http_route routes[] = {
        {"POST", "/v1/metrics", receive_otlp_metrics, r, HTTP_LANE_INGEST,
            "Takes OTLP metrics, in protobuf or JSON"},
        {"POST", "/v1/traces", receive_otlp_traces, r, HTTP_LANE_INGEST,
            "Takes OTLP traces, in protobuf or JSON"},
        {"POST", "/write", receive_influx, r, HTTP_LANE_INGEST, "Takes InfluxDB's line protocol"},
        {"POST", "/api/v2/write", receive_influx, r, HTTP_LANE_INGEST,
            "The same, as version 2 has it"},
        {"GET", "/ping", receive_influx_ping, r, HTTP_LANE_DIRECT,
            "204: what clients of InfluxDB ask first"},
        {"POST", "/api/v1/write", receive_write, r, HTTP_LANE_INGEST,
            "Takes remote write 1.0 and 2.0"},
        {"POST", "/api/v2/spans", receive_zipkin, r, HTTP_LANE_INGEST,
            "Takes Zipkin's spans, in JSON or protobuf"},
        {"POST", "/api/traces", receive_jaeger, r, HTTP_LANE_INGEST,
            "Takes Jaeger's spans, in Thrift"},
    };
    _Static_assert(sizeof(routes) <= sizeof(r->routes), "RECEIVE_ROUTES_MAX is too small");
    memcpy(r->routes, routes, sizeof(routes)); /* the server borrows them for its life */
    struct http_server_options options = {
        .address = o->http_address,
        .routes = r->routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .loop = o->loop,
        .connections_max = RECEIVE_CONNECTIONS_MAX,
        .body_max = receive_body_max(r),
        .bodies_max = receive_bodies_max(r),
        .web_config_file = o->web_config,
        .web_config_changed = o->web_config_changed,
    };
    int status = http_server_start(&options, &r->server, e);
    if (status == ERR_BUSY && o->address_is_default) {
        LOG_WARN("receive: the address is in use, nothing is received over HTTP",
            LOG_S("address", o->http_address));
        return 0;
    }
    return status;
}

int receive_open(const struct receive_options *options, struct receive **receive_out, struct err *e)
{
    const struct otlp_settings *otlp = &options->config.otlp;
    struct receive *r = mem_calloc(1, sizeof(*r));
    if (r == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the receivers");
    }
    r->options = *options;
    strbuf_init(&r->text, LABELS_BYTES_MAX);
    strbuf_init(&r->labels, LABELS_BYTES_MAX);
    r->otlp = otlp_settings_translate(otlp);
    int status = otlp_delta_new((size_t)otlp->delta_series_max, &r->delta);
    if (status != 0) {
        err_set(e, status, -1, "out of memory for the receivers");
    } else if (options->http_address[0] != '\0') {
        status = start_http(r, e);
    }
    status = status == 0 ? receive_grpc_open(r, e) : status;
    status = status == 0 ? receive_statsd_open(r, &r->statsd, e) : status;
    status = status == 0 ? receive_graphite_open(r, &r->graphite, e) : status;
    status = status == 0 ? receive_jaeger_open(r, e) : status;
    if (status != 0) {
        receive_close(r);
        return status;
    }
    *receive_out = r;
    return 0;
}

void receive_close(struct receive *r)
{
    if (r == NULL) {
        return;
    }
    http_server_stop(r->server);
    grpc_server_stop(r->grpc);
    receive_statsd_close(r->statsd);
    receive_graphite_close(r->graphite);
    receive_jaeger_close(r);
    strbuf_release(&r->text);
    strbuf_release(&r->labels);
    otlp_delta_free(r->delta);
    mem_free(r);
}

void receive_statistics(
    const struct receive *r, enum receive_source source, struct receive_statistics *statistics_out)
{
    *statistics_out = r->statistics[source];
}
