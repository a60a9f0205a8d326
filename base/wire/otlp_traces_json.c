/* OTLP traces from JSON into protobuf, and from protobuf to JSON. Ids are hex and not base64, which is
 * OTLP's exception from protobuf's mapping; otlp_json.h has the rest. */
#include "otlp_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/otlp_traces.h"

/* ---- From JSON ---- */

/* Hex of any case; absent or empty is zero. Wrong lengths are read as zero too, which the walker counts
 * as a fault of its span: one bad id does not refuse the message. */
static struct trace_id read_trace_id(
    struct otlp_json_reader *r, const json_t *object, const char *key)
{
    struct str text = otlp_json_text(r, object, key);
    struct trace_id id = {0, 0};
    if (text.len == 2 * (size_t)TRACE_ID_BYTES) {
        (void)trace_id_parse(text, &id); /* stays zero */
    }
    return id;
}

static uint64_t read_span_id(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    struct str text = otlp_json_text(r, object, key);
    uint64_t id = 0;
    if (text.len == 2 * (size_t)SPAN_ID_BYTES) {
        (void)span_id_parse(text, &id); /* stays zero */
    }
    return id;
}

static uint32_t read_u32(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    uint64_t number = otlp_json_unsigned(r, object, key);
    if (number > UINT32_MAX) {
        (void)otlp_json_fail(r, ERR_CORRUPT, key);
        number = 0;
    }
    return (uint32_t)number;
}

static void read_events(struct otlp_json_reader *r, const json_t *object, struct span *span)
{
    const json_t *list;
    size_t count;
    struct span_event *items = otlp_json_array(r, object, "events", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *event = json_array_get(list, i);
        items[i].time_ns = otlp_json_unsigned(r, event, "timeUnixNano");
        items[i].name = otlp_json_text(r, event, "name");
        items[i].attributes = otlp_json_attributes(r, event, "attributes");
        items[i].dropped_attributes = read_u32(r, event, "droppedAttributesCount");
    }
    span->events = items;
    span->event_count = count;
}

static void read_links(struct otlp_json_reader *r, const json_t *object, struct span *span)
{
    const json_t *list;
    size_t count;
    struct span_link *items = otlp_json_array(r, object, "links", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *link = json_array_get(list, i);
        items[i].trace_id = read_trace_id(r, link, "traceId");
        items[i].span_id = read_span_id(r, link, "spanId");
        items[i].trace_state = otlp_json_text(r, link, "traceState");
        items[i].attributes = otlp_json_attributes(r, link, "attributes");
        items[i].dropped_attributes = read_u32(r, link, "droppedAttributesCount");
        items[i].flags = read_u32(r, link, "flags");
    }
    span->links = items;
    span->link_count = count;
}

static void read_span(struct otlp_json_reader *r, const json_t *object, struct span *span)
{
    const json_t *status = otlp_json_member(object, "status");
    uint32_t kind = read_u32(r, object, "kind");
    uint32_t code = read_u32(r, status, "code");
    *span = (struct span){
        .trace_id = read_trace_id(r, object, "traceId"),
        .span_id = read_span_id(r, object, "spanId"),
        .parent_id = read_span_id(r, object, "parentSpanId"),
        .start_ns = otlp_json_unsigned(r, object, "startTimeUnixNano"),
        .end_ns = otlp_json_unsigned(r, object, "endTimeUnixNano"),
        .kind = kind < SPAN_KIND_COUNT ? (enum span_kind)kind : SPAN_KIND_UNSPECIFIED,
        .status = code < SPAN_STATUS_COUNT ? (enum span_status)code : SPAN_STATUS_UNSET,
        .flags = read_u32(r, object, "flags"),
        .name = otlp_json_text(r, object, "name"),
        .status_message = otlp_json_text(r, status, "message"),
        .trace_state = otlp_json_text(r, object, "traceState"),
        .attributes = otlp_json_attributes(r, object, "attributes"),
        .dropped_attributes = read_u32(r, object, "droppedAttributesCount"),
        .dropped_events = read_u32(r, object, "droppedEventsCount"),
        .dropped_links = read_u32(r, object, "droppedLinksCount"),
    };
    read_events(r, object, span);
    read_links(r, object, span);
}

