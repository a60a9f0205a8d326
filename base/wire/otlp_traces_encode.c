/* TracesData out; otlp_traces_decode.c has the fields. */
#include <string.h>

#include "otlp_attribute.h"
#include "wire/otlp_traces.h"

/* ---- Messages ---- */

static void put_fixed64(struct strbuf *out, uint32_t number, uint64_t value)
{
    protobuf_put_key(out, number, PROTOBUF_FIXED64);
    strbuf_add_le64(out, value);
}

/* Members at their default are left out, as proto3 has it. */
static void put_text(struct strbuf *out, uint32_t number, struct str text)
{
    if (text.len > 0) {
        protobuf_put_bytes(out, number, text);
    }
}

static void put_count(struct strbuf *out, uint32_t number, uint32_t count)
{
    if (count > 0) {
        protobuf_put_varint(out, number, count);
    }
}

static void put_flags(struct strbuf *out, uint32_t number, uint32_t flags)
{
    if (flags != 0) {
        protobuf_put_key(out, number, PROTOBUF_FIXED32);
        strbuf_add_le32(out, flags);
    }
}

static void put_trace_id(struct strbuf *out, uint32_t number, struct trace_id id)
{
    uint8_t bytes[TRACE_ID_BYTES];
    trace_id_to_bytes(id, bytes);
    protobuf_put_bytes(out, number, str_make((const char *)bytes, sizeof(bytes)));
}

static void put_span_id(struct strbuf *out, uint32_t number, uint64_t id)
{
    uint8_t bytes[SPAN_ID_BYTES];
    span_id_to_bytes(id, bytes);
    protobuf_put_bytes(out, number, str_make((const char *)bytes, sizeof(bytes)));
}

/* `message` as field `number`. */
static void put_message(struct strbuf *out, uint32_t number, const struct strbuf *message)
{
    if (strbuf_error(message) != 0 && out->error == 0) {
        out->error = strbuf_error(message);
    }
    protobuf_put_bytes(out, number, strbuf_str(message));
}

void otlp_resource_encode(const struct span_resource *resource, struct strbuf *out)
{
    otlp_attributes_encode(out, 1, resource->attributes);
    put_count(out, 2, resource->dropped_attributes);
}

void otlp_scope_encode(const struct span_scope *scope, struct strbuf *out)
{
    put_text(out, 1, scope->name);
    put_text(out, 2, scope->version);
    otlp_attributes_encode(out, 3, scope->attributes);
    put_count(out, 4, scope->dropped_attributes);
}

void otlp_event_encode(const struct span_event *event, struct strbuf *out)
{
    put_fixed64(out, 1, event->time_ns);
    put_text(out, 2, event->name);
    otlp_attributes_encode(out, 3, event->attributes);
    put_count(out, 4, event->dropped_attributes);
}

void otlp_link_encode(const struct span_link *link, struct strbuf *out)
{
    put_trace_id(out, 1, link->trace_id);
    put_span_id(out, 2, link->span_id);
    put_text(out, 3, link->trace_state);
    otlp_attributes_encode(out, 4, link->attributes);
    put_count(out, 5, link->dropped_attributes);
    put_flags(out, 6, link->flags);
}

