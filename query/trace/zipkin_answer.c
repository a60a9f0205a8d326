/* OpenTelemetry's spans in Zipkin's words (opentelemetry-specification, "OpenTelemetry to Zipkin Transformation").
 *
 *   kind                SERVER, CLIENT, PRODUCER, CONSUMER; internal spans have none
 *   resource            localEndpoint.serviceName; its other attributes are not shown
 *   what names the other side (trace_remote.h)   remoteEndpoint
 *   status              tag otel.status_code (OK, ERROR); of an error tag error, with its message or "true"
 *   scope               tags otel.scope.name, otel.scope.version
 *   events              annotations, with the name as value
 *
 * Times are whole microseconds; a duration that is not zero is at least one.
 */
#include "trace/zipkin_answer.h"

#include "trace/trace_remote.h"

static void write_text(struct json_writer *json, const char *key, struct str value)
{
    json_key(json, key);
    json_string(json, value);
}

static void write_span_id(struct json_writer *json, const char *key, uint64_t id)
{
    struct strbuf text = STRBUF_INIT;
    span_id_write(id, &text);
    write_text(json, key, strbuf_str(&text));
    strbuf_release(&text);
}

/* 32 digits, or 16 when the rest is zero. */
static void write_trace_id(struct json_writer *json, struct trace_id id)
{
    struct strbuf text = STRBUF_INIT;
    trace_id_write(id, &text);
    struct str whole = strbuf_str(&text);
    write_text(json, "traceId", id.high == 0 ? str_skip(whole, whole.len / 2) : whole);
    strbuf_release(&text);
}

/* ---- Endpoints ---- */

static bool is_ipv4(struct str address)
{
    bool digits = address.len > 0;
    for (size_t i = 0; i < address.len && digits; i++) {
        char c = address.ptr[i];
        digits = (c >= '0' && c <= '9') || c == '.';
    }
    return digits;
}

static void write_remote(struct json_writer *json, struct attributes list)
{
    struct str service = trace_remote_service(list);
    struct str address = attributes_text(list, STR("network.peer.address"));
    address = address.len > 0 ? address : attributes_text(list, STR("net.peer.ip"));
    const struct attribute *port = attributes_get(list, STR("network.peer.port"));
    if (service.len == 0 && address.len == 0) {
        return;
    }
    json_key(json, "remoteEndpoint");
    json_begin_object(json);
    if (service.len > 0) {
        write_text(json, "serviceName", service);
    }
    if (address.len > 0 && (is_ipv4(address) || str_find(address, ':') >= 0)) {
        write_text(json, is_ipv4(address) ? "ipv4" : "ipv6", address);
    }
    if (port != NULL && port->kind == ATTRIBUTE_INT && port->integer > 0 && port->integer < 65536) {
        json_key(json, "port");
        json_integer(json, port->integer);
    }
    json_end(json);
}

/* ---- Tags and annotations ---- */

static bool has(const struct otlp_span *s, const char *key)
{
    return attributes_get(s->span.attributes, str_of(key)) != NULL;
}

static void write_fields_as_tags(struct json_writer *json, const struct otlp_span *s)
{
    bool failed = s->span.status == SPAN_STATUS_ERROR;
    if (s->span.status != SPAN_STATUS_UNSET && !has(s, "otel.status_code")) {
        write_text(json, "otel.status_code", failed ? STR("ERROR") : STR("OK"));
    }
    if (failed && !has(s, "error")) {
        write_text(
            json, "error", s->span.status_message.len > 0 ? s->span.status_message : STR("true"));
    }
    if (s->scope->name.len > 0 && !has(s, "otel.scope.name")) {
        write_text(json, "otel.scope.name", s->scope->name);
    }
    if (s->scope->version.len > 0 && !has(s, "otel.scope.version")) {
        write_text(json, "otel.scope.version", s->scope->version);
    }
}

/* A key that comes twice counts once: this is an object. */
static void write_tags(struct json_writer *json, const struct otlp_span *s)
{
    struct attributes list = s->span.attributes;
    json_key(json, "tags");
    json_begin_object(json);
    for (size_t i = 0; i < list.count; i++) {
        if (attributes_get(list, list.items[i].key) == &list.items[i]) {
            struct strbuf text = STRBUF_INIT;
            otlp_attribute_write_text(&list.items[i], &text);
            json_key_str(json, list.items[i].key);
            json_string(json, strbuf_str(&text));
            strbuf_release(&text);
        }
    }
    write_fields_as_tags(json, s);
    json_end(json);
}

static void write_annotations(struct json_writer *json, const struct span *span)
{
    if (span->event_count == 0) {
        return;
    }
    json_key(json, "annotations");
    json_begin_array(json);
    for (size_t i = 0; i < span->event_count; i++) {
        json_begin_object(json);
        json_key(json, "timestamp");
        json_integer(json, (int64_t)(span->events[i].time_ns / 1000));
        write_text(json, "value", span->events[i].name);
        json_end(json);
    }
    json_end(json);
}

/* ---- Spans ---- */

static const char *kind_name(enum span_kind kind)
{
    switch (kind) {
    case SPAN_KIND_SERVER:
        return "SERVER";
    case SPAN_KIND_CLIENT:
        return "CLIENT";
    case SPAN_KIND_PRODUCER:
        return "PRODUCER";
    case SPAN_KIND_CONSUMER:
        return "CONSUMER";
    default:
        return NULL;
    }
}

static void write_times(struct json_writer *json, const struct span *span)
{
    uint64_t start_us = span->start_ns / 1000, duration_ns = span_duration_ns(span);
    json_key(json, "timestamp");
    json_integer(json, start_us > 0 ? (int64_t)start_us : 1);
    if (duration_ns > 0) {
        json_key(json, "duration");
        json_integer(json, duration_ns >= 1000 ? (int64_t)(duration_ns / 1000) : 1);
    }
}

static void write_span(struct json_writer *json, const struct otlp_span *s)
{
    const struct span *span = &s->span;
    json_begin_object(json);
    write_trace_id(json, span->trace_id);
    write_span_id(json, "id", span->span_id);
    if (span->parent_id != 0) {
        write_span_id(json, "parentId", span->parent_id);
    }
    write_text(json, "name", span->name);
    if (kind_name(span->kind) != NULL) {
        json_key(json, "kind");
        json_cstring(json, kind_name(span->kind));
    }
    write_times(json, span);
    json_key(json, "localEndpoint");
    json_begin_object(json);
    write_text(json, "serviceName", span_resource_service(s->resource));
    json_end(json);
    write_remote(json, span->attributes);
    write_annotations(json, span);
    write_tags(json, s);
    json_end(json);
}

void zipkin_write_trace(const struct span_trace *trace, struct json_writer *json)
{
    json_begin_array(json);
    for (size_t i = 0; i < trace->count; i++) {
        write_span(json, &trace->spans[i]);
    }
    json_end(json);
}
