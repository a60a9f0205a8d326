/* Traces over HTTP: by id as Tempo answers, for Grafana's plugin of that name.
 *
 *   GET  /api/v2/traces/ID                     TraceByIDResponse{trace 1, status 3, message 4}
 *   GET  /api/traces/ID                        TracesData
 *
 * Protobuf when Accept asks for it, else the same as OTLP's JSON. The plugin falls from the first path
 * to the second at 404, and reads resource, scope and status of each span unguarded; resources without
 * attributes it drops, so that these get the name of an unknown service.
 *
 * Jaeger has a path of the second form, too. Who accepts protobuf there means Tempo's: Jaeger's clients never
 * ask for it. Below /tempo and /jaeger each is by itself.
 */
#include "api/api_traces.h"

#include <string.h>

#include "api/api_private.h"
#include "api/api_traceql.h"
#include "base/bytes.h"
#include "wire/otlp_traces.h"

static const char JSON[] = "application/json", PROTOBUF[] = "application/protobuf";

/* ---- A trace ---- */

int api_trace_open(struct api_request *r, struct api_trace *t, struct err *e)
{
    *t = (struct api_trace){.request = r};
    arena_init(&t->arena, API_ARENA_BYTES_MAX);
    if (r->api->backend.spans == NULL) {
        return err_set(e, ERR_CLOSED, -1, "traces are not kept here");
    }
    if (trace_id_parse(http_exchange_path_value(r->exchange), &t->id) != 0) {
        return err_set(e, ERR_INVALID, -1, "a trace id has 1 to 32 hex digits, not all of them 0");
    }
    int status = span_store_view(r->api->backend.spans, &t->view, e);
    status = status == 0 ? span_view_trace(t->view, t->id, &t->arena, &t->trace, e) : status;
    if (status == 0 && t->trace.count == 0) {
        status = err_set(e, ERR_NOT_FOUND, -1, "trace not found");
    }
    return status;
}

void api_trace_close(struct api_trace *t)
{
    const char *const *sentences;
    bool damaged = t->view != NULL && span_view_warnings(t->view, &sentences) > 0;
    api_trace_say_missing(t->request, t->trace.left_out, damaged);
    span_view_close(t->view);
    arena_release(&t->arena);
}

/* ---- Tempo ---- */

static bool wants_protobuf(const struct api_request *r)
{
    struct str accept = http_exchange_header(r->exchange, "Accept");
    while (accept.len > 0) {
        struct str entry = str_split(&accept, ',');
        if (str_eq_c(str_trim(str_split(&entry, ';')), PROTOBUF)) {
            return true;
        }
    }
    return false;
}

/* A resource without attributes gets the name of an unknown service, in `named`, which lives as long as the span. */
static struct otlp_span name_resource(const struct otlp_span *of, struct span_resource *named)
{
    static const struct attribute unknown = {.key = {"service.name", 12},
        .kind = ATTRIBUTE_STRING,
        .bytes = {SPAN_SERVICE_UNKNOWN, sizeof(SPAN_SERVICE_UNKNOWN) - 1}};
    struct otlp_span span = *of;
    if (span.resource->attributes.count == 0) {
        *named = *span.resource;
        named->attributes = (struct attributes){&unknown, 1};
        span.resource = named;
        span.resource_raw = (struct str){0};
    }
    return span;
}

static void encode_trace(const struct span_trace *trace, struct strbuf *out)
{
    struct otlp_traces_encoder encoder;
    struct span_resource named;
    otlp_traces_encoder_init(&encoder, out);
    for (size_t i = 0; i < trace->count; i++) {
        const struct otlp_span span = name_resource(&trace->spans[i], &named);
        otlp_traces_encoder_add(&encoder, &span);
    }
    otlp_traces_encoder_finish(&encoder);
}

void api_add_trace(struct otlp_json_encoder *encoder, const struct span_trace *trace)
{
    struct span_resource named;
    for (size_t i = 0; i < trace->count; i++) {
        const struct otlp_span span = name_resource(&trace->spans[i], &named);
        otlp_json_encoder_add(encoder, &span);
    }
    otlp_json_encoder_part(encoder);
}

/* What TraceByIDResponse says of a trace that is not whole; empty when it is. */
static void write_message(struct strbuf *out, uint64_t left_out)
{
    if (left_out > 0) {
        strbuf_addf(out, "%llu more spans are left out: %zu of a trace are shown",
            (unsigned long long)left_out, SPAN_TRACE_SPANS_MAX);
    }
}

