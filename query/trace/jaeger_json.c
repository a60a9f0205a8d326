/* OpenTelemetry's spans in Jaeger's words.
 *
 *   resource            a process: serviceName, and the other attributes as tags
 *   span kind           tag span.kind, lower case; none when unspecified
 *   status              tags otel.status_code (OK, ERROR), error=true, otel.status_description
 *   scope               tags otel.scope.name, otel.scope.version
 *   trace state         tag w3c.tracestate
 *   parent              the first reference, CHILD_OF; links are FOLLOWS_FROM
 *   events              logs, with the name as field `event`
 *
 * Times are whole microseconds. Integers that a double cannot hold are written as texts, since browsers read them as
 * doubles.
 */
#include "trace/jaeger_json.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define SAFE_INTEGER_MAX ((INT64_C(1) << 53) - 1)

/* ---- Tags ---- */

static void begin_tag(struct json_writer *json, struct str key, const char *type)
{
    json_begin_object(json);
    json_key(json, "key");
    json_string(json, key);
    json_key(json, "type");
    json_cstring(json, type);
    json_key(json, "value");
}

static void write_text_tag(struct json_writer *json, const char *key, struct str value)
{
    begin_tag(json, str_of(key), "string");
    json_string(json, value);
    json_end(json);
}

static void write_integer(struct json_writer *json, int64_t value)
{
    if (value >= -SAFE_INTEGER_MAX && value <= SAFE_INTEGER_MAX) {
        json_integer(json, value);
        return;
    }
    struct strbuf text = STRBUF_INIT;
    strbuf_add_i64(&text, value);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_as_text(struct json_writer *json, const struct attribute *value)
{
    struct strbuf text = STRBUF_INIT;
    otlp_attribute_write_text(value, &text);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_tag(struct json_writer *json, const struct attribute *a)
{
    switch (a->kind) {
    case ATTRIBUTE_BOOL:
        begin_tag(json, a->key, "bool");
        json_bool(json, a->boolean);
        break;
    case ATTRIBUTE_INT:
        begin_tag(json, a->key, "int64");
        write_integer(json, a->integer);
        break;
    case ATTRIBUTE_DOUBLE:
        begin_tag(json, a->key, "float64");
        json_double(json, a->number);
        break;
    case ATTRIBUTE_BYTES:
        begin_tag(json, a->key, "binary");
        write_as_text(json, a);
        break;
    default: /* texts, and lists and maps as JSON */
        begin_tag(json, a->key, "string");
        write_as_text(json, a);
        break;
    }
    json_end(json);
}

static void write_tags(struct json_writer *json, struct attributes list, const char *but)
{
    for (size_t i = 0; i < list.count; i++) {
        if (but == NULL || !str_eq_c(list.items[i].key, but)) {
            write_tag(json, &list.items[i]);
        }
    }
}

static void write_span_tags(struct json_writer *json, const struct otlp_span *s)
{
    const struct span *span = &s->span;
    json_begin_array(json);
    write_tags(json, span->attributes, NULL);
    if (span->kind != SPAN_KIND_UNSPECIFIED) {
        write_text_tag(json, "span.kind", str_of(span_kind_name(span->kind)));
    }
    if (s->scope->name.len > 0) {
        write_text_tag(json, "otel.scope.name", s->scope->name);
    }
    if (s->scope->version.len > 0) {
        write_text_tag(json, "otel.scope.version", s->scope->version);
    }
    if (span->status != SPAN_STATUS_UNSET) {
        bool failed = span->status == SPAN_STATUS_ERROR;
        write_text_tag(json, "otel.status_code", failed ? STR("ERROR") : STR("OK"));
        if (failed && attributes_get(span->attributes, STR("error")) == NULL) {
            begin_tag(json, STR("error"), "bool");
            json_bool(json, true);
            json_end(json);
        }
    }
    if (span->status_message.len > 0) {
        write_text_tag(json, "otel.status_description", span->status_message);
    }
    if (span->trace_state.len > 0) {
        write_text_tag(json, "w3c.tracestate", span->trace_state);
    }
    json_end(json);
}

/* ---- Ids, references, logs ---- */

static void write_trace_id(struct json_writer *json, struct trace_id id)
{
    struct strbuf text = STRBUF_INIT;
    trace_id_write(id, &text);
    json_key(json, "traceID");
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_span_id(struct json_writer *json, uint64_t id)
{
    struct strbuf text = STRBUF_INIT;
    span_id_write(id, &text);
    json_key(json, "spanID");
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_reference(
    struct json_writer *json, const char *type, struct trace_id trace, uint64_t span)
{
    json_begin_object(json);
    json_key(json, "refType");
    json_cstring(json, type);
    write_trace_id(json, trace);
    write_span_id(json, span);
    json_end(json);
}

static void write_references(struct json_writer *json, const struct span *span)
{
    json_begin_array(json);
    if (span->parent_id != 0) {
        write_reference(json, "CHILD_OF", span->trace_id, span->parent_id);
    }
    for (size_t i = 0; i < span->link_count; i++) {
        write_reference(json, "FOLLOWS_FROM", span->links[i].trace_id, span->links[i].span_id);
    }
    json_end(json);
}

static void write_logs(struct json_writer *json, const struct span *span)
{
    json_begin_array(json);
    for (size_t i = 0; i < span->event_count; i++) {
        const struct span_event *event = &span->events[i];
        json_begin_object(json);
        json_key(json, "timestamp");
        json_integer(json, (int64_t)(event->time_ns / 1000));
        json_key(json, "fields");
        json_begin_array(json);
        if (event->name.len > 0 && attributes_get(event->attributes, STR("event")) == NULL) {
            write_text_tag(json, "event", event->name);
        }
        write_tags(json, event->attributes, NULL);
        json_end(json);
        json_end(json);
    }
    json_end(json);
}

/* ---- Processes ---- */

/* Resources of the trace, in order of their numbers; "p1" is the first. */
struct processes {
    struct process {
        uint64_t number;
        const struct span_resource *resource;
    } * items;
    size_t count;
};

static int by_number(const void *left, const void *right)
{
    uint64_t a = ((const struct process *)left)->number,
             b = ((const struct process *)right)->number;
    return a < b ? -1 : a > b;
}

static int find_processes(const struct span_trace *trace, struct processes *all)
{
    all->items = mem_calloc(trace->count, sizeof(*all->items));
    if (all->items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < trace->count; i++) {
        all->items[i] = (struct process){trace->spans[i].resource_number, trace->spans[i].resource};
    }
    qsort(all->items, trace->count, sizeof(*all->items), by_number);
    for (size_t i = 0; i < trace->count; i++) {
        if (all->count == 0 || all->items[all->count - 1].number != all->items[i].number) {
            all->items[all->count++] = all->items[i];
        }
    }
    return 0;
}

static void write_process_name(struct json_writer *json, size_t index)
{
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, "p%zu", index + 1);
    json_string(json, strbuf_str(&name));
    strbuf_release(&name);
}

static void write_processes(struct json_writer *json, const struct processes *all)
{
    json_begin_object(json);
    for (size_t i = 0; i < all->count; i++) {
        const struct span_resource *resource = all->items[i].resource;
        struct strbuf name = STRBUF_INIT;
        strbuf_addf(&name, "p%zu", i + 1);
        json_key_str(json, strbuf_str(&name));
        strbuf_release(&name);
        json_begin_object(json);
        json_key(json, "serviceName");
        json_string(json, span_resource_service(resource));
        json_key(json, "tags");
        json_begin_array(json);
        write_tags(json, resource->attributes, "service.name");
        json_end(json);
        json_end(json);
    }
    json_end(json);
}

/* ---- The trace ---- */

static void write_span(
    struct json_writer *json, const struct otlp_span *s, const struct processes *all)
{
    const struct process wanted = {.number = s->resource_number};
    const struct process *process =
        bsearch(&wanted, all->items, all->count, sizeof(*all->items), by_number);
    assert(process != NULL);
    json_begin_object(json);
    write_trace_id(json, s->span.trace_id);
    write_span_id(json, s->span.span_id);
    json_key(json, "flags");
    json_integer(json, s->span.flags & 0xff); /* W3C's; the rest is OTLP's own */
    json_key(json, "operationName");
    json_string(json, s->span.name);
    json_key(json, "references");
    write_references(json, &s->span);
    json_key(json, "startTime");
    json_integer(json, (int64_t)(s->span.start_ns / 1000));
    json_key(json, "duration");
    json_integer(json, (int64_t)(span_duration_ns(&s->span) / 1000));
    json_key(json, "tags");
    write_span_tags(json, s);
    json_key(json, "logs");
    write_logs(json, &s->span);
    json_key(json, "processID");
    write_process_name(json, (size_t)(process - all->items));
    json_key(json, "warnings");
    json_null(json);
    json_end(json);
}

static void write_warnings(struct json_writer *json, uint64_t left_out)
{
    if (left_out == 0) {
        json_null(json);
        return;
    }
    struct strbuf sentence = STRBUF_INIT;
    strbuf_addf(&sentence, "%llu more spans are left out", (unsigned long long)left_out);
    json_begin_array(json);
    json_string(json, strbuf_str(&sentence));
    json_end(json);
    strbuf_release(&sentence);
}

int jaeger_write_trace(const struct span_trace *trace, struct json_writer *json)
{
    struct processes all = {0};
    assert(trace->count > 0);
    int status = find_processes(trace, &all);
    if (status != 0) {
        return status;
    }
    json_begin_object(json);
    write_trace_id(json, trace->spans[0].span.trace_id);
    json_key(json, "spans");
    json_begin_array(json);
    for (size_t i = 0; i < trace->count; i++) {
        write_span(json, &trace->spans[i], &all);
    }
    json_end(json);
    json_key(json, "processes");
    write_processes(json, &all);
    json_key(json, "warnings");
    write_warnings(json, trace->left_out);
    json_end(json);
    mem_free(all.items);
    return 0;
}