/* Present even when it says nothing: Grafana's Tempo plugin reads it unguarded. */
static void put_status(const struct span *span, struct strbuf *out)
{
    size_t text = span->status_message.len;
    size_t size = (text > 0 ? 1 + uvarint_size(text) + text : 0) +
                  (span->status > 0 ? 1 + uvarint_size(span->status) : 0);
    protobuf_put_key(out, 15, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    put_text(out, 2, span->status_message);
    put_count(out, 3, span->status);
}

void otlp_span_encode(const struct span *span, struct strbuf *out)
{
    struct strbuf part = STRBUF_INIT;
    put_trace_id(out, 1, span->trace_id);
    put_span_id(out, 2, span->span_id);
    put_text(out, 3, span->trace_state);
    if (span->parent_id != 0) {
        put_span_id(out, 4, span->parent_id);
    }
    put_text(out, 5, span->name);
    put_count(out, 6, span->kind);
    put_fixed64(out, 7, span->start_ns);
    put_fixed64(out, 8, span->end_ns);
    otlp_attributes_encode(out, 9, span->attributes);
    put_count(out, 10, span->dropped_attributes);
    for (size_t i = 0; i < span->event_count; i++) {
        strbuf_reset(&part);
        otlp_event_encode(&span->events[i], &part);
        put_message(out, 11, &part);
    }
    put_count(out, 12, span->dropped_events);
    for (size_t i = 0; i < span->link_count; i++) {
        strbuf_reset(&part);
        otlp_link_encode(&span->links[i], &part);
        put_message(out, 13, &part);
    }
    put_count(out, 14, span->dropped_links);
    put_status(span, out);
    put_flags(out, 16, span->flags);
    strbuf_release(&part);
}

/* ---- The whole ---- */

void otlp_traces_encoder_init(struct otlp_traces_encoder *encoder, struct strbuf *out)
{
    *encoder = (struct otlp_traces_encoder){.out = out};
    strbuf_init(&encoder->scope_spans, OTLP_TRACES_MAX);
    strbuf_init(&encoder->resource_spans, OTLP_TRACES_MAX);
}

static void end_scope(struct otlp_traces_encoder *encoder)
{
    if (encoder->scope_number != 0) {
        put_message(&encoder->resource_spans, 2, &encoder->scope_spans);
        strbuf_reset(&encoder->scope_spans);
        encoder->scope_number = 0;
    }
}

static void end_resource(struct otlp_traces_encoder *encoder)
{
    end_scope(encoder);
    if (encoder->resource_number != 0) {
        put_message(encoder->out, 1, &encoder->resource_spans);
        strbuf_reset(&encoder->resource_spans);
        encoder->resource_number = 0;
    }
}

static void begin_resource(struct otlp_traces_encoder *encoder, const struct otlp_span *span)
{
    struct strbuf part = STRBUF_INIT;
    strbuf_add_str(&part, span->resource_raw);
    if (span->resource_raw.ptr == NULL) {
        otlp_resource_encode(span->resource, &part);
    }
    put_message(&encoder->resource_spans, 1, &part);
    put_text(&encoder->resource_spans, 3, span->resource->schema_url);
    encoder->resource_number = span->resource_number;
    strbuf_release(&part);
}

static void begin_scope(struct otlp_traces_encoder *encoder, const struct otlp_span *span)
{
    struct strbuf part = STRBUF_INIT;
    strbuf_add_str(&part, span->scope_raw);
    if (span->scope_raw.ptr == NULL) {
        otlp_scope_encode(span->scope, &part);
    }
    put_message(&encoder->scope_spans, 1, &part);
    put_text(&encoder->scope_spans, 3, span->scope->schema_url);
    encoder->scope_number = span->scope_number;
    strbuf_release(&part);
}

void otlp_traces_encoder_add(struct otlp_traces_encoder *encoder, const struct otlp_span *span)
{
    bool full = encoder->scope_spans.size + encoder->resource_spans.size >= OTLP_TRACES_GROUP_BYTES;
    if (full || span->resource_number != encoder->resource_number) {
        end_resource(encoder);
        begin_resource(encoder, span);
    }
    if (span->scope_number != encoder->scope_number) {
        end_scope(encoder);
        begin_scope(encoder, span);
    }
    if (span->raw.ptr != NULL) {
        protobuf_put_bytes(&encoder->scope_spans, 2, span->raw);
        return;
    }
    struct strbuf part = STRBUF_INIT;
    otlp_span_encode(&span->span, &part);
    put_message(&encoder->scope_spans, 2, &part);
    strbuf_release(&part);
}

void otlp_traces_encoder_finish(struct otlp_traces_encoder *encoder)
{
    end_resource(encoder);
    strbuf_release(&encoder->scope_spans);
    strbuf_release(&encoder->resource_spans);
}