/* The spans of one ScopeSpans. A span is encoded and forgotten before the next is read. */
static void read_scope(struct otlp_json_reader *r, const json_t *object, struct otlp_span *span,
    struct otlp_traces_encoder *encoder)
{
    const json_t *head = otlp_json_member(object, "scope");
    struct span_scope scope = {
        .name = otlp_json_text(r, head, "name"),
        .version = otlp_json_text(r, head, "version"),
        .schema_url = otlp_json_text(r, object, "schemaUrl"),
        .attributes = otlp_json_attributes(r, head, "attributes"),
        .dropped_attributes = read_u32(r, head, "droppedAttributesCount"),
    };
    const json_t *list = otlp_json_member(object, "spans");
    if (list != NULL && !json_is_array(list)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, "spans");
    }
    span->scope = &scope;
    span->scope_number++;
    for (size_t i = 0; i < json_array_size(list) && r->status == 0; i++) {
        struct arena_mark mark = arena_mark(r->arena);
        read_span(r, json_array_get(list, i), &span->span);
        otlp_traces_encoder_add(encoder, span);
        arena_rewind(r->arena, mark);
    }
    span->scope = NULL;
}

static void read_resource(struct otlp_json_reader *r, const json_t *object, struct otlp_span *span,
    struct otlp_traces_encoder *encoder)
{
    const json_t *head = otlp_json_member(object, "resource");
    struct span_resource resource = {
        .attributes = otlp_json_attributes(r, head, "attributes"),
        .dropped_attributes = read_u32(r, head, "droppedAttributesCount"),
        .schema_url = otlp_json_text(r, object, "schemaUrl"),
    };
    const json_t *list = otlp_json_member(object, "scopeSpans");
    if (list != NULL && !json_is_array(list)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, "scopeSpans");
    }
    span->resource = &resource;
    span->resource_number++;
    for (size_t i = 0; i < json_array_size(list) && r->status == 0; i++) {
        read_scope(r, json_array_get(list, i), span, encoder);
    }
    span->resource = NULL;
}

int otlp_traces_from_json(struct str json, struct strbuf *message, struct err *e)
{
    json_t *root = NULL;
    int status = otlp_json_load(json, &root, e);
    if (status != 0) {
        return status;
    }
    struct arena arena;
    struct otlp_traces_encoder encoder;
    struct otlp_span span = {.resource_number = 0};
    struct otlp_json_reader r = {.arena = &arena};
    arena_init(&arena, OTLP_TRACES_MAX);
    otlp_traces_encoder_init(&encoder, message);
    const json_t *list = otlp_json_member(root, "resourceSpans");
    if (!json_is_object(root) || (list != NULL && !json_is_array(list))) {
        (void)otlp_json_fail(&r, ERR_CORRUPT, list != NULL ? "resourceSpans" : "the message");
    }
    for (size_t i = 0; i < json_array_size(list) && r.status == 0; i++) {
        read_resource(&r, json_array_get(list, i), &span, &encoder);
    }
    otlp_traces_encoder_finish(&encoder);
    arena_release(&arena);
    json_decref(root);
    status = otlp_json_result(&r, e);
    if (status == 0 && strbuf_error(message) != 0) {
        status = err_set(e, strbuf_error(message), -1, "the OTLP message is too large");
    }
    return status;
}

/* ---- To JSON ---- */

static void write_u64(struct json_writer *json, const char *key, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    json_key(json, key);
    json_cstring(json, digits);
}

/* Members at their default are left out. */
static void write_text(struct json_writer *json, const char *key, struct str text)
{
    if (text.len > 0) {
        json_key(json, key);
        json_string(json, text);
    }
}

static void write_number(struct json_writer *json, const char *key, uint32_t value)
{
    if (value != 0) {
        json_key(json, key);
        json_integer(json, value);
    }
}