/* TraceByIDResponse of tempopb: trace 1, status 3, message 4. */
static void write_response(struct strbuf *out, struct str trace, uint64_t left_out)
{
    enum { TRACE = 1 << 3 | 2, STATUS = 3 << 3, PARTIAL = 1, MESSAGE = 4 << 3 | 2 };
    strbuf_add_char(out, TRACE);
    strbuf_add_uvarint(out, trace.len);
    strbuf_add_str(out, trace);
    if (left_out > 0) {
        struct strbuf message = STRBUF_INIT;
        write_message(&message, left_out);
        strbuf_add_char(out, STATUS);
        strbuf_add_char(out, PARTIAL);
        strbuf_add_char(out, MESSAGE);
        strbuf_add_uvarint(out, message.size);
        strbuf_add_str(out, strbuf_str(&message));
        strbuf_release(&message);
    }
}

static void write_json_trace(const struct span_trace *trace, struct json_writer *json)
{
    struct otlp_json_encoder encoder;
    otlp_json_encoder_init(&encoder, json);
    api_add_trace(&encoder, trace);
    otlp_json_encoder_finish(&encoder);
}

static void write_json(const struct span_trace *trace, bool wrapped, struct strbuf *out)
{
    struct json_writer json;
    json_init(&json, out);
    if (!wrapped) {
        write_json_trace(trace, &json);
        return;
    }
    json_begin_object(&json);
    json_key(&json, "trace");
    write_json_trace(trace, &json);
    if (trace->left_out > 0) {
        struct strbuf message = STRBUF_INIT;
        write_message(&message, trace->left_out);
        json_key(&json, "status");
        json_cstring(&json, "PARTIAL");
        json_key(&json, "message");
        json_string(&json, strbuf_str(&message));
        strbuf_release(&message);
    }
    json_end(&json);
}

static void write_protobuf(const struct span_trace *trace, bool wrapped, struct strbuf *out)
{
    struct strbuf message;
    if (!wrapped) {
        encode_trace(trace, out);
        return;
    }
    strbuf_init(&message, STRBUF_LIMIT_DEFAULT);
    encode_trace(trace, &message);
    int status = strbuf_error(&message);
    if (status == 0) {
        write_response(out, strbuf_str(&message), trace->left_out);
    } else {
        out->error = status;
    }
    strbuf_release(&message);
}

/* They say where the trace may be found. It is found without them, and answered whole; what is no time is refused. */
static int check_hints(struct api_request *r, struct err *e)
{
    uint64_t start_ns = 0, end_ns = UINT64_MAX;
    int status = api_trace_time(r, "start", &start_ns, e);
    status = status == 0 ? api_trace_time(r, "end", &end_ns, e) : status;
    return status == 0 && end_ns < start_ns
               ? err_set(e, ERR_INVALID, -1, "start has to lie before end")
               : status;
}

static void answer_tempo(struct api_request *r, bool wrapped)
{
    struct api_trace t = {.request = r};
    struct strbuf body;
    struct err e = ERR_INIT;
    bool protobuf = wants_protobuf(r);
    strbuf_init(&body, STRBUF_LIMIT_DEFAULT);
    int status = check_hints(r, &e);
    if (status == 0) {
        status = api_trace_open(r, &t, &e);
        if (status == 0) {
            (protobuf ? write_protobuf : write_json)(&t.trace, wrapped, &body);
            status = strbuf_error(&body);
        }
        api_trace_close(&t);
    }
    if (status != 0) {
        strbuf_release(&body);
        e.code = status;
        api_fail_with(r, &e);
        return;
    }
    api_reply(r, 200, protobuf ? PROTOBUF : JSON, &body);
}

void api_tempo_echo(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    strbuf_add_c(&body, "echo"); /* without a line's end */
    api_reply(r, 200, "text/plain; charset=utf-8", &body);
}

void api_tempo_trace(struct api_request *r)
{
    answer_tempo(r, false);
}

void api_tempo_trace_v2(struct api_request *r)
{
    answer_tempo(r, true);
}

void api_either_trace(struct api_request *r)
{
    if (wants_protobuf(r)) {
        api_tempo_trace(r);
    } else {
        api_jaeger_trace(r);
    }
}
