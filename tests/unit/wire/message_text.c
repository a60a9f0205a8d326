/* Spans as lines. */
#include "message_text.h"

#include "support/support.h"
#include "wire/otlp_traces.h"

static void show_attributes(struct strbuf *out, struct attributes list)
{
    for (size_t i = 0; i < list.count; i++) {
        struct json_writer json;
        strbuf_addf(out, " %.*s=", STR_ARG(list.items[i].key));
        json_init(&json, out);
        otlp_attribute_write_json(&list.items[i], &json);
    }
    strbuf_add_char(out, '\n');
}

static void show_span(struct strbuf *out, const struct span *s)
{
    trace_id_write(s->trace_id, out);
    strbuf_add_char(out, ' ');
    span_id_write(s->span_id, out);
    strbuf_addf(out, " < %llx \"%.*s\" %s %llu..%llu %s \"%.*s\" state \"%.*s\" %u -%u -%u -%u",
        (unsigned long long)s->parent_id, STR_ARG(s->name), span_kind_name(s->kind),
        (unsigned long long)s->start_ns, (unsigned long long)s->end_ns, span_status_name(s->status),
        STR_ARG(s->status_message), STR_ARG(s->trace_state), s->flags, s->dropped_attributes,
        s->dropped_events, s->dropped_links);
    show_attributes(out, s->attributes);
    for (size_t i = 0; i < s->event_count; i++) {
        strbuf_addf(out, "  event %llu %.*s -%u", (unsigned long long)s->events[i].time_ns,
            STR_ARG(s->events[i].name), s->events[i].dropped_attributes);
        show_attributes(out, s->events[i].attributes);
    }
    for (size_t i = 0; i < s->link_count; i++) {
        strbuf_add_c(out, "  link ");
        trace_id_write(s->links[i].trace_id, out);
        strbuf_addf(out, " %llx \"%.*s\" %u -%u", (unsigned long long)s->links[i].span_id,
            STR_ARG(s->links[i].trace_state), s->links[i].flags, s->links[i].dropped_attributes);
        show_attributes(out, s->links[i].attributes);
    }
}

void message_text(struct strbuf *out, struct str message)
{
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    struct err e = ERR_INIT;
    int status;
    assert_int_equal(otlp_traces_new(&walker), 0);
    if (otlp_traces_begin(walker, message, &e) != 0) {
        fail_msg("%s", e.message);
    }
    while ((status = otlp_traces_next(walker, &span)) == 1) {
        strbuf_addf(out, "resource %llu \"%.*s\" of %.*s -%u",
            (unsigned long long)span.resource_number, STR_ARG(span.resource->schema_url),
            STR_ARG(span_resource_service(span.resource)), span.resource->dropped_attributes);
        show_attributes(out, span.resource->attributes);
        strbuf_addf(out, "scope %llu \"%.*s\" %.*s %.*s", (unsigned long long)span.scope_number,
            STR_ARG(span.scope->schema_url), STR_ARG(span.scope->name),
            STR_ARG(span.scope->version));
        show_attributes(out, span.scope->attributes);
        show_span(out, &span.span);
    }
    assert_int_equal(status, 0);
    otlp_traces_free(walker);
}