static void write_trace_id(struct json_writer *json, struct trace_id id)
{
    struct strbuf text = STRBUF_INIT;
    trace_id_write(id, &text);
    json_key(json, "traceId");
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_span_id(struct json_writer *json, const char *key, uint64_t id)
{
    struct strbuf text = STRBUF_INIT;
    span_id_write(id, &text);
    json_key(json, key);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_attributes(struct json_writer *json, struct attributes list)
{
    if (list.count == 0) {
        return;
    }
    json_key(json, "attributes");
    json_begin_array(json);
    for (size_t i = 0; i < list.count; i++) {
        json_begin_object(json);
        json_key(json, "key");
        json_string(json, list.items[i].key);
        json_key(json, "value");
        otlp_attribute_write_json(&list.items[i], json);
        json_end(json);
    }
    json_end(json);
}

static void write_events(struct json_writer *json, const struct span *span)
{
    json_key(json, "events");
    json_begin_array(json);
    for (size_t i = 0; i < span->event_count; i++) {
        const struct span_event *event = &span->events[i];
        json_begin_object(json);
        write_u64(json, "timeUnixNano", event->time_ns);
        write_text(json, "name", event->name);
        write_attributes(json, event->attributes);
        write_number(json, "droppedAttributesCount", event->dropped_attributes);
        json_end(json);
    }
    json_end(json);
}

static void write_links(struct json_writer *json, const struct span *span)
{
    json_key(json, "links");
    json_begin_array(json);
    for (size_t i = 0; i < span->link_count; i++) {
        const struct span_link *link = &span->links[i];
        json_begin_object(json);
        write_trace_id(json, link->trace_id);
        write_span_id(json, "spanId", link->span_id);
        write_text(json, "traceState", link->trace_state);
        write_attributes(json, link->attributes);
        write_number(json, "droppedAttributesCount", link->dropped_attributes);
        write_number(json, "flags", link->flags);
        json_end(json);
    }
    json_end(json);
}

static void write_span(struct json_writer *json, const struct span *span)
{
    json_begin_object(json);
    write_trace_id(json, span->trace_id);
    write_span_id(json, "spanId", span->span_id);
    write_text(json, "traceState", span->trace_state);
    if (span->parent_id != 0) {
        write_span_id(json, "parentSpanId", span->parent_id);
    }
    write_text(json, "name", span->name);
    write_number(json, "kind", span->kind);
    write_u64(json, "startTimeUnixNano", span->start_ns);
    write_u64(json, "endTimeUnixNano", span->end_ns);
    write_attributes(json, span->attributes);
    write_number(json, "droppedAttributesCount", span->dropped_attributes);
    if (span->event_count > 0) {
        write_events(json, span);
    }
    write_number(json, "droppedEventsCount", span->dropped_events);
    if (span->link_count > 0) {
        write_links(json, span);
    }
    write_number(json, "droppedLinksCount", span->dropped_links);
    json_key(json, "status");
    json_begin_object(json);
    write_text(json, "message", span->status_message);
    write_number(json, "code", span->status);
    json_end(json);
    write_number(json, "flags", span->flags);
    json_end(json);
}

static void begin_resource(struct json_writer *json, const struct span_resource *resource)
{
    json_begin_object(json);
    write_text(json, "schemaUrl", resource->schema_url);
    json_key(json, "resource");
    json_begin_object(json);
    write_attributes(json, resource->attributes);
    write_number(json, "droppedAttributesCount", resource->dropped_attributes);
    json_end(json);
    json_key(json, "scopeSpans");
    json_begin_array(json);
}

static void begin_scope(struct json_writer *json, const struct span_scope *scope)
{
    json_begin_object(json);
    write_text(json, "schemaUrl", scope->schema_url);
    json_key(json, "scope");
    json_begin_object(json);
    write_text(json, "name", scope->name);
    write_text(json, "version", scope->version);
    write_attributes(json, scope->attributes);
    write_number(json, "droppedAttributesCount", scope->dropped_attributes);
    json_end(json);
    json_key(json, "spans");
    json_begin_array(json);
}

/* An array, and the object around it. */
static void end_level(struct json_writer *json)
{
    json_end(json);
    json_end(json);
}

void otlp_json_encoder_init(struct otlp_json_encoder *encoder, struct json_writer *json)
{
    *encoder = (struct otlp_json_encoder){.json = json};
    json_begin_object(json);
    json_key(json, "resourceSpans");
    json_begin_array(json);
}

static void end_scope(struct otlp_json_encoder *encoder)
{
    if (encoder->scope_number != 0) {
        end_level(encoder->json);
        encoder->scope_number = 0;
    }
}

void otlp_json_encoder_part(struct otlp_json_encoder *encoder)
{
    end_scope(encoder);
    if (encoder->resource_number != 0) {
        end_level(encoder->json);
        encoder->resource_number = 0;
    }
}

void otlp_json_encoder_add(struct otlp_json_encoder *encoder, const struct otlp_span *span)
{
    if (encoder->resource_number != span->resource_number) {
        otlp_json_encoder_part(encoder);
        begin_resource(encoder->json, span->resource);
        encoder->resource_number = span->resource_number;
    }
    if (encoder->scope_number != span->scope_number) {
        end_scope(encoder);
        begin_scope(encoder->json, span->scope);
        encoder->scope_number = span->scope_number;
    }
    write_span(encoder->json, &span->span);
}

void otlp_json_encoder_finish(struct otlp_json_encoder *encoder)
{
    otlp_json_encoder_part(encoder);
    end_level(encoder->json);
}
